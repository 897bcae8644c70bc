use std::collections::BTreeSet;

use super::super::{Lang, plain};
use super::*;
use crate::kernel::Errno;
use crate::trace::{FileType, Kind, Value};

pub fn process(program: &str, inside: i64, pid: u32) -> Process {
    let inside = if inside == 1 { Value::Int(1) } else { Value::volatile(Kind::Pid, inside) };
    Process { pid: Value::volatile(Kind::Pid, pid), inside: Some(inside), program: program.to_owned() }
}

fn layer(digit: char, made_by: &str) -> Supplier {
    let digest = format!("sha256:{}", digit.to_string().repeat(64));
    Supplier { digest: Value::volatile(Kind::Digest, digest), made_by: made_by.to_owned() }
}

fn change(path: &str, what: FileType) -> Box<FileChange> {
    Box::new(FileChange {
        process: Some(process("sh", 7, 4711)),
        call: Some("openat".to_owned()),
        path: path.to_owned(),
        what,
        bytes: (what == FileType::File).then_some(42),
        stands: (what == FileType::File).then(|| Value::volatile(Kind::Bytes, 50)),
        layer: Some(layer('a', "COPY etc /etc")),
        hidden: vec![],
        from: None,
    })
}

/// One of each kind, and more of those with several sentences.
fn samples() -> Vec<Life> {
    let sh = || process("sh", 7, 4711);
    let new = |c: FileChange| Life::Created(Box::new(FileChange { layer: None, ..c }));
    let refused = |by| Life::Refused { process: sh(), call: "mount".into(), errno: Errno::EPERM, by };
    let seccomp = |unless: &[&str], arguments| {
        refused(Refusal::Seccomp { unless: unless.iter().map(|u| (*u).to_owned()).collect(), arguments })
    };
    let silent = FileChange { process: None, call: None, ..*change("/etc/x", FileType::Symlink) };
    let redirected = FileChange { from: Some("/usr".into()), ..*change("/usr2", FileType::Directory) };
    let deep = FileChange { hidden: vec![layer('b', "")], ..*change("/etc/motd", FileType::File) };
    let deeper =
        FileChange { hidden: vec![layer('b', ""), layer('c', "")], ..*change("/etc/motd", FileType::File) };
    vec![
        Life::Started { pid: Value::from("4700") },
        Life::Exited { pid: Value::from("4700"), code: Some(3), signal: None },
        Life::Exited { pid: Value::from("4700"), code: None, signal: Some("SIGKILL".into()) },
        Life::Exited { pid: Value::from("4700"), code: None, signal: None },
        Life::Signalled { signal: "SIGTERM".into() },
        Life::Held(change("/etc/motd", FileType::File)),
        Life::Held(change("/etc", FileType::Directory)),
        Life::CopyUp(change("/etc/motd", FileType::File)),
        Life::CopyUp(change("/etc", FileType::Directory)),
        Life::CopyUp(Box::new(silent.clone())),
        Life::CopyUp(Box::new(deep.clone())),
        Life::Whiteout(change("/etc/motd", FileType::File)),
        Life::Whiteout(Box::new(deeper)),
        Life::Whiteout(Box::new(silent.clone())),
        Life::Opaque(change("/etc", FileType::Directory)),
        Life::Redirect(Box::new(redirected)),
        new(*change("/new", FileType::File)),
        new(*change("/new.d", FileType::Directory)),
        Life::Created(change("/etc/motd", FileType::File)),
        new(silent),
        Life::Forked { parent: process("sh", 1, 4700), child: sh() },
        Life::Executed { process: process("cat", 7, 4711), argv: vec!["cat".into(), "/a b".into()] },
        Life::Ended { process: sh(), code: Some(0), signal: None },
        Life::Ended { process: sh(), code: None, signal: Some("SIGSEGV".into()) },
        Life::Ended { process: sh(), code: None, signal: None },
        Life::Adopted { process: sh(), former: process("sh", 6, 4710), parent: process("sh", 1, 4700) },
        Life::Zombie { process: sh(), parent: process("", 1, 4700) },
        Life::SignalIgnored {
            process: process("sh", 1, 4700),
            signal: "SIGTERM".into(),
            sender: Some(process("kill", 9, 4713)),
        },
        Life::SignalIgnored { process: process("sh", 1, 4700), signal: "SIGTERM".into(), sender: None },
        Life::OomKilled {
            process: Some(process("eat", 7, 4711)),
            limit: Some(67_108_864),
            source: Value::from("memory.oom_control"),
            kills: 1,
        },
        Life::OomKilled { process: None, limit: None, source: Value::from("memory.events"), kills: 2 },
        seccomp(&[], false),
        seccomp(&["CAP_SYS_ADMIN"], false),
        seccomp(&[], true),
        refused(Refusal::Capability { name: "CAP_SYS_ADMIN".into() }),
        Life::More { what: "created".into(), program: "tar".into(), count: 1987 },
        Life::More { what: "refused".into(), program: String::new(), count: 2 },
        Life::Lost { queue: "fanotify".into() },
        Life::LayerSummary(LayerSummary {
            created: 2,
            copied: 1,
            copied_bytes: 42,
            directories: 1,
            whiteouts: 1,
            ..LayerSummary::default()
        }),
        Life::LayerSummary(LayerSummary {
            created: 3,
            unseen: 1,
            unseen_paths: vec!["/odd".into()],
            gone: 2,
            redirects: 1,
            ..LayerSummary::default()
        }),
        Life::LayerSummary(LayerSummary::default()),
        Life::LayerSummary(LayerSummary { gone: 1, ..LayerSummary::default() }),
    ]
}

/// Every kind has a sentence, no two events read alike, and none shows an absent value.
#[test]
fn every_event_of_life_is_told() {
    let kinds: BTreeSet<_> = samples().iter().map(Life::name).collect();
    assert_eq!(kinds.len(), 20, "a kind has no sample");
    for lang in [Lang::En, Lang::ZhCn] {
        let narrator = Narrator::new(lang);
        let told: Vec<String> = samples().iter().map(|l| plain(&narrator.life(l))).collect();
        for text in &told {
            assert!(!text.is_empty() && !text.contains("none") && !text.contains('{'), "{text:?}");
            assert!(!text.contains("  ") && !text.contains('$'), "{text:?}");
        }
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len());
        insta::assert_snapshot!(format!("life_{}", lang.name()), told.join("\n"));
    }
}

/// What is written is read back the same, under the names that the book gives.
#[test]
fn events_of_life_survive_their_serialised_form() {
    for life in samples() {
        let json = serde_json::to_value(&life).unwrap();
        assert_eq!(json["life"], life.name());
        assert_eq!(serde_json::from_value::<Life>(json).unwrap(), life);
    }
}

/// Whatever is volatile in the serialised form is offered to the redactor.
#[test]
fn volatile_values_of_life_are_known_to_the_redactor() {
    fn count(json: &serde_json::Value) -> usize {
        match json {
            serde_json::Value::Object(o) if o.contains_key("kind") && o.contains_key("value") => 1,
            serde_json::Value::Object(o) => o.values().map(count).sum(),
            serde_json::Value::Array(a) => a.iter().map(count).sum(),
            _ => 0,
        }
    }
    for life in samples() {
        let volatile = life.values().iter().filter(|v| matches!(v, Value::Volatile { .. })).count();
        assert_eq!(volatile, count(&serde_json::to_value(&life).unwrap()), "{life:?}");
    }
}
