use serde_json::Value as Json;

use super::*;
use crate::render::console::{self, Console};
use crate::trace::record::read;
use crate::trace::redact::redact;
use crate::trace::{Body, Event};

const RECORDINGS: [&[u8]; 5] = [
    include_bytes!("../../../tests/recordings/linux-life.jsonl"),
    include_bytes!("../../../tests/recordings/model-run.jsonl"),
    include_bytes!("../../../tests/recordings/model-rollback.jsonl"),
    include_bytes!("../../../tests/recordings/model-hostile.jsonl"),
    include_bytes!("../picture/fixtures/linux-bridge.jsonl"),
];

fn events(bytes: &[u8]) -> Vec<Event> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

fn written(events: &[Event], format: Format, options: &Options) -> String {
    let mut out = Vec::new();
    write(events, format, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_ending_chooses() {
    let cases = [
        ("run.jsonl", Some(Format::Jsonl)),
        ("a.b.html", Some(Format::Html)),
        ("run.chrome.json", Some(Format::Chrome)),
        ("run.json", None),
        (".svg", None),
        ("svg", None),
        ("run.cast", Some(Format::Cast)),
        ("run.md", Some(Format::Markdown)),
        ("run.mmd", Some(Format::Mermaid)),
        ("run", None),
    ];
    for (name, format) in cases {
        assert_eq!(Format::of_name(name), format, "{name}");
    }
}

#[test]
fn lines_of_json_are_what_was_recorded() {
    for bytes in RECORDINGS {
        let events = events(bytes);
        let text = written(&events, Format::Jsonl, &Options::default());
        assert_eq!(super::tests::events(text.as_bytes()), events);
    }
}

#[test]
fn a_cast_is_the_console_over_time_with_a_marker_for_each_step() {
    for (bytes, pace) in RECORDINGS.into_iter().zip([1, 0, 700_000, 0, 5]) {
        let events = events(bytes);
        let text = written(&events, Format::Cast, &Options { pace, ..Options::default() });
        let mut lines = text.lines().map(|l| serde_json::from_str::<Json>(l).unwrap());
        let header = lines.next().unwrap();
        assert_eq!((&header["version"], &header["term"]["cols"]), (&3.into(), &100.into()));
        let lines: Vec<(f64, String, String)> = lines.map(|l| serde_json::from_value(l).unwrap()).collect();
        assert!(lines.iter().all(|(interval, ..)| *interval >= 0.0));
        let of = |code: &'static str| {
            lines.iter().filter(move |(_, c, _)| c == code).map(|(.., data)| data.as_str())
        };
        let steps = events.iter().filter(|e| matches!(e.body, Body::About { .. })).count();
        assert_eq!(of("m").count(), steps);
        let mut console = Console::new(
            Vec::new(),
            console::Options { width: 100, colour: true, raw: true, ..Default::default() },
        );
        events.iter().for_each(|e| console.event(e).unwrap());
        assert_eq!(of("o").collect::<String>(), String::from_utf8(console.into_inner()).unwrap());
        let last = events.last().unwrap();
        let Body::End { status } = last.body else { unreachable!() };
        assert_eq!(lines.last().unwrap().1, "x");
        assert_eq!(lines.last().unwrap().2, status.to_string());
        let total: f64 = lines.iter().map(|(interval, ..)| interval).sum();
        let told = of("o").count() as f64;
        match pace {
            0 => assert!((total - last.at as f64 / 1e6).abs() < 1e-6, "{total} of {} µs", last.at),
            pace => assert!(total >= (told - 1.0) * pace as f64 / 1e6, "{total}"),
        }
    }
}

/// Slices of a track that begin within another end within it.
#[test]
fn slices_of_a_track_nest() {
    for bytes in RECORDINGS {
        let plain = events(bytes);
        for events in [redact(&plain).unwrap(), plain] {
            let trace: Json =
                serde_json::from_str(&written(&events, Format::Chrome, &Options::default())).unwrap();
            let all = trace["traceEvents"].as_array().unwrap();
            let mut named = std::collections::BTreeSet::new();
            let mut tracks: std::collections::BTreeMap<_, Vec<(u64, u64, &Json)>> = Default::default();
            for event in all {
                let track = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
                match event["ph"].as_str().unwrap() {
                    "M" => _ = named.insert((event["name"].as_str().unwrap().to_owned(), track)),
                    "X" => {
                        let (ts, dur) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap());
                        tracks.entry(track).or_default().push((ts, ts + dur, event));
                    }
                    "i" => assert_eq!(event["s"], "t"),
                    other => panic!("a phase {other}"),
                }
            }
            for (track, mut slices) in tracks {
                assert!(named.contains(&("thread_name".to_owned(), track)), "{track:?} has no name");
                slices.sort_by_key(|(begin, end, _)| (*begin, std::cmp::Reverse(*end)));
                let mut open: Vec<(u64, u64, &Json)> = Vec::new();
                for slice in slices {
                    open.retain(|(_, end, _)| *end > slice.0);
                    if let Some((_, end, outer)) = open.last() {
                        assert!(slice.1 <= *end, "{} is not within {}", slice.2, outer);
                    }
                    open.push(slice);
                }
            }
            let calls = events.iter().filter(|e| matches!(e.body, Body::Call { .. })).count();
            assert_eq!(all.iter().filter(|e| e["cat"] == "call").count(), calls);
        }
    }
}

