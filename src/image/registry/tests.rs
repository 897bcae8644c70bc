use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::credentials::{Credential, Credentials};
use super::options::Retry;
use super::test_server::{Reply, Seen, TestServer};
use super::*;
use crate::image::manifest::{MAX_MANIFEST, OCI_MANIFEST, REQUEST};
use crate::image::{Reference, digest};

pub const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":2}]}"#;

pub fn quick() -> Options {
    Options {
        retry: Retry { attempts: 4, first: Duration::from_millis(5), longest: Duration::from_secs(2) },
        idle: Duration::from_secs(20),
        ..Options::default()
    }
}

pub fn repository_with(host: &str, options: Options) -> Repository {
    let reference = Reference::parse(&format!("{host}/team/app")).unwrap();
    Repository::new(Arc::new(Client::new(options)), &reference).unwrap()
}

pub fn repository(server: &TestServer) -> Repository {
    repository_with(&server.host(), quick())
}

fn manifest_reply() -> Reply {
    Reply::new(200).header("Content-Type", OCI_MANIFEST).body(MANIFEST)
}

pub fn blob_of(bytes: &[u8]) -> Blob {
    Blob { digest: digest::of_bytes(bytes), size: bytes.len() as u64 }
}

fn with_credentials(host: &str) -> (tempfile::TempDir, Options) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    let credential = Credential::Password { user: "ann".into(), password: "geheim".into() };
    Credentials::at(&path).store(host, &credential).unwrap();
    (dir, Options { credentials: Some(path), ..quick() })
}

#[test]
fn a_manifest_and_what_is_sent_for_it() {
    let server = TestServer::start(|_, _| manifest_reply());
    let manifest = repository(&server).manifest("latest").unwrap();
    assert_eq!(manifest.digest, digest::of_bytes(MANIFEST.as_bytes()));
    assert!(!manifest.is_index());
    let seen = server.seen();
    assert_eq!(server.lines(), ["GET /v2/team/app/manifests/latest"]);
    let accepted: Vec<_> =
        seen[0].headers.iter().filter(|(n, _)| n == "accept").map(|(_, v)| v.as_str()).collect();
    assert_eq!(accepted, REQUEST);
    assert!(seen[0].header("user-agent").unwrap().starts_with("glassbox/"));
    assert_eq!(seen[0].header("authorization"), None);
}

