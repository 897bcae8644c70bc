//! What strace wrote, one value per system call.

use std::collections::BTreeMap;

/// A system call as strace saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub pid: i32,
    pub name: String,
    pub args: Vec<Arg>,
    /// The number returned; `None` when the process ended in the call.
    pub result: Option<i64>,
    pub errno: Option<String>,
    /// The whole line, for messages.
    pub line: String,
}

/// One argument.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arg {
    /// As written, without what a descriptor stands for.
    pub text: String,
    /// The bytes of a string.
    pub string: Option<Vec<u8>>,
    /// The file that a descriptor stands for.
    pub file: Option<String>,
}

impl Seen {
    pub fn arg(&self, n: usize) -> &str {
        self.args.get(n).map_or("", |a| a.text.as_str())
    }

    pub fn worked(&self) -> bool {
        self.errno.is_none() && self.result.is_some()
    }

    /// Every file that the call names: by path, by path below a directory's
    /// descriptor, or by descriptor.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        // Their strings are no paths.
        let by_descriptor =
            ["write", "pwrite64", "writev", "fchmod", "fchown", "ftruncate", "fsetxattr", "flock"];
        if by_descriptor.contains(&self.name.as_str()) {
            files.extend(self.args.first().and_then(|a| a.file.clone()));
            return files;
        }
        let mut base: Option<&str> = None;
        for arg in &self.args {
            if let Some(string) = &arg.string {
                let path = String::from_utf8_lossy(string);
                match base.take() {
                    Some(dir) if !path.starts_with('/') => files.push(format!("{dir}/{path}")),
                    _ => files.push(path.into_owned()),
                }
            } else if let Some(dir) = base.replace("").filter(|d| !d.is_empty()) {
                files.push(dir.to_owned());
            }
            base = arg.file.as_deref();
        }
        files.extend(base.map(str::to_owned));
        files
    }
}

/// Every call in the order in which it began, with those that strace had to cut
/// in two put together again.
pub fn parse(text: &str) -> Vec<Seen> {
    let mut lines: Vec<(i32, String)> = Vec::new();
    let mut open: BTreeMap<i32, usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.trim_start().split_once(' ') else { continue };
        let (Ok(pid), rest) = (pid.parse(), rest.trim_start()) else { continue };
        if let Some((_, tail)) = rest.strip_prefix("<... ").and_then(|r| r.split_once(" resumed>")) {
            if let Some(at) = open.remove(&pid) {
                lines[at].1.push_str(tail);
            }
        } else if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            open.insert(pid, lines.len());
            lines.push((pid, head.trim_end().to_owned()));
        } else {
            lines.push((pid, rest.to_owned()));
        }
    }
    lines.into_iter().filter_map(|(pid, line)| call(pid, &line)).collect()
}

fn call(pid: i32, line: &str) -> Option<Seen> {
    let (name, rest) = line.split_once('(')?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None; // `+++ exited with 0 +++`, `--- SIGCHLD … ---`
    }
    let (args, tail) = arguments(rest);
    let tail = tail.trim_start().strip_prefix('=').unwrap_or("?").trim_start();
    // The kernel makes it once more by itself, as with a sysctl of the network while
    // somebody else holds its lock; the program sees one call.
    if tail.starts_with("? ERESTARTNOINTR") {
        return None;
    }
    let mut words = tail.split(' ');
    let number = words.next().unwrap_or("?").split('<').next().unwrap_or("?");
    let result = integer(number);
    let errno = words.next().filter(|w| result == Some(-1) && w.starts_with('E')).map(str::to_owned);
    Some(Seen { pid, name: name.to_owned(), args, result, errno, line: format!("{pid} {line}") })
}

