//! What a directory on disk holds as a layer.
//!
//! A container's root user decides what its writable layer holds, and may be
//! changing it while we look. So every look is one openat2(2) that stays beneath
//! the layer and follows no link, and all else is asked of that descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::state::{CONTENT_LIMIT, Found};
use super::text::LayerPath;

/// What the tree beneath `root` holds at `path`, as overlayfs marks it on disk.
pub fn look_in(root: &Path, path: &LayerPath) -> io::Result<Found> {
    let root = match File::open(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        other => other?,
    };
    let open = |flags| {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // The last part may be a link: with O_PATH and O_NOFOLLOW it is opened itself.
        rustix::fs::openat2(
            &root,
            path.relative(),
            flags | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )
    };
    let at = match open(OFlags::PATH) {
        Ok(at) => at,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Found::Absent),
        Err(e) => return Err(e.into()),
    };
    let stat = rustix::fs::fstat(&at)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let mut content = Vec::new();
            File::from(open(OFlags::RDONLY | OFlags::NONBLOCK)?)
                .take(CONTENT_LIMIT)
                .read_to_end(&mut content)?;
            Found::File { size: stat.st_size as u64, content }
        }
        FileType::Directory => Found::Dir { opaque: is_opaque(&open(OFlags::RDONLY | OFlags::DIRECTORY)?)? },
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&at, "", Vec::new())?;
            Found::Symlink { target: target.to_string_lossy().into_owned() }
        }
        FileType::CharacterDevice if stat.st_rdev == 0 => Found::Whiteout,
        _ => Found::Other,
    })
}

/// overlayfs marks an opaque directory with an extended attribute: `trusted.` as
/// the host's root, `user.` when mounted with `userxattr`.
fn is_opaque(dir: &impl std::os::fd::AsFd) -> io::Result<bool> {
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let mut value = [0; 8];
        match rustix::fs::fgetxattr(dir, name, &mut value) {
            Ok(length) if value[..length] == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE | Errno::PERM) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn path(p: &str) -> LayerPath {
        LayerPath::try_from(p.to_owned()).unwrap()
    }

    #[test]
    fn files_directories_and_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("layer");
        fs::create_dir_all(root.join("etc/skel")).unwrap();
        fs::write(root.join("etc/motd"), "hello\n").unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        symlink("../../secret", root.join("etc/link")).unwrap();
        symlink("..", root.join("up")).unwrap();

        let look = |p| look_in(&root, &path(p)).unwrap();
        assert_eq!(look("/etc/motd"), Found::File { size: 6, content: b"hello\n".to_vec() });
        assert_eq!(look("/etc/skel"), Found::Dir { opaque: false });
        assert_eq!(look("/etc/link"), Found::Symlink { target: "../../secret".into() });
        assert_eq!(look("/etc/none"), Found::Absent);
        assert_eq!(look("/etc/motd/below"), Found::Absent);
        // Neither a link in the middle nor one at the end leads out of the layer.
        assert_eq!(look("/up/secret"), Found::Absent);
        assert_eq!(look_in(&dir.path().join("no-layer"), &path("/x")).unwrap(), Found::Absent);
    }

    #[test]
    fn a_large_file_is_read_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("big")).unwrap();
        file.set_len(CONTENT_LIMIT + 5).unwrap();
        match look_in(dir.path(), &path("/big")).unwrap() {
            Found::File { size, content } => {
                assert_eq!((size, content.len() as u64), (CONTENT_LIMIT + 5, CONTENT_LIMIT))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    #[ignore = "root"]
    fn whiteouts_and_opaque_directories() {
        let dir = tempfile::tempdir().unwrap();
        let at = File::open(dir.path()).unwrap();
        rustix::fs::mknodat(&at, "gone", FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        rustix::fs::mknodat(&at, "null", FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(1, 3))
            .unwrap();
        let opaque = dir.path().join("opaque");
        fs::create_dir(&opaque).unwrap();
        rustix::fs::setxattr(&opaque, "trusted.overlay.opaque", b"y", rustix::fs::XattrFlags::empty())
            .unwrap();

        assert_eq!(look_in(dir.path(), &path("/gone")).unwrap(), Found::Whiteout);
        assert_eq!(look_in(dir.path(), &path("/null")).unwrap(), Found::Other);
        assert_eq!(look_in(dir.path(), &path("/opaque")).unwrap(), Found::Dir { opaque: true });
    }
}
