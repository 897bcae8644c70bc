//! The page in a browser, from a file: it steps, goes back, jumps and plays,
//! says what it does, and never runs anything of a recording.

use std::fs;

use super::browser::Browser;
use super::replayed;
use crate::support::Sandbox;

/// The page of a kept recording, open.
fn opened(sandbox: &Sandbox, recording: &str) -> Browser {
    let page = sandbox.path("player.html");
    fs::write(&page, replayed(sandbox, recording, "html")).unwrap();
    let mut browser = Browser::start();
    browser.open(&format!("file://{}", page.display()));
    browser.wait_for("document.documentElement.classList.contains('plays')");
    browser
}

/// The number of the one frame that is shown.
#[track_caller]
fn shown(browser: &mut Browser) -> u64 {
    let frames = browser.eval(
        "[...document.querySelectorAll('.frame')].filter(f => f.offsetParent).map(f => Number(f.id.slice(6)))",
    );
    let frames = frames.as_array().unwrap();
    assert_eq!(frames.len(), 1, "one frame at a time: {frames:?}");
    assert_eq!(
        browser.eval("[...document.querySelectorAll('.moment')].filter(m => m.offsetParent).length"),
        1
    );
    assert_eq!(browser.eval("document.querySelectorAll('#steps [aria-current=step]').length"), 1);
    frames[0].as_u64().unwrap()
}

#[test]
#[ignore = "chromium"]
fn step_back_jump_and_play() {
    let sandbox = Sandbox::plain();
    let mut browser = opened(&sandbox, "linux-run.jsonl");
    let last = browser.eval("document.querySelectorAll('.frame').length").as_u64().unwrap();
    assert!(last > 90, "{last}");
    assert_eq!(shown(&mut browser), 1);
    assert_eq!(browser.eval("document.getElementById('back').disabled"), true);
    for (press, at) in [
        ("#next", 2),
        ("#next", 3),
        ("#back", 2),
        ("#last", last),
        ("#first", 1),
        ("#steps a[href='#frame-40']", 40),
    ] {
        browser.click(press);
        assert_eq!(shown(&mut browser), at, "{press}");
        assert_eq!(browser.eval("location.hash"), format!("#frame-{at}"));
    }
    for (key, at) in [("ArrowRight", 41), ("ArrowLeft", 40), ("End", last), ("Home", 1)] {
        browser.key(key);
        assert_eq!(shown(&mut browser), at, "{key}");
    }
    browser.eval(
        "(() => { const p = document.getElementById('position'); p.value = 57; \
         p.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(shown(&mut browser), 57);
    browser.screenshot("player-en.png");
    browser.key(" ");
    browser.wait_for("document.documentElement.classList.contains('playing')");
    browser.wait_for("location.hash === '#frame-58'");
    browser.click("#play");
    assert_eq!(browser.eval("document.documentElement.classList.contains('playing')"), false);
    // An address that names a frame opens it.
    browser.eval("location.hash = '#frame-12'");
    browser.wait_for("document.getElementById('position').value === '12'");
    assert_eq!(shown(&mut browser), 12);
    assert_eq!(browser.errors, Vec::<String>::new());
}

#[test]
#[ignore = "chromium"]
fn both_languages_and_what_is_said_aloud() {
    let sandbox = Sandbox::plain();
    let mut browser = opened(&sandbox, "linux-rollback.jsonl");
    let spoken = |browser: &mut Browser| browser.eval("document.getElementById('spoken').textContent");
    let chinese =
        |text: &serde_json::Value| text.as_str().unwrap().chars().any(|c| ('一'..='鿿').contains(&c));
    browser.click("#next");
    assert!(spoken(&mut browser).as_str().unwrap().starts_with("2/"));
    assert!(!chinese(&spoken(&mut browser)));
    let visible = "document.querySelector('.frame:not([hidden])').innerText";
    assert!(!chinese(&browser.eval(visible)));
    browser.key("l");
    assert!(chinese(&browser.eval(visible)) && chinese(&spoken(&mut browser)));
    assert_eq!(browser.eval("document.documentElement.lang"), "zh-CN");
    browser.click("#last");
    browser.screenshot("player-zh-CN.png");
    browser.click("#language");
    assert!(!chinese(&browser.eval(visible)));
    // Landmarks, a name for each control, and a live region that is polite.
    for selector in ["header", "nav[aria-labelledby]", "main", "aside[aria-labelledby]", "[aria-live=polite]"]
    {
        assert_eq!(browser.eval(&format!("document.querySelectorAll({selector:?}).length")), 1, "{selector}");
    }
    let tree = browser.ask("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let controls: Vec<(&str, &str)> = nodes
        .iter()
        .filter(|n| n["ignored"] == false)
        .filter_map(|n| Some((n["role"]["value"].as_str()?, n["name"]["value"].as_str().unwrap_or(""))))
        .filter(|(role, _)| matches!(*role, "button" | "slider" | "navigation" | "complementary"))
        .collect();
    assert!(controls.len() >= 9, "{controls:?}");
    assert_eq!(controls.iter().find(|(_, name)| name.trim().is_empty()), None, "{controls:?}");
    // The first stop of the tabulator leads past the controls.
    browser.eval("document.activeElement.blur()");
    browser.key("Tab");
    assert_eq!(browser.errors, Vec::<String>::new());
}

#[test]
#[ignore = "chromium"]
fn nothing_of_a_recording_runs() {
    let sandbox = Sandbox::plain();
    let mut browser = opened(&sandbox, "model-hostile.jsonl");
    let last = browser.eval("document.querySelectorAll('.frame').length").as_u64().unwrap();
    let mut texts = String::new();
    for _ in 0..last {
        texts += browser.eval("document.querySelector('.frame:not([hidden])').innerText").as_str().unwrap();
        browser.key("ArrowRight");
    }
    for value in ["</script><script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>"] {
        assert!(texts.contains(value), "{value} is not told");
    }
    assert_eq!(browser.eval("typeof window.hacked"), "undefined");
    assert_eq!(browser.eval("document.scripts.length"), 1);
    assert_eq!(
        browser.eval("document.querySelectorAll('img, iframe, object, [onerror], [onload]').length"),
        0
    );
    assert_eq!(browser.errors, Vec::<String>::new());
}

#[test]
#[ignore = "chromium"]
fn a_picture_is_a_file_of_its_own() {
    let sandbox = Sandbox::plain();
    for recording in ["linux-run.jsonl", "model-hostile.jsonl"] {
        let file = sandbox.path("picture.svg");
        fs::write(&file, replayed(&sandbox, recording, "svg")).unwrap();
        let mut browser = Browser::start();
        browser.open(&format!("file://{}", file.display()));
        assert_eq!(browser.eval("document.documentElement.localName"), "svg");
        assert_eq!(browser.eval("document.querySelectorAll('parsererror').length"), 0);
        let outside = "[...document.querySelectorAll('text')].filter(t => { const b = t.getBBox(); \
             return b.x < 0 || b.x + b.width > 980; }).map(t => t.textContent)";
        assert_eq!(browser.eval(outside), serde_json::json!([]));
        assert!(browser.screenshot("picture.png").len() > 5000);
        assert_eq!(browser.errors, Vec::<String>::new());
    }
}
