//! Variables, parameters and options.

use super::super::state::{OPTIONS, Run, Shell, Var, quote};
use super::{name_or_complain, say};
use crate::userland::text::words;
use crate::userland::{Errno, Sys};

/// `export [-p] [NAME[=VALUE]…]`, `readonly …`.
pub async fn mark<S: Sys>(sh: &mut Shell<S>, fields: &[String]) -> Run<u8> {
    let command = fields[0].as_str();
    let export = command == "export";
    let args: Vec<&String> = fields[1..].iter().filter(|a| *a != "-p" && *a != "--").collect();
    if args.is_empty() {
        let mut out = String::new();
        for (name, var) in sh.vars.iter().filter(|(_, v)| if export { v.export } else { v.readonly }) {
            out.push_str(&format!("{command} {name}"));
            if let Some(value) = &var.value {
                out.push_str(&format!("={}", quote(value)));
            }
            out.push('\n');
        }
        return Ok(say(sh, &out).await);
    }
    let remove = export && args[0] == "-n";
    for arg in &args[usize::from(remove)..] {
        let (name, value) = arg.split_once('=').map_or((arg.as_str(), None), |(n, v)| (n, Some(v)));
        if !name_or_complain(sh, command, name).await {
            return Err(super::super::state::Flow::Abort(2));
        }
        if let Some(value) = value
            && let Err(message) = sh.assign(name, value.to_owned())
        {
            return sh.abort(&format!("{command}: {message}")).await;
        }
        let var = sh.vars.entry(name.to_owned()).or_default();
        if export {
            var.export = !remove;
        } else {
            var.readonly = true;
        }
    }
    Ok(0)
}

/// `local NAME[=VALUE]…`.
pub async fn local<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    if sh.hidden.is_empty() {
        return sh.abort("local: not in a function").await;
    }
    for arg in args {
        let (name, value) = arg.split_once('=').map_or((arg.as_str(), None), |(n, v)| (n, Some(v)));
        if !name_or_complain(sh, "local", name).await {
            return Ok(2);
        }
        let before = sh.vars.get(name).cloned();
        if let Some(hidden) = sh.hidden.last_mut() {
            hidden.push((name.to_owned(), before));
        }
        match value {
            Some(value) => {
                if let Err(message) = sh.assign(name, value.to_owned()) {
                    return sh.abort(&message).await;
                }
            }
            None => {
                let export = sh.vars.get(name).is_some_and(|v| v.export);
                sh.vars.insert(name.to_owned(), Var { export, ..Var::default() });
            }
        }
    }
    Ok(0)
}

/// `unset [-v | -f] NAME…`.
pub async fn unset<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let functions = args.first().is_some_and(|a| a == "-f");
    for name in args.iter().filter(|a| !a.starts_with('-')) {
        if functions {
            sh.functions.remove(name);
        } else if sh.vars.get(name).is_some_and(|v| v.readonly) {
            return sh.abort(&format!("unset: {name}: is read only")).await;
        } else if sh.vars.remove(name).is_none() {
            sh.functions.remove(name);
        }
    }
    Ok(0)
}

/// `shift [N]`.
pub async fn shift<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let n = match args.first().map_or(Ok(1), |n| n.parse::<usize>()) {
        Ok(n) => n,
        Err(_) => return sh.abort(&format!("shift: Illegal number: {}", args[0])).await,
    };
    if n > sh.params.len() {
        return sh.abort("shift: can't shift that many").await;
    }
    sh.params.drain(..n);
    Ok(0)
}

