//! `grep [-EFivnqclorhHsxw] [-e PATTERN] [PATTERN] [FILE]…`.

use super::regex::Regex;
use crate::userland::prog::{Lines, Options, Prog};
use crate::userland::text::{join, words};
use crate::userland::{FileType, Sys};

struct Search {
    expressions: Vec<Regex>,
    options: Options,
    named: bool,
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let long = [("extended-regexp", 'E'), ("ignore-case", 'i'), ("quiet", 'q'), ("count", 'c')];
    let mut options = match p.options("EFGivnqclorRhHsxwe:m:", &long).await {
        Ok(options) => options,
        Err(_) => return 2,
    };
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
        if options.rest.is_empty() {
            p.complain("no pattern").await;
            return 2;
        }
        patterns.push(options.rest.remove(0));
    }
    let mut expressions = Vec::new();
    for pattern in patterns.iter().flat_map(|t| t.split('\n')) {
        let fold = options.has('i');
        let made = match options.has('F') {
            true => Ok(Regex::literal(pattern, fold)),
            false => Regex::new(pattern, options.has('E'), fold),
        };
        match made {
            Ok(regex) => expressions.push(regex),
            Err(message) => {
                p.complain(&format!("bad regex '{pattern}': {message}")).await;
                return 2;
            }
        }
    }
    let recursive = options.has('r') || options.has('R');
    let mut todo: Vec<String> = std::mem::take(&mut options.rest);
    if todo.is_empty() {
        todo.push(if recursive { "." } else { "-" }.to_owned());
    }
    let named = (todo.len() > 1 || recursive || options.has('H')) && !options.has('h');
    let search = Search { expressions, options, named };
    todo.reverse();
    let (mut found, mut failed) = (false, false);
    while let Some(path) = todo.pop() {
        if recursive && path != "-" && p.sys.lstat(&path).is_ok_and(|s| s.kind == FileType::Dir) {
            let mut entries = p.sys.read_dir(&path).unwrap_or_default();
            entries.sort_by(|a, b| b.name.cmp(&a.name));
            todo.extend(entries.into_iter().map(|e| join(&path, &e.name)));
            continue;
        }
        let fd = match p.input(&path).await {
            Ok(fd) => fd,
            Err(e) => {
                failed = true;
                if !search.options.has('s') {
                    p.complain(&format!("{path}: {}", words(e))).await;
                }
                continue;
            }
        };
        match search.file(p, fd, if path == "-" { "(standard input)" } else { &path }).await {
            Ok(hit) => found |= hit,
            Err(e) => {
                failed = true;
                p.complain(&format!("{path}: {}", words(e))).await;
            }
        }
        p.done_with(fd);
        if found && search.options.has('q') {
            return 0;
        }
        if p.broken {
            break;
        }
    }
    match (failed, found) {
        (true, _) => 2,
        (false, true) => 0,
        (false, false) => 1,
    }
}

impl Search {
    fn matches(&self, text: &[char]) -> bool {
        let word = |i: usize| text.get(i).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        self.expressions.iter().any(|regex| {
            let mut from = 0;
            while let Some((start, end)) = regex.find(text, from) {
                let whole_word = (start == 0 || !word(start - 1)) && !word(end);
                let whole_line = start == 0 && end == text.len();
                if (!self.options.has('w') || whole_word) && (!self.options.has('x') || whole_line) {
                    return true;
                }
                from = start + 1;
                if from > text.len() {
                    break;
                }
            }
            false
        })
    }

    async fn file<S: Sys>(&self, p: &mut Prog<S>, fd: i32, name: &str) -> Result<bool, crate::kernel::Errno> {
        let o = &self.options;
        let head = |separator: char| if self.named { format!("{name}{separator}") } else { String::new() };
        let limit = o.value('m').and_then(|m| m.parse().ok()).unwrap_or(u64::MAX);
        let mut lines = Lines::new(fd);
        let (mut number, mut count) = (0u64, 0u64);
        while count < limit
            && let Some(line) = lines.next(&p.sys).await?
        {
            number += 1;
            let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
            let text: Vec<char> = String::from_utf8_lossy(bytes).chars().collect();
            if self.matches(&text) == o.has('v') {
                continue;
            }
            count += 1;
            if o.has('q') {
                return Ok(true);
            }
            if o.has('l') || o.has('c') {
                continue;
            }
            let mut prefix = head(':');
            if o.has('n') {
                prefix.push_str(&format!("{number}:"));
            }
            if !o.has('o') {
                p.put([prefix.as_bytes(), bytes, b"\n"].concat()).await;
                continue;
            }
            for regex in &self.expressions {
                let mut from = 0;
                while let Some((start, end)) = regex.find(&text, from) {
                    if end > start {
                        let part: String = text[start..end].iter().collect();
                        p.put(format!("{prefix}{part}\n")).await;
                    }
                    from = end.max(start + 1);
                    if from > text.len() {
                        break;
                    }
                }
            }
        }
        if o.has('l') && count > 0 {
            p.put(format!("{name}\n")).await;
        } else if o.has('c') {
            p.put(format!("{}{count}\n", head(':'))).await;
        }
        Ok(count > 0)
    }
}
