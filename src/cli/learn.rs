//! `glassbox learn`: lessons that look at what you have made.

use std::fmt::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::context::Context;
use super::error::CliError;
use super::{model, output, rm, setup};
use crate::lesson::{
    self, ExerciseResult, Lang, LearnError, Lesson, Lessons, ModelState, State, StoreState, say,
};

/// Learn by doing: lessons whose exercises are checked by looking at your containers
#[derive(Debug, Args)]
pub struct LearnArgs {
    #[command(subcommand)]
    command: LearnCommand,
}

#[derive(Debug, Subcommand)]
enum LearnCommand {
    /// List the lessons
    List {
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a lesson, or one exercise of it
    Show {
        /// The lesson's name
        lesson: String,
        /// The exercise's name
        exercise: Option<String>,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Look whether the exercises are done; the status is 0 if they are, else 1
    Check {
        /// The lesson's name
        lesson: String,
        /// The exercise's name; all of them if left out
        exercise: Option<String>,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Give a hint that fits what you have made so far
    Hint {
        /// The lesson's name
        lesson: String,
        /// The exercise's name; the first that is not done if left out
        exercise: Option<String>,
    },
    /// Remove the lesson's containers, and no others, to start again
    Reset {
        /// The lesson's name
        lesson: String,
    },
}

/// How to write an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl From<LearnError> for CliError {
    fn from(e: LearnError) -> Self {
        CliError::new(format!("failed to {e}"))
    }
}

/// A text cannot be written into memory: that does not happen.
impl From<fmt::Error> for CliError {
    fn from(e: fmt::Error) -> Self {
        CliError::new(format!("failed to write the answer: {e}"))
    }
}

/// What the command needs of the store.
trait Host {
    /// The containers and images as they are now.
    fn state(&mut self) -> Result<Box<dyn State>, CliError>;

    /// Removes a container of this name, running or not.
    fn remove(&mut self, container: &str) -> Result<(), CliError>;
}

struct StoreHost<'a>(&'a Context);

impl Host for StoreHost<'_> {
    fn state(&mut self) -> Result<Box<dyn State>, CliError> {
        setup::repair(self.0)?;
        let records = setup::records(self.0)?;
        Ok(match self.0.model {
            true => Box::new(ModelState::new(model::disk(self.0).boot()?, &records)),
            false => Box::new(StoreState::new(&self.0.root, &records)),
        })
    }

