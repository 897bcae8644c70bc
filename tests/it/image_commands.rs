//! The commands on images, as people who know Docker expect them.

use serde_json::Value;

use crate::support::{Ran, Sandbox};

/// A container `one` that changed something, and no network.
fn changed(sandbox: &Sandbox) {
    let script =
        "echo new > /root/new; rm /etc/shells; echo more >> /etc/motd; mkdir -p /srv/a; ln -s new /root/link";
    run(sandbox, &["--name", "one"], "box", script).expect(0);
}

/// The same commands with the same output on both kernels.
macro_rules! on_both_kernels {
    ($($name:ident)*) => {
        mod linux {
            $(#[test]
            #[ignore = "root"]
            fn $name() {
                super::$name(&crate::support::Sandbox::root());
            })*
        }

        mod model {
            $(#[test]
            fn $name() {
                super::$name(&crate::support::Sandbox::model());
            })*
        }
    };
}

on_both_kernels! {
    the_case_of_every_tutorial
    commit_takes_config_and_history_along
    names_come_and_go
    prune_takes_the_nameless
    parents_without_a_name_go_with_their_child
    layers_tell_who_supplies_what
    formats_point_at_mistakes
}

fn run(sandbox: &Sandbox, options: &[&str], image: &str, script: &str) -> Ran {
    sandbox.glassbox(&[&["run", "--network", "none"], options, &[image, "sh", "-c", script]].concat())
}

fn out(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.glassbox(args).expect(0).out
}

fn fails(sandbox: &Sandbox, args: &[&str], words: &str) {
    let ran = sandbox.glassbox(args);
    assert!(ran.status != 0 && ran.err.contains(words), "{args:?}: {} {}", ran.status, ran.err);
}

fn the_case_of_every_tutorial(sandbox: &Sandbox) {
    run(sandbox, &["--name", "first"], "box", "echo kept > /root/file").expect(0);
    let second = run(sandbox, &["--rm"], "box", "cat /root/file");
    assert_eq!(second.status, 1, "a second run of the image does not have it");
    let id = out(sandbox, &["commit", "first", "mine"]);
    assert!(id.starts_with("sha256:") && id.len() == 72, "{id}");
    assert_eq!(run(sandbox, &["--rm"], "mine", "cat /root/file").expect(0).out, "kept\n");
    // The first container keeps the image that it was made from.
    let image = out(sandbox, &["inspect", "--format", "{{.Image}}", "first"]);
    assert_eq!(image, out(sandbox, &["image", "inspect", "-f", "{{.Id}}", "box"]));
}

fn commit_takes_config_and_history_along(sandbox: &Sandbox) {
    changed(sandbox);
    let changes = [
        "ENV A=\"b c\" D=$PATH",
        "CMD [\"cat\", \"/root/new\"]",
        "LABEL who=me",
        "EXPOSE 80",
        "WORKDIR /root",
    ];
    let mut args = vec!["commit", "-a", "Ann <ann@example.org>", "-m", "a remark"];
    args.extend(changes.iter().flat_map(|c| ["-c", c]));
    out(sandbox, &[&args[..], &["one", "app:1"]].concat());
    let shown: Value = serde_json::from_str(&out(sandbox, &["image", "inspect", "app:1"])).unwrap();
    let image = &shown[0];
    assert_eq!((&image["Author"], &image["Comment"]), (&"Ann <ann@example.org>".into(), &"a remark".into()));
    assert_eq!(image["Config"]["Labels"]["who"], "me");
    assert!(image["Config"]["Env"].as_array().unwrap().contains(&"A=b c".into()), "{image}");
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 4);
    let history = out(
        sandbox,
        &["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}|{{.Comment}}", "app:1"],
    );
    let first = history.lines().next().unwrap();
    assert!(first.starts_with("sh -c echo new") && first.ends_with("|26B|a remark"), "{history}");
    assert_eq!(history.lines().count(), 6);
    assert_eq!(sandbox.glassbox(&["run", "--rm", "--network", "none", "app:1"]).expect(0).out, "new\n");
    // What the container deleted stays deleted, what it changed stays changed.
    let ran = run(sandbox, &["--rm"], "app:1", "ls /etc/shells; cat /etc/motd; readlink /root/link; pwd");
    assert_eq!(ran.out, "box: links layer\nmore\nnew\n/root\n");
    // Nothing changed: a line of history, and no layer.
    run(sandbox, &["--name", "idle"], "box", "true").expect(0);
    out(sandbox, &["commit", "idle", "same"]);
    let same: Value = serde_json::from_str(&out(sandbox, &["image", "inspect", "same"])).unwrap();
    assert_eq!(same[0]["RootFS"]["Layers"].as_array().unwrap().len(), 3, "{same}");
    fails(sandbox, &["commit", "-c", "RUN x", "one"], "cannot be applied here");
    fails(sandbox, &["commit", "nothing", "x"], "no such container");
    fails(sandbox, &["commit", "one", "Upper"], "must be lowercase");
}

