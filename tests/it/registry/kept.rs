//! What a pull has when its registry goes away.

use std::path::Path;

use super::fake::{Answer, Fake};
use super::images::{Parts, digest, small};
use super::real::expect_nothing;
use crate::support::Sandbox;

/// A registry whose third layer does not come for now.
fn without_the_third(parts: &Parts) -> Fake {
    let fake = Fake::start();
    fake.image("app", "v1", parts);
    let mut later = Answer { status: 429, ..Answer::of("application/json", b"") };
    later.headers.push(("Retry-After".into(), "7200".into()));
    fake.answer(&format!("/v2/app/blobs/{}", digest(&parts.layers[2])), later);
    fake
}

fn has(store: &Path, blob: &[u8]) -> bool {
    store.join("blobs/sha256").join(&digest(blob)[7..]).exists()
}

#[test]
#[ignore = "root"]
fn a_pull_that_loses_its_registry_keeps_what_it_verified() {
    let sandbox = Sandbox::plain();
    let parts = small(100_000);
    let fake = without_the_third(&parts);
    let name = format!("{}/app:v1", fake.host);
    // Layer by layer, as each is looked at.
    let file = sandbox.path("pull.jsonl");
    let record = ["--trace=full", "--trace-file", file.to_str().unwrap()];
    let pull = [&["--lang", "en", "pull"][..], &record, &[&name]].concat();
    let told = sandbox.glassbox(&pull).expect(1).err;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for layer in [1, 2] {
        assert!(told.contains(&format!("Layer {layer} stays, though no image has it")), "{told}");
    }
    assert!(told.contains("Nothing of layer 3 is left"), "{told}");
    let store = sandbox.store();
    assert_eq!(parts.layers.iter().map(|l| has(&store, l)).collect::<Vec<_>>(), [true, true, false]);
    assert!(!has(&store, &parts.config) && !has(&store, &parts.manifest));
    assert!(sandbox.host().receipts.is_empty());
    assert!(!sandbox.glassbox(&["images"]).expect(0).out.contains(&fake.host));
    sandbox.glassbox(&["trace", "check", file.to_str().unwrap()]).expect(0);
    let replayed = sandbox.glassbox(&["--lang", "zh-CN", "replay", file.to_str().unwrap()]).expect(0).out;
    let replayed: String = replayed.split_whitespace().collect();
    assert!(replayed.contains("第1层虽然还不属于任何镜像，仍然留下"), "{replayed}");

    fake.image("app", "v1", &parts);
    fake.asked.lock().unwrap().clear();
    sandbox.glassbox(&["pull", "-q", &name]).expect(0);
    let asked = fake.asked.lock().unwrap().join(" ");
    let fetched: Vec<bool> = parts.layers.iter().map(|l| asked.contains(&digest(l))).collect();
    assert_eq!(fetched, [false, false, true], "{asked}");
    assert!(sandbox.glassbox(&["images"]).expect(0).out.contains(&fake.host));
}

#[test]
#[ignore = "root"]
fn what_is_kept_is_garbage_and_a_user_who_quits_keeps_nothing() {
    let sandbox = Sandbox::plain();
    let fake = without_the_third(&small(100_000));
    let name = format!("{}/app:v1", fake.host);
    sandbox.glassbox(&["pull", "--trace=full", &name]).expect(1);
    assert!(std::fs::read_dir(sandbox.store().join("blobs/sha256")).unwrap().count() > 0);
    sandbox.glassbox(&["image", "prune", "-f"]).expect(0);
    expect_nothing(&sandbox, "store", "a collection of garbage");
    // Two steps of questions, two layers, and then no more.
    sandbox.glassbox_with_input(&["pull", "--step=line", &name], "n\nn\nn\nn\nq\n").expect(130);
    expect_nothing(&sandbox, "store", "a user who quits");
    // One that fails for another reason than the way to its registry.
    fake.answer(
        &format!("/v2/app/blobs/{}", digest(&small(100_000).layers[2])),
        Answer::of("application/octet-stream", b"another"),
    );
    sandbox.glassbox(&["pull", "--trace=full", &name]).expect(1);
    expect_nothing(&sandbox, "store", "a layer that is another");
}
