//! Trace Event Format, as Perfetto and `chrome://tracing` read it:
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
//!
//! A track for each who does something. A step is as long as it took; its system
//! calls stand in it one after another, each as long as it took: when in the step
//! a call began is not in the recording.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::words;
use crate::narrate::{Known, Lang, Narrator, plain};
use crate::plan::{Actor, Phase};
use crate::trace::story::{Item, Lived, Outcome, Story, Told};
use crate::trace::{Call, Event, Fact, Life, Process, Value};

/// Our numbers of the tracks; the pids are in the arguments of what happened.
const HOST: u32 = 1;
const CONTAINER: u32 = 2;

pub(super) fn write(events: &[Event], lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    // Without times the order is what is left.
    let timeless = events.iter().all(|e| e.at == 0);
    let story = match timeless {
        false => Story::of(events),
        true => Story::of(&events.iter().map(|e| Event { at: e.seq, ..e.clone() }).collect::<Vec<_>>()),
    };
    let mut tracks = Tracks {
        narrator: Narrator::new(lang),
        events: Vec::new(),
        free: [0; 2],
        phase: None,
        running: BTreeMap::new(),
        processes: 0,
    };
    tracks.names(&story);
    for item in &story.items {
        match item {
            Item::Planned(_) => {}
            Item::Life(lived) => tracks.life(lived),
            Item::Step(told) => tracks.step(told),
        }
    }
    tracks.end_phase();
    tracks.end_processes(story.ended);
    let clock = if timeless { "the order of the events: the times are redacted" } else { "microseconds" };
    let mut other = Map::new();
    other.insert("command".to_owned(), words::command(&story).into());
    other.insert("clock".to_owned(), clock.into());
    if let Some(begin) = &story.begin {
        other.insert("glassbox".to_owned(), begin.program.clone().into());
        other.insert("kernel".to_owned(), serde_json::to_value(begin.kernel)?);
    }
    let trace = json!({ "traceEvents": tracks.events, "displayTimeUnit": "ms", "otherData": other });
    serde_json::to_writer(&mut *out, &trace)?;
    out.write_all(b"\n")
}

struct Tracks {
    narrator: Narrator,
    events: Vec<Json>,
    /// From when on the runtime's and init's track are free.
    free: [u64; 2],
    phase: Option<(String, u64, u64)>,
    /// The processes of the container that run, by their pid on the host.
    running: BTreeMap<String, Running>,
    /// Tracks given to processes besides the first.
    processes: u32,
}

/// A process and the program that it runs.
struct Running {
    tid: u32,
    program: String,
    since: u64,
    args: Json,
}

impl Tracks {
    fn names(&mut self, story: &Story) {
        self.meta("process_name", HOST, 0, "glassbox");
        self.meta("thread_name", HOST, PHASES, &self.narrator.word("track_phases"));
        self.meta("thread_name", HOST, RUNTIME, &plain(&self.narrator.actor(Actor::Runtime)));
        if let Some(actor) = story.steps().map(|s| s.step.actor).find(|a| *a != Actor::Runtime) {
            self.meta("process_name", CONTAINER, 0, &self.narrator.word("track_container"));
            self.meta("thread_name", CONTAINER, INIT, &plain(&self.narrator.actor(actor)));
        }
    }

