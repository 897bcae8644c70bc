//! Each expectation was seen on Linux 6.18 with a real overlay.

use super::OPAQUE;
use crate::kernel::Errno;
use crate::kernel::model::World;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::HostEntry;
use crate::userland::{FileType, OpenFlags};

fn dir(path: &str) -> HostEntry {
    HostEntry::Dir { path: path.to_owned(), mode: 0o755 }
}

fn file(path: &str, text: &str) -> HostEntry {
    HostEntry::File { path: path.to_owned(), mode: 0o644, content: text.into() }
}

/// Two layers (l2 above l1) and a union at /m.
fn union() -> (World, Ctx) {
    let mut w = World::new();
    let entries = [
        dir("l1/d"),
        dir("l1/e"),
        dir("l2/d"),
        file("l1/f", "a\n"),
        HostEntry::Hardlink { path: "l1/g".into(), to: "l1/f".into() },
        file("l1/d/x", "x\n"),
        file("l2/d/y", "y\n"),
        file("l1/gone", "below"),
        HostEntry::Whiteout { path: "l2/gone".into() },
        file("l1/o/below", "below"),
        file("l2/o/above", "above"),
        HostEntry::Opaque { path: "l2/o".into() },
        dir("u"),
        dir("w"),
        dir("m"),
    ];
    w.populate("/", &entries).unwrap();
    let ctx = w.ctx(1).unwrap();
    let sb = w.make_overlay(&ctx, &["/l2", "/l1"], "/u", "/w").unwrap();
    w.mount_sb(&ctx, sb, "overlay", "overlay", "/m", Default::default()).unwrap();
    (w, ctx)
}

fn names(w: &mut World, ctx: &Ctx, path: &str) -> Vec<String> {
    w.read_dir(ctx, path).unwrap().into_iter().map(|e| e.name).collect()
}

use crate::kernel::model::vfs::tests::{read, write};

fn is_whiteout(w: &mut World, ctx: &Ctx, path: &str) -> bool {
    w.stat(ctx, path, false).is_ok_and(|s| s.kind == FileType::Char && (s.rdev_major, s.rdev_minor) == (0, 0))
}

fn is_opaque(w: &mut World, ctx: &Ctx, path: &str) -> bool {
    let loc = w.resolve(ctx, path, false).unwrap();
    let (tree, ino) = w.real(loc.node).unwrap();
    tree.xattr(ino, OPAQUE) == Some(b"y")
}

#[test]
fn layers_are_merged() {
    let (mut w, ctx) = union();
    assert_eq!(names(&mut w, &ctx, "/m"), ["d", "e", "f", "g", "o"]);
    assert_eq!(names(&mut w, &ctx, "/m/d"), ["x", "y"]);
    assert_eq!(names(&mut w, &ctx, "/m/o"), ["above"]);
    assert_eq!(read(&mut w, &ctx, "/m/gone"), Err(Errno::ENOENT));
    let links = |w: &mut World, path| w.stat(&ctx, path, false).unwrap().nlink;
    assert_eq!(
        [links(&mut w, "/m"), links(&mut w, "/m/d"), links(&mut w, "/m/e"), links(&mut w, "/m/f")],
        [1, 1, 2, 2]
    );
    assert_eq!(names(&mut w, &ctx, "/u"), [""; 0]);
}

#[test]
fn writing_copies_up_and_breaks_hard_links() {
    let (mut w, ctx) = union();
    let ino = w.stat(&ctx, "/m/g", true).unwrap().ino;
    let append = w.open(&ctx, "/m/g", OpenFlags::APPEND, 0).unwrap();
    assert_eq!(names(&mut w, &ctx, "/u"), ["g"], "open(2) for writing is enough");
    w.write_open(&ctx, append, b"b\n").unwrap();
    assert_eq!(read(&mut w, &ctx, "/m/g").unwrap(), "a\nb\n");
    assert_eq!(read(&mut w, &ctx, "/m/f").unwrap(), "a\n");
    assert_eq!(read(&mut w, &ctx, "/l1/g").unwrap(), "a\n");
    let stat = w.stat(&ctx, "/m/g", true).unwrap();
    assert_eq!((stat.nlink, stat.ino), (1, ino));
    assert_eq!(w.stat(&ctx, "/m/f", true).unwrap().nlink, 2);
}

#[test]
fn copy_up_brings_parents_and_attributes() {
    let (mut w, ctx) = union();
    w.chmod(&ctx, "/l1/d", 0o710).unwrap();
    w.chown(&ctx, "/l1/d/x", 7, 8, false).unwrap();
    w.set_times(&ctx, "/l1/d/x", Some(1234)).unwrap();
    w.chmod(&ctx, "/m/d/x", 0o600).unwrap();
    assert_eq!(names(&mut w, &ctx, "/u/d"), ["x"]);
    assert!(!is_opaque(&mut w, &ctx, "/u/d"), "a copied directory stays merged");
    let stat = w.stat(&ctx, "/u/d/x", false).unwrap();
    assert_eq!((stat.uid, stat.gid, stat.mode, stat.mtime, stat.size), (7, 8, 0o600, 1234, 2));
    assert_eq!(w.stat(&ctx, "/l1/d/x", false).unwrap().mode, 0o644);
    assert_eq!(names(&mut w, &ctx, "/m/d"), ["x", "y"]);
}

#[test]
fn a_reader_follows_a_copy_up() {
    let (mut w, ctx) = union();
    let reader = w.open(&ctx, "/m/f", OpenFlags::READ, 0).unwrap();
    write(&mut w, &ctx, "/m/f", "new").unwrap();
    let seen = w.read_open(&ctx, reader, 10);
    assert_eq!(seen, Ok(crate::kernel::model::vfs::ReadOutcome::Data(b"new".to_vec())));
}

