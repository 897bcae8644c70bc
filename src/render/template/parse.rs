//! Pieces to a tree.

use std::ops::Range;

use serde_json::Value;

use super::Wrong;
use super::functions;
use super::lex::{Piece, Token, Word};

/// A part of the template.
#[derive(Clone, Debug)]
pub enum Node {
    /// Copied.
    Text(String),
    /// The value of a pipeline is written, unless it goes to a variable.
    Output(Pipeline),
    /// The first branch whose condition holds.
    If { branches: Vec<(Pipeline, Vec<Node>)>, otherwise: Vec<Node> },
    /// The body with the value as dot, if it is not empty.
    With { value: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    /// The body for each element.
    Range { value: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
}

/// `$x := a | b c | d`
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// `$key, $value` or `$value` before `:=`.
    pub variables: Vec<String>,
    /// At least one.
    pub commands: Vec<Command>,
    pub span: Range<usize>,
}

/// A value, or a function with its arguments.
#[derive(Clone, Debug)]
pub struct Command {
    pub operands: Vec<Operand>,
}

/// A value and the fields taken from it.
#[derive(Clone, Debug)]
pub struct Operand {
    pub base: Base,
    pub fields: Vec<(String, Range<usize>)>,
    pub span: Range<usize>,
}

/// Where a value begins.
#[derive(Clone, Debug)]
pub enum Base {
    /// `.`
    Dot,
    /// `$`, the whole data, has the empty name.
    Variable(String),
    /// A constant.
    Constant(Value),
    /// A function of the table.
    Function(String),
    /// In parentheses.
    Pipeline(Box<Pipeline>),
}

/// Reads all pieces.
pub fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, Wrong> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0 };
    let (nodes, end) = parser.nodes()?;
    match end {
        None => Ok(nodes),
        Some(end) => Err(Wrong::new(end.span, format!("unexpected {{{{{}}}}}", end.keyword))),
    }
}

/// Deeper templates are no templates of people.
const MAX_DEPTH: u32 = 100;

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    depth: u32,
}

/// The action that ends a list of nodes: `end`, `else`, `else if …`.
struct End {
    keyword: &'static str,
    rest: Vec<Token>,
    span: Range<usize>,
}

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<End>), Wrong> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (tokens, span) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens, span) => (tokens, span),
            };
            let keyword = match tokens.first().map(|t| &t.word) {
                Some(Word::Name(name)) => name.clone(),
                None => return Err(Wrong::new(span, "missing value in an action").hint("such as {{.ID}}")),
                _ => String::new(),
            };
            match keyword.as_str() {
                "end" | "else" => {
                    let rest = tokens[1..].to_vec();
                    let keyword = if keyword == "end" { "end" } else { "else" };
                    return Ok((nodes, Some(End { keyword, rest, span })));
                }
                "if" => nodes.push(self.conditional(&tokens[1..], span)?),
                "with" | "range" => {
                    let value = pipeline(&tokens[1..], &span)?;
                    let (body, otherwise) = self.body(&keyword, &span)?;
                    nodes.push(match keyword.as_str() {
                        "with" => Node::With { value, body, otherwise },
                        _ => Node::Range { value, body, otherwise },
                    });
                }
                "define" | "template" | "block" | "break" | "continue" => {
                    return Err(Wrong::new(tokens[0].span.clone(), format!("{keyword} is not supported")));
                }
                _ => nodes.push(Node::Output(pipeline(&tokens, &span)?)),
            }
        }
        Ok((nodes, None))
    }

    fn conditional(&mut self, condition: &[Token], span: Range<usize>) -> Result<Node, Wrong> {
        let mut branches = Vec::new();
        let mut condition = pipeline(condition, &span)?;
        loop {
            let (body, end) = self.inner("if", &span)?;
            branches.push((condition, body));
            match (end.keyword, end.rest.first().map(|t| &t.word)) {
                ("else", Some(Word::Name(name))) if name == "if" => {
                    condition = pipeline(&end.rest[1..], &end.span)?;
                }
                ("else", None) => {
                    let (otherwise, end) = self.inner("if", &span)?;
                    only_end(&end)?;
                    return Ok(Node::If { branches, otherwise });
                }
                _ => {
                    only_end(&end)?;
                    return Ok(Node::If { branches, otherwise: Vec::new() });
                }
            }
        }
    }

    fn body(&mut self, keyword: &str, span: &Range<usize>) -> Result<(Vec<Node>, Vec<Node>), Wrong> {
        let (body, end) = self.inner(keyword, span)?;
        if end.keyword == "else" && end.rest.is_empty() {
            let (otherwise, end) = self.inner(keyword, span)?;
            only_end(&end)?;
            return Ok((body, otherwise));
        }
        only_end(&end)?;
        Ok((body, Vec::new()))
    }

    fn inner(&mut self, keyword: &str, span: &Range<usize>) -> Result<(Vec<Node>, End), Wrong> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Wrong::new(span.clone(), "the template is nested too deep"));
        }
        let (nodes, end) = self.nodes()?;
        self.depth -= 1;
        let end = end.ok_or_else(|| {
            Wrong::new(span.clone(), format!("this {{{{{keyword}}}}} has no end"))
                .hint("close it with {{end}}")
        })?;
        Ok((nodes, end))
    }
}

