//! `printf FORMAT [ARGUMENT]…`, POSIX.1-2024 XCU printf.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::unescape;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let args: Vec<String> = p.args.iter().skip_while(|a| *a == "--").cloned().collect();
    let Some(format) = args.first() else {
        p.complain("usage: printf FORMAT [ARG]...").await;
        return 2;
    };
    let mut rest = &args[1..];
    let mut f = Formatter { out: Vec::new(), complaints: Vec::new(), stop: false };
    loop {
        let before = rest.len();
        rest = f.once(format, rest);
        if f.stop || rest.is_empty() || rest.len() == before {
            break;
        }
    }
    let failed = !f.complaints.is_empty();
    p.put(f.out).await;
    for complaint in f.complaints {
        p.complain(&complaint).await;
    }
    u8::from(failed)
}

struct Formatter {
    out: Vec<u8>,
    complaints: Vec<String>,
    /// `\c` was met.
    stop: bool,
}

impl Formatter {
    /// Writes the format once; what is left of the arguments.
    fn once<'a>(&mut self, format: &str, mut args: &'a [String]) -> &'a [String] {
        let mut chars = format.char_indices().peekable();
        let next = |args: &mut &'a [String]| -> Option<&'a String> {
            let (first, rest) = args.split_first()?;
            *args = rest;
            Some(first)
        };
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                // At most three digits belong to an escape.
                let mut end = at + 1;
                let tail = &format[at + 1..];
                end += match tail.chars().next() {
                    Some('0'..='7') => tail.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count(),
                    Some('x') => 1 + tail.bytes().skip(1).take(2).take_while(u8::is_ascii_hexdigit).count(),
                    Some(c) => c.len_utf8(),
                    None => 0,
                };
                let (bytes, stop) = unescape(&format[at..end], false);
                self.out.extend(bytes);
                if stop {
                    self.stop = true;
                    return args;
                }
                while chars.next_if(|(i, _)| *i < end).is_some() {}
                continue;
            }
            if c != '%' {
                self.out.extend(c.to_string().bytes());
                continue;
            }
            let mut spec = Spec::default();
            while let Some((_, c)) = chars.next_if(|(_, c)| "-+ #0".contains(*c)) {
                spec.flags.push(c);
            }
            let mut number = |args: &mut &'a [String], this: &mut Self| -> Option<i64> {
                if chars.next_if(|(_, c)| *c == '*').is_some() {
                    return Some(next(args).map_or(0, |a| this.integer(a)));
                }
                let mut digits = String::new();
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                    digits.push(c);
                }
                digits.parse().ok()
            };
            if let Some(width) = number(&mut args, self) {
                if width < 0 {
                    spec.flags.push('-');
                }
                spec.width = (width.unsigned_abs() as usize).min(65_535);
            }
            if chars.next_if(|(_, c)| *c == '.').is_some() {
                let mut digits = String::new();
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                    digits.push(c);
                }
                spec.precision = Some(digits.parse::<usize>().unwrap_or(0).min(65_535));
            }
            while chars.next_if(|(_, c)| "lhqjzt".contains(*c)).is_some() {}
            let Some((_, conversion)) = chars.next() else {
                self.complaints.push(format!("{}: invalid format", &format[at..]));
                self.stop = true;
                return args;
            };
            match conversion {
                '%' => self.out.push(b'%'),
                'c' => {
                    let text = next(&mut args).map_or("", String::as_str);
                    let first = text.chars().next().map(String::from).unwrap_or_default();
                    self.out.extend(spec.pad(first.into_bytes()));
                }
                's' | 'b' => {
                    let text = next(&mut args).map_or("", String::as_str);
                    let (mut bytes, stop) =
                        if conversion == 'b' { unescape(text, true) } else { (text.into(), false) };
                    bytes.truncate(spec.precision.unwrap_or(usize::MAX));
                    self.out.extend(spec.pad(bytes));
                    if stop {
                        self.stop = true;
                        return args;
                    }
                }
                'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
                    let value = next(&mut args).map_or(0, |a| self.integer(a));
                    self.out.extend(spec.integer(conversion, value));
                }
                'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                    let value = next(&mut args).map_or(0.0, |a| self.float(a));
                    self.out.extend(spec.float(conversion, value));
                }
                other => {
                    self.complaints.push(format!("%{other}: invalid format"));
                    self.stop = true;
                    return args;
                }
            }
        }
        args
    }

    fn integer(&mut self, text: &str) -> i64 {
        if let Some(c) = text.strip_prefix(['\'', '"']) {
            return c.chars().next().map_or(0, |c| i64::from(u32::from(c)));
        }
        let trimmed = text.trim_start();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => (16, hex),
            None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
            None => (10, digits),
        };
        let good = digits.chars().take_while(|c| c.is_digit(radix)).count();
        if good < digits.len() || good == 0 {
            self.complaints.push(format!("invalid number '{text}'"));
        }
        let value = u64::from_str_radix(&digits[..good], radix).unwrap_or(0) as i64;
        if negative { value.wrapping_neg() } else { value }
    }

    fn float(&mut self, text: &str) -> f64 {
        text.trim().parse().unwrap_or_else(|_| {
            self.complaints.push(format!("invalid number '{text}'"));
            0.0
        })
    }
}

