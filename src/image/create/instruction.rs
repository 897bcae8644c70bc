//! `-c`: Dockerfile instructions that change an image's config. No I/O.

use serde_json::{Map, Value, json};

use super::words;
use crate::image::ImageError;

/// The object `config` of an image's config.
pub type Config = Map<String, Value>;

const KNOWN: &str =
    "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR";

/// Applies the instructions in order.
///
/// # Errors
/// [`ImageError::Change`] for the first that is wrong.
pub fn apply(config: &mut Config, instructions: &[String]) -> Result<(), ImageError> {
    let mut cmd_set = false;
    for text in instructions {
        one(config, text, &mut cmd_set)
            .map_err(|reason| ImageError::Change { instruction: text.clone(), reason })?;
    }
    Ok(())
}

fn one(config: &mut Config, text: &str, cmd_set: &mut bool) -> Result<(), String> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let name = name.to_ascii_uppercase();
    if rest.is_empty() && !(name == "CMD" || name == "ENTRYPOINT") {
        return Err(format!("{name} needs an argument"));
    }
    match name.as_str() {
        "CMD" => {
            *cmd_set = true;
            set(config, "Cmd", command(config, rest));
        }
        "ENTRYPOINT" => {
            set(config, "Entrypoint", command(config, rest));
            // The image's own command was meant for its own entry point.
            if !*cmd_set {
                config.remove("Cmd");
            }
        }
        "ENV" => {
            for (key, value) in pairs(config, rest, true)? {
                set_env(config, &key, &value);
            }
        }
        "LABEL" => {
            let pairs = pairs(config, rest, true)?;
            let labels = object(config, "Labels");
            labels.extend(pairs.into_iter().map(|(k, v)| (k, Value::from(v))));
        }
        "EXPOSE" => {
            let words = split(config, rest)?;
            let ports = words.iter().map(|w| ports(w)).collect::<Result<Vec<_>, _>>()?;
            let exposed = object(config, "ExposedPorts");
            exposed.extend(ports.into_iter().flatten().map(|p| (p, json!({}))));
        }
        "VOLUME" => {
            let paths = match exec_form(rest) {
                Some(list) => list,
                None => split(config, rest)?,
            };
            if paths.iter().any(|p| p.is_empty()) {
                return Err("a volume needs a path".into());
            }
            object(config, "Volumes").extend(paths.into_iter().map(|p| (p, json!({}))));
        }
        "USER" => {
            let user = single(config, rest, "USER")?;
            set(config, "User", Some(Value::from(user)));
        }
        "WORKDIR" => {
            let dir = single(config, rest, "WORKDIR")?;
            let before = config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
            let dir = clean(if dir.starts_with('/') { dir } else { format!("{before}/{dir}") });
            set(config, "WorkingDir", Some(Value::from(dir)));
        }
        "STOPSIGNAL" => {
            let signal = single(config, rest, "STOPSIGNAL")?;
            let number = signal.parse().is_ok_and(|n: u8| (1..=64).contains(&n));
            let named = signal.strip_prefix("SIG").unwrap_or(&signal);
            let named = !named.is_empty()
                && named.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '0'..='9' | '+' | '-'));
            if !number && (!named || signal.starts_with(|c: char| c.is_ascii_digit())) {
                return Err(format!("{signal:?} is no signal"));
            }
            set(config, "StopSignal", Some(Value::from(signal)));
        }
        "HEALTHCHECK" => {
            let check = healthcheck(config, rest)?;
            set(config, "Healthcheck", Some(check));
        }
        "ONBUILD" => {
            let inner = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            if matches!(inner.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
                return Err(format!("{inner} cannot stand behind ONBUILD"));
            }
            match config.entry("OnBuild").or_insert_with(|| json!([])) {
                Value::Array(list) => list.push(Value::from(rest)),
                other => *other = json!([rest]),
            }
        }
        other => return Err(format!("{other:?} cannot be applied here; what can: {KNOWN}")),
    }
    Ok(())
}

fn set(config: &mut Config, key: &str, value: Option<Value>) {
    match value {
        Some(value) => config.insert(key.to_owned(), value),
        None => config.remove(key),
    };
}

