//! An image reference, and a platform: `src/image/probe.rs` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| glassbox::image::probe::reference(bytes));
