use serde_json::{Value as Json, json};

use super::*;
use crate::narrate::samples;
use crate::plan::{Actor, Phase, StepId};
use crate::trace::{Body, Event};

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema")
}

#[track_caller]
fn valid(validator: &jsonschema::Validator, json: &Json) {
    let errors: Vec<String> = validator.iter_errors(json).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{json}\n{}", errors.join("\n"));
}

#[test]
fn it_is_a_schema_of_the_draft_that_it_names() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::meta::is_valid(&schema));
}

#[test]
fn every_operation_fits() {
    let validator = validator();
    for op in samples::all() {
        let body =
            Body::About { step: StepId("union.a".into()), phase: Phase::Union, actor: Actor::Init, op };
        valid(&validator, &serde_json::to_value(Event { seq: 1, at: 2, body }).unwrap());
    }
}

#[test]
fn what_the_reader_refuses_does_not_fit() {
    let validator = validator();
    let good = json!({"seq": 1, "at": 2, "event": "end", "status": 0});
    valid(&validator, &good);
    let changed = |field: &str, to: Json| {
        let mut event = good.clone();
        event[field] = to;
        event
    };
    let without = |field: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(field);
        event
    };
    let bad = [
        json!([]),
        json!({}),
        without("seq"),
        without("at"),
        without("event"),
        without("status"),
        changed("event", "stop".into()),
        changed("seq", (-1).into()),
        changed("at", "2".into()),
        changed("status", 256.into()),
        json!({"seq": 1, "at": 2, "event": "observed", "step": "a", "when": "later", "facts": []}),
        json!({"seq": 1, "at": 2, "event": "about", "step": "a", "phase": "union", "actor": "init", "op": {"op": "jump"}}),
    ];
    for event in bad {
        assert!(serde_json::from_value::<Event>(event.clone()).is_err(), "the reader takes {event}");
        assert!(!validator.is_valid(&event), "{event}");
    }
}

/// Every recording that is kept here.
fn kept() -> Vec<std::path::PathBuf> {
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut dirs = vec![project.join("tests/recordings")];
    let lessons = std::fs::read_dir(project.join("lessons")).unwrap();
    dirs.extend(lessons.map(|l| l.unwrap().path().join("recordings")).filter(|d| d.is_dir()));
    let files = dirs.iter().flat_map(|d| std::fs::read_dir(d).unwrap().map(|f| f.unwrap().path()));
    files.filter(|f| f.extension().is_some_and(|e| e == "jsonl")).collect()
}

#[test]
fn every_recording_kept_fits() {
    let validator = validator();
    let files = kept();
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            let json: Json = serde_json::from_str(line).unwrap();
            let errors: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{}:{}: {}", file.display(), number + 1, errors.join("\n"));
        }
    }
}

/// The pages of the book name every kind and every field that the schema has.
#[test]
fn the_book_names_all_of_it() {
    let schema = schema();
    let mut names = std::collections::BTreeSet::new();
    tags(&schema, &["event", "life"], &mut names);
    for def in ["Kind", "FileType", "When"] {
        words(&schema["$defs"][def], &mut names);
    }
    for def in ["Call", "Fact", "Process", "FileChange", "Supplier", "LayerSummary", "Refusal"] {
        fields(&schema["$defs"][def], &mut names);
    }
    assert!(names.len() > 90, "{names:?}");
    for lang in ["en", "zh-CN"] {
        let page = format!("{}/book/{lang}/src/reference/events.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(page).unwrap();
        let missing: Vec<&String> = names.iter().filter(|n| !text.contains(&format!("`{n}`"))).collect();
        assert_eq!(missing, Vec::<&String>::new(), "{lang}");
    }
}

/// The values of properties that tell kinds apart, and the fields beside them.
fn tags(schema: &Json, of: &[&str], names: &mut std::collections::BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        let tag = of.iter().find_map(|t| properties.get(*t)?["const"].as_str());
        if let Some(tag) = tag {
            names.insert(tag.to_owned());
            fields(schema, names);
        }
    }
    match schema {
        Json::Array(items) => items.iter().for_each(|i| tags(i, of, names)),
        Json::Object(fields) => fields.values().for_each(|f| tags(f, of, names)),
        _ => {}
    }
}

fn fields(schema: &Json, names: &mut std::collections::BTreeSet<String>) {
    names.extend(schema["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned()));
}

/// What a plain enumeration may be.
fn words(schema: &Json, names: &mut std::collections::BTreeSet<String>) {
    match schema {
        Json::Object(all) => {
            let word = |w: &Json| w.as_str().map(str::to_owned);
            names.extend(all.get("const").and_then(word));
            names.extend(
                all.get("enum").into_iter().flat_map(|e| e.as_array().into_iter().flatten().filter_map(word)),
            );
            all.values().for_each(|v| words(v, names));
        }
        Json::Array(items) => items.iter().for_each(|i| words(i, names)),
        _ => {}
    }
}
