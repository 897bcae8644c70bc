//! The content of the three layers.

use super::{BINARY, BuiltinLayer, Content, DELETED, Entry};

fn entry(path: &str, content: Content, mode: u32) -> Entry {
    Entry { path: path.to_owned(), content, mode, uid: 0, gid: 0 }
}

fn dir(path: &str) -> Entry {
    entry(path, Content::Dir, 0o755)
}

fn file(path: &str, text: &str) -> Entry {
    entry(path, Content::Bytes(text.as_bytes().to_vec()), 0o644)
}

/// Directories and configuration: what every system has.
pub(super) fn base() -> BuiltinLayer {
    let entries = vec![
        dir("bin"),
        dir("dev"),
        dir("etc"),
        file("etc/group", "root:x:0:\nadm:x:4:\nmail:x:8:\nusers:x:100:\nbox:x:1000:\nnogroup:x:65534:\n"),
        file("etc/hostname", "box\n"),
        file("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
        file("etc/motd", "box: base layer\n"),
        file(
            "etc/os-release",
            "NAME=\"box\"\nID=box\nPRETTY_NAME=\"box, the image built into glassbox\"\nVERSION_ID=1\n",
        ),
        file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nbox:x:1000:1000:box:/home/box:/bin/sh\n\
             nobody:x:65534:65534:nobody:/:/bin/false\n",
        ),
        file("etc/resolv.conf", ""),
        file("etc/shells", "/bin/sh\n"),
        dir("home"),
        Entry { uid: 1000, gid: 1000, ..dir("home/box") },
        dir("mnt"),
        dir("proc"),
        entry("root", Content::Dir, 0o700),
        dir("run"),
        dir("sys"),
        entry("tmp", Content::Dir, 0o1777),
        dir("usr"),
        dir("usr/bin"),
        dir("var"),
        dir("var/log"),
        entry("var/tmp", Content::Dir, 0o1777),
    ];
    BuiltinLayer { name: "base", created_by: "COPY base/ /".to_owned(), entries }
}

/// The one program, and a file that the next layer deletes.
pub(super) fn userland() -> BuiltinLayer {
    let entries = vec![
        dir("bin"),
        entry(BINARY, Content::Binary, 0o755),
        dir("etc"),
        file(DELETED, "box: this file is in the userland layer; the layer above deletes it\n"),
    ];
    BuiltinLayer { name: "userland", created_by: format!("COPY box /{BINARY}"), entries }
}

/// A link for each program, another motd, a deletion.
pub(super) fn links(programs: &[&str]) -> BuiltinLayer {
    let mut names: Vec<&str> = programs.iter().copied().filter(|p| *p != "box").collect();
    names.sort_unstable();
    names.dedup();
    let mut entries = vec![dir("bin")];
    entries.extend(
        names.iter().map(|name| entry(&format!("bin/{name}"), Content::Symlink("box".into()), 0o777)),
    );
    entries.push(dir("etc"));
    entries.push(entry(DELETED, Content::Whiteout, 0o644));
    entries.push(file("etc/motd", "box: links layer\n"));
    entries.push(dir("usr"));
    entries.push(dir("usr/bin"));
    if names.contains(&"env") {
        entries.push(entry("usr/bin/env", Content::Symlink("../../bin/box".into()), 0o777));
    }
    let created_by =
        format!("RUN link-programs /bin && rm /{DELETED} && echo 'box: links layer' > /etc/motd");
    BuiltinLayer { name: "links", created_by, entries }
}