/// A registry with a token service; the tokens count up.
fn with_tokens(check: impl Fn(&Seen) + Send + Sync + 'static) -> TestServer {
    let tokens = std::sync::atomic::AtomicUsize::new(0);
    TestServer::start(move |seen, _| {
        if seen.path.starts_with("/token") {
            check(seen);
            let n = 1 + tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return Reply::new(200).body(format!(r#"{{"token":"t{n}","expires_in":300}}"#));
        }
        let now = format!("Bearer t{}", tokens.load(std::sync::atomic::Ordering::SeqCst));
        match seen.header("authorization") {
            Some(given) if given == now && !seen.path.contains("tags") => manifest_reply(),
            _ => Reply::new(401).header(
                "WWW-Authenticate",
                r#"Bearer realm="/token",service="test reg",scope="repository:team/app:pull""#,
            ),
        }
    })
}

#[test]
fn a_token_is_fetched_once_and_used_again() {
    let server = with_tokens(|seen| {
        assert_eq!(seen.path, "/token?service=test%20reg&scope=repository:team/app:pull");
        assert_eq!(seen.header("authorization"), None);
    });
    let repository = repository(&server);
    for _ in 0..3 {
        repository.manifest("latest").unwrap();
    }
    let get = "GET /v2/team/app/manifests/latest";
    assert_eq!(
        server.lines(),
        [get, "GET /token?service=test%20reg&scope=repository:team/app:pull", get, get, get]
    );
}

#[test]
fn the_password_goes_to_the_token_service_only() {
    let server = with_tokens(|seen| {
        // ann:geheim
        assert_eq!(seen.header("authorization"), Some("Basic YW5uOmdlaGVpbQ=="));
        assert!(seen.path.ends_with("&account=ann"), "{}", seen.path);
    });
    let (_dir, options) = with_credentials(&server.host());
    repository_with(&server.host(), options).manifest("latest").unwrap();
    let basic = server
        .seen()
        .iter()
        .filter(|s| s.header("authorization").is_some_and(|a| a.starts_with("Basic")))
        .count();
    assert_eq!(basic, 1);
}

#[test]
fn a_token_that_is_refused_is_not_fetched_for_ever() {
    let server = with_tokens(|_| {});
    let error = repository(&server).tags().unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(server.lines().len() <= 4, "{:?}", server.lines());
    assert!(error.hint().unwrap().contains(&format!("glassbox login {}", server.host())));
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let server = TestServer::start(|seen, _| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/token") => {
            let form = String::from_utf8_lossy(&seen.body).into_owned();
            assert_eq!(
                form,
                "grant_type=refresh_token&service=s&client_id=glassbox&scope=repository:team/app:pull&refresh_token=a%2Bb"
            );
            Reply::new(200).body(r#"{"access_token":"x"}"#)
        }
        _ if seen.header("authorization") == Some("Bearer x") => manifest_reply(),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="/token",service="s""#),
    });
    let client = Client::new(quick());
    client.set_credential(&server.host(), Credential::IdentityToken("a+b".into()));
    let reference = Reference::parse(&format!("{}/team/app", server.host())).unwrap();
    Repository::new(Arc::new(client), &reference).unwrap().manifest("latest").unwrap();
}

#[test]
fn basic_authentication() {
    let server = TestServer::start(|seen, _| match seen.header("authorization") {
        Some("Basic YW5uOmdlaGVpbQ==") => manifest_reply(),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="x""#),
    });
    let (_dir, options) = with_credentials(&server.host());
    repository_with(&server.host(), options).manifest("latest").unwrap();
    let error = repository(&server).manifest("latest").unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
}

#[test]
fn credentials_never_follow_a_redirect_to_another_host() {
    let storage = TestServer::start(|_, _| Reply::new(200).body("content"));
    let there = format!("http://{}/signed?x=1", storage.host());
    let server = TestServer::start(move |seen, _| match seen.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic"),
        Some(_) if seen.path.ends_with("/moved") => Reply::new(307).header("Location", &there),
        Some(_) => Reply::new(307).header("Location", "/v2/moved"),
    });
    let (_dir, options) = with_credentials(&server.host());
    let mut text = String::new();
    repository_with(&server.host(), options)
        .blob(&blob_of(b"content"), 0)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "content");
    assert_eq!(storage.seen()[0].header("authorization"), None);
    // Within its own host they stay.
    assert!(server.seen().last().unwrap().header("authorization").is_some());
}

#[test]
fn a_loop_of_redirects_ends() {
    let server = TestServer::start(|seen, n| {
        Reply::new(307).header("Location", &format!("{}?{n}", seen.path.split('?').next().unwrap()))
    });
    let error = repository(&server).manifest("latest").unwrap_err();
    assert!(error.to_string().contains("redirects more than 10 times"), "{error}");
    assert_eq!(server.lines().len(), 11);
}

#[test]
fn it_tries_again_on_429_and_5xx_and_broken_connections() {
    let server = TestServer::start(|_, n| match n {
        0 => Reply::new(503),
        1 => Reply::new(429).header("Retry-After", "1"),
        2 => Reply::new(200).header("Content-Length", "100").header("Content-Type", OCI_MANIFEST).cut(0),
        _ => manifest_reply(),
    });
    let start = Instant::now();
    let repository = repository(&server);
    // The third answer breaks within its body, which is seen by who reads it.
    let error = repository.manifest("latest").unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
    repository.manifest("latest").unwrap();
}

