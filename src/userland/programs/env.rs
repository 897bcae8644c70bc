//! Running others: `env`, `xargs`, `yes`, `sleep`, `seq`.

use crate::userland::prog::Prog;
use crate::userland::text::{join, words};
use crate::userland::{Errno, Exit, Sys};

/// Becomes a program found through PATH; the status if that fails.
async fn become_program<S: Sys>(p: &mut Prog<S>, argv: &[String]) -> u8 {
    p.flush().await;
    let name = &argv[0];
    let path = p.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin").to_owned();
    let candidates = if name.contains('/') {
        vec![name.clone()]
    } else {
        path.split(':').map(|d| join(if d.is_empty() { "." } else { d }, name)).collect()
    };
    let mut error = Errno::ENOENT;
    for candidate in candidates {
        match p.sys.exec(&candidate, argv, &p.env).await {
            Errno::ENOENT | Errno::ENOTDIR => {}
            e => error = e,
        }
    }
    p.complain(&format!("can't execute '{name}': {}", words(error))).await;
    if error == Errno::ENOENT { 127 } else { 126 }
}

/// `env [-i] [-u NAME] [NAME=VALUE]… [COMMAND [ARGUMENT]…]`.
pub async fn env<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("+iu:0", &[("ignore-environment", 'i'), ("unset", 'u')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut rest = options.rest.as_slice();
    let mut env = if options.has('i') { Vec::new() } else { p.env.clone() };
    if rest.first().is_some_and(|a| a == "-") {
        env.clear();
        rest = &rest[1..];
    }
    let named = |entry: &String, name: &str| entry.split_once('=').is_some_and(|(n, _)| n == name);
    for name in options.values('u') {
        env.retain(|e| !named(e, name));
    }
    while let Some((name, _)) = rest.first().and_then(|a| a.split_once('=')) {
        env.retain(|e| !named(e, name));
        env.push(rest[0].clone());
        rest = &rest[1..];
    }
    p.env = env;
    if rest.is_empty() {
        for entry in p.env.clone() {
            p.put(format!("{entry}\n")).await;
        }
        return 0;
    }
    become_program(p, rest).await
}

/// `xargs [-0rt] [-n MAX] [-I TEXT] [COMMAND [ARGUMENT]…]`.
pub async fn xargs<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("+0rtn:I:", &[("null", '0')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let text = match p.read_all(0).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => return p.fail_at("standard input", e).await,
    };
    let replace = options.value('I');
    let items: Vec<String> = if options.has('0') {
        text.split_terminator('\0').map(str::to_owned).collect()
    } else if replace.is_some() {
        text.lines().map(|l| l.trim_start().to_owned()).filter(|l| !l.is_empty()).collect()
    } else {
        match split_quoted(&text) {
            Some(items) => items,
            None => return p.fail("unmatched quote").await,
        }
    };
    let mut base = options.rest.clone();
    if base.is_empty() {
        base.push("echo".to_owned());
    }
    let max =
        if replace.is_some() { 1 } else { options.value('n').map_or(Ok(5000), str::parse).unwrap_or(0) };
    if max == 0 {
        return p.fail("invalid number for -n").await;
    }
    let mut groups: Vec<&[String]> = items.chunks(max).collect();
    if groups.is_empty() && !options.has('r') && replace.is_none() {
        groups.push(&[]);
    }
    let mut status = 0;
    for group in groups {
        let argv: Vec<String> = match replace {
            Some(mark) => base.iter().map(|a| a.replace(mark, &group[0])).collect(),
            None => base.iter().chain(group).cloned().collect(),
        };
        if options.has('t') {
            let _ = p.sys.write(2, format!("{}\n", argv.join(" ")).as_bytes()).await;
        }
        let (name, env) = (p.name.clone(), p.env.clone());
        let child = p.sys.fork(move |sys| async move {
            let mut p = Prog::new(sys, name, Vec::new(), env);
            become_program(&mut p, &argv).await
        });
        let exit = match child {
            Ok(pid) => p.sys.wait(Some(pid)).await,
            Err(e) => Err(e),
        };
        match exit {
            Ok((_, Exit::Code(0))) => {}
            Ok((_, Exit::Code(code @ (126 | 127)))) => return code,
            Ok((_, Exit::Code(255))) => return 124,
            Ok((_, Exit::Code(_))) => status = 123,
            Ok((_, Exit::Signal(_))) => return 125,
            Err(e) => return p.fail_at("fork", e).await,
        }
    }
    status
}

/// Words at blanks, with quotes and backslashes. `None`: a quote is not closed.
fn split_quoted(text: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut item: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => items.extend(item.take()),
            '\'' | '"' => {
                let inner = item.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        other => inner.push(other),
                    }
                }
            }
            '\\' => item.get_or_insert_default().extend(chars.next()),
            c => item.get_or_insert_default().push(c),
        }
    }
    items.extend(item);
    Some(items)
}

