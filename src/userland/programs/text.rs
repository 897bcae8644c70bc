//! Parts of texts and of paths: `head`, `tail`, `wc`, `tee`, `cut`, `basename`,
//! `dirname`, `readlink`.

use std::collections::VecDeque;

use crate::userland::prog::{Lines, Prog};
use crate::userland::text::{base_name, dir_name, join, words};
use crate::userland::{Errno, FileType, OpenFlags, Sys, SysResult};

/// `head -5` is `head -n 5`.
fn old_style(args: &mut [String]) {
    if let Some(first) = args.first_mut()
        && first.len() > 1
        && first.starts_with('-')
        && first[1..].bytes().all(|b| b.is_ascii_digit())
    {
        first.insert(1, 'n');
    }
}

/// `head [-n LINES] [-c BYTES] [-q] [FILE]…`.
pub async fn head<S: Sys>(p: &mut Prog<S>) -> u8 {
    ends(p, true).await
}

/// `tail [-n [+]LINES] [-c BYTES] [-f] [FILE]…`.
pub async fn tail<S: Sys>(p: &mut Prog<S>) -> u8 {
    ends(p, false).await
}

async fn ends<S: Sys>(p: &mut Prog<S>, head: bool) -> u8 {
    old_style(&mut p.args);
    let options = match p.options("n:c:qvf", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let text = options.value('c').or(options.value('n')).unwrap_or("10");
    let bytes = options.has('c');
    let from_start = text.starts_with('+') && !head;
    let Ok(count) = text.trim_start_matches(['+', '-']).parse::<usize>() else {
        return p.fail(&format!("invalid number '{text}'")).await;
    };
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let headed = files.len() > 1 && !options.has('q');
    let mut status = 0;
    for (i, file) in files.iter().enumerate() {
        let Some(fd) = p.input_or_complain(file).await else {
            status = 1;
            continue;
        };
        if headed {
            p.put(format!("{}==> {file} <==\n", if i > 0 { "\n" } else { "" })).await;
        }
        let result = match (head, bytes) {
            (true, true) => head_bytes(p, fd, count).await,
            (true, false) => head_lines(p, fd, count).await,
            (false, _) if from_start => skip(p, fd, count.saturating_sub(1), bytes).await,
            (false, _) => last(p, fd, count, bytes).await,
        };
        if let Err(e) = result {
            status = p.fail(&format!("{file}: {}", words(e))).await;
        } else if options.has('f') && !head && i + 1 == files.len() {
            status |= follow(p, fd).await;
        }
        p.done_with(fd);
    }
    status
}

async fn head_bytes<S: Sys>(p: &mut Prog<S>, fd: i32, mut left: usize) -> SysResult<()> {
    while left > 0 {
        let part = p.sys.read(fd, left.min(64 * 1024)).await?;
        if part.is_empty() {
            break;
        }
        left -= part.len();
        p.put(part).await;
    }
    Ok(())
}

async fn head_lines<S: Sys>(p: &mut Prog<S>, fd: i32, count: usize) -> SysResult<()> {
    let mut lines = Lines::new(fd);
    for _ in 0..count {
        match lines.next(&p.sys).await? {
            Some(line) => p.put(line).await,
            None => break,
        }
    }
    Ok(())
}

async fn skip<S: Sys>(p: &mut Prog<S>, fd: i32, count: usize, bytes: bool) -> SysResult<()> {
    if bytes {
        let all = p.read_all(fd).await?;
        p.put(all.get(count..).unwrap_or_default()).await;
        return Ok(());
    }
    let mut lines = Lines::new(fd);
    let mut seen = 0;
    while let Some(line) = lines.next(&p.sys).await? {
        seen += 1;
        if seen > count {
            p.put(line).await;
        }
    }
    Ok(())
}

async fn last<S: Sys>(p: &mut Prog<S>, fd: i32, count: usize, bytes: bool) -> SysResult<()> {
    if bytes {
        let all = p.read_all(fd).await?;
        p.put(&all[all.len().saturating_sub(count)..]).await;
        return Ok(());
    }
    let mut lines = Lines::new(fd);
    let mut kept = VecDeque::new();
    while let Some(line) = lines.next(&p.sys).await? {
        kept.push_back(line);
        if kept.len() > count {
            kept.pop_front();
        }
    }
    for line in kept {
        p.put(line).await;
    }
    Ok(())
}

async fn follow<S: Sys>(p: &mut Prog<S>, fd: i32) -> u8 {
    loop {
        match p.sys.read(fd, 64 * 1024).await {
            Ok(part) if part.is_empty() => p.sys.sleep(1000).await,
            Ok(part) => {
                p.put(part).await;
                p.flush().await;
            }
            Err(e) => return p.fail(&words(e)).await,
        }
        if p.broken {
            return 1;
        }
    }
}

/// `wc [-lwc] [FILE]…`.
pub async fn wc<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("lwcmL", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let chosen: Vec<usize> =
        "lwc".chars().enumerate().filter(|(_, c)| options.has(*c)).map(|(i, _)| i).collect();
    let chosen = if chosen.is_empty() { vec![0, 1, 2] } else { chosen };
    let given = !options.rest.is_empty();
    let files = if given { options.rest.clone() } else { vec!["-".to_owned()] };
    let mut total = [0u64; 3];
    let mut status = 0;
    let row = |counts: [u64; 3], name: &str| {
        let name = if given { format!(" {name}") } else { String::new() };
        if let [one] = chosen[..] {
            return format!("{}{name}\n", counts[one]);
        }
        let numbers: Vec<String> = chosen.iter().map(|i| format!("{:>9}", counts[*i])).collect();
        format!("{}{name}\n", numbers.join(" "))
    };
    for file in &files {
        let Some(fd) = p.input_or_complain(file).await else {
            status = 1;
            continue;
        };
        let mut counts = [0u64; 3];
        let mut in_word = false;
        loop {
            let part = match p.sys.read(fd, 64 * 1024).await {
                Ok(part) if part.is_empty() => break,
                Ok(part) => part,
                Err(e) => {
                    status = p.fail(&format!("{file}: {}", words(e))).await;
                    break;
                }
            };
            counts[2] += part.len() as u64;
            for byte in part {
                counts[0] += u64::from(byte == b'\n');
                let blank = byte.is_ascii_whitespace();
                counts[1] += u64::from(!blank && !in_word);
                in_word = !blank;
            }
        }
        p.done_with(fd);
        for (sum, n) in total.iter_mut().zip(counts) {
            *sum += n;
        }
        p.put(row(counts, file)).await;
    }
    if files.len() > 1 {
        p.put(row(total, "total")).await;
    }
    status
}

/// `tee [-a] [FILE]…`.
pub async fn tee<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("ai", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let flags = if options.has('a') { OpenFlags::APPEND } else { OpenFlags::CREATE };
    let mut status = 0;
    let mut outputs = vec![1];
    for path in &options.rest {
        match p.sys.open(path, flags, 0o666).await {
            Ok(fd) => outputs.push(fd),
            Err(e) => status = p.fail_at(path, e).await,
        }
    }
    loop {
        let part = match p.sys.read(0, 64 * 1024).await {
            Ok(part) if part.is_empty() => return status,
            Ok(part) => part,
            Err(e) => return p.fail(&words(e)).await,
        };
        for fd in &outputs {
            if let Err(e) = p.sys.write(*fd, &part).await {
                status = p.fail(&format!("write error: {}", words(e))).await;
                if e == Errno::EPIPE {
                    return status;
                }
            }
        }
    }
}

/// `cut {-f LIST [-d C] [-s] | -c LIST | -b LIST} [FILE]…`.
pub async fn cut<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("f:d:c:b:sn", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let list = options.value('f').or(options.value('c')).or(options.value('b'));
    let Some(ranges) = list.and_then(ranges) else {
        return p.fail("expected a list of bytes, characters, or fields").await;
    };
    let chosen = |i: usize| ranges.iter().any(|(a, b)| (*a..=*b).contains(&(i + 1)));
    let delimiter = options.value('d').and_then(|d| d.chars().next()).unwrap_or('\t');
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let mut status = 0;
    for file in files {
        let Some(fd) = p.input_or_complain(&file).await else {
            status = 1;
            continue;
        };
        let mut lines = Lines::new(fd);
        while let Ok(Some(line)) = lines.next(&p.sys).await {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
            let out = if !options.has('f') {
                line.chars().enumerate().filter(|(i, _)| chosen(*i)).map(|(_, c)| c).collect()
            } else if line.contains(delimiter) {
                let fields = line.split(delimiter).enumerate().filter(|(i, _)| chosen(*i)).map(|(_, f)| f);
                fields.collect::<Vec<_>>().join(&delimiter.to_string())
            } else if options.has('s') {
                continue;
            } else {
                line
            };
            p.put(format!("{out}\n")).await;
        }
        p.done_with(fd);
    }
    status
}

/// `1,3-5,7-`.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    let range = |part: &str| {
        let (a, b) = part.split_once('-').unwrap_or((part, part));
        let low = if a.is_empty() { 1 } else { a.parse().ok()? };
        let high = if b.is_empty() { usize::MAX } else { b.parse().ok()? };
        (low > 0 && low <= high && !matches!(part, "" | "-")).then_some((low, high))
    };
    list.split(',').map(range).collect()
}

