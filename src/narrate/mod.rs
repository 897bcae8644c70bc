//! From events to words, in English and Simplified Chinese.
//!
//! The words are in `messages/`, one group per operation. Here are the
//! arguments that they may use, the commands that do the same by hand, and the
//! pages of the manual. What comes out are labelled spans: which colour a label
//! gets is the renderer's business.

mod args;
mod byhand;
mod byhand_image;
mod life;
mod manual;
#[doc(hidden)]
pub mod samples;
mod samples_image;
mod text;
mod words;

pub use args::{Known, brief_ids, inside};
pub use byhand::{Hand, quote};
pub use manual::{lesson, man};
pub use text::{Label, Line, Span, plain, printable};
pub use words::{Lang, Narrator};