#[test]
#[ignore = "root"]
fn a_running_container_stands_still_while_it_is_committed() {
    use std::io::{BufRead, BufReader};

    let sandbox = Sandbox::root();
    let script = "i=0; while :; do i=$((i+1)); echo $i > /a; echo $i > /b; [ $i = 1 ] && echo ready; done";
    let mut child = sandbox
        .command(&["run", "--name", "busy", "--network", "none", "box", "sh", "-c", script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    for _ in 0..3 {
        out(&sandbox, &["commit", "busy", "snap"]);
        let ran = run(&sandbox, &["--rm"], "snap", "cat /a /b");
        let n: Vec<u64> = ran.expect(0).out.lines().filter_map(|l| l.parse().ok()).collect();
        // Of two files written by turns one may be a step behind, or just being written.
        assert!(n.len() < 2 || n[0] == n[1] || n[0] == n[1] + 1, "{n:?}");
    }
    // It runs on.
    let before = out(&sandbox, &["layers", "busy", "--extract", "/a"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while out(&sandbox, &["layers", "busy", "--extract", "/a"]) == before {
        assert!(std::time::Instant::now() < deadline, "the container still stands");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fails(&sandbox, &["rmi", "-f", out(&sandbox, &["images", "-q", "box"]).trim()], "running container");
    out(&sandbox, &["rm", "-f", "busy"]);
    let _ = child.wait();
}

fn names_come_and_go(sandbox: &Sandbox) {
    changed(sandbox);
    out(sandbox, &["commit", "one", "app:1"]);
    out(sandbox, &["tag", "app:1", "host.example:5000/team/app"]);
    let list =
        |args: &[&str]| out(sandbox, &[&["images", "--format", "{{.Repository}}:{{.Tag}}"], args].concat());
    assert_eq!(list(&[]), "app:1\nbox:latest\nhost.example:5000/team/app:latest\n");
    assert_eq!(list(&["app"]), "app:1\n");
    assert_eq!(list(&["--filter", "reference=*/team/*"]), "host.example:5000/team/app:latest\n");
    assert_eq!(list(&["--filter", "since=box"]), "app:1\nhost.example:5000/team/app:latest\n");
    assert_eq!(list(&["--filter", "before=app:1"]), "box:latest\n");
    assert_eq!(list(&["--filter", "until=1h"]), "box:latest\n");
    let id = out(sandbox, &["images", "-q", "--no-trunc", "app"]).trim().to_owned();
    fails(sandbox, &["rmi", &id[7..19]], "several repositories");
    assert_eq!(out(sandbox, &["rmi", "app:1"]), "Untagged: app:1\n");
    let gone = out(sandbox, &["rmi", "host.example:5000/team/app"]);
    assert!(
        gone.starts_with(&format!(
            "Untagged: host.example:5000/team/app:latest\nDeleted: {id}\nDeleted: sha256:"
        )),
        "{gone}"
    );
    fails(sandbox, &["rmi", "box"], "is using its image");
    assert_eq!(out(sandbox, &["image", "rm", "-f", "box"]).lines().next(), Some("Untagged: box:latest"));
    // The layers that the container stands on are still there.
    assert!(out(sandbox, &["export", "one"]).contains("ustar"));
    if !sandbox.is_model() {
        fails(sandbox, &["commit", "one", "x"], "find image");
    }
    fails(
        sandbox,
        &["tag", "box", "x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        "digest",
    );
    fails(sandbox, &["rmi", "nothing"], "no such image");
}

fn prune_takes_the_nameless(sandbox: &Sandbox) {
    changed(sandbox);
    out(sandbox, &["commit", "-c", "LABEL keep=1", "one", "app"]);
    let old = out(sandbox, &["images", "-q", "app"]).trim().to_owned();
    run(sandbox, &["--rm"], "box", "true").expect(0);
    out(sandbox, &["commit", "one", "app"]);
    let dangling = ["images", "-q", "--filter", "dangling=true"];
    assert_eq!(out(sandbox, &dangling).trim(), old);
    let asked = sandbox.glassbox_with_input(&["image", "prune"], "n\n");
    assert!(asked.status == 1 && asked.out.contains("Are you sure"), "{}", asked.out);
    let none = out(sandbox, &["image", "prune", "-f", "--filter", "label!=keep"]);
    assert_eq!(none, "Total reclaimed space: 0B\n");
    let gone = out(sandbox, &["image", "prune", "-f"]);
    assert!(gone.starts_with(&format!("Deleted Images:\ndeleted: sha256:{old}")), "{gone}");
    assert_eq!(out(sandbox, &dangling), "");
    // With -a all that no container is made from.
    let gone = sandbox.glassbox_with_input(&["image", "prune", "-a"], "y\n").expect(0).out;
    assert!(gone.contains("untagged: app:latest") && !gone.contains("box"), "{gone}");
    assert_eq!(out(sandbox, &["images", "--format", "{{.Repository}}"]), "box\n");
}

fn parents_without_a_name_go_with_their_child(sandbox: &Sandbox) {
    changed(sandbox);
    let parent = out(sandbox, &["commit", "one"]).trim().to_owned();
    run(sandbox, &["--name", "two"], &parent, "touch /root/second").expect(0);
    out(sandbox, &["commit", "two", "child"]);
    out(sandbox, &["rm", "two"]);
    let all =
        |args: &[&str]| out(sandbox, &[&["images", "-q", "--no-trunc"], args].concat()).contains(&parent);
    assert!(!all(&[]) && all(&["-a"]), "an image that others are made from is shown with -a only");
    assert!(!out(sandbox, &["image", "prune", "-f"]).contains(&parent), "it is needed");
    let kept = out(sandbox, &["rmi", "--no-prune", "child"]);
    assert!(!kept.contains(&parent) && all(&[]), "{kept}");
    run(sandbox, &["--name", "two"], &parent, "touch /root/second").expect(0);
    out(sandbox, &["commit", "two", "child"]);
    out(sandbox, &["rm", "two"]);
    let gone = out(sandbox, &["rmi", "child"]);
    assert!(gone.contains(&format!("Deleted: {parent}")), "{gone}");
}

fn layers_tell_who_supplies_what(sandbox: &Sandbox) {
    changed(sandbox);
    out(sandbox, &["commit", "one", "app"]);
    insta::with_settings!({filters => vec![
        (r"[0-9a-f]{12}", "<id>"),
        (r"[0-9.]+MB", "<size>"),
    ]}, {
        let files = out(sandbox, &["layers", "app", "--layer", "4"]);
        insta::assert_snapshot!("layers_of_one", files);
        let path = out(sandbox, &["layers", "one", "/etc/motd"]);
        insta::assert_snapshot!("layers_of_a_path", path);
        insta::assert_snapshot!("layers_between", out(sandbox, &["layers", "app", "--diff", "2", "4"]).lines().filter(|l| !l.contains("/bin/")).collect::<Vec<_>>().join("\n"));
    });
    let hidden = sandbox.glassbox(&["layers", "app", "/etc/shells"]);
    assert!(
        hidden.status == 1 && hidden.out.starts_with("/etc/shells: layer 4 hides it\n"),
        "{}",
        hidden.out
    );
    assert_eq!(out(sandbox, &["layers", "app", "--extract", "/etc/motd"]), "box: links layer\nmore\n");
    assert_eq!(
        out(sandbox, &["layers", "app", "--layer", "3", "--extract", "etc/motd"]),
        "box: links layer\n"
    );
    assert_eq!(out(sandbox, &["layers", "box", "--diff", "one", "app"]), "");
    let json: Value = serde_json::from_str(&out(sandbox, &["layers", "app", "--format", "json"])).unwrap();
    let top = &json["layers"][3];
    assert_eq!(
        (&json["kind"], &top["number"], &top["own"]["hidden"]),
        (&"image".into(), &4.into(), &1.into())
    );
    assert!(
        top["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|e| e["path"] == "/etc/shells" && e["by"] == "whiteout")
    );
    let total: u64 =
        json["layers"].as_array().unwrap().iter().map(|l| l["own"]["size"].as_u64().unwrap()).sum();
    assert!(total > top["cumulative"]["size"].as_u64().unwrap(), "what is shadowed is still stored");
    fails(sandbox, &["layers", "app", "--layer", "9"], "no layer 9");
    fails(sandbox, &["layers", "nothing"], "no such container or image");
}

fn formats_point_at_mistakes(sandbox: &Sandbox) {
    changed(sandbox);
    let ran = sandbox.glassbox(&["ps", "-a", "--format", "{{.ID}} {{.Nam}}"]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.err.contains("column 11")
            && ran.err.contains("          ^^^^")
            && ran.err.contains("did you mean .Names?"),
        "{}",
        ran.err
    );
    assert_eq!(
        out(sandbox, &["ps", "-a", "--format", "table {{.Names}}\\t{{.State}}"]),
        "NAMES     STATE\none       exited\n"
    );
    let json: Value = serde_json::from_str(&out(sandbox, &["images", "--format", "json"])).unwrap();
    assert_eq!(json["Repository"], "box");
    let format = "{{.State.Status}} {{index .Config.Cmd 0}} {{.Config.Cmd | json | len | lt 9}}";
    assert_eq!(out(sandbox, &["inspect", "-f", format, "one"]), "exited sh true\n");
}
