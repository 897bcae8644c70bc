//! The grammar: from text to a list of commands, one complete line at a time,
//! so that a script runs up to its first wrong line.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::{AndOr, Command, Item, List, Node, Part, Pipeline, Redir, RedirOp, Word};
use super::word::{ends_word, is_name};

/// Why text is no command.
#[derive(Clone, Debug, PartialEq)]
pub enum Syntax {
    /// More text could complete it.
    Incomplete,
    /// It can never be one.
    Message(String),
}

const RESERVED: [&str; 16] = [
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until",
    "while",
];

/// Nested commands deeper than this are refused, lest the stack overflow.
const MAX_DEPTH: usize = 200;

struct Pending {
    end: String,
    strip_tabs: bool,
    literal: bool,
    body: Rc<RefCell<Word>>,
}

/// Reads commands from text.
pub struct Parser {
    pub(super) chars: Vec<char>,
    pub(super) pos: usize,
    /// No more text will come.
    pub(super) last: bool,
    pending: Vec<Pending>,
    depth: usize,
}

impl Parser {
    /// `last` says that no more text follows.
    pub fn new(text: &str, last: bool) -> Parser {
        Parser { chars: text.chars().collect(), pos: 0, last, pending: Vec::new(), depth: 0 }
    }

    /// The commands of the next line that has any; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<List>, Syntax> {
        self.newlines()?;
        if self.peek().is_none() {
            return Ok(None);
        }
        let mut list = List::new();
        loop {
            self.item(&mut list)?;
            self.blanks();
            match self.peek() {
                None => {
                    if !self.last && self.chars.ends_with(&['\\', '\n']) {
                        return Err(Syntax::Incomplete);
                    }
                    self.here_bodies()?;
                    return Ok(Some(list));
                }
                Some('\n') => {
                    self.newline()?;
                    return Ok(Some(list));
                }
                Some(_) if self.separated(&list) => {}
                Some(_) => return Err(self.unexpected()),
            }
        }
    }

    /// All of the text as one list.
    pub fn all(mut self) -> Result<List, Syntax> {
        let mut list = List::new();
        while let Some(mut line) = self.next_line()? {
            list.append(&mut line);
        }
        Ok(list)
    }

    /// The commands up to `)`, which is read too.
    pub(super) fn list_until_paren(&mut self) -> Result<List, Syntax> {
        let list = self.list(&[])?;
        self.expect_char(')')?;
        Ok(list)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.pos).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.pos + ahead).copied()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += 1;
        Some(c)
    }

    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.pos += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.pos += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.pos += 1;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn newlines(&mut self) -> Result<(), Syntax> {
        self.blanks();
        while self.peek() == Some('\n') {
            self.newline()?;
            self.blanks();
        }
        Ok(())
    }

    fn newline(&mut self) -> Result<(), Syntax> {
        self.pos += 1;
        self.here_bodies()
    }

    fn here_bodies(&mut self) -> Result<(), Syntax> {
        for here in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            loop {
                if self.peek().is_none() {
                    if self.last {
                        break;
                    }
                    return Err(Syntax::Incomplete);
                }
                let mut line: String = self.chars[self.pos..].iter().take_while(|c| **c != '\n').collect();
                self.pos += line.chars().count() + 1;
                if self.pos > self.chars.len() {
                    self.pos = self.chars.len();
                }
                if here.strip_tabs {
                    line = line.trim_start_matches('\t').to_owned();
                }
                if line == here.end {
                    break;
                }
                body.push_str(&line);
                body.push('\n');
            }
            *here.body.borrow_mut() =
                if here.literal { vec![Part::Text(body, true)] } else { Parser::new(&body, true).whole()? };
        }
        Ok(())
    }

    /// The text of the next token, for messages.
    pub(super) fn token(&self) -> String {
        match self.peek() {
            None => "end of file".to_owned(),
            Some('\n') => "newline".to_owned(),
            Some(c) if ends_word(c) => {
                let double = self.peek_at(1) == Some(c) && matches!(c, ';' | '&' | '|' | '<' | '>');
                std::iter::repeat_n(c, 1 + usize::from(double)).collect()
            }
            Some(_) => self.chars[self.pos..].iter().take_while(|c| !ends_word(**c)).collect(),
        }
    }

    pub(super) fn unexpected(&self) -> Syntax {
        match self.peek() {
            None if !self.last => Syntax::Incomplete,
            None => Syntax::Message("syntax error: unexpected end of file".to_owned()),
            Some('\n') => Syntax::Message("syntax error: unexpected newline".to_owned()),
            Some(_) => Syntax::Message(format!("syntax error: unexpected \"{}\"", self.token())),
        }
    }

    /// Reads `;` or `&` after an item (which may be a background one already).
    fn separated(&mut self, list: &List) -> bool {
        if list.last().is_some_and(|i| i.background) {
            return self.peek() != Some(')');
        }
        if self.peek() == Some(';') && self.peek_at(1) != Some(';') {
            self.pos += 1;
            return true;
        }
        false
    }

    /// A list up to a reserved word of `ends`, `)`, `;;` or the end.
    pub(super) fn list(&mut self, ends: &[&str]) -> Result<List, Syntax> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Syntax::Message("syntax error: commands nested too deeply".to_owned()));
        }
        let mut list = List::new();
        loop {
            self.newlines()?;
            let at_end = match self.peek() {
                None | Some(')') => true,
                Some(';') => true,
                _ => self.reserved().is_some_and(|r| ends.contains(&r)),
            };
            if at_end {
                break;
            }
            self.item(&mut list)?;
            self.blanks();
            match self.peek() {
                None | Some('\n' | ')') => {}
                Some(';') if self.peek_at(1) == Some(';') => {}
                Some(_) if self.separated(&list) => {}
                Some(_) => return Err(self.unexpected()),
            }
        }
        self.depth -= 1;
        Ok(list)
    }

    /// A list that must have a command.
    pub(super) fn full_list(&mut self, ends: &[&str]) -> Result<List, Syntax> {
        let list = self.list(ends)?;
        if list.is_empty() { Err(self.unexpected()) } else { Ok(list) }
    }

    fn item(&mut self, list: &mut List) -> Result<(), Syntax> {
        self.blanks();
        if matches!(self.peek(), None | Some('\n')) {
            return Ok(());
        }
        let and_or = self.and_or()?;
        self.blanks();
        let background = self.peek() == Some('&');
        self.pos += usize::from(background);
        list.push(Item { list: Rc::new(and_or), background });
        Ok(())
    }

    fn and_or(&mut self) -> Result<AndOr, Syntax> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let and = match (self.peek(), self.peek_at(1)) {
                (Some('&'), Some('&')) => true,
                (Some('|'), Some('|')) => false,
                _ => return Ok(AndOr { first, rest }),
            };
            self.pos += 2;
            self.newlines()?;
            rest.push((and, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Syntax> {
        self.blanks();
        let mut negated = false;
        while self.reserved() == Some("!") {
            self.pos += 1;
            negated = !negated;
            self.blanks();
        }
        let mut stages = vec![Rc::new(self.command()?)];
        loop {
            self.blanks();
            if self.peek() != Some('|') || self.peek_at(1) == Some('|') {
                return Ok(Pipeline { negated, stages });
            }
            self.pos += 1;
            self.newlines()?;
            stages.push(Rc::new(self.command()?));
        }
    }

    /// The reserved word that stands here, not read.
    pub(super) fn reserved(&self) -> Option<&'static str> {
        let word = self.chars[self.pos..].iter().take(6).take_while(|c| !ends_word(**c)).collect::<String>();
        RESERVED.into_iter().find(|r| *r == word)
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), Syntax> {
        self.newlines()?;
        if self.reserved() != Some(word) {
            return Err(self.unexpected());
        }
        self.pos += word.len();
        Ok(())
    }

    pub(super) fn expect_char(&mut self, c: char) -> Result<(), Syntax> {
        self.blanks();
        if self.peek() != Some(c) {
            return Err(self.unexpected());
        }
        self.pos += 1;
        Ok(())
    }

    fn command(&mut self) -> Result<Node, Syntax> {
        self.blanks();
        let command = match self.reserved() {
            Some("{") => {
                self.pos += 1;
                let list = self.full_list(&["}"])?;
                self.expect("}")?;
                Command::Group(list)
            }
            Some("if") => self.if_command()?,
            Some(word @ ("while" | "until")) => {
                self.pos += 5;
                let condition = self.full_list(&["do"])?;
                Command::Loop { until: word == "until", condition, body: self.do_group()? }
            }
            Some("for") => self.for_command()?,
            Some("case") => self.case_command()?,
            Some("in") | None if self.peek() == Some('(') => {
                self.pos += 1;
                let list = self.list_until_paren()?;
                if list.is_empty() {
                    return Err(Syntax::Message("syntax error: unexpected \")\"".to_owned()));
                }
                Command::Subshell(list)
            }
            Some("in") | None => return self.simple(),
            Some(_) => return Err(self.unexpected()),
        };
        let mut redirs = Vec::new();
        loop {
            self.blanks();
            match self.redirection()? {
                Some(redir) => redirs.push(redir),
                None => return Ok(Node { command, redirs }),
            }
        }
    }

    fn simple(&mut self) -> Result<Node, Syntax> {
        let mut assigns = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirs = Vec::new();
        loop {
            self.blanks();
            if let Some(redir) = self.redirection()? {
                redirs.push(redir);
                continue;
            }
            let Some(c) = self.peek() else { break };
            if c == '(' && words.len() == 1 && assigns.is_empty() && redirs.is_empty() {
                return self.function(&words[0]);
            }
            if ends_word(c) {
                break;
            }
            let word = self.word()?;
            match (words.is_empty(), assignment(&word)) {
                (true, Some(assign)) => assigns.push(assign),
                _ => words.push(word),
            }
        }
        if assigns.is_empty() && words.is_empty() && redirs.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Node { command: Command::Simple { assigns, words }, redirs })
    }

    fn function(&mut self, name: &Word) -> Result<Node, Syntax> {
        let name = match name.as_slice() {
            [Part::Text(text, false)] if is_name(text) => text.clone(),
            _ => return Err(self.unexpected()),
        };
        self.pos += 1;
        self.expect_char(')')?;
        self.newlines()?;
        let body = Rc::new(self.command()?);
        Ok(Node { command: Command::Function { name, body }, redirs: Vec::new() })
    }

    fn redirection(&mut self) -> Result<Option<Redir>, Syntax> {
        let digits = self.chars[self.pos..].iter().take_while(|c| c.is_ascii_digit()).count();
        let op = match self.peek_at(digits) {
            Some(c @ ('<' | '>')) => c,
            _ => return Ok(None),
        };
        let number: String = self.chars[self.pos..self.pos + digits].iter().collect();
        let fd = match number.parse() {
            Ok(fd) => fd,
            Err(_) if digits == 0 => i32::from(op == '>'),
            Err(_) => return Err(Syntax::Message(format!("{number}: bad file descriptor"))),
        };
        self.pos += digits + 1;
        let second = self.peek();
        let make: fn(Word) -> RedirOp = match (op, second) {
            ('<', Some('<')) => {
                self.pos += 1;
                return Ok(Some(Redir { fd, op: self.here_document()? }));
            }
            ('<', Some('>')) => RedirOp::ReadWrite,
            ('>', Some('>')) => RedirOp::Append,
            ('>', Some('|')) => |word| RedirOp::Write { word, clobber: true },
            (_, Some('&')) => RedirOp::Duplicate,
            ('<', _) => RedirOp::Read,
            _ => |word| RedirOp::Write { word, clobber: false },
        };
        let long = match op {
            '<' => matches!(second, Some('>' | '&')),
            _ => matches!(second, Some('>' | '|' | '&')),
        };
        self.pos += usize::from(long);
        self.blanks();
        if self.peek().is_none_or(ends_word) {
            return Err(self.unexpected());
        }
        Ok(Some(Redir { fd, op: make(self.word()?) }))
    }

    fn here_document(&mut self) -> Result<RedirOp, Syntax> {
        let strip_tabs = self.peek() == Some('-');
        self.pos += usize::from(strip_tabs);
        self.blanks();
        if self.peek().is_none_or(ends_word) {
            return Err(self.unexpected());
        }
        let mut end = String::new();
        let mut literal = false;
        for part in self.word()? {
            match part {
                Part::Text(text, quoted) => {
                    end.push_str(&text);
                    literal |= quoted;
                }
                _ => return Err(Syntax::Message("syntax error: bad here-document delimiter".to_owned())),
            }
        }
        let body = Rc::new(RefCell::new(Word::new()));
        self.pending.push(Pending { end, strip_tabs, literal, body: body.clone() });
        Ok(RedirOp::Here(body))
    }
}

/// `name=value` at the start of a simple command.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Part::Text(text, false) = word.first()? else { return None };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut rest = word.clone();
    if value.is_empty() {
        rest.remove(0);
    } else {
        rest[0] = Part::Text(value.to_owned(), false);
    }
    Some((name.to_owned(), rest))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
