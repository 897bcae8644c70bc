//! What each operation of a plan does to the modelled machine. A file per part
//! of the story; every call that the real kernel would be asked for is recorded
//! with its name and arguments, and its result is what the model answered.

mod cgroup;
mod evidence;
mod files;
mod image;
mod images;
mod inside;
mod look;
mod mounts;
mod network;
mod nft;
mod process;
mod security;
mod undo;
mod views;

pub(super) use evidence::evidence;
pub(super) use images::Asked;
pub(super) use look::observe;
pub(super) use process::reap;
pub(super) use undo::undo;

use super::Res;
use super::process::{Ctx, Gpid};
use super::vfs::{OpenKind, ReadOutcome, SbId};
use super::world::World;
use crate::kernel::{Errno, Failure, Slots};
use crate::plan::Op;
use crate::plan::op::Slot;
use crate::trace::{Call, Kind, Value};
use crate::userland::OpenFlags;

/// Argument names and values of a call.
pub(super) type Args = Vec<(&'static str, Value)>;

/// The entries of layers, by the digest of their blob.
pub(super) type Blobs = std::rc::Rc<std::collections::BTreeMap<String, Vec<crate::image::builtin::Entry>>>;

/// What steps leave for later ones.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// The container's id.
    pub container: String,
    /// Where the new root is put together, on the host.
    pub rootfs: String,
    /// Where the command will start, inside the container.
    pub cwd: String,
    /// Layer trees, uppermost first.
    pub layers: Vec<String>,
    /// The writable layer.
    pub upper: String,
    /// The container's cgroup.
    pub cgroup: Option<String>,
    /// A union that stands nowhere yet, and its options.
    pub detached: Option<(SbId, String)>,
    /// Views of layers: of which directories, and how they translate owners.
    pub viewed: Vec<String>,
    pub ids: Option<super::overlay::Ids>,
    pub init: Option<Gpid>,
    /// A process that joins the container.
    pub process: Option<Gpid>,
    /// What is to be said of the union's layers, the uppermost first.
    pub suppliers: Vec<crate::trace::Supplier>,
    pub pivoted: bool,
    /// What will run once init has become its command.
    pub image: Option<super::process::Image>,
    /// Blobs of layers by digest: what they would unpack to.
    pub blobs: Blobs,
    /// Images on their way into the store; outlives a plan.
    pub images: super::archive::ModelImages,
}

impl Carried {
    /// Below a directory of this container: its own to remove.
    pub fn owns(&self, path: &str) -> bool {
        !self.container.is_empty() && path.split('/').any(|part| part == self.container)
    }
}

/// One step's view of the machine.
pub(super) struct Cx<'a> {
    pub w: &'a mut World,
    pub carried: &'a mut Carried,
    pub slots: &'a mut Slots,
    /// Who acts.
    pub pid: Gpid,
    /// The runtime's process.
    pub runtime: Gpid,
    /// Recorded calls, when watched.
    pub calls: Option<Vec<Call>>,
}

