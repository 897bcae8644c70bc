//! Each expectation was looked up on Linux 6.18 by hand.

use super::*;
use crate::kernel::Errno;
use crate::kernel::model::World;
use crate::kernel::model::cred::cap_mask;
use crate::kernel::model::process::Ctx;
use crate::userland::OpenFlags;

pub(crate) fn root() -> (World, Ctx) {
    let w = World::new();
    let ctx = w.ctx(1).unwrap();
    (w, ctx)
}

fn user(ctx: &Ctx, uid: u32, caps: &[&str]) -> Ctx {
    let mut cred = (*ctx.cred).clone();
    (cred.uid, cred.euid, cred.gid, cred.egid) = (uid, uid, uid, uid);
    cred.groups = [uid].as_slice().into();
    cred.effective = cap_mask(caps);
    Ctx { cred: cred.into(), ..ctx.clone() }
}

pub(crate) fn write(w: &mut World, ctx: &Ctx, path: &str, text: &str) -> Result<(), Errno> {
    let id = w.open(ctx, path, OpenFlags::CREATE, 0o666)?;
    let result = w.write_open(ctx, id, text.as_bytes()).map(drop);
    w.drop_open(id);
    result
}

pub(crate) fn read(w: &mut World, ctx: &Ctx, path: &str) -> Result<String, Errno> {
    let id = w.open(ctx, path, OpenFlags::READ, 0)?;
    let result = w.read_open(ctx, id, 65536);
    w.drop_open(id);
    match result? {
        ReadOutcome::Data(data) => Ok(String::from_utf8(data).unwrap()),
        ReadOutcome::Block => panic!("a file does not block"),
    }
}

fn names(w: &mut World, ctx: &Ctx, path: &str) -> Vec<String> {
    w.read_dir(ctx, path).unwrap().into_iter().map(|e| e.name).collect()
}

