//! Request + image config -> [`RunSpec`].

use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;
use oci_spec::runtime::{
    Capabilities, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxCpuBuilder, LinuxDeviceCgroup,
    LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxIdMappingBuilder, LinuxMemoryBuilder,
    LinuxNamespaceBuilder, LinuxNamespaceType, LinuxPidsBuilder, LinuxResourcesBuilder, Mount, MountBuilder,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use super::request::{NetworkMode, RunRequest};
use super::user::User;
use super::{BridgeNetwork, Dirs, ImageUse, Network, RunSpec, SpecError, capabilities, defaults};
use crate::image::Image;
use crate::kernel::HostFacts;

/// What a specification is built from.
pub struct Inputs<'a> {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// What the user asked.
    pub request: &'a RunRequest,
    /// The image, resolved.
    pub image: &'a Image,
    /// Who the command runs as.
    pub user: User,
    /// What the host offers.
    pub facts: &'a HostFacts,
    /// The default bridge network of this store, without ports.
    pub bridge: BridgeNetwork,
    /// Where things are.
    pub dirs: Dirs,
    /// The host's own name, used with `--network host`.
    pub host_name: String,
}

/// The command: the image's entrypoint and command with the user's in their
/// place, as Docker combines them.
pub fn command(request: &RunRequest, config: &ImageConfiguration) -> Result<Vec<String>, SpecError> {
    let own = config.config().as_ref();
    let image_entry = own.and_then(|c| c.entrypoint().clone()).unwrap_or_default();
    let image_cmd = own.and_then(|c| c.cmd().clone()).unwrap_or_default();
    let mut argv = match &request.entrypoint {
        None => image_entry,
        Some(e) if e.is_empty() => Vec::new(),
        Some(e) => vec![e.clone()],
    };
    if !request.command.is_empty() {
        argv.extend(request.command.iter().cloned());
    } else if request.entrypoint.is_none() {
        argv.extend(image_cmd);
    }
    if argv.is_empty() {
        return Err(SpecError::new("no command specified, and the image names none")
            .hint("put a command behind the image, such as: glassbox run IMAGE sh"));
    }
    Ok(argv)
}

/// Builds the specification.
pub fn build(inputs: Inputs<'_>) -> Result<RunSpec, SpecError> {
    let Inputs { id, name, request, image, user, facts, bridge, dirs, host_name } = inputs;
    let argv = command(request, &image.config)?;
    let host_network = request.network == NetworkMode::Host;
    let hostname = match &request.hostname {
        Some(h) => checked_hostname(h)?,
        None if host_network => host_name,
        None => id[..12].to_owned(),
    };
    let caps = granted(request, facts)?;
    let oci = oci(request, image, &argv, &user, &hostname, &caps, facts, &dirs)?;
    let network = match request.network {
        NetworkMode::Host => Network::Host,
        NetworkMode::None => Network::None,
        NetworkMode::Bridge => Network::Bridge(BridgeNetwork { ports: request.publish.clone(), ..bridge }),
    };
    let resolv_conf =
        if host_network { facts.resolv_conf.clone() } else { without_loopback(&facts.resolv_conf) };
    Ok(RunSpec {
        id,
        name,
        oci,
        image: ImageUse {
            reference: image.reference.clone(),
            id: image.id.clone(),
            manifest: image.manifest.clone(),
            layers: image.layers.clone(),
        },
        network,
        dirs,
        interactive: request.interactive,
        remove: request.remove,
        seccomp: request.seccomp && !request.privileged,
        resolv_conf,
    })
}

/// The capabilities of the container. Everything means everything that this
/// host has to give; one asked for by name has to be there.
fn granted(request: &RunRequest, facts: &HostFacts) -> Result<Vec<String>, SpecError> {
    let here = |name: &str| capabilities::number(name).is_some_and(|n| facts.capabilities >> n & 1 == 1);
    let wanted = if request.privileged {
        capabilities::all().to_vec()
    } else {
        capabilities::resolve(&request.cap_add, &request.cap_drop)
            .map_err(|e| SpecError::new(e.to_string()).hint(e.hint()))?
    };
    for added in &request.cap_add {
        if let Ok(Some(name)) = capabilities::parse(added)
            && wanted.contains(&name)
            && !here(name)
        {
            return Err(SpecError::new(format!("cannot grant {name}: this process does not have it itself"))
                .hint("leave it out, or run glassbox where it has all capabilities"));
        }
    }
    Ok(wanted.into_iter().filter(|c| here(c)).map(str::to_owned).collect())
}

