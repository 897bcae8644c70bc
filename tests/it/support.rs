//! A place of its own for each test, and the host as it was before.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const GLASSBOX: &str = env!("CARGO_BIN_EXE_glassbox");

/// A store, a run-time directory and a network namespace.
pub struct Sandbox {
    dir: TempDir,
    net: Option<OwnedFd>,
    /// Commands run on the modelled kernel.
    model: bool,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Fails the test unless the command ended with this status.
    #[track_caller]
    pub fn expect(self, status: i32) -> Ran {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

impl From<Output> for Ran {
    fn from(o: Output) -> Ran {
        use std::os::unix::process::ExitStatusExt;
        Ran {
            status: o.status.code().unwrap_or_else(|| 128 + o.status.signal().unwrap_or(0)),
            out: String::from_utf8_lossy(&o.stdout).into_owned(),
            err: String::from_utf8_lossy(&o.stderr).into_owned(),
        }
    }
}

impl Sandbox {
    /// For tests on the modelled kernel, or of the command line alone.
    pub fn plain() -> Sandbox {
        Sandbox::with(None)
    }

    /// A store of the modelled kernel: every command runs on it.
    pub fn model() -> Sandbox {
        let mut sandbox = Sandbox::with(None);
        sandbox.model = true;
        sandbox
    }

    /// Whether commands run on the modelled kernel.
    pub fn is_model(&self) -> bool {
        self.model
    }

    /// For tests on the real kernel.
    pub fn root() -> Sandbox {
        assert!(nix::unistd::geteuid().is_root(), "this test needs root: run the tests with sudo");
        Sandbox::with(Some(new_network_namespace()))
    }

    fn with(net: Option<OwnedFd>) -> Sandbox {
        Sandbox { dir: tempfile::Builder::new().prefix("gbx-test-").tempdir().unwrap(), net, model: false }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// A command of glassbox in this sandbox.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.inside(GLASSBOX);
        command.arg("--root").arg(self.store()).arg("--run-root").arg(self.path("run"));
        command.args(self.model.then_some("--model")).args(args);
        command
    }

    /// Any program in the sandbox's network namespace, with a plain environment.
    pub fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::null())
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env_remove("GLASSBOX_ROOT");
        // Whoever started the tests in the background ignores these for all its children.
        // SAFETY: sigaction is a system call; no handler is installed.
        unsafe {
            command.pre_exec(|| {
                use nix::sys::signal::{SigHandler, Signal, signal};
                for ignored in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
                    signal(ignored, SigHandler::SigDfl)?;
                }
                Ok(())
            });
        }
        if let Some(net) = &self.net {
            let fd = net.as_raw_fd();
            // SAFETY: setns is one system call on a descriptor that outlives the child's start.
            unsafe {
                command.pre_exec(move || {
                    let net = std::os::fd::BorrowedFd::borrow_raw(fd);
                    nix::sched::setns(net, nix::sched::CloneFlags::CLONE_NEWNET).map_err(Into::into)
                });
            }
        }
        command
    }

    /// Runs glassbox to its end.
    pub fn glassbox(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// Runs glassbox with this standard input.
    pub fn glassbox_with_input(&self, args: &[&str], input: &str) -> Ran {
        with_input(&mut self.command(args), input)
    }

    /// What a run of this sandbox could leave on the host.
    pub fn host(&self) -> Host {
        Host {
            mounts: mounts_below(self.dir.path()),
            links: self.links(),
            rules: self.rules(),
            network: self.network(),
            cgroups: self.cgroups(),
            containers: names(&self.store().join("containers")),
            receipts: self.receipts(),
            leases: self.leases(),
            processes: processes_of(self.dir.path()),
        }
    }

    /// The host once the kernel has taken apart the namespaces of what ended.
    #[track_caller]
    pub fn settled_host(&self) -> Host {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let host = self.host();
            if !host.links.iter().any(|l| l.starts_with("gbx")) {
                return host;
            }
            assert!(Instant::now() < deadline, "a link stays: {:?}", host.links);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the host looks like that again: the kernel takes namespaces,
    /// and the links in them, apart a moment after their last process.
    #[track_caller]
    pub fn wait_for_host(&self, wanted: &Host, after: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let now = self.host();
            if now == *wanted {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "after {after} the host did not become as before\nbefore: {wanted:#?}\nnow: {now:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn links(&self) -> BTreeSet<String> {
        let out = self.inside("cat").arg("/proc/net/dev").output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.lines().skip(2).filter_map(|l| Some(l.split_once(':')?.0.trim().to_owned())).collect()
    }

    /// Rules with a container's mark, as the kernel has them now.
    fn rules(&self) -> usize {
        let ran: Ran = self.inside("nft").args(["list", "ruleset"]).output().unwrap().into();
        ran.out.lines().filter(|l| l.contains("glassbox:")).count()
    }

    fn network(&self) -> String {
        let script = "cat /proc/sys/net/ipv4/ip_forward; nft list ruleset";
        let ran: Ran = self.inside("sh").args(["-c", script]).output().unwrap().into();
        ran.out
    }

    /// The cgroups of this store's containers, in every hierarchy.
    fn cgroups(&self) -> BTreeSet<PathBuf> {
        let mut all = BTreeSet::new();
        let Some(key) = self.key() else { return all };
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        for mount in mounts.lines().filter(|l| l.contains(" - cgroup")).filter_map(|l| l.split(' ').nth(4)) {
            let own = format!("{}{key}-", glassbox::plan::cgroup::PREFIX);
            let mount = Path::new(mount);
            all.extend(names(mount).into_iter().filter(|n| n.starts_with(&own)).map(|n| mount.join(n)));
        }
        all
    }

    /// By what glassbox tells this store's things from another's.
    pub fn key(&self) -> Option<String> {
        dirs(&self.path("run")).first().map(|d| d.file_name().unwrap().to_string_lossy().into_owned())
    }

    fn receipts(&self) -> BTreeSet<String> {
        sub(&self.path("run"), "receipts")
    }

    fn leases(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for key in dirs(&self.path("run")) {
            for network in dirs(&key.join("networks")) {
                all.extend(
                    names(&network.join("leases"))
                        .into_iter()
                        .filter(|n| n.parse::<std::net::Ipv4Addr>().is_ok()),
                );
            }
        }
        all
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whatever a failed test left: first its containers, then what they had.
        if self.net.is_some() {
            let ids: Vec<String> = names(&self.store().join("containers")).into_iter().collect();
            for id in ids {
                let _ = self.command(&["rm", "-f", &id]).output();
            }
            let _ = self.command(&["system", "repair"]).output();
        }
    }
}

/// The host as far as a container touches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub mounts: BTreeSet<String>,
    pub links: BTreeSet<String>,
    pub rules: usize,
    /// All rules, and whether the host forwards packets.
    pub network: String,
    pub cgroups: BTreeSet<PathBuf>,
    pub containers: BTreeSet<String>,
    pub receipts: BTreeSet<String>,
    pub leases: BTreeSet<String>,
    pub processes: BTreeSet<String>,
}

fn new_network_namespace() -> OwnedFd {
    std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        // A new namespace takes this value from the host, whatever it is there.
        fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        // A child of this thread is born in the new namespace.
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|s| s.success()), "the Debian package iproute2 is needed");
        OwnedFd::from(fs::File::open("/proc/thread-self/ns/net").unwrap())
    })
    .join()
    .unwrap()
}

fn mounts_below(dir: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let dir = dir.to_string_lossy().into_owned();
    text.lines()
        .filter_map(|l| l.split(' ').nth(4))
        .filter(|m| m.starts_with(&dir))
        .map(str::to_owned)
        .collect()
}

/// Processes whose command line names this sandbox, or whose root is in it.
fn processes_of(dir: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&*dir.to_string_lossy()) && pid != std::process::id() {
            all.insert(line);
        }
    }
    all
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn dirs(dir: &Path) -> Vec<PathBuf> {
    names(dir).into_iter().map(|n| dir.join(n)).filter(|p| p.is_dir()).collect()
}

fn sub(run: &Path, name: &str) -> BTreeSet<String> {
    dirs(run).iter().flat_map(|key| names(&key.join(name))).collect()
}

/// Runs a command to its end with this standard input.
pub fn with_input(command: &mut Command, input: &str) -> Ran {
    use std::io::Write;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // Who wants no input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}