#[test]
fn a_date_to_come_back_at_is_waited_for() {
    let server = TestServer::start(|_, n| match n {
        0 => Reply::new(503).header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
        1 => Reply::new(503).header("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT"),
        _ => manifest_reply(),
    });
    // The first date has passed; the second is too far away for anyone to wait.
    repository(&server).manifest("latest").unwrap_err();
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn a_rate_limit_is_told_with_how_long_it_lasts() {
    let server = TestServer::start(|_, _| {
        Reply::new(429).header("Retry-After", "3600").header("RateLimit-Limit", "100;w=21600").body(
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#,
        )
    });
    let error = repository(&server).manifest("latest").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "get manifest latest of team/app at {}: rate limit reached (100 in 6 hours): \
             toomanyrequests: You have reached your pull rate limit.",
            server.host()
        )
    );
    assert!(error.hint().unwrap().starts_with("try again in 60 minutes"));
    // It asks for longer than anyone waits: one request is all.
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_5xx_to_the_end_is_an_error() {
    let server = TestServer::start(|_, _| Reply::new(502));
    let error = repository(&server).manifest("latest").unwrap_err();
    assert!(matches!(error, RegistryError::Status { status: 502, .. }), "{error}");
    assert_eq!(server.lines().len(), 4);
}

#[test]
fn a_broken_download_goes_on_by_range() {
    let content: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
    let whole = content.clone();
    let server = TestServer::start(move |seen, _| match seen.header("range") {
        None => Reply::new(200).body(whole.clone()).cut(70_000),
        Some(range) => {
            let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
            Reply::new(206)
                .header("Content-Range", &format!("bytes {from}-{}/{}", whole.len() - 1, whole.len()))
                .body(&whole[from..])
        }
    });
    let repository = repository(&server);
    let mut got = Vec::new();
    let error = repository.blob(&blob_of(&content), 0).unwrap().read_to_end(&mut got).unwrap_err();
    assert_ne!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(got.len() <= 70_000);
    repository.blob(&blob_of(&content), got.len() as u64).unwrap().read_to_end(&mut got).unwrap();
    assert_eq!(digest::of_bytes(&got), digest::of_bytes(&content));
}

#[test]
fn a_registry_without_ranges_is_read_from_the_start() {
    let server = TestServer::start(|_, _| Reply::new(200).body("0123456789"));
    let mut got = String::new();
    repository(&server).blob(&blob_of(b"0123456789"), 4).unwrap().read_to_string(&mut got).unwrap();
    assert_eq!(got, "456789");
}

#[test]
fn hostile_answers_are_refused() {
    let blob = blob_of(b"0123456789");
    let long = "x".repeat(1000);
    let cases: Vec<(&str, Reply)> = vec![
        ("sends 9 bytes, not the 10", Reply::new(200).body("012345678")),
        ("sends 11 bytes, not the 10", Reply::new(200).body("0123456789a")),
        ("more bytes than the manifest", Reply::new(200).body(long.clone()).endless()),
        ("HTTP status 418", Reply::new(418)),
        ("no URL", Reply::new(302)),
        ("no URL", Reply::new(302).header("Location", "javascript:alert(1)")),
    ];
    for (words, reply) in cases {
        let server = TestServer::start(move |_, _| reply.clone());
        let mut sink = Vec::new();
        let error = match repository(&server).blob(&blob, 0) {
            Ok(mut stream) => stream.read_to_end(&mut sink).unwrap_err().to_string(),
            Err(e) => e.to_string(),
        };
        assert!(error.contains(words), "{words:?}: {error}");
        assert!(sink.len() <= 10);
    }
    let server =
        TestServer::start(|_, _| Reply::new(206).header("Content-Range", "bytes 0-4/10").body("01234"));
    let error = repository(&server).blob(&blob, 5).err().unwrap();
    assert!(error.to_string().contains("another range"), "{error}");
}

