//! What has happened and is not told yet: while a process waits for an answer only
//! a note is taken of it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::asked::Seen;
use super::connector::Did;
use super::fan::Changed;

/// A changed name, with the last call that its thread had asked about by then.
#[derive(Debug)]
pub struct Noted {
    pub changed: Changed,
    pub last: Option<Rc<Seen>>,
}

/// What came since one look and before the next. The two sources have no common
/// clock: files go first, because a shell waits for what it starts; but nobody does
/// anything before its birth is told.
#[derive(Debug, Default)]
pub struct Batch {
    pub files: VecDeque<Noted>,
    pub dids: VecDeque<Did>,
    /// The processes were looked at too: what comes now belongs to the next.
    closed: bool,
}

/// Batches, the oldest first.
#[derive(Debug, Default)]
pub struct Happened {
    batches: VecDeque<Batch>,
}

impl Happened {
    /// Changed names that came since the last note.
    pub fn files(&mut self, files: impl IntoIterator<Item = Noted>) {
        let mut files = files.into_iter().peekable();
        if files.peek().is_some() {
            self.open().files.extend(files);
        }
    }

    /// What processes did since the last look; this is one.
    pub fn look(&mut self, dids: Vec<Did>) {
        if dids.is_empty() && self.batches.back().is_none_or(|b| b.closed) {
            return;
        }
        let batch = self.open();
        batch.dids.extend(dids);
        batch.closed = true;
    }

    fn open(&mut self) -> &mut Batch {
        if self.batches.back().is_none_or(|b| b.closed) {
            self.batches.push_back(Batch::default());
        }
        let at = self.batches.len() - 1;
        &mut self.batches[at]
    }

    /// The oldest batch that has something, if the look that ends it was taken.
    pub fn first(&mut self) -> Option<&mut Batch> {
        while self.batches.front().is_some_and(|b| b.files.is_empty() && b.dids.is_empty()) {
            self.batches.pop_front();
        }
        self.batches.front_mut().filter(|batch| batch.closed)
    }

    /// What processes did in the batch of the name that was taken last.
    pub fn dids(&mut self) -> Option<&mut VecDeque<Did>> {
        self.batches.front_mut().map(|batch| &mut batch.dids)
    }

    /// Whether all is told.
    pub fn is_empty(&self) -> bool {
        self.batches.iter().all(|b| b.files.is_empty() && b.dids.is_empty())
    }

    /// Whether a name may have been taken away, which leaves a whiteout.
    pub fn has_removed(&self) -> bool {
        let removes = |seen: &Rc<Seen>| {
            matches!(seen.name, "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2")
        };
        self.batches.iter().flat_map(|b| &b.files).any(|f| f.last.as_ref().is_some_and(removes))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn named(name: &str) -> Noted {
        let changed =
            Changed { tid: 1, dir: PathBuf::from("/d"), name: name.as_bytes().to_vec(), directory: None };
        Noted { changed, last: None }
    }

    #[test]
    fn names_come_before_what_processes_did_and_batches_in_their_order() {
        let mut happened = Happened::default();
        assert!(happened.is_empty() && happened.first().is_none());
        happened.files([named("a")]);
        happened.files([named("b")]);
        happened.look(vec![Did::Exec { pid: 1 }]);
        // Noted after the look: it comes after the program.
        happened.files([named("c")]);
        happened.look(Vec::new());
        happened.look(vec![Did::Exec { pid: 2 }]);
        assert!(!happened.has_removed());
        let mut told = Vec::new();
        while let Some(batch) = happened.first() {
            match batch.files.pop_front() {
                Some(noted) => told.push(String::from_utf8(noted.changed.name).unwrap()),
                None => told.extend(std::mem::take(&mut batch.dids).iter().map(|did| format!("{did:?}"))),
            }
        }
        let last = Some(Rc::new(Seen { name: "unlinkat", paths: Vec::new() }));
        happened.files([Noted { last, ..named("d") }]);
        assert!(happened.has_removed() && !happened.is_empty());
        assert_eq!(told, ["a", "b", "Exec { pid: 1 }", "c", "Exec { pid: 2 }"]);
    }
}
