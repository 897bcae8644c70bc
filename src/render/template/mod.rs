//! `--format`: the part of Go's text/template that people use with Docker.
//!
//! `{{.Field}}`, nested fields, `$variables`, pipes, parentheses, `if`, `else
//! if`, `else`, `with`, `range`, comments and trim markers; the functions are in
//! [`functions`]. The data is JSON; a field that the data does not have is an
//! error that shows the place, except below an object whose keys are data (they
//! do not begin with a capital), such as labels.

mod eval;
mod functions;
mod lex;
mod parse;
mod value;

use std::fmt;
use std::ops::Range;

use serde_json::Value;

/// A template, ready to be filled in.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    nodes: Vec<parse::Node>,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// The template as given.
    pub source_text: String,
    /// Bytes of it that are to blame.
    pub span: Range<usize>,
    /// What is wrong.
    pub reason: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for TemplateError {
    /// The reason, the line of the template, and a mark below the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.source_text;
        let at =
            |byte: usize| (0..=byte.min(text.len())).rev().find(|b| text.is_char_boundary(*b)).unwrap_or(0);
        let (start, end) = (at(self.span.start), at(self.span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let column = text[line_start..start].chars().count();
        let marks = text[start..end.clamp(start, line_end)].chars().count().max(1);
        writeln!(f, "template, column {}: {}", column + 1, self.reason)?;
        writeln!(f, "  {}", text[line_start..line_end].replace('\t', " "))?;
        write!(f, "  {}{}", " ".repeat(column), "^".repeat(marks))
    }
}

/// What is wrong with a piece of a template.
#[derive(Debug)]
struct Wrong {
    span: Range<usize>,
    reason: String,
    hint: Option<String>,
}

impl Wrong {
    fn new(span: Range<usize>, reason: impl Into<String>) -> Self {
        Wrong { span, reason: reason.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When it breaks the grammar or names a function that does not exist.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let nodes = lex::lex(source).and_then(parse::parse).map_err(|w| locate(source, w))?;
        Ok(Template { source: source.to_owned(), nodes })
    }

    /// Fills it in.
    ///
    /// # Errors
    /// When the data lacks a field, or a function is used on what it cannot take.
    pub fn render(&self, data: &Value) -> Result<String, TemplateError> {
        eval::render(&self.nodes, data, false).map_err(|w| locate(&self.source, w))
    }

    /// The heading of a table: `data` has the headings for values, which functions
    /// other than `printf` and `println` leave as they are.
    ///
    /// # Errors
    /// As for [`Template::render`].
    pub fn heading(&self, data: &Value) -> Result<String, TemplateError> {
        eval::render(&self.nodes, data, true).map_err(|w| locate(&self.source, w))
    }
}

fn locate(source: &str, wrong: Wrong) -> TemplateError {
    TemplateError { source_text: source.to_owned(), span: wrong.span, reason: wrong.reason, hint: wrong.hint }
}

#[cfg(test)]
mod tests;
