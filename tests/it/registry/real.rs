//! Debian's `docker-registry`, one for each test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::{Ran, Sandbox};

/// ann, geheim; bcrypt, which is all that it takes.
const HTPASSWD: &str = "ann:$2y$05$ArxzVKTSr3r26PgtY93RqumySoh6oMKIMK4MnC4uzST5kSHd.CCiG\n";

/// A registry that runs.
pub struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub host: String,
    data: PathBuf,
}

/// How it is to be.
#[derive(Default)]
pub struct Setup {
    /// Address to listen at; loopback without.
    pub address: Option<&'static str>,
    /// Wants a password.
    pub htpasswd: bool,
    /// Certificate and key, PEM.
    pub tls: Option<(String, String)>,
    /// Wants a token.
    pub tokens: Option<Tokens>,
}

/// Where its tokens come from, and who signs them.
pub struct Tokens {
    pub realm: String,
    pub service: String,
    pub issuer: String,
    /// PEM.
    pub certificate: String,
}

impl Registry {
    /// Starts one, in the sandbox's network, with its data in the sandbox.
    pub fn start(sandbox: &Sandbox, setup: &Setup) -> Registry {
        let place = |name: &str| sandbox.path(&format!("registry-{name}"));
        let address = setup.address.unwrap_or("127.0.0.1");
        let data = place("data");
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n\
             validation: {{manifests: {{urls: {{allow: [\"^http://127\\\\.\"]}}}}}}\n\
             http:\n  addr: \"{address}:0\"\n",
            data.display()
        );
        if let Some((certificate, key)) = &setup.tls {
            std::fs::write(place("cert.pem"), certificate).unwrap();
            std::fs::write(place("key.pem"), key).unwrap();
            config.push_str(&format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                place("cert.pem").display(),
                place("key.pem").display()
            ));
        }
        if setup.htpasswd {
            std::fs::write(place("htpasswd"), HTPASSWD).unwrap();
            config.push_str(&format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                place("htpasswd").display()
            ));
        }
        if let Some(tokens) = &setup.tokens {
            std::fs::write(place("signer.pem"), &tokens.certificate).unwrap();
            config.push_str(&format!(
                "auth: {{token: {{realm: \"{}\", service: \"{}\", issuer: \"{}\", rootcertbundle: {}}}}}\n",
                tokens.realm,
                tokens.service,
                tokens.issuer,
                place("signer.pem").display()
            ));
        }
        std::fs::write(place("config.yml"), config).unwrap();
        let mut child = sandbox
            .inside("docker-registry")
            .arg("serve")
            .arg(place("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the Debian package docker-registry is needed");
        // It says where it listens; what it says later is read and dropped.
        let log = BufReader::new(child.stderr.take().unwrap());
        let (tell, hear) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("listening on ") {
                    let host = rest.split(['"', ',']).next().unwrap_or_default().to_owned();
                    let _ = tell.send(host);
                }
            }
        });
        let host = hear.recv_timeout(Duration::from_secs(20));
        let mut registry = Registry { child, host: String::new(), data };
        registry.host = host.expect("docker-registry does not listen");
        registry
    }

    /// Loads an archive under a name of this registry.
    pub fn load(&self, sandbox: &Sandbox, parts: &super::images::Parts, name: &str) -> String {
        let name = format!("{}/{name}", self.host);
        let file = sandbox.path("archive.tar");
        std::fs::write(&file, parts.archive(&name)).unwrap();
        sandbox.glassbox(&["load", "-q", "-i", file.to_str().unwrap()]).expect(0);
        name
    }

    /// Whether its disk has the content of a blob.
    pub fn has(&self, digest: &str) -> bool {
        let hex = digest.trim_start_matches("sha256:");
        self.data.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data").exists()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command with another store beside the sandbox's own: another machine.
pub fn elsewhere(sandbox: &Sandbox, store: &str, args: &[&str]) -> Ran {
    let mut command = sandbox.inside(crate::support::GLASSBOX);
    command.arg("--root").arg(sandbox.path(store)).arg("--run-root").arg(sandbox.path("run-elsewhere"));
    command.args(args).output().unwrap().into()
}

/// A file of the unpacked layers of a store, whichever layer has it.
pub fn unpacked(sandbox: &Sandbox, store: &str, name: &str) -> Option<Vec<u8>> {
    let layers = std::fs::read_dir(sandbox.path(store).join("layers")).ok()?;
    layers.flatten().find_map(|l| std::fs::read(l.path().join("diff").join(name)).ok())
}

/// What a failed pull may not leave: work that was begun, blobs, layers, images.
pub fn expect_nothing(sandbox: &Sandbox, store: &str, after: &str) {
    let list = |dir: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(sandbox.path(store).join(dir)).into_iter().flatten().flatten();
        entries.map(|e| e.path()).collect()
    };
    for dir in ["tmp", "blobs/sha256", "layers", "l"] {
        assert!(list(dir).is_empty(), "after {after}: {:?}", list(dir));
    }
    let images = elsewhere(sandbox, store, &["images", "-q"]).expect(0).out;
    assert_eq!(images, "", "after {after}");
}