#[test]
fn hostile_manifests_are_refused() {
    let json = |body: &str| Reply::new(200).header("Content-Type", OCI_MANIFEST).body(body);
    let other = digest::of_bytes(b"other");
    for (words, reply) in [
        (
            "its answer is text/html, not a manifest",
            Reply::new(200).header("Content-Type", "text/html; charset=utf-8").body("<html>login</html>"),
        ),
        ("has more than 4194304 bytes", json(&" ".repeat(1 + MAX_MANIFEST as usize))),
        ("has more than 4194304 bytes", json(&" ".repeat(65536)).endless()),
        ("its digest is sha256:", json(MANIFEST).header("Docker-Content-Digest", &other)),
        ("not a manifest", json("{")),
        ("no image manifest", Reply::new(200).header("Content-Type", "application/json").body("{}")),
        ("schema 1", json(r#"{"schemaVersion":1}"#)),
        ("not found: manifest unknown", Reply::new(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#)),
        ("access denied", Reply::new(403)),
    ] {
        let server = TestServer::start(move |_, _| reply.clone());
        let error = repository(&server).manifest("latest").unwrap_err().to_string();
        assert!(error.contains(words), "{words:?}: {error}");
    }
    let server = TestServer::start(|_, _| manifest_reply());
    let error = repository(&server).manifest(&other).unwrap_err();
    assert!(matches!(error, RegistryError::Content { .. }), "{error}");
}

#[test]
fn mirrors_are_asked_first_and_passed_over_when_they_fail() {
    let broken = TestServer::start(|_, _| Reply::new(500));
    let half = TestServer::start(|seen, _| match seen.path.contains("manifests") {
        true => manifest_reply(),
        false => Reply::new(404),
    });
    let server = TestServer::start(|_, _| Reply::new(200).body("0123456789"));
    let mut options = quick();
    let mirrors = [&broken, &half].map(|s| format!("http://{}", s.host())).to_vec();
    options.mirrors.insert(server.host(), mirrors);
    let repository = repository_with(&server.host(), options);
    repository.manifest("latest").unwrap();
    assert!(server.lines().is_empty());
    let before = broken.lines().len();
    let mut text = String::new();
    repository.blob(&blob_of(b"0123456789"), 0).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(broken.lines().len(), before, "a mirror that failed is not asked again");
    assert_eq!(half.lines().len(), 2, "one that has not got a blob may have another");
}

#[test]
fn tags_over_several_pages() {
    let server = TestServer::start(|seen, _| match seen.path.as_str() {
        "/v2/team/app/tags/list" => Reply::new(200)
            .header("Link", r#"</v2/team/app/tags/list?last=b&n=2>; rel="next""#)
            .body(r#"{"name":"team/app","tags":["a","b"]}"#),
        "/v2/team/app/tags/list?last=b&n=2" => Reply::new(200).body(r#"{"tags":["c"]}"#),
        _ => Reply::new(404),
    });
    assert_eq!(repository(&server).tags().unwrap(), ["a", "b", "c"]);
    let server = TestServer::start(|_, _| Reply::new(200).body(r#"{"tags":null}"#));
    assert!(repository(&server).tags().unwrap().is_empty());
}

#[test]
fn nobody_there_is_told_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = Instant::now();
    let options = Options { retry: Retry::default(), ..quick() };
    let error = repository_with(&format!("127.0.0.1:{port}"), options).manifest("latest").unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_login_tries_the_credential() {
    let server = TestServer::start(|seen, _| {
        assert_eq!(seen.path, "/v2/");
        match seen.header("authorization") {
            Some("Basic YW5uOmdlaGVpbQ==") => Reply::new(200),
            _ => Reply::new(401)
                .header("WWW-Authenticate", "Basic realm=x")
                .body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#),
        }
    });
    let client = Client::new(quick());
    let credential = |p: &str| Credential::Password { user: "ann".into(), password: p.into() };
    client.login(&server.host(), credential("geheim")).unwrap();
    let error = Client::new(quick()).login(&server.host(), credential("wrong")).unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    let server = TestServer::start(|_, _| Reply::new(404));
    let error = client.login(&server.host(), credential("x")).unwrap_err();
    assert!(error.to_string().contains("there is no registry"), "{error}");
}

#[test]
fn an_index_is_searched() {
    let server = TestServer::start(|seen, _| {
        assert_eq!(seen.path, "/v1/search?q=deb%20ian&n=3");
        Reply::new(200).body(
            r#"{"num_results":1,"query":"x","results":[{"name":"debian","description":null,"star_count":5,"is_official":true}]}"#,
        )
    });
    let hits = Client::new(quick()).search(&server.host(), "deb ian", 3).unwrap();
    assert_eq!((hits.len(), hits[0].name.as_str(), hits[0].star_count), (1, "debian", 5));
    for (words, reply) in
        [("cannot be searched", Reply::new(404)), ("not the JSON", Reply::new(200).body("<html>"))]
    {
        let server = TestServer::start(move |_, _| reply.clone());
        let error = Client::new(quick()).search(&server.host(), "x", 3).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
