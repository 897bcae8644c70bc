//! Documents of other projects, as data: the image specification's own test
//! cases, and manifests of all kinds. `shared/corpora/README.md` says what they
//! are and whose.

use std::path::{Path, PathBuf};

use super::*;

fn corpus(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora").join(name);
    if path.exists() {
        return Some(path);
    }
    #[expect(clippy::print_stderr, reason = "a test that skips says so")]
    {
        eprintln!("skipped: {} is absent", path.display());
    }
    None
}

/// The specification's cases say only whether a document is valid.
fn valid(kind: &str, text: &str) -> Result<(), ManifestError> {
    let bytes = text.as_bytes();
    match kind {
        "manifest" => match parse(bytes, Some(OCI_MANIFEST))? {
            Document::Manifest(_) => Ok(()),
            Document::Index(_) => panic!("an index"),
        },
        "index" => match parse(bytes, Some(OCI_INDEX))? {
            Document::Index(_) => Ok(()),
            Document::Manifest(_) => panic!("a manifest"),
        },
        "config" => check_config(&parse_json(bytes)?),
        "descriptor" => check_descriptor(&parse_json(bytes)?, ""),
        "layout" => check_layout(&parse_json(bytes)?),
        // Docker's documents, which are OCI's with other types.
        "compat" => {
            let value = parse_json(bytes)?;
            if value.get("rootfs").is_some() { check_config(&value) } else { parse(bytes, None).map(drop) }
        }
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn image_spec_cases() {
    let Some(dir) = corpus("image-spec") else { return };
    let mut rows = 0;
    for kind in ["compat", "config", "descriptor", "index", "layout", "manifest"] {
        let text = std::fs::read_to_string(dir.join(format!("{kind}.jsonl"))).unwrap();
        for line in text.lines() {
            rows += 1;
            let row: Value = serde_json::from_str(line).unwrap();
            let (fail, comment) = (row["fail"].as_bool().unwrap(), row["comment"].as_str().unwrap());
            let answer = valid(row["kind"].as_str().unwrap(), row["json"].as_str().unwrap());
            assert_eq!(
                answer.is_err(),
                fail,
                "{kind}: {comment}: {answer:?}\n{}",
                row["json"].as_str().unwrap()
            );
        }
    }
    assert_eq!(rows, 71);
}

/// What is said of each of the manifests: a part of the message, or "image" for
/// one that can be used.
fn said(path: &Path, bytes: &[u8]) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.contains("config")
        && !name.contains("for-oci")
        && parse_json(bytes).is_ok_and(|v| v.get("layers").is_none())
    {
        return match check_config(&parse_json(bytes).unwrap()) {
            Ok(()) => "config".to_owned(),
            Err(e) => e.to_string(),
        };
    }
    match parse(bytes, None) {
        Ok(Document::Manifest(m)) => match m.check_image() {
            Ok(()) if m.foreign().is_some() => "foreign".to_owned(),
            Ok(()) => "image".to_owned(),
            Err(e) => e.to_string(),
        },
        Ok(Document::Index(_)) => "index".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn manifests_of_all_kinds() {
    let Some(dir) = corpus("manifests") else { return };
    let mut todo = vec![dir.clone()];
    let mut answers = Vec::new();
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                answers.push((said(&path, &std::fs::read(&path).unwrap()), path));
            }
        }
    }
    assert_eq!(answers.len(), 50);
    answers.sort_by(|a, b| a.1.cmp(&b.1));
    let text: String = answers
        .iter()
        .map(|(said, path)| format!("{}: {said}\n", path.strip_prefix(&dir).unwrap().display()))
        .collect();
    insta::assert_snapshot!(text);
}
