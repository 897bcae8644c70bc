//! What happened, as typed, versioned, serialisable events; and what is done
//! with them before anyone renders them: recording, reading back, redaction.

mod event;
pub mod record;
pub mod redact;
mod value;

pub use event::{Body, Call, Event, EventSink, Fact, Life, TRACE_VERSION, When};
pub use value::{Kind, Value};
