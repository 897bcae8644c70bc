//! The arguments of a message: an operation's own serialised fields, flattened,
//! with what steps have filled in. A new field is at once available.

use std::borrow::Cow;

use fluent_bundle::{FluentArgs, FluentValue};

use crate::kernel::Slots;
use crate::plan::Op;
use crate::plan::op::{SeccompProfile, Slot};

/// What is known when a message is made.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Values that steps have filled in so far.
    pub slots: &'a Slots,
}

/// Every slot. The match makes a new one fail to compile here.
pub(super) const SLOTS: [Slot; 5] =
    [Slot::InitPid, Slot::Address, Slot::ExitStatus, Slot::ProcessPid, Slot::ProcessBorn];

pub(super) fn slot_message(slot: Slot) -> &'static str {
    match slot {
        Slot::InitPid => "slot_init_pid",
        Slot::Address => "slot_address",
        Slot::ExitStatus => "slot_exit_status",
        Slot::ProcessPid => "slot_process_pid",
        Slot::ProcessBorn => "slot_process_born",
    }
}

/// What stands for a value that is absent, so that a message can select on it.
const NONE: &str = "none";

/// The arguments for messages about `op`. `unfilled` gives the words for a slot
/// that is not filled yet.
pub(super) fn of_op(
    op: &Op,
    known: Known<'_>,
    separator: &str,
    unfilled: &dyn Fn(Slot) -> String,
) -> FluentArgs<'static> {
    let mut args = FluentArgs::new();
    for slot in SLOTS {
        let value = known.slots.get(&slot).map_or(NONE.to_owned(), |v| v.text());
        set(&mut args, slot_message(slot), FluentValue::String(Cow::Owned(value)));
    }
    if let Op::LoadSeccomp { profile, told } = op {
        let profile = match profile {
            SeccompProfile::Default { .. } => "default",
            SeccompProfile::Unconfined => "unconfined",
        };
        text(&mut args, "profile", profile);
        text(&mut args, "told", if *told { "true" } else { "false" });
    }
    if let Op::Supervise { joined, .. } = op {
        text(&mut args, "joined", if *joined { "true" } else { "false" });
    }
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(op) {
        let fill = Fill { known, separator, unfilled, bare: matches!(op, Op::PublishPort { .. }) };
        for (name, value) in fields.iter().filter(|(n, _)| *n != "op" && *n != "of" && *n != "do") {
            fill.field(&mut args, name, value);
        }
    }
    args
}

struct Fill<'a> {
    known: Known<'a>,
    separator: &'a str,
    unfilled: &'a dyn Fn(Slot) -> String,
    /// The operation wants an address without its prefix length.
    bare: bool,
}

impl Fill<'_> {
    fn field(&self, args: &mut FluentArgs<'static>, name: &str, value: &serde_json::Value) {
        use serde_json::Value as Json;
        match value {
            Json::Null => text(args, name, NONE),
            Json::Bool(b) => text(args, name, if *b { "true" } else { "false" }),
            // Modes are octal everywhere else; so they are here.
            Json::Number(n) if name == "mode" => {
                let mode = n.as_u64().map_or_else(|| n.to_string(), |m| format!("{m:04o}"));
                text(args, name, &mode);
            }
            Json::Number(n) => number(args, name, n),
            Json::String(s) => self.string(args, name, s),
            Json::Array(items) => {
                let shown: Vec<String> = items.iter().map(shown).collect();
                // An argument vector reads as the command that it is.
                let joined = if name == "argv" {
                    shown.iter().map(|a| super::quote(a)).collect::<Vec<_>>().join(" ")
                } else {
                    shown.join(self.separator)
                };
                text(args, name, if shown.is_empty() { NONE } else { &joined });
                set(args, &format!("{name}_count"), FluentValue::from(items.len()));
            }
            Json::Object(fields) => {
                let slot = fields.get("slot").and_then(|s| serde_json::from_value(s.clone()).ok());
                if let Some(slot) = slot {
                    let filled = self.known.slots.get(&slot).map(|v| v.text());
                    let value = match filled {
                        Some(value) if self.bare && slot == Slot::Address => {
                            without_prefix(&value).to_owned()
                        }
                        Some(value) => value,
                        None => (self.unfilled)(slot),
                    };
                    self.string(args, name, &value);
                    return;
                }
                for (field, value) in fields {
                    self.field(args, &format!("{name}_{field}"), value);
                }
            }
        }
    }

    fn string(&self, args: &mut FluentArgs<'static>, name: &str, value: &str) {
        let value = if value.is_empty() { NONE } else { value };
        text(args, name, &brief_ids(value));
        text(args, &format!("{name}_short"), &short(value));
        text(args, &format!("{name}_inside"), &brief_ids(inside(value)));
        // A variant's key cannot be an address.
        text(args, &format!("{name}_any"), if value == "0.0.0.0" { "true" } else { "false" });
        text(args, &format!("{name}_stdin"), if value == "-" { "true" } else { "false" });
        let last = value.trim_end_matches('/').rsplit('/').next().filter(|l| !l.is_empty());
        text(args, &format!("{name}_last"), &brief_ids(last.unwrap_or(value)));
    }
}

/// What the container calls a path beneath its root file system, which stands
/// at `containers/ID/rootfs` of the store; any other path as it is.
pub fn inside(path: &str) -> &str {
    let root = || {
        let (_, rest) = path.split_once("/containers/")?;
        let (_, rest) = rest.split_once('/')?;
        rest.strip_prefix("rootfs")
    };
    match root() {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// `10.88.0.2` of `10.88.0.2/16`.
pub(super) fn without_prefix(address: &str) -> &str {
    address.split_once('/').map_or(address, |(bare, _)| bare)
}

/// Shortens whole ids and digests (64 digits) to 12, as people read them.
pub fn brief_ids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = run.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if digits.len() == 64 {
            out.push_str(&digits[..12]);
            out.push('…');
            out.push_str(&run[64..]);
        } else {
            out.push_str(run);
        }
    }
    out
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// `sha256:` and 64 digits, shortened to 12 digits as Docker shows them.
fn short(value: &str) -> String {
    match value.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.is_ascii() => digits[..12].to_owned(),
        _ => value.to_owned(),
    }
}

fn text(args: &mut FluentArgs<'static>, name: &str, value: &str) {
    set(args, name, FluentValue::String(Cow::Owned(value.to_owned())));
}

fn number(args: &mut FluentArgs<'static>, name: &str, n: &serde_json::Number) {
    // Fluent counts in f64; what does not fit stays exact as text.
    match n.as_f64() {
        Some(f) if f.abs() < 9.0e15 => set(args, name, FluentValue::from(f)),
        _ => text(args, name, &n.to_string()),
    }
}

fn set(args: &mut FluentArgs<'static>, name: &str, value: FluentValue<'static>) {
    args.set(name.to_owned(), value);
}
