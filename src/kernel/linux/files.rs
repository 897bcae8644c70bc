//! The container's own files and directories on the host: made, recorded in,
//! and removed.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, OFlags};

use super::calls::{self, CWD, fail};
use super::cx::Cx;
use super::recorder::Recorder;
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::Slot;

/// Carries out `MakeDir`, `WriteFile`, `RecordExit` and `RemoveContainer`.
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &State) -> Result<bool, Failure> {
    match op {
        Op::MakeDir { path, mode } => make_dir(cx.rec, path, *mode),
        Op::WriteFile { path, content, mode } => {
            let address = cx.address().unwrap_or_default();
            let address = address.split('/').next().unwrap_or_default();
            let text = content.replace("{address}", address);
            let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW;
            let write = |rec: &mut Recorder| {
                let fd = calls::openat(rec, CWD, path, flags, *mode)?;
                calls::write_all(rec, &fd, text.as_bytes())?;
                // The umask of the runtime is the user's own.
                calls::fchmod(rec, &fd, *mode)
            };
            write(cx.rec).map_err(fail(|| format!("write {path}")))?;
            Ok(false)
        }
        Op::RecordExit { record } => record_exit(record, cx),
        Op::RemoveContainer { path } => {
            if !state.owns(path) {
                return Err(Failure::new(
                    format!("remove {path}: it is not a directory of container {}", state.container),
                    None,
                ));
            }
            remove_tree(cx.rec, path)
        }
        _ => Err(super::dispatch::misplaced(op)),
    }
}

/// Takes back what a run made. Only what lies in the container's own
/// directories is removed whole; a shared directory stays.
pub fn undo(op: &Op, cx: &mut Cx<'_>, state: &State) -> Result<(), Failure> {
    match op {
        Op::MakeDir { path, .. } if state.owns(path) => remove_tree(cx.rec, path).map(drop),
        Op::WriteFile { path, .. } if state.owns(path) => match calls::unlinkat(cx.rec, CWD, path, false) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
            Err(e) => Err(Failure::new(format!("remove {path}"), Some(e))),
        },
        _ => Ok(()),
    }
}

fn make_dir(rec: &mut Recorder, path: &str, mode: u32) -> Result<bool, Failure> {
    match calls::mkdirat(rec, CWD, path, mode) {
        Ok(()) => return Ok(false),
        Err(Errno::ENOENT) => {}
        Err(Errno::EEXIST) => return existing(path).map(|()| true),
        Err(e) => return Err(no_directory(path, e)),
    }
    // The directories above are the store's: made once, kept.
    if let Some((above, _)) = path.trim_end_matches('/').rsplit_once('/').filter(|p| !p.0.is_empty()) {
        make_dir(rec, above, 0o755)?;
    }
    match calls::mkdirat(rec, CWD, path, mode) {
        Ok(()) => Ok(false),
        Err(Errno::EEXIST) => existing(path).map(|()| true),
        Err(e) => Err(no_directory(path, e)),
    }
}

fn existing(path: &str) -> Result<(), Failure> {
    let stat = rustix::fs::stat(path).map_err(|e| no_directory(path, e.into()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(()),
        _ => Err(no_directory(path, Errno::ENOTDIR)),
    }
}

fn no_directory(path: &str, errno: Errno) -> Failure {
    let failure = Failure::new(format!("make directory {path}"), Some(errno));
    match errno {
        Errno::EACCES | Errno::EPERM => failure.hint("run glassbox as root, or choose a store with --root"),
        Errno::EROFS => failure.hint("the store is read-only: choose another with --root"),
        Errno::ENOSPC => failure.hint("the disk is full"),
        _ => failure,
    }
}

/// Removes a directory and all in it, following no link and leaving no file
/// system. `true` when it is not there.
pub fn remove_tree(rec: &mut Recorder, path: &str) -> Result<bool, Failure> {
    let (above, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    if above.split('/').filter(|p| !p.is_empty()).count() < 2 || matches!(name, "" | "." | "..") {
        return Err(Failure::new(format!("remove {path}: it is too near to the root"), None));
    }
    let dir = match calls::openat(rec, CWD, above, OFlags::PATH | OFlags::DIRECTORY, 0) {
        Ok(dir) => dir,
        Err(Errno::ENOENT) => return Ok(true),
        Err(e) => return Err(Failure::new(format!("open {above}"), Some(e))),
    };
    let device = match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat.st_dev,
        Err(rustix::io::Errno::NOENT) => return Ok(true),
        Err(e) => return Err(Failure::new(format!("read {path}"), Some(e.into()))),
    };
    remove_dir(rec, dir.as_fd(), OsStr::new(name), device)
        .map_err(fail(|| format!("remove {path}")))
        .map(|()| false)
}

fn remove_dir(
    rec: &mut Recorder,
    dir: std::os::fd::BorrowedFd<'_>,
    name: &OsStr,
    device: u64,
) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let fd: OwnedFd = calls::openat(rec, dir, name, flags, 0)?;
    if rustix::fs::fstat(&fd)?.st_dev != device {
        return Err(Errno::EXDEV);
    }
    // All names first: a directory that changes while it is read may hide some.
    let mut entries = Vec::new();
    for entry in Dir::read_from(&fd)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => entries.push((OsStr::from_bytes(name).to_owned(), entry.file_type())),
        }
    }
    // The order of a directory is the file system's; the story's is the names'.
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (child, mut kind) in entries {
        if kind == FileType::Unknown {
            let stat = rustix::fs::statat(&fd, &child, AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        match kind {
            FileType::Directory => remove_dir(rec, fd.as_fd(), &child, device)?,
            _ => match calls::unlinkat(rec, &fd, &child, false) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(e) => return Err(e),
            },
        }
    }
    calls::unlinkat(rec, dir, name, true)
}

