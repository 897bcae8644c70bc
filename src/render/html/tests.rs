use super::*;
use crate::trace::Body;
use crate::trace::record::read;

const RUN: &[u8] = include_bytes!("../../../tests/recordings/model-run.jsonl");
const ROLLBACK: &[u8] = include_bytes!("../../../tests/recordings/model-rollback.jsonl");
const HOSTILE: &[u8] = include_bytes!("../../../tests/recordings/model-hostile.jsonl");

fn events(bytes: &[u8]) -> Vec<Event> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_step_has_a_frame_and_a_picture() {
    for bytes in [RUN, ROLLBACK, HOSTILE] {
        let events = events(bytes);
        let page = page(&events, Lang::En);
        let steps =
            events.iter().filter(|e| matches!(e.body, Body::About { .. } | Body::Undoing { .. })).count();
        let frames = page.matches("<article class=\"frame\"").count();
        assert!(frames > steps, "{frames} frames for {steps} steps");
        assert_eq!(page.matches("href=\"#frame-").count(), frames);
        assert!(page.matches("<figure class=\"moment\"").count() > 5);
        for step in Story::of(&events).steps() {
            assert!(page.contains(&format!("<code>{}</code>", escaped(&step.step.id.0))), "{}", step.step.id);
        }
    }
}

use crate::trace::story::Story;

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let page = page(&events(RUN), Lang::ZhCn);
    assert!(page.starts_with("<!doctype html>\n<html lang=\"zh-CN\">"));
    for load in ["src=", "<link", "@import", "url(", "<iframe"] {
        assert!(!page.contains(load), "{load}");
    }
    assert!(page.contains(&format!("script-src '{}'", hash(SCRIPT))));
}

#[test]
fn values_stay_text() {
    let page = page(&events(HOSTILE), Lang::En);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert_eq!(page.matches("<img").count(), 0);
    assert_eq!(page.matches("onerror=").count(), page.matches("&lt;img src=x onerror=").count());
}

#[test]
fn the_hash_is_the_one_of_the_specification() {
    assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}
