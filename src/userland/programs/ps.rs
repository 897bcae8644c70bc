//! `ps`: all processes of the pid namespace that /proc shows. Options are
//! accepted and change nothing, but `-o` chooses columns.

use crate::userland::Sys;
use crate::userland::prog::{Options, Prog};
use crate::userland::text::Names;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let dashed: Vec<String> = p.args.iter().filter(|a| a.starts_with('-')).cloned().collect();
    let with_value: Vec<String> =
        if dashed.iter().any(|a| a.ends_with('o')) { p.args.clone() } else { dashed };
    let options = Options::parse(&with_value, "aefluxwo:T", &[]).unwrap_or_default();
    let columns: Vec<String> = match options.value('o') {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => ["pid", "user", "args"].map(str::to_owned).to_vec(),
    };
    let users = Names::users(&p.sys).await;
    let mut pids: Vec<i32> = match p.sys.read_dir("/proc") {
        Ok(entries) => entries.iter().filter_map(|e| e.name.parse().ok()).collect(),
        Err(e) => return p.fail_at("/proc", e).await,
    };
    pids.sort_unstable();
    let last = columns.len().saturating_sub(1);
    let mut header = String::new();
    for (i, column) in columns.iter().enumerate() {
        let Some((title, width)) = title(column) else {
            return p.fail(&format!("bad -o argument '{column}'")).await;
        };
        header.push_str(&pad(title, width, i == last, column));
    }
    p.put(format!("{header}\n")).await;
    for pid in pids {
        // A process may end between the listing and the reading.
        let Ok(status) = p.read_text(&format!("/proc/{pid}/status")).await else { continue };
        let command = p.read_text(&format!("/proc/{pid}/cmdline")).await.unwrap_or_default();
        let field = |name: &str| {
            status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).unwrap_or("").trim()
        };
        let mut line = String::new();
        for (i, column) in columns.iter().enumerate() {
            let value = match column.as_str() {
                "pid" => pid.to_string(),
                "ppid" => field("PPid").to_owned(),
                "stat" => field("State").chars().take(1).collect(),
                "comm" => field("Name").to_owned(),
                "user" => {
                    let uid = field("Uid").split_whitespace().nth(1).and_then(|u| u.parse().ok());
                    uid.map_or_else(|| "?".to_owned(), |u| users.show(u))
                }
                _ if command.is_empty() => format!("[{}]", field("Name")),
                _ => command.trim_end_matches('\0').replace(['\0', '\n'], " "),
            };
            let width = title(column).map_or(0, |t| t.1);
            line.push_str(&pad(&value, width, i == last, column));
        }
        p.put(format!("{line}\n")).await;
    }
    0
}

fn title(column: &str) -> Option<(&'static str, usize)> {
    Some(match column {
        "pid" => ("PID", 5),
        "ppid" => ("PPID", 5),
        "user" => ("USER", 8),
        "stat" => ("STAT", 4),
        "comm" => ("COMMAND", 16),
        "args" => ("COMMAND", 0),
        _ => return None,
    })
}

fn pad(value: &str, width: usize, last: bool, column: &str) -> String {
    match column {
        "pid" | "ppid" => format!("{value:>width$}{}", if last { "" } else { " " }),
        _ if last => value.to_owned(),
        _ => format!("{value:width$} "),
    }
}
