//! What becomes of the writable layer: told path by path as it happens, and in the
//! end counted as it stands.

use super::Notes;
use crate::kernel::ledger::{Role, Standing};
use crate::kernel::model::overlay::{Overlay, Real, Touched};
use crate::kernel::model::vfs::{Body, Sb, SbId};
use crate::kernel::model::world::{Fs, World};
use crate::trace::{FileType, LayerSummary, Process, Supplier};

impl World {
    /// The union notes its changes from now on. `false` when it is none.
    pub(super) fn watch_overlay(&mut self, sb: SbId) -> bool {
        match self.fs.sbs.get_mut(sb as usize) {
            Some(Some(Sb::Overlay(overlay))) => {
                overlay.watch();
                true
            }
            _ => false,
        }
    }

    /// Tells what the caller's call has made of the paths that it touched.
    pub(crate) fn note_touched(&mut self, sb: SbId, touched: Vec<Touched>) {
        let Some(mut notes) = self.notes.take_if(|n| n.union == Some(sb)) else { return };
        let process = self.told_process(self.caller);
        let call = Some(self.call).filter(|c| !c.is_empty());
        for one in touched {
            match one {
                Touched::Moved(from, to) => notes.ledger.moved(from.as_bytes(), to.as_bytes()),
                Touched::Changed(path) => {
                    if let Ok(Sb::Overlay(overlay)) = self.fs.sb(sb) {
                        notes.changed(overlay, &self.fs, &path, &process, call);
                    }
                }
            }
        }
        self.notes = Some(notes);
    }

    /// The writable layer as it stands, held against what was told.
    pub(super) fn layer_summary(&self) -> Option<LayerSummary> {
        let notes = self.notes.as_ref()?;
        let Ok(Sb::Overlay(overlay)) = self.fs.sb(notes.union?) else { return None };
        let paths = overlay.walk_upper(&self.fs).ok()?.into_iter();
        let standing = |path: String| {
            let found = standing(overlay, &self.fs, &path, &notes.suppliers)?;
            Some((path.into_bytes(), found))
        };
        Some(notes.ledger.summary(paths.filter_map(standing)))
    }
}

impl Notes {
    fn changed(&mut self, overlay: &Overlay, fs: &Fs, path: &str, process: &Process, call: Option<&str>) {
        match standing(overlay, fs, path, &self.suppliers) {
            Some(found) => {
                self.told.extend(self.ledger.stands(path.as_bytes(), found, Some(process.clone()), call));
            }
            None => self.ledger.vanished(path.as_bytes()),
        }
    }
}

fn standing(overlay: &Overlay, fs: &Fs, path: &str, suppliers: &[Supplier]) -> Option<Standing> {
    let (role, real, below) = overlay.standing(fs, path).ok()??;
    let supplied = below.as_ref().map(|b| looks(fs, b.real));
    let (what, stands) = match (role, supplied) {
        (Role::Whiteout, Some((what, _))) => (what, None),
        _ => looks(fs, real),
    };
    let supplier = |n: usize| suppliers.get(n).cloned();
    Some(Standing {
        role,
        what,
        bytes: supplied.and_then(|b| b.1).filter(|_| role != Role::Created),
        stands: stands.filter(|_| role == Role::Copy),
        layer: below.as_ref().and_then(|b| supplier(b.layer)),
        hidden: below.iter().flat_map(|b| &b.hidden).filter_map(|n| supplier(*n)).collect(),
        from: None,
    })
}

/// The type of an inode, and its bytes if it is a regular file.
pub(super) fn looks(fs: &Fs, real: Real) -> (FileType, Option<u64>) {
    let Ok(inode) = fs.tree(real.sb).and_then(|t| t.get(real.ino)) else { return (FileType::File, None) };
    match &inode.body {
        Body::File(data) => (FileType::File, Some(data.len() as u64)),
        Body::Dir(_) => (FileType::Directory, None),
        Body::Symlink(_) => (FileType::Symlink, None),
        Body::Char(..) | Body::Block(..) => (FileType::Device, None),
        Body::Fifo => (FileType::Fifo, None),
        Body::Socket => (FileType::Socket, None),
    }
}
