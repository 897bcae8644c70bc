//! Tells what has happened, in its order, from what the sources say.

use std::ops::Range;
use std::time::Instant;
use std::vec::IntoIter;

use super::super::connector::{Connector, Did};
use super::super::fan::{Changed, Fan, Way};
use super::super::oom::Oom;
use super::super::perf::{Heard, Perf};
use super::{REST, Watcher};
use crate::kernel::ledger::Role;
use crate::kernel::linux::init::signal_name;
use crate::kernel::{Errno, Hear, OnLife};
use crate::trace::{Life, Refusal};

// linux/capability.h
const CAP_DAC_OVERRIDE: i32 = 1;
const CAP_DAC_READ_SEARCH: i32 = 2;

/// What a process did, or what happened to it.
#[derive(Debug)]
enum Word {
    Did(Did),
    Heard(Heard),
}

/// What the sources said and nobody has looked at.
#[derive(Debug)]
pub(super) struct Gathered {
    noted: usize,
    words: Vec<Word>,
    lost: bool,
}

impl Watcher {
    /// Takes what has happened. Files and processes have no common clock: of what came
    /// since the last look, files go first, because a shell waits for what it
    /// starts; but nobody does anything before its birth is told.
    pub(super) fn happened(&mut self, hear: OnLife<'_>) {
        let all = self.gather();
        self.tell(all, hear);
    }

    /// What has happened until now, without a look at it.
    pub(super) fn gather(&mut self) -> Gathered {
        // Read in this order: whoever changed a file was born before that.
        let noted = self.fan.as_mut().map_or(0, Fan::note);
        let (dids, lost) = self.connector.as_ref().map(Connector::read).unwrap_or_default();
        let heard = self.perf.as_mut().map(Perf::read).unwrap_or_default();
        if noted > 0 || !dids.is_empty() {
            self.rest = Some(Instant::now() + REST);
        }
        let dids = dids.into_iter().map(|(at, did)| (at, Word::Did(did)));
        let mut words: Vec<_> = dids.chain(heard.into_iter().map(|(at, h)| (at, Word::Heard(h)))).collect();
        words.sort_by_key(|(at, _)| *at);
        Gathered { noted, words: words.into_iter().map(|(_, word)| word).collect(), lost }
    }

    /// Tells what was gathered.
    pub(super) fn tell(&mut self, Gathered { noted, words, lost }: Gathered, hear: OnLife<'_>) {
        let mut words = words.into_iter();
        let mut from = 0;
        for question in std::mem::take(&mut self.noted) {
            self.changes(from..question.upto, &mut words, hear);
            from = question.upto;
            self.last.insert(question.tid, question.seen);
        }
        self.changes(from..noted, &mut words, hear);
        self.takes_away = false;
        let lost_files = self.fan.as_mut().is_some_and(Fan::told);
        for (lost, queue) in [(lost_files, "fanotify"), (lost, "process connector")] {
            if lost {
                hear.tell(Life::Lost { queue: queue.to_owned() });
            }
        }
        for word in words {
            self.word(word, hear);
        }
    }

    fn word(&mut self, word: Word, hear: OnLife<'_>) {
        match word {
            Word::Did(did) => self.did(did, hear),
            Word::Heard(heard) => self.heard(heard, hear),
        }
    }

    /// Tells of files, from what is noted of them; and before that of what processes did
    /// before.
    fn changes(&mut self, noted: Range<usize>, words: &mut IntoIter<Word>, hear: OnLife<'_>) {
        let files = self.fan.as_mut().map(|fan| fan.changes(noted)).unwrap_or_default();
        for changed in files {
            match changed.directory {
                Some(Way::From) => self.leaves = Some(changed.clone()),
                Some(Way::To) => {
                    if let Some(from) = self.leaves.take().filter(|from| from.tid == changed.tid) {
                        self.ledger.moved(&from.path, &changed.path);
                    }
                }
                None => {}
            }
            while self.comes_after(changed.tid, words.as_slice()) {
                let Some(word) = words.next() else { break };
                self.word(word, hear);
            }
            self.changed(&changed, hear);
        }
    }

