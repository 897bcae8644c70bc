//! The modelled kernel for WebAssembly: a request goes in as JSON, events and
//! output come out as JSON lines. `glassbox.mjs` is the other side.
//!
//! 1. `glassbox_input(len)` gives a place for `len` bytes; the caller writes the
//!    request there (see [`glassbox::play::Request`]).
//! 2. `glassbox_run()` carries it out and gives the exit status, or -1 when the
//!    request could not be met.
//! 3. `glassbox_part(n)` and `glassbox_part_len(n)` give what came of it, until the
//!    next run: 0 the events as a recording has them, 1 what the container wrote,
//!    2 the error when there was one, 3 the disk, for a request that goes on with it.
//!
//! No block of this file is unsafe: memory is read and written by the caller, and
//! the only attributes that the compiler cannot check give the functions their names.

use std::cell::RefCell;

use glassbox::kernel::model::Stream;
use glassbox::play::{self, Played, Request};
use glassbox::spec::SpecError;

const PARTS: usize = 4;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<[Vec<u8>; PARTS]> = const { RefCell::new([const { Vec::new() }; PARTS]) };
}

/// Where to write a request of `len` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn glassbox_input(len: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(len, 0);
        input.as_mut_ptr()
    })
}

/// Carries the request out.
#[unsafe(no_mangle)]
pub extern "C" fn glassbox_run() -> i32 {
    let text = INPUT.with_borrow(|input| String::from_utf8_lossy(input).into_owned());
    let (status, parts) = match Request::from_json(&text).and_then(|request| play::run(&request)) {
        Ok(played) => (i32::from(played.status), told(played)),
        Err(error) => (-1, [Vec::new(), Vec::new(), refused(&error), Vec::new()]),
    };
    OUTPUT.set(parts);
    status
}

/// Where a part of what came of it begins; a number without a part has nothing.
#[unsafe(no_mangle)]
pub extern "C" fn glassbox_part(part: usize) -> *const u8 {
    OUTPUT.with_borrow(|parts| parts.get(part).map_or(std::ptr::null(), |p| p.as_ptr()))
}

/// How many bytes it has.
#[unsafe(no_mangle)]
pub extern "C" fn glassbox_part_len(part: usize) -> usize {
    OUTPUT.with_borrow(|parts| parts.get(part).map_or(0, Vec::len))
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    let mut all = Vec::new();
    for item in items {
        all.extend(line(item));
        all.push(b'\n');
    }
    all
}

fn told(played: Played) -> [Vec<u8>; PARTS] {
    let events = lines(&played.events, |e| serde_json::to_vec(e).unwrap_or_default());
    let output = lines(&played.output, |w| {
        let stream = match w.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let text = String::from_utf8_lossy(&w.bytes);
        serde_json::json!({"after": w.after, "stream": stream, "text": text}).to_string().into_bytes()
    });
    [events, output, Vec::new(), played.disk]
}

fn refused(error: &SpecError) -> Vec<u8> {
    serde_json::json!({"message": error.message, "hint": error.hint}).to_string().into_bytes()
}