/// `basename PATH [SUFFIX]`.
pub async fn basename<S: Sys>(p: &mut Prog<S>) -> u8 {
    let (path, suffix) = match p.args.as_slice() {
        [path] => (path.clone(), String::new()),
        [path, suffix] => (path.clone(), suffix.clone()),
        _ => return p.fail("usage: basename PATH [SUFFIX]").await,
    };
    let base = base_name(&path);
    let cut = base.strip_suffix(suffix.as_str()).filter(|b| !b.is_empty()).unwrap_or(base);
    p.put(format!("{cut}\n")).await;
    0
}

/// `dirname PATH`.
pub async fn dirname<S: Sys>(p: &mut Prog<S>) -> u8 {
    let [path] = p.args.as_slice() else { return p.fail("usage: dirname PATH").await };
    let dir = dir_name(path).to_owned();
    p.put(format!("{dir}\n")).await;
    0
}

/// `readlink [-fn] PATH`.
pub async fn readlink<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("fne", &[]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let path = &options.rest[0];
    let found = if options.has('f') { real_path(&p.sys, path) } else { p.sys.read_link(path) };
    match found {
        Ok(text) => {
            p.put(text).await;
            if !options.has('n') {
                p.put("\n").await;
            }
            0
        }
        Err(_) => 1,
    }
}

/// A path without links; its last component need not exist.
fn real_path<S: Sys>(sys: &S, path: &str) -> SysResult<String> {
    let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut done = if path.starts_with('/') { "/".to_owned() } else { sys.getcwd()? };
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done = dir_name(&done).to_owned();
                continue;
            }
            _ => {}
        }
        let next = join(&done, &part);
        match sys.lstat(&next) {
            Ok(stat) if stat.kind == FileType::Symlink => {
                links += 1;
                if links > 40 {
                    return Err(Errno::ELOOP);
                }
                let target = sys.read_link(&next)?;
                if target.starts_with('/') {
                    done = "/".to_owned();
                }
                todo.extend(target.split('/').rev().map(str::to_owned));
            }
            Ok(_) => done = next,
            Err(Errno::ENOENT) if todo.iter().all(|t| t.is_empty()) => done = next,
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_fields() {
        assert_eq!(super::ranges("1,3-5,7-").unwrap(), [(1, 1), (3, 5), (7, usize::MAX)]);
        for bad in ["0", "a", "3-1", "", "-"] {
            assert!(super::ranges(bad).is_none(), "{bad}");
        }
    }
}
