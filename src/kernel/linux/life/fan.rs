//! Who changed a name in the writable layer, as fanotify(7) tells it: the thread,
//! the directory and the name, after it happened.
//!
//! The whole file system of the store is watched, and what lies elsewhere is
//! dropped here: a mark on each directory would come too late for the first
//! files of a new one.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use crate::kernel::Errno;

const INIT: u32 = libc::FAN_CLASS_NOTIF
    | libc::FAN_CLOEXEC
    | libc::FAN_NONBLOCK
    | libc::FAN_UNLIMITED_QUEUE
    | libc::FAN_REPORT_TID
    | libc::FAN_REPORT_DFID_NAME;
const WHAT: u64 =
    libc::FAN_CREATE | libc::FAN_DELETE | libc::FAN_MOVED_FROM | libc::FAN_MOVED_TO | libc::FAN_ONDIR;

/// struct fanotify_event_metadata is 24 bytes; a record begins with its type and length.
const META: usize = 24;
const DFID_NAME: u8 = 2;

/// What is read at once; a read that leaves more than one event's room has emptied the queue.
const BUFFER: usize = 64 << 10;
/// The largest event: its metadata, a handle of 128 bytes, a name of 255.
const EVENT: usize = 512;
/// So many directories are kept open.
const OPEN: usize = 256;

/// A file handle, name_to_handle_at(2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    kind: i32,
    pub bytes: Vec<u8>,
}

/// A directory of the watched tree.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// From the top of the tree, without a leading slash; empty for the top itself.
    path: Vec<u8>,
}

/// A change of a name.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The thread that did it.
    pub tid: i32,
    /// From the top of the watched tree, without a leading slash.
    pub path: Vec<u8>,
    dir: Rc<Dir>,
    /// A directory that went from here or came here, with all that is in it.
    pub directory: Option<Way>,
}

impl Changed {
    /// Its directory, and its last component there.
    pub fn place(&self) -> (&OwnedFd, &OsStr) {
        let above = self.dir.path.len();
        (&self.dir.fd, OsStr::from_bytes(&self.path[if above == 0 { 0 } else { above + 1 }..]))
    }
}

/// The two halves of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    From,
    To,
}

/// The group of watches.
#[derive(Debug)]
pub struct Fan {
    fd: OwnedFd,
    /// The top of the tree: handles are opened by its file system.
    top: OwnedFd,
    path: PathBuf,
    dirs: HashMap<Handle, Option<Rc<Dir>>>,
    buffer: Box<[u8]>,
    raw: Vec<u8>,
    lost: bool,
}

impl Fan {
    /// Watches the tree below a directory.
    pub fn new(dir: &OwnedFd) -> Result<Self, Errno> {
        // SAFETY: two numbers.
        let fd = unsafe { libc::fanotify_init(INIT, libc::O_RDONLY as u32) };
        let fd = nix::errno::Errno::result(fd)?;
        // SAFETY: the kernel made this descriptor for us just now.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
        // SAFETY: a null path means the directory itself.
        let marked =
            unsafe { libc::fanotify_mark(fd.as_raw_fd(), flags, WHAT, dir.as_raw_fd(), std::ptr::null()) };
        nix::errno::Errno::result(marked)?;
        let top = dir.try_clone()?;
        let path = path_of(&top).ok_or(Errno::ENOENT)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Ok(Fan { fd, top, path, dirs: HashMap::new(), buffer, raw: Vec::new(), lost: false })
    }

    /// For poll(2).
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Its descriptor, to be closed in a good way.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Drops what has happened since.
    pub fn drop_all(&self) {
        let mut buffer = [0; 4 << 10];
        while rustix::io::read(&self.fd, &mut buffer).is_ok_and(|n| n > 0) {}
    }

    /// Takes what has happened since out of the kernel's queue, without a look at it. Returns
    /// how many bytes are noted by now: [`Fan::take`] takes them.
    pub fn note(&mut self) -> usize {
        loop {
            let n = rustix::io::read(&self.fd, &mut self.buffer[..]).unwrap_or(0);
            self.raw.extend_from_slice(&self.buffer[..n]);
            if n + EVENT < BUFFER {
                return self.raw.len();
            }
        }
    }

    /// The changes among these of the noted bytes.
    pub fn changes(&mut self, noted: std::ops::Range<usize>) -> Vec<Changed> {
        let raw = std::mem::take(&mut self.raw);
        let mut rest = raw.get(noted).unwrap_or_default();
        let mut all = Vec::new();
        while let Some(event) = take(&mut rest) {
            self.lost |= event.mask & libc::FAN_Q_OVERFLOW != 0;
            let Some((handle, name)) = event.record else { continue };
            // A directory that moved takes those below it along.
            let directory = match event.mask & (libc::FAN_MOVED_FROM | libc::FAN_MOVED_TO) {
                _ if event.mask & libc::FAN_ONDIR == 0 => None,
                libc::FAN_MOVED_FROM => Some(Way::From),
                libc::FAN_MOVED_TO => Some(Way::To),
                _ => None,
            };
            if directory.is_some() {
                self.dirs.clear();
            }
            if let Some(dir) = self.dir(handle) {
                let path = match &dir.path[..] {
                    b"" => name.to_vec(),
                    above => [above, b"/", name].concat(),
                };
                all.push(Changed { tid: event.tid, path, dir, directory });
            }
        }
        self.raw = raw;
        all
    }

