//! The layer stack, drawn as it lies: the writable layer on top.

use super::{View, bytes};
use crate::narrate::{Label, Line, Span, brief_ids, plain};
use crate::render::layout::{text_width, wrap};
use crate::render::picture::{Entry, Layer, What, Writable};

/// Entries of the writable layer that are shown, the latest.
const SHOWN: usize = 12;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let layers = &view.picture.layers;
    let mut out = Vec::new();
    if let Some(union) = &layers.union {
        let message = match (union.root, union.attached) {
            (true, _) => "stepper_union_root",
            (false, true) => "stepper_union_attached",
            (false, false) => "stepper_union_detached",
        };
        out.push(marked("═", view.say(message)));
    }
    if let Some(writable) = &layers.writable {
        out.extend(top(view, writable, width));
    }
    for layer in layers.read_only.iter().rev() {
        out.extend(one(view, layer, width));
    }
    if out.is_empty() { wrap(&view.dim("stepper_layers_none"), width) } else { out }
}

fn top(view: &View<'_>, writable: &Writable, width: usize) -> Vec<Line> {
    if writable.removed {
        return vec![marked("┄", view.dim("stepper_writable_removed"))];
    }
    if writable.shared {
        let heading = wrap(&view.narrator.say("stepper_writable_shared", &[]), width.saturating_sub(2));
        let heading = heading.into_iter().map(|line| marked("▒", line));
        return heading.chain(latest(view, writable, width)).collect();
    }
    let copied = match writable.copied() {
        0 => String::new(),
        n => format!("{}{}", view.narrator.separator(), bytes(n)),
    };
    let args = [
        ("entries", writable.entries.len().into()),
        ("copied", writable.count(What::Copied).into()),
        ("bytes", copied.into()),
    ];
    let mut out = vec![marked("▒", view.narrator.say("stepper_writable", &args))];
    out.extend(latest(view, writable, width));
    out
}

fn latest(view: &View<'_>, writable: &Writable, width: usize) -> Vec<Line> {
    let mut out = Vec::new();
    let hidden = writable.entries.len().saturating_sub(SHOWN);
    if hidden > 0 {
        out.push(marked("▒", view.narrator.say("stepper_more", &[("count", hidden.into())])));
    }
    out.extend(writable.entries[hidden..].iter().map(|e| entry(view, e, width)));
    out
}

fn entry(view: &View<'_>, entry: &Entry, width: usize) -> Line {
    let (sign, label, message) = match entry.what {
        What::Added => ("A", Label::Added, "stepper_added"),
        What::Copied => ("C", Label::Value, "stepper_copied"),
        What::Whiteout => ("D", Label::Removed, "stepper_whiteout"),
        What::Opaque => ("O", Label::Removed, "stepper_opaque"),
        What::Redirect => ("R", Label::Value, "stepper_redirect"),
    };
    let size = entry.bytes.map_or_else(String::new, |n| format!(" {}", bytes(n)));
    let note = format!("  {}{size}", view.narrator.word(message));
    let path = super::plan::cut(&entry.path, width.saturating_sub(4 + text_width(&note)).max(12));
    vec![
        Span::new(Label::Dim, "▒ "),
        Span::new(label, sign),
        Span::new(Label::Plain, format!(" {path}")),
        Span::new(Label::Dim, note),
    ]
}

fn one(view: &View<'_>, layer: &Layer, width: usize) -> Vec<Line> {
    let digest = layer.chain_id.strip_prefix("sha256:").unwrap_or(&layer.chain_id);
    let mut line = marked("█", view.narrator.say("stepper_layer", &[("index", layer.index.into())]));
    if let Some(n) = layer.bytes {
        line.push(Span::new(Label::Plain, format!("  {}", bytes(n))));
    }
    if let Some(n) = layer.entries {
        line.push(Span::new(Label::Dim, " "));
        line.extend(view.narrator.say("stepper_entries", &[("count", n.into())]));
    }
    line.push(Span::new(Label::Dim, format!("  {}", brief_ids(digest))));
    let mut out = vec![line];
    if let Some(made) = layer.created_by.as_deref().filter(|m| !m.is_empty()) {
        let text = super::plan::cut(made, width.saturating_sub(4));
        out.push(vec![Span::new(Label::Dim, "│   "), Span::new(Label::Code, text)]);
    }
    out.extend(held(view, layer, width));
    out
}

/// That a process is held before it changes something that this layer supplies.
fn held(view: &View<'_>, layer: &Layer, width: usize) -> Option<Line> {
    let change = view.held()?;
    change.layer.as_ref().filter(|l| l.digest.text() == layer.diff_id)?;
    let call = change.call.clone().unwrap_or_default();
    let note = plain(&view.narrator.say("stepper_held_here", &[("call", call.into())]));
    let path = super::plan::cut(&change.path, width.saturating_sub(6 + text_width(&note)).max(12));
    Some(vec![
        Span::new(Label::Dim, "│ "),
        Span::new(Label::Value, format!("> {path}")),
        Span::new(Label::Dim, format!("  {note}")),
    ])
}

fn marked(sign: &str, line: Line) -> Line {
    let mut whole = vec![Span::new(Label::Dim, format!("{sign} "))];
    whole.extend(line);
    whole
}
