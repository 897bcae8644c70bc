//! The shape of an event as JSON Schema (draft 2020-12), made from the types
//! themselves: what the reader takes is what the schema says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Event, TRACE_VERSION};
use crate::kernel::Errno;

/// The schema of one line of a recording.
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Event>();
    schema.insert("title".to_owned(), "An event of a glassbox recording".into());
    schema.insert(
        "description".to_owned(),
        format!(
            "One line of a recording: JSON Lines, version {TRACE_VERSION} of the format. The first event is \
             `begin`, the last is `end`, and `seq` counts from 0."
        )
        .into(),
    );
    schema.into()
}

/// An error number is written by name; one without a name as `errno N`.
impl JsonSchema for Errno {
    fn schema_name() -> Cow<'static, str> {
        "Errno".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An error number by its name, errno(3).",
            "examples": ["ENOENT"],
        })
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
