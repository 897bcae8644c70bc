//! The other formats, read by the programs that they are made for.

use std::fs;

use serde_json::json;

use super::browser::{Browser, package};
use super::replayed;
use crate::support::Sandbox;

const RECORDINGS: [&str; 4] =
    ["linux-run.jsonl", "linux-rollback.jsonl", "model-run.jsonl", "model-hostile.jsonl"];

/// A page with scripts and styles of packages, and room for what they draw.
fn with_package(sandbox: &Sandbox, files: &[&str]) -> Browser {
    let page = sandbox.path("reader.html");
    let mut html = String::from("<!doctype html><meta charset=utf-8><div id=room></div>");
    for file in files {
        let path = package(file).display().to_string();
        html += &match file.ends_with(".css") {
            true => format!("<link rel=stylesheet href=\"{path}\">"),
            false => format!("<script src=\"{path}\"></script>"),
        };
    }
    fs::write(&page, html).unwrap();
    let mut browser = Browser::start();
    browser.open(&format!("file://{}", page.display()));
    browser
}

#[test]
#[ignore = "chromium"]
fn mermaid_parses_and_draws_the_diagram() {
    let sandbox = Sandbox::plain();
    let mut browser = with_package(&sandbox, &["mermaid/dist/mermaid.min.js"]);
    browser.wait_for("typeof mermaid === 'object'");
    browser.eval("mermaid.initialize({ startOnLoad: false })");
    for recording in RECORDINGS {
        for lang in ["en", "zh-CN"] {
            let file = super::kept(recording);
            let args = ["--lang", lang, "replay", "--to", "mmd", file.to_str().unwrap()];
            let text = json!(sandbox.glassbox(&args).expect(0).out);
            let parsed = browser.eval(&format!("mermaid.parse({text}).then(p => p.diagramType)"));
            assert_eq!(parsed, "sequence", "{recording} {lang}");
            let drawn = format!(
                "mermaid.render('drawn', {text}).then(d => {{ room.innerHTML = d.svg; return room.innerText; }})"
            );
            let drawn = browser.eval(&drawn);
            let drawn = drawn.as_str().unwrap();
            assert!(drawn.contains("glassbox ") && drawn.contains(" run "), "{drawn}");
            let entity = |rest: &str| {
                let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                digits.len() < rest.len() && digits.starts_with(';')
            };
            assert!(!drawn.split('#').skip(1).any(entity), "an entity is not understood: {drawn}");
        }
    }
    let wrong = browser.eval("mermaid.parse('sequenceDiagram\\nA->>').then(() => 'parsed', () => 'refused')");
    assert_eq!(wrong, "refused");
    browser.screenshot("mermaid.png");
}

#[test]
#[ignore = "chromium"]
fn asciinema_plays_the_cast() {
    let sandbox = Sandbox::plain();
    let mut browser = with_package(
        &sandbox,
        &[
            "asciinema-player/dist/bundle/asciinema-player.css",
            "asciinema-player/dist/bundle/asciinema-player.min.js",
        ],
    );
    browser.wait_for("typeof AsciinemaPlayer === 'object'");
    for recording in RECORDINGS {
        let cast = replayed(&sandbox, recording, "cast");
        let markers = cast.lines().filter(|l| l.contains(",\"m\",")).count();
        let text = json!(cast);
        browser.eval(&format!(
            "(() => {{ room.replaceChildren(); window.seen = null; \
             window.player = AsciinemaPlayer.create({{ data: {text} }}, room, {{ preload: true }}); \
             player.addEventListener('metadata', m => {{ window.seen = m; }}); }})()"
        ));
        browser.wait_for("window.seen !== null || player.getDuration() !== undefined");
        browser.wait_for("typeof player.getDuration() === 'number' && player.getDuration() > 1");
        // Every marker is one to go to.
        browser.eval(&format!("player.seek({{ marker: {} }})", markers - 1));
        browser.wait_for("player.getCurrentTime() > 1");
        browser.eval("player.seek('100%')");
        browser.wait_for("/glassbox|exit status/.test(room.innerText)");
        browser.screenshot("asciinema.png");
        browser.eval("player.dispose()");
    }
}
