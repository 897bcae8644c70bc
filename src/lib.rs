//! glassbox: a container engine that you can see through.
//!
//! Everything that touches the host goes one way:
//! request → [`spec`] → [`plan`] → [`kernel`] → [`trace`] → [`render`].
//! The [`engine`] drives it. `ARCHITECTURE.md` has the map.

#[cfg(feature = "linux")]
pub mod cli;
pub mod container;
pub mod engine;
pub mod image;
pub mod kernel;
#[cfg(feature = "linux")]
pub mod lesson;
pub mod narrate;
pub mod network;
pub mod plan;
pub mod play;
pub mod render;
pub mod spec;
pub mod trace;
pub mod userland;
