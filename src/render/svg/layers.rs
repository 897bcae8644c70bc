//! The stack: the writable layer on top, below it the image's, the uppermost
//! first, and what their union is by now.

use super::COLUMN;
use super::draw::{Canvas, LINE, PAD, bytes, columns, cut};
use crate::narrate::Narrator;
use crate::render::picture::{Layer, Layers, What, Writable};

/// Entries of the writable layer that are named, and layers that are drawn.
const ENTRIES: usize = 8;
const LAYERS: usize = 12;

pub fn draw(canvas: &mut Canvas, layers: &Layers, words: &Narrator, x: u32, top: u32) -> u32 {
    let mut y = top + PAD + LINE;
    // The frame goes behind what it holds, and its height is known only then.
    let mut inner = Canvas::default();
    inner.words(x + PAD, y - 6, "title", &words.word("drawing_layers"));
    let inside = (x + PAD, COLUMN - 2 * PAD);
    if let Some(union) = &layers.union {
        let state = match (union.root, union.attached) {
            (true, _) => "drawing_union_root",
            (false, true) => "drawing_union_attached",
            (false, false) => "drawing_union_mounted",
        };
        inner.words(inside.0, y + 11, "own", &words.word(state));
        y += LINE;
    }
    if let Some(layer) = &layers.writable {
        y = writable(&mut inner, layer, words, inside, y + 4);
    }
    let hidden = layers.read_only.len().saturating_sub(LAYERS);
    for layer in layers.read_only.iter().rev().take(LAYERS) {
        y = read_only(&mut inner, layer, words, inside, y + 4);
    }
    if hidden > 0 {
        let line = words.say("drawing_more_layers", &[("count", hidden.into())]);
        inner.words(inside.0, y + LINE, "dim", &crate::narrate::plain(&line));
        y += LINE;
    }
    if layers.writable.is_none() && layers.read_only.is_empty() {
        inner.words(inside.0, y + 11, "dim", &words.word("drawing_nothing"));
        y += LINE;
    }
    y += PAD;
    canvas.rect(x, top, COLUMN, y - top, "panel");
    canvas.text.push_str(&inner.text);
    y
}

fn writable(canvas: &mut Canvas, layer: &Writable, words: &Narrator, (x, w): (u32, u32), y: u32) -> u32 {
    let mut lines: Vec<(&str, String)> = Vec::new();
    if layer.removed {
        lines.push(("dim", words.word("drawing_removed")));
    } else if layer.entries.is_empty() {
        lines.push(("dim", words.word("drawing_empty")));
    }
    for entry in layer.entries.iter().take(ENTRIES) {
        let (sign, class) = match entry.what {
            What::Added => ("A", "added"),
            What::Copied => ("C", "copied"),
            What::Whiteout => ("D", "removed"),
            What::Opaque => ("O", "removed"),
            What::Redirect => ("R", "copied"),
        };
        let size = entry.bytes.map(|b| format!("  {}", bytes(b))).unwrap_or_default();
        lines.push((class, format!("{sign} {}{size}", entry.path)));
    }
    let more = layer.entries.len().saturating_sub(ENTRIES);
    if more > 0 {
        let line = words.say("drawing_more_entries", &[("count", more.into())]);
        lines.push(("dim", crate::narrate::plain(&line)));
    }
    let height = PAD + LINE * (lines.len() as u32 + 1);
    let class = if layer.removed { "layer gone" } else { "layer writable" };
    canvas.rect(x, y, w, height, class);
    canvas.words(x + PAD, y + 16, "strong", &words.word("drawing_writable"));
    for (n, (class, line)) in lines.iter().enumerate() {
        canvas.words(x + PAD, y + 16 + LINE * (n as u32 + 1), class, &cut(line, columns(w)));
    }
    y + height
}

fn read_only(canvas: &mut Canvas, layer: &Layer, words: &Narrator, (x, w): (u32, u32), y: u32) -> u32 {
    let height = PAD + 2 * LINE;
    canvas.rect(x, y, w, height, "layer");
    let digest: String = layer.diff_id.trim_start_matches("sha256:").chars().take(12).collect();
    let size = layer.bytes.map(|b| format!("  {}", bytes(b))).unwrap_or_default();
    let args = [("index", layer.index.into())];
    let name = crate::narrate::plain(&words.say("drawing_layer", &args));
    canvas.words(x + PAD, y + 16, "strong", &format!("{name}  {digest}{size}"));
    let says = layer.created_by.as_deref().or(layer.root.as_deref()).unwrap_or_default();
    canvas.words(x + PAD, y + 16 + LINE, "dim", &cut(says, columns(w)));
    y + height
}
