//! What is wanted: from a request and the image's config to an OCI runtime
//! specification, plus what that has no place for (network, image, names).
//! Pure functions.

pub mod build;
pub mod capabilities;
mod defaults;
pub mod exec;
pub mod ports;
pub mod request;
pub mod user;
pub mod volumes;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use oci_spec::runtime::Spec;

use crate::image::Layer;
use ports::PortMapping;

pub use request::{NetworkMode, Requested, RunRequest};

/// A request that cannot be met. Reads as a fragment after "failed to …" or
/// on its own; `hint` says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// What is wrong, on which value.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl SpecError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        SpecError { message: message.into(), hint: None }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A container as wanted: everything that the planner needs.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The OCI runtime specification.
    pub oci: Spec,
    /// Where the image's parts are.
    pub image: ImageUse,
    /// Network attachment.
    pub network: Network,
    /// Directories.
    pub dirs: Dirs,
    /// Standard input is connected.
    pub interactive: bool,
    /// Remove the container when it ends (`--rm`).
    pub remove: bool,
    /// Capabilities for the default seccomp profile; `None` is unconfined.
    pub seccomp: bool,
    /// Text of `/etc/resolv.conf`.
    pub resolv_conf: String,
}

/// The image that a container is made from.
#[derive(Clone, Debug)]
pub struct ImageUse {
    /// As resolved.
    pub reference: String,
    /// Config digest.
    pub id: String,
    /// Manifest digest.
    pub manifest: String,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// The directories of one container.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// In the store: record, writable layer, names.
    pub container: PathBuf,
    /// Tells this store's cgroups and links from another's; empty for the default store.
    pub scope: String,
    /// Holds a file per address that is given out; also the network's own state.
    pub leases: PathBuf,
}

/// How the container is attached.
#[derive(Clone, Debug)]
pub enum Network {
    /// The host's own network namespace.
    Host,
    /// A namespace with nothing but `lo`.
    None,
    /// A veth pair into a bridge.
    Bridge(BridgeNetwork),
}

/// A bridge network of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeNetwork {
    /// The bridge's interface name, and the network's.
    pub bridge: String,
    /// nftables table.
    pub table: String,
    /// First address.
    pub subnet: Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
    /// The bridge's own address.
    pub gateway: Ipv4Addr,
    /// Published ports.
    pub ports: Vec<PortMapping>,
}

impl RunSpec {
    /// The container's name among cgroups: ids are unique in a store only.
    pub fn cgroup(&self) -> String {
        if self.dirs.scope.is_empty() { self.id.clone() } else { format!("{}-{}", self.dirs.scope, self.id) }
    }

    /// The first twelve digits of the id, as commands print it.
    pub fn short_id(&self) -> &str {
        &self.id[..12]
    }
}

/// Character devices that every container has: path, major, minor.
pub fn default_nodes() -> &'static [(&'static str, u32, u32)] {
    defaults::NODES
}

/// Links that every container has: path, target.
pub fn default_links() -> &'static [(&'static str, &'static str)] {
    defaults::LINKS
}