/// Sets an environment variable, in its old place if it has one.
pub fn set_env(config: &mut Config, key: &str, value: &str) {
    let setting = Value::from(format!("{key}={value}"));
    let env = match config.entry("Env").or_insert_with(|| json!([])) {
        Value::Array(list) => list,
        other => {
            *other = json!([]);
            other.as_array_mut().expect("it was made an array just now")
        }
    };
    let same = |v: &Value| v.as_str().is_some_and(|s| s.split('=').next() == Some(key));
    match env.iter_mut().find(|v| same(v)) {
        Some(old) => *old = setting,
        None => env.push(setting),
    }
}

fn object<'a>(config: &'a mut Config, key: &str) -> &'a mut Map<String, Value> {
    let value = config.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it is an object, or was made one just now")
}

/// `["a", "b"]`, if it is that.
fn exec_form(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

/// The exec form, or the shell's with the image's own shell; nothing for `[]`.
fn command(config: &Config, text: &str) -> Option<Value> {
    if let Some(list) = exec_form(text) {
        return (!list.is_empty()).then(|| Value::from(list));
    }
    if text.is_empty() {
        return None;
    }
    let mut argv: Vec<Value> = match config.get("Shell").and_then(Value::as_array) {
        Some(shell) if !shell.is_empty() => shell.clone(),
        _ => vec!["/bin/sh".into(), "-c".into()],
    };
    argv.push(text.into());
    Some(argv.into())
}

fn split(config: &Config, text: &str) -> Result<Vec<String>, String> {
    let env = |name: &str| {
        let list = config.get("Env")?.as_array()?;
        let found = list.iter().filter_map(Value::as_str).filter_map(|e| e.split_once('='));
        found.filter(|(k, _)| *k == name).map(|(_, v)| v.to_owned()).next()
    };
    words::split(text, &env)
}

fn single(config: &Config, text: &str, name: &str) -> Result<String, String> {
    match &split(config, text)?[..] {
        [one] => Ok(one.clone()),
        all => Err(format!("{name} takes one argument, not {}", all.len())),
    }
}

/// `KEY=VALUE …`, or the old form `KEY the rest of the line`.
fn pairs(config: &Config, text: &str, old_form: bool) -> Result<Vec<(String, String)>, String> {
    let words = split(config, text)?;
    let first = text.split_whitespace().next().unwrap_or_default();
    if old_form && !first.contains('=') {
        let (key, _) = text.split_once(char::is_whitespace).ok_or("it needs NAME=VALUE")?;
        let value = words[1..].join(" ");
        return Ok(vec![(key.to_owned(), value)]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{word:?} is not NAME=VALUE")),
    };
    words.iter().map(pair).collect()
}

/// `80`, `53/udp`, `8000-8003/tcp`.
fn ports(text: &str) -> Result<Vec<String>, String> {
    let bad = || format!("{text:?} is no port; such as 80, 53/udp or 8000-8010");
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(bad());
    }
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to): (u16, u16) = (from.parse().map_err(|_| bad())?, to.parse().map_err(|_| bad())?);
    if from == 0 || from > to {
        return Err(bad());
    }
    Ok((from..=to).map(|port| format!("{port}/{protocol}")).collect())
}

/// An absolute path without `.`, `..` and doubled slashes.
fn clean(path: String) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn healthcheck(config: &Config, text: &str) -> Result<Value, String> {
    let mut check = Map::new();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        rest = after.trim_start();
        let (name, value) = option.split_once('=').ok_or_else(|| format!("--{option} needs =VALUE"))?;
        let key = match name {
            "interval" => "Interval",
            "timeout" => "Timeout",
            "start-period" => "StartPeriod",
            "start-interval" => "StartInterval",
            "retries" => {
                let n: u32 = value.parse().map_err(|_| format!("--retries={value} is no number"))?;
                check.insert("Retries".to_owned(), n.into());
                continue;
            }
            _ => return Err(format!("--{name} is no option of HEALTHCHECK")),
        };
        check.insert(
            key.to_owned(),
            nanoseconds(value).ok_or_else(|| format!("--{name}={value} is no duration"))?.into(),
        );
    }
    let (kind, command_text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match kind.to_ascii_uppercase().as_str() {
        "NONE" if command_text.trim().is_empty() => Ok(json!({ "Test": ["NONE"] })),
        "CMD" if !command_text.trim().is_empty() => {
            let command_text = command_text.trim();
            let test = match exec_form(command_text) {
                Some(list) => [vec!["CMD".to_owned()], list].concat(),
                None => vec!["CMD-SHELL".to_owned(), command_text.to_owned()],
            };
            let _ = config;
            check.insert("Test".to_owned(), test.into());
            Ok(check.into())
        }
        _ => Err("HEALTHCHECK is NONE, or [OPTIONS] CMD command".into()),
    }
}

