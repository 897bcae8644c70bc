//! What goes out, and what is only asked, told: push, search, login, manifest.

use super::fake::{Answer, Fake};
use super::images::{digest, small, tar_of};
use super::real::{Registry, Setup, elsewhere, unpacked};
use crate::support::{Sandbox, with_input};

/// On one line, as lines are broken where they are full.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("sha256: ", "sha256:")
}

#[test]
#[ignore = "root"]
fn a_push_is_told_in_both_languages() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let parts = small(0);
    let name = registry.load(&sandbox, &parts, "team/app:v1");
    let told = |lang: &str, level: &str, name: &str| {
        let ran = sandbox.glassbox(&["--lang", lang, "push", level, name]).expect(0);
        assert!(ran.out.contains("v1: digest: sha256:"), "{}", ran.out);
        flat(&ran.err)
    };
    let first = told("en", "--trace=full", &name);
    let (host, layer) = (&registry.host, digest(&parts.layers[0]));
    for words in [
        format!("HEAD http://{host}/v2/team/app/blobs/{layer}: 404"),
        format!("POST http://{host}/v2/team/app/blobs/uploads/: 202"),
        format!("{layer}: sent"),
        format!("Send layer 2 of 2 to {host}"),
        format!("v1: {}", digest(&parts.manifest)),
        "Let".to_owned(),
        format!("{host} has layer 1 in team/app now."),
    ] {
        assert!(first.contains(&words), "no {words:?} in\n{first}");
    }
    let again = told("en", "--trace", &name);
    assert!(again.contains("had layer 1 in team/app already. Nothing was sent."), "{again}");
    let other = registry.load(&sandbox, &parts, "other/app:v1");
    let mounted = told("zh-CN", "--trace=full", &other);
    assert!(mounted.contains("mounted from: team/app"), "{mounted}");
    for title in ["把第 1 层（共 2 层）送到", "把配置送到", "指向这个镜像"] {
        assert!(mounted.contains(title), "no {title} in\n{mounted}");
    }
    // Untraced, nothing is told.
    assert_eq!(sandbox.glassbox(&["push", &name]).expect(0).err, "");
}

#[test]
#[ignore = "root"]
fn a_push_is_stepped_through() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let parts = small(0);
    let name = registry.load(&sandbox, &parts, "app:v1");
    let push = ["--lang", "en", "push", "--step=line", &name];
    let ran = sandbox.glassbox_with_input(&push, "n\nq\n").expect(130);
    assert!(ran.err.contains("Send layer 2 of 2"), "{}", ran.err);
    assert!(ran.err.contains("you chose to quit (at image.push-layer-2)"), "{}", ran.err);
    // The steps are carried out one by one: what was not reached is not sent.
    assert_eq!(parts.layers.iter().map(|l| registry.has(&digest(l))).collect::<Vec<_>>(), [true, false]);
    elsewhere(&sandbox, "there", &["pull", &name]).expect(1);
    let ran = sandbox.glassbox_with_input(&push, "b image.put-manifest\nc\nw\nn\n").expect(0);
    assert!(ran.err.contains("had layer 1 in app already"), "{}", ran.err);
    assert!(ran.out.contains("v1: digest: sha256:"), "{}", ran.out);
    elsewhere(&sandbox, "there", &["pull", &name]).expect(0);
    // Compressed first, as a plan of its own.
    let plain = sandbox.path("plain.tar");
    let plain_name = format!("{}/plain:v1", registry.host);
    std::fs::write(&plain, plain_archive(&plain_name, &[("f", b"plain")])).unwrap();
    sandbox.glassbox(&["load", "-q", "-i", plain.to_str().unwrap()]).expect(0);
    let push = ["--lang", "en", "push", "--step=line", &plain_name];
    let ran = sandbox.glassbox_with_input(&push, "n\nb image.push-config\nc\nq\n").expect(130);
    assert!(ran.err.contains("(at image.push-config)"), "{}", ran.err);
    elsewhere(&sandbox, "there", &["pull", &plain_name]).expect(1);
}

#[test]
#[ignore = "root"]
fn a_push_that_fails_at_any_step_names_nothing() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let name = registry.load(&sandbox, &small(0), "app:v1");
    for step in ["image.push-layer-1", "image.push-layer-2", "image.push-config", "image.put-manifest"] {
        let ran = sandbox.glassbox(&["push", "--fail", step, &name]).expect(1);
        assert!(ran.err.contains(&format!("(at {step})")), "{}", ran.err);
        elsewhere(&sandbox, "there", &["pull", &name]).expect(1);
        assert!(sandbox.host().receipts.is_empty(), "after a failure at {step}");
    }
    sandbox.glassbox(&["push", &name]).expect(0);
    elsewhere(&sandbox, "there", &["pull", &name]).expect(0);
}