    /// All that was noted is told. The answer is whether the kernel lost some of it.
    pub fn told(&mut self) -> bool {
        self.raw.clear();
        std::mem::take(&mut self.lost)
    }

    fn dir(&mut self, handle: Handle) -> Option<Rc<Dir>> {
        if let Some(known) = self.dirs.get(&handle) {
            return known.clone();
        }
        let found = open(&self.top, &handle).and_then(|fd| {
            let path = path_of(&fd)?;
            let path = path.strip_prefix(&self.path).ok()?.as_os_str().as_bytes().to_vec();
            Some(Rc::new(Dir { fd, path }))
        });
        if self.dirs.len() >= OPEN {
            self.dirs.clear();
        }
        self.dirs.insert(handle, found.clone());
        found
    }
}

fn path_of(fd: &OwnedFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()
}

struct Event<'e> {
    mask: u64,
    tid: i32,
    record: Option<(Handle, &'e [u8])>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Takes one event off the front.
fn take<'e>(rest: &mut &'e [u8]) -> Option<Event<'e>> {
    let length = u32::from_ne_bytes(number(rest, 0)?) as usize;
    if length < META || length > rest.len() {
        return None;
    }
    let (event, after) = rest.split_at(length);
    *rest = after;
    let mask = u64::from_ne_bytes(number(event, 8)?);
    let tid = i32::from_ne_bytes(number(event, 20)?);
    Some(Event { mask, tid, record: record(&event[META..]) })
}

/// The directory's handle and the name: type, padding, length (2), fsid (8), bytes
/// and type of the handle (4 each), the handle, the name with a zero.
fn record(info: &[u8]) -> Option<(Handle, &[u8])> {
    if *info.first()? != DFID_NAME {
        return None;
    }
    let length = u16::from_ne_bytes(number(info, 2)?) as usize;
    let info = info.get(..length)?;
    let size = u32::from_ne_bytes(number(info, 12)?) as usize;
    let kind = i32::from_ne_bytes(number(info, 16)?);
    let bytes = info.get(20..20 + size)?.to_vec();
    let name = CStr::from_bytes_until_nul(info.get(20 + size..)?).ok()?.to_bytes();
    Some((Handle { kind, bytes }, name))
}

/// struct file_handle with room for the largest, MAX_HANDLE_SZ.
#[repr(C)]
struct Raw {
    size: u32,
    kind: i32,
    bytes: [u8; 128],
}

fn open(mount: &OwnedFd, handle: &Handle) -> Option<OwnedFd> {
    let mut raw = Raw { size: handle.bytes.len() as u32, kind: handle.kind, bytes: [0; 128] };
    raw.bytes.get_mut(..handle.bytes.len())?.copy_from_slice(&handle.bytes);
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: raw is laid out as struct file_handle and lives through the call.
    let fd =
        unsafe { libc::syscall(libc::SYS_open_by_handle_at, mount.as_raw_fd(), &raw mut raw, flags) } as i32;
    // SAFETY: the kernel made this descriptor for us just now.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The handle of a file; a link is not followed.
pub fn handle_of(dir: i32, path: &CStr) -> Option<Handle> {
    let mut raw = Raw { size: 128, kind: 0, bytes: [0; 128] };
    let mut mount = 0i32;
    // SAFETY: raw is laid out as struct file_handle with the room that it says.
    let done = unsafe {
        libc::syscall(libc::SYS_name_to_handle_at, dir, path.as_ptr(), &raw mut raw, &raw mut mount, 0)
    };
    (done == 0).then(|| Handle { kind: raw.kind, bytes: raw.bytes[..raw.size.min(128) as usize].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "root"]
    fn a_change_is_told_with_its_thread_directory_and_name() {
        let dir = tempfile::tempdir().unwrap();
        let fd = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let mut fan = Fan::new(&fd).unwrap();
        std::fs::create_dir(dir.path().join("new")).unwrap();
        std::fs::write(dir.path().join("new/file"), "x").unwrap();
        std::fs::remove_file(dir.path().join("new/file")).unwrap();
        let noted = fan.note();
        std::fs::write(dir.path().join("later"), "x").unwrap();
        let all = fan.changes(0..noted);
        // SAFETY: asks for a number.
        let own = unsafe { libc::gettid() };
        assert!(all.iter().all(|c| c.tid == own), "{all:?}");
        let paths = |all: &[Changed]| all.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
        assert!(paths(&all).contains(&b"new".to_vec()), "{all:?}");
        let file = all.iter().find(|c| c.path == b"new/file").unwrap();
        assert_eq!(file.place().1, "file");
        let after = fan.note();
        assert_eq!(paths(&fan.changes(noted..after)), [b"later".to_vec()]);
        assert!(!fan.told());
        assert_eq!(fan.note(), 0);
    }

    #[test]
    fn damaged_events_are_not_followed() {
        for bytes in [&[][..], &[1, 0, 0, 0], &[255; 30], &[24; 24]] {
            let mut rest = bytes;
            assert!(take(&mut rest).is_none_or(|e| e.record.is_none()));
        }
    }
}