fn record_exit(record: &str, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let what = || format!("record the exit in {record}");
    let status: i64 = cx
        .slots
        .get(&Slot::ExitStatus)
        .and_then(|v| v.text().parse().ok())
        .ok_or_else(|| Failure::new(format!("{}: there is no exit status", what()), None))?;
    let text = std::fs::read(record).map_err(|e| Failure::new(what(), Some(e.into())))?;
    let damaged =
        || Failure::new(format!("{}: it is damaged", what()), None).hint("`glassbox system repair`");
    let mut json: serde_json::Value = serde_json::from_slice(&text).map_err(|_| damaged())?;
    let object = json.as_object_mut().ok_or_else(damaged)?;
    object.insert("status".to_owned(), "exited".into());
    object.insert("exit_code".to_owned(), status.into());
    object.insert("finished".to_owned(), utc(SystemTime::now()).into());
    let mut text = serde_json::to_vec_pretty(&json).map_err(|_| damaged())?;
    text.push(b'\n');
    let temporary = format!("{record}.new");
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW;
    calls::openat(cx.rec, CWD, &temporary, flags, 0o600)
        .and_then(|fd| calls::write_volatile(cx.rec, &fd, &text))
        .and_then(|()| calls::rename(cx.rec, &temporary, record))
        .map_err(fail(what))?;
    Ok(false)
}

/// RFC 3339, UTC, with nanoseconds.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years from March on, in eras of 400 years, so that the leap day is last.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        since.subsec_nanos()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kernel::Slots;
    use crate::trace::Value;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000000Z"),
            (4_102_444_800, "2100-01-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn only_the_containers_own_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("abc");
        let outside = dir.path().join("outside");
        std::fs::create_dir_all(own.join("upper/deep")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, own.join("upper/link")).unwrap();
        let odd = OsStr::from_bytes(b"\xff");
        std::fs::create_dir(own.join(odd)).unwrap();
        std::fs::write(own.join(odd).join(odd), "x").unwrap();

        let state = State { container: "abc".to_owned(), ..State::default() };
        let mut rec = Recorder::on();
        let mut slots = Slots::new();
        let mut cx = Cx { rec: &mut rec, slots: &mut slots };
        let op = |path: &std::path::Path| Op::RemoveContainer { path: path.to_str().unwrap().to_owned() };
        assert!(apply(&op(&outside), &mut cx, &state).is_err());
        assert!(!apply(&op(&own), &mut cx, &state).unwrap());
        assert!(!own.exists());
        assert!(outside.join("kept").exists());
        assert!(apply(&op(&own), &mut cx, &state).unwrap(), "a second time changes nothing");
        assert!(remove_tree(&mut Recorder::off(), "/tmp/x").is_err());
    }

    #[test]
    fn the_exit_is_added_to_the_record() {
        let dir = tempfile::tempdir().unwrap();
        let record = dir.path().join("record.json").to_str().unwrap().to_owned();
        std::fs::write(&record, r#"{"id":"x","status":"running","more":[1]}"#).unwrap();
        let mut rec = Recorder::off();
        let mut slots = Slots::from([(Slot::ExitStatus, Value::Int(3))]);
        let mut cx = Cx { rec: &mut rec, slots: &mut slots };
        record_exit(&record, &mut cx).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        assert_eq!((json["status"].as_str(), json["exit_code"].as_i64()), (Some("exited"), Some(3)));
        assert_eq!(json["more"][0], 1);
        std::fs::write(&record, "{").unwrap();
        assert!(record_exit(&record, &mut cx).unwrap_err().hint.is_some());
    }
}
