//! One page that plays a recording: every step with its story, its calls and its
//! evidence, and the picture of the container beside it, in both languages.
//!
//! All texts are in the page as elements, made here from the narration; the
//! script only shows one at a time. So nothing of a recording is ever parsed as
//! script, a page without script still reads as a report, and a policy in its
//! head allows this page's own script and nothing else.

mod frame;
mod text;

use std::fmt::Write as _;

use base64::Engine as _;
use sha2::{Digest, Sha256};

use crate::narrate::{Lang, Line, Narrator};
use crate::render::svg;
use crate::trace::Event;
use frame::{Frame, Speakers, frames};
use text::{escaped, spans};

const SCRIPT: &str = include_str!("player.js");
const LOOK: &str = include_str!("player.css");

/// The languages of a page. It opens in the first.
fn languages(first: Lang) -> [Lang; 2] {
    match first {
        Lang::En => [Lang::En, Lang::ZhCn],
        Lang::ZhCn => [Lang::ZhCn, Lang::En],
    }
}

/// The whole page.
pub fn page(events: &[Event], lang: Lang) -> String {
    let speakers = Speakers::new(languages(lang));
    let (frames, pictures) = frames(events, &speakers);
    let style = format!("{LOOK}\n{}", svg::STYLE);
    let title = frame::command(events);
    let mut page = String::with_capacity(1 << 20);
    let _ = writeln!(
        page,
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; \
         style-src '{}'; base-uri 'none'; form-action 'none'\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>",
        lang.name(),
        hash(SCRIPT),
        hash(&style),
        escaped(&title),
    );
    let both = |message: &str| speakers.both(|n| n.say(message, &[]));
    let _ = writeln!(page, "<a class=\"skip\" href=\"#story\">{}</a>", both("player_skip"));
    let _ = writeln!(
        page,
        "<header>\n<h1><code>{}</code></h1>\n<button type=\"button\" id=\"language\" class=\"scripted\">{}</button>\n</header>",
        escaped(&title),
        both("player_language"),
    );
    controls(&mut page, frames.len(), &both);
    let _ = writeln!(
        page,
        "<div class=\"room\">\n<nav aria-labelledby=\"steps-title\">\n<h2 id=\"steps-title\">{}</h2>\n<ol id=\"steps\">",
        both("player_steps")
    );
    for (number, frame) in frames.iter().enumerate() {
        contents_row(&mut page, number, frame);
    }
    let _ = writeln!(
        page,
        "</ol>\n</nav>\n<main id=\"story\" tabindex=\"-1\">\n<h2 class=\"quiet\">{}</h2>",
        both("player_story")
    );
    for (number, frame) in frames.iter().enumerate() {
        let _ = writeln!(
            page,
            "<article class=\"frame\" id=\"frame-{}\" data-picture=\"{}\">\n{}</article>",
            number + 1,
            frame.picture,
            frame.body
        );
    }
    page.push_str("</main>\n<aside aria-labelledby=\"picture-title\">\n");
    let _ = writeln!(page, "<h2 id=\"picture-title\" class=\"quiet\">{}</h2>", both("player_picture"));
    for (number, picture) in pictures.iter().enumerate() {
        let _ = writeln!(page, "<figure class=\"moment\" data-picture=\"{number}\">\n{picture}</figure>");
    }
    page.push_str(
        "</aside>\n</div>\n<p id=\"spoken\" class=\"unseen\" role=\"status\" aria-live=\"polite\"></p>\n",
    );
    let _ = writeln!(page, "<script>{SCRIPT}</script>\n</body>\n</html>");
    page
}

fn controls(page: &mut String, count: usize, both: &dyn Fn(&str) -> String) {
    let _ = writeln!(
        page,
        "<section class=\"controls scripted\" aria-labelledby=\"controls-title\">\n<h2 id=\"controls-title\" class=\"unseen\">{}</h2>",
        both("player_controls")
    );
    for (id, sign, message) in [("first", "«", "player_first"), ("back", "‹", "player_back")] {
        button(page, id, sign, &both(message));
    }
    let _ = writeln!(
        page,
        "<button type=\"button\" id=\"play\"><span class=\"when-paused\">{}</span><span class=\"when-playing\">{}</span></button>",
        both("player_play"),
        both("player_pause")
    );
    for (id, sign, message) in [("next", "›", "player_next"), ("last", "»", "player_last")] {
        button(page, id, sign, &both(message));
    }
    let _ = writeln!(
        page,
        "<label for=\"position\" class=\"unseen\">{}</label>\n<input type=\"range\" id=\"position\" min=\"1\" max=\"{count}\" value=\"1\" step=\"1\">\n\
         <output id=\"count\" for=\"position\">1/{count}</output>\n<p class=\"keys\">{}</p>\n</section>",
        both("player_position"),
        both("player_keys"),
    );
}

fn button(page: &mut String, id: &str, sign: &str, words: &str) {
    let _ = writeln!(
        page,
        "<button type=\"button\" id=\"{id}\"><span aria-hidden=\"true\">{sign}</span> {words}</button>"
    );
}

fn contents_row(page: &mut String, number: usize, frame: &Frame) {
    if let Some(chapter) = &frame.chapter {
        let _ = writeln!(page, "<li class=\"chapter\">{chapter}</li>");
    }
    let _ = writeln!(
        page,
        "<li><a class=\"{}\" href=\"#frame-{}\">{}</a></li>",
        frame.class,
        number + 1,
        frame.title
    );
}

/// As a Content Security Policy names a script or a style, CSP level 3, 2.3.1.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

impl Speakers {
    /// A text in every language; the page shows one of them.
    fn both(&self, say: impl Fn(&Narrator) -> Line) -> String {
        self.each(|n| spans(&say(n)))
    }
}

#[cfg(test)]
mod tests;
