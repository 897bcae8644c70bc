//! Images of the modelled kernel: what one command makes is there for the next, and
//! what a container wrote is the same layer as on the real kernel.

use std::io::Read;

use serde_json::Value;

use crate::support::{Ran, Sandbox};

fn out(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.glassbox(args).expect(0).out
}

fn fails(sandbox: &Sandbox, args: &[&str], words: &str) {
    let ran = sandbox.glassbox(args);
    assert!(ran.status != 0 && ran.err.contains(words), "{args:?}: {} {}", ran.status, ran.err);
}

fn names(sandbox: &Sandbox) -> String {
    out(sandbox, &["images", "--format", "{{.Repository}}:{{.Tag}}"])
}

/// The steps of a recording that did nothing, because it was done.
fn steps_done_before(recording: &str) -> usize {
    let events =
        recording.lines().filter(|l| l.starts_with('{')).map(|l| serde_json::from_str::<Value>(l).unwrap());
    events.filter(|e| e["unchanged"] == true).count()
}

#[test]
fn a_loaded_image_stays() {
    let sandbox = Sandbox::model();
    assert_eq!(names(&sandbox), "box:latest\n");
    let loaded = sandbox.glassbox(&["load"]).expect(0);
    assert_eq!((loaded.out.as_str(), loaded.err.as_str()), ("Loaded image: demo:latest\n", ""));
    assert_eq!(names(&sandbox), "box:latest\ndemo:latest\n");
    let again = sandbox.glassbox(&["load", "--trace-file", "-"]).expect(0).out;
    assert!(steps_done_before(&again) >= 3, "its layers are there: {again}");
    assert_eq!(out(&sandbox, &["history", "--format", "{{.CreatedBy}}", "demo"]).lines().count(), 3);
    let shown: Value = serde_json::from_str(&out(&sandbox, &["inspect", "demo"])).unwrap();
    let id = shown[0]["Id"].as_str().unwrap().to_owned();
    for name in
        ["demo:latest", &id, &id[7..], &id[7..19], &format!("docker.io/library/demo@{}", manifest(&shown))]
    {
        assert_eq!(out(&sandbox, &["image", "inspect", "-f", "{{.Id}}", name]).trim(), id, "{name}");
    }
    let layers = shown[0]["Glassbox"]["Layers"].as_array().unwrap();
    assert!(layers.iter().all(|l| l["Unpacked"] == true), "{shown}");
    let sizes: u64 = layers.iter().map(|l| l["Size"].as_u64().unwrap()).sum();
    assert_eq!(shown[0]["Size"], sizes);
    // It has no shell, and its one program is a script of one.
    let ran = sandbox.glassbox(&["run", "--name", "no", "demo", "sh"]);
    assert!(ran.status == 127, "{} {}", ran.status, ran.err);
    let plan = out(&sandbox, &["plan", "run", "demo"]);
    assert!(plan.contains("use-layer-3"), "{plan}");
    // What is not there names what is like it.
    fails(&sandbox, &["image", "inspect", "demo:1"], "did you mean demo:latest?");
}

fn manifest(shown: &Value) -> String {
    shown[0]["Glassbox"]["Manifest"].as_str().unwrap().to_owned()
}

#[test]
fn a_pull_knows_what_is_there() {
    let sandbox = Sandbox::model();
    let first = out(&sandbox, &["pull", "demo"]);
    assert!(first.contains("Status: Downloaded newer image for demo:latest"), "{first}");
    let again = out(&sandbox, &["pull", "demo"]);
    assert!(again.contains("Status: Image is up to date for demo:latest"), "{again}");
    out(&sandbox, &["rmi", "demo"]);
    let ran = sandbox.glassbox(&["run", "--rm", "demo", "nothing"]);
    assert!(
        ran.status == 127 && ran.err.starts_with("Unable to find image 'demo:latest' locally\n"),
        "{}",
        ran.err
    );
    assert_eq!(names(&sandbox), "box:latest\ndemo:latest\n");
    for plan in [&["plan", "pull", "demo"][..], &["plan", "load", "-i", "/root/demo.tar"]] {
        assert!(out(&sandbox, plan).contains("take-layer-3"), "{plan:?}");
    }
}

