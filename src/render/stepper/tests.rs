//! Screens of three sizes in both languages, without colour, from recordings of
//! real runs; and what keys do.

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;
use crate::narrate::{Lang, Narrator};
use crate::render::picture::State;
use crate::trace::record::read;
use crate::trace::{Body, Event};

const BRIDGE: &str = include_str!("../picture/fixtures/linux-bridge.jsonl");
const ROLLBACK: &str = include_str!("../picture/fixtures/model-rollback.jsonl");

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn events(recording: &str) -> Vec<Event> {
    read(recording.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn app(recording: &str, lang: Lang) -> App {
    App::new(Session::recorded(events(recording)), Place::Recording, Narrator::new(lang), false)
}

fn press(app: &mut App, keys: &str) -> Wish {
    let mut wish = Wish::Stay;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            '↑' => KeyCode::Up,
            '→' => KeyCode::Right,
            c => KeyCode::Char(c),
        };
        wish = app.input(&Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    wish
}

fn step(app: &App) -> String {
    app.session.step().map_or_else(String::new, |s| s.step.id.0.clone())
}

fn screen(app: &mut App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The text of a screen; a wide character covers two cells.
fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = crate::render::layout::text_width(symbol).saturating_sub(1);
            out.push_str(symbol);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

fn snapshots(name: &str, recording: &str, keys: &str) {
    for lang in [Lang::En, Lang::ZhCn] {
        for size in SIZES {
            let mut app = app(recording, lang);
            press(&mut app, keys);
            let screen = text(&screen(&mut app, size));
            insta::assert_snapshot!(format!("{name}_{}_{}x{}", lang.name(), size.0, size.1), screen);
        }
    }
}

#[test]
fn a_step_that_was_done_with_the_container_so_far() {
    // At the exec step, the bridge's step is looked at.
    snapshots("done", BRIDGE, ":back exec.exec\n/create-veth\n");
}

#[test]
fn a_rollback_under_way() {
    snapshots("rollback", ROLLBACK, "cnn");
}

#[test]
fn popups_fit_every_screen() {
    for (name, keys) in
        [("help", "?"), ("hand", ":back union.mount-overlay\ny"), ("diff", ":back exec.exec\nd")]
    {
        for lang in [Lang::En, Lang::ZhCn] {
            let mut app = app(BRIDGE, lang);
            press(&mut app, keys);
            let screen = text(&screen(&mut app, (80, 24)));
            insta::assert_snapshot!(format!("{name}_{}", lang.name()), screen);
        }
    }
}

#[test]
fn no_size_and_no_pane_is_too_much() {
    for lang in [Lang::En, Lang::ZhCn] {
        let mut app = app(BRIDGE, lang);
        press(&mut app, "c");
        for width in [1, 19, 20, 37, 59, 60, 80, 111, 169, 170, 250] {
            for height in [1, 3, 4, 5, 11, 24, 31, 90] {
                for keys in ["1", "5z", "z", "?", "\x1b", "d", "\x1b"] {
                    press(&mut app, keys);
                    screen(&mut app, (width, height));
                }
            }
        }
    }
}

#[test]
fn colour_is_only_there_when_asked_for() {
    use ratatui::style::Color;
    let coloured = |on: bool| {
        let mut app =
            App::new(Session::recorded(events(BRIDGE)), Place::Recording, Narrator::new(Lang::En), on);
        press(&mut app, "nnnn");
        let buffer = screen(&mut app, (120, 40));
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(coloured(true));
    assert!(!coloured(false));
}

#[test]
fn a_recording_goes_forward_and_back() {
    let mut app = app(BRIDGE, Lang::En);
    assert_eq!(step(&app), "image.read-image");
    assert_eq!(press(&mut app, "nn"), Wish::Stay);
    assert_eq!(step(&app), "image.unpack-layer-2");
    press(&mut app, "p");
    assert_eq!(step(&app), "image.unpack-layer-1");
    assert_eq!(app.session.step().unwrap().state, State::About);
    press(&mut app, "pppp");
    assert_eq!(step(&app), "image.read-image");
    press(&mut app, "f");
    assert_eq!(step(&app), "rootfs.read-host-kernel");
    press(&mut app, ":until pivot.pivot-root\n");
    assert_eq!(step(&app), "pivot.pivot-root");
    press(&mut app, ":back union.make-work\n");
    assert_eq!(step(&app), "union.make-work");
    press(&mut app, "G");
    assert!(app.session.at_present());
    press(&mut app, "g");
    assert_eq!(step(&app), "image.read-image");
}

#[test]
fn stepping_into_a_step_shows_call_after_call() {
    let mut app = app(BRIDGE, Lang::En);
    press(&mut app, ":until union.make-upper\ns");
    let calls = |app: &App| app.session.step().unwrap().calls.len();
    assert_eq!((step(&app).as_str(), calls(&app)), ("union.make-upper", 1));
    assert_eq!(app.session.step().unwrap().state, State::About);
    press(&mut app, "ss");
    assert_eq!(app.session.step().unwrap().state, State::Done);
    press(&mut app, "SSS");
    assert_eq!(calls(&app), 0);
}

#[test]
fn breakpoints_stop_a_recording() {
    for (at, wanted) in [
        ("network", "network.create-bridge"),
        ("pivot.pivot-root", "pivot.pivot-root"),
        ("create_veth", "network.create-veth"),
        ("set-hostname", "security.set-hostname"),
        ("exec", "exec.exec"),
        ("exited", "life.supervise"),
    ] {
        let mut app = app(BRIDGE, Lang::En);
        press(&mut app, &format!(":break {at}\nc"));
        assert_eq!(step(&app), wanted, "{at}");
    }
    let mut app = app(ROLLBACK, Lang::En);
    press(&mut app, "c");
    assert_eq!((step(&app).as_str(), app.session.step().unwrap().state), ("pivot.pivot-root", State::Failed));
    assert!(!app.session.picture().progress.rolling_back);
    press(&mut app, "n");
    assert_eq!(app.session.step().unwrap().state, State::Undoing);
    // Without that breakpoint it goes through to the end.
    let mut app = self::app(ROLLBACK, Lang::En);
    press(&mut app, ":delete fail\nc");
    assert!(app.session.at_present());
}

#[test]
fn a_breakpoint_that_means_nothing_is_refused() {
    let mut app = app(BRIDGE, Lang::En);
    press(&mut app, "Bnowhere\n");
    let line = text(&screen(&mut app, (80, 24)));
    assert!(line.ends_with("There is no phase, step, operation or event nowhere.\n"), "{line}");
    assert_eq!(app.session.breaks.iter().count(), 1);
}

#[test]
fn a_live_run_is_let_go_only_at_the_present() {
    let all = events(BRIDGE);
    let third =
        all.iter().enumerate().filter(|(_, e)| matches!(e.body, Body::About { .. })).nth(2).unwrap().0;
    let mut app = App::new(Session::default(), Place::Before, Narrator::new(Lang::En), false);
    all[..=third].iter().for_each(|e| app.session.push(e));
    app.arrive(Place::Before);
    assert_eq!(press(&mut app, "p"), Wish::Stay);
    assert_eq!(step(&app), "image.unpack-layer-1");
    assert!(text(&screen(&mut app, (80, 24))).starts_with(" PAST "));
    // Forward returns to the present, and carries nothing out.
    assert_eq!(press(&mut app, "n"), Wish::Stay);
    assert!(app.session.at_present());
    assert_eq!(press(&mut app, "→"), Wish::Stay);
    assert_eq!(press(&mut app, "n"), Wish::Go);
    assert_eq!(app.session.run, Run::Step);
    assert_eq!(press(&mut app, "c"), Wish::Go);
    assert_eq!(press(&mut app, "!"), Wish::Shell { host: false });
    assert_eq!(press(&mut app, "H"), Wish::Shell { host: true });
    assert!(matches!(press(&mut app, ":inspect net\n"), Wish::Inspect(s) if s.len() == 1));
    // To quit undoes: that is asked.
    assert_eq!(press(&mut app, "q"), Wish::Stay);
    assert_eq!(press(&mut app, "n"), Wish::Stay);
    assert_eq!(press(&mut app, "qy"), Wish::Quit);
    let interrupt = Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(app.input(&interrupt), Wish::Quit);
}

#[test]
fn by_hand_is_copied_whole() {
    let mut app = app(BRIDGE, Lang::En);
    let wish = press(&mut app, ":back network.create-veth\ny");
    let Wish::Copy(text) = wish else { panic!("{wish:?}") };
    assert!(text.contains("ip link add") && !text.contains('…'), "{text}");
}

#[test]
fn a_recording_has_neither_kernel_nor_shell() {
    let mut app = app(BRIDGE, Lang::En);
    assert_eq!(press(&mut app, "i"), Wish::Stay);
    assert_eq!(press(&mut app, "!"), Wish::Stay);
    assert_eq!(press(&mut app, "q"), Wish::Quit);
}

#[test]
fn the_mouse_chooses_and_scrolls() {
    let mut app = app(BRIDGE, Lang::En);
    screen(&mut app, (120, 40));
    let mouse =
        |kind, column, row| Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    app.input(&mouse(MouseEventKind::Down(crossterm::event::MouseButton::Left), 5, 4));
    let shown = text(&screen(&mut app, (120, 40)));
    assert!(shown.lines().nth(4).unwrap().starts_with('▸'), "{shown}");
    // Of the right column, the lowest pane.
    app.input(&mouse(MouseEventKind::Down(crossterm::event::MouseButton::Left), 110, 38));
    assert!(text(&screen(&mut app, (120, 40))).contains("▸9 processes"));
    app.input(&mouse(MouseEventKind::ScrollDown, 60, 5));
    assert!(text(&screen(&mut app, (120, 40))).contains('↑'));
}

#[test]
fn every_key_of_the_help_is_explained_in_both_languages() {
    for lang in [Lang::En, Lang::ZhCn] {
        let narrator = Narrator::new(lang);
        for key in &super::keys::KEYS {
            for part in ["", ".hint", ".more"] {
                let message = format!("stepper_key_{}{part}", key.name);
                assert!(!narrator.word(&message).is_empty(), "{message}");
            }
        }
        for pane in Pane::ALL {
            assert!(!narrator.word(&format!("stepper_pane_{}", pane.name())).is_empty());
        }
        for topic in crate::render::picture::Topic::ALL {
            assert!(!narrator.word(&format!("stepper_topic_{}", topic.name())).is_empty());
        }
    }
    // Each key does something.
    for key in super::keys::KEYS.iter().filter(|k| k.written.is_ascii()) {
        let code = KeyCode::Char(key.written.chars().next().unwrap());
        let event = KeyEvent::new(code, KeyModifiers::NONE);
        assert!(super::keys::action(event).is_some(), "{}", key.written);
        assert_eq!(super::keys::key_of(event).map(|k| k.name), Some(key.name));
    }
}

#[test]
fn every_message_that_is_asked_for_exists() {
    let sources = [
        include_str!("app.rs"),
        include_str!("commands.rs"),
        include_str!("input.rs"),
        include_str!("draw.rs"),
        include_str!("popup.rs"),
        include_str!("panes/story.rs"),
        include_str!("panes/calls.rs"),
        include_str!("panes/evidence.rs"),
        include_str!("panes/layers.rs"),
        include_str!("panes/namespaces.rs"),
        include_str!("panes/network.rs"),
        include_str!("panes/cgroup.rs"),
        include_str!("panes/processes.rs"),
        include_str!("../../cli/stepper/mod.rs"),
    ];
    let english = include_str!("../../narrate/messages/en-stepper.ftl");
    let known: Vec<&str> = english.lines().filter_map(|l| l.split_once(" =").map(|(id, _)| id)).collect();
    let mut asked = 0;
    for word in sources.iter().flat_map(|s| s.split('"')).filter(|w| w.starts_with("stepper_")) {
        if !word.contains('{') {
            assert!(known.contains(&word), "{word}");
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}
