//! The modelled machine: everything that its kernel knows. One value, no
//! interior mutability: whoever holds it exclusively makes one call at a time.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use super::Res;
use super::cgroup::Cgroups;
use super::cred::Cap;
use super::kernel::Stream;
use super::life::Notes;
use super::net::Net;
use super::ns::{Namespaces, NsId, NsSet};
use super::process::{Gpid, Proc};
use super::vfs::{
    Body, LoadError, Loc, Mount, MountFlags, MountId, Mounts, New, Node, OpenFile, OpenId, Pipe, PipeId, Sb,
    SbId, Tree,
};
use crate::kernel::Errno;

/// Bytes of the modelled disk.
const DISK: u64 = 4 << 30;
/// Bytes of the modelled memory.
pub(crate) const MEMORY: u64 = 2 << 30;
/// The model's epoch: time is virtual and starts here (2025-01-01).
const EPOCH: i64 = 1_735_689_600;

/// Every file system instance.
#[derive(Debug, Default)]
pub(crate) struct Fs {
    pub sbs: Vec<Option<Sb>>,
}

impl Fs {
    pub fn sb(&self, id: SbId) -> Res<&Sb> {
        self.sbs.get(id as usize).and_then(Option::as_ref).ok_or(Errno::EIO)
    }

    pub fn tree(&self, id: SbId) -> Res<&Tree> {
        match self.sb(id)? {
            Sb::Tree(tree) => Ok(tree),
            _ => Err(Errno::EINVAL),
        }
    }

    pub fn tree_mut(&mut self, id: SbId) -> Res<&mut Tree> {
        match self.sbs.get_mut(id as usize).and_then(Option::as_mut) {
            Some(Sb::Tree(tree)) => Ok(tree),
            _ => Err(Errno::EIO),
        }
    }

    pub fn add(&mut self, sb: Sb) -> SbId {
        self.sbs.push(Some(sb));
        self.sbs.len() as SbId - 1
    }
}

/// The file system of the disk.
pub(crate) const DISK_SB: SbId = 0;

/// Something to put on the modelled disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HostEntry {
    Dir {
        path: String,
        mode: u32,
    },
    File {
        path: String,
        mode: u32,
        content: Vec<u8>,
    },
    Symlink {
        path: String,
        target: String,
    },
    /// One more name of an entry before it.
    Hardlink {
        path: String,
        to: String,
    },
    /// A deleted name of a layer: character device 0/0.
    Whiteout {
        path: String,
    },
    /// Marks a directory before it as hiding what lies below.
    Opaque {
        path: String,
    },
}

/// The modelled machine.
#[derive(Debug)]
pub struct World {
    pub(crate) fs: Fs,
    pub(crate) mounts: Mounts,
    pub(crate) ns: Namespaces,
    pub(crate) host_ns: NsSet,
    pub(crate) procs: BTreeMap<Gpid, Proc>,
    pub(crate) next_pid: Gpid,
    pub(crate) cgroups: Cgroups,
    pub(crate) net: Net,
    pub(crate) opens: Vec<Option<OpenFile>>,
    pub(crate) free_opens: Vec<OpenId>,
    pub(crate) pipes: Vec<Option<Pipe>>,
    pub(crate) fifos: Vec<(Node, PipeId)>,
    /// Files below `/proc/sys`, by path.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Microseconds since the machine started.
    pub(crate) micros: u64,
    rng: u64,
    /// Output that the console has not taken yet.
    pub(crate) out: Vec<(Stream, Vec<u8>)>,
    /// Outputs that nobody reads any more.
    pub(crate) out_closed: [bool; 2],
    /// Input that no process has read yet.
    pub(crate) input: VecDeque<u8>,
    pub(crate) input_ended: bool,
    /// Some process waits for input.
    pub(crate) wants_input: bool,
    pub(crate) console_tty: bool,
    pub(crate) tty_line: Vec<u8>,
    /// Grows with every call that did something: a round without growth is a
    /// standstill.
    pub(crate) progress: u64,
    /// What a container does, while somebody listens.
    pub(crate) notes: Option<Box<Notes>>,
    /// Whose call it is, and what it is called where it may change files.
    pub(crate) caller: Gpid,
    pub(crate) call: &'static str,
    /// The capability that the call asked for last, and did not have.
    pub(crate) wanted: Cell<Option<Cap>>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A freshly booted machine with an empty disk but for the usual directories.
    pub fn new() -> World {
        let mut disk = Tree::new("ext4", 0o755, DISK, EPOCH);
        for (path, mode) in [
            ("dev", 0o755),
            ("proc", 0o555),
            ("sys", 0o555),
            ("run", 0o755),
            ("tmp", 0o1777),
            ("etc", 0o755),
            ("root", 0o700),
            ("var", 0o755),
        ] {
            let new = New { body: Body::Dir(BTreeMap::new()), mode, uid: 0, gid: 0, mtime: EPOCH };
            let _ = disk.make(super::vfs::TREE_ROOT, path, new);
        }
        World::with_disk(disk)
    }

