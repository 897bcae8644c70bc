//! The full-screen stepper in a real terminal, that of tmux: in, through a run,
//! and out on every way; then the terminal and the host are as before.

mod terminal;

use std::time::{Duration, Instant};

use crate::support::{Host, Sandbox};
use terminal::Terminal;

const WIDE: (u16, u16) = (120, 40);

/// A sandbox whose store has the image, and the host as it is then.
fn prepared() -> (Sandbox, Host) {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let host = sandbox.settled_host();
    (sandbox, host)
}

/// The same but for the terminal's own processes.
#[track_caller]
fn as_before(sandbox: &Sandbox, before: &Host, after: &str) {
    let strip = |host: &Host| Host { processes: std::collections::BTreeSet::new(), ..host.clone() };
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = strip(&sandbox.host());
        if now == strip(before) {
            return;
        }
        assert!(Instant::now() < deadline, "after {after}:\nbefore: {before:#?}\nnow: {now:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "root"]
fn a_run_is_stepped_through_looked_into_and_left() {
    let (sandbox, before) = prepared();
    let terminal = Terminal::open(&sandbox, (80, 24));
    let state = terminal.state();
    let command = "run --rm -m 64m --step box sh -c 'echo hello-$((40+2)); echo x >> /etc/motd'";
    terminal.glassbox(command, "WAITS   step 1/");
    assert!(terminal.state().contains("alternate 1"), "{}", terminal.state());
    // Into the system calls of a step.
    terminal.line(":until union.make-upper");
    terminal.wait("union.make-upper");
    terminal.text("s");
    terminal.wait("SHOWN AGAIN");
    terminal.text("s");
    terminal.wait("mkdirat(");
    terminal.text("n");
    terminal.wait("WAITS   step 8/");
    // A larger window shows the container, too.
    terminal.ask(&["resize-window", "-t", "t", "-x", "120", "-y", "40"]);
    terminal.wait("─5 layers");
    terminal.text("Bexec");
    terminal.key("Enter");
    terminal.wait("breakpoint: exec");
    terminal.text("c");
    let screen = terminal.wait("Become the command");
    assert!(screen.contains("the union: the container's /"), "{screen}");
    // What the kernel says, and a shell in the half-built container.
    terminal.line(":inspect namespaces");
    terminal.wait("What the kernel says now");
    terminal.text("q");
    terminal.text("!");
    terminal.wait("(half-built) #");
    terminal.line("cat /proc/1/cgroup | head -1; echo inside-$((3*3))");
    terminal.wait("inside-9");
    terminal.line("exit");
    terminal.wait("WAITS");
    // The command has the terminal while it lives.
    terminal.text("n");
    let screen = terminal.wait("Enter goes back to the stepper");
    assert!(screen.contains("hello-42") && screen.contains("ended with 0"), "{screen}");
    assert!(terminal.state().contains("alternate 0"));
    terminal.key("Enter");
    terminal.wait("life.read-changes");
    terminal.text("p");
    terminal.wait("PAST");
    terminal.text("G");
    terminal.wait("WAITS");
    terminal.text("n");
    terminal.wait("/etc/motd");
    terminal.text("c");
    terminal.wait("The run is over");
    // Nothing of the run is left while one still looks back at it.
    as_before(&sandbox, &before, "the run");
    terminal.text("q");
    let screen = terminal.wait_for_shell();
    assert!(screen.contains("hello-42"), "{screen}");
    assert_eq!(terminal.state(), state);
    as_before(&sandbox, &before, "leaving");
}

#[test]
#[ignore = "root"]
fn whoever_leaves_in_the_middle_leaves_nothing() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let (sandbox, before) = prepared();
    let terminal = Terminal::open(&sandbox, WIDE);
    let state = terminal.state();
    let half_built = || {
        terminal.glassbox("run --rm -p 18098:80 --step box true; echo status $?", "WAITS   step 1/");
        terminal.line(":until mounts.mount-proc");
        terminal.wait("mounts.mount-proc  event");
        let now = sandbox.host();
        assert!(now.links.iter().any(|l| l.starts_with("gbx")) && now.receipts.len() == 1, "{now:?}");
    };
    half_built();
    terminal.text("q");
    terminal.wait("Press y to quit");
    terminal.text("y");
    assert!(terminal.wait_for_shell().contains("you chose to quit"));
    assert!(terminal.screen().contains("status 130"));
    assert_eq!(terminal.state(), state);
    as_before(&sandbox, &before, "q");
    for (signal, status) in [(Signal::SIGTERM, "status 143"), (Signal::SIGINT, "status 130")] {
        half_built();
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        let screen = terminal.wait_for_shell();
        assert!(screen.contains(status), "{screen}");
        assert_eq!(terminal.state(), state, "{signal}");
        as_before(&sandbox, &before, signal.as_str());
    }
    // Another process puts the terminal back then; the next command finds the receipt.
    half_built();
    kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL).unwrap();
    terminal.wait("glassbox was killed");
    terminal.wait_for("the terminal as it was", |_| terminal.state() == state);
    terminal.line("echo again-$((40+2))");
    terminal.wait("again-42");
    sandbox.glassbox(&["system", "repair"]).expect(0);
    as_before(&sandbox, &before, "SIGKILL");
    drop(terminal);
    // The terminal itself goes away.
    let terminal = Terminal::open(&sandbox, WIDE);
    terminal.glassbox("run --rm --step box true", "WAITS   step 1/");
    terminal.line(":until pivot.pivot-root");
    terminal.wait("pivot.pivot-root  event");
    drop(terminal);
    as_before(&sandbox, &before, "the end of the terminal");
}

