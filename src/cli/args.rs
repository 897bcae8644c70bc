//! The options of `run`, shared with `plan run`.

use std::env;
use std::path::Path;

use clap::{ArgAction, Args};

use super::error::{CliError, io};
use super::sizes::{parse_bytes, parse_cpus};
use crate::container::name;
use crate::spec::{NetworkMode, RunRequest, SpecError, ports, volumes};

/// What is to run, and how it is confined.
#[derive(Clone, Debug, Args)]
pub struct ContainerArgs {
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// Name of the container
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set an environment variable; without a value, the one of this shell
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// User, by name or number, with an optional group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Host name of the container
    #[arg(short = 'h', long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Show a directory or file of the host in the container
    #[arg(short, long, value_name = "HOST:CONTAINER[:ro]")]
    pub volume: Vec<String>,
    /// Memory limit, such as 64m
    #[arg(short, long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Number of CPUs, such as 0.5
    #[arg(long, value_name = "N")]
    pub cpus: Option<String>,
    /// CPUs that may be used, such as 0-1
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// Number of processes and threads; -1 is no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub pids_limit: Option<i64>,
    /// Network: bridge, host or none
    #[arg(long, visible_alias = "net", value_name = "MODE", default_value = "bridge")]
    pub network: String,
    /// Publish a port of the container on the host
    #[arg(short, long, value_name = "[[IP:]HOST:]CONTAINER[/PROTOCOL]")]
    pub publish: Vec<String>,
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAP")]
    pub cap_add: Vec<String>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAP")]
    pub cap_drop: Vec<String>,
    /// Every capability and device, no seccomp filter, nothing masked
    #[arg(long)]
    pub privileged: bool,
    /// seccomp=unconfined, no-new-privileges
    #[arg(long, value_name = "OPTION")]
    pub security_opt: Vec<String>,
    /// Make the container's root file system read-only
    #[arg(long)]
    pub read_only: bool,
    /// Replace the image's entrypoint
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,
    /// User namespace: host (none of its own), or HOSTID:SIZE to map container id 0 upwards there
    #[arg(long, value_name = "MODE", default_value = "host")]
    pub userns: String,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Image: a reference, or the beginning of an id
    pub image: String,
    /// Command and its arguments, in place of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl ContainerArgs {
    /// The request, with the user's environment filled in.
    pub fn request(&self) -> Result<RunRequest, CliError> {
        if let Some(name) = &self.name
            && !name::is_valid(name)
        {
            return Err(CliError::new(format!("invalid container name {name:?}"))
                .hint("use letters, digits, '_', '.', '-'; at least two, beginning with a letter or a digit")
                .status(125));
        }
        let mut request = RunRequest {
            command: self.command.clone(),
            entrypoint: self.entrypoint.clone(),
            env: self.env.iter().filter_map(|e| setting(e)).collect(),
            workdir: self.workdir.clone(),
            user: self.user.clone(),
            hostname: self.hostname.clone(),
            memory: self.memory.as_deref().map(parse_bytes).transpose()?,
            cpus_milli: self.cpus.as_deref().map(parse_cpus).transpose()?,
            cpuset_cpus: self.cpuset_cpus.clone(),
            pids_limit: self.pids_limit,
            network: self.network.parse()?,
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            privileged: self.privileged,
            seccomp: true,
            read_only: self.read_only,
            tty: self.tty,
            interactive: self.interactive,
            remove: self.rm,
            userns: userns(&self.userns)?,
            ..RunRequest::default()
        };
        for volume in &self.volume {
            request.volumes.push(volumes::parse(volume)?);
        }
        for port in &self.publish {
            request.publish.extend(ports::parse(port)?);
        }
        if !request.publish.is_empty() && request.network != NetworkMode::Bridge {
            super::output::note("published ports are passed over: they need --network bridge");
            request.publish.clear();
        }
        for option in &self.security_opt {
            match option.replacen(':', "=", 1).as_str() {
                "seccomp=unconfined" => request.seccomp = false,
                "no-new-privileges" | "no-new-privileges=true" => request.no_new_privileges = true,
                "no-new-privileges=false" => request.no_new_privileges = false,
                _ => {
                    return Err(SpecError::new(format!("unknown security option {option:?}"))
                        .hint("seccomp=unconfined or no-new-privileges")
                        .into());
                }
            }
        }
        Ok(request)
    }
}

/// `NAME` takes the value from this process's environment, and is left out if
/// that has none.
pub fn setting(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    env::var_os(text).map(|v| format!("{text}={}", v.to_string_lossy()))
}

/// The settings of a file with one on each line; empty lines and those that begin
/// with `#` say nothing.
pub fn env_file(path: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|e| io("read", path, &e).status(125))?;
    let lines = text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut settings = Vec::new();
    for line in lines {
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(CliError::new(format!("{}: {name:?} is no name of a variable", path.display()))
                .hint("write NAME=VALUE on each line, without spaces before the '='")
                .status(125));
        }
        settings.extend(setting(line));
    }
    Ok(settings)
}

fn userns(text: &str) -> Result<Option<(u32, u32)>, SpecError> {
    if text == "host" || text.is_empty() {
        return Ok(None);
    }
    text.split_once(':')
        .and_then(|(host, size)| Some((host.parse().ok()?, size.parse().ok()?)))
        .filter(|(host, size): &(u32, u32)| *size > 0 && host.checked_add(*size).is_some())
        .map(Some)
        .ok_or_else(|| {
            SpecError::new(format!("unknown user namespace {text:?}")).hint("host, or such as 100000:65536")
        })
}
