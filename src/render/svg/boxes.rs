//! Boxes of lines: control groups, namespaces, processes.

use super::COLUMN;
use super::draw::{Canvas, LINE, PAD, columns, cut};
use crate::narrate::Narrator;
use crate::render::picture::{Cgroup, Namespaces, Process, ProcessState, Processes};

/// Processes that are drawn: the living ones come first.
const PROCESSES: usize = 12;

pub fn cgroup(canvas: &mut Canvas, cgroup: &Cgroup, words: &Narrator, x: u32, y: u32) -> u32 {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let names: Vec<String> = cgroup.groups.iter().map(|g| g.controllers.join(",")).collect();
    if names.is_empty() {
        lines.push(("dim", words.word("drawing_nothing")));
    } else {
        let joined = if cgroup.joined { "own" } else { "dim" };
        lines.push((joined, names.join(" · ")));
    }
    for limit in &cgroup.limits {
        lines.push(("plain", format!("{} = {}", limit.file, limit.value)));
    }
    if cgroup.devices && !cgroup.groups.is_empty() {
        lines.push(("plain", words.word("drawing_devices")));
    }
    for (key, value) in &cgroup.usage {
        lines.push(("value", format!("{key}: {value}")));
    }
    canvas.panel(x, y, COLUMN, &words.word("drawing_cgroup"), &lines)
}

pub fn namespaces(canvas: &mut Canvas, all: &Namespaces, words: &Narrator, x: u32, y: u32) -> u32 {
    let rows = all.all.len().div_ceil(2).max(1) as u32;
    let height = 2 * PAD + LINE * (rows + 1 + u32::from(all.hostname.is_some()));
    canvas.rect(x, y, COLUMN, height, "panel");
    canvas.words(x + PAD, y + PAD + 11, "title", &words.word("drawing_namespaces"));
    if all.all.is_empty() {
        canvas.words(x + PAD, y + PAD + 11 + LINE, "dim", &words.word("drawing_nothing"));
    }
    let half = (COLUMN - PAD) / 2;
    for (n, one) in all.all.iter().enumerate() {
        let (class, state) = match (one.own, all.ended) {
            (true, false) => ("own", "drawing_own"),
            (true, true) => ("dim", "drawing_ended"),
            (false, _) => ("shared", "drawing_shared"),
        };
        let inode = one.inside.as_ref().map(|v| brackets(&v.text())).unwrap_or_default();
        let line = format!("{:<6} {} {inode}", one.ns.name(), words.word(state));
        let (column, row) = (n as u32 % 2, n as u32 / 2);
        let (left, down) = (x + PAD + column * half, y + PAD + 11 + LINE * (row + 1));
        canvas.words(left, down, class, &cut(&line, columns(half)));
    }
    if let Some(name) = &all.hostname {
        let args = [("name", name.clone().into())];
        let line = crate::narrate::plain(&words.say("drawing_hostname", &args));
        canvas.words(x + PAD, y + PAD + 11 + LINE * (rows + 1), "plain", &cut(&line, columns(COLUMN)));
    }
    y + height
}

/// `4026532258` of `mnt:[4026532258]`.
fn brackets(name: &str) -> String {
    name.split_once(":[").and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(name).to_owned()
}

pub fn processes(canvas: &mut Canvas, all: &Processes, words: &Narrator, x: u32, y: u32) -> u32 {
    let mut shown: Vec<&Process> = all.all.iter().collect();
    shown.sort_by_key(|p| p.state.over());
    let hidden = shown.len().saturating_sub(PROCESSES);
    shown.truncate(PROCESSES);
    let mut lines: Vec<(&str, String)> = Vec::new();
    if shown.is_empty() {
        lines.push(("dim", words.word("drawing_nothing")));
    } else {
        let (outside, inside) = (words.word("drawing_outside"), words.word("drawing_inside"));
        lines.push(("dim", format!("{} {}", padded(&outside, 10), padded(&inside, 8))));
    }
    for process in shown {
        let inside = process.inside.as_ref().map(crate::trace::Value::text).unwrap_or_default();
        let (class, state) = match &process.state {
            ProcessState::Preparing => ("shared", words.word("drawing_preparing")),
            ProcessState::Running => ("own", words.word("drawing_running")),
            ProcessState::Zombie => ("removed", words.word("drawing_zombie")),
            ProcessState::Exited(code) => ("dim", format!("= {code}")),
            ProcessState::Killed(signal) => ("removed", signal.clone()),
            ProcessState::Ended => ("dim", words.word("drawing_ended")),
        };
        let indent = "  ".repeat(depth(process, all).min(6));
        let (outside, inside) = (padded(&process.outside.text(), 10), padded(&inside, 8));
        lines.push((class, format!("{outside} {inside} {indent}{}  {state}", process.program)));
    }
    if hidden > 0 {
        let line = words.say("drawing_more_processes", &[("count", hidden.into())]);
        lines.push(("dim", crate::narrate::plain(&line)));
    }
    canvas.panel(x, y, COLUMN, &words.word("drawing_processes"), &lines)
}

fn depth(process: &Process, all: &Processes) -> usize {
    let mut depth = 0;
    let mut at = process;
    // A recording may say anything, also that a process is its own grandparent.
    while let Some(parent) = all.all.iter().find(|p| Some(&p.outside) == at.parent.as_ref())
        && depth < all.all.len()
    {
        depth += 1;
        at = parent;
    }
    depth
}

fn padded(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let width = crate::render::layout::text_width(&text);
    text + &"\u{a0}".repeat(columns.saturating_sub(width))
}