    /// Whether one of these came before what a thread did to a file: its birth, or the
    /// program that it asked for. What it did before it asked has been told by then.
    fn comes_after(&mut self, tid: i32, words: &[Word]) -> bool {
        let Some(pid) = self.processes.of_thread(tid) else {
            let born = |word: &Word| matches!(word, Word::Did(Did::Fork { child, .. }) if *child == tid);
            return !self.shared || words.iter().any(born);
        };
        let becomes = |word: &Word| matches!(word, Word::Did(Did::Exec { pid: p }) if *p == pid);
        self.processes.is_about_to_execute(pid) && words.iter().any(becomes)
    }

    fn heard(&mut self, heard: Heard, hear: OnLife<'_>) {
        let life = match heard {
            Heard::Dropped { sender, signal } => {
                let sender = self.processes.of_thread(sender).map(|pid| self.processes.process(pid));
                // The kernel's own word to a parent is no signal that anybody sent.
                if signal == libc::SIGCHLD {
                    return;
                }
                let process = self.processes.first();
                Life::SignalIgnored { process, signal: signal_name(signal), sender }
            }
            Heard::Wanted { tid, call, errno, capability } => {
                let Some(pid) = self.processes.of_thread(tid) else { return };
                let name = self.names.native(call);
                // Permission to reach a file is wanted with EACCES; a lookup that goes
                // another way without it, and a call that fails later, have nothing in common.
                let reaches = matches!(capability, CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH);
                if reaches && errno == Errno::EPERM && name != Some("open_by_handle_at") {
                    return;
                }
                let call = name.map_or_else(|| format!("system call {call}"), str::to_owned);
                let name = caps::all().into_iter().find(|c| i32::from(c.index()) == capability);
                let name = name.map_or_else(|| format!("capability {capability}"), |c| c.to_string());
                let process = self.processes.process(pid);
                Life::Refused { process, call, errno, by: Refusal::Capability { name } }
            }
        };
        self.ledger.fold.tell(life, hear);
    }

    fn did(&mut self, did: Did, hear: OnLife<'_>) {
        if let Did::Exit { pid, .. } = did {
            self.last.remove(&pid);
        }
        let (ledger, processes, oom) = (&mut self.ledger, &mut self.processes, &mut self.oom);
        let mut ended = Vec::new();
        processes.did(did, &mut |life| {
            if let Life::Ended { process, signal, .. } = &life {
                ended.push((process.clone(), signal.as_deref() == Some("SIGKILL")));
            }
            ledger.fold.tell(life, hear);
        });
        for (process, killed) in ended {
            ledger.fold.flush(Some(&process.program), hear);
            if killed && let Some(oom) = oom {
                told_of_oom(oom, Some(process), hear);
            }
        }
    }

    fn changed(&mut self, changed: &Changed, hear: OnLife<'_>) {
        let (path, tid) = (&changed.path, changed.tid);
        let process = self.processes.of_thread(tid);
        if self.shared && process.is_none() {
            return self.ledger.forget(path);
        }
        let (dir, name) = changed.place();
        let Some(standing) = self.layers.standing_in(dir, name, path) else {
            return self.ledger.vanished(path);
        };
        let call = self
            .last
            .get(&tid)
            .filter(|seen| !matches!(seen.name, "execve" | "execveat" | "exit_group"))
            .filter(|seen| seen.names(path) || (standing.role == Role::Copy && seen.leads_to(tid, path)));
        let call = call.map(|seen| seen.name);
        let process = process.map(|pid| self.processes.process(pid));
        if let Some(life) = self.ledger.stands(path, standing, process, call) {
            self.ledger.fold.tell(life, hear);
        }
    }
}

pub(super) fn told_of_oom(oom: &mut Oom, process: Option<crate::trace::Process>, hear: &mut dyn Hear) {
    if let Some((source, kills)) = oom.grown() {
        let limit = oom.limit();
        hear.tell(Life::OomKilled { process, limit, source, kills });
    }
}
