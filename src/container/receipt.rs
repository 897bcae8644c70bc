//! The receipt of a running plan, in the run-time directory: the plan itself,
//! and what is known only while it runs. Whoever carries the plan out holds a
//! lock on the receipt's directory; a receipt without a holder is a plan that
//! was cut off.
//!
//! The receipt is there before anything else of the container, and goes last.
//! Its `plan.json` appears with it and is the first of it to go: a receipt
//! without that file has nothing left to undo.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::files::write_atomic;
use crate::plan::{PLAN_VERSION, Plan};

/// A repair may take a receipt that is not yet locked for one that was cut off;
/// it cannot do so forever.
const TRIES: u32 = 16;

/// The beginning of the name of a receipt that is being written.
const UNFINISHED: &str = "new-";

/// What is known only while the plan runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Running {
    /// Init's pid on the host.
    pub pid: Option<i32>,
    /// The container's address with prefix length.
    pub address: Option<String>,
    /// When the command was started.
    pub started: Option<Timestamp>,
    /// The glassbox process itself, where the container has no process of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<i32>,
    /// A process that joins the container, where the plan is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
    /// How the command ended, until the record says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
}

/// A process that joins a container, and no later one of its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Its pid on the host.
    pub pid: i32,
    /// When it was born, in clock ticks since the machine started.
    pub born: u64,
}

/// A receipt that this process holds.
pub struct Receipt {
    dir: PathBuf,
    _lock: Flock<File>,
}

/// Where the receipts are.
pub fn receipts_dir(run: &Path) -> PathBuf {
    run.join("receipts")
}

impl Receipt {
    /// Writes the plan under the name of its container. It appears in its place complete
    /// and locked.
    pub fn write(run: &Path, plan: &Plan) -> io::Result<Receipt> {
        Receipt::write_as(run, &plan.container, plan)
    }

    /// Writes a plan about a container that has a receipt already, under a name that
    /// nobody has: 64 hexadecimal digits.
    pub fn write_as(run: &Path, name: &str, plan: &Plan) -> io::Result<Receipt> {
        let parent = receipts_dir(run);
        let dir = parent.join(name);
        let json = serde_json::to_vec(plan)?;
        let mut last = None;
        for n in 0..TRIES {
            let new = parent.join(format!("{UNFINISHED}{name}-{n}"));
            match place(&new, &dir, &json) {
                Ok(Some(lock)) => return Ok(Receipt { dir, _lock: lock }),
                Ok(None) => {}
                Err(e) => {
                    let gone = e.kind() == io::ErrorKind::NotFound;
                    let _ = fs::remove_dir_all(&new);
                    if !gone {
                        return Err(e);
                    }
                    last = Some(e);
                }
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("somebody else holds the receipt")))
    }

    /// Writes what is known by now.
    pub fn running(&self, running: &Running) -> io::Result<()> {
        write_atomic(&self.dir.join("running.json"), &serde_json::to_vec(running)?)
    }

    /// What was known when the plan was cut off.
    pub fn last(&self) -> Running {
        let text = fs::read(self.dir.join("running.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The plan is over and nothing of it is left: the receipt goes.
    pub fn remove(self) -> io::Result<()> {
        if self.dir.is_file() {
            return fs::remove_file(&self.dir);
        }
        for name in ["plan.json", "running.json"] {
            absent(fs::remove_file(self.dir.join(name)))?;
        }
        match fs::remove_dir(&self.dir) {
            // A temporary file of a killed writer.
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => absent(fs::remove_dir_all(&self.dir)),
            done => absent(done),
        }
    }
}

fn absent(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// Makes a receipt under a name of its own and moves it to its place; `None`
/// when a repair has it, which takes it away.
fn place(new: &Path, dir: &Path, json: &[u8]) -> io::Result<Option<Flock<File>>> {
    match fs::create_dir(new) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::create_dir_all(new)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        made => made?,
    }
    let Some(lock) = lock(new)? else { return Ok(None) };
    fs::write(new.join("plan.json"), json)?;
    fs::rename(new, dir)?;
    Ok(Some(lock))
}

/// Takes the lock of a receipt's directory; `None` if somebody holds it.
fn lock(dir: &Path) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(File::open(dir)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, e)) => Err(e.into()),
    }
}

/// What a receipt says of a container.
pub enum Found {
    /// Its plan is being carried out by a living process.
    Held(Running),
    /// Its plan was cut off; the lock is now ours.
    CutOff(Receipt, Written),
}

/// What a receipt that was cut off holds.
pub enum Written {
    /// Nothing was begun, or nothing is left.
    Nothing,
    /// The plan.
    Plan(Box<Plan>),
    /// A plan in the form of a later glassbox.
    Newer(u64),
    /// Something that is no plan.
    Damaged(String),
}

/// Looks at the receipt of one container; `None` if there is none.
pub fn look(run: &Path, id: &str) -> io::Result<Option<Found>> {
    look_at(&receipts_dir(run).join(id))
}

