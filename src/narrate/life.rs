//! The words for what happens in a container while it lives.

use fluent_bundle::FluentValue;

use super::text::{self, Line};
use super::words::Narrator;
use super::{brief_ids, quote};
use crate::trace::{FileChange, LayerSummary, Life, Process, Refusal, Supplier};

/// What stands for a value that is absent, so that a message can select on it.
const NONE: &str = "none";

type Args = Vec<(&'static str, FluentValue<'static>)>;

impl Narrator {
    /// What happened inside the container.
    pub fn life(&self, life: &Life) -> Line {
        match life {
            Life::Started { pid } => self.say("life_started", &[("pid", pid.text().into())]),
            Life::Exited { pid, code, signal } => {
                let mut args = ending(*code, signal.as_deref());
                args.push(("pid", pid.text().into()));
                self.say("life_exited", &args)
            }
            Life::Signalled { signal } => self.say("life_signalled", &[("signal", signal.clone().into())]),
            Life::Held(change)
            | Life::CopyUp(change)
            | Life::Whiteout(change)
            | Life::Opaque(change)
            | Life::Redirect(change)
            | Life::Created(change) => self.say(&format!("life_{}", life.name()), &self.change(change)),
            Life::Forked { parent, child } => {
                let args = [("parent", self.process(parent).into()), ("who", self.process(child).into())];
                self.say("life_forked", &args)
            }
            Life::Executed { process, argv } => {
                let words: Vec<_> = argv.iter().map(|a| quote(a)).collect();
                let args = [("who", self.process(process).into()), ("argv", words.join(" ").into())];
                self.say("life_executed", &args)
            }
            Life::Ended { process, code, signal } => {
                let mut args = ending(*code, signal.as_deref());
                args.push(("who", self.process(process).into()));
                self.say("life_ended", &args)
            }
            Life::Adopted { process, former, parent } => {
                let args = [("who", process), ("former", former), ("parent", parent)];
                self.say("life_adopted", &args.map(|(name, p)| (name, self.process(p).into())))
            }
            Life::Zombie { process, parent } => {
                let args = [("who", self.process(process).into()), ("parent", self.process(parent).into())];
                self.say("life_zombie", &args)
            }
            Life::SignalIgnored { process, signal, sender } => {
                let sender = sender.as_ref().map_or_else(|| NONE.to_owned(), |s| self.process(s));
                let args = [
                    ("who", self.process(process).into()),
                    ("signal", signal.clone().into()),
                    ("sender", sender.into()),
                ];
                self.say("life_signal_ignored", &args)
            }
            Life::OomKilled { process, limit, source, kills } => {
                let who = process.as_ref().map_or_else(|| NONE.to_owned(), |p| self.process(p));
                let limit = limit.map_or_else(|| NONE.into(), number);
                let args = [
                    ("who", who.into()),
                    ("limit", limit),
                    ("source", source.text().into()),
                    ("kills", number(*kills)),
                ];
                self.say("life_oom_killed", &args)
            }
            Life::Refused { process, call, errno, by } => {
                self.refused(self.process(process), call, errno.name(), by)
            }
            Life::More { what, program, count } => {
                let args = [
                    ("what", what.clone().into()),
                    ("program", self.program(program).into()),
                    ("count", number(*count)),
                ];
                self.say("life_more", &args)
            }
            Life::Lost { queue } => self.say("life_lost", &[("queue", queue.clone().into())]),
            Life::LayerSummary(summary) => self.summary(summary),
        }
    }

    /// That a process is held, in the last line of a screen.
    pub fn held(&self, change: &FileChange) -> Line {
        self.say("stepper_held", &self.change(change))
    }

    fn program(&self, name: &str) -> String {
        if name.is_empty() { self.word("life_someone") } else { name.to_owned() }
    }

    /// `sh (process 7, on the host 4711)`.
    pub fn process(&self, process: &Process) -> String {
        let inside = process.inside.as_ref().map_or_else(|| NONE.to_owned(), |v| v.text());
        let args = [
            ("program", self.program(&process.program).into()),
            ("inside", inside.into()),
            ("pid", process.pid.text().into()),
        ];
        text::plain(&self.say("life_process", &args))
    }

    /// A layer's digest, and what made it.
    pub fn supplier(&self, layer: &Supplier) -> String {
        let made_by = if layer.made_by.is_empty() { NONE } else { &layer.made_by };
        let args =
            [("digest", brief_ids(&layer.digest.text()).into()), ("made_by", made_by.to_owned().into())];
        text::plain(&self.say("life_layer", &args))
    }

    fn change(&self, change: &FileChange) -> Args {
        let or_none = |text: Option<String>| FluentValue::from(text.unwrap_or_else(|| NONE.to_owned()));
        vec![
            ("who", or_none(change.process.as_ref().map(|p| self.process(p)))),
            ("call", or_none(change.call.clone())),
            ("path", change.path.clone().into()),
            ("what", change.what.name().into()),
            ("bytes", number(change.bytes.unwrap_or_default())),
            ("stands", or_none(change.stands.as_ref().map(|v| v.text()))),
            ("layer", or_none(change.layer.as_ref().map(|l| self.supplier(l)))),
            ("hidden", number(change.hidden.len() as u64)),
            ("from", or_none(change.from.clone())),
        ]
    }

    fn refused(&self, who: String, call: &str, errno: String, by: &Refusal) -> Line {
        let mut args: Args =
            vec![("who", who.into()), ("call", call.to_owned().into()), ("errno", errno.into())];
        let message = match by {
            Refusal::Seccomp { unless, .. } if !unless.is_empty() => {
                args.push(("unless", unless.join(&self.separator()).into()));
                "life_refused_unless"
            }
            Refusal::Seccomp { arguments: true, .. } => "life_refused_arguments",
            Refusal::Seccomp { .. } => "life_refused_filter",
            Refusal::Capability { name } => {
                args.push(("capability", name.clone().into()));
                "life_refused_capability"
            }
        };
        self.say(message, &args)
    }

    fn summary(&self, of: &LayerSummary) -> Line {
        let counts = [
            ("created", of.created),
            ("copied", of.copied),
            ("bytes", of.copied_bytes),
            ("directories", of.directories),
            ("whiteouts", of.whiteouts),
            ("opaque", of.opaque),
            ("redirects", of.redirects),
            ("unseen", of.unseen),
            ("gone", of.gone),
        ];
        let found = of.created + of.copied + of.directories + of.whiteouts + of.opaque + of.redirects;
        let mut args: Args = counts.into_iter().map(|(name, n)| (name, number(n))).collect();
        args.push(("paths", of.unseen_paths.join(&self.separator()).into()));
        self.say(if found + of.unseen == 0 { "life_summary_empty" } else { "life_summary" }, &args)
    }
}

fn ending(code: Option<u8>, signal: Option<&str>) -> Args {
    let code = code.map_or_else(|| NONE.to_owned(), |c| c.to_string());
    vec![("code", code.into()), ("signal", signal.unwrap_or(NONE).to_owned().into())]
}

fn number(n: u64) -> FluentValue<'static> {
    FluentValue::from(n as f64)
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
