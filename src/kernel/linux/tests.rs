//! Whole runs of small plans made by hand. Each case runs in a process of its
//! own with one thread, because clone3 copies only the calling thread; the
//! test here looks at what it printed and what it left.

#![expect(clippy::print_stdout, reason = "the cases speak to the test that started them")]
#![expect(clippy::type_complexity)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::LinuxKernel;
use crate::kernel::{Applied, Kernel, Slots, StepFailure, Watch};
use crate::plan::op::{CapSets, CgroupVersion, IdMap, MountRole, Ns, OverlayStyle, SeccompProfile, Slot};
use crate::plan::{Actor, Op, PLAN_VERSION, Phase, Plan, Step, StepId};
use crate::trace::Life;

mod interactive;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const BUSYBOX: &str = "/bin/busybox";
const CASE: &str = "GLASSBOX_TEST_CASE";

fn own(path: &Path, rest: &str) -> String {
    format!("{}/{ID}/{rest}", path.display())
}

/// A plan with everything that needs neither network nor cgroups.
fn plan(dir: &Path, layers: usize, style: OverlayStyle, argv: &[&str], tty: bool) -> Plan {
    let root = own(dir, "rootfs");
    let at = |p: &str| format!("{root}{p}");
    let lower = (0..layers).rev().map(|n| format!("{}/layers/{}", dir.display(), layer_name(n))).collect();
    let mount = |role, fstype: &str, path: &str, options: &[&str]| Op::Mount {
        role,
        fstype: fstype.to_owned(),
        source: fstype.to_owned(),
        target: at(path),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
    };
    let overlay = Op::MountOverlay {
        lower,
        upper: own(dir, "upper"),
        work: own(dir, "work"),
        style,
        target: root.clone(),
    };
    let clone = Op::Clone {
        namespaces: vec![Ns::Mnt, Ns::Pid, Ns::Uts, Ns::Ipc, Ns::Net, Ns::Cgroup, Ns::Time],
        cgroup: None,
    };
    let none = CapSets::default();
    // v1 needs a join after clone3; in v2 init is born in its cgroup.
    let host = super::host::facts().unwrap();
    let pids = host.cgroups.iter().find(|c| c.controllers.iter().any(|c| c == "pids")).unwrap();
    let cgroup = cgroup_of(&pids.mount, dir);
    let create = Op::CreateCgroup {
        version: pids.version,
        controllers: pids.controllers.clone(),
        path: cgroup.clone(),
    };
    let join = Op::JoinCgroup { files: vec![format!("{cgroup}/cgroup.procs")] };
    let clone = match (clone, pids.version) {
        (Op::Clone { namespaces, .. }, CgroupVersion::V2) => {
            Op::Clone { namespaces, cgroup: Some(cgroup.clone()) }
        }
        (clone, _) => clone,
    };
    let mut ops = vec![(Actor::Runtime, Op::ReadHostKernel), (Actor::Runtime, create.clone())];
    for (name, mode) in [("", 0o711), ("upper", 0o755), ("work", 0o700), ("rootfs", 0o755)] {
        ops.push((
            Actor::Runtime,
            Op::MakeDir { path: own(dir, name).trim_end_matches('/').to_owned(), mode },
        ));
    }
    match style {
        OverlayStyle::Detached => {
            ops.push((Actor::Runtime, overlay));
            ops.push((Actor::Runtime, clone));
            ops.push((Actor::Runtime, join));
            ops.push((Actor::Init, Op::MakeMountsPrivate));
            ops.push((Actor::Init, Op::AttachRootfs { target: root.clone() }));
        }
        OverlayStyle::Options => {
            ops.push((Actor::Runtime, clone));
            ops.push((Actor::Runtime, join));
            ops.push((Actor::Init, Op::MakeMountsPrivate));
            ops.push((Actor::Init, overlay));
        }
    }
    let node = |path: &str, minor| Op::MakeNode { path: at(path), kind: 'c', major: 1, minor, mode: 0o666 };
    let mut init = vec![
        Op::SetLinkUp { link: "lo".to_owned() },
        mount(MountRole::Proc, "proc", "/proc", &["nosuid", "noexec", "nodev"]),
        mount(MountRole::Dev, "tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            MountRole::Devpts,
            "devpts",
            "/dev/pts",
            &["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        node("/dev/null", 3),
        node("/dev/zero", 5),
        Op::MakeSymlink { path: at("/dev/fd"), target: "/proc/self/fd".to_owned() },
        Op::Bind {
            role: MountRole::Volume,
            source: format!("{}/volume", dir.display()),
            target: at("/data/inner"),
            recursive: true,
            options: vec!["ro".to_owned(), "rprivate".to_owned()],
        },
        Op::UnshareCgroup,
        Op::PivotRoot { new_root: root.clone() },
    ];
    if tty {
        init.push(Op::OpenTerminal);
    }
    init.extend([
        Op::SetHostname { name: "glass".to_owned() },
        Op::ReadonlyPath { path: "/proc/sys".to_owned() },
        Op::MaskPath { path: "/proc/cpuinfo".to_owned() },
        Op::MaskPath { path: "/proc/irq".to_owned() },
        Op::DropBounding { keep: vec!["CAP_CHOWN".to_owned()] },
        Op::SetUser { uid: 1000, gid: 100, groups: vec![100, 7] },
        Op::SetCapabilities { caps: none },
        Op::SetNoNewPrivs,
        Op::LoadSeccomp { profile: SeccompProfile::Default { caps: Vec::new() }, told: false },
        Op::Exec {
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            env: vec!["PATH=/bin".to_owned(), "HOME=/".to_owned()],
            cwd: "/made/here".to_owned(),
        },
    ]);
    ops.extend(init.into_iter().map(|op| (Actor::Init, op)));
    ops.push((Actor::Runtime, Op::Supervise { tty, interactive: false, joined: false }));
    let undo = Op::Undo {
        step: StepId("clone".to_owned()),
        of: Box::new(Op::Clone { namespaces: Vec::new(), cgroup: None }),
    };
    ops.push((Actor::Runtime, undo));
    let undo = Op::Undo { step: StepId("cgroup".to_owned()), of: Box::new(create) };
    ops.push((Actor::Runtime, undo));
    ops.push((Actor::Runtime, Op::RemoveContainer { path: own(dir, "").trim_end_matches('/').to_owned() }));
    let steps = ops
        .into_iter()
        .enumerate()
        .map(|(n, (actor, op))| Step {
            id: StepId(format!("{n}.{}", op.name())),
            phase: Phase::Exec,
            actor,
            op,
        })
        .collect();
    Plan { version: PLAN_VERSION, container: ID.to_owned(), steps }
}

fn cgroup_of(mount: &str, dir: &Path) -> String {
    format!("{mount}/glassbox-test{}", dir.file_name().unwrap().to_str().unwrap())
}

fn layer_name(n: usize) -> String {
    format!("{n:064}")
}

/// Runs the plan as the engine does; on failure undoes it, last step first.
fn drive(plan: &Plan, watch: Watch) -> (Result<(u8, Vec<Applied>), StepFailure>, Vec<Life>) {
    let mut kernel = LinuxKernel::new("/nonexistent");
    kernel.begin(plan, watch);
    let (mut slots, mut lives, mut all) = (Slots::new(), Vec::new(), Vec::new());
    for step in &plan.steps {
        match kernel.apply(step, &mut slots, &mut |l| lives.push(l)) {
            Ok(applied) => all.push(applied),
            Err(failed) => {
                for step in plan.steps.iter().rev() {
                    kernel.undo(&step.op, &slots).unwrap();
                    kernel.undo(&step.op, &slots).unwrap();
                }
                return (Err(failed), lives);
            }
        }
    }
    let status = slots[&Slot::ExitStatus].text().parse().unwrap();
    (Ok((status, all)), lives)
}

fn prepare(dir: &Path, layers: usize) {
    for n in 0..layers {
        let layer = dir.join("layers").join(layer_name(n));
        std::fs::create_dir_all(layer.join("etc")).unwrap();
        std::fs::write(layer.join(format!("etc/layer-{n}")), n.to_string()).unwrap();
    }
    let bin = dir.join("layers").join(layer_name(0)).join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
    for name in ["sh", "echo", "cat", "ls", "id", "tty"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
    }
    std::fs::write(bin.join("not-executable"), "x").unwrap();
    for (name, text) in [("garbage", "\0\0"), ("no-interpreter", "#!/nowhere\n")] {
        std::fs::write(bin.join(name), text).unwrap();
        std::fs::set_permissions(bin.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    std::fs::create_dir(dir.join("volume")).unwrap();
    std::fs::write(dir.join("volume/file"), "from the host\n").unwrap();
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

const SCRIPT: &str = "echo pid $$; hostname; id; pwd; cat /data/inner/file; \
    echo x 2>&- >/data/inner/new || echo volume is read-only; wc -c < /proc/cpuinfo; ls /proc/irq | wc -l; \
    grep -E 'CapEff|NoNewPrivs' /proc/self/status; ls /proc/self/fd | wc -l; ls /etc | wc -l; \
    wc -c <&0; umask; exit 7";

/// The cases, each in a process of its own. Does nothing without the variable.
#[test]
#[ignore = "root"]
fn case() {
    let Ok(case) = std::env::var(CASE) else { return };
    println!("\nthread {}", rustix::thread::gettid());
    let (name, dir) = case.split_once(' ').unwrap();
    let dir = Path::new(dir);
    let (watch, style, argv): (Watch, OverlayStyle, &[&str]) = match name {
        "off" => (Watch::Off, OverlayStyle::Detached, &["sh", "-c", SCRIPT]),
        "watched" => (Watch::BeforeAndAfter, OverlayStyle::Detached, &["sh", "-c", SCRIPT]),
        "options" => (Watch::Off, OverlayStyle::Options, &["sh", "-c", SCRIPT]),
        "abandoned" => (Watch::After, OverlayStyle::Detached, &["/bin/true"]),
        "user" => (Watch::After, OverlayStyle::Detached, &["sh", "-c", SCRIPT]),
        "one" => (Watch::Off, OverlayStyle::Detached, &["/bin/true"]),
        "interactive" => (Watch::Off, OverlayStyle::Detached, &["sh"]),
        "tty" => (Watch::After, OverlayStyle::Detached, &["sh", "-c", "test -t 0 && test -t 1 && echo tty"]),
        "missing" => (Watch::Off, OverlayStyle::Detached, &["no-such-program"]),
        "missing-watched" => (Watch::After, OverlayStyle::Detached, &["no-such-program"]),
        "killed" => (Watch::Off, OverlayStyle::Detached, &["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]),
        "garbage" => (Watch::Off, OverlayStyle::Detached, &["garbage"]),
        "garbage-watched" => (Watch::After, OverlayStyle::Detached, &["garbage"]),
        "no-interpreter" => (Watch::Off, OverlayStyle::Detached, &["no-interpreter"]),
        "signal" => (
            Watch::Off,
            OverlayStyle::Detached,
            &["sh", "-c", "trap 'exit 42' TERM; busybox sleep 1000 & echo ready; wait"],
        ),
        "refused" => (Watch::After, OverlayStyle::Detached, &["/bin/not-executable"]),
        _ => panic!("no case {name}"),
    };
    if name == "abandoned" {
        abandon(&plan(dir, 1, style, argv, false));
    }
    let layers = if matches!(name, "tty" | "one" | "interactive") { 1 } else { 130 };
    let plan = plan(dir, layers, style, argv, matches!(name, "tty" | "interactive"));
    let plan = if name == "user" { with_user_namespace(plan) } else { plan };
    let plan = if name == "interactive" { interactive::connected(plan) } else { plan };
    match drive(&plan, watch) {
        (Ok((status, applied)), lives) => {
            println!("status {status}");
            println!("lives {}", lives.len());
            if watch != Watch::Off {
                println!("calls {}", serde_json::to_string(&applied).unwrap());
            }
        }
        (Err(failed), _) => {
            let step = failed.step.map(|s| s.0).unwrap_or_default();
            println!("failed {step} {} {}", failed.failure.status, failed.failure);
        }
    }
}

/// The same, in a user namespace whose ids are the host's.
fn with_user_namespace(mut plan: Plan) -> Plan {
    let at = plan.steps.iter().position(|s| matches!(s.op, Op::Clone { .. })).unwrap();
    if let Op::Clone { namespaces, .. } = &mut plan.steps[at].op {
        namespaces.insert(0, Ns::User);
    }
    let map = vec![IdMap { container: 0, host: 0, size: 65_536 }];
    let op = Op::WriteIdMaps { uid: map.clone(), gid: map };
    let id = StepId("id-maps".to_owned());
    plan.steps.insert(at + 1, Step { id, phase: Phase::Namespaces, actor: Actor::Runtime, op });
    plan
}

/// Dies by SIGKILL between two steps of init.
fn abandon(plan: &Plan) -> ! {
    let mut kernel = LinuxKernel::new("/nonexistent");
    kernel.begin(plan, Watch::After);
    let mut slots = Slots::new();
    for step in &plan.steps {
        kernel.apply(step, &mut slots, &mut |_| {}).unwrap();
        if matches!(step.op, Op::PivotRoot { .. }) {
            break;
        }
    }
    println!("init {}", slots[&Slot::InitPid]);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    unreachable!("killed");
}

#[test]
#[ignore = "root"]
fn init_dies_with_the_runtime_and_another_one_undoes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 1);
    let output = start("abandoned", dir.path());
    let text = text(&output);
    let init: i32 = text.lines().find_map(|l| l.strip_prefix("init ")).unwrap().parse().unwrap();
    // The kernel has sent the signal; the process may still be on its way out.
    if let Some(pid) = rustix::process::Pid::from_raw(init)
        && let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
    {
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&limit)).unwrap(), 1, "init lives on");
    }
    assert!(dir.path().join(ID).exists());
    let plan = plan(dir.path(), 1, OverlayStyle::Detached, &["/bin/true"], false);
    let mut kernel = LinuxKernel::new("/nonexistent");
    kernel.begin(&plan, Watch::Off);
    for step in plan.steps.iter().rev() {
        kernel.undo(&step.op, &Slots::new()).unwrap();
    }
    nothing_left("abandoned", dir.path(), &output);
}

/// Runs a case and checks that it leaves nothing.
fn run(name: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 130);
    let output = start(name, dir.path());
    nothing_left(name, dir.path(), &output);
    output
}

fn start(name: &str, dir: &Path) -> Output {
    command(name, dir).spawn().unwrap().wait_with_output().unwrap()
}

fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kernel::linux::tests::case",
            "--include-ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CASE, format!("{name} {}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
#[ignore = "root"]
fn a_signal_is_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 130);
    let mut child = command("signal", dir.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let thread: i32 = lines.find_map(|l| l.strip_prefix("thread ")?.parse().ok()).unwrap();
    assert!(lines.any(|l| l == "ready"));
    // To the thread that supervises: the test program has another one, which
    // does not hold signals back.
    // SAFETY: plain numbers.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, child.id(), thread, libc::SIGTERM) };
    assert_eq!(sent, 0);
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|l| l == "status 42"), "{rest:?}");
    assert!(rest.iter().any(|l| l == "lives 3"), "{rest:?}");
    child.wait().unwrap();
}

