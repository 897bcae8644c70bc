use super::*;
use crate::trace::Event;
use crate::trace::record::read;

const RUN: &[u8] = include_bytes!("../picture/fixtures/linux-bridge.jsonl");
const HOSTILE: &[u8] = include_bytes!("../../../tests/recordings/model-hostile.jsonl");

fn events(bytes: &[u8]) -> Vec<Event> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

/// The texts of a picture, without the shapes.
fn texts(svg: &str) -> Vec<&str> {
    let open = svg.split("<text ").skip(1);
    open.filter_map(|rest| Some(rest.split_once('>')?.1.split_once("</text>")?.0)).collect()
}

#[test]
fn what_is_there_is_drawn_and_what_is_not_is_not() {
    let events = events(RUN);
    let drawn = |count: usize| file(&Picture::at(&events, count), Lang::En);
    let first = drawn(1);
    assert!(!first.contains("writable layer") && !first.contains("veth"));
    let running = events
        .iter()
        .position(|e| matches!(&e.body, crate::trace::Body::Done { step, .. } if step.0 == "exec.exec"));
    let text = drawn(running.unwrap() + 1);
    for word in ["writable layer", "layer 1", "veth", "eth0", "The union is the root /", "own", "host&#39;s"]
    {
        assert!(text.contains(word), "{word}");
    }
    assert!(drawn(events.len()).contains("removed with the container"));
}

#[test]
fn both_languages_draw_the_same_boxes() {
    let events = events(RUN);
    for count in (0..=events.len()).step_by(40) {
        let picture = Picture::at(&events, count);
        let [en, zh] = [Lang::En, Lang::ZhCn].map(|lang| file(&picture, lang));
        let boxes = |svg: &str| svg.matches("<rect ").count();
        assert_eq!(boxes(&en), boxes(&zh));
        assert_eq!(texts(&en).len(), texts(&zh).len());
        let known = |text: &&str| text.contains("drawing_") || text.contains("story_");
        assert_eq!(texts(&zh).into_iter().find(known), None);
    }
}

#[test]
fn values_stay_text() {
    let events = events(HOSTILE);
    for count in 1..=events.len() {
        let svg = file(&Picture::at(&events, count), Lang::En);
        let elements: Vec<&str> =
            svg.split('<').skip(1).map(|e| e.split([' ', '>']).next().unwrap()).collect();
        let known = ["svg", "/svg", "title", "/title", "style", "/style", "rect", "line", "text", "/text"];
        assert_eq!(elements.iter().find(|e| !known.contains(e)), None, "after {count} events");
    }
    assert_eq!(escaped("<&>\"'\u{1b}\u{ffff}"), "&lt;&amp;&gt;&quot;&#39;\\u{1b}\u{fffd}");
}

#[test]
fn texts_are_cut_to_their_box() {
    assert_eq!(cut("abc", 3), "abc");
    assert_eq!(cut("abcd", 3), "ab…");
    assert_eq!(cut("容器镜像", 5), "容器…");
    assert_eq!(draw::bytes(1023), "1023 B");
    assert_eq!(draw::bytes(1536), "1.5 KiB");
}
