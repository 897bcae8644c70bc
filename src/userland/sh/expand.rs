//! From words to fields: tilde, parameters, command substitution, arithmetic,
//! field splitting, names of files, and the removal of quotes; POSIX.1-2024 XCU 2.6.

use std::rc::Rc;

use super::arith;
use super::ast::{List, Param, ParamOp, Part, Word};
use super::pattern::{Ch, glob, is_pattern, matches};
use super::state::{Flow, Fut, Run, Shell, status_of};
use crate::userland::prog::read_text;
use crate::userland::text::words;
use crate::userland::{Errno, Sys};

/// Where a character came from.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Written in the word.
    Literal,
    /// Quoted: nothing more happens to it.
    Quoted,
    /// From an expansion outside quotes: subject to splitting.
    Split,
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Char(char, Kind),
    /// Between two of `"$@"`.
    Break,
    /// Here were quotes: the field exists even when empty.
    Mark,
}

impl<S: Sys> Shell<S> {
    /// All words, split into fields and with names of files.
    pub async fn fields(&mut self, list: &[Word]) -> Run<Vec<String>> {
        let mut fields = Vec::new();
        for word in list {
            let mut units = Vec::new();
            self.units(word, false, &mut units).await?;
            for field in self.split(&units) {
                if !self.option('f') && is_pattern(&field) {
                    let found = glob(&self.sys, &field);
                    if !found.is_empty() {
                        fields.extend(found);
                        continue;
                    }
                }
                fields.push(field.into_iter().map(|c| c.0).collect());
            }
        }
        Ok(fields)
    }

    /// One word as text: no splitting, no names of files.
    pub async fn text(&mut self, word: &Word) -> Run<String> {
        Ok(self.pattern(word).await?.into_iter().map(|c| c.0).collect())
    }

    /// One word as a pattern.
    pub async fn pattern(&mut self, word: &Word) -> Run<Vec<Ch>> {
        let mut units = Vec::new();
        self.units(word, false, &mut units).await?;
        let ch = |unit| match unit {
            Unit::Char(c, kind) => Some((c, kind == Kind::Quoted)),
            Unit::Break => Some((' ', true)),
            Unit::Mark => None,
        };
        Ok(units.into_iter().filter_map(ch).collect())
    }