#[test]
fn errors_are_those_of_linux() {
    type Call = fn(&mut World, &Ctx) -> Result<(), Errno>;
    let cases: &[(&str, Call, Result<(), Errno>)] = &[
        ("rmdir .", |w, c| w.rmdir(c, "/m/p/."), Err(Errno::EINVAL)),
        ("rmdir ..", |w, c| w.rmdir(c, "/m/p/.."), Err(Errno::ENOTEMPTY)),
        ("rmdir /", |w, c| w.rmdir(c, "/"), Err(Errno::EBUSY)),
        ("rmdir file", |w, c| w.rmdir(c, "/m/f"), Err(Errno::ENOTDIR)),
        ("rmdir link to dir", |w, c| w.rmdir(c, "/m/sq/"), Err(Errno::ENOTDIR)),
        ("mkdir file/", |w, c| w.mkdir(c, "/m/f/", 0o777), Err(Errno::EEXIST)),
        ("mkdir /", |w, c| w.mkdir(c, "/", 0o777), Err(Errno::EEXIST)),
        ("mkdir missing/.", |w, c| w.mkdir(c, "/m/nope/.", 0o777), Err(Errno::ENOENT)),
        ("mkdir over dangling/", |w, c| w.mkdir(c, "/m/dangling/", 0o777), Err(Errno::EEXIST)),
        ("unlink dir", |w, c| w.unlink(c, "/m/p"), Err(Errno::EISDIR)),
        ("unlink file/", |w, c| w.unlink(c, "/m/f/"), Err(Errno::ENOTDIR)),
        ("unlink loop/", |w, c| w.unlink(c, "/m/loop/"), Err(Errno::ENOTDIR)),
        ("rename dir onto file", |w, c| w.rename(c, "/m/p", "/m/f"), Err(Errno::ENOTDIR)),
        ("rename file onto dir", |w, c| w.rename(c, "/m/f", "/m/p"), Err(Errno::EISDIR)),
        ("rename file to x/", |w, c| w.rename(c, "/m/f", "/m/qq/"), Err(Errno::ENOTDIR)),
        ("rename into itself", |w, c| w.rename(c, "/m/p", "/m/p/z"), Err(Errno::EINVAL)),
        ("rename child over parent", |w, c| w.rename(c, "/m/full/in", "/m/full"), Err(Errno::ENOTEMPTY)),
        ("rename over full", |w, c| w.rename(c, "/m/p", "/m/full"), Err(Errno::ENOTEMPTY)),
        ("rename .", |w, c| w.rename(c, "/m/p/.", "/m/z"), Err(Errno::EBUSY)),
        ("rename link/", |w, c| w.rename(c, "/m/sq/", "/m/z"), Err(Errno::ENOTDIR)),
        ("rename to other fs", |w, c| w.rename(c, "/m/f", "/run/f"), Err(Errno::EXDEV)),
        ("rename dir to x/", |w, c| w.rename(c, "/m/p", "/m/new/"), Ok(())),
        ("rename onto a second name", |w, c| w.rename(c, "/m/f", "/m/hard"), Ok(())),
        (
            "rename file/ to a long name",
            |w, c| w.rename(c, "/m/f/", &format!("/m/{}", "a".repeat(256))),
            Err(Errno::ENAMETOOLONG),
        ),
        ("symlink empty", |w, c| w.symlink(c, "", "/m/s"), Err(Errno::ENOENT)),
        ("symlink x/", |w, c| w.symlink(c, "a", "/m/s/"), Err(Errno::ENOENT)),
        ("link dir", |w, c| w.link(c, "/m/p", "/m/l"), Err(Errno::EPERM)),
        ("link other fs", |w, c| w.link(c, "/m/f", "/run/l"), Err(Errno::EXDEV)),
        ("open file/", |w, c| w.open(c, "/m/f/", OpenFlags::READ, 0).map(drop), Err(Errno::ENOTDIR)),
        ("create x/", |w, c| w.open(c, "/m/zz/", OpenFlags::CREATE, 0o666).map(drop), Err(Errno::EISDIR)),
        ("create on dir", |w, c| w.open(c, "/m/p", OpenFlags::CREATE, 0o666).map(drop), Err(Errno::EISDIR)),
        ("truncate dir", |w, c| w.truncate(c, "/m/p", 0), Err(Errno::EISDIR)),
        ("stat loop", |w, c| w.stat(c, "/m/loop", true).map(drop), Err(Errno::ELOOP)),
        ("lstat loop", |w, c| w.stat(c, "/m/loop", false).map(drop), Ok(())),
        ("readlink file", |w, c| w.read_link(c, "/m/f").map(drop), Err(Errno::EINVAL)),
        ("stat empty", |w, c| w.stat(c, "", true).map(drop), Err(Errno::ENOENT)),
        ("through a file", |w, c| w.stat(c, "/m/f/x", true).map(drop), Err(Errno::ENOTDIR)),
        ("long name", |w, c| w.mkdir(c, &format!("/m/{}", "a".repeat(256)), 0), Err(Errno::ENAMETOOLONG)),
        ("long path", |w, c| w.stat(c, &"/m".repeat(2100), true).map(drop), Err(Errno::ENAMETOOLONG)),
        ("umount no mount", |w, c| w.umount(c, "/m/p", false), Err(Errno::EINVAL)),
        ("umount busy", |w, c| w.umount(c, "/sys", false), Err(Errno::EBUSY)),
        ("rmdir mount point", |w, c| w.rmdir(c, "/run"), Err(Errno::EBUSY)),
    ];
    for (name, call, expected) in cases {
        let (mut w, ctx) = root();
        for dir in ["/m", "/m/p", "/m/full", "/m/full/in"] {
            w.mkdir(&ctx, dir, 0o755).unwrap();
        }
        write(&mut w, &ctx, "/m/f", "x").unwrap();
        w.link(&ctx, "/m/f", "/m/hard").unwrap();
        w.symlink(&ctx, "loop", "/m/loop").unwrap();
        w.symlink(&ctx, "nowhere", "/m/dangling").unwrap();
        w.symlink(&ctx, "p", "/m/sq").unwrap();
        assert_eq!(call(&mut w, &ctx), *expected, "{name}");
    }
}

