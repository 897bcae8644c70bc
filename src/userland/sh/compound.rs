//! The grammar of `if`, `for`, `case` and the bodies of loops.

use super::ast::{Arm, Command, List};
use super::parse::{Parser, Syntax};
use super::word::{ends_word, is_name};

impl Parser {
    pub(super) fn if_command(&mut self) -> Result<Command, Syntax> {
        self.pos += 2;
        let mut branches = Vec::new();
        loop {
            let condition = self.full_list(&["then"])?;
            self.expect("then")?;
            let body = self.full_list(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            match self.reserved() {
                Some("elif") => self.pos += 4,
                Some("else") => {
                    self.pos += 4;
                    let otherwise = self.full_list(&["fi"])?;
                    self.expect("fi")?;
                    return Ok(Command::If { branches, otherwise });
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(Command::If { branches, otherwise: List::new() });
                }
            }
        }
    }

    pub(super) fn do_group(&mut self) -> Result<List, Syntax> {
        self.expect("do")?;
        let body = self.full_list(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    pub(super) fn for_command(&mut self) -> Result<Command, Syntax> {
        self.pos += 3;
        self.blanks();
        let name = self.token();
        if !is_name(&name) {
            return Err(match self.peek() {
                Some(_) => Syntax::Message("syntax error: bad for loop variable".to_owned()),
                None => self.unexpected(),
            });
        }
        self.pos += name.len();
        self.newlines()?;
        let mut words = None;
        if self.reserved() == Some("in") {
            self.pos += 2;
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.peek() {
                    None => return Err(self.unexpected()),
                    Some('\n') => break,
                    Some(';') => {
                        self.pos += 1;
                        break;
                    }
                    Some(c) if ends_word(c) => return Err(self.unexpected()),
                    Some(_) => list.push(self.word()?),
                }
            }
            words = Some(list);
        } else if self.peek() == Some(';') {
            self.pos += 1;
        }
        Ok(Command::For { name, words, body: self.do_group()? })
    }

    pub(super) fn case_command(&mut self) -> Result<Command, Syntax> {
        self.pos += 4;
        self.blanks();
        if self.peek().is_none_or(ends_word) {
            return Err(self.unexpected());
        }
        let word = self.word()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.reserved() == Some("esac") {
                self.pos += 4;
                return Ok(Command::Case { word, arms });
            }
            if self.peek() == Some('(') {
                self.pos += 1;
                self.blanks();
            }
            let mut patterns = Vec::new();
            loop {
                if self.peek().is_none_or(ends_word) {
                    return Err(self.unexpected());
                }
                patterns.push(self.word()?);
                self.blanks();
                if self.peek() != Some('|') {
                    break;
                }
                self.pos += 1;
                self.blanks();
            }
            self.expect_char(')')?;
            let body = self.list(&["esac"])?;
            arms.push(Arm { patterns, body });
            match (self.peek(), self.peek_at(1)) {
                (Some(';'), Some(';')) => self.pos += 2,
                _ if self.reserved() == Some("esac") => {}
                _ => return Err(self.unexpected()),
            }
        }
    }
}