    fn meta(&mut self, what: &str, pid: u32, tid: u32, name: &str) {
        self.events
            .push(json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } }));
    }

    fn step(&mut self, told: &Told) {
        let init = told.step.actor != Actor::Runtime && !told.undoing;
        let (pid, tid) = if init { (CONTAINER, INIT) } else { (HOST, RUNTIME) };
        // What init did alone is told afterwards, all at once: its steps follow one
        // another, each as long as it took.
        let begin = told.times.0.max(self.free[usize::from(init)]);
        let took = match told.outcome {
            Some(Outcome::Done { micros, .. }) => micros,
            _ => 0,
        };
        let calls: u64 = told.calls.iter().map(|c| c.micros).sum();
        let length = told.times.1.saturating_sub(begin).max(took).max(calls);
        self.free[usize::from(init)] = begin + length;
        self.phase(told, begin, begin + length);
        let slice = json!({
            "ph": "X",
            "name": words::brief(&words::title(told, &self.narrator)),
            "cat": if told.undoing { "undo" } else { "step" },
            "pid": pid,
            "tid": tid,
            "ts": begin,
            "dur": length,
            "args": self.step_args(told),
        });
        self.events.push(slice);
        let mut at = begin;
        for call in &told.calls {
            self.events.push(json!({
                "ph": "X",
                "name": call.name,
                "cat": "call",
                "pid": pid,
                "tid": tid,
                "ts": at,
                "dur": call.micros,
                "args": call_args(call),
            }));
            at += call.micros;
        }
        told.life.iter().for_each(|l| self.life(l));
    }

    fn step_args(&self, told: &Told) -> Json {
        let known = Known { slots: &told.slots };
        let mut args = Map::new();
        args.insert("step".to_owned(), told.step.id.0.clone().into());
        args.insert("why".to_owned(), plain(&self.narrator.why(&told.step.op, known)).into());
        if let Some(outcome) = words::outcome(told, &self.narrator) {
            args.insert("outcome".to_owned(), plain(&outcome).into());
        }
        for (name, facts) in [("before", &told.before), ("after", &told.after)] {
            if !facts.is_empty() {
                args.insert(name.to_owned(), facts_args(facts));
            }
        }
        args.into()
    }

    /// A slice over all steps of a phase that follow one another.
    fn phase(&mut self, told: &Told, begin: u64, end: u64) {
        let name = if told.undoing { "rollback" } else { Phase::name(told.step.phase) };
        match &mut self.phase {
            Some((current, _, until)) if current == name => *until = end.max(*until),
            _ => {
                let after = self.end_phase();
                self.phase = Some((name.to_owned(), begin.max(after), end.max(after)));
            }
        }
    }

    fn end_phase(&mut self) -> u64 {
        let Some((name, begin, end)) = self.phase.take() else { return 0 };
        self.events.push(json!({
            "ph": "X",
            "name": name,
            "cat": "phase",
            "pid": HOST,
            "tid": PHASES,
            "ts": begin,
            "dur": end - begin,
            "args": {},
        }));
        end
    }

    /// What happens in the container has a moment; a program runs from one to another.
    fn life(&mut self, lived: &Lived) {
        let args = serde_json::to_value(&lived.life).unwrap_or_default();
        let at = lived.at;
        // Afterwards the process may be gone.
        let before = self.track(doer(&lived.life));
        match &*lived.life {
            Life::Started { pid } => {
                self.begin_program(pid, INIT, self.narrator.word("track_container"), at, json!({}));
            }
            Life::Exited { pid, .. } => self.end_program(pid, at),
            Life::Forked { parent, child } => {
                self.processes += 1;
                let tid = INIT + self.processes;
                let numbers = match &child.inside {
                    Some(inside) => format!("{inside} ({})", child.pid),
                    None => child.pid.text(),
                };
                let name = plain(&self.narrator.say("track_process", &[("pid", numbers.into())]));
                self.meta("thread_name", CONTAINER, tid, &name);
                self.begin_program(&child.pid, tid, parent.program.clone(), at, json!({}));
            }
            Life::Executed { process, argv } => {
                let tid = self.track(Some(process));
                self.end_program(&process.pid, at);
                self.begin_program(&process.pid, tid, process.program.clone(), at, json!({ "argv": argv }));
            }
            Life::Ended { process, .. } => self.end_program(&process.pid, at),
            _ => {}
        }
        let tid = before.max(self.track(doer(&lived.life)));
        self.events.push(json!({
            "ph": "i",
            "s": "t",
            "name": plain(&self.narrator.life(&lived.life)),
            "cat": "life",
            "pid": CONTAINER,
            "tid": tid,
            "ts": at,
            "args": args,
        }));
    }

    /// The track of a process; the first one's, where it is not known.
    fn track(&self, process: Option<&Process>) -> u32 {
        process.and_then(|p| self.running.get(&p.pid.text())).map_or(INIT, |r| r.tid)
    }

    fn begin_program(&mut self, pid: &Value, tid: u32, program: String, since: u64, args: Json) {
        // The first process is still told of as init when its program already runs.
        let since = if tid == INIT { since.max(self.free[1]) } else { since };
        self.running.insert(pid.text(), Running { tid, program, since, args });
    }

    fn end_program(&mut self, pid: &Value, at: u64) {
        let Some(ended) = self.running.remove(&pid.text()) else { return };
        self.events.push(json!({
            "ph": "X",
            "name": ended.program,
            "cat": "program",
            "pid": CONTAINER,
            "tid": ended.tid,
            "ts": ended.since,
            "dur": at.saturating_sub(ended.since),
            "args": ended.args,
        }));
    }

    fn end_processes(&mut self, at: u64) {
        let pids: Vec<String> = self.running.keys().cloned().collect();
        pids.into_iter().for_each(|pid| self.end_program(&Value::Text(pid), at));
    }
}

/// Whose doing it was.
fn doer(life: &Life) -> Option<&Process> {
    match life {
        Life::Held(c)
        | Life::CopyUp(c)
        | Life::Whiteout(c)
        | Life::Opaque(c)
        | Life::Redirect(c)
        | Life::Created(c) => c.process.as_ref(),
        Life::Forked { child: process, .. }
        | Life::Executed { process, .. }
        | Life::Ended { process, .. }
        | Life::Adopted { process, .. }
        | Life::Zombie { process, .. }
        | Life::SignalIgnored { process, .. }
        | Life::Refused { process, .. } => Some(process),
        Life::OomKilled { process, .. } => process.as_ref(),
        Life::Started { .. }
        | Life::Exited { .. }
        | Life::Signalled { .. }
        | Life::More { .. }
        | Life::Lost { .. }
        | Life::LayerSummary(_) => None,
    }
}

const PHASES: u32 = 1;
const RUNTIME: u32 = 2;
const INIT: u32 = 1;

fn call_args(call: &Call) -> Json {
    let mut args: Map<String, Json> =
        call.args.iter().map(|(name, value)| (name.clone(), value.text().into())).collect();
    let result = match call.errno {
        Some(errno) => format!("{} {errno}", call.result),
        None => call.result.text(),
    };
    args.insert("(result)".to_owned(), result.into());
    args.into()
}

fn facts_args(facts: &[Fact]) -> Json {
    let facts = facts.iter().map(|f| match f.key.is_empty() {
        true => (f.source.text(), f.value.text().into()),
        false => (f.key.clone(), f.value.text().into()),
    });
    Json::Object(facts.collect())
}