fn only_end(end: &End) -> Result<(), Wrong> {
    match (end.keyword, end.rest.first()) {
        ("end", None) => Ok(()),
        (_, Some(extra)) => {
            Err(Wrong::new(extra.span.clone(), format!("unexpected word after {}", end.keyword)))
        }
        (keyword, None) => Err(Wrong::new(end.span.clone(), format!("unexpected {{{{{keyword}}}}}"))),
    }
}

fn pipeline(tokens: &[Token], action: &Range<usize>) -> Result<Pipeline, Wrong> {
    let mut words = Words { tokens, at: 0, action, depth: 0 };
    let pipeline = words.pipeline(true)?;
    match words.tokens.get(words.at) {
        None => Ok(pipeline),
        Some(extra) => Err(Wrong::new(extra.span.clone(), "unexpected word")),
    }
}

struct Words<'a> {
    tokens: &'a [Token],
    at: usize,
    action: &'a Range<usize>,
    depth: u32,
}

impl Words<'_> {
    fn peek(&self) -> Option<&Word> {
        self.tokens.get(self.at).map(|t| &t.word)
    }

    fn pipeline(&mut self, may_assign: bool) -> Result<Pipeline, Wrong> {
        self.depth += 1;
        let start = self.tokens.get(self.at).map_or(self.action.clone(), |t| t.span.clone());
        if self.depth > MAX_DEPTH {
            return Err(Wrong::new(start, "the template is nested too deep"));
        }
        let variables = if may_assign { self.variables() } else { Vec::new() };
        let mut commands = vec![self.command(&start)?];
        while self.peek() == Some(&Word::Pipe) {
            let bar = self.tokens[self.at].span.clone();
            self.at += 1;
            let command = self.command(&bar)?;
            if !matches!(command.operands[0].base, Base::Function(_)) {
                let span = command.operands[0].span.clone();
                return Err(Wrong::new(span, "only a function can stand behind a pipe"));
            }
            commands.push(command);
        }
        let end = self.tokens[..self.at].last().map_or(start.end, |t| t.span.end);
        self.depth -= 1;
        Ok(Pipeline { variables, commands, span: start.start..end.max(start.start) })
    }

    /// `$i, $x :=`, if that is what comes.
    fn variables(&mut self) -> Vec<String> {
        let words: Vec<&Word> = self.tokens[self.at..].iter().take(4).map(|t| &t.word).collect();
        match words[..] {
            [Word::Variable(a), Word::Assign, ..] => {
                self.at += 2;
                vec![a.clone()]
            }
            [Word::Variable(a), Word::Comma, Word::Variable(b), Word::Assign] => {
                self.at += 4;
                vec![a.clone(), b.clone()]
            }
            _ => Vec::new(),
        }
    }

    fn command(&mut self, before: &Range<usize>) -> Result<Command, Wrong> {
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            match self.peek() {
                None | Some(Word::Pipe | Word::Close) => break,
                // `.A .B` are two operands, `.A.B` is one.
                Some(Word::Field { name, glued: true }) if !operands.is_empty() => {
                    let field = (name.clone(), self.tokens[self.at].span.clone());
                    if let Some(last) = operands.last_mut() {
                        last.span.end = field.1.end;
                        last.fields.push(field);
                    }
                    self.at += 1;
                }
                Some(_) => operands.push(self.operand()?),
            }
        }
        match operands.first() {
            None => Err(Wrong::new(before.clone(), "missing value in an action")),
            // A field with arguments is a method, such as `.Label "name"`.
            Some(Operand { base: Base::Constant(_), span, .. }) if operands.len() > 1 => {
                Err(Wrong::new(span.clone(), "a constant takes no arguments"))
            }
            Some(_) => Ok(Command { operands }),
        }
    }

    fn operand(&mut self) -> Result<Operand, Wrong> {
        let token = self.tokens[self.at].clone();
        self.at += 1;
        let mut fields = Vec::new();
        let base = match token.word {
            Word::Dot => Base::Dot,
            Word::Field { name, .. } => {
                fields.push((name, token.span.clone()));
                Base::Dot
            }
            Word::Variable(name) => Base::Variable(name),
            Word::Text(text) => Base::Constant(Value::from(text)),
            Word::Number(number) => Base::Constant(Value::from(number)),
            Word::Name(name) => match name.as_str() {
                "true" => Base::Constant(Value::Bool(true)),
                "false" => Base::Constant(Value::Bool(false)),
                "nil" => Base::Constant(Value::Null),
                _ if functions::exists(&name) => Base::Function(name),
                _ => {
                    return Err(Wrong::new(token.span, format!("there is no function {name:?}"))
                        .hint(functions::hint(&name)));
                }
            },
            Word::Open => {
                let inner = self.pipeline(false)?;
                if self.peek() != Some(&Word::Close) {
                    return Err(Wrong::new(token.span, "unclosed parenthesis"));
                }
                self.at += 1;
                Base::Pipeline(Box::new(inner))
            }
            Word::Pipe | Word::Close | Word::Comma | Word::Assign => {
                return Err(Wrong::new(token.span, "unexpected sign in an action"));
            }
        };
        let end = self.tokens[self.at - 1].span.end;
        Ok(Operand { base, fields, span: token.span.start..end })
    }
}
