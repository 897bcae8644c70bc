//! Container ids: 64 hexadecimal digits.

use sha2::{Digest, Sha256};

/// An id from 32 random bytes.
pub fn from_bytes(bytes: [u8; 32]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The `n`th id of a deterministic run: the same on every machine.
pub fn deterministic(n: u64) -> String {
    let hash = Sha256::digest(format!("glassbox container {n}").as_bytes());
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether `text` could be an id or the beginning of one.
pub fn is_prefix(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
