//! Integration tests: the built binary, from outside.

mod userland;
mod userland_scripts;