/// `yes [TEXT]…`.
pub async fn yes<S: Sys>(p: &mut Prog<S>) -> u8 {
    let line = if p.args.is_empty() { "y\n".to_owned() } else { format!("{}\n", p.args.join(" ")) };
    while !p.broken {
        p.put(&line).await;
    }
    1
}

/// `sleep NUMBER[smhd]…`.
pub async fn sleep<S: Sys>(p: &mut Prog<S>) -> u8 {
    if p.args.is_empty() {
        return p.fail("missing operand").await;
    }
    let mut total = 0.0;
    for arg in p.args.clone() {
        let (number, unit) = match arg.char_indices().last() {
            Some((at, 's')) => (&arg[..at], 1.0),
            Some((at, 'm')) => (&arg[..at], 60.0),
            Some((at, 'h')) => (&arg[..at], 3600.0),
            Some((at, 'd')) => (&arg[..at], 86_400.0),
            _ => (arg.as_str(), 1.0),
        };
        match number.parse::<f64>() {
            Ok(n) if n >= 0.0 && n.is_finite() => total += n * unit,
            _ if arg == "infinity" || arg == "inf" => total = 1e12,
            _ => return p.fail(&format!("invalid number '{arg}'")).await,
        }
    }
    p.sys.sleep((total * 1000.0) as u64).await;
    0
}

/// `seq [-w] [-s TEXT] [FIRST [STEP]] LAST`, whole numbers.
pub async fn seq<S: Sys>(p: &mut Prog<S>) -> u8 {
    // Negative numbers look like options.
    let mut args = p.args.as_slice();
    let (mut separator, mut wide) = ("\n".to_owned(), false);
    loop {
        match args {
            [s, text, rest @ ..] if s == "-s" => (separator, args) = (text.clone(), rest),
            [s, rest @ ..] if s.len() > 2 && s.starts_with("-s") => {
                (separator, args) = (s[2..].to_owned(), rest)
            }
            [w, rest @ ..] if w == "-w" => (wide, args) = (true, rest),
            _ => break,
        }
    }
    let numbers: Result<Vec<i64>, _> = args.iter().map(|a| a.parse::<i64>().map_err(|_| a.clone())).collect();
    let (first, step, last) = match numbers.as_deref() {
        Ok([last]) => (1, 1, *last),
        Ok([first, last]) => (*first, 1, *last),
        Ok([first, step, last]) if *step != 0 => (*first, *step, *last),
        Err(bad) => return p.fail(&format!("invalid number '{}'", bad.clone())).await,
        _ => return p.fail("usage: seq [-w] [-s TEXT] [FIRST [STEP]] LAST").await,
    };
    let width = if wide { first.to_string().len().max(last.to_string().len()) } else { 0 };
    let mut at = Some(first);
    let mut any = false;
    while let Some(n) = at.filter(|n| if step > 0 { *n <= last } else { *n >= last }) {
        if any {
            p.put(&separator).await;
        }
        any = true;
        p.put(format!("{n:0width$}")).await;
        at = n.checked_add(step);
        if p.broken {
            break;
        }
    }
    if any {
        p.put("\n").await;
    }
    0
}
