//! Lessons with a real glassbox: every exercise fails unsolved and passes solved,
//! and the recordings that the book shows.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use glassbox::lesson::{Lesson, Lessons, Tier};
use glassbox::trace::{Event, EventSink, record, redact};

/// Which glassbox.
#[derive(Args)]
pub struct With {
    /// The program.
    #[arg(long, value_name = "FILE", default_value = "target/debug/glassbox")]
    glassbox: PathBuf,
}

/// A store of its own for a lesson, gone afterwards.
struct Place {
    dir: tempfile::TempDir,
    glassbox: PathBuf,
    lessons: PathBuf,
}

impl Place {
    fn new(project: &Path, with: &With) -> Result<Self> {
        let glassbox = project.join(&with.glassbox);
        ensure!(glassbox.is_file(), "{} is missing: `cargo build` makes it", glassbox.display());
        let dir = tempfile::Builder::new().prefix("glassbox-lessons-").tempdir()?;
        for part in ["store", "run", "tmp"] {
            fs::create_dir(dir.path().join(part))?;
        }
        Ok(Place { dir, glassbox, lessons: project.join("lessons") })
    }

    /// A command that sees this store only.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("GLASSBOX", &self.glassbox)
            .env("GLASSBOX_ROOT", self.dir.path().join("store"))
            .env("GLASSBOX_RUN_ROOT", self.dir.path().join("run"))
            .env("LC_ALL", "C.UTF-8")
            .env("TMPDIR", self.dir.path().join("tmp"))
            .current_dir(self.dir.path().join("tmp"))
            .stdin(Stdio::null());
        command
    }

    /// The same in a network namespace of its own: bridges and rules of these runs must not
    /// stay on the host.
    fn apart(&self, program: impl AsRef<OsStr>, tier: Tier) -> Command {
        if tier != Tier::Root {
            return self.command(program);
        }
        let mut command = self.command("unshare");
        command.arg("--net").arg("--").arg(program);
        command
    }

    fn learn(&self, what: &[&str]) -> Result<Output> {
        let mut command = self.command(&self.glassbox);
        command.arg("learn").arg("--lessons").arg(&self.lessons).args(what);
        command.output().with_context(|| format!("failed to run {}", self.glassbox.display()))
    }

    /// Whether the exercise is done, and what was said of it.
    fn is_done(&self, lesson: &Lesson, exercise: &str) -> Result<(bool, String)> {
        let output = self.learn(&["check", lesson.id.as_str(), exercise])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(0) => Ok((true, said)),
            // An error has its own exit code, or says nothing on standard output.
            Some(1) if !said.is_empty() => Ok((false, said)),
            _ => bail!("failed to check {exercise}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    fn reset(&self, lesson: &Lesson) -> Result<()> {
        let output = self.learn(&["reset", lesson.id.as_str()])?;
        ensure!(
            output.status.success(),
            "failed to reset {}: {}",
            lesson.id,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Solves every exercise in order, in a fresh store.
pub fn check(project: &Path, with: &With, only: Option<&str>) -> Result<()> {
    each(project, only, |name, lesson| {
        let place = Place::new(project, with)?;
        let result = solve(&place, name, lesson);
        // Also after a fault: containers must not outlive their store.
        result.and(place.reset(lesson))?;
        for exercise in &lesson.exercises {
            let (done, said) = place.is_done(lesson, exercise.id.as_str())?;
            ensure!(!done, "{} {}: still done after the reset\n{said}", lesson.id, exercise.id);
        }
        println!("{}: reset undoes it all", lesson.id);
        Ok(())
    })
}

fn solve(place: &Place, name: &str, lesson: &Lesson) -> Result<()> {
    for (position, exercise) in lesson.exercises.iter().enumerate() {
        let id = exercise.id.as_str();
        let (done, said) = place.is_done(lesson, id)?;
        ensure!(!done, "{} {id}: done before its solution has run\n{said}", lesson.id);
        let script = place
            .lessons
            .join(name)
            .join(lesson.solution(position).context("an exercise without a position")?);
        let output = place
            .apart("sh", lesson.tier)
            .arg("-e")
            .arg(&script)
            .output()
            .context("failed to run the solution")?;
        ensure!(
            output.status.success(),
            "{} failed: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let (done, said) = place.is_done(lesson, id)?;
        ensure!(done, "{} {id}: not done although its solution has run\n{said}", lesson.id);
        println!("{} {id}: fails unsolved, passes solved", lesson.id);
    }
    for exercise in &lesson.exercises {
        let (done, said) = place.is_done(lesson, exercise.id.as_str())?;
        ensure!(done, "{} {}: undone by a later exercise\n{said}", lesson.id, exercise.id);
    }
    Ok(())
}

/// Records what the lessons want recorded, into `recordings/`, with names in place of
/// all that differs from run to run: nothing of this machine goes into the project.
pub fn record(project: &Path, with: &With, only: Option<&str>) -> Result<()> {
    each(project, only, |name, lesson| {
        let place = Place::new(project, with)?;
        let dir = project.join("lessons").join(name).join("recordings");
        fs::create_dir_all(&dir)?;
        for recording in &lesson.recordings {
            let file = dir.join(format!("{}.jsonl", recording.id));
            // Beside where it is run, so that the command line names no place of this machine.
            let name = format!("{}.jsonl", recording.id);
            let mut command = place.apart(&place.glassbox, lesson.tier);
            command.arg("--deterministic");
            if lesson.tier == Tier::Model {
                command.arg("--model");
            }
            command.args(["run", "--trace-file", &name]);
            command.args(recording.run.iter().map(|a| a.as_str()));
            let output = command.output().context("failed to run glassbox")?;
            ensure!(
                output.status.success(),
                "failed to record {}: {}",
                recording.id,
                String::from_utf8_lossy(&output.stderr)
            );
            let text = redacted(&place.dir.path().join("tmp").join(name))
                .with_context(|| format!("failed to read the recording {}", recording.id))?;
            let same = fs::read(&file).is_ok_and(|old| old == text);
            fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))?;
            println!("{}: {}", file.display(), if same { "as before" } else { "recorded" });
        }
        Ok(())
    })
}

fn redacted(file: &Path) -> Result<Vec<u8>> {
    let text = fs::read(file)?;
    let events: Vec<Event> = record::read(&text[..]).collect::<Result<_, _>>()?;
    let mut out = record::RecordingWriter::new(Vec::new());
    for event in redact::redact(&events)? {
        out.event(&event)?;
    }
    Ok(out.into_inner())
}

fn each(
    project: &Path,
    only: Option<&str>,
    mut chore: impl FnMut(&str, &Lesson) -> Result<()>,
) -> Result<()> {
    let lessons = Lessons::in_dir(&project.join("lessons"))?;
    if let Some(id) = only {
        lessons.get(id)?;
    }
    for (name, lesson) in lessons.places() {
        if only.is_none_or(|id| id == lesson.id.as_str()) {
            chore(name, lesson)?;
        }
    }
    Ok(())
}
