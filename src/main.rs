//! glassbox
fn main() {}
