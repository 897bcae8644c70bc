//! What every program has: its arguments, buffered standard output, messages
//! on standard error, options, and reading by line.

use super::text::words;
use super::{Errno, Fd, OpenFlags, Sys, SysResult};

const BUFFER: usize = 16 * 1024;

/// A running program.
pub struct Prog<S> {
    pub sys: S,
    /// As in messages.
    pub name: String,
    /// Without the name.
    pub args: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Standard output could not be written: an endless writer must stop.
    pub broken: bool,
    out: Vec<u8>,
}

impl<S: Sys> Prog<S> {
    pub fn new(sys: S, name: String, args: Vec<String>, env: Vec<String>) -> Self {
        Prog { sys, name, args, env, broken: false, out: Vec::new() }
    }

    /// Adds to standard output.
    pub async fn put(&mut self, data: impl AsRef<[u8]>) {
        self.out.extend_from_slice(data.as_ref());
        if self.out.len() >= BUFFER {
            self.flush().await;
        }
    }

    /// Writes what is buffered.
    pub async fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        if self.broken {
            return;
        }
        if let Err(e) = self.sys.write(1, &out).await {
            self.broken = true;
            if e != Errno::EPIPE {
                self.complain(&format!("write error: {}", words(e))).await;
            }
        }
    }

    /// Writes `NAME: message` to standard error, after what is buffered.
    pub async fn complain(&mut self, message: &str) {
        if !self.broken {
            Box::pin(self.flush()).await;
        }
        let line = format!("{}: {message}\n", self.name);
        // Nowhere is left to tell of a failure here.
        let _ = self.sys.write(2, line.as_bytes()).await;
    }

    /// [`complain`](Self::complain) and the status 1.
    pub async fn fail(&mut self, message: &str) -> u8 {
        self.complain(message).await;
        1
    }

    /// `NAME: what: Words`, and 1.
    pub async fn fail_at(&mut self, what: &str, e: Errno) -> u8 {
        self.fail(&format!("{what}: {}", words(e))).await
    }

    /// The exit status, when everything is written.
    pub async fn finish(mut self, status: u8) -> u8 {
        self.flush().await;
        if self.broken && status == 0 { 1 } else { status }
    }

    /// Sorts the arguments into options and operands; complains of a wrong one.
    pub async fn options(&mut self, spec: &str, long: &[(&str, char)]) -> Result<Options, u8> {
        match Options::parse(&self.args, spec, long) {
            Ok(options) => Ok(options),
            Err(message) => Err(self.fail(&message).await),
        }
    }

    /// The environment's value.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find_map(|e| e.strip_prefix(name)?.strip_prefix('='))
    }

    /// Opens a file for reading; `-` is standard input.
    pub async fn input(&mut self, path: &str) -> SysResult<Fd> {
        if path == "-" { Ok(0) } else { self.sys.open(path, OpenFlags::READ, 0).await }
    }

    /// Opens for reading, or complains as busybox does.
    pub async fn input_or_complain(&mut self, path: &str) -> Option<Fd> {
        match self.input(path).await {
            Ok(fd) => Some(fd),
            Err(e) => {
                self.complain(&format!("can't open '{path}': {}", words(e))).await;
                None
            }
        }
    }

    /// Closes what [`input`](Self::input) opened.
    pub fn done_with(&self, fd: Fd) {
        if fd != 0 {
            let _ = self.sys.close(fd);
        }
    }

    /// The rest of a file.
    pub async fn read_all(&self, fd: Fd) -> SysResult<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let part = self.sys.read(fd, 64 * 1024).await?;
            if part.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&part);
        }
    }

    /// A whole file as text.
    pub async fn read_text(&self, path: &str) -> SysResult<String> {
        read_text(&self.sys, path).await
    }
}

/// A whole file as text, invalid UTF-8 replaced.
pub async fn read_text<S: Sys>(sys: &S, path: &str) -> SysResult<String> {
    let fd = sys.open(path, OpenFlags::READ, 0).await?;
    let mut all = Vec::new();
    let result = loop {
        match sys.read(fd, 64 * 1024).await {
            Ok(part) if part.is_empty() => break Ok(()),
            Ok(part) => all.extend_from_slice(&part),
            Err(e) => break Err(e),
        }
    };
    let _ = sys.close(fd);
    result.map(|()| String::from_utf8_lossy(&all).into_owned())
}

/// Reads a descriptor line by line.
pub struct Lines {
    fd: Fd,
    buffer: Vec<u8>,
    start: usize,
    end: bool,
}

impl Lines {
    pub fn new(fd: Fd) -> Self {
        Lines { fd, buffer: Vec::new(), start: 0, end: false }
    }

