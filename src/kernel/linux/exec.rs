//! Becoming the container's command: find it, set up its standard streams and
//! session, close the rest, execve.

use std::ffi::CString;

use rustix::fs::{FileType, Mode, OFlags};

use super::calls::{self, CWD, fail};
use super::cx::Cx;
use super::recorder::zero;
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::trace::Value;

/// Searched when the container's environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command ready for execve.
#[derive(Debug)]
pub struct Ready {
    path: String,
    c_path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

/// Everything before execve itself.
pub fn prepare(
    argv: &[String],
    env: &[String],
    cwd: &str,
    cx: &mut Cx<'_>,
    state: &mut State,
) -> Result<Ready, Failure> {
    let Some(name) = argv.first().filter(|a| !a.is_empty()) else {
        return Err(Failure::new("execute a command: none is given", None)
            .status(127)
            .hint("name a command after the image, or use an image that has one"));
    };
    if !cwd.is_empty() {
        calls::chdir(cx.rec, cwd)
            .map_err(|e| Failure::new(format!("change to working directory {cwd}"), Some(e)).status(126))?;
        // A link of /proc leads through a descriptor of this process to the host.
        if !rustix::process::getcwd(Vec::new()).is_ok_and(|at| at.as_bytes().starts_with(b"/")) {
            return Err(Failure::new(
                format!("change to working directory {cwd}: it is not in the container"),
                None,
            )
            .status(126)
            .hint("name a directory of the container"));
        }
    }
    let path = find(name, env)?;
    let ready = Ready {
        c_path: c_string(&path)?,
        argv: argv.iter().map(|a| c_string(a)).collect::<Result<_, _>>()?,
        env: env.iter().map(|e| c_string(e)).collect::<Result<_, _>>()?,
        path,
    };
    let rec = &mut *cx.rec;
    if !state.tty {
        // A session of its own: the runtime's terminal cannot signal it, nor it
        // the terminal's other processes.
        rec.call("setsid", Vec::new, calls::pid_inside, rustix::process::setsid)
            .map_err(fail(|| "make a session".to_owned()))?;
        if state.let_run {
            let null = super::mounts::open_file(state, rec, "/dev/null", OFlags::RDWR)
                .map_err(fail(|| "open /dev/null in the container".to_owned()))?;
            for stream in 0..3 {
                calls::dup_onto(rec, &null, stream)
                    .map_err(fail(|| format!("set standard stream {stream}")))?;
            }
        } else if !state.interactive {
            let null = super::mounts::open_file(state, rec, "/dev/null", OFlags::RDONLY)
                .map_err(fail(|| "open /dev/null in the container".to_owned()))?;
            calls::dup_onto(rec, &null, 0).map_err(fail(|| "set standard input".to_owned()))?;
        }
    }
    rec.call(
        "umask",
        || vec![("mask", Value::from("022"))],
        |old: &Mode| Value::Text(format!("0{:o}", old.as_raw_mode())),
        || Ok::<_, Errno>(rustix::process::umask(Mode::from_raw_mode(0o022))),
    )
    .map_err(fail(|| "set the umask".to_owned()))?;
    if state.let_run {
        super::init::outlive_runtime(rec).map_err(fail(|| "outlive glassbox".to_owned()))?;
    }
    match calls::close_on_exec_from(rec, 3) {
        Ok(()) => {}
        // Before Linux 5.11. Everything that glassbox opens is close-on-exec;
        // what it was started with is not.
        Err(Errno::ENOSYS | Errno::EINVAL) => close_one_by_one()?,
        Err(e) => return Err(Failure::new("close the runtime's descriptors at execve", Some(e))),
    }
    Ok(ready)
}

fn close_one_by_one() -> Result<(), Failure> {
    let what = "close the runtime's descriptors at execve";
    let names = std::fs::read_dir("/proc/self/fd").map_err(|e| Failure::new(what, Some(e.into())))?;
    for fd in names.flatten().filter_map(|e| e.file_name().to_str().and_then(|n| n.parse::<i32>().ok())) {
        if fd > 2 {
            // SAFETY: marks a descriptor; a number that is not open gives EBADF.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// Records the execve to come, for the message before it.
pub fn announce(ready: &Ready, cx: &mut Cx<'_>) -> Result<(), Errno> {
    cx.rec.call("execve", || args(ready), zero, || Ok::<(), Errno>(()))
}

/// execve(2). Returns only why it failed.
pub fn replace(ready: &Ready, cx: &mut Cx<'_>) -> Failure {
    let done = cx.rec.call(
        "execve",
        || args(ready),
        zero,
        || nix::unistd::execve(&ready.c_path, &ready.argv, &ready.env).map(drop),
    );
    let errno = done.err().unwrap_or(Errno::EIO);
    let name = ready.argv.first().map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    let failure = Failure::new(format!("execute {name:?}"), Some(errno)).status(126);
    match errno {
        Errno::ENOEXEC => failure
            .hint("it is no program for this machine: another architecture, or a script without `#!` line"),
        Errno::ENOENT => failure.status(127).hint(format!(
            "{} is there, but the interpreter or loader that it names is not in the image",
            ready.path
        )),
        Errno::EACCES => failure.hint("the file, or the interpreter that it names, is not executable"),
        Errno::E2BIG => failure.hint("arguments and environment are too long together"),
        _ => failure,
    }
}

fn args(ready: &Ready) -> super::recorder::Args {
    let list = |items: &[CString]| {
        let items: Vec<String> = items.iter().map(|i| format!("{:?}", i.to_string_lossy())).collect();
        Value::Text(format!("[{}]", items.join(", ")))
    };
    vec![
        ("pathname", Value::from(ready.path.as_str())),
        ("argv", list(&ready.argv)),
        ("envp", list(&ready.env)),
    ]
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| {
        Failure::new(format!("pass {text:?} to a program: it holds a zero byte"), None).status(126)
    })
}

/// The file that a command's name means, by the container's own PATH.
fn find(name: &str, env: &[String]) -> Result<String, Failure> {
    if name.contains('/') {
        return match kind(name) {
            Ok(Found::Program) => Ok(name.to_owned()),
            Ok(Found::Directory) => Err(Failure::new(format!("exec: {name:?}: is a directory"), None)
                .status(126)
                .hint("name a program in it")),
            Ok(Found::NotExecutable) => Err(Failure::new(format!("exec: {name:?}"), Some(Errno::EACCES))
                .status(126)
                .hint("the file is not executable: `chmod +x` it in the image")),
            Err(e) => {
                let status = if matches!(e, Errno::ENOENT | Errno::ENOTDIR) { 127 } else { 126 };
                Err(Failure::new(format!("exec: {name:?}: stat {name}"), Some(e))
                    .status(status)
                    .hint("the path is looked up inside the container"))
            }
        };
    }
    let path = env.iter().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut refused = None;
    for dir in path.split(':') {
        let candidate = if dir.is_empty() { format!("./{name}") } else { format!("{dir}/{name}") };
        match kind(&candidate) {
            Ok(Found::Program) => return Ok(candidate),
            Ok(Found::NotExecutable) => refused = refused.or(Some(candidate)),
            Ok(Found::Directory) | Err(_) => {}
        }
    }
    Err(match refused {
        Some(candidate) => Failure::new(format!("exec: {name:?}: {candidate}"), Some(Errno::EACCES))
            .status(126)
            .hint("the file is not executable: `chmod +x` it in the image"),
        None => Failure::new(format!("exec: {name:?}: executable file not found in $PATH"), None)
            .status(127)
            .hint(format!("the container's PATH is {path}; the image may lack the program")),
    })
}

enum Found {
    Program,
    NotExecutable,
    Directory,
}

fn kind(path: &str) -> Result<Found, Errno> {
    let stat = rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty())?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Found::Directory,
        FileType::RegularFile if stat.st_mode & 0o111 != 0 => Found::Program,
        _ => Found::NotExecutable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_looked_for_in_path() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n).to_str().unwrap().to_owned();
        std::fs::write(at("plain"), "x").unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        std::fs::write(at("run"), "x").unwrap();
        std::fs::set_permissions(at("run"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let env = vec![format!("PATH=/nowhere:{}", dir.path().display())];
        assert_eq!(find("run", &env).unwrap(), at("run"));
        assert_eq!(find(&at("run"), &env).unwrap(), at("run"));
        for (name, status) in [
            ("missing".to_owned(), 127),
            ("plain".to_owned(), 126),
            ("dir".to_owned(), 127),
            (at("plain"), 126),
            (at("dir"), 126),
            (at("none"), 127),
        ] {
            let failure = find(&name, &env).unwrap_err();
            assert_eq!(failure.status, status, "{name}: {failure}");
            assert!(failure.hint.is_some());
        }
        assert_eq!(
            find("missing", &env).unwrap_err().to_string(),
            "exec: \"missing\": executable file not found in $PATH"
        );
    }
}
