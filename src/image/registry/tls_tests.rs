//! `certs.d`: an authority for one registry, and who the client is to it. The
//! registry has a name, which is reached through a proxy on loopback: loopback
//! addresses themselves need no certificate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::credentials::Credential;
use super::options::Retry;
use super::{Client, Options, RegistryError};

const HOST: &str = "registry.example:5000";

/// An authority, and certificates that it signed, as PEM: of the registry and of
/// a client, each with its key.
struct Signed {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn signed() -> Signed {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let sign = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Signed { ca: ca.pem(), server: sign("registry.example"), client: sign("ann") }
}

/// A registry that wants a certificate, behind a proxy; the proxy's address.
fn start(signed: &Signed) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der(&signed.ca)).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.server.1.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![der(&signed.server.0)], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || serve(stream, config));
        }
    });
    format!("http://{address}")
}

/// A head of HTTP, up to its empty line.
fn head(stream: &mut impl Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(text).ok()
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>) {
    let Some(asked) = head(&mut stream) else { return };
    assert!(asked.starts_with(&format!("CONNECT {HOST} ")), "{asked}");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    while let Some(asked) = head(&mut tls) {
        assert!(asked.starts_with("GET /v2/ "), "{asked}");
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").and_then(|()| tls.flush());
    }
}

fn login(proxy: &str, certs: &Path) -> Result<(), RegistryError> {
    let client = Client::new(Options {
        https_proxy: Some(proxy.to_owned()),
        certs_dirs: vec![certs.to_owned()],
        system_ca: Vec::new(),
        retry: Retry { attempts: 1, ..Retry::default() },
        ..Options::default()
    });
    client.login(HOST, Credential::Password { user: "ann".into(), password: "geheim".into() })
}

#[test]
fn a_registry_that_wants_a_certificate() {
    let made = signed();
    let proxy = start(&made);
    let certs = tempfile::tempdir().unwrap();
    let dir = certs.path().join(HOST);
    std::fs::create_dir(&dir).unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let fails = |words: &str| {
        let error = login(&proxy, certs.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    };
    fails("signed by an unknown authority");
    put("ca.crt", &made.ca);
    let refused = login(&proxy, certs.path()).unwrap_err();
    assert!(!matches!(refused, RegistryError::Unauthorized { .. }), "it fails before HTTP: {refused}");
    put("client.cert", &made.client.0);
    fails("its key");
    put("client.key", "nothing\n");
    fails("there is no private key in it");
    put("client.key", &made.client.1);
    login(&proxy, certs.path()).unwrap();

    // Another authority's client is nobody here; another authority's registry neither.
    let other = signed();
    put("client.cert", &other.client.0);
    put("client.key", &other.client.1);
    assert!(login(&proxy, certs.path()).is_err());
    put("ca.crt", &other.ca);
    fails("invalid peer certificate");
    // The directory of another port is another registry's.
    std::fs::rename(&dir, certs.path().join("registry.example:5001")).unwrap();
    fails("signed by an unknown authority");
}
