//! Layers whose owner keeps them from registries: fetched from the addresses that the
//! manifest names, and not sent on.

use serde_json::{Value, json};

use super::fake::{Answer, Fake};
use super::images::{Parts, architecture, digest, small};
use super::real::{Registry, Setup, elsewhere, expect_nothing, unpacked};
use crate::support::Sandbox;

/// An image whose lowest layer is foreign, with these addresses.
fn foreign(parts: &Parts, media_type: &str, urls: &[String]) -> Parts {
    let mut manifest: Value = serde_json::from_slice(&parts.manifest).unwrap();
    manifest["layers"][0]["mediaType"] = json!(media_type);
    manifest["layers"][0]["urls"] = json!(urls);
    Parts { manifest: manifest.to_string().into_bytes(), ..parts.clone() }
}

/// A registry that has all of it but that layer, and wants a password.
fn registry(parts: &Parts) -> Fake {
    let fake = Fake::start();
    let rest = Parts { layers: parts.layers[1..].to_vec(), ..parts.clone() };
    fake.image("app", "v1", &rest);
    fake
}

#[test]
#[ignore = "root"]
fn a_foreign_layer_comes_from_its_own_address() {
    let sandbox = Sandbox::plain();
    let owner = Fake::start();
    let plain = small(0);
    for (n, media_type) in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ]
    .into_iter()
    .enumerate()
    {
        owner.answer("/layer", Answer::of("application/octet-stream", &plain.layers[0]));
        let urls = [
            "ftp://127.0.0.1/layer".to_owned(),
            format!("http://{}/gone", owner.host),
            format!("http://{}/layer", owner.host),
        ];
        let parts = foreign(&plain, media_type, &urls);
        let fake = registry(&parts);
        // Who is logged in at the registry sends its password there only.
        let docker = sandbox.path("docker");
        std::fs::create_dir_all(&docker).unwrap();
        let auth = json!({ "auths": { fake.host.as_str(): { "auth": "YW5uOmdlaGVpbQ==" } } });
        std::fs::write(docker.join("config.json"), auth.to_string()).unwrap();
        let mut challenge = Answer { status: 401, ..Answer::of("application/json", b"") };
        challenge.headers.push(("WWW-Authenticate".into(), "Basic realm=\"test\"".into()));
        fake.challenge(challenge);
        let name = format!("{}/app:v1", fake.host);
        let store = format!("there-{n}");
        let mut command = sandbox.inside(crate::support::GLASSBOX);
        command.arg("--root").arg(sandbox.path(&store)).arg("--run-root").arg(sandbox.path("run"));
        command.env("DOCKER_CONFIG", &docker).args(["--lang", "en", "pull", "--trace=full", &name]);
        let ran: crate::support::Ran = command.output().unwrap().into();
        let told = ran.expect(0).err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("fetched from: http://{}/layer [HTTP]", owner.host)), "{told}");
        assert_eq!(unpacked(&sandbox, &store, "etc/name").as_deref(), Some(&b"glass\n"[..]));
        let blob = format!("GET /v2/app/blobs/{}", digest(&plain.layers[0]));
        assert!(fake.asked.lock().unwrap().contains(&blob), "the registry is asked first");
        assert!(!fake.authorized.lock().unwrap().is_empty());
        let asked = std::mem::take(&mut *owner.asked.lock().unwrap());
        assert_eq!(asked, ["GET /gone", "GET /layer"]);
        assert_eq!(*owner.authorized.lock().unwrap(), Vec::<String>::new());
    }
}

#[test]
#[ignore = "root"]
fn what_its_address_gives_is_verified() {
    let sandbox = Sandbox::plain();
    let owner = Fake::start();
    let media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let url = format!("http://{}/layer", owner.host);
    let parts = foreign(&small(0), media_type, std::slice::from_ref(&url));
    let mut other = parts.layers[0].clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    owner.answer("/layer", Answer::of("application/octet-stream", &other));
    let fake = registry(&parts);
    let name = format!("{}/app:v1", fake.host);
    let wrong = elsewhere(&sandbox, "store", &["pull", &name]).expect(1).err;
    assert!(wrong.contains("digest") || wrong.contains("gzip"), "{wrong}");
    expect_nothing(&sandbox, "store", "a foreign layer that is another");
    for urls in [vec![], vec!["file:///etc/passwd".to_owned()], vec![format!("http://{}/gone", owner.host)]] {
        let fake = registry(&foreign(&small(0), media_type, &urls));
        let name = format!("{}/app:v1", fake.host);
        let missing = elsewhere(&sandbox, "store", &["pull", &name]).expect(1).err;
        let words = if urls.first().is_some_and(|u| u.starts_with("file")) {
            "no http or https"
        } else {
            "not found"
        };
        assert!(missing.contains(words), "{urls:?}: {missing}");
        expect_nothing(&sandbox, "store", "a foreign layer that is nowhere");
    }
    // An address of a layer that is not foreign is not looked at.
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let fake = registry(&foreign(&small(0), tar, &[url]));
    let before = owner.asked.lock().unwrap().len();
    elsewhere(&sandbox, "store", &["pull", &format!("{}/app:v1", fake.host)]).expect(1);
    assert_eq!(owner.asked.lock().unwrap().len(), before);
}

#[test]
#[ignore = "root"]
fn a_foreign_layer_is_not_sent_on() {
    let sandbox = Sandbox::root();
    let real = Registry::start(&sandbox, &Setup::default());
    // Loopback of the sandbox is not that of the test: the archive brings the layer.
    let urls = ["http://127.0.0.1:9/layer".to_owned()];
    let plain = Parts::new(
        &[super::images::tar_of(&[("a", b"1")]), super::images::tar_of(&[("b", b"2")])],
        architecture(),
    );
    let parts = foreign(&plain, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", &urls);
    let name = real.load(&sandbox, &parts, "app:v1");
    let pushed = sandbox.glassbox(&["--lang", "en", "push", "--trace", &name]).expect(0);
    let told = pushed.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Layer 1 was not sent. Whoever pulls the image gets it from its owner."), "{told}");
    assert!(!real.has(&digest(&parts.layers[0])));
    assert!(real.has(&digest(&parts.layers[1])));
    let plain = sandbox.glassbox(&["push", &name]).expect(0);
    assert!(plain.out.contains("Skipped foreign layer"), "{} {}", plain.out, plain.err);
}
