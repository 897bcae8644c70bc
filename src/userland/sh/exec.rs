//! Running what was parsed.

use std::rc::Rc;

use super::ast::{AndOr, Command, Item, List, Node, Pipeline};
use super::parse::{Parser, Syntax};
use super::pattern::matches;
use super::state::{Flow, Fut, Job, Run, Shell, TRAP_EXIT, status_of};
use crate::userland::text::{signal_words, words};
use crate::userland::{Errno, Exit, Fd, OpenFlags, Pid, Sys, SysResult};

/// Commands nested deeper than this (a function call nests two or more) are
/// refused, lest the stack overflow: a level takes some 12 KiB unoptimised.
const MAX_DEPTH: u32 = 400;

impl<S: Sys> Shell<S> {
    /// Runs all of a text, line by line.
    pub async fn run_text(&mut self, text: &str) -> Run<u8> {
        let mut parser = Parser::new(text, true);
        self.status = 0;
        loop {
            match parser.next_line() {
                Ok(None) => return Ok(self.status),
                Ok(Some(list)) => {
                    self.run_list(&list).await?;
                }
                Err(Syntax::Message(message)) => return self.abort(&message).await,
                Err(Syntax::Incomplete) => {
                    return self.abort("syntax error: unterminated quoted string").await;
                }
            }
        }
    }

    pub fn run_list<'a>(&'a mut self, list: &'a List) -> Fut<'a, Run<u8>> {
        Box::pin(async move {
            for Item { list, background } in list {
                if *background {
                    self.run_background(list.clone()).await?;
                } else {
                    self.run_and_or(list).await?;
                }
                self.run_traps().await?;
            }
            Ok(self.status)
        })
    }

    async fn run_background(&mut self, list: Rc<AndOr>) -> Run<()> {
        let interactive = self.interactive;
        let pid = self.fork(move |mut child| async move {
            for signal in [2, 3] {
                let _ = child.sys.ignore_signal(signal, true);
            }
            if !interactive
                && let Ok(fd) = child.sys.open("/dev/null", OpenFlags::READ, 0).await
                && fd != 0
            {
                let _ = child.sys.dup2(fd, 0);
                let _ = child.sys.close(fd);
            }
            // A lone command takes this process, so that `$!` is its own pid.
            if let ([only], [], false) = (&list.first.stages[..], &list.rest[..], list.first.negated) {
                let only = only.clone();
                return child.run_child(&only).await;
            }
            let result = child.run_and_or(&list).await;
            child.leave(result).await
        });
        match pid {
            Ok(pid) => {
                self.background = Some(pid);
                self.jobs.retain(|j| j.ended.is_none() || !interactive);
                let number = self.jobs.last().map_or(1, |j| j.number + 1);
                self.jobs.push(Job { number, pid, ended: None });
                self.status = 0;
                Ok(())
            }
            Err(e) => self.abort(&format!("can't fork: {}", words(e))).await,
        }
    }

    fn run_and_or<'a>(&'a mut self, and_or: &'a AndOr) -> Fut<'a, Run<u8>> {
        Box::pin(async move {
            let last = and_or.rest.len();
            self.run_pipeline(&and_or.first, last > 0).await?;
            for (i, (and, pipeline)) in and_or.rest.iter().enumerate() {
                if (self.status == 0) == *and {
                    self.run_pipeline(pipeline, i + 1 < last).await?;
                }
            }
            Ok(self.status)
        })
    }

    async fn run_pipeline(&mut self, pipeline: &Pipeline, tested: bool) -> Run<()> {
        let tested = tested || pipeline.negated;
        self.tested += u32::from(tested);
        let result = match pipeline.stages.as_slice() {
            [only] => self.run_node(only).await,
            stages => self.run_stages(stages).await,
        };
        self.tested -= u32::from(tested);
        self.status = result?;
        if pipeline.negated {
            self.status = u8::from(self.status == 0);
        }
        // A compound command has already judged its own commands.
        let judged = match pipeline.stages.as_slice() {
            [only] => matches!(only.command, Command::Simple { .. } | Command::Subshell(_)),
            _ => true,
        };
        if self.status != 0 && judged && self.option('e') && !tested && self.tested == 0 {
            return Err(Flow::Exit(self.status));
        }
        Ok(())
    }