#[derive(Default)]
struct Spec {
    flags: String,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn pad(&self, text: Vec<u8>) -> Vec<u8> {
        let shown = String::from_utf8_lossy(&text).chars().count();
        let blanks = vec![b' '; self.width.saturating_sub(shown)];
        if self.has('-') { [text, blanks].concat() } else { [blanks, text].concat() }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match () {
            () if negative => "-",
            () if self.has('+') => "+",
            () if self.has(' ') => " ",
            () => "",
        }
    }

    fn with_sign(&self, sign: &str, prefix: &str, digits: String, zeros: bool) -> Vec<u8> {
        let used = sign.len() + prefix.len() + digits.len();
        let fill = if zeros && self.has('0') && !self.has('-') { self.width.saturating_sub(used) } else { 0 };
        self.pad(format!("{sign}{prefix}{}{digits}", "0".repeat(fill)).into_bytes())
    }

    fn integer(&self, conversion: char, value: i64) -> Vec<u8> {
        let (sign, prefix, digits) = match conversion {
            'd' | 'i' => (self.sign(value < 0), "", value.unsigned_abs().to_string()),
            'u' => ("", "", (value as u64).to_string()),
            'o' => ("", if self.has('#') { "0" } else { "" }, format!("{value:o}")),
            'x' => ("", if self.has('#') && value != 0 { "0x" } else { "" }, format!("{value:x}")),
            _ => ("", if self.has('#') && value != 0 { "0X" } else { "" }, format!("{value:X}")),
        };
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        self.with_sign(sign, prefix, format!("{}{digits}", "0".repeat(missing)), self.precision.is_none())
    }

    fn float(&self, conversion: char, value: f64) -> Vec<u8> {
        let precision = self.precision.unwrap_or(6);
        let size = value.abs();
        // %g goes by the exponent that %e would show, after rounding.
        let shown = format!("{size:.*e}", precision.max(1) - 1);
        let exponent: i32 = shown.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
        let scientific = |digits: usize| {
            let text = format!("{size:.digits$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        };
        let shorten = |text: String| match text.split_once('e') {
            Some((m, e)) if m.contains('.') => {
                format!("{}e{e}", m.trim_end_matches('0').trim_end_matches('.'))
            }
            None if text.contains('.') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            _ => text,
        };
        let mut text = match conversion.to_ascii_lowercase() {
            'f' => format!("{size:.precision$}"),
            'e' => scientific(precision),
            _ if exponent < -4 || exponent >= precision.max(1) as i32 => {
                shorten(scientific(precision.max(1) - 1))
            }
            _ => {
                let digits = (precision.max(1) as i32 - 1 - exponent).max(0) as usize;
                shorten(format!("{size:.digits$}"))
            }
        };
        if conversion.is_ascii_uppercase() {
            text = text.to_ascii_uppercase();
        }
        self.with_sign(self.sign(value.is_sign_negative()), "", text, value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(format: &str, args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let mut f = Formatter { out: Vec::new(), complaints: Vec::new(), stop: false };
        f.once(format, &args);
        assert_eq!(f.complaints, Vec::<String>::new());
        String::from_utf8(f.out).unwrap()
    }

    #[test]
    fn table() {
        for (f, args, expected) in [
            ("%5d|%-5d|%05d", &["42", "42", "42"][..], "   42|42   |00042"),
            ("%x %X %o %#x", &["255", "255", "8", "16"], "ff FF 10 0x10"),
            ("%s-%10s|%-4s|%.2s", &["a", "b", "c", "defg"], "a-         b|c   |de"),
            ("%c%c", &["hello", "world"], "hw"),
            ("%b", &["a\\tb\\0101"], "a\tbA"),
            ("%.2f %e %g %g", &["3.14159", "12345", "0.0001", "1e10"], "3.14 1.234500e+04 0.0001 1e+10"),
            ("%d %d %d", &["0x1f", "010", "'A"], "31 8 65"),
            ("a\\tb\\n\\101%%", &[], "a\tb\nA%"),
            ("%*d", &["4", "7"], "   7"),
            ("%+d % d %u", &["5", "5", "-1"], "+5  5 18446744073709551615"),
        ] {
            assert_eq!(format(f, args), expected, "{f}");
        }
    }
}