fn nothing_left(name: &str, dir: &Path, output: &Output) {
    let path = dir.to_str().unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(path), "{name} left a mount");
    assert!(!dir.join(ID).exists(), "{name} left the container: {}", shown(output));
    for mount in super::host::facts().unwrap().cgroups {
        assert!(!Path::new(&cgroup_of(&mount.mount, dir)).exists(), "{name} left a cgroup");
    }
    // A process of the container would have its union or its volume in sight.
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let seen = std::fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        assert!(!seen.contains(path), "{name} left process {:?}", entry.file_name());
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a case printed, without its trace.
fn shown(output: &Output) -> String {
    let text = text(output);
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with("calls ")).collect();
    format!("{}\n{}", lines.join("\n"), String::from_utf8_lossy(&output.stderr))
}

fn expect_script(output: &Output) {
    let text = text(output);
    for line in [
        "pid 1",
        "glass",
        "uid=1000 gid=100 groups=7,100",
        "/made/here",
        "from the host",
        "volume is read-only",
        "0",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "130",
        "0022",
        "status 7",
        "lives 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} is missing in {}", shown(output));
    }
}

#[test]
#[ignore = "root"]
fn a_command_runs_unwatched() {
    expect_script(&run("off"));
}

#[test]
#[ignore = "root"]
fn a_command_runs_with_many_layers_in_one_mount_string() {
    expect_script(&run("options"));
}