    async fn run_stages(&mut self, stages: &[Rc<Node>]) -> Run<u8> {
        let mut input: Option<Fd> = None;
        let mut pids: Vec<Pid> = Vec::new();
        let mut failed = None;
        for (i, stage) in stages.iter().enumerate() {
            let pipe = if i + 1 < stages.len() {
                match self.sys.pipe() {
                    Ok(pipe) => Some(pipe),
                    Err(e) => {
                        failed = Some(e);
                        break;
                    }
                }
            } else {
                None
            };
            let stage = stage.clone();
            let pid = self.fork(move |mut child| async move {
                for (from, to) in [(input, 0), (pipe.map(|p| p.1), 1)] {
                    if let Some(from) = from.filter(|f| *f != to) {
                        let _ = child.sys.dup2(from, to);
                        let _ = child.sys.close(from);
                    }
                }
                if let Some((read, _)) = pipe {
                    let _ = child.sys.close(read);
                }
                child.run_child(&stage).await
            });
            for fd in [input, pipe.map(|p| p.1)].into_iter().flatten() {
                let _ = self.sys.close(fd);
            }
            input = pipe.map(|p| p.0);
            match pid {
                Ok(pid) => pids.push(pid),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        if let Some(e) = failed {
            if let Some(fd) = input {
                let _ = self.sys.close(fd);
            }
            self.complain(&format!("can't fork: {}", words(e))).await;
        }
        let mut status = 1;
        for pid in pids {
            status = self.wait_member(pid).await;
        }
        self.reap();
        Ok(if failed.is_some() { 1 } else { status })
    }

    /// A command in a forked child: no second fork for a program or a subshell.
    async fn run_child(&mut self, node: &Node) -> u8 {
        let result = match &node.command {
            Command::Subshell(list) => match self.redirect(&node.redirs, None).await {
                Ok(true) => self.run_list(list).await,
                Ok(false) => Ok(1),
                Err(flow) => Err(flow),
            },
            Command::Simple { assigns, words } => self.run_simple(node, assigns, words, true).await,
            _ => self.run_node(node).await,
        };
        self.leave(result).await
    }

    /// The status of a subshell or shell that ends now, after its EXIT trap.
    pub async fn leave(&mut self, result: Run<u8>) -> u8 {
        let mut status = result.unwrap_or_else(super::expand::flow_status);
        if matches!(result, Err(Flow::Break(_) | Flow::Continue(_))) {
            status = self.status;
        }
        self.status = status;
        if let Some(action) = self.traps.remove(&TRAP_EXIT)
            && let Err(Flow::Exit(s)) = Box::pin(self.run_action(&action)).await
        {
            status = s;
        }
        status
    }

    /// Waits for one child, whatever signals come meanwhile.
    pub async fn wait_child(&mut self, pid: Pid) -> SysResult<Exit> {
        loop {
            match self.sys.wait(Some(pid)).await {
                Ok((_, exit)) => return Ok(exit),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits, and says which signal ended the child.
    pub async fn wait_foreground(&mut self, pid: Pid) -> u8 {
        let status = self.wait_member(pid).await;
        self.reap();
        status
    }

    /// The same for one member of a pipeline: reaping whoever has ended would take
    /// the other members' statuses away.
    async fn wait_member(&mut self, pid: Pid) -> u8 {
        let Ok(exit) = self.wait_child(pid).await else { return 127 };
        if let Exit::Signal(signal) = exit
            && let Some(words) = signal_words(signal)
        {
            let _ = self.sys.write(2, format!("{words}\n").as_bytes()).await;
        }
        status_of(exit)
    }

    /// Runs the actions of signals that came.
    pub async fn run_traps(&mut self) -> Run<()> {
        if self.in_trap || (self.traps.is_empty() && !self.interactive) {
            return Ok(());
        }
        for signal in self.sys.caught_signals() {
            match self.traps.get(&signal).cloned() {
                Some(action) => {
                    self.in_trap = true;
                    let result = Box::pin(self.run_action(&action)).await;
                    self.in_trap = false;
                    result?;
                }
                None if signal == 2 && self.interactive => return Err(Flow::Abort(130)),
                None => {}
            }
        }
        Ok(())
    }

    async fn run_action(&mut self, action: &str) -> Run<()> {
        let status = self.status;
        let result = self.eval(action).await;
        self.status = status;
        result.map(drop)
    }

    /// Runs text in this shell.
    pub fn eval<'a>(&'a mut self, text: &'a str) -> Fut<'a, Run<u8>> {
        Box::pin(async move {
            self.enter().await?;
            let status = self.status;
            let mut parser = Parser::new(text, true);
            let mut any = false;
            let result = loop {
                match parser.next_line() {
                    Ok(None) => break Ok(if any { self.status } else { 0 }),
                    Ok(Some(list)) => {
                        if !any {
                            self.status = status;
                        }
                        any = true;
                        if let Err(flow) = self.run_list(&list).await {
                            break Err(flow);
                        }
                    }
                    Err(Syntax::Message(message)) => break self.abort(&message).await,
                    Err(Syntax::Incomplete) => {
                        break self.abort("syntax error: unterminated quoted string").await;
                    }
                }
            };
            self.depth -= 1;
            result
        })
    }

    pub async fn enter(&mut self) -> Run<()> {
        if self.depth >= MAX_DEPTH {
            return self.abort("commands nested too deeply").await;
        }
        self.depth += 1;
        Ok(())
    }

    pub fn run_node<'a>(&'a mut self, node: &'a Node) -> Fut<'a, Run<u8>> {
        Box::pin(async move {
            self.enter().await?;
            let result = self.run_command(node).await;
            self.depth -= 1;
            result
        })
    }

    async fn run_command(&mut self, node: &Node) -> Run<u8> {
        if let Command::Simple { assigns, words } = &node.command {
            return self.run_simple(node, assigns, words, false).await;
        }
        if let Command::Subshell(list) = &node.command {
            return self.run_subshell(node, list).await;
        }
        let mut saved = Vec::new();
        let result = match self.redirect(&node.redirs, Some(&mut saved)).await {
            Ok(true) => self.run_compound(&node.command).await,
            Ok(false) => Ok(1),
            Err(flow) => Err(flow),
        };
        self.restore(saved);
        result
    }

    async fn run_subshell(&mut self, node: &Node, list: &List) -> Run<u8> {
        let (list, redirs) = (list.clone(), node.redirs.clone());
        let pid = self.fork(move |mut child| async move {
            let result = match child.redirect(&redirs, None).await {
                Ok(true) => child.run_list(&list).await,
                Ok(false) => Ok(1),
                Err(flow) => Err(flow),
            };
            child.leave(result).await
        });
        match pid {
            Ok(pid) => Ok(self.wait_foreground(pid).await),
            Err(e) => self.abort(&format!("can't fork: {}", words(e))).await,
        }
    }

    async fn condition(&mut self, list: &List) -> Run<bool> {
        self.tested += 1;
        let result = self.run_list(list).await;
        self.tested -= 1;
        Ok(result? == 0)
    }

    async fn run_compound(&mut self, command: &Command) -> Run<u8> {
        match command {
            Command::Simple { .. } | Command::Subshell(_) => Ok(self.status),
            Command::Group(list) => self.run_list(list).await,
            Command::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.condition(condition).await? {
                        return self.run_list(body).await;
                    }
                }
                self.status = 0;
                self.run_list(otherwise).await
            }
            Command::Loop { until, condition, body } => {
                self.loops += 1;
                let mut status = 0;
                let result = loop {
                    match self.condition(condition).await {
                        Ok(yes) if yes == *until => break Ok(status),
                        Ok(_) => {}
                        Err(flow) => match again(flow) {
                            Ok(true) => continue,
                            Ok(false) => break Ok(status),
                            Err(flow) => break Err(flow),
                        },
                    }
                    match self.run_list(body).await {
                        Ok(s) => status = s,
                        Err(flow) => match again(flow) {
                            Ok(true) => status = 0,
                            Ok(false) => break Ok(0),
                            Err(flow) => break Err(flow),
                        },
                    }
                };
                self.loops -= 1;
                result
            }
            Command::For { name, words, body } => {
                let items = match words {
                    Some(words) => self.fields(words).await?,
                    None => self.params.clone(),
                };
                self.loops += 1;
                let result = self.run_for(name, items, body).await;
                self.loops -= 1;
                result
            }
            Command::Case { word, arms } => {
                let text: Vec<char> = self.text(word).await?.chars().collect();
                for arm in arms {
                    for pattern in &arm.patterns {
                        let pattern = self.pattern(pattern).await?;
                        if matches(&pattern, &text) {
                            self.status = 0;
                            return self.run_list(&arm.body).await;
                        }
                    }
                }
                Ok(0)
            }
            Command::Function { name, body } => {
                self.functions.insert(name.clone(), body.clone());
                Ok(0)
            }
        }
    }

    async fn run_for(&mut self, name: &str, items: Vec<String>, body: &List) -> Run<u8> {
        let mut status = 0;
        for item in items {
            if let Err(message) = self.assign(name, item) {
                return self.abort(&message).await;
            }
            match self.run_list(body).await {
                Ok(s) => status = s,
                Err(flow) if again(flow)? => status = 0,
                Err(_) => return Ok(0),
            }
        }
        Ok(status)
    }
}

/// What a loop does with `break` and `continue`: go on (`true`), end (`false`),
/// or pass it outwards.
fn again(flow: Flow) -> Result<bool, Flow> {
    match flow {
        Flow::Break(1) => Ok(false),
        Flow::Break(n) => Err(Flow::Break(n - 1)),
        Flow::Continue(1) => Ok(true),
        Flow::Continue(n) => Err(Flow::Continue(n - 1)),
        other => Err(other),
    }
}