#[test]
#[ignore = "root"]
fn a_container_with_a_terminal_gets_the_users() {
    let (sandbox, before) = prepared();
    let terminal = Terminal::open(&sandbox, WIDE);
    let state = terminal.state();
    terminal.glassbox("run --rm -it --network none --step box sh", "WAITS   step 1/");
    terminal.line(":until life.supervise");
    terminal.wait("life.supervise  event");
    terminal.text("n");
    terminal.wait("#");
    terminal.line("tty; echo typed-$((2+3))");
    terminal.wait("typed-5");
    terminal.line("exit 7");
    assert!(terminal.wait("Enter goes back").contains("ended with 7"));
    terminal.key("Enter");
    terminal.wait("life.read-changes");
    terminal.text("c");
    terminal.leave_at_the_end();
    assert_eq!(terminal.state(), state);
    as_before(&sandbox, &before, "a run with a terminal");
}

#[test]
#[ignore = "root"]
fn a_failure_stops_before_its_rollback_on_both_kernels() {
    let (sandbox, before) = prepared();
    let terminal = Terminal::open(&sandbox, WIDE);
    let state = terminal.state();
    for kernel in ["", "--model "] {
        let args = format!("{kernel}run --rm --step --fail pivot.pivot-root=ENOSPC box true; echo status $?");
        terminal.glassbox(&args, "WAITS   step 1/");
        terminal.text("c");
        // The last line is drawn last.
        let screen = terminal.wait("Nothing has been taken back yet");
        assert!(screen.contains("FAILED"), "{screen}");
        assert!(screen.contains("ENOSPC") || screen.contains("no space left"), "{screen}");
        if kernel.is_empty() {
            assert!(!sandbox.host().links.is_subset(&before.links), "it is still half-built");
        }
        terminal.text("n");
        let screen = terminal.wait("It was taken back. n shows how");
        assert!(screen.contains("OVER"), "{screen}");
        terminal.text("nn");
        terminal.wait("↶");
        terminal.text("q");
        assert!(terminal.wait_for_shell().contains("status 125"));
        assert_eq!(terminal.state(), state);
        as_before(&sandbox, &before, "a failure");
    }
}