/// The plan that a living process carries out on a container, and the file with what
/// is known only while it runs; `None` when nobody does.
pub fn held_plan(run: &Path, id: &str) -> io::Result<Option<(Plan, PathBuf)>> {
    if !matches!(look(run, id)?, Some(Found::Held(_))) {
        return Ok(None);
    }
    let dir = receipts_dir(run).join(id);
    match fs::read(dir.join("plan.json")) {
        Ok(text) => Ok(Some((serde_json::from_slice(&text)?, dir.join("running.json")))),
        // It has ended meanwhile.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn look_at(dir: &Path) -> io::Result<Option<Found>> {
    match lock(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(None) => {
            let running = fs::read(dir.join("running.json")).ok();
            let running = running.and_then(|t| serde_json::from_slice(&t).ok());
            Ok(Some(Found::Held(running.unwrap_or_default())))
        }
        Ok(Some(lock)) => {
            // Its holder may have finished between our opening and locking, and
            // another run may have the name by now.
            let ours = lock.metadata()?;
            let same = fs::metadata(dir).is_ok_and(|m| (m.dev(), m.ino()) == (ours.dev(), ours.ino()));
            Ok(same.then(|| Found::CutOff(Receipt { dir: dir.to_owned(), _lock: lock }, written(dir))))
        }
    }
}

fn written(dir: &Path) -> Written {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let text = match fs::read(dir.join("plan.json")) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Written::Nothing,
        Err(e) => return Written::Damaged(e.to_string()),
    };
    if let Ok(Version { version }) = serde_json::from_slice(&text)
        && version > u64::from(PLAN_VERSION)
    {
        return Written::Newer(version);
    }
    match serde_json::from_slice(&text) {
        Ok(plan) => Written::Plan(Box::new(plan)),
        Err(e) => Written::Damaged(e.to_string()),
    }
}

/// A receipt that nobody holds.
pub struct CutOff {
    /// The container; `None` when its receipt was never finished.
    pub id: Option<String>,
    /// The receipt, locked.
    pub receipt: Receipt,
    /// Its plan.
    pub written: Written,
}

/// All receipts that nobody holds.
pub fn cut_off(run: &Path) -> io::Result<Vec<CutOff>> {
    let entries = match fs::read_dir(receipts_dir(run)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if let Some(Found::CutOff(receipt, written)) = look_at(&entry.path())? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = (!name.starts_with(UNFINISHED)).then_some(name);
            found.push(CutOff { id, receipt, written });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan { version: PLAN_VERSION, container: "c".repeat(64), steps: Vec::new() }
    }

    #[test]
    fn a_receipt_is_held_until_its_holder_is_gone() {
        let run = tempfile::tempdir().unwrap();
        let plan = plan();
        assert!(cut_off(run.path()).unwrap().is_empty());
        let receipt = Receipt::write(run.path(), &plan).unwrap();
        receipt.running(&Running { pid: Some(7), ..Running::default() }).unwrap();
        assert!(cut_off(run.path()).unwrap().is_empty());
        let held = look(run.path(), &plan.container).unwrap();
        assert!(matches!(held, Some(Found::Held(Running { pid: Some(7), .. }))));
        drop(receipt);
        let found = cut_off(run.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(cut_off(run.path()).unwrap().is_empty(), "now it is held by whoever found it");
        for one in found {
            assert_eq!(one.id.as_deref(), Some(plan.container.as_str()));
            assert!(matches!(&one.written, Written::Plan(p) if **p == plan));
            one.receipt.remove().unwrap();
        }
        assert!(look(run.path(), &plan.container).unwrap().is_none());
    }

    #[test]
    fn what_is_no_plan_is_told_from_what_has_none() {
        let newer = format!(r#"{{"version":{},"steps":{{}}}}"#, PLAN_VERSION + 1);
        for (text, wanted) in [
            (None, "nothing"),
            (Some(""), "damaged"),
            (Some("{\"version\":1"), "damaged"),
            (Some("\0\0"), "damaged"),
            (Some(newer.as_str()), "newer"),
        ] {
            let run = tempfile::tempdir().unwrap();
            let dir = receipts_dir(run.path()).join("x");
            fs::create_dir_all(&dir).unwrap();
            if let Some(text) = text {
                fs::write(dir.join("plan.json"), text).unwrap();
            }
            let found = cut_off(run.path()).unwrap().pop().unwrap();
            let got = match found.written {
                Written::Nothing => "nothing",
                Written::Plan(_) => "plan",
                Written::Newer(_) => "newer",
                Written::Damaged(_) => "damaged",
            };
            assert_eq!(got, wanted, "{text:?}");
            found.receipt.remove().unwrap();
            assert!(!dir.exists());
        }
    }

    #[test]
    fn writers_and_repairs_at_the_same_time_agree() {
        let run = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|s| {
            s.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    for one in cut_off(run.path()).unwrap_or_default() {
                        assert!(one.id.is_none(), "a finished receipt is always held");
                        one.receipt.remove().unwrap();
                    }
                }
            });
            for n in 0..200 {
                let plan = Plan { container: format!("{n:064}"), ..plan() };
                Receipt::write(run.path(), &plan).unwrap().remove().unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(fs::read_dir(receipts_dir(run.path())).unwrap().count(), 0);
    }
}
