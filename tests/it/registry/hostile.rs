//! Answers of registries that are broken or mean harm: a clear error, and
//! nothing left. And of honest ones that are hard to set up otherwise.

use super::fake::{Answer, Fake};
use super::images::{Parts, digest, gzip, noise, small, tar_of};
use super::real::{elsewhere, expect_nothing};
use crate::support::Sandbox;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pulls, and returns what was said.
fn refused(sandbox: &Sandbox, fake: &Fake, case: &str) -> String {
    let name = format!("{}/app:v1", fake.host);
    let ran = elsewhere(sandbox, "there", &["pull", &name]);
    assert_eq!(ran.status, 1, "{case}: {}{}", ran.out, ran.err);
    assert!(!ran.err.contains("panicked"), "{case}: {}", ran.err);
    expect_nothing(sandbox, "there", case);
    ran.err
}

#[test]
#[ignore = "root"]
fn content_that_is_not_what_it_should_be() {
    let sandbox = Sandbox::plain();
    let honest = small(300_000);
    let big = honest.layers.iter().max_by_key(|l| l.len()).unwrap().clone();
    let at = format!("/v2/app/blobs/{}", digest(&big));
    let mut changed = big.clone();
    changed[200_000] ^= 1;
    let cases: Vec<(&str, &str, Answer)> = vec![
        ("another byte", "digest", Answer::of("application/octet-stream", &changed)),
        ("too short", "the registry sends", Answer::of("application/octet-stream", &big[..1000])),
        (
            "too long",
            "the registry sends",
            Answer::of("application/octet-stream", &[&big[..], b"x"].concat()),
        ),
        (
            "without end",
            "more bytes",
            Answer { endless: true, ..Answer::of("application/octet-stream", &big) },
        ),
        ("not there", "not found", Answer { status: 404, ..Answer::of("text/plain", b"") }),
        ("forbidden", "access denied", Answer { status: 403, ..Answer::of("text/plain", b"") }),
        ("a page", "the registry sends", Answer::of("text/html", b"<html>log in here</html>")),
    ];
    for (case, words, answer) in cases {
        let fake = Fake::start();
        fake.image("app", "v1", &honest);
        fake.answer(&at, answer);
        let said = refused(&sandbox, &fake, case);
        assert!(said.contains(words), "{case}: {said}");
    }
    let circle =
        |to: String| Answer { status: 307, headers: vec![("Location".into(), to)], ..Answer::of("x/y", b"") };
    let fake = Fake::start();
    fake.image("app", "v1", &honest);
    fake.answer(&at, circle(at.clone()));
    let said = refused(&sandbox, &fake, "a circle of redirects");
    assert!(said.contains("redirects more than"), "{said}");
}

