//! Simple commands: assignments, redirections, then a builtin, a function or a
//! program.

use std::rc::Rc;

use super::ast::{Node, Word};
use super::builtin;
use super::state::{Flow, Run, Shell, Var, quote};
use crate::userland::Sys;

impl<S: Sys> Shell<S> {
    /// A simple command. `last`: this process is a child made for it.
    pub async fn run_simple(
        &mut self,
        node: &Node,
        assigns: &[(String, Word)],
        words: &[Word],
        last: bool,
    ) -> Run<u8> {
        self.substituted = None;
        let fields = self.fields(words).await?;
        let mut values = Vec::new();
        for (name, word) in assigns {
            values.push((name.clone(), self.text(word).await?));
        }
        if self.option('x') {
            self.trace(&values, &fields).await;
        }
        let Some(name) = fields.first().cloned() else {
            let mut saved = Vec::new();
            let done = self.redirect(&node.redirs, Some(&mut saved)).await;
            self.restore(saved);
            if !done? {
                return Ok(1);
            }
            for (name, value) in values {
                if let Err(message) = self.assign(&name, value) {
                    return self.abort(&message).await;
                }
            }
            return Ok(self.substituted.unwrap_or(0));
        };
        if name == "exec" {
            return self.exec_builtin(node, values, &fields[1..]).await;
        }
        let function = self.functions.get(&name).cloned();
        let special = builtin::is_special(&name);
        if function.is_none() && !builtin::is_builtin(&name) {
            return self.run_program(node, values, fields, last).await;
        }
        let mut hidden = Vec::new();
        let mut saved = Vec::new();
        let result = match self.redirect(&node.redirs, Some(&mut saved)).await {
            Ok(true) => {
                let assigned = self.assign_for(values, special && function.is_none(), &mut hidden).await;
                match (assigned, function) {
                    (Err(flow), _) => Err(flow),
                    (Ok(()), Some(body)) => self.call(&body, fields[1..].to_vec()).await,
                    (Ok(()), None) => builtin::run(self, &fields).await,
                }
            }
            Ok(false) => Ok(1),
            Err(flow) => Err(flow),
        };
        self.restore(saved);
        for (name, var) in hidden.into_iter().rev() {
            self.put_back(name, var);
        }
        result
    }

    /// Variables before a builtin or function: exported while it runs, kept
    /// after a special builtin.
    async fn assign_for(
        &mut self,
        values: Vec<(String, String)>,
        keep: bool,
        hidden: &mut Vec<(String, Option<Var>)>,
    ) -> Run<()> {
        for (name, value) in values {
            if !keep {
                hidden.push((name.clone(), self.vars.get(&name).cloned()));
            }
            if let Err(message) = self.assign(&name, value) {
                return self.abort(&message).await;
            }
            if let Some(var) = self.vars.get_mut(&name) {
                var.export |= !keep;
            }
        }
        Ok(())
    }

    /// Undoes a `local` or a temporary assignment.
    pub fn put_back(&mut self, name: String, var: Option<Var>) {
        match var {
            Some(var) => self.vars.insert(name, var),
            None => self.vars.remove(&name),
        };
    }

    async fn call(&mut self, body: &Rc<Node>, args: Vec<String>) -> Run<u8> {
        let params = std::mem::replace(&mut self.params, args);
        let loops = std::mem::take(&mut self.loops);
        self.hidden.push(Vec::new());
        self.returns += 1;
        let result = self.run_node(body).await;
        self.returns -= 1;
        for (name, var) in self.hidden.pop().unwrap_or_default().into_iter().rev() {
            self.put_back(name, var);
        }
        self.loops = loops;
        self.params = params;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            other => other,
        }
    }

    async fn trace(&mut self, values: &[(String, String)], fields: &[String]) {
        let show = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+%@".contains(c);
            if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quote(text) }
        };
        let mut line = self.var("PS4").unwrap_or("+ ").to_owned();
        let assigned = values.iter().map(|(n, v)| format!("{n}={}", show(v)));
        line.push_str(&assigned.chain(fields.iter().map(|f| show(f))).collect::<Vec<_>>().join(" "));
        line.push('\n');
        let _ = self.sys.write(2, line.as_bytes()).await;
    }
}
