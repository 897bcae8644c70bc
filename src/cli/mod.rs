//! (room)

pub mod learn;
