//! A further command in a container that runs: from the process of the container's
//! specification and a request to the process that is wanted. Pure functions.

use oci_spec::runtime::{Capabilities, LinuxCapabilitiesBuilder, Process, UserBuilder};

use super::user::User;
use super::{SpecError, capabilities};

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// Command and arguments.
    pub command: Vec<String>,
    /// `NAME=value`, over the container's own.
    pub env: Vec<String>,
    /// Working directory, in place of the container's.
    pub workdir: Option<String>,
    /// Every capability, and no filter of system calls.
    pub privileged: bool,
    /// A terminal.
    pub tty: bool,
    /// Standard input is connected.
    pub interactive: bool,
    /// Nobody waits for the command.
    pub detach: bool,
}

/// Another user than the container's, by the container's own user database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsUser {
    /// Who.
    pub user: User,
    /// The home directory of the container's own user there.
    pub own_home: String,
}

/// The process that is wanted. `here` is the mask of the capabilities that this host
/// has to give, by number, capabilities(7).
///
/// # Errors
/// A working directory that is not absolute.
pub fn process(
    own: &Process,
    request: &ExecRequest,
    as_user: Option<&AsUser>,
    here: u64,
) -> Result<Process, SpecError> {
    let mut process = own.clone();
    process.set_args(Some(request.command.clone()));
    process.set_terminal(Some(request.tty));
    process.set_env(Some(environment(own, request, as_user)));
    if let Some(dir) = &request.workdir {
        if !dir.starts_with('/') {
            return Err(SpecError::new(format!("the working directory {dir:?} is not an absolute path"))
                .hint("write -w /path"));
        }
        process.set_cwd(dir.into());
    }
    if let Some(AsUser { user, .. }) = as_user {
        let built = UserBuilder::default()
            .uid(user.uid)
            .gid(user.gid)
            .additional_gids(user.groups.clone())
            .build()
            .map_err(inexpressible)?;
        process.set_user(built);
    }
    let bounding = match request.privileged {
        true => everything(here)?,
        false => {
            let own = own.capabilities().as_ref();
            own.and_then(|c| c.bounding().clone()).unwrap_or_default()
        }
    };
    // As execve would leave it: only root begins with what the bounding set has.
    let live = if process.user().uid() == 0 { bounding.clone() } else { Capabilities::new() };
    let sets = LinuxCapabilitiesBuilder::default()
        .bounding(bounding)
        .effective(live.clone())
        .permitted(live)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .map_err(inexpressible)?;
    process.set_capabilities(Some(sets));
    Ok(process)
}

fn inexpressible(error: oci_spec::OciSpecError) -> SpecError {
    SpecError::new(format!("cannot express the request as an OCI specification: {error}"))
}

fn everything(here: u64) -> Result<Capabilities, SpecError> {
    let has = |name: &&&str| capabilities::number(name).is_some_and(|n| here >> n & 1 == 1);
    capabilities::all()
        .iter()
        .filter(has)
        .map(|c| {
            serde_json::from_value(serde_json::Value::String((*c).to_owned()))
                .map_err(|_| SpecError::new(format!("unknown capability {c}")))
        })
        .collect()
}

