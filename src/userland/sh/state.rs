//! What a shell knows: variables, parameters, functions, options, traps, jobs.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::arith::Variables;
use super::ast::Node;
use super::word::is_name;
use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{Errno, Exit, Fd, Pid, Sys};

/// Why commands stop before their end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flow {
    Break(u32),
    Continue(u32),
    Return(u8),
    /// The shell ends.
    Exit(u8),
    /// An error, already told: a script ends, an interactive shell asks for the next command.
    Abort(u8),
}

pub type Run<T> = Result<T, Flow>;
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct Var {
    /// `None`: exported or read-only, but not set.
    pub value: Option<String>,
    pub export: bool,
    pub readonly: bool,
}

/// Options, by the letter of `set`.
pub const OPTIONS: [(char, &str); 9] = [
    ('e', "errexit"),
    ('u', "nounset"),
    ('x', "xtrace"),
    ('f', "noglob"),
    ('n', "noexec"),
    ('v', "verbose"),
    ('a', "allexport"),
    ('C', "noclobber"),
    ('m', "monitor"),
];

/// A child in the background.
#[derive(Clone, Debug)]
pub struct Job {
    pub number: u32,
    pub pid: Pid,
    pub ended: Option<u8>,
}

/// The signal number that stands for the end of the shell in `traps`.
pub const TRAP_EXIT: i32 = 0;

/// A shell.
#[derive(Clone)]
pub struct Shell<S> {
    pub sys: S,
    /// `$0`, and the start of messages.
    pub name: String,
    pub params: Vec<String>,
    pub vars: BTreeMap<String, Var>,
    /// What `local` hid, one list per running function.
    pub hidden: Vec<Vec<(String, Option<Var>)>>,
    pub functions: BTreeMap<String, Rc<Node>>,
    pub options: Vec<char>,
    /// `$?`.
    pub status: u8,
    /// Of the last command substitution of the present command.
    pub substituted: Option<u8>,
    /// `$$`: not changed by subshells.
    pub pid: Pid,
    /// `$!`.
    pub background: Option<Pid>,
    pub jobs: Vec<Job>,
    /// Actions; an empty one ignores the signal.
    pub traps: BTreeMap<i32, String>,
    pub in_trap: bool,
    pub interactive: bool,
    /// Above zero, a failing command does not end a shell with `-e`.
    pub tested: u32,
    pub loops: u32,
    /// Functions and sourced files that `return` can leave.
    pub returns: u32,
    /// Nested calls, bounded lest the stack overflow.
    pub depth: u32,
    /// Descriptors saved around redirections; no child keeps them.
    pub saved_fds: Vec<Fd>,
}

impl<S: Sys> Shell<S> {
    pub fn new(sys: S, name: String, env: &[String]) -> Self {
        let mut vars = BTreeMap::new();
        for entry in env {
            if let Some((name, value)) = entry.split_once('=').filter(|(n, _)| is_name(n)) {
                let var = Var { value: Some(value.to_owned()), export: true, readonly: false };
                vars.insert(name.to_owned(), var);
            }
        }
        let pid = sys.getpid();
        let mut shell = Shell {
            sys,
            name,
            params: Vec::new(),
            vars,
            hidden: Vec::new(),
            functions: BTreeMap::new(),
            options: Vec::new(),
            status: 0,
            substituted: None,
            pid,
            background: None,
            jobs: Vec::new(),
            traps: BTreeMap::new(),
            in_trap: false,
            interactive: false,
            tested: 0,
            loops: 0,
            returns: 0,
            depth: 0,
            saved_fds: Vec::new(),
        };
        shell.vars.insert("IFS".to_owned(), Var { value: Some(" \t\n".to_owned()), ..Var::default() });
        for (name, value) in [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("PS2", "> ".to_owned()),
            ("PS4", "+ ".to_owned()),
            ("PPID", shell.sys.getppid().to_string()),
        ] {
            let var = shell.vars.entry(name.to_owned()).or_default();
            var.value.get_or_insert(value);
        }
        if let Ok(cwd) = shell.sys.getcwd() {
            shell.vars.entry("PWD".to_owned()).or_default().value = Some(cwd);
        }
        shell
    }

    pub fn option(&self, letter: char) -> bool {
        self.options.contains(&letter)
    }