#[test]
fn a_recording_is_stepped_through_without_privileges() {
    let sandbox = Sandbox::plain();
    let file = sandbox.path("run.jsonl");
    let file = file.to_str().unwrap();
    sandbox.glassbox(&["--model", "run", "--rm", "--trace-file", file, "box", "true"]).expect(0);
    let terminal = Terminal::open(&sandbox, WIDE);
    let state = terminal.state();
    terminal.glassbox(&format!("--lang zh-CN replay --step {file}"), "录制");
    terminal.text("c");
    terminal.wait("exit.");
    terminal.text("gn");
    terminal.wait("image.unpack-layer-1");
    terminal.text("p");
    terminal.wait("image.read-image");
    terminal.text("!");
    terminal.wait("没有可以打开 shell 的容器");
    terminal.text("q");
    terminal.wait_for_shell();
    assert_eq!(terminal.state(), state);
}

#[test]
fn a_recording_stops_where_a_process_was_held() {
    let sandbox = Sandbox::plain();
    let file = sandbox.path("held.jsonl");
    let file = file.to_str().unwrap();
    let script = "rm /etc/passwd; echo x >> /etc/motd";
    let args = ["--model", "run", "--rm", "--trace-file", file, "--step", "box", "sh", "-c", script];
    sandbox.glassbox_with_input(&args, "b copy-up\nc\nn\nn\n").expect(0);
    let terminal = Terminal::open(&sandbox, WIDE);
    terminal.glassbox(&format!("replay --step {file}"), "RECORDING");
    let shows = |layers: [&str; 2], story: &str| {
        terminal.wait_for(&format!("{layers:?} {story}"), |screen| {
            layers.iter().all(|l| screen.contains(l)) && unfolded(screen).contains(story)
        })
    };
    let first = (["writable: empty", "> /etc/passwd  before unlink"], "is held before unlink on /etc/passwd");
    let second =
        (["D /etc/passwd  hidden", "> /etc/motd  before openat"], "is held before openat on /etc/motd");
    terminal.line(":until life.supervise");
    terminal.wait("life.supervise  event");
    terminal.text("n");
    shows(first.0, first.1);
    // What the call did, and what is different by then.
    terminal.text("n");
    shows(["D /etc/passwd  hidden", "/etc  copied up"], "called unlink: /etc/passwd was removed.");
    terminal.text("d");
    terminal.wait_for("the differences", |s| {
        s.contains("What is different") && s.contains("+ /etc/passwd  whiteout")
    });
    terminal.text("q");
    terminal.text("n");
    shows(second.0, second.1);
    terminal.text("pp");
    shows(first.0, first.1);
    terminal.text("w");
    terminal.wait("the modelled kernel asks glassbox first");
    terminal.text("qq");
    terminal.wait_for_shell();
}

