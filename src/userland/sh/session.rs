//! Starting a shell: `sh -c`, `sh FILE`, commands on standard input, and a
//! person at a terminal.

use super::parse::{Parser, Syntax};
use super::state::{Flow, OPTIONS, Shell};
use crate::userland::prog::{Prog, read_text};
use crate::userland::text::words;
use crate::userland::{Errno, Sys, SysResult};

/// `sh [-efuxi] [-c COMMAND [NAME [ARGUMENT…]] | FILE [ARGUMENT…]]`.
pub async fn main<S: Sys>(p: &mut Prog<S>, login: bool) -> u8 {
    let mut shell = Shell::new(p.sys.clone(), p.name.clone(), &p.env);
    let mut args = p.args.iter().peekable();
    let (mut command, mut from_input, mut login) = (false, false, login);
    while let Some(arg) = args.peek().filter(|a| a.len() > 1 && a.starts_with(['-', '+'])).cloned() {
        args.next();
        if arg == "--" {
            break;
        }
        if arg == "--login" {
            login = true;
            continue;
        }
        let on = arg.starts_with('-');
        for c in arg[1..].chars() {
            match c {
                'c' => command = true,
                's' => from_input = true,
                'i' => shell.interactive = on,
                'l' => login = true,
                'o' => {
                    let name = args.next();
                    match OPTIONS.iter().find(|(_, n)| name.is_some_and(|a| a == n)) {
                        Some((letter, _)) => shell.set_option(*letter, on),
                        None => {
                            let name = name.cloned().unwrap_or_default();
                            shell.complain(&format!("illegal option -o {name}")).await;
                            return 2;
                        }
                    }
                }
                _ if OPTIONS.iter().any(|(l, _)| *l == c) => shell.set_option(c, on),
                _ => {
                    shell.complain(&format!("illegal option -{c}")).await;
                    return 2;
                }
            }
        }
    }
    let mut rest: Vec<String> = args.cloned().collect();
    if login && let Ok(text) = read_text(&shell.sys, "/etc/profile").await {
        match shell.eval(&text).await {
            Err(Flow::Exit(status)) => return shell.leave(Err(Flow::Exit(status))).await,
            _ => shell.status = 0,
        }
    }
    if command {
        if rest.is_empty() {
            shell.complain("-c requires an argument").await;
            return 2;
        }
        let text = rest.remove(0);
        if !rest.is_empty() {
            shell.name = rest.remove(0);
        }
        shell.params = rest;
        let result = shell.run_text(&text).await;
        return shell.leave(result).await;
    }
    if !rest.is_empty() && !from_input {
        let path = rest.remove(0);
        return file(shell, path, rest).await;
    }
    shell.params = rest;
    shell.interactive |= shell.sys.isatty(0) && shell.sys.isatty(2);
    let result = session(&mut shell).await;
    if result.is_ok() && shell.interactive && shell.sys.isatty(0) {
        let _ = shell.sys.write(2, b"\n").await;
    }
    shell.leave(result).await
}

async fn file<S: Sys>(mut shell: Shell<S>, path: String, params: Vec<String>) -> u8 {
    match read_text(&shell.sys, &path).await {
        Ok(text) => {
            shell.name = path;
            shell.params = params;
            let result = shell.run_text(&text).await;
            shell.leave(result).await
        }
        Err(e) => {
            shell.complain(&format!("can't open '{path}': {}", words(e))).await;
            if e == Errno::ENOENT { 127 } else { 2 }
        }
    }
}

/// Reads commands from standard input until its end.
async fn session<S: Sys>(shell: &mut Shell<S>) -> Result<u8, Flow> {
    if shell.interactive {
        // A kernel without caught signals lets an interrupt end the shell.
        let _ = shell.sys.catch_signal(2);
        let _ = shell.sys.ignore_signal(15, true);
    }
    let mut text = String::new();
    loop {
        if shell.interactive {
            shell.reap();
            let prompt =
                if text.is_empty() { prompt(shell) } else { shell.var("PS2").unwrap_or("").to_owned() };
            let _ = shell.sys.write(2, prompt.as_bytes()).await;
        }
        let line = match read_line(&shell.sys).await {
            Ok(line) => line,
            Err(Errno::EINTR) => {
                if let Err(flow) = shell.run_traps().await {
                    match flow {
                        Flow::Exit(_) => return Err(flow),
                        _ => {
                            let _ = shell.sys.write(2, b"\n").await;
                            text.clear();
                        }
                    }
                }
                continue;
            }
            Err(e) => {
                shell.complain_at("read error", e).await;
                return Err(Flow::Exit(2));
            }
        };
        let end = line.is_empty();
        if end && text.is_empty() {
            return Ok(shell.status);
        }
        text.push_str(&line);
        let mut parser = Parser::new(&text, end);
        loop {
            let flow = match parser.next_line() {
                Ok(None) => {
                    text.clear();
                    break;
                }
                Ok(Some(list)) => match shell.run_list(&list).await {
                    Ok(_) => continue,
                    Err(flow) => flow,
                },
                Err(Syntax::Incomplete) if !end => break,
                Err(Syntax::Incomplete) => {
                    shell.complain("syntax error: unterminated quoted string").await;
                    Flow::Abort(2)
                }
                Err(Syntax::Message(message)) => {
                    shell.complain(&message).await;
                    Flow::Abort(2)
                }
            };
            match flow {
                Flow::Abort(status) if shell.interactive => {
                    shell.status = status;
                    // What was running when it was interrupted is forgotten.
                    (shell.loops, shell.returns, shell.tested, shell.depth) = (0, 0, 0, 0);
                    shell.hidden.clear();
                    text.clear();
                    break;
                }
                Flow::Break(_) | Flow::Continue(_) => {}
                flow => return Err(flow),
            }
        }
        if end {
            return Ok(shell.status);
        }
    }
}

/// A line with its newline, not a byte more: what follows may be for a command.
async fn read_line<S: Sys>(sys: &S) -> SysResult<String> {
    let mut line = Vec::new();
    loop {
        let max = if sys.isatty(0) { 4096 } else { 1 };
        let part = sys.read(0, max).await?;
        line.extend_from_slice(&part);
        if part.is_empty() || part.last() == Some(&b'\n') {
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

fn prompt<S: Sys>(shell: &Shell<S>) -> String {
    let cwd = shell.sys.getcwd().unwrap_or_else(|_| "?".to_owned());
    let home = shell.var("HOME").filter(|h| h.len() > 1);
    let short = match home.and_then(|h| cwd.strip_prefix(h)) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
        _ => cwd,
    };
    let sign = if shell.sys.ids().1 == 0 { '#' } else { '$' };
    let Some(format) = shell.var("PS1") else { return format!("{short} {sign} ") };
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('w')) => out.push_str(&short),
            ('\\', Some('h')) => out.push_str(&shell.sys.hostname()),
            ('\\', Some('$')) => out.push(sign),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('u')) => out.push_str(shell.var("USER").unwrap_or("")),
            ('\\', Some(other)) => out.push(other),
            _ => out.push(c),
        }
    }
    out
}
