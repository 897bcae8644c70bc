//! Reading words: quotes, escapes and the three kinds of `$`.

use std::rc::Rc;

use super::ast::{Param, ParamOp, Part, Word};
use super::parse::{Parser, Syntax};

/// A character that ends an unquoted word.
pub fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

pub fn is_name_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

pub fn is_name(text: &str) -> bool {
    text.starts_with(is_name_start) && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn push_text(word: &mut Word, c: char, quoted: bool) {
    match word.last_mut() {
        Some(Part::Text(text, q)) if *q == quoted => text.push(c),
        _ => word.push(Part::Text(c.to_string(), quoted)),
    }
}

/// Where a run of parts ends and what is special in it.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    /// A plain word.
    Word,
    /// `"…"`.
    Double,
    /// `${x-…}` outside double quotes.
    Brace,
    /// `${x-…}` inside double quotes.
    QuotedBrace,
    /// A here-document or the text of an arithmetic expression.
    Whole,
}

impl Parser {
    /// A word; the caller has seen that one starts here.
    pub fn word(&mut self) -> Result<Word, Syntax> {
        let mut word = Word::new();
        self.parts(&mut word, Within::Word)?;
        Ok(word)
    }

    /// All the text, with only `$`, backquote and backslash special.
    pub fn whole(mut self) -> Result<Word, Syntax> {
        let mut word = Word::new();
        self.parts(&mut word, Within::Whole)?;
        Ok(word)
    }

    fn parts(&mut self, word: &mut Word, within: Within) -> Result<(), Syntax> {
        let quoted = matches!(within, Within::Double | Within::QuotedBrace | Within::Whole);
        loop {
            let Some(c) = self.peek() else {
                return match within {
                    Within::Word | Within::Whole => Ok(()),
                    _ => Err(Syntax::Incomplete),
                };
            };
            match within {
                Within::Word if ends_word(c) => return Ok(()),
                Within::Double if c == '"' => return Ok(()),
                Within::Brace | Within::QuotedBrace if c == '}' => return Ok(()),
                _ => {}
            }
            self.pos += 1;
            match c {
                '\\' => self.backslash(word, within)?,
                '$' => self.dollar(word, quoted)?,
                '`' => self.backquote(word, quoted)?,
                '\'' if !quoted => {
                    let mut text = String::new();
                    loop {
                        match self.take().ok_or(Syntax::Incomplete)? {
                            '\'' => break,
                            c => text.push(c),
                        }
                    }
                    word.push(Part::Text(text, true));
                }
                '"' if within != Within::Whole => {
                    let before = word.len();
                    // A quote inside "${x-…}" starts a run of its own, which is quoted all the same.
                    self.parts_fresh(word)?;
                    if word.len() == before {
                        word.push(Part::Text(String::new(), true));
                    }
                }
                c => push_text(word, c, quoted),
            }
        }
    }

    /// The inside of `"…"` and its end, as parts of their own.
    fn parts_fresh(&mut self, word: &mut Word) -> Result<(), Syntax> {
        let mut inner = Word::new();
        self.parts(&mut inner, Within::Double)?;
        self.pos += 1;
        word.append(&mut inner);
        Ok(())
    }