    /// A machine that boots with a disk saved by [`World::save`].
    ///
    /// # Errors
    /// When the bytes are no saved disk.
    pub fn load(bytes: &[u8]) -> Result<World, LoadError> {
        Ok(World::with_disk(Tree::from_json(bytes, "ext4", DISK)?))
    }

    /// The disk as JSON: files, owners, modes and times. Processes, mounts and
    /// the network are not on it, just as after a reboot.
    pub fn save(&self) -> Vec<u8> {
        self.fs.tree(DISK_SB).map(Tree::to_json).unwrap_or_default()
    }

    fn with_disk(disk: Tree) -> World {
        let (ns, host_ns) = Namespaces::new(super::ModelKernel::HOST_NAME);
        let mut world = World {
            fs: Fs::default(),
            mounts: Default::default(),
            ns,
            host_ns,
            procs: BTreeMap::new(),
            next_pid: 1,
            cgroups: Cgroups::new(),
            net: Net::new(host_ns.net),
            opens: Vec::new(),
            free_opens: Vec::new(),
            pipes: Vec::new(),
            fifos: Vec::new(),
            sysctls: BTreeMap::from([
                ("net/ipv4/ip_forward".to_owned(), "0".to_owned()),
                // As systemd sets them.
                ("fs/protected_fifos".to_owned(), "1".to_owned()),
                ("fs/protected_hardlinks".to_owned(), "1".to_owned()),
                ("fs/protected_regular".to_owned(), "2".to_owned()),
                ("fs/protected_symlinks".to_owned(), "1".to_owned()),
                ("kernel/ostype".to_owned(), "Linux".to_owned()),
                ("kernel/osrelease".to_owned(), super::kernel::RELEASE.to_owned()),
            ]),
            micros: 0,
            rng: 0x9e37_79b9_7f4a_7c15,
            out: Vec::new(),
            out_closed: [false; 2],
            input: VecDeque::new(),
            input_ended: true,
            wants_input: false,
            console_tty: false,
            tty_line: Vec::new(),
            progress: 0,
            notes: None,
            caller: 1,
            call: "",
            wanted: Cell::new(None),
        };
        world.fs.add(Sb::Tree(disk));
        world.boot();
        world
    }

    /// Mounts what a booted host has mounted, and starts its process 1.
    fn boot(&mut self) {
        let set = self.host_ns;
        let root = self.root_of(DISK_SB);
        let root_mount = self.mounts.add(set.mnt, DISK_SB, root, "ext4", "/dev/vda1");
        if let Ok(m) = self.mounts.get_mut(root_mount) {
            m.shared = Some(1);
        }
        let at = Loc { mount: root_mount, node: root };
        let init = self.add_first_process(at, "init");
        let Ok(ctx) = self.ctx(init) else { return };
        for (i, (fstype, path)) in [
            ("proc", "/proc"),
            ("sysfs", "/sys"),
            ("tmpfs", "/dev"),
            ("tmpfs", "/run"),
            ("cgroup2", "/sys/fs/cgroup"),
        ]
        .into_iter()
        .enumerate()
        {
            let mounted = self
                .make_sb(&ctx, fstype, "mode=755")
                .and_then(|sb| self.mount_sb(&ctx, sb, fstype, fstype, path, MountFlags::default()));
            if let Ok(m) = mounted.and_then(|id| self.mounts.get_mut(id)) {
                m.shared = Some(i as u32 + 2);
            }
        }
        for (name, major, minor) in [
            ("null", 1, 3),
            ("zero", 1, 5),
            ("full", 1, 7),
            ("random", 1, 8),
            ("urandom", 1, 9),
            ("tty", 5, 0),
        ] {
            let path = format!("/dev/{name}");
            let mut ctx = ctx.clone();
            ctx.umask = 0;
            let _ = self.mknod(&ctx, &path, crate::userland::FileType::Char, 0o666, (major, minor));
        }
    }

