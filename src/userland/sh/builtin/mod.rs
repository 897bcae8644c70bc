//! Commands that the shell itself carries out: those that change it, and a few
//! small programs that every shell has inside.

mod flow;
mod jobs;
mod vars;

use super::state::{Run, Shell};
use crate::userland::Sys;
use crate::userland::programs::{echo, kill, printf, pwd, test};
use crate::userland::sh::word::is_name;

/// POSIX.1-2024 XCU 2.15: assignments before them stay.
const SPECIAL: [&str; 15] = [
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift",
    "source", "trap", "unset",
];
const REGULAR: [&str; 18] = [
    "[", "cd", "command", "echo", "false", "getopts", "jobs", "kill", "local", "printf", "pwd", "read",
    "test", "true", "type", "umask", "wait", "hash",
];

pub fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

pub fn is_builtin(name: &str) -> bool {
    is_special(name) || REGULAR.contains(&name)
}

/// Runs a builtin: its name first.
pub async fn run<S: Sys>(sh: &mut Shell<S>, fields: &[String]) -> Run<u8> {
    let args = &fields[1..];
    match fields[0].as_str() {
        ":" | "true" => Ok(0),
        "false" => Ok(1),
        "." | "source" => flow::dot(sh, args).await,
        "break" | "continue" => flow::leave_loop(sh, fields).await,
        "cd" => flow::cd(sh, args).await,
        "command" => Box::pin(flow::command(sh, args)).await,
        "eval" => sh.eval(&args.join(" ")).await,
        "exit" | "return" => flow::leave(sh, fields).await,
        "hash" => Ok(0),
        "type" => flow::type_of(sh, args).await,
        "umask" => flow::umask(sh, args).await,
        "export" | "readonly" => vars::mark(sh, fields).await,
        "getopts" => vars::getopts(sh, args).await,
        "local" => vars::local(sh, args).await,
        "read" => vars::read(sh, args).await,
        "set" => vars::set(sh, args).await,
        "shift" => vars::shift(sh, args).await,
        "unset" => vars::unset(sh, args).await,
        "jobs" => jobs::jobs(sh).await,
        "trap" => jobs::trap(sh, args).await,
        "wait" => jobs::wait(sh, args).await,
        name => {
            let mut args = args.to_vec();
            if name == "kill" {
                jobs::name_pids(sh, &mut args);
            }
            let mut p = sh.inner(&args);
            let status = match name {
                "echo" => echo::main(&mut p).await,
                "kill" => kill::main(&mut p).await,
                "printf" => printf::main(&mut p).await,
                "pwd" => pwd::main(&mut p).await,
                _ => test::main(&mut p, name == "[").await,
            };
            Ok(p.finish(status).await)
        }
    }
}

/// Writes to standard output.
async fn say<S: Sys>(sh: &Shell<S>, text: &str) -> u8 {
    u8::from(sh.sys.write(1, text.as_bytes()).await.is_err())
}

/// Complains unless it is a name.
async fn name_or_complain<S: Sys>(sh: &Shell<S>, command: &str, name: &str) -> bool {
    let good = is_name(name);
    if !good {
        sh.complain(&format!("{command}: {name}: bad variable name")).await;
    }
    good
}
