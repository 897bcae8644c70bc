//! Every link of the built book leads to something, and reading it needs no network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// What is wrong with the links of the pages beneath `root`, sorted.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    collect(root, &mut pages)?;
    let mut faults = Vec::new();
    for (page, html) in &pages {
        let shown = page.strip_prefix(root).unwrap_or(page).display();
        for (name, target) in targets(html) {
            if target.contains("://") || target.starts_with("//") {
                // An anchor may lead out of the book; all else would be fetched when reading.
                if name != "a" {
                    faults.push(format!("{shown}: <{name}> wants {target} from the network"));
                }
            } else if !target.starts_with("data:") && !target.starts_with("mailto:") {
                let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
                let file = if path.is_empty() {
                    page.clone()
                } else {
                    plain(&page.parent().unwrap_or(root).join(path))
                };
                let anchored = || {
                    let html = pages.get(&file);
                    html.is_none_or(|h| h.contains(&format!("id=\"{fragment}\"")))
                };
                if !file.exists() {
                    faults.push(format!("{shown}: <{name}> leads to {target}, which is not there"));
                } else if !fragment.is_empty() && !anchored() {
                    faults.push(format!("{shown}: {target} has no such anchor"));
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    Ok(faults)
}

fn collect(dir: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("failed to read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|e| e == "html") {
            let html =
                fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
            pages.insert(path, html);
        }
    }
    Ok(())
}

/// Element and target of every `href` and `src`. What is within a script is not looked at.
fn targets(html: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[..end];
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        for attribute in [" href=\"", " src=\""] {
            if let Some((_, value)) = tag.split_once(attribute) {
                found.push((name, value.split('"').next().unwrap_or_default()));
            }
        }
        rest = &rest[end..];
        if name == "script" {
            rest = rest.find("</script>").map_or("", |at| &rest[at..]);
        }
    }
    found
}

/// The path without `.` and `..`, by text.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_links_and_the_network_are_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("style.css"), "").unwrap();
        fs::write(
            dir.path().join("sub/a.html"),
            "<link rel=\"x\" href=\"../style.css\"><a href=\"../b.html#there\">b</a>\
             <a href=\"../b.html#nowhere\">b</a><a href=\"gone.html\">g</a><a href=\"https://x.org\">x</a>\
             <script src=\"https://x.org/x.js\">'<a href=\"no.html\">'</script>",
        )
        .unwrap();
        fs::write(dir.path().join("b.html"), "<h1 id=\"there\">b</h1><a href=\"#there\">b</a>").unwrap();
        let faults = faults(dir.path()).unwrap();
        assert_eq!(
            faults,
            [
                "sub/a.html: ../b.html#nowhere has no such anchor",
                "sub/a.html: <a> leads to gone.html, which is not there",
                "sub/a.html: <script> wants https://x.org/x.js from the network",
            ]
        );
    }
}
