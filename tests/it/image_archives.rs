//! Archives between glassbox and other tools, in both directions, with every kind
//! of file compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, Sandbox};

/// Makes every kind of file below `$1`; the shell's own tools, so that nothing of
/// glassbox is on both sides.
const EVERYTHING: &str = r#"
set -e; cd "$1"; umask 022
mkdir -p d/deep sub
echo content > d/file; chmod 4755 d/file; ln d/file z-same; ln -s d/file link
: > empty; mknod null c 1 3; mknod disk b 7 9; mkfifo pipe
echo program > sub/ping; setcap cap_net_raw+ep sub/ping; setfattr -n user.note -v value sub/ping
long=$(printf 'a%.0s' $(seq 120)); mkdir -p "$long/$long"; echo x > "$long/$long/$(printf 'b%.0s' $(seq 200))"
truncate -s 200M sparse; printf end | dd of=sparse bs=1 seek=150000000 conv=notrunc status=none
chown 12345:54321 d/deep; chmod 1777 sub; printf 'caf\303\251' > 'na\303\257ve'
touch -d '2001-02-03 04:05:06.123456789' empty; touch -h -d '1999-12-31 23:59:59.5' link
touch -d '2010-10-10 10:10:10' d sub
"#;

fn everything(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let made = Command::new("bash").args(["-c", EVERYTHING, "bash"]).arg(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What a tree is, in words: by stat(1) and friends.
fn describe(dir: &Path) -> BTreeMap<String, String> {
    let script = r#"cd "$1"; find . -mindepth 1 -printf '%P\0' | sort -z | while IFS= read -r -d '' f; do
        sum=-; [ -f "$f" ] && [ ! -L "$f" ] && [ "$(stat -c %s "$f")" -lt 1000000 ] && sum=$(sha256sum < "$f" | cut -c1-16)
        far=-; [ "$(stat -c %s "$f")" -gt 1000000 ] && far=$(dd if="$f" bs=1 skip=150000000 count=3 status=none):$(( $(stat -c %b "$f") < 1000 ))
        printf '%s|%s %s %s|%s|%s\n' "$f" "$(stat -c '%f %u:%g %s %y %t,%T %h' "$f" | sed "s/ 4096 / D /")" "$sum" "$far" \
            "$(readlink "$f" || true)" "$(getfattr -h -d -m - -e hex "$f" 2>/dev/null | grep = | grep -v overlay | sort | tr '\n' ' ')"
    done"#;
    let out = Command::new("bash").args(["-c", script, "bash"]).arg(dir).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut all: BTreeMap<String, String> =
        text.lines().filter_map(|l| l.split_once('|')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    // A directory's size is the file system's own affair.
    for words in all.values_mut() {
        if words.starts_with('4') {
            let mut parts: Vec<&str> = words.splitn(4, ' ').collect();
            parts[2] = "D";
            *words = parts.join(" ");
        }
    }
    all
}

#[track_caller]
fn same(want: &Path, got: &Path, what: &str, leave_out: &[&str]) {
    let (want, got) = (describe(want), describe(got));
    assert!(want.len() > 12, "{want:?}");
    for (path, words) in &want {
        if !leave_out.contains(&path.as_str()) {
            assert_eq!(got.get(path), Some(words), "{what}: {path}");
        }
    }
    for path in got.keys() {
        assert!(want.contains_key(path), "{what}: {path} is too much");
    }
}

/// A tool of Debian's; without it the test says so, and fails where CI is.
fn tool(name: &str) -> Option<&str> {
    let there =
        Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap().status.success();
    assert!(there || std::env::var_os("CI").is_none(), "{name} is missing: .ci/run installs it");
    if !there {
        #[expect(clippy::print_stderr, reason = "a test that skips says so")]
        {
            eprintln!("skipped: {name} is not installed");
        }
    }
    there.then_some(name)
}

fn peer(program: &str, args: &[&str], dir: &Path) -> Ran {
    Command::new(program).args(args).current_dir(dir).output().unwrap().into()
}

/// The tree of the only layer of an image.
fn tree(sandbox: &Sandbox, image: &str) -> PathBuf {
    let format = "{{range .Glassbox.Layers}}{{.Dir}}{{end}}";
    let ran = sandbox.glassbox(&["image", "inspect", "-f", format, image]).expect(0);
    PathBuf::from(ran.out.trim())
}

/// A store with an image `all` of one layer that has everything, made by GNU tar.
fn imported(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.path("all");
    everything(&dir);
    let tar = sandbox.path("all.tar");
    let args = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--format=pax", "-S", "-cf"];
    let made = peer("tar", &[&args[..], &[tar.to_str().unwrap(), "."]].concat(), &dir);
    made.expect(0);
    sandbox.glassbox(&["import", "-c", "CMD [\"/x\"]", tar.to_str().unwrap(), "all"]).expect(0);
    dir
}

#[test]
#[ignore = "root"]
fn a_tar_comes_in_and_goes_out_whole() {
    let sandbox = Sandbox::root();
    let dir = imported(&sandbox);
    same(&dir, &tree(&sandbox, "all"), "import of GNU tar", &[]);
    let tar = sandbox.path("saved.tar");
    sandbox.glassbox(&["save", "-o", tar.to_str().unwrap(), "all"]).expect(0);
    let again = Sandbox::root();
    let said = again.glassbox(&["load", "-i", tar.to_str().unwrap()]).expect(0).out;
    assert_eq!(said, "Loaded image: all:latest\n");
    same(&dir, &tree(&again, "all"), "save and load", &[]);
    let first = sandbox.glassbox(&["image", "inspect", "-f", "{{.Id}} {{.Glassbox.Manifest}}", "all"]).out;
    assert_eq!(
        again.glassbox(&["image", "inspect", "-f", "{{.Id}} {{.Glassbox.Manifest}}", "all"]).out,
        first
    );
    let file = fs::metadata(&tar).unwrap().len();
    assert!(file < 1 << 20, "holes are not stored: {file}");
}

#[test]
#[ignore = "root"]
fn a_container_that_made_everything_is_committed_and_exported() {
    let sandbox = Sandbox::root();
    let host = sandbox.path("all");
    everything(&host);
    // Copied into the writable layer by GNU cp, so that overlayfs itself made it.
    let ran = sandbox.glassbox(&["run", "--name", "made", "--network", "none", "box", "true"]).expect(0);
    assert_eq!(ran.out, "");
    let format = "{{.GraphDriver.Data.UpperDir}}";
    let upper = sandbox.glassbox(&["inspect", "-f", format, "made"]).expect(0).out;
    let copied = Path::new(upper.trim()).join("srv/all");
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    peer("cp", &["-a", "--sparse=always", host.to_str().unwrap(), copied.to_str().unwrap()], Path::new("/"))
        .expect(0);
    sandbox.glassbox(&["commit", "made", "all"]).expect(0);
    sandbox.glassbox(&["layers", "all"]).expect(0);
    let format = "{{range .Glassbox.Layers}}{{.Dir}}\n{{end}}";
    let dirs = sandbox.glassbox(&["image", "inspect", "-f", format, "all"]).expect(0).out;
    let top = dirs.trim().lines().last().unwrap().to_owned();
    same(&host, &Path::new(&top).join("srv/all"), "commit", &[]);
    let tar = sandbox.path("export.tar");
    sandbox.glassbox(&["export", "-o", tar.to_str().unwrap(), "made"]).expect(0);
    let out = sandbox.path("out");
    fs::create_dir(&out).unwrap();
    peer("tar", &["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "../export.tar"], &out)
        .expect(0);
    same(&host, &out.join("srv/all"), "export", &[]);
    assert!(out.join("bin/sh").symlink_metadata().is_ok() && !out.join("etc/box-build").exists());
}

#[test]
#[ignore = "root"]
fn skopeo_and_umoci_read_what_is_saved() {
    let (Some(skopeo), Some(umoci)) = (tool("skopeo"), tool("umoci")) else { return };
    let sandbox = Sandbox::root();
    let dir = imported(&sandbox);
    let at = sandbox.path(".");
    for (form, format) in
        [("docker", "docker-archive"), ("docker-archive", "docker-archive"), ("oci-archive", "oci-archive")]
    {
        let tar = format!("{form}.tar");
        sandbox
            .glassbox(&["save", "--format", form, "-o", sandbox.path(&tar).to_str().unwrap(), "all"])
            .expect(0);
        let layout = format!("oci:{form}-layout:all");
        peer(skopeo, &["--insecure-policy", "copy", &format!("{format}:{tar}"), &layout], &at).expect(0);
        let image = format!("{form}-layout:all");
        let bundle = format!("{form}-bundle");
        peer(umoci, &["unpack", "--image", &image, &bundle], &at).expect(0);
        // umoci 0.4 expands holes and keeps times of links as it likes.
        let unpacked = sandbox.path(&format!("{bundle}/rootfs"));
        same(&dir, &unpacked, form, &["sparse", "link"]);
        // And back.
        peer(
            skopeo,
            &[
                "--insecure-policy",
                "copy",
                &layout,
                &format!("{format}:{form}-back.tar:docker.io/library/back:1"),
            ],
            &at,
        )
        .expect(0);
        let other = Sandbox::root();
        let said = other
            .glassbox(&["load", "-i", sandbox.path(&format!("{form}-back.tar")).to_str().unwrap()])
            .expect(0)
            .out;
        assert_eq!(said, "Loaded image: back:1\n", "{form}");
        same(&dir, &tree(&other, "back:1"), &format!("{form} and back"), &[]);
    }
    // In place: the store is a layout.
    let store = sandbox.store();
    let seen =
        peer(skopeo, &["inspect", &format!("oci:{}:docker.io/library/all:latest", store.display())], &at)
            .expect(0);
    assert!(seen.out.contains("\"Layers\""), "{}", seen.out);
}

/// Several images in the form that docker save wrote until version 25: into podman and
/// back, and into a store of our own.
#[test]
#[ignore = "root"]
fn the_older_form_of_docker_save() {
    let sandbox = Sandbox::root();
    let dir = imported(&sandbox);
    for (n, name) in [("1", "one"), ("2", "two")] {
        let run = ["run", "--name", name, "--network", "none", "box", "touch", &format!("/f{n}")];
        sandbox.glassbox(&run).expect(0);
        sandbox.glassbox(&["commit", name, &format!("app:{n}")]).expect(0);
    }
    sandbox.glassbox(&["tag", "all", "registry.example:5000/team/all:v1"]).expect(0);
    let tar = sandbox.path("older.tar");
    let path = tar.to_str().unwrap();
    let all = "registry.example:5000/team/all:v1";
    let save = ["save", "--format", "docker-archive", "-o", path, "app", "all", all];
    sandbox.glassbox(&save).expect(0);
    let first = fs::read(&tar).unwrap();
    sandbox.glassbox(&save).expect(0);
    assert_eq!(first, fs::read(&tar).unwrap(), "the same images make the same bytes");
    let names = peer("tar", &["-tf", path], Path::new("/")).expect(0).out;
    let end = |end: &str| names.lines().filter(|l| l.ends_with(end)).count();
    // The layers of the image box, which two images share, are there once.
    assert_eq!(
        (end("/layer.tar"), end("/VERSION"), end("/json"), end("manifest.json")),
        (6, 6, 6, 1),
        "{names}"
    );
    assert_eq!(
        (names.lines().filter(|l| l.len() == 68 && l.ends_with(".tar")).count(), end("repositories")),
        (6, 1)
    );
    let text = peer("tar", &["-xOf", path, "repositories"], Path::new("/")).expect(0).out;
    let repositories: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, tag) in
        [("app", "1"), ("app", "2"), ("all", "latest"), ("registry.example:5000/team/all", "v1")]
    {
        let top = repositories[name][tag].as_str().unwrap();
        assert!(names.contains(&format!("{top}/layer.tar")), "{name}:{tag} {text}");
    }
    let ids = |sandbox: &Sandbox| {
        let listed =
            sandbox.glassbox(&["images", "--no-trunc", "--format", "{{.Tag}} {{.ID}}"]).expect(0).out;
        listed
            .lines()
            .filter(|l| !l.starts_with("latest"))
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let other = Sandbox::root();
    other.glassbox(&["load", "-i", path]).expect(0);
    assert_eq!(ids(&other), ids(&sandbox), "an image keeps its id");
    same(&dir, &tree(&other, all), "the older form", &[]);
    let Some(podman) = tool("podman") else { return };
    let at = sandbox.path(".");
    let place = ["--root", "podman", "--runroot", "podman-run", "--storage-driver", "vfs"];
    let run = |args: &[&str]| peer(podman, &[&place[..], args].concat(), &at);
    run(&["load", "-q", "-i", path]).expect(0);
    let back = [
        "save",
        "-q",
        "--format",
        "docker-archive",
        "-m",
        "-o",
        "back.tar",
        "localhost/app:1",
        "localhost/app:2",
    ];
    // Not the one with a sparse file: podman 4.3 cannot save such a layer, whoever made it.
    run(&back).expect(0);
    let third = Sandbox::root();
    third.glassbox(&["load", "-i", sandbox.path("back.tar").to_str().unwrap()]).expect(0);
    assert!(ids(&third).is_subset(&ids(&sandbox)) && ids(&third).len() == 2, "{:?}", ids(&third));
    let ran = third.glassbox(&["run", "--rm", "--network", "none", "localhost/app:2", "ls", "/f2"]).expect(0);
    assert_eq!(ran.out, "/f2\n");
}

#[test]
#[ignore = "root"]
fn what_umoci_and_busybox_make_is_read() {
    let Some(umoci) = tool("umoci") else { return };
    let sandbox = Sandbox::root();
    let at = sandbox.path(".");
    peer(umoci, &["init", "--layout", "l"], &at).expect(0);
    peer(umoci, &["new", "--image", "l:new"], &at).expect(0);
    peer(umoci, &["unpack", "--image", "l:new", "b"], &at).expect(0);
    everything(&sandbox.path("b/rootfs/all"));
    fs::remove_file(sandbox.path("b/rootfs/all/sparse")).unwrap();
    // umoci 0.4 and busybox write whole seconds only.
    let touch = ["b/rootfs/all", "-exec", "touch", "-h", "-d", "2020-02-03 04:05:06", "{}", "+"];
    peer("find", &touch, &at).expect(0);
    peer(umoci, &["repack", "--image", "l:new", "b"], &at).expect(0);
    peer("tar", &["-C", "l", "-cf", "l.tar", "."], &at).expect(0);
    sandbox.glassbox(&["load", "-i", sandbox.path("l.tar").to_str().unwrap()]).expect(0);
    let id = sandbox.glassbox(&["images", "-q"]).expect(0).out.trim().to_owned();
    same(&sandbox.path("b/rootfs/all"), &tree(&sandbox, &id).join("all"), "umoci", &[]);
    if let Some(busybox) = tool("busybox") {
        let made = peer(busybox, &["tar", "-C", "b/rootfs/all", "-czf", "bb.tar.gz", "."], &at).expect(0);
        assert_eq!(made.err, "");
        let input = fs::File::open(sandbox.path("bb.tar.gz")).unwrap();
        let ran: Ran = sandbox.command(&["import", "-", "bb"]).stdin(input).output().unwrap().into();
        ran.expect(0);
        // busybox writes no attributes.
        let got = describe(&tree(&sandbox, "bb"));
        let want = describe(&sandbox.path("b/rootfs/all"));
        assert_eq!(want.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>());
        let whole = |words: &str| -> String { words.split('|').take(2).collect::<Vec<_>>().join("|") };
        for (path, words) in &want {
            assert_eq!(whole(&got[path]), whole(words), "{path}");
        }
    }
}

#[test]
#[ignore = "root"]
fn several_images_and_refusals() {
    let sandbox = Sandbox::root();
    for (n, name) in [("1", "one"), ("2", "two")] {
        sandbox
            .glassbox(&["run", "--name", name, "--network", "none", "box", "touch", &format!("/f{n}")])
            .expect(0);
        sandbox.glassbox(&["commit", name, &format!("app:{n}")]).expect(0);
    }
    let tar = sandbox.path("both.tar");
    let path = tar.to_str().unwrap();
    sandbox.glassbox(&["save", "-o", path, "app", "box"]).expect(0);
    let again = Sandbox::root();
    let said = again.glassbox(&["load", "-i", path]).expect(0).out;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["Loaded image: app:1", "Loaded image: app:2", "Loaded image: box:latest"],
        "a bare name is all its tags"
    );
    let first = fs::read(&tar).unwrap();
    sandbox.glassbox(&["save", "-o", path, "app", "box"]).expect(0);
    assert_eq!(first, fs::read(&tar).unwrap(), "the same images make the same bytes");
    // Shared layers are there once.
    let names = peer("tar", &["-tf", path], Path::new("/")).expect(0).out;
    let blobs: Vec<&str> = names.lines().filter(|l| l.starts_with("blobs/sha256/") && l.len() > 20).collect();
    assert_eq!(blobs.len(), 3 + 2 + 3 + 3, "{names}");
    let id = sandbox.glassbox(&["images", "-q", "app:1"]).expect(0).out.trim().to_owned();
    sandbox.glassbox(&["save", "-o", path, &id]).expect(0);
    let third = Sandbox::root();
    assert!(third.glassbox(&["load", "-i", path]).expect(0).out.starts_with("Loaded image ID: sha256:"));
    for (args, words) in [
        (&["save", "-o", "/nowhere/x", "app:1"][..], "No such file or directory"),
        (&["save", "-o", path, "nothing"], "no such image"),
        (&["import", "/nowhere"], "no such file or directory"),
        (&["import", "http://example.org/x.tar"], "cannot import from a URL"),
        (&["import", "--platform", "a/b/c/d", path], "is no platform"),
        (&["import", "/etc/passwd", "x"], "not a tar: it is text"),
        (&["export", "-o", path, "nothing"], "no such container"),
    ] {
        let ran = sandbox.glassbox(args);
        let seen = ran.err.to_lowercase();
        assert!(
            ran.status == 1 && (seen.contains(&words.to_lowercase())),
            "{args:?}: {} {}",
            ran.status,
            ran.err
        );
    }
    // A terminal gets no archive: script(1) gives one.
    let command = format!("{} --root {} save box", crate::support::GLASSBOX, sandbox.store().display());
    let ran: Ran = sandbox.inside("script").args(["-qec", &command, "/dev/null"]).output().unwrap().into();
    assert!(
        ran.status == 1 && ran.out.contains("refusing to write the archive to a terminal"),
        "{} {}",
        ran.status,
        ran.out
    );
}