#[test]
fn commands_at_once_lose_no_image() {
    let sandbox = Sandbox::model();
    out(&sandbox, &["load"]);
    let tags: Vec<String> = (1..=6).map(|n| format!("copy:{n}")).collect();
    let running: Vec<_> =
        tags.iter().map(|tag| sandbox.command(&["tag", "demo", tag]).spawn().unwrap()).collect();
    let gone = sandbox.command(&["rmi", "demo:latest"]).spawn().unwrap();
    let ended: Vec<_> = running.into_iter().chain([gone]).map(|mut c| c.wait().unwrap().code()).collect();
    // Only who came too late to find the name demo failed.
    let there: Vec<&String> =
        tags.iter().zip(&ended).filter(|(_, code)| **code == Some(0)).map(|(tag, _)| tag).collect();
    let all = names(&sandbox);
    assert!(there.iter().all(|tag| all.contains(tag.as_str())), "{there:?} {all}");
    assert!(!all.contains("demo"), "{all}");
    for tag in there {
        // With all that belongs to it.
        out(&sandbox, &["save", "-o", "/tmp/x.tar", tag]);
    }
}

#[test]
fn archives_are_files_of_the_modelled_disk() {
    let sandbox = Sandbox::model();
    out(&sandbox, &["load"]);
    for (format, file) in
        [("docker", "/root/x.tar"), ("docker-archive", "/root/older.tar"), ("oci-archive", "y.tar")]
    {
        let id = out(&sandbox, &["images", "-q", "--no-trunc", "demo"]);
        out(&sandbox, &["save", "--format", format, "-o", file, "box", "demo"]);
        out(&sandbox, &["rmi", "demo"]);
        assert_eq!(names(&sandbox), "box:latest\n");
        assert_eq!(
            out(&sandbox, &["load", "-i", file]),
            "Loaded image: box:latest\nLoaded image: demo:latest\n"
        );
        assert_eq!(out(&sandbox, &["images", "-q", "--no-trunc", "demo"]), id);
    }
    out(&sandbox, &["run", "--rm", "box", "true"]);
    out(&sandbox, &["run", "--name", "cc", "box", "sh", "-c", "echo new > /root/new; rm /etc/shells"]);
    out(&sandbox, &["export", "-o", "/tmp/tree.tar", "cc"]);
    out(&sandbox, &["import", "-c", "CMD [\"cat\", \"/root/new\"]", "/tmp/tree.tar", "flat"]);
    assert_eq!(out(&sandbox, &["run", "--rm", "flat"]), "new\n");
    assert_eq!(sandbox.glassbox(&["run", "--rm", "flat", "ls", "/etc/shells"]).status, 1);
    let shown: Value = serde_json::from_str(&out(&sandbox, &["inspect", "flat"])).unwrap();
    assert_eq!(shown[0]["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    // Through a pipe of this host to another machine.
    let bytes = sandbox.command(&["save", "flat"]).output().unwrap().stdout;
    let other = Sandbox::model();
    let mut child = other.command(&["load", "-i", "-"]);
    let mut child = child.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &bytes).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(out(&other, &["run", "--rm", "flat"]), "new\n");
    fails(&sandbox, &["import", "/etc", "x"], "is a directory");
    fails(&sandbox, &["load", "-i", "/root/none.tar"], "no such file");
}

#[test]
fn what_fails_leaves_nothing() {
    let sandbox = Sandbox::model();
    out(&sandbox, &["run", "--name", "cc", "box", "touch", "/f"]);
    for (args, steps) in [
        (&["load"][..], &["open-archive", "take-layer-1", "take-layer-3", "name-images"][..]),
        (&["commit", "cc", "new"], &["write-layer", "store-layer", "name-images"]),
        (&["tag", "box", "other"], &["tag-image"]),
    ] {
        for step in steps {
            let step = format!("image.{step}=ENOSPC");
            fails(&sandbox, &[args, &["--fail", &step]].concat(), "ENOSPC");
            assert_eq!(names(&sandbox), "box:latest\n", "{args:?} {step}");
        }
    }
    let garbage = out(&sandbox, &["image", "prune", "-f"]);
    assert_eq!(garbage, "Total reclaimed space: 0B\n");
}

#[test]
fn a_running_container_keeps_its_files_to_itself() {
    use std::io::{BufRead, BufReader};

    let sandbox = Sandbox::model();
    out(&sandbox, &["load"]);
    let mut child = sandbox
        .command(&["run", "-i", "--name", "cat", "box", "sh", "-c", "echo ready; cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    for args in [
        &["commit", "cat", "x"][..],
        &["commit", "-p=false", "cat", "x"],
        &["export", "cat"],
        &["layers", "cat"],
    ] {
        fails(&sandbox, args, "its machine runs");
    }
    fails(&sandbox, &["rmi", "box"], "is using its image");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    out(&sandbox, &["commit", "cat", "x"]);
    // Its image is needed no more once it is gone.
    out(&sandbox, &["rm", "cat"]);
    assert!(out(&sandbox, &["rmi", "x"]).starts_with("Untagged: x:latest\nDeleted: sha256:"));
}

/// A member of a layer: its kind, its owner and mode, where it leads, and its bytes.
type Member = (String, u8, u64, u64, u32, String, Vec<u8>);

/// The members of the topmost layer of an image.
fn top_layer(sandbox: &Sandbox, image: &str) -> Vec<Member> {
    let saved = sandbox.command(&["save", image]).output().unwrap().stdout;
    let shown: Value = serde_json::from_str(&out(sandbox, &["inspect", image])).unwrap();
    let blob =
        shown[0]["RootFS"]["Layers"].as_array().unwrap().last().unwrap().as_str().unwrap()[7..].to_owned();
    let mut archive = tar::Archive::new(&saved[..]);
    let mut bytes = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with(&blob) {
            entry.read_to_end(&mut bytes).unwrap();
        }
    }
    let mut members = Vec::new();
    for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        members.push((
            entry.path().unwrap().to_string_lossy().into_owned(),
            header.entry_type().as_byte(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mode().unwrap(),
            entry.link_name().unwrap().map(|l| l.to_string_lossy().into_owned()).unwrap_or_default(),
            content,
        ));
    }
    members
}

#[test]
#[ignore = "root"]
fn both_kernels_make_the_same_layer() {
    let script = "echo more >> /etc/motd; rm /etc/shells; mkdir -p /srv/a/b; echo x > /srv/a/b/c; \
        ln /srv/a/b/c /srv/hard; ln -s ../etc /srv/soft; chown 7:8 /srv/a; chmod 1770 /srv/a/b; \
        rm -r /var; mkdir /var; echo v > /var/v; mv /srv/hard /srv/moved; rm /root/none || true";
    let layers = [Sandbox::root(), Sandbox::model()].map(|sandbox| {
        let ran: Ran =
            sandbox.glassbox(&["run", "--network", "none", "--name", "cc", "box", "sh", "-c", script]);
        ran.expect(0);
        out(&sandbox, &["commit", "cc", "mine"]);
        top_layer(&sandbox, "mine")
    });
    assert!(layers[0].iter().any(|m| m.0 == "etc/.wh.shells"), "{:?}", layers[0]);
    assert_eq!(layers[0], layers[1]);
}

#[test]
fn what_is_pushed_can_be_pulled_again() {
    let sandbox = Sandbox::model();
    out(&sandbox, &["run", "--name", "first", "box", "sh", "-c", "echo kept > /root/file"]);
    out(&sandbox, &["commit", "first", "registry.example/team/app:1"]);
    let pushed = out(&sandbox, &["push", "registry.example/team/app:1"]);
    assert!(
        pushed.starts_with("The push refers to repository [registry.example/team/app]\n1: digest: sha256:"),
        "{pushed}"
    );
    let digest = pushed.split_whitespace().find(|w| w.starts_with("sha256:")).unwrap().to_owned();
    out(&sandbox, &["rm", "first"]);
    out(&sandbox, &["rmi", "registry.example/team/app:1"]);
    // From the registry the same manifest, byte for byte.
    let pulled = out(&sandbox, &["pull", "registry.example/team/app:1"]);
    assert!(pulled.contains(&format!("Digest: {digest}\n")), "{pulled}");
    let name = format!("registry.example/team/app@{digest}");
    assert_eq!(out(&sandbox, &["run", "--rm", &name, "cat", "/root/file"]), "kept\n");
    let shown: Value =
        serde_json::from_str(&out(&sandbox, &["manifest", "inspect", "registry.example/team/app:1"]))
            .unwrap();
    assert_eq!(shown["layers"].as_array().unwrap().len(), 4);
    assert_eq!(out(&sandbox, &["search", "--format", "{{.Name}}", "registry.example/app"]), "team/app\n");
    assert_eq!(out(&sandbox, &["search", "--format", "{{.Name}}", "dem"]), "demo\n");
    // A second push finds everything there.
    let again = out(&sandbox, &["push", "--trace-file", "-", "registry.example/team/app:1"]);
    assert_eq!(steps_done_before(&again), 5, "four layers and the config: {again}");
    fails(&sandbox, &["manifest", "inspect", "nothing"], "not found");
    fails(&sandbox, &["login", "-u", "me", "-p", "secret"], "no such operation");
}