#[test]
#[ignore = "root"]
fn a_watched_run_tells_its_calls_and_reads_them_back() {
    let output = run("watched");
    expect_script(&output);
    let text = text(&output);
    let line = text.lines().find_map(|l| l.strip_prefix("calls ")).unwrap();
    let applied: Vec<Applied> = serde_json::from_str(line).unwrap();
    let calls: Vec<&str> = applied.iter().flat_map(|a| &a.calls).map(|c| c.name.as_str()).collect();
    for name in ["fsopen", "clone3", "move_mount", "mount", "pivot_root", "setresuid", "capset", "execve"] {
        assert!(calls.contains(&name), "{name} is missing in {calls:?}");
    }
    let facts = || applied.iter().flat_map(|a| &a.after);
    assert!(facts().any(|f| f.key == "Seccomp" && f.value.text() == "2"));
    assert!(facts().any(|f| f.key == "NoNewPrivs" && f.value.text() == "1"));
    assert!(facts().any(|f| f.key.starts_with("mount /") && f.value.text().contains(" overlay ")));
    let namespaces: Vec<String> =
        facts().filter(|f| f.key.ends_with("ns pid")).map(|f| f.value.text()).collect();
    assert_eq!(namespaces.len(), 2);
    assert_ne!(namespaces[0], namespaces[1]);
}

