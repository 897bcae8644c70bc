//! Every lesson, done for real: each exercise fails unsolved and passes after its
//! solution, a reset gives all of it back, and the recordings are what a run gives now.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use glassbox::lesson::{Lesson, Lessons, Tier};
use glassbox::plan::{Op, StepId};
use glassbox::trace::{Body, Event, record, redact};

use crate::support::{GLASSBOX, Ran, Sandbox};

fn lessons_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons")
}

fn done(sandbox: &Sandbox, lesson: &Lesson, exercise: &str) -> (bool, String) {
    let ran = sandbox.glassbox(&["learn", "check", lesson.id.as_str(), exercise]);
    assert!(matches!(ran.status, 0 | 1) && ran.err.is_empty(), "{ran:?}");
    (ran.status == 0, ran.out)
}

fn solve(sandbox: &Sandbox, script: &Path) -> Ran {
    sandbox
        .inside("sh")
        .arg("-e")
        .arg(script)
        .env("GLASSBOX", GLASSBOX)
        .env("GLASSBOX_ROOT", sandbox.store())
        .env("GLASSBOX_RUN_ROOT", sandbox.path("run"))
        .env("TMPDIR", sandbox.path(""))
        .output()
        .unwrap()
        .into()
}

#[test]
#[ignore = "root"]
fn every_exercise_fails_unsolved_and_passes_solved() {
    for (place, lesson) in Lessons::in_dir(&lessons_dir()).unwrap().places() {
        let sandbox = if lesson.tier == Tier::Root { Sandbox::root() } else { Sandbox::plain() };
        for (position, exercise) in lesson.exercises.iter().enumerate() {
            let id = exercise.id.as_str();
            let (before, said) = done(&sandbox, lesson, id);
            assert!(!before, "{id} passes unsolved:\n{said}");
            sandbox.glassbox(&["learn", "hint", lesson.id.as_str(), id]).expect(0);
            solve(&sandbox, &lessons_dir().join(place).join(lesson.solution(position).unwrap())).expect(0);
            let (after, said) = done(&sandbox, lesson, id);
            assert!(after, "{id} fails although its solution has run:\n{said}");
        }
        sandbox.glassbox(&["learn", "check", lesson.id.as_str()]).expect(0);

        sandbox.glassbox(&["run", "--name", "bystander", "--network", "none", "box", "true"]).expect(0);
        sandbox.glassbox(&["learn", "reset", lesson.id.as_str()]).expect(0);
        for exercise in &lesson.exercises {
            assert!(!done(&sandbox, lesson, exercise.id.as_str()).0, "{} outlives the reset", exercise.id);
        }
        let left = sandbox.glassbox(&["ps", "-a"]).expect(0).out;
        assert!(left.contains("bystander"), "the reset took a container of nobody's lesson:\n{left}");
        sandbox.glassbox(&["rm", "bystander"]).expect(0);
    }
}

#[test]
#[ignore = "root"]
fn the_recordings_are_what_a_run_gives_now() {
    for (place, lesson) in Lessons::in_dir(&lessons_dir()).unwrap().places() {
        for recording in &lesson.recordings {
            let file = lessons_dir().join(place).join(format!("recordings/{}.jsonl", recording.id));
            let sandbox = Sandbox::root();
            let fresh = sandbox.path("fresh.jsonl");
            let mut command = sandbox.command(&["--deterministic", "run", "--trace-file"]);
            command.arg(&fresh).args(recording.run.iter().map(|a| a.as_str()));
            Ran::from(command.output().unwrap()).expect(0);
            let (kept, now) = (story(&file), story(&fresh));
            let differs = kept.iter().zip(&now).find(|(a, b)| a != b);
            assert!(
                differs.is_none() && kept.len() == now.len(),
                "{} is out of date (`cargo xtask lessons record` makes it anew): {differs:#?}",
                file.display()
            );
        }
    }
}

/// What a recording tells whatever the host and the moment: which operations, in which
/// order, how they ended, and how the container's life went. Which cgroups there are, and
/// how the overlay is mounted, depends on the host's kernel.
fn story(file: &Path) -> Vec<String> {
    let text = fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let events: Vec<Event> = record::read(&text[..]).collect::<Result<_, _>>().unwrap();
    let events = redact::redact(&events).unwrap();
    let mut passed_over = BTreeSet::new();
    events
        .iter()
        .filter_map(|event| match &event.body {
            Body::About { step, op, .. } if of_this_host(step, op) => {
                passed_over.insert(step.clone());
                None
            }
            Body::Done { step, .. } if passed_over.contains(step) => None,
            Body::About { step, op, .. } => Some(format!("about {step} {}", op.name())),
            Body::Done { step, .. } => Some(format!("done {step}")),
            Body::Life { life } => Some(format!("life {life:?}")),
            Body::Failed { step, failure } => Some(format!("failed {step}: {failure}")),
            Body::End { status } => Some(format!("end {status}")),
            _ => None,
        })
        .collect()
}

fn of_this_host(step: &StepId, op: &Op) -> bool {
    match op {
        Op::Undo { of, .. } => of_this_host(step, of),
        Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::AttachRootfs { .. } => true,
        _ => step.0.contains("cgroup") || op.name().contains("cgroup"),
    }
}