    pub fn set_option(&mut self, letter: char, on: bool) {
        self.options.retain(|o| *o != letter);
        if on {
            self.options.push(letter);
        }
    }

    /// A variable's value.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name)?.value.as_deref()
    }

    /// Sets a variable; the error is a message.
    pub fn assign(&mut self, name: &str, value: String) -> Result<(), String> {
        let all = self.option('a');
        let var = self.vars.entry(name.to_owned()).or_default();
        if var.readonly {
            return Err(format!("{name}: is read only"));
        }
        var.value = Some(value);
        var.export |= all;
        Ok(())
    }

    /// A variable or a special parameter, unless it is `@` or `*`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "$" => Some(self.pid.to_string()),
            "!" => self.background.map(|p| p.to_string()),
            "#" => Some(self.params.len().to_string()),
            "0" => Some(self.name.clone()),
            "-" => {
                let mut flags: String = self.options.iter().collect();
                if self.interactive {
                    flags.push('i');
                }
                Some(flags)
            }
            _ if name.starts_with(|c: char| c.is_ascii_digit()) => {
                let index: usize = name.parse().ok()?;
                self.params.get(index.checked_sub(1)?).cloned()
            }
            _ => self.var(name).map(str::to_owned),
        }
    }

    /// What a program gets.
    pub fn environment(&self) -> Vec<String> {
        let exported = self.vars.iter().filter(|(_, v)| v.export);
        exported.filter_map(|(n, v)| Some(format!("{n}={}", v.value.as_ref()?))).collect()
    }

    /// Writes `NAME: message` to standard error.
    pub async fn complain(&self, message: &str) {
        // Nowhere is left to tell of a failure here.
        let _ = self.sys.write(2, format!("{}: {message}\n", self.name).as_bytes()).await;
    }

    /// [`complain`](Self::complain) of an error number.
    pub async fn complain_at(&self, what: &str, e: Errno) {
        self.complain(&format!("{what}: {}", words(e))).await;
    }

    /// A message, and the end of the script.
    pub async fn abort<T>(&self, message: &str) -> Run<T> {
        self.complain(message).await;
        Err(Flow::Abort(2))
    }

    /// A program that runs inside the shell, for what is a builtin too.
    pub fn inner(&self, args: &[String]) -> Prog<S> {
        Prog::new(self.sys.clone(), self.name.clone(), args.to_vec(), Vec::new())
    }

    /// Makes this copy a subshell: in a forked child.
    pub fn enter_child(&mut self) {
        self.interactive = false;
        self.jobs.clear();
        self.in_trap = false;
        for (signal, action) in std::mem::take(&mut self.traps) {
            if action.is_empty() {
                self.traps.insert(signal, action);
            } else if signal != TRAP_EXIT {
                // Fails only for signals that could not be caught either.
                let _ = self.sys.ignore_signal(signal, false);
            }
        }
        for fd in std::mem::take(&mut self.saved_fds) {
            let _ = self.sys.close(fd);
        }
    }

    /// Forks a child that is a copy of this shell.
    pub fn fork<F, T>(&mut self, body: F) -> Result<Pid, Errno>
    where
        F: FnOnce(Shell<S>) -> T + 'static,
        T: Future<Output = u8> + 'static,
    {
        let mut child = self.clone();
        let was_interactive = self.interactive;
        self.sys.fork(move |sys| {
            child.sys = sys;
            child.enter_child();
            if was_interactive {
                let _ = child.sys.ignore_signal(2, false);
            }
            body(child)
        })
    }

    /// Remembers that a background child ended.
    pub fn note_ended(&mut self, pid: Pid, status: u8) {
        if let Some(job) = self.jobs.iter_mut().find(|j| j.pid == pid) {
            job.ended = Some(status);
        }
    }

    /// Takes away children that have ended, so that none stays a zombie.
    pub fn reap(&mut self) {
        if self.jobs.is_empty() && self.pid != 1 {
            return;
        }
        while let Some((pid, exit)) = self.sys.reap() {
            self.note_ended(pid, status_of(exit));
        }
    }
}

/// `$?` of a child.
pub fn status_of(exit: Exit) -> u8 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => (128 + signal) as u8,
    }
}

impl<S: Sys> Variables for Shell<S> {
    fn get(&self, name: &str) -> Option<String> {
        self.var(name).map(str::to_owned)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        self.assign(name, value)
    }
}

/// A value quoted so that a shell reads it back.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
