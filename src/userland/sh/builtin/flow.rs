//! Where commands go on: loops, functions, files, directories, and how a name
//! is understood.

use super::super::state::{Flow, Run, Shell};
use super::{is_builtin, is_special, say};
use crate::userland::prog::read_text;
use crate::userland::text::words;
use crate::userland::{FileType, Sys};

/// `. FILE [ARGUMENT…]`.
pub async fn dot<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let Some(name) = args.first() else { return sh.abort(".: filename argument required").await };
    let mut path = name.clone();
    if !name.contains('/') {
        let dirs = sh.var("PATH").unwrap_or_default().split(':');
        let found = dirs
            .map(|d| format!("{d}/{name}"))
            .find(|p| sh.sys.stat(p).is_ok_and(|s| s.kind == FileType::File));
        path = found.unwrap_or(path);
    }
    let text = match read_text(&sh.sys, &path).await {
        Ok(text) => text,
        Err(e) => return sh.abort(&format!(".: can't open '{name}': {}", words(e))).await,
    };
    let kept = (args.len() > 1).then(|| std::mem::replace(&mut sh.params, args[1..].to_vec()));
    sh.returns += 1;
    let result = sh.eval(&text).await;
    sh.returns -= 1;
    if let Some(params) = kept {
        sh.params = params;
    }
    match result {
        Err(Flow::Return(status)) => Ok(status),
        other => other,
    }
}

/// `break [N]`, `continue [N]`.
pub async fn leave_loop<S: Sys>(sh: &mut Shell<S>, fields: &[String]) -> Run<u8> {
    let n = match fields.get(1).map_or(Ok(1), |n| n.parse::<u32>()) {
        Ok(n) if n > 0 => n.min(sh.loops),
        _ => return sh.abort(&format!("{}: Illegal number: {}", fields[0], fields[1])).await,
    };
    sh.status = 0;
    match fields[0].as_str() {
        _ if n == 0 => Ok(0),
        "break" => Err(Flow::Break(n)),
        _ => Err(Flow::Continue(n)),
    }
}

/// `exit [N]`, `return [N]`.
pub async fn leave<S: Sys>(sh: &mut Shell<S>, fields: &[String]) -> Run<u8> {
    let status = match fields.get(1) {
        None => sh.status,
        Some(text) => match text.parse::<i64>() {
            Ok(n) => n as u8,
            Err(_) => return sh.abort(&format!("{}: Illegal number: {text}", fields[0])).await,
        },
    };
    Err(if fields[0] == "return" && sh.returns > 0 { Flow::Return(status) } else { Flow::Exit(status) })
}

/// `cd [-LP] [DIR | -]`.
pub async fn cd<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let args: Vec<&String> = args.iter().filter(|a| !matches!(a.as_str(), "-L" | "-P" | "--")).collect();
    let (dir, show) = match args.first().map(|a| a.as_str()) {
        None => match sh.var("HOME") {
            Some(home) => (home.to_owned(), false),
            None => return sh.abort("cd: HOME not set").await,
        },
        Some("-") => match sh.var("OLDPWD") {
            Some(old) => (old.to_owned(), true),
            None => return sh.abort("cd: OLDPWD not set").await,
        },
        Some(dir) => (dir.to_owned(), false),
    };
    if let Err(e) = sh.sys.chdir(&dir) {
        sh.complain(&format!("cd: can't cd to {dir}: {}", words(e))).await;
        return Ok(2);
    }
    let old = sh.var("PWD").unwrap_or_default().to_owned();
    let new = sh.sys.getcwd().unwrap_or(dir);
    if show {
        say(sh, &format!("{new}\n")).await;
    }
    for (name, value) in [("OLDPWD", old), ("PWD", new)] {
        if let Err(message) = sh.assign(name, value) {
            return sh.abort(&message).await;
        }
    }
    Ok(0)
}

const RESERVED: &str = " ! { } case do done elif else esac fi for if in then until while ";

/// `command [-v | -V | -p] NAME [ARGUMENT…]`.
pub async fn command<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    match args.first().map(String::as_str) {
        None => Ok(0),
        Some("-v") => {
            let mut status = 0;
            for name in &args[1..] {
                let known = RESERVED.contains(&format!(" {name} "))
                    || is_builtin(name)
                    || sh.functions.contains_key(name);
                match if known { Some(name.clone()) } else { sh.find_program(name) } {
                    Some(found) => status |= say(sh, &format!("{found}\n")).await,
                    None => status = 127,
                }
            }
            Ok(status)
        }
        Some("-V") => type_of(sh, &args[1..]).await,
        Some("-p" | "--") => Box::pin(command(sh, &args[1..])).await,
        Some(name) if is_builtin(name) && name != "exec" => Box::pin(super::run(sh, args)).await,
        Some("exec") if args.len() > 1 => Err(Flow::Exit(sh.exec(&args[1..]).await)),
        Some("exec") => Ok(0),
        Some(_) => {
            let args = args.to_vec();
            let child = sh.fork(move |mut child| async move { child.exec(&args).await });
            match child {
                Ok(pid) => Ok(sh.wait_foreground(pid).await),
                Err(e) => sh.abort(&format!("can't fork: {}", words(e))).await,
            }
        }
    }
}

/// `type NAME…`.
pub async fn type_of<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let mut status = 0;
    for name in args {
        let what = if RESERVED.contains(&format!(" {name} ")) {
            "is a shell keyword".to_owned()
        } else if sh.functions.contains_key(name) {
            "is a function".to_owned()
        } else if is_special(name) {
            "is a special shell builtin".to_owned()
        } else if is_builtin(name) {
            "is a shell builtin".to_owned()
        } else if let Some(path) = sh.find_program(name) {
            format!("is {path}")
        } else {
            status = 127;
            "not found".to_owned()
        };
        let separator = if what == "not found" { ": " } else { " " };
        status |= say(sh, &format!("{name}{separator}{what}\n")).await;
    }
    Ok(status)
}

/// `umask [-S] [OCTAL]`.
pub async fn umask<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    match args.first().map(String::as_str) {
        None | Some("-S") => {
            let mask = sh.sys.umask(0);
            sh.sys.umask(mask);
            if args.is_empty() {
                return Ok(say(sh, &format!("{mask:04o}\n")).await);
            }
            let class = |shift: u32| {
                let bits = !mask >> shift;
                let letters = [(4, 'r'), (2, 'w'), (1, 'x')];
                letters.into_iter().filter(|(b, _)| bits & b != 0).map(|(_, c)| c).collect::<String>()
            };
            Ok(say(sh, &format!("u={},g={},o={}\n", class(6), class(3), class(0))).await)
        }
        Some(text) => match u32::from_str_radix(text, 8) {
            Ok(mask) if mask <= 0o777 => {
                sh.sys.umask(mask);
                Ok(0)
            }
            _ => sh.abort(&format!("umask: Illegal mode: {text}")).await,
        },
    }
}
