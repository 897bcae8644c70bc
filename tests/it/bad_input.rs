//! Bad input: a clear message, the documented exit status, and nothing left.

use std::fs;

use crate::support::Sandbox;

#[test]
#[ignore = "root"]
fn unknown_images_and_commands() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["run", "--rm", "nosuchimage"], 125, &["nosuchimage", "hint:", "load"]),
        (&["run", "--rm", "UPPER"], 125, &["UPPER", "lowercase"]),
        (&["run", "--rm", "--network", "none", "box", "nosuchcommand"], 127, &["nosuchcommand", "not found"]),
        (&["run", "--rm", "--network", "none", "box", "/etc/motd"], 126, &["/etc/motd", "permission denied"]),
        (&["run", "--rm", "--network", "none", "box", "/etc"], 126, &["/etc"]),
        (&["run", "--rm", "-u", "nobodyknows", "box", "true"], 125, &["nobodyknows", "passwd"]),
        (
            &["run", "--rm", "-v", "/no/such/dir:/x", "--network", "none", "box", "true"],
            125,
            &["/no/such/dir", "no such file"],
        ),
        (&["run", "--rm", "-v", "relative:/x", "box", "true"], 125, &["relative", "hint:"]),
        (&["run", "--rm", "-m", "1k", "box", "true"], 125, &["6"]),
        (&["run", "--rm", "-m", "lots", "box", "true"], 125, &["lots", "hint:"]),
        (&["run", "--rm", "--cpus", "9999", "box", "true"], 125, &["CPUs"]),
        (&["run", "--rm", "--cap-add", "CAP_NONSENSE", "box", "true"], 125, &["NONSENSE"]),
        (&["run", "--rm", "-p", "99999:80", "box", "true"], 125, &["99999"]),
        (&["run", "--rm", "--network", "mars", "box", "true"], 125, &["mars"]),
        (&["run", "--rm", "--name", "a b", "box", "true"], 125, &["a b"]),
        (&["run", "--rm", "--nonsense", "box", "true"], 125, &["--nonsense"]),
        (&["run", "--rm", "--fail", "no.such-step", "box", "true"], 125, &["no.such-step", "plan"]),
        (&["rm", "nosuchcontainer"], 1, &["nosuchcontainer"]),
        (&["diff", "nosuchcontainer"], 1, &["nosuchcontainer"]),
        (&["inspect", "nosuchthing"], 1, &["nosuchthing"]),
        (&["replay", "/no/such/file"], 1, &["/no/such/file", "no such file"]),
    ];
    for (args, status, says) in cases {
        let ran = sandbox.glassbox(args);
        assert_eq!(ran.status, *status, "{args:?}\n{}", ran.err);
        for word in *says {
            assert!(ran.err.contains(word), "{args:?} does not say {word:?}:\n{}", ran.err);
        }
        assert!(!ran.err.contains("panicked"), "{args:?}\n{}", ran.err);
        sandbox.wait_for_host(&before, &args.join(" "));
    }
}

#[test]
#[ignore = "root"]
fn archives_that_are_none() {
    let sandbox = Sandbox::root();
    let file = sandbox.path("archive");
    let name = file.to_str().unwrap().to_owned();
    let cases: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("text", b"hello, this is no archive\n"),
        ("gzip cut off", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        ("zeros", &[0; 10240]),
    ];
    for (what, bytes) in cases {
        fs::write(&file, bytes).unwrap();
        let ran = sandbox.glassbox(&["load", "-i", &name]);
        assert_eq!(ran.status, 1, "{what}: {}", ran.err);
        assert!(ran.err.contains(&name) || ran.err.contains("archive"), "{what}: {}", ran.err);
        assert_eq!(sandbox.glassbox(&["images", "-q"]).expect(0).out, "", "{what}");
    }
    assert_eq!(sandbox.glassbox(&["load", "-i", "/no/such/file"]).status, 1);
}

#[test]
fn recordings_that_are_damaged() {
    let sandbox = Sandbox::plain();
    let file = sandbox.path("run.jsonl");
    let name = file.to_str().unwrap().to_owned();
    sandbox.glassbox(&["--model", "run", "--rm", "--trace-file", &name, "box", "true"]).expect(0);
    let good = fs::read_to_string(&file).unwrap();
    sandbox.glassbox(&["replay", &name]).expect(0);
    let lines: Vec<&str> = good.lines().collect();
    let cases = [
        ("cut off in a line", good[..good.len() - 20].to_owned()),
        ("a line of noise", good.replacen(lines[3], "noise", 1)),
        ("without its beginning", lines[1..].join("\n")),
        ("from the future", good.replacen("\"version\":1", "\"version\":999", 1)),
        ("empty", String::new()),
    ];
    for (what, text) in cases {
        fs::write(&file, text).unwrap();
        let ran = sandbox.glassbox(&["replay", &name]);
        assert_eq!(ran.status, 1, "{what}: {}", ran.err);
        assert!(ran.err.contains("run.jsonl"), "{what}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{what}: {}", ran.err);
    }
}

#[test]
fn without_privileges_the_three_ways_on_are_named() {
    let sandbox = Sandbox::plain();
    let mut command = sandbox.command(&["run", "--rm", "box", "true"]);
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        // The program has to be reachable for a stranger: build directories often are not.
        let copy = std::env::temp_dir().join(format!("gbx-test-binary-{}", std::process::id()));
        fs::copy(crate::support::GLASSBOX, &copy).unwrap();
        command = sandbox.inside(&copy);
        command.args(["--root", "/nonexistent/store", "run", "--rm", "box", "true"]).uid(65534).gid(65534);
        let ran: crate::support::Ran = command.output().unwrap().into();
        fs::remove_file(&copy).unwrap();
        check(&ran);
    } else {
        check(&command.output().unwrap().into());
    }
    fn check(ran: &crate::support::Ran) {
        assert_eq!(ran.status, 125, "{}", ran.err);
        for word in ["root", "sudo", "without root", "--model"] {
            assert!(ran.err.contains(word), "{word}: {}", ran.err);
        }
    }
}
