//! The book: one mdbook per language, from the same lessons, with one theme.

mod directives;
mod links;
mod pages;
mod trace;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use glassbox::lesson::{LANGS, Lang, Lessons};
use mdbook_driver::MDBook;

use directives::Directives;

/// Builds every language's book, then looks for broken links.
pub fn build(project: &Path) -> Result<()> {
    let book = project.join("book");
    let lessons =
        Lessons::in_dir(&project.join("lessons")).map_err(anyhow::Error::from).context("failed to")?;
    same_chapters(&book)?;
    for lang in LANGS {
        let root = book.join(lang.name());
        let mut md = MDBook::load(&root).with_context(|| format!("failed to load {}", root.display()))?;
        md.with_preprocessor(Directives::new(lang, lessons.clone(), project.join("lessons")));
        md.with_preprocessor(pages::OtherLanguage::new(lang));
        md.build().with_context(|| format!("failed to build the book in {}", lang.name()))?;
        let out = book.join("build").join(lang.name());
        fs::copy(book.join("theme/glassbox.css"), out.join("glassbox.css"))
            .context("failed to copy book/theme/glassbox.css")?;
    }
    fs::copy(book.join("theme/index.html"), book.join("build/index.html"))
        .context("failed to copy book/theme/index.html")?;
    let faults = links::faults(&book.join("build"))?;
    for fault in &faults {
        eprintln!("{fault}");
    }
    ensure!(faults.is_empty(), "the book has {} faults", faults.len());
    println!("built {}", book.join("build/index.html").display());
    Ok(())
}

/// Both languages have the same chapters: every page's language link leads somewhere.
fn same_chapters(book: &Path) -> Result<()> {
    let chapters = |lang: Lang| -> Result<Vec<String>> {
        let file = book.join(lang.name()).join("src/SUMMARY.md");
        let summary =
            fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
        Ok(summary
            .match_indices("](")
            .filter_map(|(at, _)| summary[at + 2..].split(')').next().map(str::to_owned))
            .collect())
    };
    let (en, zh) = (chapters(Lang::En)?, chapters(Lang::ZhCn)?);
    for (one, other, lang) in [(&en, &zh, "zh-CN"), (&zh, &en, "en")] {
        if let Some(missing) = one.iter().find(|c| !other.contains(c)) {
            bail!("the chapter {missing} is missing in book/{lang}/src/SUMMARY.md");
        }
    }
    ensure!(en == zh, "the chapters of the two languages are in different orders");
    Ok(())
}

#[cfg(test)]
mod tests {
    use glassbox::trace::Event;

    /// What the reference shows as events are events of this version.
    #[test]
    fn the_examples_of_events_are_events() {
        for lang in super::LANGS {
            let page = super::super::project().join("book").join(lang.name()).join("src/reference/events.md");
            let text = std::fs::read_to_string(page).unwrap();
            let examples: Vec<_> = text
                .split("```jsonl\n")
                .skip(1)
                .flat_map(|block| block.split("```").next().unwrap_or_default().lines())
                .collect();
            assert!(examples.len() > 2);
            for example in examples {
                let event: Event = serde_json::from_str(example).unwrap_or_else(|e| panic!("{e}: {example}"));
                let again: serde_json::Value = serde_json::to_value(&event).unwrap();
                assert_eq!(again, serde_json::from_str::<serde_json::Value>(example).unwrap());
            }
        }
    }
}
