//! What every page gets: a link to the same page in the other language. It needs no
//! script, and works from a file.

use anyhow::Result;
use glassbox::lesson::Lang;
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Adds the link.
pub struct OtherLanguage {
    lang: Lang,
}

impl OtherLanguage {
    /// For the pages of this language.
    pub fn new(lang: Lang) -> Self {
        OtherLanguage { lang }
    }

    fn link(&self, page: &str) -> String {
        let (other, name) = match self.lang {
            Lang::En => (Lang::ZhCn, "中文"),
            Lang::ZhCn => (Lang::En, "English"),
        };
        let other = other.name();
        let up = "../".repeat(page.matches('/').count() + 1);
        format!(
            "<p class=\"other-language\"><a hreflang=\"{other}\" lang=\"{other}\" href=\"{up}{other}/{page}\">{name}</a></p>\n\n"
        )
    }
}

impl Preprocessor for OtherLanguage {
    fn name(&self) -> &str {
        "glassbox-other-language"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item
                && let Some(path) = &chapter.path
            {
                let page = path.with_extension("html").to_string_lossy().into_owned();
                chapter.content.insert_str(0, &self.link(&page));
            }
        });
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_same_page() {
        let link = OtherLanguage::new(Lang::En).link("reference/events.html");
        assert!(link.contains("href=\"../../zh-CN/reference/events.html\""), "{link}");
        let link = OtherLanguage::new(Lang::ZhCn).link("install.html");
        assert!(link.contains("href=\"../en/install.html\""), "{link}");
    }
}
