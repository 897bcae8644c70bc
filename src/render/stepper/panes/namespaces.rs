//! Namespaces: own or shared with the host, with the inodes that name them.

use super::{View, pair};
use crate::narrate::{Label, Line, Span};
use crate::render::layout::wrap;
use crate::trace::Value;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let namespaces = &view.picture.namespaces;
    if namespaces.all.is_empty() {
        return wrap(&view.dim("stepper_namespaces_none"), width);
    }
    let mut out: Vec<Line> = Vec::new();
    if namespaces.ended {
        out.extend(wrap(&view.dim("stepper_namespaces_ended"), width));
    }
    for one in &namespaces.all {
        let mut line = view.say(match (one.own, namespaces.ended) {
            (true, false) => "stepper_ns_own",
            (true, true) => "stepper_ns_gone",
            (false, _) => "stepper_ns_shared",
        });
        if let Some(inode) = &one.inside {
            line.push(Span::new(Label::Value, format!(" {}", number(inode))));
        }
        if let Some(host) = one.host.as_ref().filter(|_| one.own) {
            line.extend(view.narrator.say("stepper_ns_host", &[("inode", number(host).into())]));
        }
        out.push(pair(one.ns.name(), 6, line));
    }
    if let Some(name) = &namespaces.hostname {
        let line = view.narrator.say("stepper_hostname", &[("name", name.clone().into())]);
        out.extend(wrap(&line, width));
    }
    out
}

/// `4026532258` of `mnt:[4026532258]`.
fn number(value: &Value) -> String {
    let text = value.text();
    let inner = text.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    inner.unwrap_or(&text).to_owned()
}
