use std::collections::BTreeSet;

use super::*;
use crate::kernel::Slots;
use crate::narrate::{Label, plain, samples};
use crate::trace::Value;

const LANGS: [Lang; 2] = [Lang::En, Lang::ZhCn];

fn filled() -> Slots {
    Slots::from([
        (Slot::InitPid, Value::from("4242")),
        (Slot::Address, Value::from("10.88.0.2/16")),
        (Slot::ExitStatus, Value::Int(0)),
    ])
}

/// The message, which must exist and be whole.
fn whole(narrator: &Narrator, op: &Op, attribute: &str, slots: &Slots) -> String {
    let (line, errors) = narrator
        .try_op(op, attribute, Known { slots })
        .unwrap_or_else(|| panic!("{}: no {}.{attribute}", narrator.lang().name(), op.name()));
    let text = plain(&line);
    let place = format!("{} {}.{attribute}: {text}", narrator.lang().name(), op.name());
    assert!(errors.is_empty(), "{place}: {errors:?}");
    assert!(!text.trim().is_empty() && !text.contains(['\u{e000}', '\u{e001}', '\n']), "{place}");
    assert!(!text.contains("  ") && !text.contains("{ ") && !text.contains("$"), "{place}");
    let absent = line.iter().any(|s| s.label == Label::Value && s.text.contains("none"));
    assert!(!absent, "{place}: an absent value is shown as a word");
    text
}

#[test]
fn message_files_parse() {
    for lang in LANGS {
        for source in lang.messages() {
            if let Err((_, errors)) = FluentResource::try_new(source.to_owned()) {
                panic!("{}: {errors:?}", lang.name());
            }
        }
    }
}

#[test]
fn every_op_is_told_in_both_languages() {
    let ops: Vec<Op> = samples::all().into_iter().chain(samples::edges()).collect();
    for lang in LANGS {
        let narrator = Narrator::new(lang);
        for slots in [Slots::new(), filled()] {
            for op in ops.iter().filter(|o| !matches!(o, Op::Undo { .. })) {
                let about = whole(&narrator, op, "about", &slots);
                let did = whole(&narrator, op, "did", &slots);
                whole(&narrator, op, "title", &slots);
                whole(&narrator, op, "why", &slots);
                assert_ne!(about, did, "{}", op.name());
                for optional in ["found", "undoing", "undone", "kept", "hand"] {
                    if narrator.try_op(op, optional, Known { slots: &slots }).is_some() {
                        let text = whole(&narrator, op, optional, &slots);
                        assert_ne!(text, did);
                    }
                }
            }
        }
    }
}

#[test]
fn undo_is_told_for_every_op() {
    for lang in LANGS {
        let narrator = Narrator::new(lang);
        let slots = filled();
        let known = Known { slots: &slots };
        for op in samples::edges().into_iter().filter(|o| matches!(o, Op::Undo { .. })) {
            let (about, did) = (plain(&narrator.about(&op, known)), plain(&narrator.did(&op, known, false)));
            assert!(!about.is_empty() && !did.is_empty() && about != did, "{about:?} {did:?}");
            assert!(plain(&narrator.title(&op, known)).len() > 10);
        }
    }
}

/// Every name in a message file, with its attributes and the arguments used.
fn ids(source: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut message = String::new();
    for line in source.lines().filter(|l| !l.starts_with('#')) {
        if let Some((id, _)) = line.split_once(" =").filter(|(id, _)| !id.starts_with(' ')) {
            message = id.to_owned();
            ids.insert(message.clone());
        } else if let Some((id, _)) = line.trim().strip_prefix('.').and_then(|l| l.split_once(" =")) {
            ids.insert(format!("{message}.{id}"));
        }
    }
    ids
}

