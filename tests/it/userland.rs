//! The userland on the real kernel: scripts run by the built binary.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::userland_scripts::SCRIPTS;

const BINARY: &str = env!("CARGO_BIN_EXE_glassbox");

/// A directory with a link for each program, as in the image.
fn programs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in glassbox::userland::PROGRAMS {
        symlink(BINARY, dir.path().join(name)).unwrap();
    }
    dir
}

fn run(path: &Path, cwd: &Path, script: &str) -> Output {
    Command::new(BINARY)
        .args(["box", "sh", "-c", script])
        .current_dir(cwd)
        .env_clear()
        .env("PATH", path)
        .env("HOME", "/root")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn scripts_do_what_busybox_does() {
    assert!(SCRIPTS.len() >= 80);
    let path = programs();
    let mut wrong = String::new();
    for (script, stdout, status) in SCRIPTS {
        let cwd = tempfile::tempdir().unwrap();
        let output = run(path.path(), cwd.path(), script);
        let found = String::from_utf8_lossy(&output.stdout);
        if (found.as_ref(), output.status.code()) != (*stdout, Some(*status)) {
            wrong.push_str(&format!(
                "{script}\n  expected {status} {stdout:?}\n  found {:?} {found:?} {:?}\n",
                output.status.code(),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_program_starts_under_its_own_name() {
    let path = programs();
    for name in glassbox::userland::PROGRAMS {
        let output = run(path.path(), path.path(), &format!("command -v {name}"));
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
    let output = Command::new(BINARY).args(["box", "nosuch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn processes_of_a_pipeline_are_seen_by_ps() {
    let path = programs();
    let output =
        run(path.path(), path.path(), "sleep 77 & ps | grep '[s]leep 77'; kill $!; wait $!; echo $?");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("sleep 77\n") && text.ends_with("143\n"), "{text}");
}

#[test]
fn a_trap_interrupts_wait() {
    let path = programs();
    // A signal that comes before `wait` begins runs the trap and interrupts
    // nothing, in every shell: so it is sent until the wait is over.
    let script = "trap 'n=$((n + 1))' TERM; sleep 60 & p=$!
        (while kill -TERM $$; do sleep 0.02; done) 2>/dev/null & k=$!
        wait $p; s=$?; kill -KILL $k $p; echo $s; [ $n -gt 0 ] && echo got";
    let output = run(path.path(), path.path(), script);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "143\ngot\n");
}

#[test]
fn wget_reads_what_httpd_serves() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (path, cwd) = (programs(), tempfile::tempdir().unwrap());
    let script = format!(
        "echo served > f; httpd -f -p 127.0.0.1:{port} & s=$!; i=0
        until wget -q -O - http://127.0.0.1:{port}/f || [ $((i+=1)) -gt 100 ]; do sleep 0.05; done 2>/dev/null
        wget -q -O - http://127.0.0.1:{port}/none; echo $?; kill $s"
    );
    let output = run(path.path(), cwd.path(), &script);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "served\n1\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("404 Not Found"));
}

#[test]
fn nc_carries_both_ways() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (path, cwd) = (programs(), tempfile::tempdir().unwrap());
    let script = format!(
        "echo answer | nc -l -p {port} > in & i=0
        until echo question | nc 127.0.0.1 {port} || [ $((i+=1)) -gt 100 ]; do sleep 0.05; done 2>/dev/null
        wait; cat in"
    );
    let output = run(path.path(), cwd.path(), &script);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "answer\nquestion\n");
}

#[test]
fn endless_recursion_is_refused() {
    let path = programs();
    for script in [
        "f() { f; }; f",
        "f() { if :; then { eval 'for i in 1; do f; done'; }; fi; }; f",
        "f() { case a in a) eval 'f';; esac; }; f",
    ] {
        let output = run(path.path(), path.path(), script);
        assert_eq!(output.status.code(), Some(2), "{script}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nested too deeply"));
    }
}