#[test]
fn removing_leaves_whiteouts() {
    let (mut w, ctx) = union();
    w.unlink(&ctx, "/m/f").unwrap();
    assert!(is_whiteout(&mut w, &ctx, "/u/f"));
    assert_eq!(read(&mut w, &ctx, "/l1/f").unwrap(), "a\n");
    assert_eq!(w.rmdir(&ctx, "/m/d"), Err(Errno::ENOTEMPTY));
    w.unlink(&ctx, "/m/d/x").unwrap();
    w.unlink(&ctx, "/m/d/y").unwrap();
    assert_eq!(names(&mut w, &ctx, "/u/d"), ["x", "y"], "whiteouts are seen in the upper layer");
    w.rmdir(&ctx, "/m/d").unwrap();
    assert!(is_whiteout(&mut w, &ctx, "/u/d"));
    write(&mut w, &ctx, "/m/own", "").unwrap();
    w.unlink(&ctx, "/m/own").unwrap();
    assert_eq!(names(&mut w, &ctx, "/u"), ["d", "f"], "nothing below: no whiteout");
    write(&mut w, &ctx, "/m/f", "again").unwrap();
    assert_eq!(read(&mut w, &ctx, "/u/f").unwrap(), "again");
}

#[test]
fn a_new_directory_is_opaque_where_it_must_be() {
    let (mut w, ctx) = union();
    w.rmdir(&ctx, "/m/e").unwrap();
    w.mkdir(&ctx, "/m/e", 0o755).unwrap();
    assert!(is_opaque(&mut w, &ctx, "/u/e"));
    w.mkdir(&ctx, "/m/new", 0o755).unwrap();
    assert!(!is_opaque(&mut w, &ctx, "/u/new"), "there was nothing of that name below");
    w.mkdir(&ctx, "/m/new/sub", 0o755).unwrap();
    assert!(!is_opaque(&mut w, &ctx, "/u/new/sub"));
    w.rename(&ctx, "/m/new/sub", "/m/sub").unwrap();
    assert!(is_opaque(&mut w, &ctx, "/u/sub"));
}

#[test]
fn renames() {
    let (mut w, ctx) = union();
    assert_eq!(w.rename(&ctx, "/m/d", "/m/d2"), Err(Errno::EXDEV), "merged");
    assert_eq!(w.rename(&ctx, "/m/e", "/m/e2"), Err(Errno::EXDEV), "only below");
    w.rename(&ctx, "/m/f", "/m/f2").unwrap();
    assert!(is_whiteout(&mut w, &ctx, "/u/f"));
    assert_eq!(read(&mut w, &ctx, "/m/f2").unwrap(), "a\n");
    assert_eq!(read(&mut w, &ctx, "/m/f"), Err(Errno::ENOENT));
    w.mkdir(&ctx, "/m/n", 0o755).unwrap();
    w.rename(&ctx, "/m/n", "/m/e").unwrap();
    assert!(is_opaque(&mut w, &ctx, "/u/e"), "over a lower directory");
    assert_eq!(names(&mut w, &ctx, "/m"), ["d", "e", "f2", "g", "o"]);
    w.rename(&ctx, "/m/f2", "/m/g").unwrap();
    assert_eq!(read(&mut w, &ctx, "/m/g").unwrap(), "a\n");
}

#[test]
fn hard_links_in_the_upper_layer_are_one_file() {
    let (mut w, ctx) = union();
    w.link(&ctx, "/m/f", "/m/d/f").unwrap();
    let (a, b) = (w.stat(&ctx, "/m/f", true).unwrap(), w.stat(&ctx, "/m/d/f", true).unwrap());
    assert_eq!((a.ino, a.nlink), (b.ino, 2));
    w.unlink(&ctx, "/m/f").unwrap();
    assert_eq!(read(&mut w, &ctx, "/m/d/f").unwrap(), "a\n");
    assert_eq!(w.stat(&ctx, "/m/d/f", true).unwrap().nlink, 1);
}

#[test]
fn what_an_overlay_refuses() {
    let (mut w, ctx) = union();
    assert_eq!(w.mknod(&ctx, "/m/n", FileType::Char, 0, (0, 0)), Err(Errno::EPERM));
    assert!(w.make_overlay(&ctx, &["/m/d"], "/u", "/w").is_err(), "no union of a union in the model");
    assert_eq!(w.make_overlay(&ctx, &["/l1"], "/u", "/u").err(), Some(Errno::EINVAL));
    assert_eq!(w.make_overlay(&ctx, &[], "/u", "/w").err(), Some(Errno::EINVAL));
}

#[test]
fn another_mount_shows_what_the_first_one_left() {
    let (mut w, ctx) = union();
    w.unlink(&ctx, "/m/g").unwrap();
    write(&mut w, &ctx, "/m/d/new", "kept").unwrap();
    w.umount(&ctx, "/m", false).unwrap();
    let mut w = World::load(&w.save()).unwrap();
    let sb = w.make_overlay(&ctx, &["/l2", "/l1"], "/u", "/w").unwrap();
    w.mount_sb(&ctx, sb, "overlay", "overlay", "/m", Default::default()).unwrap();
    assert_eq!(names(&mut w, &ctx, "/m"), ["d", "e", "f", "o"]);
    assert_eq!(names(&mut w, &ctx, "/m/d"), ["new", "x", "y"]);
}
