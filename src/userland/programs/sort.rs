//! `sort [-nruk] [-t C] [FILE]…`, `uniq [-cdui] [FILE]`.

use std::cmp::Ordering;

use crate::userland::Sys;
use crate::userland::prog::{Lines, Prog};
use crate::userland::text::words;

/// The number that a line starts with.
fn number(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let end = text.char_indices().find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && *c == '-')));
    text[..end.map_or(text.len(), |(i, _)| i)].parse().unwrap_or(0.0)
}

fn key(line: &[u8], field: usize, separator: Option<u8>) -> &[u8] {
    let mut rest = line;
    for _ in 1..field {
        let skip = match separator {
            Some(s) => rest.iter().position(|b| *b == s).map(|i| i + 1),
            None => {
                let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                rest[blanks..].iter().position(u8::is_ascii_whitespace).map(|i| blanks + i)
            }
        };
        rest = skip.map_or(&[], |i| &rest[i..]);
    }
    rest
}

pub async fn sort<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("nrufbk:t:o:", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let (field, flags) = match options.value('k') {
        None => (0, ""),
        Some(spec) => {
            let first = spec.split(['.', ',']).next().unwrap_or("");
            let digits = first.trim_end_matches(|c: char| !c.is_ascii_digit());
            match digits.parse::<usize>() {
                Ok(n) if n > 0 => (n, spec.trim_start_matches(|c: char| c.is_ascii_digit())),
                _ => return p.fail(&format!("bad field specification '{spec}'")).await,
            }
        }
    };
    let separator = options.value('t').and_then(|t| t.bytes().next());
    let numeric = options.has('n') || flags.contains('n');
    let reverse = options.has('r') || flags.contains('r');
    let fold = options.has('f');
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for file in files {
        let Some(fd) = p.input_or_complain(&file).await else { return 2 };
        let mut reader = Lines::new(fd);
        loop {
            match reader.next(&p.sys).await {
                Ok(Some(mut line)) => {
                    if line.last() == Some(&b'\n') {
                        line.pop();
                    }
                    lines.push(line);
                }
                Ok(None) => break,
                Err(e) => {
                    p.complain(&format!("{file}: {}", words(e))).await;
                    return 2;
                }
            }
        }
        p.done_with(fd);
    }
    let compare = |a: &Vec<u8>, b: &Vec<u8>| -> Ordering {
        let (x, y) = (key(a, field.max(1), separator), key(b, field.max(1), separator));
        let order = match () {
            () if numeric => number(x).total_cmp(&number(y)),
            () if fold => x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()),
            () => x.cmp(y),
        };
        if reverse { order.reverse() } else { order }
    };
    lines.sort_by(|a, b| {
        let last = if options.has('u') { Ordering::Equal } else { a.cmp(b) };
        compare(a, b).then(if reverse { last.reverse() } else { last })
    });
    if options.has('u') {
        lines.dedup_by(|a, b| compare(a, b) == Ordering::Equal);
    }
    let mut text = lines.join(&b'\n');
    if !lines.is_empty() {
        text.push(b'\n');
    }
    if let Some(name) = options.value('o') {
        let flags = crate::userland::OpenFlags::CREATE;
        return match p.sys.open(name, flags, 0o666).await {
            Ok(fd) => u8::from(p.sys.write(fd, &text).await.is_err()),
            Err(e) => p.fail(&format!("can't create '{name}': {}", words(e))).await,
        };
    }
    p.put(text).await;
    0
}

pub async fn uniq<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("cdui", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let file = options.rest.first().cloned().unwrap_or_else(|| "-".to_owned());
    let Some(fd) = p.input_or_complain(&file).await else { return 1 };
    let mut reader = Lines::new(fd);
    let mut last: Option<(Vec<u8>, u64)> = None;
    loop {
        let line = match reader.next(&p.sys).await {
            Ok(line) => line.map(|l| l.strip_suffix(b"\n").unwrap_or(&l).to_vec()),
            Err(e) => return p.fail(&format!("{file}: {}", words(e))).await,
        };
        let same = match (&line, &last) {
            (Some(line), Some((before, _))) if options.has('i') => line.eq_ignore_ascii_case(before),
            (Some(line), Some((before, _))) => line == before,
            _ => false,
        };
        if same {
            if let Some((_, count)) = &mut last {
                *count += 1;
            }
            continue;
        }
        if let Some((text, count)) = last.take()
            && !(options.has('d') && count == 1 || options.has('u') && count > 1)
        {
            if options.has('c') {
                p.put(format!("{count:7} ")).await;
            }
            p.put(text).await;
            p.put("\n").await;
        }
        match line {
            Some(line) => last = Some((line, 1)),
            None => return 0,
        }
    }
}
