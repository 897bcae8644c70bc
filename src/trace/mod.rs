//! What happened, as typed, versioned, serialisable events; and what is done
//! with them before anyone renders them: recording, reading back, redaction.

pub mod check;
pub mod diff;
mod event;
mod life;
pub mod record;
pub mod redact;
mod relay;
pub mod schema;
pub mod story;
mod value;

pub use event::{Body, Call, Event, EventSink, Fact, TRACE_VERSION, When};
pub use life::{FileChange, FileType, LayerSummary, Life, Process, Refusal, Supplier};
pub use relay::{Relayed, Said, What};
pub use value::{Kind, Value};