#[test]
#[ignore = "root"]
fn manifests_and_configs_that_are_none() {
    let sandbox = Sandbox::plain();
    let honest = small(0);
    let text = String::from_utf8(honest.manifest.clone()).unwrap();
    let deep = "[".repeat(100_000);
    let cases: Vec<(&str, &str, Answer)> = vec![
        ("a page", "text/html, not a manifest", Answer::of("text/html", b"<html>hello</html>")),
        ("cut off", "not a manifest", Answer::of(MANIFEST, &honest.manifest[..40])),
        ("nested deep", "not a manifest", Answer::of(MANIFEST, deep.as_bytes())),
        (
            "without end",
            "more than 4194304 bytes",
            Answer { endless: true, ..Answer::of(MANIFEST, &[b' '; 4096]) },
        ),
        ("schema 1", "schema 1", Answer::of("application/json", br#"{"schemaVersion":1,"name":"app"}"#)),
        (
            "a key twice",
            "twice",
            Answer::of(MANIFEST, text.replacen('{', "{\"schemaVersion\":2,", 1).as_bytes()),
        ),
        ("another digest", "digest", {
            let mut answer = Answer::of(MANIFEST, &honest.manifest);
            answer.headers.push(("Docker-Content-Digest".into(), digest(b"other")));
            answer
        }),
    ];
    for (case, words, answer) in cases {
        let fake = Fake::start();
        fake.image("app", "v1", &honest);
        fake.answer("/v2/app/manifests/v1", answer);
        let said = refused(&sandbox, &fake, case);
        assert!(said.contains(words), "{case}: {said}");
    }
    for (case, words, config) in [
        ("no JSON", "JSON", "<html>".to_owned()),
        (
            "no layers",
            "names 0 layers",
            r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
                .replace("amd64", super::images::architecture()),
        ),
        (
            "a path as a digest",
            "diff_ids",
            String::from_utf8(honest.config.clone()).unwrap().replacen("sha256:", "sha256:../../", 1),
        ),
    ] {
        let fake = Fake::start();
        fake.image("app", "v1", &Parts::with(config.into_bytes(), honest.layers.clone()));
        let said = refused(&sandbox, &fake, case);
        assert!(said.contains(words), "{case}: {said}");
    }
}

#[test]
#[ignore = "root"]
fn layers_that_escape_or_lie() {
    let sandbox = Sandbox::plain();
    let good = tar_of(&[("etc/name", b"x")]);
    let mut escape = tar_of(&[("aa/evil", b"x")]);
    // tar's builder refuses the name; the registry does not.
    escape[..7].copy_from_slice(b"../evil");
    let mut header = tar::Header::from_byte_slice(escape[..512].try_into().unwrap()).clone();
    header.set_cksum();
    escape[..512].copy_from_slice(header.as_bytes());
    let fake = Fake::start();
    fake.image("app", "v1", &Parts::new(&[good.clone(), escape], super::images::architecture()));
    let said = refused(&sandbox, &fake, "a name that climbs");
    assert!(said.contains("evil"), "{said}");
    assert!(!sandbox.path("there/layers/evil").exists() && !sandbox.path("there/evil").exists());

    // The config promises another tar than the layer holds.
    let mut parts = Parts::new(std::slice::from_ref(&good), super::images::architecture());
    let other = gzip(&tar_of(&[("etc/name", &noise(1000, 3))]));
    parts = Parts::with(parts.config, vec![other]);
    let fake = Fake::start();
    fake.image("app", "v1", &parts);
    let said = refused(&sandbox, &fake, "another diff ID");
    assert!(said.contains("digest is"), "{said}");
}

#[test]
#[ignore = "root"]
fn an_index_is_chosen_from_by_platform() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let own = super::images::architecture();
    let image = |arch: &str| Parts::new(&[tar_of(&[("arch", arch.as_bytes())])], arch);
    let mut manifests = Vec::new();
    for (arch, variant) in [("s390x", None), (own, None), ("arm", Some("v7"))] {
        let parts = image(arch);
        fake.image("app", "unused", &parts);
        let mut entry = parts.descriptor();
        entry["platform"] = serde_json::json!({ "os": "linux", "architecture": arch });
        if let Some(variant) = variant {
            entry["platform"]["variant"] = variant.into();
        }
        manifests.push(entry);
    }
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
    })
    .to_string();
    let answer = Answer::of("application/vnd.oci.image.index.v1+json", index.as_bytes());
    let whole = digest(index.as_bytes());
    fake.answer("/v2/app/manifests/v1", answer.clone());
    fake.answer(&format!("/v2/app/manifests/{whole}"), answer);
    let name = format!("{}/app:v1", fake.host);
    let arch =
        |store: &str| super::real::unpacked(&sandbox, store, "arch").map(|b| String::from_utf8(b).unwrap());

    let pulled = elsewhere(&sandbox, "there", &["pull", &name]).expect(0).out;
    assert!(pulled.contains(&format!("Digest: {whole}\n")), "{pulled}");
    assert_eq!(arch("there").as_deref(), Some(own));
    // The digest of the index is a name of the image, too.
    let by_digest = format!("{}/app@{whole}", fake.host);
    elsewhere(&sandbox, "there", &["inspect", &by_digest]).expect(0);
    elsewhere(&sandbox, "arm", &["pull", "-q", "--platform", "linux/arm", &name]).expect(0);
    assert_eq!(arch("arm").as_deref(), Some("arm"));
    elsewhere(&sandbox, "s390x", &["pull", "-q", "--platform", "linux/s390x", &by_digest]).expect(0);
    assert_eq!(arch("s390x").as_deref(), Some("s390x"));
    let none = elsewhere(&sandbox, "none", &["pull", "--platform", "windows/amd64", &name]).expect(1).err;
    assert!(none.contains("linux/s390x"), "{none}");

    // Up to date by a look, without another manifest.
    fake.asked.lock().unwrap().clear();
    let mut answer = Answer::of("application/vnd.oci.image.index.v1+json", index.as_bytes());
    answer.headers.push(("Docker-Content-Digest".into(), whole.clone()));
    fake.answer("/v2/app/manifests/v1", answer);
    let again = elsewhere(&sandbox, "there", &["pull", &name]).expect(0).out;
    assert!(again.contains("Status: Image is up to date"), "{again}");
    assert_eq!(*fake.asked.lock().unwrap(), ["HEAD /v2/app/manifests/v1"]);
}

