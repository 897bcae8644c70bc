use super::*;
use crate::kernel::Slots;
use crate::narrate::samples;
use crate::trace::Value;

/// Asks a real shell whether every command is one it can parse.
#[test]
fn every_command_is_shell() {
    let mut slots = Slots::new();
    for round in 0..2 {
        for op in samples::all().into_iter().chain(samples::edges()) {
            for command in commands(&op, Known { slots: &slots }) {
                let status = std::process::Command::new("sh").arg("-nc").arg(&command).status().unwrap();
                assert!(status.success(), "round {round}: {command}");
                assert!(!command.contains('\n'), "{command}");
            }
        }
        slots.insert(Slot::InitPid, Value::from("4242"));
        slots.insert(Slot::Address, Value::from("10.88.0.2/16"));
    }
}

#[test]
fn commands_carry_the_real_values() {
    let mut slots = Slots::new();
    slots.insert(Slot::InitPid, Value::from("4242"));
    slots.insert(Slot::Address, Value::from("10.88.0.2/16"));
    let mut all = String::new();
    for op in samples::all() {
        for command in commands(&op, Known { slots: &slots }) {
            all.push_str(&format!("{}: {command}\n", op.name()));
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn words_are_quoted() {
    for (word, want) in [
        ("plain-1.0", "plain-1.0"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("$(rm)", "'$(rm)'"),
        ("~", "'~'"),
        ("*", "'*'"),
        ("目录", "目录"),
    ] {
        assert_eq!(quote(word), want);
    }
}
