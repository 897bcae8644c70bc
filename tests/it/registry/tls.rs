//! Certificates: trusted, not trusted, and none at all where there should be.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::images::small;
use super::real::{Registry, Setup};
use crate::support::Sandbox;

/// Not loopback, which needs no certificate: an address of the sandbox's own.
const ADDRESS: &str = "10.77.0.1";

struct Certificates {
    ca: String,
    server: (String, String),
}

fn certificates(address: &str) -> Certificates {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![address.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    Certificates { ca: ca.pem(), server: (server.pem(), key.serialize_pem()) }
}

fn with_address() -> Sandbox {
    let sandbox = Sandbox::root();
    let added = sandbox.inside("ip").args(["address", "add", &format!("{ADDRESS}/32"), "dev", "lo"]).status();
    assert!(added.unwrap().success());
    sandbox
}

#[test]
#[ignore = "root"]
fn a_certificate_of_ones_own_authority() {
    let sandbox = with_address();
    let made = certificates(ADDRESS);
    let setup = Setup { address: Some(ADDRESS), tls: Some(made.server), ..Setup::default() };
    let registry = Registry::start(&sandbox, &setup);
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let refused = sandbox.glassbox(&["push", &name]).expect(1).err;
    assert!(refused.contains("signed by an unknown authority"), "{refused}");
    assert!(refused.contains("--registry-ca"), "{refused}");

    let ca = sandbox.path("ca.pem");
    std::fs::write(&ca, &made.ca).unwrap();
    let ca = ca.to_str().unwrap();
    sandbox.glassbox(&["push", "--registry-ca", ca, &name]).expect(0);
    sandbox.glassbox(&["pull", "--insecure-registry", &registry.host, &name]).expect(0);
    let config = sandbox.path("config.toml");
    let text = format!("[registries.\"{}\"]\nca = [\"{ca}\"]\n", registry.host);
    std::fs::write(&config, text).unwrap();
    sandbox.glassbox(&["--config", config.to_str().unwrap(), "pull", &name]).expect(0);
    // Another authority is none.
    std::fs::write(ca, certificates(ADDRESS).ca).unwrap();
    sandbox.glassbox(&["pull", "--registry-ca", ca, &name]).expect(1);
    std::fs::write(ca, "nothing\n").unwrap();
    let none = sandbox.glassbox(&["pull", "--registry-ca", ca, &name]).expect(1).err;
    assert!(none.contains("no certificate"), "{none}");
}

#[test]
#[ignore = "root"]
fn a_certificate_for_another_name() {
    let sandbox = with_address();
    let made = certificates("registry.example");
    let setup = Setup { address: Some(ADDRESS), tls: Some(made.server), ..Setup::default() };
    let registry = Registry::start(&sandbox, &setup);
    std::fs::write(sandbox.path("ca.pem"), made.ca).unwrap();
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let ca = sandbox.path("ca.pem");
    let refused = sandbox.glassbox(&["push", "--registry-ca", ca.to_str().unwrap(), &name]).expect(1).err;
    assert!(refused.contains("for another name"), "{refused}");
}

#[test]
#[ignore = "root"]
fn plain_http_only_where_it_is_allowed() {
    let sandbox = with_address();
    let registry = Registry::start(&sandbox, &Setup { address: Some(ADDRESS), ..Setup::default() });
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let refused = sandbox.glassbox(&["push", &name]).expect(1).err;
    assert!(refused.contains("does not speak TLS"), "{refused}");
    assert!(refused.contains("--insecure-registry"), "{refused}");
    for allowed in [registry.host.as_str(), ADDRESS, "10.77.0.0/24"] {
        sandbox.glassbox(&["push", "-q", "--insecure-registry", allowed, &name]).expect(0);
    }
    let config = sandbox.path("config.toml");
    std::fs::write(&config, format!("insecure-registries = [\"{ADDRESS}\"]\n")).unwrap();
    sandbox.glassbox(&["--config", config.to_str().unwrap(), "pull", &name]).expect(0);
}
