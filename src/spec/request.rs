//! What a user asks of `run`, after the command line is parsed and before the
//! image is known.

use serde::{Deserialize, Serialize};

use super::SpecError;
use super::ports::PortMapping;
use super::volumes::Volume;

/// `--network`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// The default bridge.
    #[default]
    Bridge,
    /// The host's namespace.
    Host,
    /// Only `lo`.
    None,
}

impl std::str::FromStr for NetworkMode {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "bridge" | "default" => Ok(NetworkMode::Bridge),
            "host" => Ok(NetworkMode::Host),
            "none" => Ok(NetworkMode::None),
            other => Err(SpecError::new(format!("unknown network {other:?}"))
                .hint("bridge, host or none; networks of your own are not there yet")),
        }
    }
}

/// The options of `run`.
#[derive(Clone, Debug, Default)]
pub struct RunRequest {
    /// Command and arguments; empty takes the image's.
    pub command: Vec<String>,
    /// Replaces the image's entrypoint; `Some("")` clears it.
    pub entrypoint: Option<String>,
    /// `-e NAME=value`, already completed from the user's environment.
    pub env: Vec<String>,
    /// `-w`.
    pub workdir: Option<String>,
    /// `-u user[:group]`.
    pub user: Option<String>,
    /// `-h`.
    pub hostname: Option<String>,
    /// `-v`.
    pub volumes: Vec<Volume>,
    /// `-m`, bytes.
    pub memory: Option<u64>,
    /// `--cpus`, in thousandths.
    pub cpus_milli: Option<u64>,
    /// `--cpuset-cpus`.
    pub cpuset_cpus: Option<String>,
    /// `--pids-limit`; 0 and -1 are unlimited.
    pub pids_limit: Option<i64>,
    /// `--network`.
    pub network: NetworkMode,
    /// `-p`.
    pub publish: Vec<PortMapping>,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--privileged`.
    pub privileged: bool,
    /// Not `--security-opt seccomp=unconfined`.
    pub seccomp: bool,
    /// `--security-opt no-new-privileges`.
    pub no_new_privileges: bool,
    /// `--read-only`.
    pub read_only: bool,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub interactive: bool,
    /// `--rm`.
    pub remove: bool,
    /// A user namespace with these maps, container id 0 at this host id, `size` ids.
    pub userns: Option<(u32, u32)>,
}

/// What the user asked of `run` that is part of an image's config too: `commit`
/// puts it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// `--entrypoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    /// The command behind the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `-e`, completed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// `-w`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// `-u`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl From<&RunRequest> for Requested {
    fn from(request: &RunRequest) -> Self {
        Requested {
            entrypoint: request.entrypoint.clone(),
            command: request.command.clone(),
            env: request.env.clone(),
            workdir: request.workdir.clone(),
            user: request.user.clone(),
        }
    }
}
