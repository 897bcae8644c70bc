//! What was counted while a layer was unpacked or written, as both kernels tell it:
//! [`crate::narrate`] makes sentences of these names.

use crate::image::write::Written;
use crate::trace::{Fact, Value};

/// Of a layer that was unpacked.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Unpacked {
    pub entries: u64,
    pub tar_bytes: u64,
    pub file_bytes: u64,
    pub whiteouts: u64,
    pub opaque_dirs: u64,
    pub skipped_xattrs: u64,
}

/// What unpacking into a directory counted.
pub fn unpacked(dir: &str, done: Unpacked) -> Vec<Fact> {
    facts(
        &format!("unpacking into {dir}"),
        &[
            ("entries", done.entries),
            ("bytes of the tar", done.tar_bytes),
            ("bytes of files", done.file_bytes),
            ("whiteouts", done.whiteouts),
            ("opaque directories", done.opaque_dirs),
            ("attributes not taken", done.skipped_xattrs),
        ],
    )
}

/// What writing a directory as a layer counted.
pub fn written(upper: &str, done: &Written) -> Vec<Fact> {
    facts(
        upper,
        &[
            ("entries", done.entries),
            ("bytes of files", done.file_bytes),
            ("whiteouts", done.whiteouts),
            ("opaque directories", done.opaque_dirs),
            ("hard links", done.hard_links),
            ("sparse files", done.sparse),
            ("sockets left out", done.sockets),
        ],
    )
}

fn facts(source: &str, counts: &[(&str, u64)]) -> Vec<Fact> {
    let fact = |(key, n): &(&str, u64)| Fact {
        source: source.into(),
        key: (*key).to_owned(),
        value: Value::Int(i64::try_from(*n).unwrap_or(i64::MAX)),
    };
    counts.iter().map(fact).collect()
}
