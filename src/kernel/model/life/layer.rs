//! What becomes of the writable layer: told path by path as it happens, and in the
//! end counted as it stands.

use std::collections::BTreeMap;

use super::Notes;
use crate::kernel::model::overlay::{Overlay, Real, Standing, Stands, Touched};
use crate::kernel::model::vfs::{Body, Sb, SbId};
use crate::kernel::model::world::{Fs, World};
use crate::trace::{FileChange, FileType, Kind, LayerSummary, Life, Process, Supplier, Value};

/// Of what was not seen as it happened, so many paths are named.
const NAMED: usize = 5;

/// What was told of each path.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: BTreeMap<String, Stands>,
    gone: u64,
}

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
                Touched::Moved(from, to) => notes.ledger.moved(&from, &to),
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
        let mut sum = LayerSummary::default();
        let mut there = 0;
        for path in overlay.walk_upper(&self.fs).ok()? {
            let Ok(Some(found)) = overlay.standing(&self.fs, &path) else { continue };
            let (what, bytes) = looks(&self.fs, found.real);
            match (found.stands, what) {
                (Stands::Copy, FileType::Directory) => sum.directories += 1,
                (Stands::Copy, _) => {
                    sum.copied += 1;
                    sum.copied_bytes += bytes.unwrap_or(0);
                }
                (Stands::Whiteout, _) => sum.whiteouts += 1,
                (Stands::Opaque, _) => sum.opaque += 1,
                (Stands::Created, _) => sum.created += 1,
            }
            if notes.ledger.told.get(&path) == Some(&found.stands) {
                there += 1;
            } else {
                sum.unseen += 1;
                if sum.unseen_paths.len() < NAMED {
                    sum.unseen_paths.push(format!("/{path}"));
                }
            }
        }
        sum.gone = notes.ledger.gone + notes.ledger.told.len() as u64 - there;
        Some(sum)
    }
}

impl Ledger {
    /// A directory went elsewhere with all that is in it.
    fn moved(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let went: Vec<String> = self.told.keys().filter(|path| path.starts_with(&below)).cloned().collect();
        for path in went {
            if let Some(stands) = self.told.remove(&path) {
                self.told.insert(format!("{to}/{}", &path[below.len()..]), stands);
            }
        }
    }
}

impl Notes {
    fn changed(&mut self, overlay: &Overlay, fs: &Fs, path: &str, process: &Process, call: Option<&str>) {
        let Ok(Some(standing)) = overlay.standing(fs, path) else {
            self.ledger.gone += u64::from(self.ledger.told.remove(path).is_some());
            return;
        };
        if self.ledger.told.insert(path.to_owned(), standing.stands) == Some(standing.stands) {
            return;
        }
        let change = Box::new(self.change(fs, path, &standing, process, call));
        self.told.push(match standing.stands {
            Stands::Copy => Life::CopyUp(change),
            Stands::Whiteout => Life::Whiteout(change),
            Stands::Opaque => Life::Opaque(change),
            Stands::Created => Life::Created(change),
        });
    }

    fn change(
        &self,
        fs: &Fs,
        path: &str,
        standing: &Standing,
        process: &Process,
        call: Option<&str>,
    ) -> FileChange {
        let below = standing.below.as_ref().map(|b| looks(fs, b.real));
        let (what, stands) = match (standing.stands, below) {
            (Stands::Whiteout, Some((what, _))) => (what, None),
            _ => looks(fs, standing.real),
        };
        let supplier = |n: usize| self.suppliers.get(n).cloned();
        FileChange {
            process: Some(process.clone()),
            call: call.map(str::to_owned),
            path: format!("/{path}"),
            what,
            bytes: below.and_then(|b| b.1).filter(|_| standing.stands != Stands::Created),
            stands: stands
                .filter(|_| standing.stands == Stands::Copy)
                .map(|n| Value::volatile(Kind::Bytes, n)),
            layer: standing.below.as_ref().and_then(|b| supplier(b.layer)),
            hidden: standing
                .below
                .iter()
                .flat_map(|b| &b.hidden)
                .filter_map(|n| supplier(*n))
                .collect::<Vec<Supplier>>(),
            from: None,
        }
    }
}

/// The type of an inode, and its bytes if it is a regular file.
fn looks(fs: &Fs, real: Real) -> (FileType, Option<u64>) {
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
