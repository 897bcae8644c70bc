//! How the programs write things: errors, modes, sizes, dates, signals, users.

use super::{Errno, FileType, Sys};
use crate::userland::prog::read_text;

/// An error in the words of strerror(3), with a capital.
pub fn words(e: Errno) -> String {
    let words = e.words();
    if words == "unknown error" {
        return format!("Unknown error {}", e.0);
    }
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// `drwxr-xr-x`.
pub fn mode_string(kind: FileType, mode: u32) -> String {
    let mut s = String::with_capacity(10);
    s.push(match kind {
        FileType::File => '-',
        FileType::Dir => 'd',
        FileType::Symlink => 'l',
        FileType::Char => 'c',
        FileType::Block => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
    });
    for (shift, special, on, off) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        s.push(if bits & 4 != 0 { 'r' } else { '-' });
        s.push(if bits & 2 != 0 { 'w' } else { '-' });
        s.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => on,
            (true, false) => off,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    s
}

/// Type bits of `st_mode` joined with the permission bits.
pub fn raw_mode(kind: FileType, mode: u32) -> u32 {
    mode | match kind {
        FileType::Fifo => 0o010000,
        FileType::Char => 0o020000,
        FileType::Dir => 0o040000,
        FileType::Block => 0o060000,
        FileType::File => 0o100000,
        FileType::Symlink => 0o120000,
        FileType::Socket => 0o140000,
    }
}

/// A size as `-h` writes it: `1.5K`, `12M`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit < 5 {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", ["", "K", "M", "G", "T", "P"][unit])
}

/// A moment, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    /// Sunday is 0.
    pub weekday: u32,
    /// The first is 0.
    pub yearday: u32,
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Date {
    /// From seconds since 1970, by counting in eras of 400 years that begin in March.
    pub fn from_unix(seconds: i64) -> Date {
        let days = seconds.div_euclid(86_400);
        let rest = seconds.rem_euclid(86_400) as u32;
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = ((month_from_march + 2) % 12 + 1) as u32;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize - 1];
        Date {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as u32,
            yearday: before + day - 1 + u32::from(leap && month > 2),
        }
    }

    /// Three letters.
    pub fn month_name(&self) -> &'static str {
        &MONTHS[self.month as usize - 1][..3]
    }

    /// strftime(3), the conversions in use.
    pub fn format(&self, format: &str, seconds: i64, nanos: u32) -> String {
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let part = match chars.next() {
                Some('Y') => self.year.to_string(),
                Some('y') => format!("{:02}", self.year.rem_euclid(100)),
                Some('C') => format!("{:02}", self.year.div_euclid(100)),
                Some('m') => format!("{:02}", self.month),
                Some('d') => format!("{:02}", self.day),
                Some('e') => format!("{:2}", self.day),
                Some('H') => format!("{:02}", self.hour),
                Some('I') => format!("{:02}", (self.hour + 11) % 12 + 1),
                Some('M') => format!("{:02}", self.minute),
                Some('S') => format!("{:02}", self.second),
                Some('N') => format!("{nanos:09}"),
                Some('p') => (if self.hour < 12 { "AM" } else { "PM" }).to_owned(),
                Some('s') => seconds.to_string(),
                Some('j') => format!("{:03}", self.yearday + 1),
                Some('a') => DAYS[self.weekday as usize][..3].to_owned(),
                Some('A') => DAYS[self.weekday as usize].to_owned(),
                Some('b' | 'h') => self.month_name().to_owned(),
                Some('B') => MONTHS[self.month as usize - 1].to_owned(),
                Some('u') => ((self.weekday + 6) % 7 + 1).to_string(),
                Some('w') => self.weekday.to_string(),
                Some('F') => self.format("%Y-%m-%d", seconds, nanos),
                Some('T') => self.format("%H:%M:%S", seconds, nanos),
                Some('R') => self.format("%H:%M", seconds, nanos),
                Some('D') => self.format("%m/%d/%y", seconds, nanos),
                Some('c') => self.format("%a %b %e %H:%M:%S %Y", seconds, nanos),
                Some('x') => self.format("%m/%d/%y", seconds, nanos),
                Some('X') => self.format("%H:%M:%S", seconds, nanos),
                Some('Z') => "UTC".to_owned(),
                Some('z') => "+0000".to_owned(),
                Some('n') => "\n".to_owned(),
                Some('t') => "\t".to_owned(),
                Some('%') => "%".to_owned(),
                Some(other) => format!("%{other}"),
                None => "%".to_owned(),
            };
            out.push_str(&part);
        }
        out
    }
}

/// Signal names of Linux, by number from 1.
pub const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// A signal's number from `9`, `KILL` or `SIGKILL`.
pub fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (0..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    SIGNALS.iter().position(|s| *s == bare).map(|i| i as i32 + 1)
}