fn checked_hostname(name: &str) -> Result<String, SpecError> {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && !name.starts_with(['-', '.']);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(SpecError::new(format!("invalid host name {name:?}"))
            .hint("use 1 to 63 letters, digits, hyphens and dots, not starting with a hyphen or a dot"))
    }
}

/// A name server on the host's loopback cannot be reached from another network
/// namespace.
fn without_loopback(resolv_conf: &str) -> String {
    let local = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver")
            && words.next().is_some_and(|a| a.starts_with("127.") || a == "::1")
    };
    resolv_conf.lines().filter(|l| !local(l)).map(|l| format!("{l}\n")).collect()
}

fn environment(request: &RunRequest, image: &Image, user: &User, hostname: &str) -> Vec<String> {
    let mut env: Vec<String> = vec![defaults::PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if request.tty {
        env.push("TERM=xterm".to_owned());
    }
    env.push(format!("HOME={}", user.home));
    let from_image = image.config.config().as_ref().and_then(|c| c.env().clone()).unwrap_or_default();
    for setting in from_image.into_iter().chain(request.env.iter().cloned()) {
        let name = setting.split('=').next().unwrap_or_default();
        match env.iter_mut().find(|e| e.split('=').next() == Some(name)) {
            Some(old) => *old = setting,
            None => env.push(setting),
        }
    }
    env
}

fn built<T>(result: Result<T, oci_spec::OciSpecError>) -> Result<T, SpecError> {
    result.map_err(|e| SpecError::new(format!("cannot express the request as an OCI specification: {e}")))
}

#[allow(clippy::too_many_arguments, reason = "one caller, each a different input of the specification")]
fn oci(
    request: &RunRequest,
    image: &Image,
    argv: &[String],
    user: &User,
    hostname: &str,
    caps: &[String],
    facts: &HostFacts,
    dirs: &Dirs,
) -> Result<Spec, SpecError> {
    let config = image.config.config().as_ref();
    let cwd = request
        .workdir
        .clone()
        .or_else(|| config.and_then(|c| c.working_dir().clone()).filter(|w| !w.is_empty()))
        .unwrap_or_else(|| "/".to_owned());
    if !cwd.starts_with('/') {
        return Err(SpecError::new(format!("the working directory {cwd:?} is not an absolute path"))
            .hint("write -w /path"));
    }
    let granted: Capabilities = caps
        .iter()
        .map(|c| {
            serde_json::from_value(serde_json::Value::String(c.clone()))
                .map_err(|_| SpecError::new(format!("unknown capability {c}")))
        })
        .collect::<Result<_, _>>()?;
    // A user other than root starts without effective capabilities, as execve
    // would leave it; only the bounding set says what a set-user-ID program may regain.
    let live = if user.uid == 0 { granted.clone() } else { Capabilities::new() };
    let process = built(
        ProcessBuilder::default()
            .terminal(request.tty)
            .user(built(
                UserBuilder::default()
                    .uid(user.uid)
                    .gid(user.gid)
                    .additional_gids(user.groups.clone())
                    .build(),
            )?)
            .args(argv.to_vec())
            .env(environment(request, image, user, hostname))
            .cwd(cwd)
            .capabilities(built(
                LinuxCapabilitiesBuilder::default()
                    .bounding(granted)
                    .effective(live.clone())
                    .permitted(live)
                    .inheritable(Capabilities::new())
                    .ambient(Capabilities::new())
                    .build(),
            )?)
            .rlimits(Vec::new())
            .no_new_privileges(request.no_new_privileges)
            .build(),
    )?;
    let paths = |all: &[&str]| {
        if request.privileged { Vec::new() } else { all.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>() }
    };
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(request, facts)?)
        .resources(resources(request)?)
        .masked_paths(paths(defaults::MASKED))
        .readonly_paths(paths(defaults::READONLY));
    if let Some((host, size)) = request.userns {
        let map =
            built(LinuxIdMappingBuilder::default().container_id(0u32).host_id(host).size(size).build())?;
        linux = linux.uid_mappings(vec![map]).gid_mappings(vec![map]);
    }
    built(
        SpecBuilder::default()
            .version("1.2.0")
            .root(built(
                RootBuilder::default()
                    .path(dirs.container.join("rootfs"))
                    .readonly(request.read_only)
                    .build(),
            )?)
            .hostname(hostname)
            .mounts(mounts(request, dirs)?)
            .process(process)
            .linux(built(linux.build())?)
            .build(),
    )
}

