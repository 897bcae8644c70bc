//! Finding programs through PATH and becoming one: fork(2) and execve(2).

use super::ast::Node;
use super::state::{Flow, Run, Shell};
use crate::userland::prog::read_text;
use crate::userland::text::{join, words};
use crate::userland::{Errno, FileType, Sys};

impl<S: Sys> Shell<S> {
    /// A program in a child of its own (or, with `last`, in this process).
    pub async fn run_program(
        &mut self,
        node: &Node,
        values: Vec<(String, String)>,
        fields: Vec<String>,
        last: bool,
    ) -> Run<u8> {
        if last {
            return Ok(self.become_program(node, values, &fields).await);
        }
        let node = node.clone();
        let pid =
            self.fork(move |mut child| async move { child.become_program(&node, values, &fields).await });
        match pid {
            Ok(pid) => Ok(self.wait_foreground(pid).await),
            Err(e) => self.abort(&format!("can't fork: {}", words(e))).await,
        }
    }

    async fn become_program(&mut self, node: &Node, values: Vec<(String, String)>, fields: &[String]) -> u8 {
        match self.redirect(&node.redirs, None).await {
            Ok(true) => {}
            Ok(false) => return 1,
            Err(flow) => return super::expand::flow_status(flow),
        }
        for (name, value) in values {
            if let Err(message) = self.assign(&name, value) {
                self.complain(&message).await;
                return 2;
            }
            if let Some(var) = self.vars.get_mut(&name) {
                var.export = true;
            }
        }
        self.exec(fields).await
    }

    /// Becomes the program; the status, after a message, if that fails.
    pub async fn exec(&mut self, fields: &[String]) -> u8 {
        let name = &fields[0];
        let environment = self.environment();
        let mut denied = None;
        for path in self.candidates(name) {
            match self.sys.exec(&path, fields, &environment).await {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::ENOEXEC => return Box::pin(self.run_script(&path, fields)).await,
                e => {
                    denied = Some(e);
                    if e != Errno::EACCES {
                        break;
                    }
                }
            }
        }
        match denied {
            Some(e) => {
                self.complain_at(name, e).await;
                126
            }
            None => {
                self.complain(&format!("{name}: not found")).await;
                127
            }
        }
    }

    fn candidates(&self, name: &str) -> Vec<String> {
        if name.contains('/') {
            return vec![name.to_owned()];
        }
        if name.is_empty() {
            return Vec::new();
        }
        let path = self.var("PATH").unwrap_or_default();
        let dirs = path.split(':').map(|d| if d.is_empty() { "." } else { d });
        dirs.map(|d| join(d, name)).collect()
    }

    /// Where a program is.
    pub fn find_program(&self, name: &str) -> Option<String> {
        let is_program = |path: &String| {
            self.sys.executable(path).is_ok() && self.sys.stat(path).is_ok_and(|s| s.kind == FileType::File)
        };
        self.candidates(name).into_iter().find(is_program)
    }

    /// A file without `#!` that the kernel does not know: a script for this shell.
    async fn run_script(&mut self, path: &str, fields: &[String]) -> u8 {
        let text = match read_text(&self.sys, path).await {
            Ok(text) => text,
            Err(e) => {
                self.complain_at(path, e).await;
                return 126;
            }
        };
        let mut shell = Shell::new(self.sys.clone(), fields[0].clone(), &self.environment());
        shell.params = fields[1..].to_vec();
        shell.pid = self.sys.getpid();
        let result = shell.run_text(&text).await;
        shell.leave(result).await
    }

    /// `exec`: redirections that stay, and another program in this process.
    pub async fn exec_builtin(
        &mut self,
        node: &Node,
        values: Vec<(String, String)>,
        args: &[String],
    ) -> Run<u8> {
        if !self.redirect(&node.redirs, None).await? {
            return Err(Flow::Abort(1));
        }
        for (name, value) in values {
            if let Err(message) = self.assign(&name, value) {
                return self.abort(&message).await;
            }
            if let Some(var) = self.vars.get_mut(&name) {
                var.export |= !args.is_empty();
            }
        }
        let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
        if args.is_empty() {
            return Ok(0);
        }
        if self.interactive {
            let _ = self.sys.ignore_signal(2, false);
        }
        let status = self.exec(args).await;
        Err(if self.interactive { Flow::Abort(status) } else { Flow::Exit(status) })
    }
}