/// `30s`, `1m30s`, `500ms` in nanoseconds.
fn nanoseconds(text: &str) -> Option<u64> {
    let mut total = 0f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
        let factor = match &rest[digits..unit] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += rest[..digits].parse::<f64>().ok()? * factor;
        rest = &rest[unit..];
    }
    (!text.is_empty() && total < 1e18).then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Value, instructions: &[&str]) -> Result<Value, ImageError> {
        let mut config = start.as_object().unwrap().clone();
        apply(&mut config, &instructions.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>())?;
        Ok(config.into())
    }

    #[test]
    fn every_instruction() {
        let table = [
            (json!({}), "CMD [\"a\", \"b c\"]", json!({"Cmd": ["a", "b c"]})),
            (json!({}), "cmd echo $HOME", json!({"Cmd": ["/bin/sh", "-c", "echo $HOME"]})),
            (
                json!({"Shell": ["/bin/ash"]}),
                "CMD x",
                json!({"Shell": ["/bin/ash"], "Cmd": ["/bin/ash", "x"]}),
            ),
            (json!({"Cmd": ["x"]}), "CMD []", json!({})),
            (json!({"Cmd": ["x"]}), "ENTRYPOINT [\"/e\"]", json!({"Entrypoint": ["/e"]})),
            (
                json!({"Env": ["A=1", "PATH=/bin"]}),
                "ENV PATH=$PATH:/x A=\"two words\" B=c\\ d",
                json!({"Env": ["A=two words", "PATH=/bin:/x", "B=c d"]}),
            ),
            (json!({}), "ENV KEY the rest  of it", json!({"Env": ["KEY=the rest of it"]})),
            (json!({"Labels": null}), "LABEL a=b \"c d\"='e f'", json!({"Labels": {"a": "b", "c d": "e f"}})),
            (
                json!({}),
                "EXPOSE 80 53/UDP 8000-8001",
                json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}}}),
            ),
            (json!({}), "VOLUME /a /b", json!({"Volumes": {"/a": {}, "/b": {}}})),
            (json!({}), "VOLUME [\"/a b\"]", json!({"Volumes": {"/a b": {}}})),
            (json!({}), "USER 1000:50", json!({"User": "1000:50"})),
            (json!({"WorkingDir": "/srv"}), "WORKDIR a/../b/", json!({"WorkingDir": "/srv/b"})),
            (json!({}), "STOPSIGNAL SIGRTMIN+3", json!({"StopSignal": "SIGRTMIN+3"})),
            (json!({"OnBuild": ["x"]}), "ONBUILD RUN make", json!({"OnBuild": ["x", "RUN make"]})),
            (
                json!({}),
                "HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f x",
                json!({"Healthcheck": {"Interval": 90_000_000_000u64, "Retries": 3, "Test": ["CMD-SHELL", "curl -f x"]}}),
            ),
            (json!({}), "HEALTHCHECK CMD [\"a\"]", json!({"Healthcheck": {"Test": ["CMD", "a"]}})),
            (json!({}), "HEALTHCHECK NONE", json!({"Healthcheck": {"Test": ["NONE"]}})),
        ];
        for (start, instruction, want) in table {
            assert_eq!(after(start, &[instruction]).unwrap(), want, "{instruction}");
        }
        let both = after(json!({}), &["CMD [\"c\"]", "ENTRYPOINT [\"e\"]"]).unwrap();
        assert_eq!(both, json!({"Cmd": ["c"], "Entrypoint": ["e"]}), "a command of the same change stays");
    }

    #[test]
    fn refused() {
        for bad in [
            "RUN make",
            "ADD a b",
            "FROM x",
            "",
            "ENV",
            "ENV A",
            "LABEL a=b c",
            "EXPOSE 0",
            "EXPOSE x",
            "EXPOSE 9-8",
            "EXPOSE 80/xyz",
            "USER a b",
            "WORKDIR",
            "STOPSIGNAL 99",
            "STOPSIGNAL term!",
            "ONBUILD FROM x",
            "ONBUILD ONBUILD x",
            "HEALTHCHECK",
            "HEALTHCHECK --interval=x CMD a",
            "HEALTHCHECK CMD",
            "ENV A='x",
            "VOLUME \"\"",
        ] {
            let error = after(json!({}), &[bad]).unwrap_err();
            assert!(matches!(&error, ImageError::Change { .. }), "{bad}: {error}");
        }
    }
}
