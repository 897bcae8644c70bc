//! What the process is: all that the container's first process is.

use super::Running;
use crate::support::Sandbox;

const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// What of a process is its container's, read inside.
fn standing(container: &Running<'_>, options: &[&str], process: &str) -> Vec<String> {
    let fields = "^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Umask):";
    let links: String = NAMESPACES.iter().map(|ns| format!("readlink /proc/{process}/ns/{ns};")).collect();
    let script = format!(
        "{links} grep -E '{fields}' /proc/{process}/status; cat /proc/{process}/cgroup; \
         cat /proc/{process}/limits; cat /proc/{process}/mountinfo"
    );
    let out = container.sh(options, &script).expect(0).out;
    out.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "root"]
fn a_process_stands_as_the_first_one_does() {
    for options in [
        &[][..],
        &["--security-opt", "no-new-privileges", "--cap-drop", "ALL", "--cap-add", "CHOWN"],
        &["-u", "1000:1000"],
        &["--userns", "100000:65536"],
        &["--privileged"],
        &["--security-opt", "seccomp=unconfined", "--read-only"],
        &["-m", "64m", "--pids-limit", "20"],
    ] {
        let sandbox = Sandbox::root();
        let container = Running::new(&sandbox, options);
        let (first, own) = (standing(&container, &[], "1"), standing(&container, &[], "self"));
        assert!(first.len() > 40, "{options:?}: {first:#?}");
        assert_eq!(first, own, "{options:?}");
        let net = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
        let joined = container.exec(&[], &["readlink", "/proc/self/ns/net"]).expect(0).out;
        assert_ne!(joined.trim(), net("self").to_str().unwrap(), "{options:?}");
        // What is hidden from the first is hidden from this one.
        if !options.contains(&"--privileged") {
            assert_eq!(
                container.sh(&[], "cat /proc/timer_list 2>/dev/null | wc -c").expect(0).out.trim(),
                "0"
            );
            let wrote = container.sh(&[], "echo 1 > /proc/sys/kernel/panic");
            assert_ne!(wrote.status, 0, "{options:?}");
        }
    }
}

#[test]
#[ignore = "root"]
fn privileged_is_the_command_alone() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let status = |options: &[&str]| {
        let ran = container.exec(options, &["grep", "-E", "^(CapEff|CapBnd|Seccomp):", "/proc/self/status"]);
        ran.expect(0).out
    };
    let mine = |field: &str| {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|l| l.starts_with(field)).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let before = status(&[]);
    let privileged = status(&["--privileged"]);
    let all = mine("CapBnd:");
    assert_eq!(privileged.matches(&all).count(), 2, "{privileged}");
    assert!(privileged.contains("Seccomp:\t0"), "{privileged}");
    assert!(before.contains("Seccomp:\t2") && !before.contains(&all), "{before}");
    assert_eq!(status(&[]), before);
    // A user other than root has none of them at hand.
    let user = status(&["--privileged", "-u", "1000"]);
    assert!(user.contains("CapEff:\t0000000000000000") && user.contains(&all), "{user}");
}

/// Whoever is in the container must neither trace a process on its way in nor see what it has open.
#[test]
#[ignore = "root"]
fn a_process_on_its_way_in_is_out_of_reach() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let mut stepping = sandbox
        .command(&["exec", "--step=line", "one", "true"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::{BufRead, Write};
    let mut input = stepping.stdin.take().unwrap();
    let mut said = std::io::BufReader::new(stepping.stderr.take().unwrap());
    input.write_all(b"b exec.exec\nc\n").unwrap();
    let mut line = String::new();
    while !line.contains("exec.exec") || line.contains("(glassbox)") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never comes to exec");
    }
    let find = "for p in /proc/[0-9]*; do grep -q '^Name:.glassbox' $p/status && echo $p; done; true";
    let found = container.sh(&[], find).expect(0).out;
    let process = found.trim();
    assert!(process.starts_with("/proc/"), "{found:?}");
    for link in ["exe", "fd/3", "root"] {
        let ran = container.exec(&[], &["readlink", &format!("{process}/{link}")]);
        assert_ne!(ran.status, 0, "{link}: {}", ran.out);
    }
    input.write_all(b"c\n").unwrap();
    drop(input);
    std::io::copy(&mut said, &mut std::io::sink()).unwrap();
    assert!(stepping.wait().unwrap().success());
}
