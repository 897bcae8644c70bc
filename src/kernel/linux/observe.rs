//! What `inspect` looks at while a run is paused: the present state of one
//! subject, through init's `/proc` entry where there is an init.

use std::path::{Path, PathBuf};

use super::evidence::{self, fact};
use super::{mountinfo, net};
use crate::kernel::Subject;
use crate::plan::op::Ns;
use crate::trace::{Fact, Kind, Value};

/// Reads one subject. `layers` are the layer trees of the plan, uppermost first.
pub fn observe(subject: Subject, init: Option<i32>, layers: &[String]) -> Vec<Fact> {
    let process = init.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    match subject {
        Subject::Mounts => mountinfo::mounts(&process, |_| true),
        Subject::Namespaces => evidence::namespace_facts(&Ns::ALL, &process),
        Subject::Cgroup => text_lines(&format!("/proc/{process}/cgroup"), "cgroup"),
        Subject::Network => {
            init.map_or_else(net::observe::here, net::observe::of_process).unwrap_or_default()
        }
        Subject::Layers => layers.iter().flat_map(|l| evidence::made(l)).collect(),
        Subject::Processes => init.map_or_else(Vec::new, processes),
    }
}

/// What stands in the writable layer, with Docker's letters: A, C, D.
pub fn writable(upper: &str, layers: &[String]) -> Vec<Fact> {
    let below: Vec<PathBuf> = layers.iter().map(PathBuf::from).collect();
    // Before the layer is made there is nothing to see.
    let changes = crate::image::changes::changes(Path::new(upper), &below).unwrap_or_default();
    let shown = |c: crate::image::changes::Change| {
        fact(upper, &c.path.to_string_lossy(), Value::Text(c.kind.letter().to_string()))
    };
    changes.into_iter().map(shown).collect()
}

fn text_lines(source: &str, key: &str) -> Vec<Fact> {
    let Ok(text) = std::fs::read_to_string(source) else { return Vec::new() };
    text.lines().map(|l| fact(source, key, Value::volatile(Kind::Other, l.trim()))).collect()
}

/// Every process in init's pid namespace.
fn processes(init: i32) -> Vec<Fact> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(wanted) = namespace(&init.to_string()) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<i32> =
        entries.flatten().filter_map(|e| e.file_name().to_str().and_then(|n| n.parse().ok())).collect();
    pids.sort_unstable();
    pids.into_iter()
        .filter(|pid| namespace(&pid.to_string()).as_ref() == Some(&wanted))
        .filter_map(|pid| {
            let source = format!("/proc/{pid}/comm");
            let name = std::fs::read_to_string(&source).ok()?;
            Some(fact(&source, "process", Value::Text(name.trim_end().to_owned())))
        })
        .collect()
}
