//! Names in a layer's tar: what they mean, and which are refused. No I/O.

/// A name taken apart; the components hold neither `.`, `..` nor `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The tree itself: `./`.
    Root,
    /// Something below it.
    Path {
        /// The directory, `/` between components, empty for the root.
        parent: Vec<u8>,
        /// The last component.
        leaf: Vec<u8>,
    },
}

/// What the last component says to a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An ordinary name.
    None,
    /// `.wh.NAME`: NAME of the layers below is gone.
    Whiteout(Vec<u8>),
    /// `.wh..wh..opq`: everything in this directory of the layers below is gone.
    Opaque,
    /// Bookkeeping of aufs (`.wh..wh.plnk` and so on), without meaning here.
    Aufs,
}

const WHITEOUT: &[u8] = b".wh.";
const META: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Takes a name apart. A leading `/` means the tree's root, as in every tar
/// tool; `..` may not lead out of it.
///
/// # Errors
/// A fragment that says why the name is refused.
pub fn parse(name: &[u8]) -> Result<Name, &'static str> {
    if name.contains(&0) {
        return Err("its name holds a NUL byte");
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if parts.pop().is_none() {
                    return Err("its name leads out of the layer (\"..\")");
                }
            }
            _ if part.len() > 255 => return Err("a part of its name is longer than 255 bytes"),
            _ => parts.push(part),
        }
    }
    let Some(leaf) = parts.pop() else { return Ok(Name::Root) };
    let parent = parts.join(&b'/');
    if parent.len() + leaf.len() + 1 >= 4096 {
        return Err("its name is longer than 4095 bytes");
    }
    Ok(Name::Path { parent, leaf: leaf.to_vec() })
}

/// Whether an entry below this directory is bookkeeping of aufs.
pub fn in_aufs_dir(parent: &[u8]) -> bool {
    parent.split(|b| *b == b'/').any(|part| part.starts_with(META))
}

/// Reads the mark of a last component, image-spec layer.md "Whiteouts".
///
/// # Errors
/// A whiteout of `.`, `..` or of nothing: a careless reader would delete the
/// directory itself or its parent.
pub fn mark(leaf: &[u8]) -> Result<Mark, &'static str> {
    if leaf == OPAQUE {
        return Ok(Mark::Opaque);
    }
    if leaf.starts_with(META) {
        return Ok(Mark::Aufs);
    }
    match leaf.strip_prefix(WHITEOUT) {
        None => Ok(Mark::None),
        Some(b"") => Err("it is a whiteout without a name"),
        Some(b"." | b"..") => Err("it is a whiteout of \".\" or \"..\""),
        Some(hidden) => Ok(Mark::Whiteout(hidden.to_vec())),
    }
}

/// Why an extended attribute of an entry is refused: overlayfs would take it
/// for its own.
pub fn refused_xattr(name: &[u8]) -> Option<&'static str> {
    let own = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    own.then_some("it carries an attribute of overlayfs itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(parent: &str, leaf: &str) -> Result<Name, &'static str> {
        Ok(Name::Path { parent: parent.into(), leaf: leaf.into() })
    }

    #[test]
    fn names() {
        let long = "n".repeat(256);
        let deep = "d/".repeat(2100);
        let table: &[(&str, Result<Name, &str>)] = &[
            ("a", path("", "a")),
            ("a/b/c", path("a/b", "c")),
            ("./a//b/", path("a", "b")),
            ("/etc/passwd", path("etc", "passwd")),
            ("a/../b", path("", "b")),
            ("a/./..", Ok(Name::Root)),
            ("", Ok(Name::Root)),
            ("./", Ok(Name::Root)),
            ("/", Ok(Name::Root)),
            ("...", path("", "...")),
            ("..a/b", path("..a", "b")),
        ];
        for (name, want) in table {
            assert_eq!(&parse(name.as_bytes()), want, "{name}");
        }
        for bad in ["..", "../a", "/../a", "a/../../b", "a/b/../../../c", "a\0b", &long, &deep] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn marks() {
        let table: &[(&str, Result<Mark, ()>)] = &[
            ("a", Ok(Mark::None)),
            (".wh", Ok(Mark::None)),
            (".wh.a", Ok(Mark::Whiteout(b"a".to_vec()))),
            (".wh.a.wh.", Ok(Mark::Whiteout(b"a.wh.".to_vec()))),
            (".wh..wh..opq", Ok(Mark::Opaque)),
            (".wh..wh.plnk", Ok(Mark::Aufs)),
            (".wh..wh..opqx", Ok(Mark::Aufs)),
            (".wh.", Err(())),
            (".wh..", Err(())),
            (".wh...", Err(())),
            (".wh....", Ok(Mark::Whiteout(b"...".to_vec()))),
        ];
        for (leaf, want) in table {
            assert_eq!(mark(leaf.as_bytes()).map_err(|_| ()), *want, "{leaf}");
        }
    }
}
