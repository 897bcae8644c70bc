//! `test EXPRESSION`, `[ EXPRESSION ]`, POSIX.1-2024 XCU test, with `-a`, `-o`
//! and parentheses.

use crate::userland::prog::Prog;
use crate::userland::{FileType, Sys};

/// `bracket`: called as `[`, the last argument must be `]`.
pub async fn main<S: Sys>(p: &mut Prog<S>, bracket: bool) -> u8 {
    let mut args = p.args.clone();
    if bracket && args.pop().as_deref() != Some("]") {
        p.complain("[: missing ]").await;
        return 2;
    }
    match evaluate(&p.sys, &args) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(message) => {
            p.complain(&message).await;
            2
        }
    }
}

fn evaluate<S: Sys>(sys: &S, args: &[String]) -> Result<bool, String> {
    let mut e = Expression { sys, args, pos: 0, depth: 0 };
    // Up to four arguments the number of them decides, not their look.
    match args {
        [] => return Ok(false),
        [one] => return Ok(!one.is_empty()),
        [not, one] if not == "!" => return Ok(one.is_empty()),
        [left, op, right] if is_binary(op) => return e.binary(left, op, right),
        [not, left, op, right] if not == "!" && is_binary(op) => return Ok(!e.binary(left, op, right)?),
        _ => {}
    }
    let value = e.or()?;
    match args.get(e.pos) {
        None => Ok(value),
        Some(extra) => Err(format!("{extra}: unknown operand")),
    }
}

fn is_binary(op: &str) -> bool {
    matches!(
        op,
        "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef"
    )
}

struct Expression<'a, S> {
    sys: &'a S,
    args: &'a [String],
    pos: usize,
    depth: u32,
}

impl<S: Sys> Expression<'_, S> {
    fn peek(&self, ahead: usize) -> Option<&str> {
        self.args.get(self.pos + ahead).map(String::as_str)
    }

    fn or(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("expression nested too deeply".to_owned());
        }
        let mut value = self.and()?;
        while self.peek(0) == Some("-o") {
            self.pos += 1;
            value |= self.and()?;
        }
        self.depth -= 1;
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.not()?;
        while self.peek(0) == Some("-a") {
            self.pos += 1;
            value &= self.not()?;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, String> {
        let mut negate = false;
        while self.peek(0) == Some("!") && self.peek(1).is_some() {
            self.pos += 1;
            negate = !negate;
        }
        Ok(self.primary()? != negate)
    }

    fn primary(&mut self) -> Result<bool, String> {
        let first = self.peek(0).ok_or("argument expected")?.to_owned();
        if let Some(op) = self.peek(1).filter(|op| is_binary(op)).map(str::to_owned)
            && let Some(right) = self.peek(2).map(str::to_owned)
        {
            self.pos += 3;
            return self.binary(&first, &op, &right);
        }
        self.pos += 1;
        if first == "(" {
            let value = self.or()?;
            if self.peek(0) != Some(")") {
                return Err("closing paren expected".to_owned());
            }
            self.pos += 1;
            return Ok(value);
        }
        let mut letters = first.strip_prefix('-').unwrap_or("").chars();
        if let (Some(letter), None) = (letters.next(), letters.next())
            && "bcdefghkLnOGprsStuwxz".contains(letter)
            && let Some(operand) = self.peek(0).map(str::to_owned)
        {
            self.pos += 1;
            return self.unary(letter, &operand);
        }
        Ok(!first.is_empty())
    }

    fn unary(&self, letter: char, operand: &str) -> Result<bool, String> {
        let stat = || self.sys.stat(operand);
        let kind = |kind: FileType| stat().is_ok_and(|s| s.kind == kind);
        Ok(match letter {
            'n' => !operand.is_empty(),
            'z' => operand.is_empty(),
            'e' => stat().is_ok(),
            'f' => kind(FileType::File),
            'd' => kind(FileType::Dir),
            'c' => kind(FileType::Char),
            'b' => kind(FileType::Block),
            'p' => kind(FileType::Fifo),
            'S' => kind(FileType::Socket),
            'h' | 'L' => self.sys.lstat(operand).is_ok_and(|s| s.kind == FileType::Symlink),
            's' => stat().is_ok_and(|s| s.size > 0),
            'u' => stat().is_ok_and(|s| s.mode & 0o4000 != 0),
            'g' => stat().is_ok_and(|s| s.mode & 0o2000 != 0),
            'k' => stat().is_ok_and(|s| s.mode & 0o1000 != 0),
            'O' => stat().is_ok_and(|s| s.uid == self.sys.ids().1),
            'G' => stat().is_ok_and(|s| s.gid == self.sys.ids().3),
            't' => self.sys.isatty(integer(operand)? as i32),
            'x' => self.sys.executable(operand).is_ok(),
            'r' => self.permitted(operand, 4),
            _ => self.permitted(operand, 2),
        })
    }

    /// What the permission bits allow. access(2) knows more (capabilities in a
    /// user namespace, read-only mounts); root is allowed everything here.
    fn permitted(&self, path: &str, bit: u32) -> bool {
        let Ok(stat) = self.sys.stat(path) else { return false };
        let (_, uid, _, gid, groups) = self.sys.ids();
        let shift = if uid == 0 {
            return true;
        } else if stat.uid == uid {
            6
        } else if stat.gid == gid || groups.contains(&stat.gid) {
            3
        } else {
            0
        };
        stat.mode >> shift & bit != 0
    }

    fn binary(&self, left: &str, op: &str, right: &str) -> Result<bool, String> {
        let time = |path: &str| self.sys.stat(path).ok().map(|s| s.mtime);
        let id = |path: &str| self.sys.stat(path).ok().map(|s| (s.dev, s.ino));
        Ok(match op {
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "-nt" => time(left) > time(right),
            "-ot" => time(left) < time(right),
            "-ef" => id(left).is_some() && id(left) == id(right),
            _ => {
                let (a, b) = (integer(left)?, integer(right)?);
                match op {
                    "-eq" => a == b,
                    "-ne" => a != b,
                    "-lt" => a < b,
                    "-le" => a <= b,
                    "-gt" => a > b,
                    _ => a >= b,
                }
            }
        })
    }
}

fn integer(text: &str) -> Result<i64, String> {
    let digits = text.trim();
    digits.strip_prefix('+').unwrap_or(digits).parse().map_err(|_| format!("{text}: bad number"))
}
