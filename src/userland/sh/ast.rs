//! What the parser makes of a script: POSIX.1-2024 XCU 2, "Shell Command Language".

use std::cell::RefCell;
use std::rc::Rc;

use crate::userland::Fd;

/// A piece of a word. The flag says whether it stood inside quotes.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String, bool),
    Param(Box<Param>, bool),
    Command(Rc<List>, bool),
    Arith(Word, bool),
}

pub type Word = Vec<Part>;

/// `$name` or `${name…}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    pub op: ParamOp,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamOp {
    Plain,
    Length,
    /// `kind` is one of `-=?+`; with `colon`, empty counts as unset.
    Default {
        kind: char,
        colon: bool,
        word: Word,
    },
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
}

/// Commands separated by `;`, `&` or newlines.
pub type List = Vec<Item>;

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub list: Rc<AndOr>,
    pub background: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AndOr {
    pub first: Pipeline,
    /// `true` is `&&`.
    pub rest: Vec<(bool, Pipeline)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub negated: bool,
    pub stages: Vec<Rc<Node>>,
}

/// A command with its redirections.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub command: Command,
    pub redirs: Vec<Redir>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Simple { assigns: Vec<(String, Word)>, words: Vec<Word> },
    Group(List),
    Subshell(List),
    If { branches: Vec<(List, List)>, otherwise: List },
    Loop { until: bool, condition: List, body: List },
    For { name: String, words: Option<Vec<Word>>, body: List },
    Case { word: Word, arms: Vec<Arm> },
    Function { name: String, body: Rc<Node> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub patterns: Vec<Word>,
    pub body: List,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Redir {
    pub fd: Fd,
    pub op: RedirOp,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RedirOp {
    Read(Word),
    Write {
        word: Word,
        clobber: bool,
    },
    Append(Word),
    ReadWrite(Word),
    /// `n>&m`, `n<&m`, `n>&-`.
    Duplicate(Word),
    /// The body is known when the line ends.
    Here(Rc<RefCell<Word>>),
}
