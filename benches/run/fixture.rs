//! The same static `true` as an image for glassbox and podman, and as a bundle
//! for crun, with the same seccomp profile.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The program under test: this build's, or another one by the variable
/// GLASSBOX, to hold two builds against each other.
fn program() -> OsString {
    std::env::var_os("GLASSBOX").unwrap_or_else(|| env!("CARGO_BIN_EXE_glassbox").into())
}

const IMAGE: &str = "bench/true:latest";

/// A directory with everything, removed at the end.
pub struct Fixture {
    dir: TempDir,
    /// podman keeps its store mounted.
    podman: bool,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if self.podman {
            let _ = nix::mount::umount(&self.path("podman").join("overlay"));
        }
    }
}

impl Fixture {
    pub fn new() -> Result<Fixture, Box<dyn Error>> {
        let fixture = Fixture { dir: TempDir::new()?, podman: false };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/run");
        for (source, program, flags) in
            [("true.c", "true", &["-static", "-O2"][..]), ("floor.c", "floor", &["-O2"])]
        {
            let status = Command::new("cc")
                .args(flags)
                .arg("-o")
                .arg(fixture.path(program))
                .arg(sources.join(source))
                .status()?;
            if !status.success() {
                return Err(format!("cc failed on {source}").into());
            }
        }
        fs::write(fixture.path("true.tar"), archive(&fs::read(fixture.path("true"))?)?)?;
        run(fixture.base("load").arg("-i").arg(fixture.path("true.tar")))?;
        for dir in
            ["floor-dir/lower/proc", "floor-dir/upper", "floor-dir/work", "floor-dir/merged", "bundle/rootfs"]
        {
            fs::create_dir_all(fixture.path(dir))?;
        }
        for copy in ["floor-dir/lower/true", "bundle/rootfs/true"] {
            fs::copy(fixture.path("true"), fixture.path(copy))?;
        }
        // The first run unpacks the image; it is not what is measured.
        run(&mut fixture.glassbox(&["--network", "none"]))?;
        Ok(fixture)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn base(&self, command: &str) -> Command {
        let mut base = Command::new(program());
        base.arg("--root").arg(self.path("store")).arg("--run-root").arg(self.path("run")).arg(command);
        base
    }

    /// `glassbox run --rm … /true`
    pub fn glassbox(&self, options: &[&str]) -> Command {
        let mut command = self.base("run");
        command.arg("--rm").args(options).args([IMAGE, "/true"]);
        command
    }

    pub fn floor(&self) -> Command {
        let mut command = Command::new(self.path("floor"));
        command.arg(self.path("floor-dir"));
        command
    }

    /// `crun run` of the bundle, or nothing if crun or a seccomp profile is not there.
    pub fn crun(&self) -> Option<impl Fn() -> Command + use<>> {
        let profile: Value =
            serde_json::from_str(&fs::read_to_string("/usr/share/containers/seccomp.json").ok()?).ok()?;
        let bundle = self.path("bundle");
        let made = Command::new("crun").arg("spec").current_dir(&bundle).status().ok()?;
        if !made.success() {
            return None;
        }
        let file = bundle.join("config.json");
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()?;
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/true"]);
        config["root"]["readonly"] = json!(false);
        config["linux"]["seccomp"] = seccomp(&profile);
        if let Some(process) = config["process"].as_object_mut() {
            process.remove("rlimits");
        }
        fs::write(&file, config.to_string()).ok()?;
        let state = self.path("crun-state");
        let command = move || {
            let mut command = Command::new("crun");
            command.arg("--root").arg(&state).arg("run").arg("-b").arg(&bundle).arg("bench");
            command
        };
        match command().output() {
            Ok(output) if output.status.success() => Some(command),
            Ok(output) => {
                println!("crun does not run here: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(_) => None,
        }
    }

    /// `podman run --rm` of the same image with its default network, or nothing.
    pub fn podman(&mut self) -> Option<impl Fn() -> Command + use<>> {
        self.podman = true;
        let conf = self.path("containers.conf");
        // Debian's podman raises limits that an ordinary root may not be allowed to raise.
        fs::write(
            &conf,
            "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n",
        )
        .ok()?;
        let (root, run_root) = (self.path("podman"), self.path("podman-run"));
        let base = move || {
            let mut command = Command::new("podman");
            command.env("CONTAINERS_CONF", &conf);
            command
                .arg("--root")
                .arg(&root)
                .arg("--runroot")
                .arg(&run_root)
                .args(["--storage-driver", "overlay"]);
            command
        };
        let loaded = base().arg("load").arg("-i").arg(self.path("true.tar")).output().ok()?;
        let command = move || {
            let mut command = base();
            command.args(["run", "--rm", IMAGE, "/true"]);
            command
        };
        match command().output() {
            Ok(output) if loaded.status.success() && output.status.success() => Some(command),
            Ok(output) => {
                println!("podman does not run here: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(_) => None,
        }
    }
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// What `docker save` would write for an image with one file.
fn archive(program: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let entry = |tar: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes)
    };
    let mut layer = tar::Builder::new(Vec::new());
    entry(&mut layer, "true", 0o755, program)?;
    let layer = layer.into_inner()?;
    let diff_id = format!("sha256:{}", hex(&layer));
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/true"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "COPY true /"}],
    })
    .to_string();
    let name = format!("{}.json", hex(config.as_bytes()));
    let manifest = json!([{ "Config": name, "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]).to_string();
    let mut tar = tar::Builder::new(Vec::new());
    entry(&mut tar, &name, 0o644, config.as_bytes())?;
    entry(&mut tar, "layer.tar", 0o644, &layer)?;
    entry(&mut tar, "manifest.json", 0o644, manifest.as_bytes())?;
    Ok(tar.into_inner()?)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Docker's form of a profile to the OCI form, for the default capabilities on
/// this machine.
fn seccomp(profile: &Value) -> Value {
    let caps = glassbox::spec::capabilities::DEFAULT;
    let arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let has = |set: &Value, of: &dyn Fn(&str) -> bool| {
        set.as_array().is_some_and(|a| a.iter().filter_map(Value::as_str).any(of))
    };
    let applies = |rule: &&Value| {
        let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
        let cap = |c: &str| caps.contains(&c);
        let all_caps =
            includes["caps"].as_array().is_none_or(|a| a.iter().filter_map(Value::as_str).all(cap));
        let arches = includes["arches"].is_null() || has(&includes["arches"], &|a| a == arch);
        all_caps && arches && !has(&excludes["caps"], &cap) && !has(&excludes["arches"], &|a| a == arch)
    };
    let rules: Vec<Value> = profile["syscalls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(applies)
        .map(|rule| {
            let mut own = json!({ "names": rule["names"], "action": rule["action"] });
            for key in ["args", "errnoRet"] {
                if !rule[key].is_null() {
                    own[key] = rule[key].clone();
                }
            }
            own
        })
        .collect();
    let arches = if arch == "amd64" {
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    } else {
        json!(["SCMP_ARCH_AARCH64"])
    };
    json!({ "defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"], "architectures": arches, "syscalls": rules })
}
