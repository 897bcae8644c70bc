//! A process may be held before a call that can change a file of a read-only layer.
//! It asks with the names that it is about to give to the call; the scheduler has
//! the question answered before anybody else has a turn.

use std::rc::Rc;

use super::layer::looks;
use crate::kernel::ledger::{self, Role, Standing};
use crate::kernel::model::Res;
use crate::kernel::model::overlay::Below;
use crate::kernel::model::process::{Ctx, Gpid};
use crate::kernel::model::vfs::Sb;
use crate::kernel::model::world::World;
use crate::trace::Life;

impl World {
    /// Whether a process has to wait for an answer before it makes this call: one of
    /// the paths stands only in a read-only layer, and somebody may want to see that.
    pub(crate) fn question(&mut self, pid: Gpid, call: &str, paths: &[&str], follow: bool) -> bool {
        if !self.notes.as_ref().is_some_and(|notes| notes.holds) || self.notes_on(pid).is_none() {
            return false;
        }
        let Ok(ctx) = self.onlooker(pid) else { return false };
        let found = paths.iter().find_map(|path| self.only_below(&ctx, path, follow));
        let Some((path, below)) = found else { return false };
        let process = self.told_process(pid);
        let (what, bytes) = looks(&self.fs, below.real);
        let Some(notes) = &mut self.notes else { return false };
        let supplier = |n: usize| notes.suppliers.get(n).cloned();
        let standing = Standing {
            role: Role::Copy,
            what,
            bytes,
            stands: None,
            layer: supplier(below.layer),
            hidden: below.hidden.iter().filter_map(|n| supplier(*n)).collect(),
            from: None,
        };
        let change = ledger::change(path.as_bytes(), standing, Some(process), Some(call));
        notes.question = Some(Life::Held(Box::new(change)));
        true
    }

    /// The question of the process that had its turn.
    pub(crate) fn take_question(&mut self) -> Option<Life> {
        self.notes.as_mut()?.question.take()
    }

    /// Who looks from where a process stands, and may look everywhere: what the call
    /// itself is refused is not known yet.
    fn onlooker(&self, pid: Gpid) -> Res<Ctx> {
        let cred = Rc::clone(&self.process(1)?.cred);
        Ok(Ctx { cred, ..self.ctx(pid)? })
    }

    fn only_below(&mut self, ctx: &Ctx, path: &str, follow: bool) -> Option<(String, Below)> {
        let loc = self.resolve(ctx, path, follow).ok()?;
        if loc.mount != ctx.root.mount || self.notes.as_ref()?.union != Some(loc.node.sb) {
            return None;
        }
        let Ok(Sb::Overlay(union)) = self.fs.sb(loc.node.sb) else { return None };
        union.only_below(&self.fs, loc.node.ino).ok()?
    }
}
