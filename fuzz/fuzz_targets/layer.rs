//! A layer's tar, plain or compressed, read to its end: `src/image/probe.rs` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| glassbox::image::probe::layer(bytes));
