//! (room)

pub mod capabilities;
