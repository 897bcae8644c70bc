//! An image archive, loaded into a store that is thrown away: `src/image/probe.rs` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| glassbox::image::probe::archive(bytes));
