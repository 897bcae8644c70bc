//! The integration tests: the built program, run as its users run it.
//!
//! Tests that need root are `#[ignore = "root"]`; the test command of the README
//! runs them as root. Every test has a store, a run-time directory and a network
//! namespace of its own.

mod bad_input;
mod differential;
mod exec;
mod fault;
mod fault_life;
mod fault_store;
mod formats;
mod image_actions;
mod image_archives;
mod image_commands;
mod image_edges;
mod image_load;
mod image_model;
mod image_store;
mod lessons;
mod life;
mod model;
mod recording;
mod registry;
mod run;
mod stepper;
mod story;
mod support;
mod truth;
mod userland;
mod userland_scripts;
