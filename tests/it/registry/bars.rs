//! Bars on a terminal, lines elsewhere.

use std::process::Stdio;

use super::fake::Fake;
use super::images::{Parts, architecture, digest, noise, small, tar_of};
use crate::support::{Ran, Sandbox};

const COLUMNS: usize = 100;

/// What the command writes to a terminal.
fn on_a_terminal(sandbox: &Sandbox, args: &[&str]) -> String {
    let own = sandbox.command(args);
    let line: Vec<String> = std::iter::once(own.get_program())
        .chain(own.get_args())
        .map(|a| format!("'{}'", a.to_string_lossy()))
        .collect();
    let line = format!("stty cols {COLUMNS} rows 30; exec {}", line.join(" "));
    let mut script = sandbox.inside("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    Ran::from(script.output().unwrap()).expect(0).out
}

/// The texts between the control sequences of a terminal, each row for itself: a
/// row may be filled up to the last column, and the next begins without a word.
fn texts(written: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                // ESC [ parameters and a letter.
                rest.find(char::is_ascii_alphabetic);
                texts.push(String::new());
            }
            '\r' | '\n' => texts.push(String::new()),
            c => texts.last_mut().unwrap().push(c),
        }
    }
    let rows = texts.iter().flat_map(|text| {
        let text: Vec<char> = text.chars().collect();
        text.chunks(COLUMNS).map(|row| row.iter().collect::<String>().trim().to_owned()).collect::<Vec<_>>()
    });
    rows.filter(|row| !row.is_empty()).collect()
}

/// The first digits of the layers' diff IDs or digests, as Docker shows them.
fn short(digest: &str) -> String {
    digest["sha256:".len()..][..12].to_owned()
}

fn large() -> (Parts, Vec<Vec<u8>>) {
    let tars = vec![tar_of(&[("etc/name", b"glass\n")]), tar_of(&[("noise", &noise(24 << 20, 5))])];
    (Parts::new(&tars, architecture()), tars)
}

/// At least one frame shows a part of the bytes in a bar, and the last words of
/// each layer are these.
fn expect_bars(texts: &[String], layers: &[String], moving: &str, done: &str) {
    let drawn = texts.iter().find(|t| t.contains(moving) && t.contains('[') && t.contains("MB/"));
    let drawn = drawn.unwrap_or_else(|| panic!("no bar: {texts:#?}"));
    // Narrower than the terminal: where it went on in the next row, that is no layer's.
    assert!(drawn.ends_with("MB") && layers.iter().any(|l| drawn.starts_with(l.as_str())), "{drawn}");
    for layer in layers {
        let last = texts.iter().rfind(|t| t.starts_with(layer.as_str()));
        assert_eq!(last, Some(&format!("{layer}: {done}")), "{texts:#?}");
    }
}

#[test]
#[ignore = "root"]
fn a_pull_on_a_terminal_has_a_bar_for_each_layer() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let (parts, _) = large();
    fake.image("app", "v1", &parts);
    let name = format!("{}/app:v1", fake.host);
    let written = on_a_terminal(&sandbox, &["pull", &name]);
    let layers: Vec<String> = parts.layers.iter().map(|l| short(&digest(l))).collect();
    expect_bars(&texts(&written), &layers, "Downloading", "Pull complete");
    let again = on_a_terminal(&sandbox, &["pull", &name]);
    assert!(!again.contains("Downloading") && again.contains("Image is up to date"), "{again}");
    let quiet = on_a_terminal(&sandbox, &["rmi", &name]) + &on_a_terminal(&sandbox, &["pull", "-q", &name]);
    assert!(!quiet.contains("Downloading") && !quiet.contains('['), "{quiet}");
}

#[test]
#[ignore = "root"]
fn a_load_on_a_terminal_has_a_bar_for_each_layer() {
    let sandbox = Sandbox::plain();
    let (parts, tars) = large();
    let file = sandbox.path("image.tar");
    std::fs::write(&file, parts.archive("app:v1")).unwrap();
    let written = on_a_terminal(&sandbox, &["load", "-i", file.to_str().unwrap()]);
    let layers: Vec<String> = tars.iter().map(|t| short(&digest(t))).collect();
    expect_bars(&texts(&written), &layers, "Loading layer", "Loaded");
    assert!(written.contains("Loaded image: app:v1"), "{written}");
}

#[test]
#[ignore = "root"]
fn without_a_terminal_there_are_lines() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let parts = small(0);
    fake.image("app", "v1", &parts);
    let ran = sandbox.glassbox(&["pull", &format!("{}/app:v1", fake.host)]).expect(0);
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\r'), "{:?}", ran.out);
    for layer in &parts.layers {
        let line = format!("{}: Pull complete", short(&digest(layer)));
        assert_eq!(ran.out.lines().filter(|l| *l == line).count(), 1, "{}", ran.out);
    }
}