    fn remove(&mut self, container: &str) -> Result<(), CliError> {
        rm::one(self.0, container, true)
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &LearnArgs) -> Result<u8, CliError> {
    let lessons = match &context.lessons {
        Some(dir) => Lessons::in_dir(dir)?,
        None => Lessons::embedded().map_err(LearnError::from)?,
    };
    let mut out = String::new();
    let status = answer(&args.command, &lessons, context.lang, &mut StoreHost(context), &mut out);
    // What was done before an error is told too: containers may be gone.
    output::print(&out)?;
    status
}

fn answer(
    command: &LearnCommand,
    lessons: &Lessons,
    lang: Lang,
    host: &mut dyn Host,
    out: &mut String,
) -> Result<u8, CliError> {
    match command {
        LearnCommand::List { format: Format::Json } => {
            let all: Vec<&Lesson> = lessons.list().collect();
            line_of_json(out, &json!(all))?;
        }
        LearnCommand::List { format: Format::Text } => list(lessons, lang, out)?,
        LearnCommand::Show { lesson, exercise, format } => {
            show(lessons.get(lesson)?, exercise.as_deref(), lang, *format, out)?
        }
        LearnCommand::Check { lesson, exercise, format } => {
            let state = host.state()?;
            let results = lesson::check(lessons.get(lesson)?, exercise.as_deref(), &*state)?;
            match format {
                Format::Json => line_of_json(out, &results_json(&results, lang))?,
                Format::Text => tell(&results, lang, out)?,
            }
            return Ok(u8::from(!results.iter().all(ExerciseResult::passed)));
        }
        LearnCommand::Hint { lesson, exercise } => {
            let state = host.state()?;
            match lesson::hint(lessons.get(lesson)?, exercise.as_deref(), &*state)? {
                None => writeln!(out, "{}", say(lang, "learn-all-done", &[]))?,
                Some(given) => {
                    let title = given.exercise.title.get(lang);
                    writeln!(out, "{}", say(lang, "learn-hint-of", &[("title", title)]))?;
                    let text = given.text.map(|t| t.get(lang).to_owned());
                    writeln!(out, "{}", text.unwrap_or_else(|| say(lang, "learn-done", &[])))?;
                }
            }
        }
        LearnCommand::Reset { lesson } => {
            let names = lesson::reset(lessons.get(lesson)?, &*host.state()?).map_err(LearnError::from)?;
            if names.is_empty() {
                writeln!(out, "{}", say(lang, "learn-nothing-to-reset", &[]))?;
            }
            for name in names {
                host.remove(&name)?;
                writeln!(out, "{}", say(lang, "learn-removed", &[("name", &name)]))?;
            }
        }
    }
    Ok(0)
}

fn line_of_json(out: &mut String, value: &serde_json::Value) -> fmt::Result {
    writeln!(out, "{value:#}")
}

fn summary(lesson: &Lesson, lang: Lang) -> String {
    let tier = say(lang, &format!("tier-{}", lesson.tier), &[]);
    say(lang, "learn-summary", &[("minutes", &lesson.minutes.to_string()), ("tier", &tier)])
}

fn list(lessons: &Lessons, lang: Lang, out: &mut String) -> fmt::Result {
    let width = lessons.list().map(|l| l.id.as_str().len()).max().unwrap_or_default();
    for lesson in lessons.list() {
        writeln!(out, "{:width$}  {} ({})", lesson.id, lesson.title.get(lang), summary(lesson, lang))?;
    }
    Ok(())
}

fn show(
    lesson: &Lesson,
    exercise: Option<&str>,
    lang: Lang,
    format: Format,
    out: &mut String,
) -> Result<(), CliError> {
    if let Some(id) = exercise {
        let exercise = lesson::exercise(lesson, id)?;
        match format {
            Format::Json => line_of_json(out, &json!(exercise))?,
            Format::Text => writeln!(out, "{}\n\n{}", exercise.title.get(lang), exercise.prompt.get(lang))?,
        }
        return Ok(());
    }
    if format == Format::Json {
        return Ok(line_of_json(out, &json!(lesson))?);
    }
    writeln!(out, "{}\n{}\n", lesson.title.get(lang), summary(lesson, lang))?;
    writeln!(out, "{}\n", lesson.prompt.get(lang))?;
    if !lesson.objectives.is_empty() {
        writeln!(out, "{}", say(lang, "learn-objectives", &[]))?;
        for objective in &lesson.objectives {
            writeln!(out, "  - {}", objective.get(lang))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", say(lang, "learn-exercises", &[]))?;
    for (number, exercise) in lesson.exercises.iter().enumerate() {
        writeln!(out, "\n{}. {} ({})", number + 1, exercise.title.get(lang), exercise.id)?;
        for line in exercise.prompt.get(lang).lines() {
            writeln!(out, "   {line}")?;
        }
    }
    Ok(())
}

fn tell(results: &[ExerciseResult<'_>], lang: Lang, out: &mut String) -> fmt::Result {
    for result in results {
        let verdict = say(lang, if result.passed() { "learn-passed" } else { "learn-failed" }, &[]);
        let exercise = result.exercise;
        writeln!(out, "{} ({}): {verdict}", exercise.title.get(lang), exercise.id)?;
        for look in &result.looks {
            for (nth, evidence) in look.evidence.iter().enumerate() {
                let mark = match (nth, look.passed) {
                    (0, true) => '✓',
                    (0, false) => '✗',
                    _ => ' ',
                };
                writeln!(out, "  {mark} {}", evidence.words(lang))?;
            }
            if !look.passed {
                let wanted = look.check.wanted(lang);
                writeln!(out, "    {}", say(lang, "learn-wanted", &[("wanted", &wanted)]))?;
            }
        }
    }
    if results.len() > 1 {
        let passed = results.iter().filter(|r| r.passed()).count();
        let counts = [("passed", &*passed.to_string()), ("all", &*results.len().to_string())];
        writeln!(out, "{}", say(lang, "learn-score", &counts))?;
    }
    Ok(())
}

fn results_json(results: &[ExerciseResult<'_>], lang: Lang) -> serde_json::Value {
    let look = |look: &lesson::Look<'_>| {
        json!({
            "passed": look.passed,
            "check": look.check,
            "evidence": look.evidence,
            "words": look.evidence.iter().map(|e| e.words(lang)).collect::<Vec<_>>(),
        })
    };
    results
        .iter()
        .map(|result| {
            json!({
                "exercise": result.exercise.id,
                "passed": result.passed(),
                "looks": result.looks.iter().map(look).collect::<Vec<_>>(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::lesson::testing::DirState;
    use crate::lesson::{Container, Status, Tree};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        learn: LearnArgs,
    }

    #[derive(Default)]
    struct Fake {
        state: DirState,
        removed: Vec<String>,
    }

    impl Host for Fake {
        fn state(&mut self) -> Result<Box<dyn State>, CliError> {
            Ok(Box::new(self.state.clone()))
        }

        fn remove(&mut self, container: &str) -> Result<(), CliError> {
            self.removed.push(container.to_owned());
            Ok(())
        }
    }

    fn learn(host: &mut Fake, lang: Lang, args: &[&str]) -> (Result<u8, CliError>, String) {
        let cli = Cli::try_parse_from(std::iter::once(&"learn").chain(args)).unwrap();
        let mut out = String::new();
        let lessons = Lessons::embedded().unwrap();
        let code = answer(&cli.learn.command, &lessons, lang, host, &mut out);
        (code, out)
    }

    #[test]
    fn lists_and_shows_in_both_languages() {
        let mut host = Fake::default();
        let (code, out) = learn(&mut host, Lang::En, &["list"]);
        assert_eq!(code.unwrap(), 0);
        assert_eq!(out, "copy-on-write  Copy-on-write (20 minutes; needs a Linux host and root)\n");
        let (_, out) = learn(&mut host, Lang::ZhCn, &["show", "copy-on-write"]);
        assert!(
            out.starts_with("写时复制\n") && out.contains("练习：") && out.contains("(second-view)"),
            "{out}"
        );
        let (_, out) = learn(&mut host, Lang::En, &["show", "copy-on-write", "whiteout"]);
        assert!(out.starts_with("Delete a file\n") && !out.contains("cow1"), "{out}");
        let (_, out) = learn(&mut host, Lang::En, &["list", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json[0]["title"]["zh-CN"], "写时复制");
        let (code, _) = learn(&mut host, Lang::En, &["show", "nothing"]);
        assert!(code.unwrap_err().message.contains("copy-on-write"));
    }

    #[test]
    fn checks_hints_and_resets() {
        let dir = tempfile::tempdir().unwrap();
        let tree = |name: &str| Tree(dir.path().join(name).to_str().unwrap().to_owned());
        std::fs::create_dir_all(dir.path().join("layer/etc")).unwrap();
        std::fs::create_dir_all(dir.path().join("upper/etc")).unwrap();
        std::fs::write(dir.path().join("layer/etc/motd"), "welcome\n").unwrap();
        let mut host = Fake::default();
        let check = ["check", "copy-on-write", "copy-up"];

        let (code, out) = learn(&mut host, Lang::En, &check);
        assert_eq!(code.unwrap(), 1);
        assert!(out.contains("✗ there is no container cow1"), "{out}");
        assert!(out.contains("wanted: container cow1 is made from box"), "{out}");
        let (_, out) = learn(&mut host, Lang::ZhCn, &["hint", "copy-on-write"]);
        assert!(out.starts_with("修改一个文件：\n没有名为"), "{out}");
        let (_, out) = learn(&mut host, Lang::En, &["reset", "copy-on-write"]);
        assert!(out.starts_with("None of"), "{out}");

        std::fs::write(dir.path().join("upper/etc/motd"), "welcome\nmoo\n").unwrap();
        host.state.images.insert("box".into(), vec![tree("layer")]);
        host.state.containers.push(Container {
            name: "cow1".into(),
            image: "box".into(),
            status: Status::Exited,
            upper: tree("upper"),
            lowers: vec![tree("layer")],
            volumes: Vec::new(),
        });
        let (code, out) = learn(&mut host, Lang::En, &check);
        assert_eq!(code.unwrap(), 0, "{out}");
        assert!(out.contains(&dir.path().join("upper/etc/motd").display().to_string()), "{out}");
        let (code, out) = learn(&mut host, Lang::En, &["check", "copy-on-write", "--format", "json"]);
        assert_eq!(code.unwrap(), 1);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&json[0]["passed"], &json[1]["passed"]), (&json!(true), &json!(false)));

        let (_, out) = learn(&mut host, Lang::En, &["reset", "copy-on-write"]);
        assert_eq!((out.as_str(), host.removed), ("removed container cow1\n", vec!["cow1".to_owned()]));
    }
}