/// `set [-efuxnvaC] [-o NAME] [--] [ARGUMENT…]`.
pub async fn set<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    if args.is_empty() {
        let set = sh.vars.iter().filter_map(|(n, v)| Some(format!("{n}={}\n", quote(v.value.as_ref()?))));
        let text: String = set.collect();
        return Ok(say(sh, &text).await);
    }
    let mut args = args.iter();
    let mut params: Option<Vec<String>> = None;
    while let Some(arg) = args.next() {
        if arg == "--" {
            params = Some(args.cloned().collect());
            break;
        }
        let on = arg.starts_with('-');
        if arg.len() < 2 || !(on || arg.starts_with('+')) {
            params = Some(std::iter::once(arg.clone()).chain(args.cloned()).collect());
            break;
        }
        for c in arg[1..].chars() {
            let letter = match c {
                'o' => match args.next() {
                    None => {
                        let line = |(l, name): &(char, &str)| {
                            let value = if sh.option(*l) { "on" } else { "off" };
                            format!("{name:<16}{value}\n")
                        };
                        let text: String = OPTIONS.iter().map(line).collect();
                        return Ok(say(sh, &text).await);
                    }
                    Some(name) => OPTIONS.iter().find(|(_, n)| n == name).map(|(l, _)| *l),
                },
                c => OPTIONS.iter().find(|(l, _)| *l == c).map(|(l, _)| *l),
            };
            match letter {
                Some(letter) => sh.set_option(letter, on),
                None => return sh.abort(&format!("set: illegal option {arg}")).await,
            }
        }
    }
    if let Some(params) = params {
        sh.params = params;
    }
    Ok(0)
}

/// `read [-r] [-p PROMPT] NAME…`: one line, a byte at a time so that what
/// follows stays for others.
pub async fn read<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let options = match crate::userland::prog::Options::parse(args, "+rp:", &[]) {
        Ok(options) => options,
        Err(message) => return sh.abort(&format!("read: {message}")).await,
    };
    if let Some(prompt) = options.value('p') {
        let _ = sh.sys.write(2, prompt.as_bytes()).await;
    }
    let mut bytes: Vec<(u8, bool)> = Vec::new();
    let mut status = 0;
    let mut escaped = false;
    loop {
        let byte = match sh.sys.read(0, 1).await {
            Ok(part) if !part.is_empty() => part[0],
            Ok(_) => {
                status = 1;
                break;
            }
            Err(Errno::EINTR) => {
                sh.run_traps().await?;
                continue;
            }
            Err(e) => {
                sh.complain(&format!("read: {}", words(e))).await;
                return Ok(1);
            }
        };
        if escaped {
            escaped = false;
            if byte != b'\n' {
                bytes.push((byte, true));
            }
        } else if byte == b'\\' && !options.has('r') {
            escaped = true;
        } else if byte == b'\n' {
            break;
        } else if byte != 0 {
            bytes.push((byte, false));
        }
    }
    let names = if options.rest.is_empty() { vec!["REPLY".to_owned()] } else { options.rest };
    let ifs = sh.var("IFS").unwrap_or(" \t\n").as_bytes().to_vec();
    for (name, value) in names.iter().zip(split_line(&bytes, &ifs, names.len())) {
        if !name_or_complain(sh, "read", name).await {
            return Ok(2);
        }
        if let Err(message) = sh.assign(name, value) {
            return sh.abort(&format!("read: {message}")).await;
        }
    }
    Ok(status)
}

/// Exactly `count` values; the last takes the rest of the line.
fn split_line(bytes: &[(u8, bool)], ifs: &[u8], count: usize) -> Vec<String> {
    let blank =
        |i: usize| bytes.get(i).is_some_and(|(b, e)| !e && b.is_ascii_whitespace() && ifs.contains(b));
    let separator = |i: usize| bytes.get(i).is_some_and(|(b, e)| !e && ifs.contains(b));
    let text = |range: &[(u8, bool)]| {
        String::from_utf8_lossy(&range.iter().map(|b| b.0).collect::<Vec<_>>()).into_owned()
    };
    let mut values = Vec::new();
    let mut i = 0;
    while blank(i) {
        i += 1;
    }
    while values.len() + 1 < count {
        let start = i;
        while i < bytes.len() && !separator(i) {
            i += 1;
        }
        values.push(text(&bytes[start..i]));
        while blank(i) {
            i += 1;
        }
        if separator(i) {
            i += 1;
            while blank(i) {
                i += 1;
            }
        }
    }
    let mut end = bytes.len();
    while end > i && blank(end - 1) {
        end -= 1;
    }
    // A single separator that ends the last field belongs to it no more.
    if end > i && separator(end - 1) && !(i..end - 1).any(separator) {
        end -= 1;
    }
    values.push(text(&bytes[i..end]));
    values
}

