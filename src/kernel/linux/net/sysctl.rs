//! Kernel parameters of the host's network, sysctl(2), `/proc/sys`.

use std::path::{Path, PathBuf};

use super::{file, state};
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};

/// The parameter's file: below `/proc/sys` if the name does not say so itself.
pub fn path(name: &str) -> PathBuf {
    let name = name.strip_prefix("/proc/sys").unwrap_or(name);
    Path::new("/proc/sys").join(name.trim_start_matches('/'))
}

/// Its value, without the line's end.
pub fn read(name: &str) -> Result<String, Failure> {
    let path = path(name);
    std::fs::read_to_string(&path)
        .map(|text| text.trim_end().to_owned())
        .map_err(|e| Failure::new(format!("read {}", path.display()), Some(e.into())))
}

/// Writes a value if it differs; remembers the one before.
pub fn apply(rec: &mut Recorder, name: &str, value: &str) -> Result<bool, Failure> {
    let before = read(name)?;
    if before == value {
        return Ok(true);
    }
    if let Some(place) = state::place() {
        place.lock_shared(rec)?;
        place.mark(rec, &mark(name), &before)?;
    }
    write(rec, name, value)?;
    Ok(false)
}

/// Writes a value, whatever it is now.
pub fn write(rec: &mut Recorder, name: &str, value: &str) -> Result<(), Failure> {
    let path = path(name);
    file::set(rec, &path, value).map_err(|e| {
        let failure = Failure::new(format!("write {value} to {}", path.display()), Some(e));
        match e {
            Errno::EROFS => {
                failure.hint("/proc/sys is read-only here: set the value on the host, or use --network none")
            }
            Errno::EPERM | Errno::EACCES => failure.hint("run as root"),
            _ => failure,
        }
    })
}

/// Writes back the value that this plan's own run replaced, if the network is
/// not in use and nobody has changed the value since.
pub fn undo(rec: &mut Recorder, name: &str, value: &str) -> Result<(), Failure> {
    let Some(place) = state::place() else { return Ok(()) };
    let Some(before) = place.marked(&mark(name)) else { return Ok(()) };
    if !place.unused(rec) {
        return Ok(());
    }
    if !before.is_empty() && read(name)? == value {
        write(rec, name, &before)?;
    }
    place.unmark(rec, &mark(name))
}

fn mark(name: &str) -> String {
    let path = path(name);
    path.strip_prefix("/proc/sys").unwrap_or(&path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for name in ["net/ipv4/ip_forward", "/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"] {
            assert_eq!(path(name), Path::new("/proc/sys/net/ipv4/ip_forward"));
            assert_eq!(mark(name), "net/ipv4/ip_forward");
        }
    }
}
