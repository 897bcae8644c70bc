//! A pull, told, stepped through, cut off and repaired.

use super::fake::Fake;
use super::images::small;
use super::real::expect_nothing;
use crate::support::{GLASSBOX, Ran, Sandbox};

/// Every step of a pull of an image with three layers, in order.
const STEPS: [&str; 6] = [
    "image.ask-registry",
    "image.fetch-config",
    "image.take-layer-1",
    "image.take-layer-2",
    "image.take-layer-3",
    "image.name-images",
];

#[test]
fn the_model_tells_a_pull_in_both_languages() {
    for lang in ["en", "zh-CN"] {
        let sandbox = Sandbox::plain();
        let args =
            ["--model", "--deterministic", "--color", "never", "--lang", lang, "pull", "--trace", "demo"];
        // No path of this machine on the command line, which is told.
        let mut command = sandbox.inside(GLASSBOX);
        command.args(args).env("GLASSBOX_ROOT", sandbox.store());
        let ran = Ran::from(command.output().unwrap()).expect(0);
        assert!(ran.out.ends_with("docker.io/library/demo:latest\n"), "{}", ran.out);
        insta::assert_snapshot!(format!("model_pull_{lang}"), ran.err);
    }
    let none = Sandbox::plain().glassbox(&["--model", "pull", "debian"]).expect(1).err;
    assert!(none.contains("modelled registry"), "{none}");
}

#[test]
#[ignore = "root"]
fn the_requests_are_the_evidence() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    fake.image("app", "v1", &small(0));
    let name = format!("{}/app:v1", fake.host);
    let ran =
        sandbox.glassbox(&["--lang", "en", "--color", "never", "pull", "--trace=full", &name]).expect(0);
    let one_line = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let asked = format!("GET http://{}/v2/app/manifests/v1: 200", fake.host);
    assert!(one_line.contains(&asked), "{}", ran.err);
    for words in ["layer 1 diff ID", "layer 2 chain ID", "etc/.wh.old", "character device 0:0"] {
        assert!(one_line.contains(words), "{words}: {}", ran.err);
    }
    // Once more: everything is there, and that is told.
    let again = sandbox.glassbox(&["--lang", "en", "--color", "never", "pull", "--trace", &name]).expect(0);
    assert!(again.err.contains("was in the store already"), "{}", again.err);
}

#[test]
fn the_plan_of_a_pull_is_what_is_done_and_fetches_no_layer() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    fake.image("app", "v1", &small(100_000));
    let name = format!("{}/app:v1", fake.host);
    let planned = sandbox.glassbox(&["--lang", "en", "plan", "pull", "--format", "json", &name]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&planned.out).unwrap();
    let ids: Vec<&str> =
        plan["steps"].as_array().unwrap().iter().filter_map(|step| step["id"].as_str()).collect();
    assert_eq!(ids, STEPS);
    let table = sandbox.glassbox(&["--lang", "en", "plan", "pull", &name]).expect(0).out;
    assert!(STEPS.iter().all(|step| table.contains(step)), "{table}");
    assert!(!sandbox.store().exists(), "nothing is made");
    let unknown = sandbox.glassbox(&["plan", "pull", &format!("{}/none:v1", fake.host)]).expect(1).err;
    assert!(unknown.contains("manifest v1 of none"), "{unknown}");
}

#[test]
#[ignore = "root"]
fn a_pull_that_fails_or_is_killed_at_any_step_leaves_nothing() {
    let sandbox = Sandbox::plain();
    let fake = Fake::start();
    fake.image("app", "v1", &small(100_000));
    let name = format!("{}/app:v1", fake.host);
    for step in STEPS {
        let ran = sandbox.glassbox(&["pull", &name, "--fail", step]).expect(1);
        assert!(ran.err.contains(&format!("(at {step})")), "{}", ran.err);
        expect_nothing(&sandbox, "store", &format!("a failure at {step}"));
        assert!(sandbox.host().receipts.is_empty(), "after a failure at {step}");

        sandbox.glassbox(&["pull", &name, "--kill-at", step]).expect(137);
        sandbox.glassbox(&["system", "repair"]).expect(0);
        assert!(sandbox.host().receipts.is_empty(), "after a kill at {step}");
        // What a killed process began is swept by the next one that writes.
        let ran = sandbox.glassbox(&["pull", &name, "--fail", "image.ask-registry"]).expect(1);
        assert!(ran.err.contains("image.ask-registry"), "{}", ran.err);
        for dir in ["blobs/sha256", "layers", "l"] {
            let left = std::fs::read_dir(sandbox.store().join(dir)).into_iter().flatten().count();
            assert_eq!(left, 0, "{dir} after a kill at {step}");
        }
    }
    sandbox.glassbox(&["pull", "-q", &name]).expect(0);
    assert!(sandbox.glassbox(&["images"]).expect(0).out.contains(&fake.host));
}
