//! The picture of one moment as SVG: the layer stack, the namespaces, the
//! network, the control group and the processes. A file of its own, or a part
//! of a page that has [`STYLE`].

mod boxes;
mod draw;
mod layers;
mod network;

use crate::kernel::KernelName;
use crate::narrate::{Lang, Narrator, brief_ids, plain, quote};
use crate::render::picture::Picture;
use crate::trace::story::wanted;
pub use draw::escaped;
use draw::{Canvas, cut};

/// Colours and fonts, light and dark.
pub const STYLE: &str = include_str!("picture.css");

/// Width of the whole.
const WIDTH: u32 = 980;
/// Space around and between the boxes.
const GAP: u32 = 16;
/// Width of a column.
const COLUMN: u32 = (WIDTH - 3 * GAP) / 2;

/// A whole SVG file.
pub fn file(picture: &Picture, lang: Lang) -> String {
    let svg = element(picture, &Narrator::new(lang));
    // The style comes first in the element, in which everything is escaped.
    svg.replacen('>', &format!(">\n<style>\n{STYLE}</style>"), 1)
}

/// An `svg` element without style.
pub fn element(picture: &Picture, words: &Narrator) -> String {
    let mut canvas = Canvas::default();
    let top = head(&mut canvas, picture, words);
    let (left, right) = (GAP, 2 * GAP + COLUMN);
    let mut y = layers::draw(&mut canvas, &picture.layers, words, left, top);
    y = boxes::cgroup(&mut canvas, &picture.cgroup, words, left, y + GAP);
    let mut z = boxes::namespaces(&mut canvas, &picture.namespaces, words, right, top);
    z = network::draw(&mut canvas, picture, words, right, z + GAP);
    z = boxes::processes(&mut canvas, &picture.processes, words, right, z + GAP);
    let height = y.max(z) + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" role=\"group\" lang=\"{}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<title>{}</title>\n<rect class=\"paper\" width=\"{WIDTH}\" \
         height=\"{height}\"/>\n{}</svg>\n",
        words.lang().name(),
        draw::escaped(&words.word("drawing_title")),
        canvas.text
    )
}

/// What was run, on which kernel, and which step was the last.
fn head(canvas: &mut Canvas, picture: &Picture, words: &Narrator) -> u32 {
    let command: Vec<String> = wanted(&picture.command).into_iter().map(quote).collect();
    let line = format!("$ glassbox {}", brief_ids(&command.join(" ")));
    canvas.words(GAP, GAP + 12, "code", &cut(&line, 130));
    let kernel = match picture.kernel {
        Some(KernelName::Model) => plain(&words.say("story_model", &[])),
        Some(KernelName::Linux) => {
            let release = picture.release.as_ref().map(crate::trace::Value::text).unwrap_or_default();
            plain(&words.say("story_linux", &[("release", release.into())]))
        }
        None => String::new(),
    };
    canvas.words(GAP, GAP + 30, "dim", &cut(&kernel, 130));
    let now = match (picture.status, picture.progress.at()) {
        (Some(status), _) => plain(&words.say("story_end_action", &[("status", status.to_string().into())])),
        (None, Some(view)) => view.step.id.0.clone(),
        (None, None) => String::new(),
    };
    canvas.words(GAP, GAP + 48, "head", &cut(&now, 120));
    GAP + 64
}

#[cfg(test)]
mod tests;