#[test]
fn permissions_need_the_right_capability() {
    type Call = fn(&mut World, &Ctx) -> Result<(), Errno>;
    // Without and with the capability; the directory is root's, 0700.
    let cases: &[(&str, Call, Errno, &str)] = &[
        ("search", |w, c| w.stat(c, "/root/f", true).map(drop), Errno::EACCES, "CAP_DAC_READ_SEARCH"),
        ("read", |w, c| read(w, c, "/root/f").map(drop), Errno::EACCES, "CAP_DAC_READ_SEARCH"),
        ("write", |w, c| write(w, c, "/root/f", ""), Errno::EACCES, "CAP_DAC_OVERRIDE"),
        ("chmod", |w, c| w.chmod(c, "/etc/f", 0o777), Errno::EPERM, "CAP_FOWNER"),
        ("chown", |w, c| w.chown(c, "/etc/f", 1, 1, false), Errno::EPERM, "CAP_CHOWN"),
        ("times", |w, c| w.set_times(c, "/etc/f", Some(1)), Errno::EPERM, "CAP_FOWNER"),
        ("sticky", |w, c| w.unlink(c, "/tmp/f"), Errno::EPERM, "CAP_FOWNER"),
        (
            "mknod",
            |w, c| w.mknod(c, "/tmp/n", crate::userland::FileType::Char, 0o600, (1, 3)),
            Errno::EPERM,
            "CAP_MKNOD",
        ),
    ];
    for (name, call, refused, cap) in cases {
        let (mut w, ctx) = root();
        for path in ["/root/f", "/etc/f", "/tmp/f"] {
            write(&mut w, &ctx, path, "secret").unwrap();
            w.chmod(&ctx, path, 0o600).unwrap();
        }
        assert_eq!(call(&mut w, &user(&ctx, 1000, &[])), Err(*refused), "{name}");
        assert_eq!(call(&mut w, &user(&ctx, 1000, &[cap])), Ok(()), "{name} with {cap}");
    }
}

#[test]
fn links_and_open_files_keep_an_inode_alive() {
    let (mut w, ctx) = root();
    write(&mut w, &ctx, "/tmp/a", "text").unwrap();
    w.link(&ctx, "/tmp/a", "/tmp/b").unwrap();
    assert_eq!(w.stat(&ctx, "/tmp/a", true).unwrap().nlink, 2);
    let open = w.open(&ctx, "/tmp/b", OpenFlags::READ, 0).unwrap();
    w.unlink(&ctx, "/tmp/a").unwrap();
    w.unlink(&ctx, "/tmp/b").unwrap();
    assert_eq!(w.read_open(&ctx, open, 10), Ok(ReadOutcome::Data(b"text".to_vec())));
    let used = w.fs_use(&ctx, "/tmp").unwrap().free;
    w.drop_open(open);
    assert_eq!(w.fs_use(&ctx, "/tmp").unwrap().free, used + 4);
}

#[test]
fn symbolic_links_and_dots_lead_where_they_should() {
    let (mut w, ctx) = root();
    w.mkdir(&ctx, "/etc/d", 0o755).unwrap();
    write(&mut w, &ctx, "/etc/d/f", "here").unwrap();
    w.symlink(&ctx, "../etc/d", "/tmp/rel").unwrap();
    w.symlink(&ctx, "/tmp/rel/f", "/tmp/abs").unwrap();
    assert_eq!(read(&mut w, &ctx, "/tmp/abs").unwrap(), "here");
    assert_eq!(read(&mut w, &ctx, "/tmp/rel/../d/./f").unwrap(), "here");
    assert_eq!(read(&mut w, &ctx, "/../../etc/d/f").unwrap(), "here");
    w.symlink(&ctx, "made", "/tmp/dangling").unwrap();
    write(&mut w, &ctx, "/tmp/dangling", "new").unwrap();
    assert_eq!(read(&mut w, &ctx, "/tmp/made").unwrap(), "new");
    let exclusive = OpenFlags { exclusive: true, ..OpenFlags::CREATE };
    assert_eq!(w.open(&ctx, "/tmp/dangling", exclusive, 0o666).err(), Some(Errno::EEXIST));
}