impl Cx<'_> {
    pub fn ctx(&self) -> Res<Ctx> {
        self.w.ctx(self.pid)
    }

    /// Makes a call that changes something, and records it.
    pub fn call<T>(
        &mut self,
        name: &'static str,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
    ) -> Res<T> {
        self.any(name, true, args, result, make)
    }

    /// Makes a call that only reads.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
    ) -> Res<T> {
        self.any(name, false, args, result, make)
    }

    fn any<T>(
        &mut self,
        name: &'static str,
        changes: bool,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
    ) -> Res<T> {
        let ctx = self.ctx()?;
        let made = make(self.w, &ctx);
        if let Some(calls) = &mut self.calls {
            calls.push(Call {
                name: name.to_owned(),
                args: args().into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
                result: match &made {
                    Ok(value) => result(value),
                    Err(_) => Value::Int(-1),
                },
                errno: made.as_ref().err().copied(),
                // The model has no clock to measure with.
                micros: 0,
                changes,
            });
        }
        made
    }

    pub fn init(&self) -> Result<Gpid, Failure> {
        self.carried.init.ok_or_else(|| Failure::new("go on: there is no init process", None))
    }

    /// The process that becomes the command.
    pub fn command(&self) -> Result<Gpid, Failure> {
        self.carried.process.map_or_else(|| self.init(), Ok)
    }

    pub fn address(&self) -> Option<String> {
        self.slots.get(&Slot::Address).map(Value::text)
    }

    /// A path on the way to the new root is resolved as if that were `/`: no link
    /// of the image leads out of it. Gives the context and the path within.
    pub fn beneath<'p>(&mut self, path: &'p str) -> Res<(Ctx, &'p str)> {
        let ctx = self.ctx()?;
        let rest =
            path.strip_prefix(self.carried.rootfs.as_str()).filter(|_| !self.carried.rootfs.is_empty());
        match rest {
            Some(rest) if self.pid != self.runtime && !self.carried.pivoted && rest.starts_with('/') => {
                let root = self.w.resolve(&ctx, &self.carried.rootfs, true)?;
                let inside = Ctx { root, cwd: root, ..ctx };
                Ok((inside, rest))
            }
            _ => Ok((ctx, path)),
        }
    }

    /// mkdirat(2) of a path and its missing parents. `true` when it was there.
    pub fn make_dirs(&mut self, inside: &Ctx, shown: &str, path: &str, mode: u32) -> Res<bool> {
        match self.w.stat(inside, path, true) {
            Ok(stat) if stat.kind == crate::userland::FileType::Dir => return Ok(true),
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
        let above = path.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
        if !above.is_empty() {
            let shown_above = shown.trim_end_matches('/').rsplit_once('/').map_or("/", |(a, _)| a).to_owned();
            self.make_dirs(inside, &shown_above, above, 0o755)?;
        }
        let args = || vec![("dirfd", at_cwd()), ("pathname", Value::from(shown)), ("mode", octal(mode))];
        let inside = Ctx { umask: 0, ..inside.clone() };
        self.call("mkdirat", args, zero, |w, _| w.mkdir(&inside, path, mode))?;
        Ok(false)
    }

    /// Opens, writes and closes a file, each call recorded.
    pub fn write_file(&mut self, path: &str, flags: OpenFlags, mode: u32, text: &[u8]) -> Res<()> {
        let creates = flags.create;
        let shown = path.to_owned();
        let args = move || {
            let words = if creates { "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC" } else { "O_WRONLY|O_CLOEXEC" };
            let mut args = vec![("dirfd", at_cwd()), ("pathname", shown.into()), ("flags", words.into())];
            if creates {
                args.push(("mode", octal(mode)));
            }
            args
        };
        let fd = |id: &usize| Value::volatile(Kind::Fd, id + 3);
        let open = |w: &mut World, ctx: &Ctx| w.open(&Ctx { umask: 0, ..ctx.clone() }, path, flags, mode);
        let id = match creates {
            true => self.call("openat", args, fd, open)?,
            false => self.read("openat", args, fd, open)?,
        };
        let shown = String::from_utf8_lossy(text).into_owned();
        let length = text.len() as i64;
        let wrote = self.call(
            "write",
            || {
                vec![
                    ("fd", Value::volatile(Kind::Fd, id + 3)),
                    ("buf", shown.into()),
                    ("count", length.into()),
                ]
            },
            |()| Value::Int(length),
            |w, ctx| w.write_open(ctx, id, text).map(drop),
        );
        let fd = Value::volatile(Kind::Fd, id + 3);
        self.read(
            "close",
            || vec![("fd", fd)],
            zero,
            |w, _| {
                w.drop_open(id);
                Ok(())
            },
        )?;
        wrote
    }

    /// A file's text, unrecorded.
    pub fn text(&mut self, path: &str) -> Res<String> {
        let ctx = self.ctx()?;
        read_text(self.w, &ctx, path)
    }
}

