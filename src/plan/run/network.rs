//! Bridge, veth, address, route, NAT and ports; and the small files by which a
//! container knows its own and other names.

use sha2::{Digest, Sha256};

use super::Builder;
use crate::plan::op::{Arg, Slot};
use crate::plan::{Op, Phase};
use crate::spec::{BridgeNetwork, Network, RunSpec};

/// The container's end of the pair.
const INSIDE: &str = "eth0";

/// The runtime's part.
pub(super) fn outside(b: &mut Builder, spec: &RunSpec) {
    if let Network::Bridge(net) = &spec.network {
        bridge(b, spec, net);
    }
    names(b, spec);
}

fn bridge(b: &mut Builder, spec: &RunSpec, net: &BridgeNetwork) {
    b.runtime(
        Phase::Network,
        "create-bridge",
        Op::CreateBridge { name: net.bridge.clone(), address: net.gateway, prefix: net.prefix },
    );
    b.runtime(
        Phase::Network,
        "enable-forwarding",
        Op::WriteSysctl { file: "/proc/sys/net/ipv4/ip_forward".into(), value: "1".into() },
    );
    b.runtime(
        Phase::Network,
        "create-nat",
        Op::CreateNat {
            table: net.table.clone(),
            bridge: net.bridge.clone(),
            subnet: net.subnet,
            prefix: net.prefix,
        },
    );
    b.runtime(
        Phase::Network,
        "allocate-address",
        Op::AllocateAddress {
            network: net.bridge.clone(),
            leases: spec.dirs.leases.to_string_lossy().into_owned(),
            subnet: net.subnet,
            prefix: net.prefix,
            gateway: net.gateway,
            container: spec.id.clone(),
        },
    );
    b.runtime(
        Phase::Network,
        "create-veth",
        Op::CreateVeth {
            host: veth(spec),
            peer: INSIDE.into(),
            bridge: net.bridge.clone(),
            mac: mac(&spec.id),
        },
    );
    for port in &net.ports {
        b.runtime(
            Phase::Network,
            &format!("publish-{}-{}", port.host_port, port.protocol.name()),
            Op::PublishPort {
                table: net.table.clone(),
                protocol: port.protocol,
                host_ip: port.host_ip,
                host_port: port.host_port,
                container_port: port.container_port,
                address: Arg::Slot { slot: Slot::Address },
                container: spec.id.clone(),
            },
        );
    }
}

/// `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`, written on the host
/// and bound into the container.
fn names(b: &mut Builder, spec: &RunSpec) {
    let host = spec.oci.hostname().clone().unwrap_or_default();
    let own = match spec.network {
        Network::Bridge(_) => format!("{{address}}\t{host}\n"),
        Network::None | Network::Host => String::new(),
    };
    let hosts = format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
         ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n{own}"
    );
    for (name, content) in
        [("hostname", format!("{host}\n")), ("hosts", hosts), ("resolv.conf", spec.resolv_conf.clone())]
    {
        let path = spec.dirs.container.join(name).to_string_lossy().into_owned();
        b.runtime(Phase::Network, &format!("write-{name}"), Op::WriteFile { path, content, mode: 0o644 });
    }
}

/// Init's part, inside the new network namespace.
pub(super) fn inside(b: &mut Builder, spec: &RunSpec) {
    if matches!(spec.network, Network::Host) {
        return;
    }
    b.init(Phase::Network, "set-lo-up", Op::SetLinkUp { link: "lo".into() });
    if let Network::Bridge(net) = &spec.network {
        let address = Arg::Slot { slot: Slot::Address };
        b.init(Phase::Network, "add-address", Op::AddAddress { link: INSIDE.into(), address });
        b.init(Phase::Network, "set-eth0-up", Op::SetLinkUp { link: INSIDE.into() });
        b.init(Phase::Network, "add-default-route", Op::AddDefaultRoute { via: net.gateway });
    }
}

/// The host's end: 15 characters at most, told from others by store and id.
fn veth(spec: &RunSpec) -> String {
    if spec.dirs.scope.is_empty() {
        return format!("gbx{}", &spec.id[..10]);
    }
    let hash = Sha256::digest(spec.cgroup());
    format!("gbx{}", hash[..5].iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// A locally administered unicast address, the same for the same container.
fn mac(id: &str) -> String {
    let hash = Sha256::digest(id.as_bytes());
    let tail: Vec<String> = hash[..5].iter().map(|b| format!("{b:02x}")).collect();
    format!("02:{}", tail.join(":"))
}