#[test]
fn without_a_terminal_there_is_the_line_console() {
    let sandbox = Sandbox::plain();
    let ran = sandbox.glassbox_with_input(&["--model", "run", "--rm", "--step", "box", "true"], "n\nc\n");
    assert!(ran.err.contains("(glassbox)"), "{}", ran.err);
    ran.expect(0);
    let ran = sandbox.glassbox(&["--model", "run", "--rm", "--step=full", "box", "true"]).expect(125);
    assert!(ran.err.contains("needs a terminal") && ran.err.contains("--step=line"), "{}", ran.err);
    let file = sandbox.path("run.jsonl");
    let file = file.to_str().unwrap();
    sandbox.glassbox(&["--model", "run", "--rm", "--trace-file", file, "box", "true"]).expect(0);
    let ran = sandbox.glassbox(&["replay", "--step", file]).expect(1);
    assert!(ran.err.contains("needs a terminal"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn a_removal_is_told_and_can_fail() {
    let (sandbox, _) = prepared();
    for kernel in [&[][..], &["--model"]] {
        let glassbox = |args: &[&str]| sandbox.glassbox(&[kernel, args].concat());
        glassbox(&["run", "--name", "gone", "--network", "none", "box", "touch", "/new"]).expect(0);
        let ran = glassbox(&["rm", "--fail", "exit.remove-container", "--trace", "gone"]).expect(1);
        assert!(ran.err.contains("injected by --fail") && ran.out.is_empty(), "{}", ran.err);
        let ran = glassbox(&["rm", "--fail", "no.such-step", "gone"]).expect(1);
        assert!(ran.err.contains("no step no.such-step"), "{}", ran.err);
        let ran = glassbox(&["rm", "--trace", "gone"]).expect(0);
        assert_eq!(ran.out, "gone\n");
        assert!(ran.err.contains("exit.remove-container") && ran.err.contains("/new"), "{}", ran.err);
        assert!(!glassbox(&["ps", "-a"]).expect(0).out.contains("gone"));
        let ran = glassbox(&["rm", "--trace", "one", "two"]).expect(1);
        assert!(ran.err.contains("one removal at a time"), "{}", ran.err);
    }
    assert!(sandbox.host().containers.is_empty());
}

/// In and out of a hold: what is held is said, nothing is changed by then, and what
/// the call then does is seen.
fn held_before_a_copy_up(sandbox: &Sandbox, kernel: &str) {
    let terminal = Terminal::open(sandbox, WIDE);
    let state = terminal.state();
    let begin = || {
        let command = "run --rm --network none --step box sh -c 'echo more >> /etc/motd; cat /etc/motd'";
        terminal.glassbox(&format!("{kernel}{command}; echo status $?"), "WAITS   step 1/");
        terminal.text("Bcopy-up");
        terminal.key("Enter");
        terminal.wait("breakpoint: copy-up");
        terminal.text("c");
        terminal.wait("n lets it go on, i asks the kernel. Held before openat on /etc/motd")
    };
    let screen = begin();
    let story = unfolded(&screen);
    assert!(screen.contains(" HELD "), "{screen}");
    assert!(
        story.contains("sh (process 1, on the host") && story.contains("is held before openat on"),
        "{screen}"
    );
    assert!(screen.contains("writable: empty") && screen.contains("> /etc/motd  before openat"), "{screen}");
    // What the kernel says, and why.
    terminal.line(":inspect layers");
    let screen = terminal.wait("What the kernel says now");
    // A change would stand there by its path.
    assert!(!screen.contains("│ /etc/motd "), "{screen}");
    terminal.text("q");
    terminal.text("w");
    terminal.wait("asks glassbox first");
    terminal.text("q");
    if kernel.is_empty() {
        terminal.text("!");
        terminal.wait("(container) #");
        terminal.line("wc -l < /etc/motd; echo seen-$((3*3))");
        terminal.wait("seen-9");
        terminal.line("exit");
    } else {
        terminal.text("!");
        terminal.wait("no shell to open");
    }
    terminal.wait(" HELD ");
    // The past is still there, and leads back.
    terminal.text("p");
    terminal.wait(" PAST ");
    terminal.text("G");
    terminal.wait(" HELD ");
    // The call is made: first the way to the file, then the file.
    let shows = |place: &str, layers: &str, held: bool, story: &str| {
        terminal.wait_for(&format!("{place} {layers} {story}"), |screen| {
            screen.contains(place)
                && screen.contains(layers)
                && screen.contains("> /etc/motd  before openat") == held
                && unfolded(screen).contains(story)
        })
    };
    terminal.text("n");
    shows(" HAPPENED ", "C /etc  copied up", false, "openat: directory /etc was copied up");
    terminal.wait("This happened in the container just now. n lets the run go on.");
    terminal.text("n");
    shows(" HAPPENED ", "C /etc/motd  copied up", false, "openat: /etc/motd was copied up.");
    // Back to where it was held, to before that, and forward.
    terminal.text("p");
    shows(" PAST ", "writable: empty", true, "is held before openat on /etc/motd");
    terminal.text("p");
    shows(" PAST ", "writable: empty", false, "glassbox will wait for the command");
    terminal.text("n");
    shows(" PAST ", "writable: empty", true, "is held before openat on /etc/motd");
    terminal.text("G");
    shows(" HAPPENED ", "C /etc/motd  copied up", false, "openat: /etc/motd was copied up.");
    terminal.text("n");
    let screen = terminal.wait("Enter goes back to the stepper");
    assert!(screen.contains("more") && screen.contains("ended with 0"), "{screen}");
    terminal.key("Enter");
    terminal.wait("life.read-changes");
    terminal.text("c");
    assert!(terminal.leave_at_the_end().contains("status 0"));
    assert_eq!(terminal.state(), state);
    // What is removed is seen, too.
    terminal
        .glassbox(&format!("{kernel}run --rm --network none --step box rm /etc/passwd"), "WAITS   step 1/");
    terminal.line(":break copy-up");
    terminal.wait("breakpoint: copy-up");
    terminal.text("c");
    terminal.wait("Held before unlink on /etc/passwd");
    terminal.text("c");
    shows(" HAPPENED ", "C /etc  copied up", false, "unlink: directory /etc was copied up");
    terminal.wait("This happened in the container just now. n lets the run go on.");
    terminal.text("c");
    shows(" HAPPENED ", "D /etc/passwd  hidden", false, "unlink: /etc/passwd was removed.");
    terminal.text("c");
    terminal.wait("Enter goes back to the stepper");
    terminal.key("Enter");
    terminal.leave_at_the_end();
    // Whoever quits while it is held takes the run back.
    begin();
    terminal.text("q");
    terminal.wait("Press y to quit");
    terminal.text("y");
    let quit = || {
        let screen = terminal.wait_for_shell();
        assert!(screen.contains("you chose to quit") && screen.contains("status 130"), "{screen}");
        assert_eq!(terminal.state(), state);
    };
    quit();
    // So does who quits at what it has done, whatever the command is at by then.
    let command = "run --rm --network none --step box sh -c 'echo x >> /new; sleep 1000'";
    terminal.glassbox(&format!("{kernel}{command}; echo status $?"), "WAITS   step 1/");
    terminal.line(":break created");
    terminal.wait("breakpoint: created");
    terminal.text("c");
    terminal.wait("This happened in the container just now. n lets the run go on.");
    terminal.text("q");
    terminal.wait("Press y to quit");
    terminal.text("y");
    quit();
}

#[test]
#[ignore = "root"]
fn what_the_command_writes_behind_the_screen_is_on_the_terminal_after_it() {
    let (sandbox, before) = prepared();
    let terminal = Terminal::open(&sandbox, WIDE);
    let state = terminal.state();
    // All of it is in one process, which nothing holds between the file and the words.
    let work = "exec 3> /out/done; echo first; echo x > /new; echo second-$((40+2)); test -t 1 && echo third >&2; echo done >&3";
    let out = sandbox.path("out");
    std::fs::create_dir(&out).unwrap();
    terminal.glassbox(
        &format!("run --rm --network none -v {}:/out --step box sh -c '{work}'", out.display()),
        "WAITS   step 1/",
    );
    terminal.line(":break created");
    terminal.wait("breakpoint: created");
    terminal.text("c");
    let screen = terminal.wait("This happened in the container just now. n lets the run go on.");
    // The last word is in the file: so the others have been written.
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(out.join("done")).is_ok_and(|text| text.is_empty()) {
        assert!(Instant::now() < deadline, "the command does not go on:\n{screen}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!terminal.screen().contains("second-42"));
    terminal.text("n");
    let screen = terminal.wait("Enter goes back to the stepper");
    assert!(screen.contains("first\nsecond-42\nthird\n"), "{screen}");
    terminal.key("Enter");
    terminal.text("c");
    terminal.leave_at_the_end();
    assert_eq!(terminal.state(), state);
    as_before(&sandbox, &before, "the run");
}

/// The words of a screen, whatever line they stand on.
fn unfolded(screen: &str) -> String {
    let middle = |line: &str| line.split('│').nth(1).unwrap_or_default().to_owned();
    screen.lines().map(middle).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "root"]
fn a_process_is_held_and_looked_at() {
    let (sandbox, before) = prepared();
    held_before_a_copy_up(&sandbox, "");
    as_before(&sandbox, &before, "a process was held");
}

#[test]
fn a_process_of_the_model_is_held_and_looked_at() {
    held_before_a_copy_up(&Sandbox::plain(), "--model ");
}

#[test]
#[ignore = "root"]
fn a_command_in_a_running_container_is_stepped_through() {
    let (sandbox, _) = prepared();
    let args = ["run", "--name", "one", "--network", "none", "box", "sleep", "1000"];
    let mut run = sandbox.command(&args);
    let mut run =
        run.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sandbox.glassbox(&["ps"]).expect(0).out.contains(" one") {
        assert!(Instant::now() < deadline, "the container does not run");
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = sandbox.host();
    let begin = |terminal: &Terminal<'_>| {
        let script = "sh -c 'echo more >> /etc/motd; cat /etc/motd; exit 3'";
        terminal.glassbox(&format!("exec --step one {script}; echo status $?"), "WAITS   step 1/")
    };
    {
        let terminal = Terminal::open(&sandbox, WIDE);
        let state = terminal.state();
        begin(&terminal);
        for step in ["spawn-inside", "join-cgroup", "join-namespaces", "drop-bounding"] {
            terminal.text("n");
            terminal.wait(&format!("namespaces.{step}").replace("namespaces.drop", "security.drop"));
        }
        let screen = terminal.wait("Those of the container");
        assert!(screen.contains("writable: what this command has done"), "{screen}");
        terminal.line(":inspect namespaces");
        terminal.wait("What the kernel says now");
        terminal.text("q");
        terminal.text("Bcopy-up");
        terminal.key("Enter");
        terminal.wait("breakpoint: copy-up");
        terminal.text("c");
        let screen = terminal.wait("Held before openat on /etc/motd");
        assert!(screen.contains(" HELD ") && !screen.contains("C /etc"), "{screen}");
        for change in ["C /etc  copied up", "C /etc/motd  copied up"] {
            terminal.text("n");
            terminal.wait(change);
        }
        terminal.text("n");
        // Its last step has what the command wrote, too.
        let screen = terminal.wait("Enter goes back to the stepper");
        assert!(screen.contains("\nmore") && screen.contains("ended with 3"), "{screen}");
        terminal.key("Enter");
        assert!(terminal.leave_at_the_end().contains("status 3"));
        assert_eq!(terminal.state(), state);
    }
    sandbox.wait_for_host(&before, "an exec was stepped through");
    // On a small screen, and out in the middle.
    let terminal = Terminal::open(&sandbox, (80, 24));
    let state = terminal.state();
    let screen = begin(&terminal);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    terminal.text("n");
    terminal.wait("namespaces.spawn-inside");
    terminal.text("n");
    terminal.wait("step 3/");
    terminal.text("q");
    terminal.wait("Press y to quit");
    terminal.text("y");
    let screen = terminal.wait_for_shell();
    assert!(screen.contains("you chose to quit") && screen.contains("status 130"), "{screen}");
    assert_eq!(terminal.state(), state);
    drop(terminal);
    sandbox.wait_for_host(&before, "an exec was quit");
    sandbox.glassbox(&["rm", "-f", "one"]).expect(0);
    run.wait().unwrap();
}