#[test]
#[ignore = "root"]
fn a_command_runs_in_a_user_namespace() {
    expect_script(&run("user"));
}

#[test]
#[ignore = "root"]
fn a_terminal_is_carried() {
    let output = run("tty");
    assert!(text(&output).contains("tty\r\n"), "{}", shown(&output));
    assert!(text(&output).contains("status 0"), "{}", shown(&output));
}

#[test]
#[ignore = "root"]
fn failures_of_init_reach_the_runtime_and_all_is_undone() {
    for (case, expected) in [
        ("missing", "127 exec: \"no-such-program\": executable file not found in $PATH"),
        ("missing-watched", "127 exec: \"no-such-program\": executable file not found in $PATH"),
        ("garbage", "126 execute \"garbage\": exec format error (ENOEXEC)"),
        ("garbage-watched", "126 execute \"garbage\": exec format error (ENOEXEC)"),
        ("no-interpreter", "127 execute \"no-interpreter\": no such file or directory (ENOENT)"),
        ("refused", "126 exec: \"/bin/not-executable\": permission denied (EACCES)"),
    ] {
        let output = run(case);
        let text = text(&output);
        assert!(text.lines().any(|l| l.starts_with("failed ") && l.ends_with(expected)), "{text}");
    }
    let output = run("killed");
    assert!(text(&output).contains("status 137"), "{}", shown(&output));
}
