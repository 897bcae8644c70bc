//! What `run` promises to people who know Docker.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, Sandbox};

fn sh<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["run", "--rm"], options, &["box", "sh", "-c", script]].concat()
}

#[test]
#[ignore = "root"]
fn the_main_command() {
    let sandbox = Sandbox::root();
    // Bridge and base rules belong to the network, which stays after its first run.
    let first = sandbox.glassbox(&["run", "--trace", "--rm", "box", "true"]).expect(0);
    assert!(first.err.contains("masquerade"), "{}", first.err);
    let before = sandbox.settled_host();
    let ran = sandbox
        .glassbox(&[
            "--lang",
            "en",
            "run",
            "--trace",
            "--rm",
            "box",
            "sh",
            "-c",
            "echo hello > /etc/motd; cat /etc/motd; ps; hostname; ip addr",
        ])
        .expect(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "hello");
    assert!(ran.out.contains("PID") && ran.out.contains("eth0"), "{}", ran.out);
    // The story is whole, and only on standard error.
    for word in ["overlay", "clone3", "pivot_root", "execve", "NETLINK_ROUTE"] {
        assert!(ran.err.contains(word), "no {word} in:\n{}", ran.err);
    }
    sandbox.wait_for_host(&before, "the main command");
}

#[test]
#[ignore = "root"]
fn exit_codes() {
    let sandbox = Sandbox::root();
    for (script, status) in
        [("exit 0", 0), ("exit 3", 3), ("kill -9 $$; sleep 1; exit 7", 7), ("nosuch", 127)]
    {
        let ran = sandbox.glassbox(&sh(&["--network", "none"], script));
        assert_eq!(ran.status, status, "{script}: {}", ran.err);
    }
    // The command of a container is PID 1, which its own signals do not kill; a child is.
    let ran = sandbox.glassbox(&sh(&["--network", "none"], "sh -c 'kill -9 $$'; exit $?"));
    assert_eq!(ran.status, 137, "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn options_of_the_process() {
    let sandbox = Sandbox::root();
    let out = |options: &[&str], script: &str| {
        let options = [&["--network", "none"], options].concat();
        sandbox.glassbox(&sh(&options, script)).expect(0).out
    };
    assert_eq!(out(&["-e", "A=1", "-e", "B=x y"], "echo $A-$B"), "1-x y\n");
    assert_eq!(out(&["-w", "/tmp/deep/er"], "pwd"), "/tmp/deep/er\n");
    assert_eq!(out(&["-u", "1000:50"], "id -u; id -g"), "1000\n50\n");
    assert_eq!(out(&["-h", "glass"], "hostname; cat /etc/hostname"), "glass\nglass\n");
    assert_eq!(
        out(&["--read-only"], "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm"),
        "refused\nshm\n"
    );
    let ran =
        sandbox.glassbox(&["run", "--rm", "--network", "none", "--entrypoint", "echo", "box", "a", "b"]);
    assert_eq!(ran.expect(0).out, "a b\n");
    let ran = sandbox
        .glassbox_with_input(&["run", "--rm", "-i", "--network", "none", "box", "cat"], "from outside\n");
    assert_eq!(ran.expect(0).out, "from outside\n");
    // Without -i nothing comes in.
    let ran =
        sandbox.glassbox_with_input(&["run", "--rm", "--network", "none", "box", "cat"], "from outside\n");
    assert_eq!(ran.expect(0).out, "");
}

#[test]
#[ignore = "root"]
fn namespaces_are_the_containers_own() {
    let sandbox = Sandbox::root();
    let script = "for n in mnt pid uts ipc net cgroup time; do readlink /proc/self/ns/$n; done";
    let inside = sandbox.glassbox(&sh(&["--network", "none"], script)).expect(0).out;
    for line in inside.lines() {
        let kind = line.split(':').next().unwrap();
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(line, host.to_string_lossy(), "{kind} is shared with the host");
    }
    assert_eq!(inside.lines().count(), 7, "{inside}");
    // Its cgroup is the root of what it sees.
    let cgroup = sandbox.glassbox(&sh(&["--network", "none"], "cat /proc/self/cgroup")).expect(0).out;
    for line in
        cgroup.lines().filter(|l| l.contains("memory") || l.starts_with("0::") && cgroup.lines().count() == 1)
    {
        assert!(line.ends_with(":/"), "{line}");
    }
}

#[test]
#[ignore = "root"]
fn capabilities_and_filters() {
    let sandbox = Sandbox::root();
    let status = |options: &[&str], key: &str| {
        let options = [&["--network", "none"], options].concat();
        let out = sandbox.glassbox(&sh(&options, "cat /proc/self/status")).expect(0).out;
        out.lines()
            .find_map(|l| l.strip_prefix(key))
            .unwrap_or_default()
            .trim_start_matches(':')
            .trim()
            .to_owned()
    };
    assert_eq!(status(&[], "CapEff"), "00000000a80425fb");
    assert_eq!(status(&[], "CapBnd"), "00000000a80425fb");
    assert_eq!(status(&["-u", "1000"], "CapEff"), "0000000000000000");
    assert_eq!(status(&["--cap-drop", "ALL"], "CapEff"), "0000000000000000");
    assert_eq!(status(&["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"], "CapEff"), "0000000000001000");
    assert_eq!(status(&[], "Seccomp"), "2");
    assert_eq!(status(&["--security-opt", "seccomp=unconfined"], "Seccomp"), "0");
    assert_eq!(status(&["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
    assert_eq!(status(&["--privileged"], "Seccomp"), "0");
    let refused = "hostname other 2>/dev/null && echo set || echo refused";
    assert_eq!(sandbox.glassbox(&sh(&["--network", "none"], refused)).expect(0).out, "refused\n");
    let with = sandbox.glassbox(&sh(&["--network", "none", "--cap-add", "SYS_ADMIN"], refused)).expect(0).out;
    assert_eq!(with, "set\n");
}

#[test]
#[ignore = "root"]
fn limits_hold() {
    let sandbox = Sandbox::root();
    let options = ["--network", "none", "-m", "32m"];
    let ran = sandbox.glassbox(&sh(&options, "eat 200; echo status $?"));
    assert_eq!(ran.expect(0).out.lines().last().unwrap_or_default(), "status 137");
    let options = ["--network", "none", "--pids-limit", "8"];
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all";
    let ran = sandbox.glassbox(&sh(&options, script));
    assert!(!ran.out.contains("all") || ran.err.contains("fork"), "{ran:?}");
    let options = ["--network", "none", "--cpuset-cpus", "0"];
    assert_eq!(sandbox.glassbox(&sh(&options, "nproc")).expect(0).out, "1\n");
}

#[test]
#[ignore = "root"]
fn volumes() {
    let sandbox = Sandbox::root();
    let dir = sandbox.path("shared");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("from-host"), "h\n").unwrap();
    let rw = format!("{}:/data", dir.display());
    let ro = format!("{rw}:ro");
    let out = sandbox
        .glassbox(&sh(&["--network", "none", "-v", &rw], "cat /data/from-host; echo c > /data/from-box"))
        .expect(0)
        .out;
    assert_eq!(out, "h\n");
    assert_eq!(fs::read_to_string(dir.join("from-box")).unwrap(), "c\n");
    let script = "echo no 2>/dev/null > /data/x || echo refused";
    assert_eq!(sandbox.glassbox(&sh(&["--network", "none", "-v", &ro], script)).expect(0).out, "refused\n");
    // A volume is not in the writable layer.
    sandbox
        .glassbox(&["run", "--name", "vol", "--network", "none", "-v", &rw, "box", "touch", "/data/y", "/z"])
        .expect(0);
    let diff = sandbox.glassbox(&["diff", "vol"]).expect(0).out;
    assert!(diff.contains("A /z") && !diff.contains("/data/y"), "{diff}");
}

#[test]
#[ignore = "root"]
fn the_bridge_and_a_published_port() {
    let sandbox = Sandbox::root();
    let ran = sandbox.glassbox(&sh(&[], "ip addr show eth0; ip route; cat /etc/hosts"));
    assert!(ran.out.contains("inet ") && ran.out.contains("default via "), "{ran:?}");
    let mut server = sandbox
        .command(&[
            "run",
            "--rm",
            "--name",
            "web",
            "-p",
            "127.0.0.1:18081:80",
            "-p",
            "18082:80",
            "box",
            "sh",
            "-c",
            "mkdir /www; echo served > /www/index.html; httpd -f -p 80 -h /www",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // From the host itself, by loopback and by the bridge's address; and from a neighbour.
    for url in ["127.0.0.1:18081", "127.0.0.1:18082"] {
        assert_eq!(fetch(&sandbox, url), "served\n", "{url}");
    }
    let address = sandbox.glassbox(&["inspect", "web"]).expect(0).out;
    let address: Value = serde_json::from_str(&address).unwrap();
    let address = address[0]["NetworkSettings"]["IPAddress"].as_str().unwrap().to_owned();
    let neighbour = sandbox.glassbox(&sh(
        &[],
        &format!("ping -c 1 -W 5 {address} >/dev/null && wget -q -O - http://{address}/"),
    ));
    assert_eq!(neighbour.out, "served\n", "{neighbour:?}");
    // The port is taken.
    let taken = sandbox.glassbox(&["run", "--rm", "-p", "18082:80", "box", "true"]);
    assert_eq!(taken.status, 125, "{taken:?}");
    assert!(taken.err.contains("18082"), "{}", taken.err);
    let ps = sandbox.glassbox(&["ps"]).expect(0).out;
    assert!(ps.contains("127.0.0.1:18081->80/tcp") && ps.contains("web") && ps.contains("Up "), "{ps}");
    sandbox.glassbox(&["rm", "-f", "web"]).expect(0);
    let mut err = String::new();
    server.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(Ran::from(server.wait_with_output().unwrap()).status, 137, "{err}");
    assert_eq!(sandbox.host().rules, 0);
}

fn fetch(sandbox: &Sandbox, address: &str) -> String {
    let (host, port) = address.split_once(':').unwrap();
    let script = format!(
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | {} box nc -w 5 {host} {port}",
        crate::support::GLASSBOX
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let ran: Ran = sandbox.inside("sh").args(["-c", &script]).output().unwrap().into();
        if let Some((_, body)) = ran.out.split_once("\r\n\r\n") {
            return body.to_owned();
        }
        assert!(Instant::now() < deadline, "{address} does not answer: {ran:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "root"]
fn what_is_left_can_be_seen_and_removed() {
    let sandbox = Sandbox::root();
    sandbox
        .glassbox(&[
            "run",
            "--name",
            "one",
            "--network",
            "none",
            "box",
            "sh",
            "-c",
            "echo x > /new; rm /etc/motd; exit 4",
        ])
        .expect(4);
    let ps = sandbox.glassbox(&["ps", "-a"]).expect(0).out;
    let heading = ps.lines().next().unwrap();
    for column in ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"] {
        assert!(heading.contains(column), "{heading}");
    }
    assert!(ps.contains("Exited (4)") && ps.contains("one"), "{ps}");
    assert_eq!(sandbox.glassbox(&["ps", "-q"]).expect(0).out, "");
    assert_eq!(sandbox.glassbox(&["diff", "one"]).expect(0).out, "C /etc\nD /etc/motd\nA /new\n");
    let text = sandbox.glassbox(&["inspect", "one"]).expect(0).out;
    let inspect: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(inspect[0]["State"]["ExitCode"], 4);
    assert_eq!(inspect[0]["Name"], "/one");
    // A second container of the same image does not see it.
    let second =
        sandbox.glassbox(&sh(&["--network", "none"], "test -e /new; echo $?; test -e /etc/motd; echo $?"));
    assert_eq!(second.expect(0).out, "1\n0\n");
    let taken = sandbox.glassbox(&["run", "--name", "one", "box", "true"]);
    assert_eq!(taken.status, 125, "{taken:?}");
    let short = &inspect[0]["Id"].as_str().unwrap()[..6];
    assert_eq!(sandbox.glassbox(&["rm", short]).expect(0).out, format!("{short}\n"));
    assert_eq!(sandbox.glassbox(&["ps", "-aq"]).expect(0).out, "");
}

#[test]
#[ignore = "root"]
fn more_than_a_hundred_layers() {
    let sandbox = Sandbox::root();
    let file = sandbox.path("deep.tar");
    fs::write(
        &file,
        deep_archive(&fs::read("/bin/busybox").expect("the Debian package busybox-static"), 130),
    )
    .unwrap();
    sandbox.glassbox(&["load", "-i", file.to_str().unwrap()]).expect(0);
    let script = "ls /layers | wc -l; cat /top; cat /layers/7; echo w > /layers/7; cat /layers/7";
    let ran =
        sandbox.glassbox(&["run", "--rm", "--network", "none", "deep:1", "/busybox", "sh", "-c", script]);
    assert_eq!(ran.expect(0).out.split_whitespace().collect::<Vec<_>>(), ["130", "130", "7", "w"]);
}

/// A `docker save` archive in the old style whose layers each add a file and replace another.
fn deep_archive(busybox: &[u8], layers: usize) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    fn add(tar: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    let mut out = tar::Builder::new(Vec::new());
    let (mut names, mut diffs) = (Vec::new(), Vec::new());
    for n in 1..=layers {
        let mut layer = tar::Builder::new(Vec::new());
        if n == 1 {
            add(&mut layer, "busybox", 0o755, busybox);
            for link in ["ls", "cat", "wc"] {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                header.set_mode(0o777);
                layer.append_link(&mut header, format!("bin/{link}"), "/busybox").unwrap();
            }
        }
        add(&mut layer, &format!("layers/{n}"), 0o644, format!("{n}\n").as_bytes());
        add(&mut layer, "top", 0o644, format!("{n}\n").as_bytes());
        let layer = layer.into_inner().unwrap();
        diffs.push(format!(
            "sha256:{}",
            Sha256::digest(&layer).iter().map(|b| format!("{b:02x}")).collect::<String>()
        ));
        names.push(format!("{n}/layer.tar"));
        add(&mut out, names.last().unwrap(), 0o644, &layer);
    }
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diffs},
    });
    add(&mut out, "config.json", 0o644, config.to_string().as_bytes());
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": ["deep:1"], "Layers": names }]);
    add(&mut out, "manifest.json", 0o644, manifest.to_string().as_bytes());
    out.into_inner().unwrap()
}

#[test]
#[ignore = "root"]
fn a_terminal() {
    let sandbox = Sandbox::root();
    // script(1) gives the program a terminal of its own.
    let own = sandbox.command(&["run", "--rm", "-it", "--network", "none", "box", "sh"]);
    let line: Vec<String> = std::iter::once(own.get_program())
        .chain(own.get_args())
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let mut child = sandbox
        .inside("script")
        .args(["-qec", &line.join(" "), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"echo is $((40+2)); test -t 0 && echo a-terminal; exit 5\n").unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    drop(input);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert!(out.contains("is 42") && out.contains("\na-terminal"), "{out:?}");
    assert_eq!(ran.status, 5, "{out:?}");
}
