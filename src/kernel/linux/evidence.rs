//! Reading back: small readers of what the kernel says, for the groups that
//! have none of their own. Nothing here changes anything, and a thing that
//! cannot be read gives no fact.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{AtFlags, FileType};

use super::calls::CWD;
use super::cx::Cx;
use super::inside;
use super::layers;
use super::state::State;
use crate::plan::Op;
use crate::plan::op::Ns;
use crate::trace::{Fact, Kind, Value};

/// What the kernel says now of the thing that an operation is about.
pub fn of(op: &Op, cx: &Cx<'_>, state: &State) -> Vec<Fact> {
    // A host path and what it is called in the mountinfo of init.
    let here = |path: &str| path.trim_end_matches('/').to_owned();
    let process = state.process.map(|pid| pid.to_string());
    let me = process.as_deref().unwrap_or("self");
    match op {
        Op::MakeDir { path, .. } | Op::WriteFile { path, .. } | Op::RemoveContainer { path } => made(path),
        Op::MakeNode { path, .. } | Op::MakeSymlink { path, .. } => made(path),
        Op::MapLayers { .. } => super::views::evidence(state),
        Op::MountOverlay { target, .. } => match &state.detached {
            Some(union) => detached(union),
            None => state.mounts.at(&here(target)),
        },
        Op::AttachRootfs { target } | Op::Mount { target, .. } | Op::Bind { target, .. } => {
            state.mounts.at(&here(target))
        }
        Op::MaskPath { path } | Op::ReadonlyPath { path } => answers(path),
        Op::MakeMountsPrivate | Op::RemountRootReadonly => state.mounts.all(|at| at == "/"),
        Op::PivotRoot { .. } => state.mounts.all(|_| true),
        Op::Clone { namespaces, .. } => match cx.init_pid() {
            Some(pid) => namespace_facts(&Ns::first(namespaces), &pid.to_string()),
            None => namespace_facts(&Ns::first(namespaces), "self"),
        },
        Op::UnshareCgroup => {
            let mut facts = namespace_facts(&[Ns::Cgroup], "self");
            facts.extend(lines("/proc/self/cgroup", "cgroup"));
            facts
        }
        Op::WriteIdMaps { .. } => cx.init_pid().map_or_else(Vec::new, |pid| {
            ["uid_map", "gid_map"].iter().flat_map(|m| lines(&format!("/proc/{pid}/{m}"), m)).collect()
        }),
        Op::SetHostname { .. } => {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            vec![fact("uname(2)", "nodename", Value::Text(name))]
        }
        Op::FindInit { .. } => cx.init_pid().map_or_else(Vec::new, inside::found),
        Op::SpawnInside { .. } => process.as_deref().map_or_else(Vec::new, inside::born_inside),
        Op::JoinNamespaces { namespaces } => match (cx.init_pid(), state.process) {
            (Some(init), Some(process)) => inside::joined(namespaces, init, process),
            _ => Vec::new(),
        },
        Op::OpenTerminal if state.joins => inside::standard_input(me),
        Op::OpenTerminal => {
            let mut facts = Vec::new();
            if let Ok(name) = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()) {
                facts.push(fact(
                    "/proc/self/fd/0",
                    "standard input",
                    Value::Text(name.to_string_lossy().into_owned()),
                ));
            }
            facts.extend(state.mounts.all(|at| at.ends_with("/dev/console")));
            facts
        }
        Op::SetRlimits { limits } => limits.iter().flat_map(|l| rlimit(me, &l.kind)).collect(),
        Op::SetNoNewPrivs => status(me, &["NoNewPrivs"]),
        Op::DropBounding { .. } => status(me, &["CapBnd"]),
        Op::SetUser { .. } => status(me, &["Uid", "Gid", "Groups"]),
        Op::SetCapabilities { .. } => status(me, &["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]),
        Op::LoadSeccomp { profile, told } => {
            let mut facts = status(me, &["Seccomp", "Seccomp_filters"]);
            facts.extend(super::seccomp::describe(profile, *told));
            facts
        }
        // Still there when the command has ended already: it is a zombie until
        // `Supervise` has its status.
        Op::Exec { .. } => cx.command_pid().map_or_else(Vec::new, |pid| {
            let mut facts =
                status(&pid.to_string(), &["Name", "Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"]);
            // A shell may have become what it was to start by now.
            for name in facts.iter_mut().filter(|f| f.key == "Name") {
                name.value = Value::volatile(Kind::Other, name.value.text());
            }
            facts
        }),
        Op::Supervise { joined, .. } => cx.command_pid().map_or_else(Vec::new, |pid| {
            let path = format!("/proc/{pid}");
            let there = if Path::new(&path).exists() { "exists" } else { "no such process" };
            vec![fact(&path, if *joined { "process" } else { "init" }, Value::from(there))]
        }),
        Op::LetRun => cx.command_pid().map_or_else(Vec::new, |pid| status(&pid.to_string(), &["Name"])),
        Op::RecordExit { record } => record_fields(record),
        Op::ReadImage { .. }
        | Op::UnpackLayer { .. }
        | Op::UseLayer { .. }
        | Op::ReadHostKernel
        | Op::LookForKernel { .. }
        | Op::ReadChanges { .. } => layers::evidence(op, state),
        _ => Vec::new(),
    }
}

/// One fact.
pub fn fact(source: &str, key: &str, value: Value) -> Fact {
    Fact { source: pid_path(source), key: key.to_owned(), value }
}

/// A source that names a pid differs from run to run.
fn pid_path(source: &str) -> Value {
    let pid = source.strip_prefix("/proc/").and_then(|s| s.split('/').next());
    match pid.is_some_and(|p| p.parse::<u32>().is_ok()) {
        true => Value::volatile(Kind::Path, source),
        false => Value::from(source),
    }
}

/// What stands at a path: kind, mode, owner; for a device its numbers, for a
/// link what it says.
pub fn made(path: &str) -> Vec<Fact> {
    let Ok(stat) = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) else {
        return vec![fact("stat(2)", path, Value::from("no such file or directory"))];
    };
    let numbers = || format!("{}:{}", rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => "directory".to_owned(),
        FileType::RegularFile => format!("file of {} bytes", stat.st_size),
        FileType::Symlink => match std::fs::read_link(path) {
            Ok(target) => return vec![fact("readlink(2)", path, Value::Text(target.display().to_string()))],
            Err(_) => "link".to_owned(),
        },
        FileType::CharacterDevice => format!("character device {}", numbers()),
        FileType::BlockDevice => format!("block device {}", numbers()),
        FileType::Fifo => "fifo".to_owned(),
        FileType::Socket => "socket".to_owned(),
        _ => "unknown".to_owned(),
    };
    let text = format!("{kind}, mode 0{:o}, owner {}:{}", stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
    vec![fact("stat(2)", path, Value::Text(text))]
}

/// What answers at a path now: what it is, on what kind of file system, with
/// which flags. A container has a dozen such paths; mountinfo would list every
/// mount for each.
fn answers(path: &str) -> Vec<Fact> {
    let mut facts = made(path);
    if let Ok(fs) = rustix::fs::statfs(path) {
        let kind = match fs.f_type as u64 {
            0x9fa0 => "proc".to_owned(),
            0x0102_1994 => "tmpfs".to_owned(),
            0x6265_6572 => "sysfs".to_owned(),
            0x794c_7630 => "overlay".to_owned(),
            other => format!("{other:#x}"),
        };
        let text = format!("{} {kind}", mount_flags(fs.f_flags as u64));
        facts.push(fact("statfs(2)", path, Value::Text(text)));
    }
    facts
}

/// The flags of statfs(2) in the words and the order of mountinfo.
fn mount_flags(flags: u64) -> String {
    let words = [
        (2, "nosuid"),
        (4, "nodev"),
        (8, "noexec"),
        (1024, "noatime"),
        (2048, "nodiratime"),
        (4096, "relatime"),
    ];
    let set = words.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| *word);
    std::iter::once(if flags & 1 != 0 { "ro" } else { "rw" }).chain(set).collect::<Vec<_>>().join(",")
}

