//! The way of a packet: the host's bridge, the pair of links, the container.

use super::COLUMN;
use super::draw::{Canvas, LINE, PAD, columns, cut};
use crate::narrate::{Narrator, plain};
use crate::render::picture::Picture;

pub fn draw(canvas: &mut Canvas, picture: &Picture, words: &Narrator, x: u32, y: u32) -> u32 {
    let network = &picture.network;
    let mut lines: Vec<(&str, String)> = Vec::new();
    for port in &network.ports {
        let (from, to) = (format!("{}:{}", port.host_ip, port.host_port), port.container_port);
        lines.push(("value", format!("{from} → :{to}/{}", port.protocol.name())));
    }
    for (to, way) in &network.routes {
        lines.push(("plain", format!("{to} {way}")));
    }
    if !network.rules.is_empty() {
        let line = words.say("drawing_rules", &[("count", network.rules.len().into())]);
        lines.push(("plain", plain(&line)));
    }
    let (bridge, container) = ends(picture);
    let drawn = bridge.is_some() || container.is_some();
    if !drawn && lines.is_empty() {
        lines.push(("dim", words.word("drawing_nothing")));
    }
    let boxes = if drawn { 3 * LINE + 16 } else { 0 };
    let height = 2 * PAD + LINE * (lines.len() as u32 + 1) + boxes;
    canvas.rect(x, y, COLUMN, height, "panel");
    canvas.words(x + PAD, y + PAD + 11, "title", &words.word("drawing_network"));
    if drawn {
        let top = y + PAD + LINE;
        let half = (COLUMN - 2 * PAD - 60) / 2;
        let right = x + COLUMN - PAD - half;
        if network.veth.is_some() {
            let middle = top + 8 + LINE;
            canvas.line((x + PAD + half, middle), (right, middle), "cable");
            canvas.words(x + PAD + half + 16, middle - 5, "dim", "veth");
        }
        for (left, title, end) in [(x + PAD, "drawing_host", bridge), (right, "drawing_container", container)]
        {
            let Some([name, address]) = end else { continue };
            canvas.rect(left, top, half, 3 * LINE + 6, "layer");
            canvas.words(left + PAD, top + 14, "dim", &words.word(title));
            canvas.words(left + PAD, top + 14 + LINE, "strong", &cut(&name, columns(half)));
            canvas.words(left + PAD, top + 14 + 2 * LINE, "value", &cut(&address, columns(half)));
        }
    }
    let first = y + PAD + 11 + boxes + LINE;
    for (n, (class, line)) in lines.iter().enumerate() {
        canvas.words(x + PAD, first + LINE * n as u32, class, &cut(line, columns(COLUMN)));
    }
    y + height
}

/// Name and address of the two ends, as far as they are there.
fn ends(picture: &Picture) -> (Option<[String; 2]>, Option<[String; 2]>) {
    let network = &picture.network;
    let bridge = network.bridge.as_ref().map(|b| [b.name.clone(), b.address.clone()]);
    let link = network.veth.as_ref().map(|v| v.peer.clone());
    let link = network.address.as_ref().map(|(link, _)| link.clone()).or(link);
    let address = network.address.as_ref().map(|(_, a)| a.text()).unwrap_or_default();
    (bridge, link.map(|link| [link, address]))
}
