//! How a process enters the namespaces of another: setns(2) with a pidfd.

use std::rc::Rc;

use super::Gpid;
use crate::kernel::Errno;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::ns::NsId;
use crate::kernel::model::vfs::Loc;
use crate::kernel::model::world::World;
use crate::kernel::model::{Cred, Res};
use crate::plan::op::Ns;

impl World {
    /// setns(2): all of them, or none. The pid namespace is that of later children only.
    pub(crate) fn setns(&mut self, pid: Gpid, of: Gpid, kinds: &[Ns]) -> Res<()> {
        let (ctx, target) = (self.ctx(pid)?, self.ctx(of)?);
        if self.process(of)?.exit.is_some() {
            return Err(Errno::ESRCH);
        }
        for kind in kinds {
            let ns = target.ns.get(*kind);
            let owner = if *kind == Ns::User { ns } else { self.ns.owner(ns).ok_or(Errno::EINVAL)? };
            if !self.ns.capable(&ctx.cred, owner, Cap::SYS_ADMIN) {
                return Err(Errno::EPERM);
            }
            match kind {
                // Nobody gets his rights back by entering where he is already.
                Ns::User if ns == ctx.ns.user => return Err(Errno::EINVAL),
                Ns::Pid if !self.is_descendant(ns, ctx.ns.pid) => return Err(Errno::EINVAL),
                _ => {}
            }
        }
        if ctx.cred.seccomp.is_some_and(|caps| caps & Cap::SYS_ADMIN.bit() == 0) {
            return Err(Errno::EPERM);
        }
        let root = match kinds.contains(&Ns::Mnt) {
            true => Some(self.root_of_namespace(target.ns.mnt).ok_or(Errno::EINVAL)?),
            false => None,
        };
        for kind in kinds {
            let ns = target.ns.get(*kind);
            let process = self.process_mut(pid)?;
            match kind {
                Ns::Pid => process.pid_of_children = Some(ns),
                kind => process.ns.set(*kind, ns),
            }
            if *kind == Ns::User {
                let mut inside = Cred::root(ns);
                (inside.uid, inside.euid) = (ctx.cred.uid, ctx.cred.euid);
                (inside.gid, inside.egid) = (ctx.cred.gid, ctx.cred.egid);
                inside.groups = ctx.cred.groups.clone();
                (inside.no_new_privs, inside.seccomp) = (ctx.cred.no_new_privs, ctx.cred.seccomp);
                process.cred = Rc::new(inside);
            }
        }
        if let Some(root) = root {
            self.set_root(pid, root)?;
            self.set_cwd(pid, root)?;
        }
        Ok(())
    }

    /// Whether a pid namespace is the other one, or was made below it.
    fn is_descendant(&self, ns: NsId, other: NsId) -> bool {
        std::iter::successors(Some(ns), |at| self.ns.parent(*at)).any(|at| at == other)
    }

    /// The place that is `/` to whoever enters a mount namespace.
    fn root_of_namespace(&self, ns: NsId) -> Option<Loc> {
        let root = self.mounts.of(ns).find(|m| m.on.is_none())?;
        Some(self.mounts.cross(Loc { mount: root.id, node: root.root }))
    }
}
