//! The small programs of the built-in image, each written once and run by both
//! kernels: as a real process of a real container, and inside the modelled
//! kernel. They reach the outside only through [`Sys`].

mod prog;
mod programs;
mod sh;
mod sys;
mod text;

pub use sys::*;

use prog::Prog;

/// A program's arguments and environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The program's name first.
    pub argv: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
}

/// The name of the binary that holds all programs.
pub const MULTICALL: &str = "box";

/// The names of all programs, sorted: each is a link in the image.
pub const PROGRAMS: &[&str] =
    &["[", "cat", "echo", "false", "kill", "ls", "printf", "pwd", "sh", "test", "true"];

/// The program that an `argv[0]` names: its last component, without the dash
/// of a login shell.
pub fn program_name(argv0: &str) -> &str {
    let last = argv0.rsplit('/').next().unwrap_or(argv0);
    last.strip_prefix('-').filter(|name| !name.is_empty()).unwrap_or(last)
}

/// Runs the program that `argv[0]`'s last component names; `box NAME …` is
/// `NAME …`. `None` if there is no such program.
pub async fn run<S: Sys>(sys: S, invocation: Invocation) -> Option<u8> {
    let Invocation { mut argv, env } = invocation;
    if argv.first().is_some_and(|a| program_name(a) == MULTICALL) {
        argv.remove(0);
        if argv.is_empty() {
            argv.push("box-list".to_owned());
        }
    }
    let name = program_name(argv.first()?).to_owned();
    let args = argv.split_off(1);
    let login = argv[0].starts_with('-');
    let mut p = Prog::new(sys, name, args, env);
    let status = dispatch(&mut p, login).await?;
    Some(p.finish(status).await)
}

async fn dispatch<S: Sys>(p: &mut Prog<S>, login: bool) -> Option<u8> {
    let name = p.name.clone();
    Some(match name.as_str() {
        "box-list" => {
            for name in PROGRAMS {
                p.put(format!("{name}\n")).await;
            }
            0
        }
        "[" | "test" => programs::test::main(p, name == "[").await,
        "cat" => programs::cat::main(p).await,
        "echo" => programs::echo::main(p).await,
        "false" => 1,
        "kill" => programs::kill::main(p).await,
        "ls" => programs::ls::main(p).await,
        "printf" => programs::printf::main(p).await,
        "pwd" => programs::pwd::main(p).await,
        "sh" => sh::main(p, login).await,
        "true" => 0,
        _ => return None,
    })
}