    /// Puts entries on the disk below `base` (made if missing), parents included,
    /// owned by root. Existing files are replaced.
    ///
    /// # Errors
    /// As the modelled calls give them, such as ENOTDIR when a file is in the way.
    pub fn populate(&mut self, base: &str, entries: &[HostEntry]) -> Result<(), Errno> {
        let now = self.now_secs();
        let top = self.disk_dir(base)?;
        for entry in entries {
            let path = match entry {
                HostEntry::Dir { path, .. }
                | HostEntry::File { path, .. }
                | HostEntry::Symlink { path, .. }
                | HostEntry::Hardlink { path, .. }
                | HostEntry::Whiteout { path }
                | HostEntry::Opaque { path } => path.trim_matches('/'),
            };
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let dir = self.disk_dir_below(top, parent)?;
            let tree = self.fs.tree_mut(DISK_SB)?;
            let there = tree.lookup(dir, name).ok();
            let (body, mode) = match entry {
                HostEntry::Dir { mode, .. } => {
                    let ino = self.disk_dir_below(dir, name)?;
                    self.fs.tree_mut(DISK_SB)?.get_mut(ino)?.mode = mode & 0o7777;
                    continue;
                }
                HostEntry::Opaque { .. } => {
                    let ino = if name.is_empty() { dir } else { there.ok_or(Errno::ENOENT)? };
                    tree.set_xattr(ino, super::overlay::OPAQUE, b"y")?;
                    continue;
                }
                HostEntry::Hardlink { to, .. } => {
                    let old = to
                        .split('/')
                        .filter(|p| !p.is_empty())
                        .try_fold(top, |at, part| tree.lookup(at, part))?;
                    if there.is_some() {
                        tree.remove_all(dir, name, now)?;
                    }
                    tree.link(old, dir, name, now)?;
                    continue;
                }
                HostEntry::File { mode, content, .. } => (Body::File(content.clone()), *mode),
                HostEntry::Symlink { target, .. } => (Body::Symlink(target.as_str().into()), 0o777),
                HostEntry::Whiteout { .. } => (Body::Char(0, 0), 0),
            };
            if there.is_some() {
                tree.remove_all(dir, name, now)?;
            }
            tree.make(dir, name, New { body, mode, uid: 0, gid: 0, mtime: now })?;
        }
        Ok(())
    }

    pub(super) fn disk_dir(&mut self, path: &str) -> Res<u64> {
        self.disk_dir_below(super::vfs::TREE_ROOT, path)
    }

    pub(super) fn disk_dir_below(&mut self, from: u64, path: &str) -> Res<u64> {
        let now = self.now_secs();
        let tree = self.fs.tree_mut(DISK_SB)?;
        let mut at = from;
        for name in path.split('/').filter(|p| !p.is_empty()) {
            if name == "." || name == ".." || name.len() > 255 {
                return Err(Errno::EINVAL);
            }
            at = match tree.lookup(at, name) {
                Ok(ino) => ino,
                Err(Errno::ENOENT) => {
                    let body = Body::Dir(BTreeMap::new());
                    tree.make(at, name, New { body, mode: 0o755, uid: 0, gid: 0, mtime: now })?
                }
                Err(e) => return Err(e),
            };
        }
        tree.dir(at)?;
        Ok(at)
    }

    /// Seconds since 1970, in virtual time.
    pub(crate) fn now_secs(&self) -> i64 {
        EPOCH + (self.micros / 1_000_000) as i64
    }

    /// The number in a file below `/proc/sys`; 0 when there is no such file.
    pub(crate) fn sysctl(&self, path: &str) -> u32 {
        self.sysctls.get(path).and_then(|v| v.trim().parse().ok()).unwrap_or(0)
    }

    pub(crate) fn random(&mut self) -> u64 {
        // xorshift64*: good enough for names and dice, the same in every run.
        self.rng ^= self.rng >> 12;
        self.rng ^= self.rng << 25;
        self.rng ^= self.rng >> 27;
        self.rng.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// File systems that no mount, open file or layer needs any more go away.
    pub(crate) fn collect(&mut self) {
        let mut used: Vec<bool> = vec![false; self.fs.sbs.len()];
        let mut mark = |sb: SbId| {
            if let Some(u) = used.get_mut(sb as usize) {
                *u = true;
            }
        };
        mark(DISK_SB);
        self.mounts.all().for_each(|m| mark(m.sb));
        self.opens.iter().flatten().filter_map(|f| f.loc).for_each(|l| mark(l.node.sb));
        for (at, used) in used.into_iter().enumerate() {
            // Overlay layers stand on the disk, which always stays.
            if !used {
                self.fs.sbs[at] = None;
            }
        }
    }

    /// A line of `mountinfo` for each mount below `root`, proc_pid_mountinfo(5).
    pub(crate) fn mountinfo(&self, ns: NsId, root: Loc) -> Vec<String> {
        self.mounts.of(ns).filter_map(|m| self.mountinfo_line(m, root)).collect()
    }

    pub(crate) fn mountinfo_line(&self, m: &Mount, root: Loc) -> Option<String> {
        let path = self.path_from(root, Loc { mount: m.id, node: m.root })?;
        let shared = m.shared.map(|g| format!(" shared:{g}")).unwrap_or_default();
        let parent: MountId = m.on.map_or(1, |on| on.mount);
        Some(format!(
            "{} {parent} 0:{} {} {} {}{shared} - {} {} {}",
            m.id,
            m.sb + 20,
            m.root_path,
            escape(&path),
            m.flags.text(),
            m.fstype,
            escape(&m.source),
            m.sb_options
        ))
    }
}

/// Blanks in mountinfo are octal.
pub(crate) fn escape(text: &str) -> String {
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}
