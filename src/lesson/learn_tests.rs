//! The lesson on copy-on-write, done step by step in real directories that look as
//! overlayfs leaves them. (What overlayfs really leaves is the matter of
//! `tests/it/lessons.rs`.)

use std::fs;
use std::path::Path;

use super::*;
use crate::lesson::testing::DirState;
use crate::lesson::{Container, Lang, Lessons, Status, Tree, Volume};

struct Store {
    dir: tempfile::TempDir,
    state: DirState,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { dir, state: DirState::default() };
        store.write("layer/etc/motd", "welcome\n");
        store.write("layer/var/log/old", "old\n");
        let mut store = store;
        store.state.images.insert("docker.io/library/box:latest".into(), vec![store.tree("layer")]);
        store
    }

    fn tree(&self, name: &str) -> Tree {
        Tree(self.dir.path().join(name).to_str().unwrap().to_owned())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&mut self, name: &str) {
        self.state.containers.push(Container {
            name: name.into(),
            image: "box".into(),
            status: Status::Exited,
            upper: self.tree(name),
            lowers: vec![self.tree("layer")],
            volumes: vec![Volume { source: self.tree("data"), target: "/data".into() }],
        });
    }

    fn remove(&mut self, name: &str) {
        self.state.containers.retain(|c| c.name != name);
        let _ = fs::remove_dir_all(self.dir.path().join(name));
    }

    fn done(&self, lesson: &Lesson, exercise: &str) -> bool {
        check(lesson, Some(exercise), &self.state).unwrap()[0].passed()
    }

    fn hint(&self, lesson: &Lesson, exercise: &str) -> String {
        let given = hint(lesson, Some(exercise), &self.state).unwrap().unwrap();
        given.text.unwrap().get(Lang::En).to_owned()
    }
}

fn lesson() -> Lesson {
    Lessons::embedded().unwrap().get("copy-on-write").unwrap().clone()
}

#[test]
fn an_untouched_store_solves_nothing_and_every_exercise_has_a_hint() {
    let (lesson, store) = (lesson(), Store::new());
    let results = check(&lesson, None, &store.state).unwrap();
    assert_eq!(results.len(), lesson.exercises.len());
    for result in &results {
        assert!(!result.passed(), "{}", result.exercise.id);
        assert!(!store.hint(&lesson, result.exercise.id.as_str()).is_empty());
    }
    let first = hint(&lesson, None, &store.state).unwrap().unwrap();
    assert_eq!(first.exercise.id, lesson.exercises[0].id);
    assert!(reset(&lesson, &store.state).unwrap().is_empty());
    assert!(matches!(check(&lesson, Some("nope"), &store.state), Err(LearnError::NoExercise { .. })));
}

#[test]
fn hints_follow_the_state() {
    let (lesson, mut store) = (lesson(), Store::new());
    assert!(store.hint(&lesson, "copy-up").contains("no container"));
    store.run("cow1");
    assert!(store.hint(&lesson, "copy-up").contains("must happen inside"));
    store.write("cow1/etc/motd", "moo\n");
    assert!(store.hint(&lesson, "copy-up").contains("overwritten"));
    store.write("cow1/etc/motd", "welcome\nbaa\n");
    assert!(store.hint(&lesson, "copy-up").contains("is not in it"));
    store.write("cow1/etc/motd", "welcome\nmoo\n");
    assert!(store.done(&lesson, "copy-up"));
    assert_eq!(hint(&lesson, Some("copy-up"), &store.state).unwrap().unwrap().text, None);
    // The image itself must have stayed as it was.
    store.write("layer/etc/motd", "welcome\nmoo\n");
    assert!(!store.done(&lesson, "copy-up"));
}

#[test]
#[ignore = "root"]
fn the_lesson_can_be_done_and_reset() {
    use rustix::fs::{FileType, Mode, XattrFlags};
    let (lesson, mut store) = (lesson(), Store::new());
    let finish = |store: &Store, exercise: &str| assert!(store.done(&lesson, exercise), "{exercise}");
    store.run("cow1");
    store.write("cow1/etc/motd", "welcome\nmoo\n");
    finish(&store, "copy-up");

    store.run("cow2");
    store.write("cow2/seen", "welcome\nmoo\n");
    assert!(!store.done(&lesson, "second-view"), "the second container must not see the change");
    store.write("cow2/seen", "welcome\n");
    finish(&store, "second-view");

    store.run("cow3");
    fs::create_dir_all(store.dir.path().join("cow3/etc")).unwrap();
    let at = fs::File::open(store.dir.path()).unwrap();
    rustix::fs::mknodat(&at, "cow3/etc/motd", FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    finish(&store, "whiteout");

    store.run("cow4");
    store.write("cow4/var/mine", "mine\n");
    assert!(store.hint(&lesson, "opaque").contains("not opaque"));
    let replaced = store.dir.path().join("cow4/var");
    rustix::fs::setxattr(&replaced, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    finish(&store, "opaque");

    store.run("cow5");
    store.write("data/note", "kept\n");
    finish(&store, "volume");
    store.write("cow5/data/note", "kept\n");
    assert!(!store.done(&lesson, "volume"));
    fs::remove_file(store.dir.path().join("cow5/data/note")).unwrap();

    assert_eq!(hint(&lesson, None, &store.state).unwrap(), None);
    store.run("unrelated");
    let names = reset(&lesson, &store.state).unwrap();
    assert_eq!(names, ["cow1", "cow2", "cow3", "cow4", "cow5"]);
    for name in names {
        store.remove(&name);
    }
    assert!(check(&lesson, None, &store.state).unwrap().iter().all(|r| !r.passed()));
    assert!(Path::new(&store.tree("layer").0).join("etc/motd").exists());
}