/// What a shell says of a child that a signal ended; `None` where it is silent.
pub fn signal_words(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "Hangup",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        14 => "Alarm clock",
        15 => "Terminated",
        31 => "Bad system call",
        _ => return None,
    })
}

/// Names of `/etc/passwd` or `/etc/group`: (name, id).
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<(String, u32)>);

impl Names {
    /// Users; empty where there is no such file.
    pub async fn users<S: Sys>(sys: &S) -> Names {
        Names::read(sys, "/etc/passwd").await
    }

    /// Groups.
    pub async fn groups<S: Sys>(sys: &S) -> Names {
        Names::read(sys, "/etc/group").await
    }

    async fn read<S: Sys>(sys: &S, path: &str) -> Names {
        let text = read_text(sys, path).await.unwrap_or_default();
        let line = |l: &str| {
            let mut parts = l.split(':');
            let name = parts.next()?.to_owned();
            Some((name, parts.nth(1)?.parse().ok()?))
        };
        Names(text.lines().filter_map(line).collect())
    }

    pub fn name(&self, id: u32) -> Option<&str> {
        self.0.iter().find(|(_, i)| *i == id).map(|(n, _)| n.as_str())
    }

    /// The name, or the number.
    pub fn show(&self, id: u32) -> String {
        self.name(id).map_or_else(|| id.to_string(), str::to_owned)
    }

    /// From a name or a number.
    pub fn id(&self, text: &str) -> Option<u32> {
        self.0.iter().find(|(n, _)| n == text).map(|(_, i)| *i).or_else(|| text.parse().ok())
    }
}

/// `a/b`, with no double slash.
pub fn join(dir: &str, name: &str) -> String {
    if dir.ends_with('/') { format!("{dir}{name}") } else { format!("{dir}/{name}") }
}

/// basename(3).
pub fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "" } else { "/" };
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// dirname(3).
pub fn dir_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None => ".",
        Some(at) => match trimmed[..at].trim_end_matches('/') {
            "" => "/",
            dir => dir,
        },
    }
}

/// The characters that `\n`, `\033`, `\x1b`… stand for, in place; `\c` ends it
/// (the flag is then true). For echo -e and printf %b octal may be `\0nnn`.
pub fn unescape(text: &str, leading_zero: bool) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'\\' || i + 1 == bytes.len() {
            out.push(bytes[i]);
            i += 1;
            continue;
        }
        i += 2;
        match bytes[i - 1] {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' => out.push(27),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'c' => return (out, true),
            b'x' => {
                let digits = bytes[i..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
                if digits == 0 {
                    out.extend_from_slice(b"\\x");
                } else {
                    out.push(u8::from_str_radix(&text[i..i + digits], 16).unwrap_or(0));
                    i += digits;
                }
            }
            first @ b'0'..=b'7' => {
                let from = if leading_zero && first == b'0' { i } else { i - 1 };
                let digits = bytes[from..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let value = u32::from_str_radix(&text[from..from + digits], 8).unwrap_or(0);
                out.push(value as u8);
                i = from + digits;
            }
            other => out.extend_from_slice(&[b'\\', other]),
        }
    }
    (out, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let d = Date::from_unix(0);
        assert_eq!(d.format("%F %T %a %j", 0, 0), "1970-01-01 00:00:00 Thu 001");
        let d = Date::from_unix(951_827_696);
        assert_eq!(d.format("%Y-%m-%d %H:%M:%S %A %j", 0, 0), "2000-02-29 12:34:56 Tuesday 060");
        assert_eq!(Date::from_unix(-1).format("%F %T", 0, 0), "1969-12-31 23:59:59");
    }

    #[test]
    fn modes_and_sizes() {
        assert_eq!(mode_string(FileType::Dir, 0o1777), "drwxrwxrwt");
        assert_eq!(mode_string(FileType::File, 0o4755), "-rwsr-xr-x");
        assert_eq!(mode_string(FileType::File, 0o2644), "-rw-r-Sr--");
        assert_eq!((human(1000), human(1536), human(5 << 30)), ("1000".into(), "1.5K".into(), "5.0G".into()));
    }

    #[test]
    fn names_of_paths() {
        for (path, dir, base) in
            [("/a/b/", "/a", "b"), ("a", ".", "a"), ("/", "/", "/"), ("/a", "/", "a"), ("a//b", "a", "b")]
        {
            assert_eq!((dir_name(path), base_name(path)), (dir, base), "{path}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a\\tb\\101\\x41\\q", false).0, b"a\tbAA\\q");
        assert_eq!(unescape("\\0101x\\cyz", true), (b"Ax".to_vec(), true));
    }

    #[test]
    fn signals() {
        assert_eq!(signal_number("SIGTERM"), Some(15));
        assert_eq!(signal_number("kill"), Some(9));
        assert_eq!(signal_number("sys"), Some(31));
        assert_eq!(signal_number("99"), None);
    }
}
