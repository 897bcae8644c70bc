//! What the prose takes from `lessons/` instead of repeating it:
//!
//! - `{{#lesson ID}}`: what the lesson is about, how long, and its objectives
//! - `{{#exercise ID NAME}}`: an exercise's title and prompt, and how to check it
//! - `{{#recording ID NAME}}`: a recorded trace
//!
//! And from the narration:
//!
//! - `{{#operations}}`: every operation, why it is done, and where to read on

use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail};
use glassbox::lesson::{Lang, Lesson, Lessons};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Expands the directives of every chapter.
pub struct Directives {
    lang: Lang,
    lessons: Lessons,
    dir: PathBuf,
}

impl Directives {
    /// For one language. `dir` is the directory of the lessons.
    pub fn new(lang: Lang, lessons: Lessons, dir: PathBuf) -> Self {
        Directives { lang, lessons, dir }
    }

    fn expand(&self, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        for (number, line) in text.lines().enumerate() {
            let directive = line.trim().strip_prefix("{{#").and_then(|l| l.strip_suffix("}}"));
            match directive.map(|d| d.split_whitespace().collect::<Vec<_>>()) {
                Some(words) => {
                    let html = self.one(&words).with_context(|| format!("line {}: {line}", number + 1))?;
                    out.push_str(html.as_deref().unwrap_or(line));
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
        Ok(out)
    }

    /// `None` is a directive of somebody else.
    fn one(&self, words: &[&str]) -> Result<Option<String>> {
        Ok(Some(match words {
            ["lesson", id] => self.lesson(self.lessons.get(id)?),
            ["exercise", id, name] => self.exercise(self.lessons.get(id)?, name)?,
            ["recording", id, name] => self.recording(id, name)?,
            ["operations"] => super::trace::operations(self.lang),
            ["lesson" | "exercise" | "recording", ..] => bail!("wrong number of words"),
            _ => return Ok(None),
        }))
    }

    fn lesson(&self, lesson: &Lesson) -> String {
        let words = Words::of(self.lang);
        let objectives: String =
            lesson.objectives.iter().map(|o| format!("- {}\n", o.get(self.lang))).collect();
        format!(
            "{}\n\n<p class=\"lesson-facts\">{}</p>\n\n{}\n\n{objectives}",
            unwrapped(lesson.prompt.get(self.lang)),
            (words.facts)(lesson.minutes, &lesson.tier.to_string()),
            words.objectives,
        )
    }

    fn exercise(&self, lesson: &Lesson, name: &str) -> Result<String> {
        let exercise = glassbox::lesson::exercise(lesson, name)?;
        let words = Words::of(self.lang);
        let number = lesson.exercises.iter().position(|e| e.id == exercise.id).unwrap_or_default() + 1;
        let (lesson, title) = (&lesson.id, exercise.title.get(self.lang));
        Ok(format!(
            "<div class=\"exercise\" id=\"exercise-{name}\">\n\n**{} {number}{}{title}**\n\n{}\n\n\
             ```sh\nglassbox learn check {lesson} {name}\nglassbox learn hint {lesson} {name}\n```\n\n</div>\n",
            words.exercise,
            words.colon,
            unwrapped(exercise.prompt.get(self.lang)),
        ))
    }

    fn recording(&self, id: &str, name: &str) -> Result<String> {
        let lesson = self.lessons.get(id)?;
        let recording =
            lesson.recording(name).with_context(|| format!("the lesson `{id}` has no recording `{name}`"))?;
        let (place, _) = self.lessons.places().find(|(_, l)| l.id == lesson.id).context("lost the lesson")?;
        let file = self.dir.join(place).join(format!("recordings/{name}.jsonl"));
        if !file.exists() {
            bail!("{} is missing: `cargo xtask lessons record` makes it", file.display());
        }
        let text = std::fs::read(&file).with_context(|| format!("failed to read {}", file.display()))?;
        super::trace::recording(&text, recording.title.get(self.lang), self.lang)
            .with_context(|| format!("failed to show {}", file.display()))
    }
}

/// Joins lines that were broken between two Chinese characters: a browser would show the
/// break as a space.
fn unwrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joined = c == '\n'
            && out.chars().next_back().is_some_and(is_wide)
            && chars.peek().copied().is_some_and(is_wide);
        if !joined {
            out.push(c);
        }
    }
    out
}

/// Chinese characters, and punctuation of their width.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// The few words that the directives add.
struct Words {
    exercise: &'static str,
    colon: &'static str,
    objectives: &'static str,
    facts: fn(u32, &str) -> String,
}

impl Words {
    fn of(lang: Lang) -> Words {
        match lang {
            Lang::En => Words {
                exercise: "Exercise",
                colon: ": ",
                objectives: "When you are done, you can:",
                facts: |minutes, tier| format!("About {minutes} minutes. Needs: {tier}."),
            },
            Lang::ZhCn => Words {
                exercise: "练习",
                colon: "：",
                objectives: "学完之后，你能够：",
                facts: |minutes, tier| format!("约 {minutes} 分钟。所需条件：{tier}。"),
            },
        }
    }
}

impl Preprocessor for Directives {
    fn name(&self) -> &str {
        "glassbox-lessons"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut fault: Option<Error> = None;
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item {
                match self.expand(&chapter.content) {
                    Ok(content) => chapter.content = content,
                    Err(e) => {
                        let path = chapter.source_path.clone().unwrap_or_default();
                        fault.get_or_insert(e.context(format!(
                            "in {} ({})",
                            path.display(),
                            self.lang.name()
                        )));
                    }
                }
            }
        });
        fault.map_or(Ok(book), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(lang: Lang) -> Directives {
        Directives::new(lang, Lessons::embedded().unwrap(), PathBuf::from("/nowhere"))
    }

    #[test]
    fn exercises_come_from_the_lesson() {
        let text = "Before\n{{#exercise copy-on-write whiteout}}\nafter\n{{#include x.md}}\n";
        let en = directives(Lang::En).expand(text).unwrap();
        assert!(en.contains("**Exercise 3: Delete a file**"), "{en}");
        assert!(en.contains("glassbox learn check copy-on-write whiteout"), "{en}");
        assert!(en.starts_with("Before\n") && en.contains("\n{{#include x.md}}\n"), "{en}");
        assert!(directives(Lang::ZhCn).expand(text).unwrap().contains("**练习 3：删除一个文件**"));
    }

    #[test]
    fn chinese_lines_are_joined() {
        assert_eq!(unwrapped("目录\n树。\n在 a\nb\n\n另\n`x`"), "目录树。在 a\nb\n\n另\n`x`");
    }

    #[test]
    fn lessons_show_their_facts() {
        let en = directives(Lang::En).expand("{{#lesson copy-on-write}}").unwrap();
        assert!(en.contains("About 20 minutes. Needs: root.") && en.contains("\n- "), "{en}");
    }

    #[test]
    fn faults_name_the_line_and_the_cure() {
        let fault = |text| format!("{:#}", directives(Lang::En).expand(text).unwrap_err());
        assert!(fault("a\n{{#exercise copy-on-write nope}}").contains("line 2"));
        assert!(fault("{{#exercise nope nope}}").contains("`nope`"));
        assert!(fault("{{#exercise copy-on-write}}").contains("wrong number"));
        assert!(fault("{{#recording copy-on-write copy-up}}").contains("cargo xtask lessons record"));
        assert!(fault("{{#recording copy-on-write nope}}").contains("no recording `nope`"));
    }
}
