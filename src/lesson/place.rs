//! Where lessons are found: a directory, or those within the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::format::{Lesson, LessonError};
use super::learn::LearnError;

/// Every lesson of this version: the name of its directory, and its `lesson.toml`.
/// A test compares this with the directory `lessons/`.
pub const EMBEDDED: &[(&str, &str)] =
    &[("01-copy-on-write", include_str!("../../lessons/01-copy-on-write/lesson.toml"))];

/// Lessons in the order of their directories' names.
#[derive(Clone, Debug, PartialEq)]
pub struct Lessons {
    lessons: Vec<(String, Lesson)>,
}

impl Lessons {
    /// The lessons within the program.
    pub fn embedded() -> Result<Self, LessonError> {
        let lessons = EMBEDDED
            .iter()
            .map(|(name, source)| {
                Ok(((*name).to_owned(), Lesson::parse(&format!("{name}/lesson.toml"), source)?))
            })
            .collect::<Result<_, LessonError>>()?;
        Ok(Lessons { lessons })
    }

    /// The lessons in a directory: every `NN-topic/lesson.toml` in it.
    pub fn in_dir(dir: &Path) -> Result<Self, LearnError> {
        let unreadable = |path: &Path, source| LearnError::Read { path: path.to_owned(), source };
        let mut names: Vec<PathBuf> = fs::read_dir(dir)
            .and_then(|entries| entries.map(|e| Ok(e?.path())).collect::<io::Result<_>>())
            .map_err(|e| unreadable(dir, e))?;
        names.sort();
        let mut lessons: Vec<(String, Lesson)> = Vec::new();
        for place in names {
            let file = place.join("lesson.toml");
            let source = match fs::read_to_string(&file) {
                Ok(source) => source,
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => return Err(unreadable(&file, e)),
            };
            let lesson = Lesson::parse(&file.display().to_string(), &source)?;
            if lessons.iter().any(|(_, l)| l.id == lesson.id) {
                return Err(LearnError::Twice { id: lesson.id.to_string(), dir: dir.to_owned() });
            }
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            lessons.push((name, lesson));
        }
        Ok(Lessons { lessons })
    }

    /// Every lesson, in order.
    pub fn list(&self) -> impl Iterator<Item = &Lesson> {
        self.lessons.iter().map(|(_, lesson)| lesson)
    }

    /// Every lesson with the name of its directory, in order.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Lesson)> {
        self.lessons.iter().map(|(name, lesson)| (name.as_str(), lesson))
    }

    /// The lesson of this name.
    pub fn get(&self, id: &str) -> Result<&Lesson, LearnError> {
        self.list().find(|l| l.id.as_str() == id).ok_or_else(|| LearnError::NoLesson {
            id: id.to_owned(),
            known: self.list().map(|l| l.id.to_string()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn lessons_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons")
    }

    #[test]
    fn the_program_has_every_lesson_of_the_directory() {
        assert_eq!(Lessons::embedded().unwrap(), Lessons::in_dir(&lessons_dir()).unwrap());
    }

    #[test]
    fn every_exercise_has_its_solution_and_no_solution_is_left_over() {
        for (place, lesson) in Lessons::in_dir(&lessons_dir()).unwrap().places() {
            let dir = lessons_dir().join(place);
            let wanted: BTreeSet<_> =
                (0..lesson.exercises.len()).map(|n| dir.join(lesson.solution(n).unwrap())).collect();
            let there: BTreeSet<_> =
                fs::read_dir(dir.join("solutions")).unwrap().map(|e| e.unwrap().path()).collect();
            assert_eq!(wanted, there);
            for script in there {
                let text = fs::read_to_string(&script).unwrap();
                assert!(text.contains("\"$GLASSBOX\""), "{} does nothing", script.display());
            }
            assert!(place.ends_with(lesson.id.as_str()), "{place} holds the lesson {}", lesson.id);
        }
    }

    #[test]
    fn a_directory_of_lessons_is_read_in_order_and_faults_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let source = EMBEDDED[0].1;
        for (name, text) in [
            ("02-b", source.replacen("copy-on-write", "second", 1)),
            ("01-a", source.to_owned()),
            ("notes", String::new()),
        ] {
            fs::create_dir(dir.path().join(name)).unwrap();
            if !text.is_empty() {
                fs::write(dir.path().join(name).join("lesson.toml"), text).unwrap();
            }
        }
        fs::write(dir.path().join("README"), "no lesson").unwrap();
        let lessons = Lessons::in_dir(dir.path()).unwrap();
        assert_eq!(lessons.list().map(|l| l.id.as_str()).collect::<Vec<_>>(), ["copy-on-write", "second"]);
        assert!(lessons.get("second").is_ok());
        let unknown = lessons.get("third").unwrap_err().to_string();
        assert!(unknown.contains("third") && unknown.contains("copy-on-write, second"), "{unknown}");

        fs::write(dir.path().join("02-b/lesson.toml"), source).unwrap();
        assert!(matches!(Lessons::in_dir(dir.path()), Err(LearnError::Twice { .. })));
        fs::write(dir.path().join("02-b/lesson.toml"), "id = \"x\"\ntitle = 3\n").unwrap();
        let broken = Lessons::in_dir(dir.path()).unwrap_err().to_string();
        assert!(broken.contains("02-b/lesson.toml, line 2"), "{broken}");
        assert!(matches!(Lessons::in_dir(&dir.path().join("none")), Err(LearnError::Read { .. })));
    }
}
