//! The options of the process, exit codes, streams, and what is refused.

use std::io::{Read, Write};
use std::process::Stdio;

use super::Running;
use crate::support::{Ran, Sandbox, with_input};

#[test]
#[ignore = "root"]
fn options_of_the_process() {
    let sandbox = Sandbox::root();
    let run = ["-e", "A=1", "-e", "B=1", "-w", "/tmp"];
    let container = Running::new(&sandbox, &run);
    let out = |options: &[&str], script: &str| container.sh(options, script).expect(0).out;

    assert_eq!(out(&[], "echo $A $B; pwd; id -u; echo $HOME"), "1 1\n/tmp\n0\n/root\n");
    assert_eq!(out(&["-e", "B=2", "-e", "C=3"], "echo $A $B $C"), "1 2 3\n");
    assert_eq!(out(&["-w", "/etc"], "pwd"), "/etc\n");
    let file = sandbox.path("env");
    std::fs::write(&file, "# none\n\nA=from a file\n  D=4\nNOT_SET_ANYWHERE\n").unwrap();
    let file = file.to_str().unwrap();
    // What is given by itself stands over what is in a file.
    let script = "echo $A $D; env | grep -c NOT_SET";
    assert_eq!(container.sh(&["--env-file", file, "-e", "D=5"], script).out, "from a file 5\n0\n");
    let ran =
        sandbox.command(&["exec", "-e", "OWN", "one", "sh", "-c", "echo $OWN"]).env("OWN", "mine").output();
    assert_eq!(Ran::from(ran.unwrap()).expect(0).out, "mine\n");

    // By the container's own files, as they are now.
    out(&[], "echo 'ann:x:1234:77::/srv/ann:/bin/sh' >> /etc/passwd; echo 'cooks:x:88:ann' >> /etc/group");
    assert_eq!(out(&["-u", "ann"], "id -u; id -g; id -G; echo $HOME"), "1234\n77\n77 88\n/srv/ann\n");
    assert_eq!(out(&["-u", "ann:cooks"], "id -u; id -g"), "1234\n88\n");
    assert_eq!(out(&["-u", "5:6"], "id -u; id -g"), "5\n6\n");
    let id = sandbox.glassbox(&["ps", "-q"]).expect(0).out;
    let short = &id.trim()[..6];
    assert_eq!(sandbox.glassbox(&["exec", short, "echo", "by id"]).expect(0).out, "by id\n");

    for (options, says) in [
        (&["-u", "nobody-there"][..], "no matching entries in the container's passwd file"),
        (&["-w", "relative"], "not an absolute path"),
        (&["--env-file", "/no/such"], "/no/such"),
        (&["-d", "-t"], "exclude each other"),
        (&["--fail", "no.such"], "the plan has no step no.such"),
    ] {
        let ran = container.exec(options, &["true"]).expect(125);
        assert!(ran.err.contains(says) && ran.err.contains("glassbox: "), "{options:?}: {}", ran.err);
    }
    std::fs::write(file, "with space=1\n").unwrap();
    let ran = container.exec(&["--env-file", file], &["true"]).expect(125);
    assert!(ran.err.contains("is no name of a variable"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn a_home_that_was_chosen_stays() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &["-e", "HOME=/chosen"]);
    assert_eq!(container.sh(&["-u", "5"], "echo $HOME").expect(0).out, "/chosen\n");
}

/// A link that a container makes in place of its user database leads nowhere but into it.
#[test]
#[ignore = "root"]
fn a_user_database_is_never_the_host_s() {
    let sandbox = Sandbox::root();
    let secret = sandbox.path("passwd");
    std::fs::write(&secret, "mallory:x:4321:4321::/:/bin/sh\n").unwrap();
    let container = Running::new(&sandbox, &[]);
    let link = format!("rm /etc/passwd; ln -s {} /etc/passwd", secret.display());
    container.sh(&[], &link).expect(0);
    let ran = container.exec(&["-u", "mallory"], &["true"]).expect(125);
    assert!(ran.err.contains("unable to find user mallory"), "{}", ran.err);
    container.sh(&[], "rm /etc/passwd; mkfifo /etc/passwd || mkdir /etc/passwd").expect(0);
    container.exec(&["-u", "mallory"], &["true"]).expect(125);
}

#[test]
#[ignore = "root"]
fn exit_codes() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    assert_eq!(container.sh(&[], "exit 7").status, 7);
    assert_eq!(container.sh(&[], "kill -TERM $$").status, 143);
    let ran = container.exec(&[], &["no-such-program"]).expect(127);
    assert!(ran.err.contains("executable file not found in $PATH"), "{}", ran.err);
    container.exec(&[], &["/no/such"]).expect(127);
    let ran = container.exec(&[], &["/etc/passwd"]).expect(126);
    assert!(ran.err.contains("permission denied") && ran.err.contains("hint: "), "{}", ran.err);
    container.exec(&[], &["/etc"]).expect(126);
    let ran = container.exec(&["-w", "/no/such"], &["true"]).expect(126);
    assert!(ran.err.contains("/no/such"), "{}", ran.err);
    assert_eq!(container.processes(), ["sleep 1000"]);
}