/// A small file's text; what would block is empty.
pub(super) fn read_text(w: &mut World, ctx: &Ctx, path: &str) -> Res<String> {
    let id = w.open(ctx, path, OpenFlags::READ, 0)?;
    if !matches!(w.open_file(id)?.kind, OpenKind::Node(_) | OpenKind::Snapshot(..)) {
        w.drop_open(id);
        return Err(Errno::EINVAL);
    }
    let mut all = Vec::new();
    let result = loop {
        match w.read_open(ctx, id, 1 << 20) {
            Ok(ReadOutcome::Data(data)) if data.is_empty() => break Ok(()),
            Ok(ReadOutcome::Data(data)) => all.extend(data),
            Ok(ReadOutcome::Block) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    w.drop_open(id);
    result.map(|()| String::from_utf8_lossy(&all).into_owned())
}

pub(super) fn zero<T>(_: &T) -> Value {
    Value::Int(0)
}

pub(super) fn octal(mode: u32) -> Value {
    Value::Text(format!("0{mode:o}"))
}

pub(super) fn at_cwd() -> Value {
    Value::from("AT_FDCWD")
}

/// Turns an errno into a failure that says what was tried.
pub(super) fn fail(what: impl FnOnce() -> String) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure::new(what(), Some(errno))
}

/// Carries one operation out. `true` when its work was done before. `Supervise`
/// is the kernel's own: it runs the scheduler.
pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::ReadImage { .. }
        | Op::UnpackLayer { .. }
        | Op::UseLayer { .. }
        | Op::ReadHostKernel
        | Op::LookForKernel { .. }
        | Op::ReadChanges { .. } => image::apply(op, cx),
        Op::MakeDir { .. }
        | Op::MakeNode { .. }
        | Op::MakeSymlink { .. }
        | Op::WriteFile { .. }
        | Op::RecordExit { .. }
        | Op::RemoveContainer { .. } => files::apply(op, cx),
        Op::MapLayers { layers, own, uid, gid } => {
            views::map_layers(cx, layers, own, uid, gid).map(|()| false)
        }
        Op::MountOverlay { .. }
        | Op::AttachRootfs { .. }
        | Op::MakeMountsPrivate
        | Op::Mount { .. }
        | Op::Bind { .. }
        | Op::PivotRoot { .. }
        | Op::RemountRootReadonly
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. } => mounts::apply(op, cx),
        Op::CreateCgroup { .. }
        | Op::SetLimit { .. }
        | Op::AllowDevices { .. }
        | Op::JoinCgroup { .. }
        | Op::UnshareCgroup => cgroup::apply(op, cx),
        Op::Clone { .. } | Op::WriteIdMaps { .. } | Op::OpenTerminal | Op::Exec { .. } => {
            process::apply(op, cx)
        }
        Op::FindInit { cgroup, .. } => inside::find(cx, cgroup).map(|()| false),
        Op::SpawnInside { cgroup } => inside::spawn(cx, cgroup.as_deref()).map(|()| false),
        Op::JoinNamespaces { namespaces } => inside::join(cx, namespaces).map(|()| false),
        Op::LetRun => {
            // It is a process of the machine like any other from now on.
            cx.carried.process = None;
            Ok(false)
        }
        Op::CreateBridge { .. }
        | Op::WriteSysctl { .. }
        | Op::CreateNat { .. }
        | Op::AllocateAddress { .. }
        | Op::CreateVeth { .. }
        | Op::PublishPort { .. }
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. } => network::apply(op, cx),
        Op::SetHostname { .. }
        | Op::SetRlimits { .. }
        | Op::SetNoNewPrivs
        | Op::DropBounding { .. }
        | Op::SetUser { .. }
        | Op::SetCapabilities { .. }
        | Op::LoadSeccomp { .. } => security::apply(op, cx),
        Op::Image(op) => images::apply(op, cx),
        Op::Undo { of, .. } => undo(of, cx).map(|()| false),
        Op::Supervise { .. } => Err(misplaced(op)),
    }
}

/// An operation reached a group that does not know it.
pub(super) fn misplaced(op: &Op) -> Failure {
    Failure::new(format!("carry out {}: it came to the wrong place", op.name()), None)
        .hint("this is a defect of glassbox: please report it")
}
