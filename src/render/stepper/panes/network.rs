//! The network: from the container over the veth pair and the bridge to the
//! rules of the host.

use super::{View, pair};
use crate::narrate::{Label, Line, Span};
use crate::plan::op::Ns;
use crate::render::layout::wrap;

/// Columns of the words at the left.
const KEY: usize = 8;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let network = &view.picture.network;
    let mut out: Vec<Line> = Vec::new();
    if let Some(ns) = view.picture.namespaces.get(Ns::Net) {
        out.extend(wrap(
            &view.dim(match (ns.own, network.ended) {
                (true, true) => "stepper_net_ended",
                (true, false) => "stepper_net_own",
                (false, _) => "stepper_net_shared",
            }),
            width,
        ));
    }
    let mut add = |message: &str, value: Line| {
        let parts = wrap(&value, width.saturating_sub(KEY + 1));
        for (n, part) in parts.into_iter().enumerate() {
            let key = if n == 0 { view.narrator.word(message) } else { String::new() };
            out.push(pair(&key, KEY, part));
        }
    };
    let value = |text: String| vec![Span::new(Label::Value, text)];
    if let Some((link, address)) = &network.address {
        add("stepper_net_inside", value(format!("{link} {address}")));
    } else if let Some(lease) = &network.lease {
        add("stepper_net_lease", value(lease.text()));
    }
    for (link, state) in &network.up {
        add("stepper_net_link", value(format!("{link} {state}")));
    }
    if let Some(veth) = &network.veth {
        let index =
            |i: &Option<crate::trace::Value>| i.as_ref().map_or_else(String::new, |v| format!("#{v}"));
        let ends =
            format!("{}{} ══ {}{}", veth.peer, index(&veth.peer_index), veth.host, index(&veth.host_index));
        add("stepper_net_veth", value(ends));
    }
    if let Some(bridge) = &network.bridge {
        let state = bridge.state.as_ref().map_or_else(String::new, |s| format!(" ({s})"));
        add("stepper_net_bridge", value(format!("{} {}{state}", bridge.name, bridge.address)));
    }
    for (to, way) in &network.routes {
        add("stepper_net_route", value(format!("{to} {way}")));
    }
    for port in &network.ports {
        let to = network.address.as_ref().map(|(_, a)| a.text()).or(network.lease.as_ref().map(|l| l.text()));
        let to = to.map_or_else(String::new, |a| a.split('/').next().unwrap_or_default().to_owned());
        let (ip, from, name) = (port.host_ip, port.host_port, port.protocol.name());
        add("stepper_net_port", value(format!("{ip}:{from}/{name} → {to}:{}", port.container_port)));
    }
    for rule in &network.rules {
        let chain = rule.chain.rsplit(' ').next().unwrap_or_default();
        let line = vec![Span::new(Label::Key, format!("{chain}: ")), Span::new(Label::Value, &rule.text)];
        add("stepper_net_rule", line);
    }
    if out.is_empty() { wrap(&view.dim("stepper_network_none"), width) } else { out }
}
