//! Holds a recording against strace's output, both ways and in order.

use std::collections::VecDeque;

use glassbox::plan::Actor;
use glassbox::trace::{Body, Event};

use super::agree::agree;
use super::kinds::{Kind, kind};
use super::strace::{Seen, field};
use super::told::{self, Told};

/// What is no step's work, and so need not be told.
pub struct Except<'a> {
    /// Where the recording is written.
    pub trace_file: &'a str,
    pub store: &'a str,
    pub run: &'a str,
}

impl Except<'_> {
    /// Why this call need not be told, if it need not. `begun` is whether the
    /// recording has begun, `rolled_back` whether it tells of a rollback.
    fn reason(&self, seen: &Seen, begun: bool, rolled_back: bool) -> Option<&'static str> {
        let files = seen.files();
        let any = |wanted: &dyn Fn(&str) -> bool| files.iter().any(|f| wanted(f));
        let below = |dir: &str, name: &str, file: &str| {
            file.strip_prefix(dir).and_then(|f| f.strip_prefix('/')).is_some_and(|f| f.starts_with(name))
        };
        let in_run = |file: &str| file.strip_prefix(self.run).is_some_and(|f| f.contains("/receipts/"));
        let record = |file: &str| below(self.store, "containers/", file) && file.contains("/record.json.tmp");
        let container = |file: &str| {
            file.strip_prefix(self.store)
                .and_then(|f| f.strip_prefix("/containers/"))
                .is_some_and(|f| !f.contains('/'))
        };
        let probe = matches!(seen.name.as_str(), "fsopen" | "fsconfig");
        if any(&|f| f == self.trace_file) {
            Some("the recording itself")
        } else if seen.name == "write" && matches!(seen.arg(0), "1" | "2") {
            Some("what the user reads")
        } else if seen.name == "ioctl" && seen.arg(0) == "0" && seen.arg(1).starts_with("TCSETS") {
            Some("the user's own terminal: raw while the command lives, then as it was")
        } else if any(&in_run) {
            Some("the receipt: the plan on disk before its first step")
        } else if any(&record) {
            Some("the container's record")
        } else if rolled_back && any(&|f| container(f) || f.ends_with("/record.json")) {
            Some("the record of a container that never was, when all its plan is undone")
        } else if !probe && any(&|f| below(self.store, "layers/", f)) {
            Some("a layer's tree, told as counts by its step")
        } else if !begun && seen.name == "mkdir" && any(&container) {
            Some("the directory of the container's record")
        } else if !begun && probe {
            Some("a question to the kernel, whether an overlay takes layers one by one")
        } else {
            None
        }
    }
}

/// Everything in which the two differ; empty when they agree.
pub fn differences(events: &[Event], seen: &[Seen], except: &Except<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let (runtime, init) = match processes(seen) {
        Ok(both) => both,
        Err(e) => return vec![e],
    };
    let rolled_back = events.iter().any(|e| matches!(e.body, Body::Undone { .. }));
    let mut begun = false;
    let mut of_runtime = VecDeque::new();
    let mut of_init = VecDeque::new();
    let mut lives = true;
    for call in seen.iter().skip(1) {
        let is_init = Some(call.pid) == init;
        // After execve it is the command, and its children are the command's.
        let threads = !is_init && call.pid != runtime && thread_of(call.pid, runtime, seen);
        if !(is_init && lives || call.pid == runtime || threads) {
            continue;
        }
        if is_init && call.name == "execve" && call.worked() {
            lives = false;
        }
        begun |= call.name == "write" && call.args[0].file.as_deref() == Some(except.trace_file);
        let demanded = match kind(call) {
            Kind::Reads => continue,
            Kind::Unknown => {
                out.push(format!("is neither known to change something nor to read: {}", call.line));
                continue;
            }
            Kind::Changes => true,
            Kind::Inherited => is_init,
            Kind::Own => false,
        };
        let demanded = demanded && except.reason(call, begun, rolled_back).is_none();
        let queue = if is_init { &mut of_init } else { &mut of_runtime };
        queue.push_back((demanded, call));
    }
    for told in told::changes(events) {
        match_one(&told, &mut of_runtime, &mut of_init, &mut out);
    }
    for (demanded, call) in of_runtime.into_iter().chain(of_init) {
        if demanded {
            out.push(format!("done, not told: {}", call.line));
        }
    }
    out
}

type Queue<'a> = VecDeque<(bool, &'a Seen)>;

/// How many calls that have to be told may be passed over in search of one.
const AHEAD: usize = 40;

fn match_one<'a>(told: &Told, runtime: &mut Queue<'a>, init: &mut Queue<'a>, out: &mut Vec<String>) {
    let queue = match told.actor {
        Actor::Runtime => runtime,
        Actor::Init | Actor::Process if next(told, init) => init,
        Actor::Init | Actor::Process if next(told, runtime) => runtime,
        Actor::Init | Actor::Process if at(told, init).is_some() => init,
        Actor::Init | Actor::Process if at(told, runtime).is_some() => runtime,
        Actor::Init | Actor::Process => init,
    };
    let Some(n) = at(told, queue) else {
        let why = match queue.iter().find(|(_, seen)| seen.name == told.call.name) {
            Some((_, seen)) => {
                let how = agree(told, seen).err().unwrap_or_else(|| "much later".to_owned());
                format!("{how}; the next {} is {}", seen.name, seen.line)
            }
            None => "strace saw no such call here".to_owned(),
        };
        out.push(format!("told, not done: {} ({why})", told.line()));
        return;
    };
    for (demanded, seen) in queue.drain(..n) {
        if demanded {
            out.push(format!("done, not told: {}", seen.line));
        }
    }
    queue.pop_front();
}

fn at(told: &Told, queue: &Queue<'_>) -> Option<usize> {
    let mut passed = 0;
    for (n, (demanded, seen)) in queue.iter().enumerate() {
        if agree(told, seen).is_ok() {
            return Some(n);
        }
        passed += usize::from(*demanded);
        if passed > AHEAD {
            break;
        }
    }
    None
}

/// Whether it is the next that has to be told.
fn next(told: &Told, queue: &Queue<'_>) -> bool {
    at(told, queue).is_some_and(|n| queue.iter().take(n).all(|(demanded, _)| !demanded))
}

/// The runtime is the first process; init is what it made in a new mount namespace.
fn processes(seen: &[Seen]) -> Result<(i32, Option<i32>), String> {
    let first = seen.first().filter(|s| s.name == "execve" && s.worked());
    let runtime = first.ok_or("strace's output does not begin with the program")?.pid;
    let made = |with: &dyn Fn(&str) -> bool| {
        let mut all = seen.iter().filter(|s| s.pid == runtime && s.name == "clone3" && s.worked());
        all.find(|s| field(s.arg(0), "flags").is_some_and(with)).cloned()
    };
    // A process that joins a container is made without new namespaces.
    let init = made(&|f| f.contains("CLONE_NEWNS"))
        .or_else(|| made(&|f| !f.contains("CLONE_THREAD") && !f.contains("CLONE_NEW")));
    Ok((runtime, init.and_then(|s| s.result).map(|pid| pid as i32)))
}

fn thread_of(pid: i32, runtime: i32, seen: &[Seen]) -> bool {
    seen.iter().any(|s| {
        s.pid == runtime
            && s.name == "clone3"
            && s.result == Some(i64::from(pid))
            && s.arg(0).contains("CLONE_THREAD")
    })
}
