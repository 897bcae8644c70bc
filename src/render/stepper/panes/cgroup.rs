//! The control group: where, its limits, and what was used.

use super::{View, bytes, pair};
use crate::narrate::{Label, Line, Span, brief_ids};
use crate::plan::op::{CgroupVersion, Slot};
use crate::render::layout::wrap;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let cgroup = &view.picture.cgroup;
    if cgroup.groups.is_empty() && cgroup.usage.is_empty() {
        let joined = view.picture.slots.contains_key(&Slot::ProcessPid);
        let message = if joined { "stepper_cgroup_of_container" } else { "stepper_cgroup_none" };
        return wrap(&view.dim(message), width);
    }
    let mut out: Vec<Line> = Vec::new();
    // On v1 a directory of the same name in each hierarchy.
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = cgroup.groups.iter().map(|g| name(&g.path)).collect();
    names.dedup();
    for one in names {
        let groups = || cgroup.groups.iter().filter(|g| name(&g.path) == one);
        let version = groups().next().map_or("", |g| match g.version {
            CgroupVersion::V1 => "v1",
            CgroupVersion::V2 => "v2",
        });
        let controllers: Vec<String> = groups().flat_map(|g| g.controllers.iter().cloned()).collect();
        let line = vec![
            Span::new(Label::Value, brief_ids(&one)),
            Span::new(Label::Dim, format!("  {version}: {}", controllers.join(" "))),
        ];
        out.extend(wrap(&line, width));
    }
    if !cgroup.groups.is_empty() {
        let message = if cgroup.joined { "stepper_cgroup_joined" } else { "stepper_cgroup_empty" };
        out.extend(wrap(&view.dim(message), width));
    }
    for limit in &cgroup.limits {
        let line = vec![Span::new(Label::Value, amount(&limit.file, &limit.value))];
        out.push(pair(&limit.file, 16, line));
    }
    if cgroup.devices && !cgroup.groups.is_empty() {
        out.extend(wrap(&view.dim("stepper_cgroup_devices"), width));
    }
    let now = !view.used.is_empty() && view.session.at_present() && !cgroup.groups.is_empty();
    let (message, used) = match now {
        true => ("stepper_cgroup_now", view.used),
        false => ("stepper_cgroup_usage", cgroup.usage.as_slice()),
    };
    if !used.is_empty() {
        out.push(view.dim(message));
        for (key, value) in used {
            let line = vec![Span::new(Label::Value, amount(key, &value.text()))];
            out.push(pair(key, 16, line));
        }
    }
    out
}

/// A number of bytes also as people read it.
fn amount(file: &str, value: &str) -> String {
    let counts_bytes = file.starts_with("memory") && !file.contains("oom");
    match value.parse::<u64>() {
        Ok(n) if counts_bytes && n >= 1024 => format!("{value} ({})", bytes(n)),
        _ => value.to_owned(),
    }
}