#[test]
fn both_languages_have_the_same_messages() {
    let all = |lang: Lang| lang.messages().into_iter().flat_map(ids).collect::<BTreeSet<_>>();
    let (en, zh) = (all(Lang::En), all(Lang::ZhCn));
    assert!(en.len() > 250, "{}", en.len());
    assert_eq!(en.difference(&zh).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(zh.difference(&en).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_op_message_belongs_to_an_op() {
    let names: BTreeSet<_> = samples::all().iter().map(Op::name).collect();
    let [ops, images, ..] = Lang::En.messages();
    for id in [ids(ops), ids(images)].iter().flatten().filter(|i| !i.contains('.')) {
        assert!(names.contains(id.as_str()), "{id} is no operation");
    }
}

#[test]
fn phases_and_namespaces() {
    for lang in LANGS {
        let narrator = Narrator::new(lang);
        for phase in Phase::ALL {
            assert!(!narrator.phase_title(phase).is_empty(), "{phase}");
            assert!(!narrator.phase_text(phase).is_empty(), "{phase}");
        }
        for ns in [Ns::User, Ns::Mnt, Ns::Pid, Ns::Uts, Ns::Ipc, Ns::Net, Ns::Cgroup, Ns::Time] {
            assert!(!narrator.isolates(ns).is_empty(), "{}", ns.name());
        }
    }
}

#[test]
fn values_are_labelled_and_harmless() {
    let narrator = Narrator::new(Lang::En);
    let op = Op::SetHostname { name: "evil\u{1b}[2J\u{e001}".into() };
    let slots = Slots::new();
    let line = narrator.did(&op, Known { slots: &slots }, false);
    let value = line.iter().find(|s| s.label == Label::Value).unwrap();
    assert_eq!(value.text, "evil\\u{1b}[2J\u{fffd}");
}

#[test]
fn found_is_not_did() {
    let narrator = Narrator::new(Lang::En);
    let slots = filled();
    for op in samples::all().iter().filter(|o| !matches!(o, Op::Undo { .. }) && !only_reads(o)) {
        let known = Known { slots: &slots };
        assert_ne!(narrator.did(op, known, true), narrator.did(op, known, false), "{}", op.name());
    }
}

#[test]
fn locales() {
    for (locale, want) in [
        ("zh_CN.UTF-8", Lang::ZhCn),
        ("zh-Hans-SG", Lang::ZhCn),
        ("ZH", Lang::ZhCn),
        ("en_US", Lang::En),
        ("C", Lang::En),
        ("", Lang::En),
        ("zha", Lang::En),
    ] {
        assert_eq!(Lang::from_locale(locale), want, "{locale}");
    }
}

/// Every text of every sample, to be read by a person when it changes.
#[test]
fn all_texts() {
    for lang in LANGS {
        let narrator = Narrator::new(lang);
        let slots = filled();
        let known = Known { slots: &slots };
        let mut out = String::new();
        let mut add = |name: &str, line: Line| out.push_str(&format!("{name:8} {}\n", plain(&line)));
        for op in samples::all().into_iter().chain(samples::edges()) {
            add("\n#", narrator.title(&op, known));
            add("about", narrator.about(&op, known));
            add("did", narrator.did(&op, known, false));
            add("found", narrator.did(&op, known, true));
            add("why", narrator.why(&op, known));
            add("undoing", narrator.undoing(&op, known));
            add("undone", narrator.undone(&op, known));
            if let Some((kept, _)) = narrator.try_op(&op, "kept", known) {
                add("kept", kept);
            }
            if let Some(note) = narrator.by_hand(&op, known).note {
                add("note", note);
            }
        }
        insta::assert_snapshot!(format!("all_texts_{}", lang.name()), out);
    }
}

#[test]
fn paths_inside_the_container() {
    use crate::narrate::inside;
    for (path, want) in [
        ("/srv/containers/4f1c/rootfs/proc/sys", "/proc/sys"),
        ("<path-1>/containers/<container-1>/rootfs/dev", "/dev"),
        ("/srv/containers/4f1c/rootfs", "/"),
        ("/srv/containers/4f1c/rootfs-old/x", "/srv/containers/4f1c/rootfs-old/x"),
        ("/srv/containers/4f1c/upper", "/srv/containers/4f1c/upper"),
        ("/proc/kcore", "/proc/kcore"),
        ("/containers/", "/containers/"),
    ] {
        assert_eq!(inside(path), want);
    }
}
