//! How much was used: the counters of the container's cgroups.

use crate::kernel::linux::evidence::text_of;
use crate::plan::Op;
use crate::plan::op::CgroupVersion;
use crate::trace::{Fact, Kind, Value};

/// Files of one number, cgroup v2 and v1, and what it counts.
const NUMBERS: [(&str, Kind); 8] = [
    ("memory.current", Kind::Bytes),
    ("memory.usage_in_bytes", Kind::Bytes),
    ("pids.current", Kind::Other),
    ("pids.peak", Kind::Other),
    ("memory.peak", Kind::Bytes),
    ("memory.max_usage_in_bytes", Kind::Bytes),
    ("cpuacct.usage", Kind::Duration),
    ("memory.swap.current", Kind::Bytes),
];
/// Files of several, and the one that is read.
const FIELDS: [(&str, &str); 3] =
    [("cpu.stat", "usage_usec"), ("memory.events", "oom_kill"), ("memory.oom_control", "oom_kill")];
/// What says something of a container that has ended.
const TOTALS: [&str; 6] = [
    "memory.peak",
    "memory.max_usage_in_bytes",
    "cpuacct.usage",
    "cpu.stat",
    "memory.events",
    "memory.oom_control",
];

/// A cgroup whose counters are read.
#[derive(Clone, Debug)]
pub struct Group {
    path: String,
    /// Of version 1, where each controller has a tree of its own: which are here.
    controllers: Option<Vec<String>>,
}

impl Group {
    /// The one that an operation makes.
    pub fn of(op: &Op) -> Option<Group> {
        let Op::CreateCgroup { version, controllers, path } = op else { return None };
        let controllers = (*version == CgroupVersion::V1).then(|| controllers.clone());
        Some(Group { path: path.clone(), controllers })
    }

    fn may_have(&self, file: &str) -> bool {
        let its = |c: &String| file.strip_prefix(c.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.controllers.as_ref().is_none_or(|all| all.iter().any(its))
    }
}

/// What the counters in these directories say now. A file that is not there gives
/// no fact.
pub fn usage(groups: &[Group]) -> Vec<Fact> {
    counters(groups, |_| true)
}

/// The same of a container that has ended: what it used in all, and at most.
pub fn totals(groups: &[Group]) -> Vec<Fact> {
    counters(groups, |file| TOTALS.contains(&file))
}

fn counters(groups: &[Group], wanted: impl Fn(&str) -> bool) -> Vec<Fact> {
    let mut facts = Vec::new();
    for group in groups {
        let mut add = |file: &str, key: String, value: Value| {
            let source = Value::Text(format!("{}/{file}", group.path));
            facts.push(Fact { source, key, value });
        };
        let path = &group.path;
        let read = |file: &str| text_of(&format!("{path}/{file}")).ok();
        let wanted = |file: &str| wanted(file) && group.may_have(file);
        for (file, kind) in NUMBERS.into_iter().filter(|(file, _)| wanted(file)) {
            if let Some(text) = read(file) {
                add(file, file.to_owned(), Value::volatile(kind, text.trim()));
            }
        }
        for (file, field) in FIELDS.into_iter().filter(|(file, _)| wanted(file)) {
            let text = read(file).unwrap_or_default();
            let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(' '));
            let Some(value) = line else { continue };
            let value = match field {
                "oom_kill" => Value::from(value.trim()),
                _ => Value::volatile(Kind::Duration, value.trim()),
            };
            add(file, format!("{file} {field}"), value);
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("memory.peak", "4096\n");
        write("cpu.stat", "usage_usec 17\nuser_usec 9\n");
        write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        let path = dir.path().to_string_lossy().into_owned();
        let group = Group { path, controllers: None };
        let told: Vec<_> =
            usage(std::slice::from_ref(&group)).into_iter().map(|f| (f.key, f.value.text())).collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            told,
            [
                pair("memory.peak", "4096"),
                pair("cpu.stat usage_usec", "17"),
                pair("memory.oom_control oom_kill", "2")
            ]
        );
        assert!(usage(&[Group { path: "/no/such".to_owned(), controllers: None }]).is_empty());
        write("memory.current", "8192\n");
        assert_eq!(usage(std::slice::from_ref(&group)).len(), 4);
        assert_eq!(totals(std::slice::from_ref(&group)).len(), 3);
        let memory = Group { controllers: Some(vec!["memory".to_owned()]), ..group };
        assert_eq!(totals(&[memory]).len(), 2);
    }
}
