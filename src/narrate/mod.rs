//! From events to words, in English and Simplified Chinese.

#[doc(hidden)]
pub mod samples;