#[test]
#[ignore = "root"]
fn what_does_not_run_is_named() {
    let sandbox = Sandbox::root();
    let ran = sandbox.glassbox(&["exec", "nobody", "true"]).expect(125);
    assert!(ran.err.contains("no such container: nobody") && ran.err.contains("hint: "), "{}", ran.err);
    sandbox.glassbox(&["run", "--name", "over", "--network", "none", "box", "sh", "-c", "exit 3"]).expect(3);
    let ran = sandbox.glassbox(&["exec", "over", "true"]).expect(125);
    assert!(ran.err.contains("container over is not running: it exited with 3"), "{}", ran.err);
    assert!(ran.err.contains("glassbox ps"), "{}", ran.err);
    sandbox.glassbox(&["plan", "exec", "over", "true"]).expect(125);
    for args in [&["exec"][..], &["exec", "over"]] {
        sandbox.glassbox(args).expect(125);
    }
}

#[test]
fn a_modelled_container_does_not_outlive_its_command() {
    let sandbox = Sandbox::model();
    sandbox.glassbox(&["run", "--name", "one", "box", "true"]).expect(0);
    let ran = sandbox.glassbox(&["exec", "one", "true"]).expect(125);
    assert!(ran.err.contains("none runs between two commands"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn standard_streams() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let ran = with_input(&mut sandbox.command(&["exec", "-i", "one", "cat"]), "through the pipe\n").expect(0);
    assert_eq!(ran.out, "through the pipe\n");
    // Without -i there is nothing to read.
    let ran = with_input(&mut sandbox.command(&["exec", "one", "cat"]), "lost\n").expect(0);
    assert_eq!(ran.out, "");
    let ran = container.sh(&[], "echo to one; echo to two >&2").expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("to one\n", "to two\n"));
}

#[test]
#[ignore = "root"]
fn a_terminal() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    // script(1) gives the program a terminal of its own.
    let own = sandbox.command(&["exec", "-it", "one", "sh"]);
    let line: Vec<String> = std::iter::once(own.get_program())
        .chain(own.get_args())
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let script = format!("stty cols 91 rows 17; exec {}", line.join(" "));
    let mut child = sandbox
        .inside("script")
        .args(["-qec", &script, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let typed = "echo is $((40+2)) $TERM; test -t 0 && echo a-terminal; readlink /proc/self/fd/1; exit 5\n";
    input.write_all(typed.as_bytes()).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    drop(input);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert!(out.contains("is 42 xterm") && out.contains("\na-terminal"), "{out:?}");
    // In the container's own devpts.
    assert!(out.contains("/dev/pts/0"), "{out:?}");
    assert_eq!(ran.status, 5, "{out:?}");
    assert_eq!(container.processes(), ["sleep 1000"]);
    // The console stays as it was: that of the first process, which has none.
    let console = container.sh(&[], "grep -c /dev/console /proc/self/mountinfo");
    assert_eq!(console.out.trim(), "0", "{}", console.err);
}
