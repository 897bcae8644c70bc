//! Images at the edges: without layers, too large, damaged; what is said of them,
//! and how large an image is said to be.

use std::fs;

use crate::registry::images::{architecture, digest, gzip, tar_of};
use crate::support::Sandbox;

/// What `docker save` writes, with these layers, gzip or not.
fn archive(sandbox: &Sandbox, name: &str, layers: &[Vec<u8>], compressed: bool) -> String {
    let config = serde_json::json!({
        "architecture": architecture(), "os": "linux", "config": { "Env": ["A=b"] },
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|l| digest(l)).collect::<Vec<_>>() },
    })
    .to_string();
    let paths: Vec<String> = (1..=layers.len()).map(|n| format!("{n}.tar")).collect();
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": [name], "Layers": paths }]);
    let manifest = manifest.to_string();
    let packed: Vec<Vec<u8>> = layers.iter().map(|l| if compressed { gzip(l) } else { l.clone() }).collect();
    let mut files: Vec<(&str, &[u8])> =
        paths.iter().map(String::as_str).zip(packed.iter().map(Vec::as_slice)).collect();
    files.extend([("config.json", config.as_bytes()), ("manifest.json", manifest.as_bytes())]);
    let path = sandbox.path("edge.tar");
    fs::write(&path, tar_of(&files)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "root"]