/// What `docker save` writes: layers that are not compressed.
fn plain_archive(name: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let layer = tar_of(files);
    let config = serde_json::json!({
        "architecture": super::images::architecture(), "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    })
    .to_string();
    let manifest =
        serde_json::json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }])
            .to_string();
    tar_of(&[
        ("layer.tar", &layer),
        ("config.json", config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ])
}

#[test]
#[ignore = "root"]
fn plain_layers_travel_compressed() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let text = "the same line again and again\n".repeat(50_000);
    let name = format!("{}/app:v1", registry.host);
    let archive = sandbox.path("plain.tar");
    std::fs::write(&archive, plain_archive(&name, &[("text", text.as_bytes())])).unwrap();
    sandbox.glassbox(&["load", "-i", archive.to_str().unwrap()]).expect(0);
    let id = sandbox.glassbox(&["images", "-q", "--no-trunc"]).expect(0).out;

    let told = flat(&sandbox.glassbox(&["--lang", "en", "push", "--trace=full", &name]).expect(0).err);
    assert!(told.contains("Compress layer 1 of 1"), "{told}");
    let shown = sandbox.glassbox(&["manifest", "inspect", &name]).expect(0).out;
    let manifest: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip", "{shown}");
    assert!(layer["size"].as_u64().unwrap() < 100_000, "{shown}");
    // The same bytes once more: the registry has them.
    let again = sandbox.glassbox(&["push", &name]).expect(0).out;
    assert_eq!(again.matches(": Layer already exists").count(), 1, "{again}");
    assert_eq!(std::fs::read_dir(sandbox.store().join("tmp")).unwrap().count(), 0, "nothing is left");
    // It is the same image there.
    elsewhere(&sandbox, "there", &["pull", &name]).expect(0);
    assert_eq!(elsewhere(&sandbox, "there", &["images", "-q", "--no-trunc"]).expect(0).out, id);
    assert_eq!(unpacked(&sandbox, "there", "text"), Some(text.into_bytes()));
}

#[test]
fn questions_are_told() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    let parts = small(0);
    fake.image("app", "v1", &parts);
    let body = br#"{"results":[{"name":"glass","star_count":3}]}"#;
    fake.answer("/v1/search?q=glass&n=25", Answer::of("application/json", body));
    let term = format!("{}/glass", fake.host);
    let found = sandbox.glassbox(&["--lang", "en", "search", "--trace", &term]).expect(0);
    let told = flat(&found.err);
    assert!(found.out.contains("glass") && told.contains("repositories: 1"), "{told}");
    assert!(told.contains(&format!("Search {} for glass", fake.host)), "{told}");
    assert!(
        flat(&sandbox.glassbox(&["--lang", "zh-CN", "search", "--trace", &term]).expect(0).err)
            .contains("搜索")
    );

    let name = format!("{}/app:v1", fake.host);
    let read =
        sandbox.glassbox(&["--lang", "en", "manifest", "inspect", "--trace=full", "-v", &name]).expect(0);
    let told = flat(&read.err);
    assert!(told.contains(&digest(&parts.manifest)), "{told}");
    assert!(told.contains(&format!("/blobs/{}: 200", digest(&parts.config))), "{told}");
    assert!(read.out.contains("\"Descriptor\""), "{}", read.out);
    let failed = sandbox.glassbox(&["search", "--fail", "image.search-index", &term]).expect(1);
    assert!(failed.err.contains("(at image.search-index)") && failed.out.is_empty(), "{}", failed.err);
}

#[test]
#[ignore = "root"]
fn no_password_is_told() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup { htpasswd: true, ..Setup::default() });
    let host = registry.host.as_str();
    let trace = sandbox.path("trace.jsonl");
    let docker = |args: &[&str], input: &str| {
        let mut command = sandbox.command(args);
        with_input(command.env("DOCKER_CONFIG", sandbox.path("docker")), input)
    };
    let file = trace.to_str().unwrap();
    let args = ["login", "--trace=full", "--trace-file", file, "-u", "ann", "-p", "geheim", host];
    let told = docker(&[&["--lang", "en"], &args[..]].concat(), "").expect(0);
    assert!(flat(&told.err).contains(&format!("Log in to {host} as ann")), "{}", told.err);
    assert!(flat(&told.err).contains(&format!("GET http://{host}/v2/: 200")), "{}", told.err);
    let recorded = std::fs::read_to_string(&trace).unwrap();
    assert!(!told.err.contains("geheim") && !recorded.contains("geheim"));
    assert!(!recorded.contains("YW5uOmdlaGVpbQ"), "nor encoded");
    let failed = docker(
        &["login", "--fail", "image.keep-credential", "-u", "ann", "--password-stdin", host],
        "geheim\n",
    );
    assert!(failed.expect(1).err.contains("(at image.keep-credential)"));
    let out = docker(&["--lang", "en", "logout", "--trace", host], "").expect(0);
    assert!(flat(&out.err).contains("no entry"), "{}", out.err);
    assert!(
        flat(&docker(&["--lang", "en", "logout", "--trace", host], "").expect(0).err)
            .contains("Nothing was kept")
    );
}