/// Splits at the commas of the outermost level; returns what follows the `)`.
fn arguments(text: &str) -> (Vec<Arg>, &str) {
    let bytes = text.as_bytes();
    let (mut args, mut depth, mut start, mut at) = (Vec::new(), 0usize, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => {
                at += text[at..].find("*/").map_or(bytes.len() - at, |n| n + 1);
            }
            b'<' if bytes.get(at + 1) != Some(&b'<') && bytes[..at].last() != Some(&b'<') => {
                at += text[at..].find('>').unwrap_or(0);
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                push(&mut args, &text[start..at]);
                return (args, &text[at + 1..]);
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                push(&mut args, &text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    push(&mut args, &text[start.min(text.len())..]);
    (args, "")
}

fn push(args: &mut Vec<Arg>, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let string = text.starts_with('"').then(|| unescape(text));
    let mut arg = Arg { text: text.to_owned(), string, file: None };
    if let Some((head, file)) = text.strip_suffix('>').and_then(|t| t.split_once('<'))
        && (head == "AT_FDCWD" || head.parse::<i32>().is_ok())
    {
        arg.file = Some(file.to_owned());
        arg.text = head.to_owned();
    }
    args.push(arg);
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len() - 1)
}

/// The bytes of a string as C writes it.
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let end = end_of_string(bytes, 0);
    let (mut out, mut at) = (Vec::new(), 1);
    while at < end {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 1;
        let digits = |from: usize, max: usize, base: u32| {
            bytes[from..end].iter().take(max).take_while(|b| char::from(**b).is_digit(base)).count()
        };
        let (value, length) = match bytes[at] {
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'r' => (b'\r', 1),
            b'v' => (11, 1),
            b'f' => (12, 1),
            b'a' => (7, 1),
            b'b' => (8, 1),
            b'x' => {
                let n = digits(at + 1, 2, 16);
                (u8::from_str_radix(&text[at + 1..at + 1 + n], 16).unwrap_or(0), n + 1)
            }
            b'0'..=b'7' => {
                let n = digits(at, 3, 8);
                (u8::from_str_radix(&text[at..at + n], 8).unwrap_or(0), n)
            }
            other => (other, 1),
        };
        out.push(value);
        at += length;
    }
    out
}

/// A number as C writes it: decimal, octal or hexadecimal; also `1024*8`.
pub fn integer(text: &str) -> Option<i64> {
    if let Some((a, b)) = text.split_once('*') {
        return integer(a)?.checked_mul(integer(b)?);
    }
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => i64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// The value of `field=` in a structure.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let wanted = format!("{name}=");
    let starts = |at: usize| at == 0 || matches!(text.as_bytes()[at - 1], b'{' | b' ');
    let at = text.match_indices(&wanted).map(|(at, _)| at).find(|at| starts(*at))? + wanted.len();
    let rest = &text[at..];
    let mut depth = 0;
    let end = rest.find(|c| match c {
        '{' | '(' | '[' => {
            depth += 1;
            false
        }
        '}' | ')' | ']' if depth == 0 => true,
        '}' | ')' | ']' => {
            depth -= 1;
            false
        }
        ',' => depth == 0,
        _ => false,
    });
    Some(&rest[..end.unwrap_or(rest.len())])
}

#[test]
fn lines_of_strace_are_read() {
    let text = r#"7 openat(AT_FDCWD</tmp>, "a\tb\"c, d)", O_WRONLY|O_CREAT, 0666 <unfinished ...>
8 umask(022)    = 000
7 <... openat resumed>) = 3</tmp/a>
8 unlinkat(5</x/y>, "z", AT_REMOVEDIR) = -1 EBUSY (Device or resource busy)
8 capset({version=V3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=0}) = 0
8 +++ exited with 0 +++"#;
    let seen = parse(text);
    assert_eq!(
        seen.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["openat", "umask", "unlinkat", "capset"]
    );
    assert_eq!(seen[0].args[1].string.as_deref(), Some(&b"a\tb\"c, d)"[..]));
    assert_eq!((seen[0].result, seen[0].pid), (Some(3), 7));
    assert_eq!(seen[0].files(), ["/tmp/a\tb\"c, d)"]);
    assert_eq!(seen[2].errno.as_deref(), Some("EBUSY"));
    assert_eq!(seen[2].files(), ["/x/y/z"]);
    assert_eq!(field(seen[3].arg(1), "effective"), Some("1<<CAP_CHOWN|1<<CAP_KILL"));
    assert_eq!(unescape(r#""\62\x2d\0""#), b"2-\0");
}