#[test]
#[ignore = "root"]
fn mirrors_and_rate_limits() {
    let sandbox = Sandbox::plain();
    let (mirror, origin) = (Fake::start(), Fake::start());
    mirror.image("app", "v1", &small(0));
    let config = sandbox.path("config.toml");
    let text = format!("[registries.\"{}\"]\nmirrors = [\"http://{}\"]\n", origin.host, mirror.host);
    std::fs::write(&config, text).unwrap();
    let name = format!("{}/app:v1", origin.host);
    let pull = ["--config", config.to_str().unwrap(), "pull", &name];
    let pulled = elsewhere(&sandbox, "there", &pull).expect(0).out;
    assert!(pulled.contains(&format!("Status: Downloaded newer image for {name}")), "{pulled}");
    assert!(origin.asked.lock().unwrap().is_empty(), "the mirror has all of it");

    let limited = Fake::start();
    let body =
        br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
    let mut answer = Answer { status: 429, ..Answer::of("application/json", body) };
    answer.headers.push(("Retry-After".into(), "7200".into()));
    answer.headers.push(("RateLimit-Limit".into(), "100;w=21600".into()));
    limited.answer("/v2/app/manifests/v1", answer);
    let said = refused(&Sandbox::plain(), &limited, "a rate limit");
    assert!(said.contains("rate limit reached (100 in 6 hours)"), "{said}");
    assert!(said.contains("try again in 2 hours"), "{said}");
}

#[test]
fn an_index_is_searched() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let body = br#"{"results": [
        {"name": "team/glass", "description": "clear\u001b[31m\nand thin, in many sizes, also for windows that open", "star_count": 12, "is_official": false},
        {"name": "glass", "description": "the official one", "star_count": 3, "is_official": true}]}"#;
    fake.answer("/v1/search?q=glass&n=25", Answer::of("application/json", body));
    let term = format!("{}/glass", fake.host);
    let search = |args: &[&str]| sandbox.glassbox(&[&["search"], args, &[&term]].concat());
    assert_eq!(
        search(&[]).expect(0).out,
        "NAME         DESCRIPTION                                     STARS     OFFICIAL\n\
         team/glass   clear [31m and thin, in many sizes, also for\u{2026}   12\n\
         glass        the official one                                3         [OK]\n"
    );
    assert_eq!(search(&["--filter", "is-official=true", "--format", "{{.Name}}"]).expect(0).out, "glass\n");
    assert_eq!(search(&["--filter", "stars=5", "--format", "{{.Name}}"]).expect(0).out, "team/glass\n");
    assert!(search(&["--no-trunc"]).expect(0).out.contains("windows that open"));
    assert!(search(&["--limit", "0"]).expect(1).err.contains("1 to 100"));
    assert!(search(&["--limit", "7"]).expect(1).err.contains("cannot be searched"));
    assert!(search(&["--filter", "colour=red"]).expect(1).err.contains("stars"));
}

#[test]
fn manifests_are_shown_as_they_are() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let parts = small(0);
    fake.image("app", "v1", &parts);
    let mut entry = parts.descriptor();
    entry["platform"] = serde_json::json!({ "os": "linux", "architecture": "arm64" });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let answer = Answer::of("application/vnd.oci.image.index.v1+json", index.as_bytes());
    fake.answer("/v2/app/manifests/all", answer);
    let shown = |args: &[&str]| -> serde_json::Value {
        let out = sandbox.glassbox(&[&["manifest", "inspect"], args].concat()).expect(0).out;
        serde_json::from_str(&out).unwrap()
    };
    let (one, all) = (format!("{}/app:v1", fake.host), format!("{}/app:all", fake.host));
    assert_eq!(shown(&[&one]), serde_json::from_slice::<serde_json::Value>(&parts.manifest).unwrap());
    assert_eq!(shown(&[&all])["manifests"][0]["digest"], digest(&parts.manifest));
    let verbose = shown(&["-v", &all]);
    assert_eq!(verbose[0]["Ref"], format!("{}/app@{}", fake.host, digest(&parts.manifest)));
    assert_eq!(verbose[0]["Descriptor"]["platform"]["architecture"], "arm64");
    assert_eq!(verbose[0]["OCIManifest"]["schemaVersion"], 2);
    let single = shown(&["-v", &one]);
    assert_eq!(single["Descriptor"]["platform"]["os"], "linux");
}
