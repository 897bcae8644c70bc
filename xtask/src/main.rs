//! Chores of the project, run as `cargo xtask …`: build the book, check and
//! record the lessons, check that the library needs no Linux,
//! and that the model runs in WebAssembly.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod book;
mod lessons;
mod order;
mod wasm;
mod wasm_test;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the glassbox project")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the book, in every language, into book/build.
    Book,
    /// Check or record the lessons with a real glassbox.
    Lessons {
        #[command(subcommand)]
        what: LessonChore,
    },
    /// Check that the library compiles without Linux: for wasm32 if rustup has the target.
    WasmCheck,
    /// Run the model compiled for wasm32 under Node: the same events as on this host.
    WasmTest,
    /// Record which functions a run enters, for the linker to put together.
    Order {
        #[command(flatten)]
        with: order::With,
    },
}

#[derive(Subcommand)]
enum LessonChore {
    /// Each exercise must fail before its solution has run, and pass afterwards.
    Check {
        #[command(flatten)]
        with: lessons::With,
        /// Only this lesson.
        lesson: Option<String>,
    },
    /// Run what the lessons want recorded, and keep the traces.
    Record {
        #[command(flatten)]
        with: lessons::With,
        /// Only this lesson.
        lesson: Option<String>,
    },
}

fn main() -> anyhow::Result<()> {
    let project = project();
    match Cli::parse().chore {
        Chore::Book => book::build(&project),
        Chore::Order { with } => order::record(&project, &with),
        Chore::Lessons { what: LessonChore::Check { with, lesson } } => {
            lessons::check(&project, &with, lesson.as_deref())
        }
        Chore::Lessons { what: LessonChore::Record { with, lesson } } => {
            lessons::record(&project, &with, lesson.as_deref())
        }
        Chore::WasmCheck => wasm::check(&project),
        Chore::WasmTest => wasm_test::run(&project),
    }
}

/// The directory of the workspace.
fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