/// The container's, with a terminal's TERM, the home of another user, and what was
/// asked for.
fn environment(own: &Process, request: &ExecRequest, as_user: Option<&AsUser>) -> Vec<String> {
    let mut env = own.env().clone().unwrap_or_default();
    let mut defaults = Vec::new();
    if request.tty && !env.iter().any(|e| e.starts_with("TERM=")) {
        defaults.push("TERM=xterm".to_owned());
    }
    if let Some(AsUser { user, own_home }) = as_user {
        // A HOME that was chosen for the container is not its user's, and stays.
        let chosen = env.iter().find_map(|e| e.strip_prefix("HOME=")).is_some_and(|home| home != own_home);
        if !chosen {
            defaults.push(format!("HOME={}", user.home));
        }
    }
    for setting in defaults.into_iter().chain(request.env.iter().cloned()) {
        let name = setting.split('=').next().unwrap_or_default();
        match env.iter_mut().find(|e| e.split('=').next() == Some(name)) {
            Some(old) => *old = setting,
            None => env.push(setting),
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Process {
        serde_json::from_str(
            r#"{"terminal":false,"user":{"uid":0,"gid":0,"additionalGids":[4]},"args":["sleep","9"],
                "env":["PATH=/bin","HOME=/root","A=1"],"cwd":"/srv","noNewPrivileges":true,
                "capabilities":{"bounding":["CAP_CHOWN"],"effective":["CAP_CHOWN"],"inheritable":[],
                "permitted":["CAP_CHOWN"],"ambient":[]}}"#,
        )
        .unwrap()
    }

    fn wants(request: ExecRequest) -> Process {
        process(&own(), &request, None, u64::MAX).unwrap()
    }

    #[test]
    fn what_is_not_asked_for_is_the_container_s() {
        let process = wants(ExecRequest { command: vec!["ls".into()], ..ExecRequest::default() });
        assert_eq!(process.args().clone().unwrap(), ["ls"]);
        assert_eq!(process.env().clone().unwrap(), ["PATH=/bin", "HOME=/root", "A=1"]);
        assert_eq!(process.cwd().to_str(), Some("/srv"));
        assert_eq!(process.user(), own().user());
        assert_eq!(process.no_new_privileges(), Some(true));
        assert_eq!(process.capabilities(), own().capabilities());
    }

    #[test]
    fn the_environment_is_the_container_s_and_more() {
        let request =
            ExecRequest { env: vec!["A=2".into(), "B=3".into()], tty: true, ..ExecRequest::default() };
        let env = wants(request).env().clone().unwrap();
        assert_eq!(env, ["PATH=/bin", "HOME=/root", "A=2", "TERM=xterm", "B=3"]);
    }

    #[test]
    fn another_user_has_its_own_home_and_no_live_capabilities() {
        let user = User { uid: 33, gid: 33, groups: vec![50], home: "/srv/web".into() };
        let of = |own_home: &str| {
            let other = AsUser { user: user.clone(), own_home: own_home.into() };
            process(&own(), &ExecRequest::default(), Some(&other), u64::MAX).unwrap()
        };
        let other = of("/root");
        assert!(other.env().clone().unwrap().contains(&"HOME=/srv/web".to_owned()));
        assert_eq!((other.user().uid(), other.user().gid()), (33, 33));
        assert_eq!(other.user().additional_gids().clone().unwrap(), [50]);
        let caps = other.capabilities().clone().unwrap();
        assert_eq!(caps.bounding().as_ref().unwrap().len(), 1);
        assert!(caps.effective().as_ref().unwrap().is_empty());
        // That HOME was given with `run -e`.
        assert!(of("/").env().clone().unwrap().contains(&"HOME=/root".to_owned()));
    }

    #[test]
    fn privileged_has_all_that_the_host_has() {
        let all = |here| {
            let request = ExecRequest { privileged: true, ..ExecRequest::default() };
            let caps = process(&own(), &request, None, here).unwrap().capabilities().clone().unwrap();
            (caps.bounding().as_ref().unwrap().len(), caps.effective().as_ref().unwrap().len())
        };
        assert_eq!(all(u64::MAX), (41, 41));
        assert_eq!(all(0b101), (2, 2));
    }

    #[test]
    fn the_working_directory_is_absolute() {
        let request = ExecRequest { workdir: Some("srv".into()), ..ExecRequest::default() };
        assert!(process(&own(), &request, None, 0).unwrap_err().hint.is_some());
        let request = ExecRequest { workdir: Some("/tmp".into()), ..ExecRequest::default() };
        assert_eq!(wants(request).cwd().to_str(), Some("/tmp"));
    }
}