/// A union that no mountinfo shows yet: what file system it is, and what is in
/// its root.
fn detached(union: &std::os::fd::OwnedFd) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Ok(fs) = rustix::fs::fstatfs(union) {
        let name = if fs.f_type as u64 == 0x794c_7630 { "overlayfs" } else { "another" };
        facts.push(fact("fstatfs(2)", "type", Value::Text(format!("{name} ({:#x})", fs.f_type))));
    }
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let names = rustix::fs::openat(union, ".", flags, rustix::fs::Mode::empty())
        .and_then(rustix::fs::Dir::new)
        .map(|dir| {
            let mut names: Vec<String> = dir
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .filter(|n| n != "." && n != "..")
                .collect();
            names.sort();
            names
        });
    if let Ok(names) = names {
        facts.push(fact("getdents64(2)", "union /", Value::Text(names.join(" "))));
    }
    facts
}

/// A file that the kernel writes as it is read.
pub fn text_of(path: &str) -> std::io::Result<String> {
    rest_of(&mut File::open(path)?)
}

/// The rest of such a file. It has no size, so none is asked for.
pub fn rest_of(file: &mut File) -> std::io::Result<String> {
    let mut bytes = vec![0; 4 << 10];
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..])? {
            0 => break,
            n => length += n,
        }
        if length == bytes.len() {
            bytes.resize(length * 4, 0);
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
}

