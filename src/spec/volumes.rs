//! `-v`: directories and files of the host shown in the container.

use super::SpecError;

/// One bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Absolute path on the host.
    pub source: String,
    /// Absolute path in the container.
    pub target: String,
    /// `:ro`.
    pub read_only: bool,
    /// Mount propagation, such as `rprivate`.
    pub propagation: String,
}

/// Parses `source:target[:options]`. Options are separated by commas: `ro`,
/// `rw`, `z`, `Z` (labels, ignored where there is no SELinux), and the
/// propagation modes.
pub fn parse(text: &str) -> Result<Volume, SpecError> {
    let bad = |why: String| {
        SpecError::new(format!("invalid volume {text:?}: {why}"))
            .hint("write -v /host/path:/container/path or -v /host/path:/container/path:ro")
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [s, t] => (s, t, ""),
        [s, t, o] => (s, t, o),
        [_] => {
            return Err(bad(
                "it names no path in the container; named and anonymous volumes are not there yet".into(),
            ));
        }
        _ => return Err(bad("too many colons".into())),
    };
    for (side, path) in [("host", source), ("container", target)] {
        if !path.starts_with('/') {
            let named = if side == "host" && !path.contains('/') && !path.is_empty() {
                "; named volumes are not there yet"
            } else {
                ""
            };
            return Err(bad(format!("the {side} path {path:?} is not absolute{named}")));
        }
    }
    if target.split('/').all(|c| c.is_empty() || c == ".") {
        return Err(bad("the container path is the root itself".into()));
    }
    if target.split('/').any(|c| c == "..") {
        return Err(bad("the container path holds '..'".into()));
    }
    let mut volume = Volume {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: false,
        propagation: "rprivate".to_owned(),
    };
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => volume.read_only = true,
            "rw" => volume.read_only = false,
            "z" | "Z" | "nocopy" | "cached" | "delegated" | "consistent" => {}
            "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {
                volume.propagation = option.to_owned();
            }
            other => return Err(bad(format!("unknown option {other:?}"))),
        }
    }
    Ok(volume)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_volume() {
        let v = parse("/a:/b:ro,rslave").unwrap();
        assert_eq!((v.source.as_str(), v.target.as_str(), v.read_only), ("/a", "/b", true));
        assert_eq!(v.propagation, "rslave");
        assert!(!parse("/a:/b").unwrap().read_only);
        for bad in ["", "/a", "a:/b", "/a:b", "/a:/", "/a:/b/../c", "/a:/b:no", "/a:/b:ro:x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