#[test]
fn a_diagram_has_one_statement_in_each_line() {
    for bytes in RECORDINGS {
        for lang in [Lang::En, Lang::ZhCn] {
            let text = written(&events(bytes), Format::Mermaid, &Options { lang, ..Options::default() });
            assert!(text.starts_with("sequenceDiagram\n    participant G as glassbox\n"));
            for line in text.lines().skip(1) {
                let (statement, words) = match line.trim().split_once(": ") {
                    Some((statement, words)) => (statement, words),
                    None => (line.trim(), ""),
                };
                let known =
                    ["participant ", "Note over ", "G->>K", "I->>K", "K-->>G", "K-->>I", "K--xG", "K--xI"];
                assert!(known.iter().any(|k| statement.starts_with(k)), "{line}");
                assert!(!words.contains(['<', '>', '{', '}', '%', '"', '`', '\u{2028}']), "{line}");
                let rest = words.replace(|c: char| c.is_ascii_digit(), "");
                assert_eq!(rest.matches(';').count(), rest.matches("#;").count(), "{line}");
            }
        }
    }
}

#[test]
fn a_report_has_headings_code_and_words_only() {
    use pulldown_cmark::{Event as Md, Parser, Tag};
    for bytes in RECORDINGS {
        for lang in [Lang::En, Lang::ZhCn] {
            let events = events(bytes);
            let text = written(&events, Format::Markdown, &Options { lang, ..Options::default() });
            let mut headings = 0;
            for part in Parser::new(&text) {
                match part {
                    Md::Html(html) | Md::InlineHtml(html) => panic!("HTML in the report: {html}"),
                    Md::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                        panic!("a link in the report: {dest_url}")
                    }
                    Md::Start(Tag::Heading { .. }) => headings += 1,
                    _ => {}
                }
            }
            let steps =
                events.iter().filter(|e| matches!(e.body, Body::About { .. } | Body::Undoing { .. })).count();
            assert!(headings > steps, "{headings} headings for {steps} steps");
        }
    }
}

#[test]
fn a_moment_is_a_step_or_a_number() {
    let events = events(RECORDINGS[2]);
    let begins = |body: &Body| matches!(body, Body::Failed { .. });
    let failed = events.iter().position(|e| begins(&e.body)).unwrap() + 1;
    let cases = [
        (None, Some(events.len())),
        (Some("mounts.mount-proc"), Some(failed)),
        (Some("7"), Some(7)),
        (Some("0"), None),
        (Some("99999"), None),
        (Some("mounts"), None),
    ];
    for (at, count) in cases {
        assert_eq!(moment(&events, at).ok(), count, "{at:?}");
    }
}
