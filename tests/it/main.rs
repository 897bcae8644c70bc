//! The integration tests: the built program, run as its users run it.
//!
//! Tests that need root are `#[ignore = "root"]`; the test command of the README
//! runs them as root. Every test has a store, a run-time directory and a network
//! namespace of its own.

mod bad_input;
mod fault;
mod fault_life;
mod fault_store;
mod lessons;
mod run;
mod support;
mod userland;
mod userland_scripts;
