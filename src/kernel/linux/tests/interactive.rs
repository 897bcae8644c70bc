//! A shell on a terminal, with somebody typing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{ID, command, prepare};
use crate::plan::{Op, Plan};

/// The plan with standard input connected.
pub fn connected(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if let Op::Supervise { interactive, .. } = &mut step.op {
            *interactive = true;
        }
    }
    plan
}

#[test]
#[ignore = "root"]
fn what_is_typed_reaches_the_shell_and_the_terminal_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 1);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let before = tcgetattr(&slave).unwrap();
    assert!(before.local_modes.contains(LocalModes::ICANON));

    let mut child =
        command("interactive", dir.path()).stdin(Stdio::from(slave.try_clone().unwrap())).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    rustix::io::write(&master, b"tty; echo typed-$((1+1)); exit 3\n").unwrap();
    let seen: Vec<String> = lines.by_ref().collect();
    child.wait().unwrap();
    let has = |wanted: &str| seen.iter().any(|l| l.trim_end() == wanted);
    assert!(has("/dev/pts/0") && has("typed-2") && has("status 3"), "{seen:?}");
    assert_eq!(tcgetattr(&slave).unwrap().local_modes, before.local_modes);
    assert!(!dir.path().join(ID).exists());
}