/// `getopts SPEC NAME [ARGUMENT…]`. The place inside a group of letters is kept
/// in a variable that is no name, so that scripts cannot meet it.
pub async fn getopts<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    const PLACE: &str = "OPTIND letter";
    let [spec, name, rest @ ..] = args else { return sh.abort("getopts: usage: getopts SPEC NAME").await };
    let list = if rest.is_empty() { sh.params.clone() } else { rest.to_vec() };
    let index: usize = sh.var("OPTIND").and_then(|v| v.parse().ok()).unwrap_or(1).max(1);
    let (saved, mut letter) = sh
        .var(PLACE)
        .and_then(|v| v.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))))
        .unwrap_or((index, 1usize));
    if saved != index {
        letter = 1;
    }
    let silent = spec.starts_with(':');
    let current = list.get(index - 1).filter(|a| a.len() > 1 && a.starts_with('-'));
    let (mut next, mut found, mut argument, mut status) = (index, "?".to_owned(), None, 0);
    match current {
        None => status = 1,
        Some(arg) if arg == "--" => (next, status) = (index + 1, 1),
        Some(arg) => {
            let c = arg.chars().nth(letter).unwrap_or('?');
            let tail: String = arg.chars().skip(letter + 1).collect();
            let takes =
                spec.find(c).filter(|_| c != ':').map(|at| spec[at + c.len_utf8()..].starts_with(':'));
            letter += 1;
            if tail.is_empty() || takes == Some(true) {
                (next, letter) = (index + 1, 1);
            }
            match takes {
                Some(false) => found = c.to_string(),
                Some(true) if !tail.is_empty() => (found, argument) = (c.to_string(), Some(tail)),
                Some(true) if index < list.len() => {
                    (found, argument, next) = (c.to_string(), Some(list[index].clone()), index + 2);
                }
                wrong => {
                    let what = if wrong.is_some() { "requires an argument" } else { "is illegal" };
                    if silent {
                        found = if wrong.is_some() { ":" } else { "?" }.to_owned();
                        argument = Some(c.to_string());
                    } else {
                        sh.complain(&format!("option -{c} {what}")).await;
                    }
                }
            }
        }
    }
    match argument {
        Some(argument) => sh.assign("OPTARG", argument).unwrap_or_default(),
        None => drop(sh.vars.remove("OPTARG")),
    }
    let place = Var { value: Some(format!("{next} {letter}")), ..Var::default() };
    sh.vars.insert(PLACE.to_owned(), place);
    for (name, value) in [("OPTIND", next.to_string()), (name.as_str(), found)] {
        if let Err(message) = sh.assign(name, value) {
            return sh.abort(&format!("getopts: {message}")).await;
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_into_names() {
        let split = |line: &str, ifs: &str, n| {
            let bytes: Vec<_> = line.bytes().map(|b| (b, false)).collect();
            split_line(&bytes, ifs.as_bytes(), n)
        };
        assert_eq!(split("  a b  c d ", " \t\n", 2), ["a", "b  c d"]);
        assert_eq!(split("a", " ", 3), ["a", "", ""]);
        assert_eq!(split("a:b:c", ":", 2), ["a", "b:c"]);
        assert_eq!(split("a::c", ":", 3), ["a", "", "c"]);
        assert_eq!(split("a:", ":", 1), ["a"]);
        assert_eq!(split(" x ", "", 1), [" x "]);
    }
}
