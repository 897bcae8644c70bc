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
        let body = Body::About { step: StepId("union.a".into()), phase: Phase::Union, actor: Actor::Init, op };
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
