use super::*;
use crate::trace::record::read;

/// A run of the modelled kernel, and one that failed and was taken back.
const RUN: &[u8] = include_bytes!("../../tests/recordings/model-run.jsonl");
const FAILED: &[u8] = include_bytes!("../../tests/recordings/model-rollback.jsonl");

fn events(bytes: &[u8]) -> Vec<Event> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

/// No call, fact or life event gets lost or is told twice.
fn counted(events: &[Event]) -> [usize; 4] {
    let mut counts = [0; 4];
    for event in events {
        match &event.body {
            Body::About { .. } | Body::Undoing { .. } => counts[0] += 1,
            Body::Call { .. } => counts[1] += 1,
            Body::Observed { facts, .. } => counts[2] += facts.len(),
            Body::Life { .. } => counts[3] += 1,
            _ => {}
        }
    }
    counts
}

fn told(story: &Story) -> [usize; 4] {
    let mut counts = [0; 4];
    for item in &story.items {
        match item {
            Item::Planned(_) => {}
            Item::Life(_) => counts[3] += 1,
            Item::Step(told) => {
                counts[0] += 1;
                counts[1] += told.calls.len();
                counts[2] += told.before.len() + told.after.len();
                counts[3] += told.life.len();
            }
        }
    }
    counts
}

#[test]
fn nothing_gets_lost() {
    for bytes in [RUN, FAILED] {
        let events = events(bytes);
        let story = Story::of(&events);
        assert_eq!(told(&story), counted(&events));
        assert!(story.steps().all(|s| s.outcome.is_some()));
        assert_eq!(story.ended, events.last().unwrap().at);
    }
}

#[test]
fn a_beginning_of_a_recording_is_told_too() {
    let events = events(FAILED);
    for end in 0..events.len() {
        let story = Story::of(&events[..end]);
        assert_eq!(told(&story), counted(&events[..end]), "up to {end}");
        assert_eq!(story.status, None);
        let open = story.steps().filter(|s| s.outcome.is_none()).count();
        assert!(open <= 1, "{open} steps without an end at {end}");
    }
}

#[test]
fn what_is_known_grows() {
    let events = events(RUN);
    let story = Story::of(&events);
    let clone = story.steps().find(|s| s.step.id.0 == "namespaces.clone").unwrap();
    assert!(!clone.slots.contains_key(&Slot::InitPid));
    assert!(clone.known().contains_key(&Slot::InitPid));
    assert!(story.steps().last().unwrap().slots.contains_key(&Slot::ExitStatus));
}

#[test]
fn a_failure_and_what_was_taken_back() {
    let story = Story::of(&events(FAILED));
    let failed: Vec<_> = story.steps().filter(|s| s.failure().is_some()).collect();
    assert_eq!(failed.len(), 1);
    let undone: Vec<_> = story.steps().filter(|s| s.undoing).collect();
    assert!(undone.len() > 3);
    assert!(undone.iter().all(|s| s.outcome == Some(Outcome::Undone)));
    // Phase and actor are those of the plan.
    assert!(undone.iter().any(|s| s.step.phase == Phase::Network));
}

/// An init that runs ahead fails in a later step than the one under way.
#[test]
fn the_step_that_failed_is_the_one_named() {
    let mut events = events(FAILED);
    let at = events.iter().position(|e| matches!(e.body, Body::Failed { .. })).unwrap();
    let Body::Begin { plan, .. } = &events[0].body else { unreachable!() };
    let later = plan.steps.last().unwrap().id.clone();
    let Body::Failed { step, .. } = &mut events[at].body else { unreachable!() };
    *step = later.clone();
    let story = Story::of(&events);
    let failed: Vec<_> = story.steps().filter(|s| s.failure().is_some()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].step.id, later);
}

#[test]
fn what_was_wanted_is_not_how_it_was_told() {
    let mut begin = Story::of(&events(RUN)).begin.unwrap();
    let words =
        ["--root", "/a", "run", "--trace-file", "b", "--lang=en", "--trace=full", "-p", "80:80", "box"];
    begin.command = words.map(String::from).to_vec();
    assert_eq!(begin.wanted(), ["run", "-p", "80:80", "box"]);
}