    fn units<'a>(&'a mut self, word: &'a Word, inner: bool, out: &'a mut Vec<Unit>) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            for (i, part) in word.iter().enumerate() {
                match part {
                    Part::Text(text, true) => {
                        out.push(Unit::Mark);
                        out.extend(text.chars().map(|c| Unit::Char(c, Kind::Quoted)));
                    }
                    Part::Text(text, false) => {
                        let mut text = text.as_str();
                        if i == 0 && text.starts_with('~') {
                            let end = text.find(['/', ':']).unwrap_or(text.len());
                            if (end < text.len() || word.len() == 1)
                                && let Some(home) = self.home(&text[1..end]).await
                            {
                                out.extend(home.chars().map(|c| Unit::Char(c, Kind::Quoted)));
                                text = &text[end..];
                            }
                        }
                        let kind = if inner { Kind::Split } else { Kind::Literal };
                        out.extend(text.chars().map(|c| Unit::Char(c, kind)));
                    }
                    Part::Param(param, quoted) => self.expand_param(param, *quoted, out).await?,
                    Part::Command(list, quoted) => {
                        let text = self.substitute(list.clone()).await?;
                        push(out, &text, *quoted);
                    }
                    Part::Arith(expression, quoted) => {
                        let text = self.text(expression).await?;
                        match arith::evaluate(&text, self) {
                            Ok(value) => push(out, &value.to_string(), *quoted),
                            Err(message) => return self.abort(&message).await,
                        }
                    }
                }
            }
            Ok(())
        })
    }

    async fn home(&self, user: &str) -> Option<String> {
        if user.is_empty() {
            return self.var("HOME").map(str::to_owned);
        }
        let text = read_text(&self.sys, "/etc/passwd").await.ok()?;
        let entry = text.lines().find_map(|l| l.strip_prefix(user)?.strip_prefix(':'))?;
        entry.split(':').nth(4).map(str::to_owned)
    }

    /// `$@` and `$*`.
    fn push_params(&self, star: bool, quoted: bool, out: &mut Vec<Unit>) {
        let separator = self.var("IFS").map_or(Some(' '), |ifs| ifs.chars().next());
        if star && quoted {
            let separator = separator.map(String::from).unwrap_or_default();
            push(out, &self.params.join(&separator), true);
            return;
        }
        for (i, param) in self.params.iter().enumerate() {
            if i > 0 {
                out.push(Unit::Break);
            }
            push(out, param, quoted);
        }
    }

    async fn expand_param(&mut self, param: &Param, quoted: bool, out: &mut Vec<Unit>) -> Run<()> {
        let name = param.name.as_str();
        let all = name == "@" || name == "*";
        let value =
            if all { (!self.params.is_empty()).then(|| self.params.join(" ")) } else { self.parameter(name) };
        let null = |colon: bool| match &value {
            None => true,
            Some(v) => colon && v.is_empty(),
        };
        match &param.op {
            ParamOp::Default { kind: '+', colon, word } => {
                if !null(*colon) {
                    self.units(word, true, out).await?;
                } else if quoted {
                    out.push(Unit::Mark);
                }
                return Ok(());
            }
            ParamOp::Default { kind: '-', colon, word } if null(*colon) => {
                if quoted {
                    out.push(Unit::Mark);
                }
                return self.units(word, true, out).await;
            }
            ParamOp::Default { kind: '=', colon, word } if null(*colon) => {
                if all || !super::word::is_name(name) {
                    return self.abort(&format!("{name}: bad variable name")).await;
                }
                let text = self.text(word).await?;
                if let Err(message) = self.assign(name, text.clone()) {
                    return self.abort(&message).await;
                }
                push(out, &text, quoted);
                return Ok(());
            }
            ParamOp::Default { kind: '?', colon, word } if null(*colon) => {
                let mut text = self.text(word).await?;
                if text.is_empty() {
                    text = "parameter not set".to_owned();
                    if *colon {
                        text.push_str(" or null");
                    }
                }
                return self.abort(&format!("{name}: {text}")).await;
            }
            ParamOp::Plain | ParamOp::Default { .. } if all => {
                self.push_params(name == "*", quoted, out);
                return Ok(());
            }
            _ => {}
        }
        let value = match value {
            Some(value) => value,
            None if self.option('u') && !all => {
                return self.abort(&format!("{name}: parameter not set")).await;
            }
            None => String::new(),
        };
        match &param.op {
            ParamOp::Length if all => push(out, &self.params.len().to_string(), quoted),
            ParamOp::Length => push(out, &value.chars().count().to_string(), quoted),
            ParamOp::Trim { suffix, longest, pattern } => {
                let pattern = self.pattern(pattern).await?;
                push(out, &trim(&value, &pattern, *suffix, *longest), quoted);
            }
            _ => push(out, &value, quoted),
        }
        Ok(())
    }

    /// The output of commands run in a subshell, without trailing newlines.
    async fn substitute(&mut self, list: Rc<List>) -> Run<String> {
        let (read, write) = match self.sys.pipe() {
            Ok(ends) => ends,
            Err(e) => return self.abort(&format!("pipe: {}", words(e))).await,
        };
        let pid = self.fork(move |mut child| async move {
            let _ = child.sys.close(read);
            if write != 1 {
                let _ = child.sys.dup2(write, 1);
                let _ = child.sys.close(write);
            }
            let result = child.run_list(&list).await;
            child.leave(result).await
        });
        let _ = self.sys.close(write);
        let pid = match pid {
            Ok(pid) => pid,
            Err(e) => {
                let _ = self.sys.close(read);
                return self.abort(&format!("fork: {}", words(e))).await;
            }
        };
        let mut bytes = Vec::new();
        loop {
            match self.sys.read(read, 64 * 1024).await {
                Ok(part) if part.is_empty() => break,
                Ok(part) => bytes.extend_from_slice(&part),
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        let _ = self.sys.close(read);
        self.substituted = Some(self.wait_child(pid).await.map_or(127, status_of));
        while bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        bytes.retain(|b| *b != 0);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn split(&self, units: &[Unit]) -> Vec<Vec<Ch>> {
        let ifs: Vec<char> = self.var("IFS").unwrap_or(" \t\n").chars().collect();
        let mut fields = Vec::new();
        let mut field: Vec<Ch> = Vec::new();
        let mut exists = false;
        // A field just ended at blanks: a separator that follows belongs to them.
        let mut blanks = false;
        for unit in units {
            match *unit {
                Unit::Mark => {
                    exists = true;
                    blanks = false;
                }
                Unit::Break => {
                    if exists {
                        fields.push(std::mem::take(&mut field));
                    }
                    exists = false;
                    blanks = false;
                }
                Unit::Char(c, Kind::Split) if ifs.contains(&c) => {
                    if c.is_ascii_whitespace() {
                        if exists {
                            fields.push(std::mem::take(&mut field));
                            blanks = true;
                        }
                    } else if blanks && !exists {
                        blanks = false;
                    } else {
                        fields.push(std::mem::take(&mut field));
                        blanks = false;
                    }
                    exists = false;
                }
                Unit::Char(c, kind) => {
                    field.push((c, kind == Kind::Quoted));
                    exists = true;
                    blanks = false;
                }
            }
        }
        if exists {
            fields.push(field);
        }
        fields
    }
}

fn push(out: &mut Vec<Unit>, text: &str, quoted: bool) {
    if quoted {
        out.push(Unit::Mark);
    }
    let kind = if quoted { Kind::Quoted } else { Kind::Split };
    out.extend(text.chars().map(|c| Unit::Char(c, kind)));
}

/// `${x%pattern}` and its kin.
fn trim(value: &str, pattern: &[Ch], suffix: bool, longest: bool) -> String {
    let chars: Vec<char> = value.chars().collect();
    let n = chars.len();
    let lengths: Box<dyn Iterator<Item = usize>> =
        if longest { Box::new((0..=n).rev()) } else { Box::new(0..=n) };
    for length in lengths {
        let cut = if suffix { &chars[n - length..] } else { &chars[..length] };
        if matches(pattern, cut) {
            let kept = if suffix { &chars[..n - length] } else { &chars[length..] };
            return kept.iter().collect();
        }
    }
    value.to_owned()
}

/// What a failed expansion means for the status.
pub fn flow_status(flow: Flow) -> u8 {
    match flow {
        Flow::Return(s) | Flow::Exit(s) | Flow::Abort(s) => s,
        Flow::Break(_) | Flow::Continue(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims() {
        let pattern = |p: &str| p.chars().map(|c| (c, false)).collect::<Vec<_>>();
        for (value, p, suffix, longest, expected) in [
            ("a.tar.gz", ".*", true, false, "a.tar"),
            ("a.tar.gz", ".*", true, true, "a"),
            ("/x/y", "*/", false, false, "x/y"),
            ("/x/y", "*/", false, true, "y"),
            ("abc", "z", true, false, "abc"),
            ("", "*", true, true, ""),
        ] {
            assert_eq!(trim(value, &pattern(p), suffix, longest), expected, "{value} {p}");
        }
    }
}