fn namespaces(
    request: &RunRequest,
    facts: &HostFacts,
) -> Result<Vec<oci_spec::runtime::LinuxNamespace>, SpecError> {
    use LinuxNamespaceType as T;
    let mut types = vec![T::Mount, T::Pid, T::Uts, T::Ipc, T::Cgroup];
    if request.network != NetworkMode::Host {
        types.push(T::Network);
    }
    if facts.time_namespace {
        types.push(T::Time);
    }
    if request.userns.is_some() {
        types.push(T::User);
    }
    types.into_iter().map(|t| built(LinuxNamespaceBuilder::default().typ(t).build())).collect()
}

fn resources(request: &RunRequest) -> Result<oci_spec::runtime::LinuxResources, SpecError> {
    let mut cpu = LinuxCpuBuilder::default();
    if let Some(milli) = request.cpus_milli {
        cpu = cpu.quota(milli as i64 * 100).period(100_000u64);
    }
    if let Some(cpus) = &request.cpuset_cpus {
        cpu = cpu.cpus(cpus.clone());
    }
    let mut resources = LinuxResourcesBuilder::default().cpu(built(cpu.build())?);
    if let Some(bytes) = request.memory {
        let bytes = i64::try_from(bytes).map_err(|_| {
            SpecError::new(format!("-m {bytes} is larger than any memory")).hint("such as -m 512m")
        })?;
        resources = resources
            .memory(built(LinuxMemoryBuilder::default().limit(bytes).swap(bytes.saturating_mul(2)).build())?);
    }
    if let Some(limit) = request.pids_limit
        && limit > 0
    {
        resources = resources.pids(built(LinuxPidsBuilder::default().limit(limit).build())?);
    }
    // Without rules a privileged container may use every device.
    resources = resources.devices(if request.privileged { Vec::new() } else { default_devices()? });
    built(resources.build())
}

fn default_devices() -> Result<Vec<LinuxDeviceCgroup>, SpecError> {
    crate::plan::cgroup::default_devices()
        .into_iter()
        .map(|rule| {
            let kind = match rule.kind {
                'c' => LinuxDeviceType::C,
                'b' => LinuxDeviceType::B,
                _ => LinuxDeviceType::A,
            };
            let mut device =
                LinuxDeviceCgroupBuilder::default().allow(rule.allow).typ(kind).access(rule.access);
            if let Some(major) = rule.major {
                device = device.major(major);
            }
            if let Some(minor) = rule.minor {
                device = device.minor(minor);
            }
            built(device.build())
        })
        .collect()
}

fn mounts(request: &RunRequest, dirs: &Dirs) -> Result<Vec<Mount>, SpecError> {
    let mut all = Vec::new();
    for (destination, kind, source, options) in defaults::MOUNTS {
        let writable = request.privileged && destination.starts_with("/sys");
        all.push(built(
            MountBuilder::default()
                .destination(*destination)
                .typ(*kind)
                .source(*source)
                .options(
                    options
                        .iter()
                        .filter(|o| !(writable && **o == "ro"))
                        .map(|o| (*o).to_owned())
                        .collect::<Vec<_>>(),
                )
                .build(),
        )?);
    }
    for file in ["resolv.conf", "hostname", "hosts"] {
        all.push(bind(
            dirs.container.join(file),
            &format!("/etc/{file}"),
            vec!["bind".into(), "rprivate".into()],
        )?);
    }
    for volume in &request.volumes {
        let mut options = vec!["rbind".to_owned(), volume.propagation.clone()];
        if volume.read_only {
            options.push("ro".to_owned());
        }
        all.retain(|m| m.destination().as_os_str() != volume.target.trim_end_matches('/'));
        all.push(bind(PathBuf::from(&volume.source), &volume.target, options)?);
    }
    Ok(all)
}

fn bind(source: PathBuf, target: &str, options: Vec<String>) -> Result<Mount, SpecError> {
    built(MountBuilder::default().destination(target).typ("bind").source(source).options(options).build())
}