#[test]
fn umask_setgid_and_devices() {
    let (mut w, ctx) = root();
    write(&mut w, &ctx, "/tmp/f", "").unwrap();
    assert_eq!(w.stat(&ctx, "/tmp/f", true).unwrap().mode, 0o644);
    w.mkdir(&ctx, "/tmp/g", 0o777).unwrap();
    w.chown(&ctx, "/tmp/g", 0, 50, false).unwrap();
    w.chmod(&ctx, "/tmp/g", 0o2775).unwrap();
    w.mkdir(&ctx, "/tmp/g/in", 0o755).unwrap();
    let inside = w.stat(&ctx, "/tmp/g/in", true).unwrap();
    assert_eq!((inside.gid, inside.mode), (50, 0o2755));
    assert_eq!(read(&mut w, &ctx, "/dev/null").unwrap(), "");
    assert_eq!(write(&mut w, &ctx, "/dev/full", "x"), Err(Errno::ENOSPC));
    let zero = w.open(&ctx, "/dev/zero", OpenFlags::READ, 0).unwrap();
    assert_eq!(w.read_open(&ctx, zero, 3), Ok(ReadOutcome::Data(vec![0; 3])));
}

#[test]
fn odd_offsets_and_sizes_do_no_harm() {
    let (mut w, ctx) = root();
    let flags = OpenFlags { read: true, ..OpenFlags::CREATE };
    let f = w.open(&ctx, "/tmp/f", flags, 0o666).unwrap();
    assert_eq!(w.seek_open(f, u64::MAX), Err(Errno::EINVAL));
    w.seek_open(f, i64::MAX as u64).unwrap();
    assert_eq!(w.write_open(&ctx, f, b"x"), Err(Errno::EFBIG));
    assert_eq!(w.read_open(&ctx, f, usize::MAX), Ok(ReadOutcome::Data(Vec::new())));
    assert_eq!(w.truncate(&ctx, "/tmp/f", 1 << 41), Err(Errno::ENOSPC));
    w.seek_open(f, 4).unwrap();
    w.write_open(&ctx, f, b"x").unwrap();
    assert_eq!(read(&mut w, &ctx, "/tmp/f").unwrap(), "\0\0\0\0x");
}

#[test]
fn a_saved_disk_comes_back_as_it_was() {
    let (mut w, ctx) = root();
    w.mkdir(&ctx, "/var/lib", 0o750).unwrap();
    write(&mut w, &ctx, "/var/lib/f", "text").unwrap();
    w.link(&ctx, "/var/lib/f", "/var/lib/g").unwrap();
    w.symlink(&ctx, "f", "/var/lib/s").unwrap();
    w.mknod(&ctx, "/var/lib/gone", crate::userland::FileType::Char, 0, (0, 0)).unwrap();
    let saved = w.save();
    let mut again = World::load(&saved).unwrap();
    assert_eq!(names(&mut again, &ctx, "/var/lib"), ["f", "g", "gone", "s"]);
    let stat = again.stat(&ctx, "/var/lib/f", true).unwrap();
    assert_eq!((stat.nlink, stat.mode, stat.size), (2, 0o644, 4));
    assert_eq!(again.stat(&ctx, "/var/lib", true).unwrap().mode, 0o750);
    assert_eq!(again.save(), saved);
    for bad in ["", "{}", r#"{"version":9,"inodes":[]}"#, r#"{"version":1,"inodes":[]}"#] {
        assert!(World::load(bad.as_bytes()).is_err(), "{bad}");
    }
    let looping = r#"{"version":1,"inodes":[{"ino":1,"kind":"dir","entries":{"a":1},"mode":493,"uid":0,"gid":0,"mtime":0}]}"#;
    assert!(World::load(looping.as_bytes()).is_err(), "a directory within itself");
}
