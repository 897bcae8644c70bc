//! The other engines, each with a store of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{CHANGE, Done, Engine, run};

pub struct Docker {
    socket: String,
    daemon: Child,
}

impl Docker {
    /// Starts a daemon that touches neither the network nor the host's own.
    pub fn prepare(dir: &Path, base: &Path) -> Done<Self> {
        let at = dir.join("docker");
        std::fs::create_dir_all(&at)?;
        let socket = format!("unix://{}/s", at.display());
        let log = std::fs::File::create(at.join("log"))?;
        let daemon = Command::new("dockerd")
            .args(["--bridge=none", "--iptables=false", "--ip-masq=false", "--storage-driver=overlay2"])
            .arg("--data-root")
            .arg(at.join("data"))
            .arg("--exec-root")
            .arg(at.join("exec"))
            .arg("--pidfile")
            .arg(at.join("pid"))
            .args(["-H", &socket])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let docker = Docker { socket, daemon };
        let deadline = Instant::now() + Duration::from_secs(30);
        while run(docker.command().arg("info")).is_err() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(at.join("log")).unwrap_or_default();
                return Err(
                    format!("dockerd does not answer: {}", log.lines().last().unwrap_or_default()).into()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        run(docker.command().arg("import").arg(base).arg("base"))?;
        run(docker.command().args([
            "run",
            "--name",
            "changed",
            "--network",
            "none",
            "base",
            "/bin/sh",
            "-c",
            CHANGE,
        ]))?;
        Ok(docker)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.args(["-H", &self.socket]);
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.daemon.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.daemon.wait();
    }
}

impl Engine for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn commit(&self) -> Command {
        let mut command = self.command();
        command.args(["commit", "changed", "new"]);
        command
    }

    fn remove(&self) -> Command {
        let mut command = self.command();
        command.args(["rmi", "new"]);
        command
    }
}

pub struct Podman {
    at: PathBuf,
}

impl Podman {
    pub fn prepare(dir: &Path, base: &Path) -> Done<Self> {
        let podman = Podman { at: dir.join("podman") };
        std::fs::create_dir_all(&podman.at)?;
        // Limits that a process without CAP_SYS_RESOURCE may have.
        let conf = "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n\
                    [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n";
        std::fs::write(podman.at.join("containers.conf"), conf)?;
        run(podman.command().arg("import").arg(base).arg("base"))?;
        run(podman.command().args([
            "run",
            "--name",
            "changed",
            "--network",
            "none",
            "base",
            "/bin/sh",
            "-c",
            CHANGE,
        ]))?;
        Ok(podman)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.at.join("containers.conf"));
        command.arg("--root").arg(self.at.join("root")).arg("--runroot").arg(self.at.join("run"));
        command.args(["--storage-driver", "overlay"]);
        command
    }
}

impl Engine for Podman {
    fn name(&self) -> &'static str {
        "podman"
    }

    fn commit(&self) -> Command {
        let mut command = self.command();
        command.args(["commit", "-q", "changed", "new"]);
        command
    }

    fn remove(&self) -> Command {
        let mut command = self.command();
        command.args(["rmi", "new"]);
        command
    }
}