/// The inodes of a process's namespaces beside those of this process.
pub fn namespace_facts(namespaces: &[Ns], process: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    for ns in namespaces {
        let mut said = Vec::new();
        for of in ["self", process] {
            let source = format!("/proc/{of}/ns/{}", ns.name());
            if let Ok(link) = std::fs::read_link(&source) {
                let key = if of == "self" && process != "self" { "host ns" } else { "ns" };
                said.push(fact(
                    &source,
                    &format!("{key} {}", ns.name()),
                    Value::volatile(Kind::Namespace, link.display()),
                ));
            }
        }
        if process == "self" {
            said.truncate(1);
        }
        facts.append(&mut said);
    }
    facts
}

/// Fields of `/proc/PID/status`.
pub fn status(process: &str, fields: &[&str]) -> Vec<Fact> {
    let source = format!("/proc/{process}/status");
    let Ok(text) = text_of(&source) else { return Vec::new() };
    let mut facts = Vec::new();
    for field in fields {
        let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
        if let Some(value) = line {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            facts.push(fact(&source, field, Value::Text(value)));
        }
    }
    facts
}

fn lines(source: &str, key: &str) -> Vec<Fact> {
    let Ok(text) = text_of(source) else { return Vec::new() };
    text.lines()
        .map(|l| fact(source, key, Value::Text(l.split_whitespace().collect::<Vec<_>>().join(" "))))
        .collect()
}

fn rlimit(process: &str, kind: &str) -> Vec<Fact> {
    let source = format!("/proc/{process}/limits");
    let Ok(text) = text_of(&source) else { return Vec::new() };
    let title = match kind {
        "RLIMIT_NOFILE" => "Max open files",
        "RLIMIT_NPROC" => "Max processes",
        "RLIMIT_CORE" => "Max core file size",
        "RLIMIT_MEMLOCK" => "Max locked memory",
        "RLIMIT_STACK" => "Max stack size",
        _ => return Vec::new(),
    };
    let line = text.lines().find_map(|l| l.strip_prefix(title));
    line.map(|l| {
        let words: Vec<&str> = l.split_whitespace().take(2).collect();
        vec![fact(&source, kind, Value::Text(words.join(":")))]
    })
    .unwrap_or_default()
}

fn record_fields(record: &str) -> Vec<Fact> {
    let Ok(text) = std::fs::read(record) else { return Vec::new() };
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&text) else { return Vec::new() };
    ["status", "exit_code"]
        .into_iter()
        .filter_map(|key| {
            let value = json.get(key)?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(fact(record, key, Value::Text(value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_status_and_namespaces_can_be_read() {
        assert_eq!(status("self", &["NoNewPrivs", "NoSuchField"]).len(), 1);
        assert_eq!(namespace_facts(&[Ns::Mnt, Ns::Pid], "self").len(), 2);
        assert!(matches!(fact("/proc/12/status", "x", Value::Int(0)).source, Value::Volatile { .. }));
    }

    #[test]
    fn what_stands_at_a_path_is_said() {
        let text = made("/dev/null")[0].value.text();
        assert!(text.starts_with("character device 1:3, mode 0"), "{text}");
        assert!(made("/no/such")[0].value.text().starts_with("no such file"));
    }
}
