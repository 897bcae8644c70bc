//! What is to run, as JSON: the options of `run`, by their long names.

use serde::{Deserialize, Serialize};

use crate::kernel::Watch;
use crate::spec::{NetworkMode, RunRequest, SpecError, ports};

/// A run of the built-in image on the model. Every field may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    /// The command and its arguments; empty is the image's, a shell.
    pub command: Vec<String>,
    /// What the container reads from its standard input; with none it is not connected.
    pub input: String,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Working directory in the container.
    pub workdir: Option<String>,
    /// `USER[:GROUP]`.
    pub user: Option<String>,
    /// Host name of the container.
    pub hostname: Option<String>,
    /// Memory limit, bytes.
    pub memory: Option<u64>,
    /// Number of processes.
    pub pids_limit: Option<i64>,
    /// `bridge`, `host` or `none`.
    pub network: String,
    /// `HOST:CONTAINER`.
    pub publish: Vec<String>,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// Every capability, no filter, nothing masked.
    pub privileged: bool,
    /// A read-only root file system.
    pub read_only: bool,
    /// First host id and number of ids of a user namespace.
    pub userns: Option<(u32, u32)>,
    /// The container is removed when it ends.
    pub rm: bool,
    /// `after`, or `before_and_after` for evidence before each step too; `off` tells no calls.
    pub watch: Watch,
    /// The disk that an earlier run left, to go on with.
    pub disk: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            command: Vec::new(),
            input: String::new(),
            env: Vec::new(),
            workdir: None,
            user: None,
            hostname: None,
            memory: None,
            pids_limit: None,
            network: "bridge".to_owned(),
            publish: Vec::new(),
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            privileged: false,
            read_only: false,
            userns: None,
            rm: false,
            watch: Watch::After,
            disk: None,
        }
    }
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with the JSON, with line and column.
    pub fn from_json(text: &str) -> Result<Request, SpecError> {
        serde_json::from_str(text).map_err(|e| SpecError::new(format!("cannot read the request: {e}")))
    }

    /// What the planner is asked for.
    pub(super) fn run(&self) -> Result<RunRequest, SpecError> {
        let mut request = RunRequest {
            command: self.command.clone(),
            env: self.env.clone(),
            workdir: self.workdir.clone(),
            user: self.user.clone(),
            hostname: self.hostname.clone(),
            memory: self.memory,
            pids_limit: self.pids_limit,
            network: self.network.parse::<NetworkMode>()?,
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            privileged: self.privileged,
            seccomp: true,
            read_only: self.read_only,
            interactive: !self.input.is_empty(),
            remove: self.rm,
            userns: self.userns,
            ..RunRequest::default()
        };
        for port in &self.publish {
            request.publish.extend(ports::parse(port)?);
        }
        Ok(request)
    }
}
