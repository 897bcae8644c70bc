//! Text and actions; an action's words.

use std::ops::Range;

use super::Wrong;

/// A piece of the template.
#[derive(Debug)]
pub enum Piece {
    /// Copied as it is.
    Text(String),
    /// The words between `{{` and `}}`.
    Action(Vec<Token>, Range<usize>),
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// `.`
    Dot,
    /// `.Name`; `Glued` to what stands before it without a space.
    Field { name: String, glued: bool },
    /// `$` or `$name`.
    Variable(String),
    /// A keyword or a function.
    Name(String),
    /// `"text"` or a raw one in backquotes.
    Text(String),
    /// `12`
    Number(i64),
    /// `|`
    Pipe,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `:=` or `=`
    Assign,
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub struct Token {
    pub word: Word,
    pub span: Range<usize>,
}

/// Takes the template apart.
pub fn lex(source: &str) -> Result<Vec<Piece>, Wrong> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim_next = false;
    while let Some(open) = source[at..].find("{{").map(|n| at + n) {
        let trim = trims_left(&source[open + 2..]);
        push_text(&mut pieces, &source[at..open], trim_next, trim);
        let start = if trim { open + 3 } else { open + 2 };
        let inner = source[start..].trim_start();
        if inner.starts_with("/*") {
            let end = source[start..].find("*/").map(|n| start + n + 2);
            let Some(end) = end else { return Err(Wrong::new(open..source.len(), "unclosed comment")) };
            let rest = &source[end..];
            let close = rest.find("}}").filter(|n| matches!(rest[..*n].trim(), "" | "-"));
            let Some(close) = close else {
                return Err(Wrong::new(open..end, "a comment must fill its whole action"));
            };
            trim_next = rest[..close].ends_with('-');
            at = end + close + 2;
            continue;
        }
        let (tokens, end, trims) = action(source, start, open)?;
        pieces.push(Piece::Action(tokens, open..end));
        trim_next = trims;
        at = end;
    }
    push_text(&mut pieces, &source[at..], trim_next, false);
    Ok(pieces)
}

/// `{{- ` with a space after it; `{{-3}}` is a number.
fn trims_left(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('-') && chars.next().is_some_and(char::is_whitespace)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// The words up to `}}`, where it ends, and whether it trims what follows.
fn action(source: &str, start: usize, open: usize) -> Result<(Vec<Token>, usize, bool), Wrong> {
    let mut tokens = Vec::new();
    let mut at = start;
    loop {
        let rest = &source[at..];
        let Some(c) = rest.chars().next() else {
            return Err(Wrong::new(open..open + 2, "unclosed action").hint("end it with }}"));
        };
        if rest.starts_with("}}") {
            return Ok((tokens, at + 2, false));
        }
        if c.is_whitespace() {
            if rest.trim_start().starts_with("-}}") {
                return Ok((tokens, source.len() - rest.trim_start().len() + 3, true));
            }
            at += c.len_utf8();
            continue;
        }
        let (word, len) = word(rest, at, at > start && !source[..at].ends_with(char::is_whitespace))?;
        tokens.push(Token { word, span: at..at + len });
        at += len;
    }
}

fn word(rest: &str, at: usize, glued: bool) -> Result<(Word, usize), Wrong> {
    let name_len = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let one = |word| Ok((word, 1));
    match rest.as_bytes()[0] {
        b'|' => one(Word::Pipe),
        b'(' => one(Word::Open),
        b')' => one(Word::Close),
        b',' => one(Word::Comma),
        b'=' => one(Word::Assign),
        b':' if rest.starts_with(":=") => Ok((Word::Assign, 2)),
        b'.' => match name_len(&rest[1..]) {
            0 => one(Word::Dot),
            n => Ok((Word::Field { name: rest[1..=n].to_owned(), glued }, n + 1)),
        },
        b'$' => {
            let n = name_len(&rest[1..]);
            Ok((Word::Variable(rest[1..=n].to_owned()), n + 1))
        }
        b'"' => quoted(rest, at),
        b'`' => match rest[1..].find('`') {
            Some(n) => Ok((Word::Text(rest[1..=n].to_owned()), n + 2)),
            None => Err(Wrong::new(at..at + rest.len(), "unterminated raw text")),
        },
        b'-' | b'0'..=b'9' => {
            let n = 1 + rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
            let number = rest[..n].parse();
            number
                .map(|value| (Word::Number(value), n))
                .map_err(|_| Wrong::new(at..at + n, format!("{:?} is no number", &rest[..n])))
        }
        b'\'' => Err(Wrong::new(at..at + 1, "a text stands in double quotes").hint("\"like this\"")),
        _ => match name_len(rest) {
            0 => {
                let c = rest.chars().next().unwrap_or(' ');
                Err(Wrong::new(at..at + c.len_utf8(), format!("unexpected {c:?} in an action")))
            }
            n => Ok((Word::Name(rest[..n].to_owned()), n)),
        },
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Word, usize), Wrong> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((Word::Text(text), i + 1)),
            '\n' => break,
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, c @ ('"' | '\\' | '\''))) => text.push(c),
                Some((j, c)) => {
                    return Err(Wrong::new(at + i..at + j + c.len_utf8(), format!("unknown escape \\{c}")));
                }
                None => break,
            },
            c => text.push(c),
        }
    }
    Err(Wrong::new(at..at + rest.len(), "unterminated quoted text"))
}
