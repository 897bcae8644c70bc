//! execve(2): which program a file is.

use super::{Ctx, Gpid};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::vfs::{Attr, EXEC};
use crate::kernel::model::world::World;
use crate::userland::FileType;

/// What a file must begin with to be the userland's multi-call binary.
pub(crate) const MARKER: &[u8] = crate::image::builtin::STAND_IN;

/// The same on a modelled disk that was kept when the layers' tars said otherwise.
const KEPT_MARKER: &[u8] = b"userland binary";

/// How many `#!` lines may lead to each other.
const MAX_SCRIPTS: u32 = 4;

/// What will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub argv: Vec<String>,
    pub env: Vec<String>,
    /// The file of the binary, as `/proc/PID/exe` shows it.
    pub exe: String,
}

impl World {
    /// Checks that a path can be executed: EACCES for no x bit, a directory, or a
    /// noexec mount.
    pub(crate) fn executable(&mut self, ctx: &Ctx, path: &str) -> Res<Attr> {
        let loc = self.resolve(ctx, path, true)?;
        let attr = self.attr(loc.node)?;
        let noexec = self.mounts.get(loc.mount).is_some_and(|m| m.flags.noexec);
        if attr.kind != FileType::File || noexec {
            return Err(Errno::EACCES);
        }
        self.may(ctx, &attr, EXEC)?;
        Ok(attr)
    }

    /// Looks a program up, through `#!` lines.
    pub(crate) fn find_image(
        &mut self,
        ctx: &Ctx,
        path: &str,
        argv: &[String],
        env: &[String],
    ) -> Res<Image> {
        let mut path = path.to_owned();
        let mut argv = argv.to_vec();
        for _ in 0..=MAX_SCRIPTS {
            self.executable(ctx, &path)?;
            let loc = self.resolve(ctx, &path, true)?;
            let (tree, ino) = self.real(loc.node).map_err(|_| Errno::EACCES)?;
            let head = tree.read(ino, 0, 256)?;
            if head.starts_with(MARKER) || head.starts_with(KEPT_MARKER) {
                let exe = self.path_from(ctx.root, loc).unwrap_or_else(|| path.clone());
                if argv.is_empty() {
                    argv.push(path);
                }
                return Ok(Image { argv, env: env.to_vec(), exe });
            }
            let Some(line) = head.strip_prefix(b"#!") else { return Err(Errno::ENOEXEC) };
            let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let line = line.trim();
            let (interpreter, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            if interpreter.is_empty() {
                return Err(Errno::ENOEXEC);
            }
            let mut new = vec![interpreter.to_owned()];
            if !rest.trim().is_empty() {
                new.push(rest.trim().to_owned());
            }
            new.push(path);
            new.extend(argv.into_iter().skip(1));
            argv = new;
            path = interpreter.to_owned();
        }
        Err(Errno::ELOOP)
    }

    /// What execve changes in the process itself.
    pub(crate) fn become_image(&mut self, pid: Gpid, image: &Image) -> Res<()> {
        let p = self.process_mut(pid)?;
        p.argv.clone_from(&image.argv);
        p.env.clone_from(&image.env);
        p.exe.clone_from(&image.exe);
        let name = image.argv.first().map_or("", String::as_str);
        let name = name.rsplit('/').next().unwrap_or(name);
        p.comm = name.chars().take(15).collect();
        (p.caught, p.pending) = (0, 0);
        let closing: Vec<i32> = p.fds.iter().filter(|(_, f)| f.cloexec).map(|(fd, _)| *fd).collect();
        let (user_ns, uid) = (p.cred.user_ns, p.cred.euid);
        for fd in closing {
            self.close(pid, fd)?;
        }
        let root = self.ns.uid_in(user_ns, uid) == 0;
        self.note_exec(pid, &image.argv);
        self.set_cred(pid, |cred| cred.after_exec(root))
    }
}