    /// The next line with its newline, if it has one.
    pub async fn next<S: Sys>(&mut self, sys: &S) -> SysResult<Option<Vec<u8>>> {
        let mut seen = self.start;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|b| *b == b'\n') {
                let line = self.buffer[self.start..=seen + at].to_vec();
                self.start = seen + at + 1;
                return Ok(Some(line));
            }
            if self.end {
                let line = self.buffer[self.start..].to_vec();
                self.start = self.buffer.len();
                return Ok((!line.is_empty()).then_some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            seen = self.buffer.len();
            let part = sys.read(self.fd, 64 * 1024).await?;
            self.end = part.is_empty();
            self.buffer.extend_from_slice(&part);
        }
    }
}

/// Options and operands, in the manner of getopt(3).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    given: Vec<(char, String)>,
    /// The operands.
    pub rest: Vec<String>,
}

impl Options {
    /// `spec` is getopt's: a colon after a letter that takes a value; a leading
    /// `+` stops at the first operand. Long names stand for letters.
    pub fn parse(args: &[String], spec: &str, long: &[(&str, char)]) -> Result<Options, String> {
        let (stop, spec) = spec.strip_prefix('+').map_or((false, spec), |s| (true, s));
        let takes = |c: char| -> Option<bool> {
            let at = spec.find(c).filter(|_| c != ':')?;
            Some(spec[at + c.len_utf8()..].starts_with(':'))
        };
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                options.rest.extend(args.cloned());
                break;
            }
            if let Some(name) = arg.strip_prefix("--") {
                let (name, value) = name.split_once('=').map_or((name, None), |(n, v)| (n, Some(v)));
                let &(_, c) = long
                    .iter()
                    .find(|(l, _)| *l == name)
                    .ok_or_else(|| format!("unrecognized option '{arg}'"))?;
                let value = match (takes(c) == Some(true), value) {
                    (true, Some(v)) => v.to_owned(),
                    (true, None) => args
                        .next()
                        .cloned()
                        .ok_or_else(|| format!("option '--{name}' requires an argument"))?,
                    (false, _) => String::new(),
                };
                options.given.push((c, value));
            } else if arg.len() > 1 && arg.starts_with('-') {
                let mut letters = arg[1..].chars();
                while let Some(c) = letters.next() {
                    let value = match takes(c) {
                        None => return Err(format!("invalid option -- '{c}'")),
                        Some(false) => String::new(),
                        Some(true) if !letters.as_str().is_empty() => {
                            let value = letters.as_str().to_owned();
                            letters = "".chars();
                            value
                        }
                        Some(true) => args
                            .next()
                            .cloned()
                            .ok_or_else(|| format!("option requires an argument -- '{c}'"))?,
                    };
                    options.given.push((c, value));
                }
            } else {
                options.rest.push(arg.clone());
                if stop {
                    options.rest.extend(args.cloned());
                    break;
                }
            }
        }
        Ok(options)
    }

    pub fn has(&self, c: char) -> bool {
        self.given.iter().any(|(g, _)| *g == c)
    }

    /// The last value given for a letter.
    pub fn value(&self, c: char) -> Option<&str> {
        self.values(c).last()
    }

    /// All values given for a letter.
    pub fn values(&self, c: char) -> impl Iterator<Item = &str> {
        self.given.iter().filter(move |(g, _)| *g == c).map(|(_, v)| v.as_str())
    }

    /// The last given of several letters that exclude one another.
    pub fn last_of(&self, letters: &str) -> Option<char> {
        self.given.iter().rev().map(|(g, _)| *g).find(|g| letters.contains(*g))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], spec: &str) -> Result<Options, String> {
        let args: Vec<String> = args.iter().map(|s| (*s).to_owned()).collect();
        Options::parse(&args, spec, &[("all", 'a'), ("lines", 'n')])
    }

    #[test]
    fn options_and_operands_in_any_order() {
        let o = parse(&["-la", "x", "-n5", "y", "--", "-z"], "lan:").unwrap();
        assert!(o.has('l') && o.has('a'));
        assert_eq!(o.value('n'), Some("5"));
        assert_eq!(o.rest, ["x", "y", "-z"]);
    }

    #[test]
    fn stops_at_the_first_operand() {
        let o = parse(&["-a", "cmd", "-l"], "+al").unwrap();
        assert!(o.has('a') && !o.has('l'));
        assert_eq!(o.rest, ["cmd", "-l"]);
    }

    #[test]
    fn long_names_and_errors() {
        assert_eq!(parse(&["--lines=3", "--all"], "an:").unwrap().value('n'), Some("3"));
        assert_eq!(parse(&["-q"], "a").unwrap_err(), "invalid option -- 'q'");
        assert_eq!(parse(&["-n"], "n:").unwrap_err(), "option requires an argument -- 'n'");
        assert_eq!(parse(&["--nope"], "a").unwrap_err(), "unrecognized option '--nope'");
        assert_eq!(parse(&["-"], "a").unwrap().rest, ["-"]);
    }
}
