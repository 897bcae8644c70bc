//! A token service in front of the real registry: it signs what the registry checks.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SigningKey};

use super::images::small;
use super::real::{Registry, Setup, Tokens};
use crate::support::{Ran, Sandbox, with_input};

const SERVICE: &str = "the registry";
const ISSUER: &str = "the token service";

/// ann, geheim: she may do everything. Who gives no name may pull.
const ANN: &str = "Basic YW5uOmdlaGVpbQ==";

/// Who asked, by its header, and for what.
type Asked = (Option<String>, Vec<String>);

struct Service {
    realm: String,
    /// Of the key that signs.
    certificate: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Signer {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Signer {
    fn new() -> Signer {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Signer { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// A JSON web token, RFC 7519, as the distribution project's token specification wants it.
    fn token(&self, access: &serde_json::Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = serde_json::json!({
            "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.issuer.der())],
        });
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": "", "aud": SERVICE, "exp": now + 300, "nbf": now - 60, "iat": now,
            "jti": "1", "access": access,
        });
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = fixed(&self.issuer.key().sign(signed.as_bytes()).unwrap());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The two numbers of an ECDSA signature, 32 bytes each: RFC 7518, section 3.4. They
/// come as a DER sequence of two integers.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.iter().take_while(|b| **b == 0).count()..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    out
}

impl Service {
    fn start() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let realm = format!("http://{}/token", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let signer = Signer::new();
        let certificate = signer.issuer.pem();
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(&stream, &signer, &log);
            }
        });
        Service { realm, certificate, asked }
    }

    fn tokens(&self) -> Tokens {
        Tokens {
            realm: self.realm.clone(),
            service: SERVICE.to_owned(),
            issuer: ISSUER.to_owned(),
            certificate: self.certificate.clone(),
        }
    }

    /// What was asked for since the last time.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(stream: &TcpStream, signer: &Signer, log: &Mutex<Vec<Asked>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let basic = lines.take_while(|line| !line.is_empty()).find_map(|l| {
        l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case("authorization")).map(|p| p.1.to_owned())
    });
    let query = first.split(' ').nth(1).and_then(|p| p.split_once('?')).map_or("", |(_, q)| q);
    let scopes: Vec<String> = query
        .split('&')
        .filter_map(|p| p.strip_prefix("scope="))
        .flat_map(|s| plain(s).split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    log.lock().unwrap().push((basic.clone(), scopes.clone()));
    let known = match basic.as_deref() {
        None => false,
        Some(ANN) => true,
        Some(_) => {
            return send(
                stream,
                "401 Unauthorized",
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#,
            );
        }
    };
    let access: Vec<_> = scopes
        .iter()
        .filter_map(|scope| {
            let (rest, actions) = scope.rsplit_once(':')?;
            let (kind, name) = rest.split_once(':')?;
            let granted: Vec<&str> = actions.split(',').filter(|a| known || *a == "pull").collect();
            Some(serde_json::json!({"type": kind, "name": name, "actions": granted}))
        })
        .collect();
    let token = signer.token(&access.into());
    send(stream, "200 OK", &serde_json::json!({"token": token, "expires_in": 300}).to_string());
}

/// Without the percent signs of RFC 3986.
fn plain(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().replace('+', " ");
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out.push_str(&part[2..].replace('+', " "));
    }
    out
}

fn send(mut stream: &TcpStream, status: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn docker(sandbox: &Sandbox, args: &[&str], input: &str) -> Ran {
    let mut command = sandbox.command(args);
    command.env("DOCKER_CONFIG", sandbox.path("docker"));
    with_input(&mut command, input)
}

#[test]
#[ignore = "root"]
fn a_registry_with_a_token_service() {
    // On loopback of the host, where the service is.
    let sandbox = Sandbox::plain();
    let service = Service::start();
    let registry = Registry::start(&sandbox, &Setup { tokens: Some(service.tokens()), ..Setup::default() });
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let host = registry.host.as_str();

    let refused = docker(&sandbox, &["push", &name], "").expect(1).err;
    assert!(refused.contains("authentication required"), "{refused}");
    assert!(refused.contains(&format!("glassbox login {host}")), "{refused}");
    let asked = service.asked();
    assert!(asked.iter().all(|(who, _)| who.is_none()), "{asked:?}");
    assert!(
        asked.iter().any(|(_, scopes)| scopes.contains(&"repository:app:pull,push".to_owned())),
        "{asked:?}"
    );

    let login = ["login", "-u", "ann", "--password-stdin", host];
    docker(&sandbox, &login, "guess\n").expect(1);
    assert!(!sandbox.path("docker/config.json").exists(), "a wrong password is not kept");
    docker(&sandbox, &login, "geheim\n").expect(0);
    docker(&sandbox, &["push", &name], "").expect(0);

    // Layers that are there already are taken over from the other repository, for which
    // the token has to be good too.
    let other = format!("{host}/other:v1");
    docker(&sandbox, &["tag", &name, &other], "").expect(0);
    service.asked();
    let mounted = docker(&sandbox, &["push", &other], "").expect(0).out;
    assert!(mounted.contains("Mounted from app"), "{mounted}");
    let asked = service.asked();
    let both = |scopes: &Vec<String>| {
        scopes.iter().any(|s| s.starts_with("repository:app:") && s.contains("pull"))
            && scopes.contains(&"repository:other:pull,push".to_owned())
    };
    assert!(asked.iter().any(|(who, scopes)| who.as_deref() == Some(ANN) && both(scopes)), "{asked:?}");

    // Whoever gives no name may pull.
    docker(&sandbox, &["logout", host], "").expect(0);
    docker(&sandbox, &["rmi", &name, &other], "").expect(0);
    docker(&sandbox, &["pull", &name], "").expect(0);
    let asked = service.asked();
    assert!(asked.contains(&(None, vec!["repository:app:pull".to_owned()])), "{asked:?}");
}
