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
pub const PROGRAMS: &[&str] = &[
    "[",
    "basename",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "du",
    "eat",
    "echo",
    "env",
    "false",
    "find",
    "free",
    "grep",
    "head",
    "hexdump",
    "hostname",
    "httpd",
    "id",
    "ip",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "mv",
    "nc",
    "nproc",
    "ping",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "sync",
    "tail",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "umount",
    "uname",
    "uniq",
    "wc",
    "wget",
    "whoami",
    "xargs",
    "yes",
];

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
        "[" => Box::pin(programs::test::main(p, true)).await,
        "basename" => Box::pin(programs::text::basename(p)).await,
        "cat" => Box::pin(programs::cat::main(p)).await,
        "chmod" => Box::pin(programs::owner::chmod(p)).await,
        "chown" => Box::pin(programs::owner::chown(p)).await,
        "cp" => Box::pin(programs::copy::cp(p)).await,
        "cut" => Box::pin(programs::text::cut(p)).await,
        "date" => Box::pin(programs::date::main(p)).await,
        "df" => Box::pin(programs::disk::df(p)).await,
        "dirname" => Box::pin(programs::text::dirname(p)).await,
        "du" => Box::pin(programs::disk::du(p)).await,
        "eat" => Box::pin(programs::eat::main(p)).await,
        "echo" => Box::pin(programs::echo::main(p)).await,
        "env" => Box::pin(programs::env::env(p)).await,
        "false" => 1,
        "find" => Box::pin(programs::find::main(p)).await,
        "free" => Box::pin(programs::tables::free(p)).await,
        "grep" => Box::pin(programs::grep::main(p)).await,
        "head" => Box::pin(programs::text::head(p)).await,
        "hexdump" => Box::pin(programs::hexdump::main(p)).await,
        "hostname" => Box::pin(programs::identity::hostname(p)).await,
        "httpd" => Box::pin(programs::httpd::main(p)).await,
        "id" => Box::pin(programs::identity::id(p)).await,
        "ip" => Box::pin(programs::ip::main(p)).await,
        "kill" => Box::pin(programs::kill::main(p)).await,
        "ln" => Box::pin(programs::files::ln(p)).await,
        "ls" => Box::pin(programs::ls::main(p)).await,
        "mkdir" => Box::pin(programs::files::mkdir(p)).await,
        "mknod" => Box::pin(programs::files::mknod(p)).await,
        "mount" => Box::pin(programs::mount::mount(p)).await,
        "mv" => Box::pin(programs::copy::mv(p)).await,
        "nc" => Box::pin(programs::nc::main(p)).await,
        "nproc" => Box::pin(programs::identity::nproc(p)).await,
        "ping" => Box::pin(programs::ping::main(p)).await,
        "printf" => Box::pin(programs::printf::main(p)).await,
        "ps" => Box::pin(programs::ps::main(p)).await,
        "pwd" => Box::pin(programs::pwd::main(p)).await,
        "readlink" => Box::pin(programs::text::readlink(p)).await,
        "rm" => Box::pin(programs::remove::main(p)).await,
        "rmdir" => Box::pin(programs::files::rmdir(p)).await,
        "seq" => Box::pin(programs::env::seq(p)).await,
        "sh" => Box::pin(sh::main(p, login)).await,
        "sha256sum" => Box::pin(programs::sha256sum::main(p)).await,
        "sleep" => Box::pin(programs::env::sleep(p)).await,
        "sort" => Box::pin(programs::sort::sort(p)).await,
        "stat" => Box::pin(programs::stat::main(p)).await,
        "sync" => Box::pin(programs::mount::sync(p)).await,
        "tail" => Box::pin(programs::text::tail(p)).await,
        "tee" => Box::pin(programs::text::tee(p)).await,
        "test" => Box::pin(programs::test::main(p, false)).await,
        "touch" => Box::pin(programs::files::touch(p)).await,
        "tr" => Box::pin(programs::tr::main(p)).await,
        "true" => 0,
        "umount" => Box::pin(programs::mount::umount(p)).await,
        "uname" => Box::pin(programs::identity::uname(p)).await,
        "uniq" => Box::pin(programs::sort::uniq(p)).await,
        "wc" => Box::pin(programs::text::wc(p)).await,
        "wget" => Box::pin(programs::wget::main(p)).await,
        "whoami" => Box::pin(programs::identity::whoami(p)).await,
        "xargs" => Box::pin(programs::env::xargs(p)).await,
        "yes" => Box::pin(programs::env::yes(p)).await,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_sorted_and_named_by_the_last_component() {
        assert!(PROGRAMS.is_sorted());
        assert_eq!(program_name("/bin/ls"), "ls");
        assert_eq!(program_name("-sh"), "sh");
        assert_eq!(program_name("["), "[");
    }
}