fn an_image_without_layers() {
    let sandbox = Sandbox::root();
    let archive = archive(&sandbox, "empty:1", &[], false);
    assert_eq!(sandbox.glassbox(&["load", "-i", &archive]).expect(0).out, "Loaded image: empty:1\n");
    let shown = sandbox.glassbox(&["images", "--format", "{{.Repository}} {{.Size}}"]).expect(0).out;
    assert_eq!(shown, "empty 0B\n");
    let env = sandbox.glassbox(&["inspect", "-f", "{{json .Config.Env}}", "empty:1"]).expect(0).out;
    assert_eq!(env, "[\"A=b\"]\n");
    sandbox.glassbox(&["history", "empty:1"]).expect(0);
    let again = sandbox.path("again.tar");
    for format in ["docker", "docker-archive", "oci-archive"] {
        let args = ["save", "--format", format, "-o", again.to_str().unwrap(), "empty:1"];
        sandbox.glassbox(&args).expect(0);
        sandbox.glassbox(&["rmi", "empty:1"]).expect(0);
        sandbox.glassbox(&["load", "-i", again.to_str().unwrap()]).expect(0);
    }
    let ran = sandbox.glassbox(&["run", "--rm", "--network", "none", "empty:1", "sh"]).expect(125);
    assert!(ran.err.contains("there are no layers"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn the_size_is_that_of_the_files() {
    let sandbox = Sandbox::root();
    let layers = [tar_of(&[("zeros", &[0; 100_000])]), tar_of(&[("more", &[0; 20_000]), ("etc/.wh.x", b"")])];
    let path = archive(&sandbox, "sized:1", &layers, true);
    sandbox.glassbox(&["load", "-i", &path]).expect(0);
    let sizes = || {
        let listed = sandbox.glassbox(&["images", "--format", "{{.Size}}"]).expect(0).out;
        let inspected = sandbox.glassbox(&["inspect", "-f", "{{.Size}}", "sized:1"]).expect(0).out;
        let history = sandbox.glassbox(&["history", "--human=false", "--format", "{{.Size}}", "sized:1"]);
        (listed, inspected, history.expect(0).out)
    };
    let wanted = ("120kB\n".to_owned(), "120000\n".to_owned(), "20000\n100000\n".to_owned());
    assert_eq!(sizes(), wanted);
    // A note that is lost or damaged is made again, from the tree or from the blob.
    let notes = || -> Vec<std::path::PathBuf> {
        let layers = fs::read_dir(sandbox.store().join("layers")).unwrap().flatten();
        layers.map(|l| l.path().join("size")).collect()
    };
    for note in notes() {
        assert!(fs::read_to_string(&note).unwrap().ends_with("000\n"));
        fs::remove_file(&note).unwrap();
    }
    assert_eq!(sizes(), wanted);
    for note in notes() {
        fs::write(&note, "1").unwrap();
        fs::remove_dir_all(note.with_file_name("diff")).unwrap();
    }
    assert_eq!(sizes(), wanted);
    // What a container adds counts in the image that is made of it.
    let first = sandbox.glassbox(&[
        "run",
        "--name",
        "one",
        "--network",
        "none",
        "box",
        "sh",
        "-c",
        "echo 12345 > /n",
    ]);
    first.expect(0);
    sandbox.glassbox(&["commit", "one", "made"]).expect(0);
    let box_size: u64 = sandbox
        .glassbox(&["inspect", "-f", "{{.Size}}", "--type", "image", "box"])
        .expect(0)
        .out
        .trim()
        .parse()
        .unwrap();
    let made: u64 = sandbox
        .glassbox(&["inspect", "-f", "{{.Size}}", "--type", "image", "made"])
        .expect(0)
        .out
        .trim()
        .parse()
        .unwrap();
    assert_eq!(made, box_size + 6);
    assert!(sandbox.glassbox(&["inspect", "-s", "-f", "{{.SizeRw}}", "one"]).expect(0).out.starts_with('6'));
}

#[test]
#[ignore = "root"]
fn a_stream_is_unpacked_while_it_comes() {
    use std::io::Write;
    let sandbox = Sandbox::root();
    let layers = [tar_of(&[("a", b"1"), ("gone", b"")]), tar_of(&[("b", b"2"), (".wh.gone", b"")])];
    for compressed in [false, true] {
        let bytes = fs::read(archive(&sandbox, "streamed:1", &layers, compressed)).unwrap();
        let mut child = sandbox.command(&["load"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // All but its end, where the list is: the layers are trees by then.
        let most = bytes.len() - 2048;
        input.write_all(&bytes[..most]).unwrap();
        let trees = || {
            let stages = fs::read_dir(sandbox.store().join("tmp")).into_iter().flatten().flatten();
            let files = stages.flat_map(|s| fs::read_dir(s.path()).into_iter().flatten().flatten());
            files.filter(|f| f.path().join("diff").is_dir()).count()
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while trees() < 2 {
            assert!(std::time::Instant::now() < deadline, "nothing is unpacked before the end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        input.write_all(&bytes[most..]).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        let shown = sandbox.glassbox(&["layers", "streamed:1", "--extract", "/b"]).expect(0).out;
        assert_eq!(shown, "2");
        let gone = sandbox.glassbox(&["layers", "streamed:1", "/gone"]).expect(1).out;
        assert!(gone.contains("layer 2 hides it"), "{gone}");
        assert_eq!(fs::read_dir(sandbox.store().join("tmp")).unwrap().count(), 0, "nothing is left");
        sandbox.glassbox(&["rmi", "streamed:1"]).expect(0);
    }
}

#[test]
#[ignore = "root"]
fn limits_can_be_set() {
    let sandbox = Sandbox::root();
    // 300 MiB of zeros, which gzip makes 1,000 times smaller.
    let layer = tar_of(&[("zeros", &vec![0; 300 << 20])]);
    let path = archive(&sandbox, "bomb:1", &[layer], true);
    let refused = sandbox.glassbox(&["load", "--layer-ratio", "100", "-i", &path]).expect(1).err;
    assert!(refused.contains("expands to more than") && refused.contains("--layer-ratio"), "{refused}");
    let none = sandbox.glassbox(&["load", "--layer-ratio", "0", "-i", &path]).expect(1).err;
    assert!(none.contains("allows nothing"), "{none}");
    sandbox.glassbox(&["load", "--layer-ratio", "2000", "-i", &path]).expect(0);
    sandbox.glassbox(&["rmi", "bomb:1"]).expect(0);
    let config = sandbox.path("config.toml");
    fs::write(&config, "layer-ratio = 100\nlayer-holes = \"1m\"\n").unwrap();
    let config = config.to_str().unwrap();
    sandbox.glassbox(&["--config", config, "load", "-i", &path]).expect(1);
    sandbox.glassbox(&["--config", config, "load", "--layer-ratio", "2000", "-i", &path]).expect(0);

    let sparse = sandbox.path("sparse");
    fs::File::create(&sparse).unwrap().set_len(64 << 20).unwrap();
    let tar = sandbox.path("sparse.tar");
    let made =
        sandbox.inside("tar").arg("-SC").arg(sandbox.path("")).arg("-cf").arg(&tar).arg("sparse").status();
    assert!(made.unwrap().success());
    let tar = tar.to_str().unwrap();
    let refused = sandbox.glassbox(&["import", "--layer-holes", "1m", tar]).expect(1).err;
    assert!(refused.contains("expands"), "{refused}");
    sandbox.glassbox(&["--config", config, "import", tar]).expect(1);
    sandbox.glassbox(&["import", tar]).expect(0);
}

#[test]
#[ignore = "root"]
fn what_is_wrong_is_said() {
    let sandbox = Sandbox::root();
    let file = sandbox.path("some.file");
    let elf = fs::read(crate::support::GLASSBOX).unwrap();
    for (content, words) in [
        (b"{\"a\": 1}\n".to_vec(), "it is JSON text"),
        (b"just some words\n".repeat(100), "it is text"),
        (elf[..4096].to_vec(), "it is a program (ELF)"),
        (gzip(b"#!/bin/sh\n"), "what is compressed in it is a script"),
        (b"!<arch>\ndebian-binary".to_vec(), "Debian package"),
    ] {
        fs::write(&file, content).unwrap();
        let name = file.to_str().unwrap();
        let error = sandbox.glassbox(&["import", name]).expect(1).err;
        assert!(error.contains(name) && error.contains(words), "{error}");
        assert!(error.contains("glassbox load takes archives"), "{error}");
    }
    // An image whose config is gone is there, and says what is wrong with it.
    let path = archive(&sandbox, "broken:1", &[tar_of(&[("a", b"b")])], true);
    sandbox.glassbox(&["load", "-i", &path]).expect(0);
    let id = sandbox.glassbox(&["images", "-q", "--no-trunc"]).expect(0).out;
    let config = sandbox.store().join("blobs/sha256").join(id.trim().trim_start_matches("sha256:"));
    fs::remove_file(&config).unwrap();
    let error = sandbox.glassbox(&["inspect", "broken:1"]).expect(1).err;
    assert!(error.contains("the file is missing") && !error.contains("no such container"), "{error}");
    let error = sandbox.glassbox(&["inspect", "nosuch"]).expect(1).err;
    assert!(error.contains("no such container or image: nosuch"), "{error}");
}

#[test]
#[ignore = "root"]
fn a_plan_shows_and_does_nothing() {
    let sandbox = Sandbox::root();
    let layers = [tar_of(&[("a", b"1")]), tar_of(&[("b", b"2")])];
    let path = archive(&sandbox, "planned:1", &layers, true);
    let planned = sandbox.glassbox(&["--lang", "en", "plan", "load", "-i", &path]).expect(0).out;
    for step in ["image.open-archive", "image.take-layer-2", "image.name-images"] {
        assert!(planned.contains(step), "{planned}");
    }
    assert!(!sandbox.store().exists(), "nothing is made");
    let json = sandbox.glassbox(&["plan", "load", "--format", "json", "-i", &path]).expect(0).out;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["steps"].as_array().unwrap().len(), 6, "{json}");
    let error = sandbox.glassbox(&["plan", "load", "-i", "/etc/hostname"]).expect(1).err;
    assert!(error.contains("not an image archive"), "{error}");
}