    fn backslash(&mut self, word: &mut Word, within: Within) -> Result<(), Syntax> {
        let Some(c) = self.take() else {
            if !self.last && within == Within::Word {
                return Err(Syntax::Incomplete);
            }
            push_text(word, '\\', true);
            return Ok(());
        };
        let escapes = match within {
            Within::Word | Within::Brace => true,
            Within::Double => matches!(c, '$' | '`' | '"' | '\\' | '\n'),
            Within::QuotedBrace => matches!(c, '$' | '`' | '"' | '\\' | '\n' | '}'),
            Within::Whole => matches!(c, '$' | '`' | '\\' | '\n'),
        };
        if !escapes {
            push_text(word, '\\', true);
        }
        if !(escapes && c == '\n') {
            push_text(word, c, true);
        } else if self.peek().is_none() && !self.last {
            return Err(Syntax::Incomplete);
        }
        Ok(())
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Result<(), Syntax> {
        let plain = |name: String| Part::Param(Box::new(Param { name, op: ParamOp::Plain }), quoted);
        match self.peek() {
            Some('(') => {
                if self.peek_at(1) == Some('(')
                    && let Some(part) = self.arithmetic(quoted)?
                {
                    word.push(part);
                    return Ok(());
                }
                self.pos += 1;
                let list = self.list_until_paren()?;
                word.push(Part::Command(Rc::new(list), quoted));
            }
            Some('{') => {
                self.pos += 1;
                let part = self.braces(quoted)?;
                word.push(Part::Param(Box::new(part), quoted));
            }
            Some(c) if is_name_start(c) => {
                let name = self.name();
                word.push(plain(name));
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.pos += 1;
                word.push(plain(c.to_string()));
            }
            _ => push_text(word, '$', quoted),
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| *c == '_' || c.is_ascii_alphanumeric()) {
            name.push(c);
            self.pos += 1;
        }
        name
    }

    fn braces(&mut self, quoted: bool) -> Result<Param, Syntax> {
        let bad = || Syntax::Message("bad substitution".to_owned());
        let first = self.peek().ok_or(Syntax::Incomplete)?;
        if first == '#' && !matches!(self.peek_at(1), Some('}' | '%' | '#' | ':' | '=' | '+')) {
            self.pos += 1;
            let name = self.param_name()?;
            return match self.take() {
                Some('}') => Ok(Param { name, op: ParamOp::Length }),
                None => Err(Syntax::Incomplete),
                _ => Err(bad()),
            };
        }
        let name = self.param_name()?;
        let mut c = self.take().ok_or(Syntax::Incomplete)?;
        if c == '}' {
            return Ok(Param { name, op: ParamOp::Plain });
        }
        if c == '%' || c == '#' {
            let longest = self.peek() == Some(c);
            self.pos += usize::from(longest);
            let mut pattern = Word::new();
            self.parts(&mut pattern, Within::Brace)?;
            self.pos += 1;
            return Ok(Param { name, op: ParamOp::Trim { suffix: c == '%', longest, pattern } });
        }
        let colon = c == ':';
        if colon {
            c = self.take().ok_or(Syntax::Incomplete)?;
        }
        if !"-=?+".contains(c) {
            return Err(bad());
        }
        let mut word = Word::new();
        self.parts(&mut word, if quoted { Within::QuotedBrace } else { Within::Brace })?;
        self.pos += 1;
        Ok(Param { name, op: ParamOp::Default { kind: c, colon, word } })
    }

    fn param_name(&mut self) -> Result<String, Syntax> {
        match self.peek() {
            None => Err(Syntax::Incomplete),
            Some(c) if is_name_start(c) => Ok(self.name()),
            Some(c) if c.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                    digits.push(c);
                    self.pos += 1;
                }
                Ok(digits)
            }
            Some(c) if "@*#?-$!".contains(c) => {
                self.pos += 1;
                Ok(c.to_string())
            }
            Some(_) => Err(Syntax::Message("bad substitution".to_owned())),
        }
    }

    /// `$((…))` at its first parenthesis. `None`, with nothing read, when it is
    /// a command that starts with a subshell.
    fn arithmetic(&mut self, quoted: bool) -> Result<Option<Part>, Syntax> {
        let start = self.pos;
        self.pos += 2;
        let from = self.pos;
        let mut depth = 0;
        loop {
            match self.take() {
                None => {
                    self.pos = start;
                    return Err(Syntax::Incomplete);
                }
                Some('(') => depth += 1,
                Some(')') if depth > 0 => depth -= 1,
                Some(')') if self.peek() == Some(')') => break,
                Some(')') => {
                    self.pos = start;
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        let text = self.chars[from..self.pos - 1].iter().filter(|c| **c != '"').collect::<String>();
        self.pos += 1;
        Ok(Some(Part::Arith(Parser::new(&text, true).whole()?, quoted)))
    }

    fn backquote(&mut self, word: &mut Word, quoted: bool) -> Result<(), Syntax> {
        let mut text = String::new();
        loop {
            match self.take().ok_or(Syntax::Incomplete)? {
                '`' => break,
                '\\' => match self.take().ok_or(Syntax::Incomplete)? {
                    c @ ('`' | '\\' | '$') => text.push(c),
                    c @ '"' if quoted => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c => text.push(c),
            }
        }
        let list = Parser::new(&text, true).all()?;
        word.push(Part::Command(Rc::new(list), quoted));
        Ok(())
    }
}
