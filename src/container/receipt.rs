//! The receipt of a running plan, in the run-time directory: the plan itself,
//! and what is known only while it runs. Whoever carries the plan out holds a
//! lock on the receipt's directory; a receipt without a holder is a plan that
//! was cut off.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::files::write_atomic;
use crate::plan::Plan;

/// What is known only while the plan runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Running {
    /// Init's pid on the host.
    pub pid: Option<i32>,
    /// The container's address with prefix length.
    pub address: Option<String>,
    /// When the command was started.
    pub started: Option<Timestamp>,
    /// The glassbox process whose memory holds the machine, of a modelled run:
    /// there `pid` is a number of that machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<i32>,
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
    /// Writes the plan. It appears in its place complete and locked.
    pub fn write(run: &Path, plan: &Plan) -> io::Result<Receipt> {
        let parent = receipts_dir(run);
        let dir = parent.join(&plan.container);
        let new = parent.join(format!("new-{}", plan.container));
        if let Err(e) = fs::create_dir(&new) {
            if e.kind() != io::ErrorKind::NotFound {
                return Err(e);
            }
            fs::create_dir_all(&new)?;
        }
        let lock = lock(&new)?.ok_or_else(|| io::Error::other("somebody else holds the receipt"))?;
        fs::write(new.join("plan.json"), serde_json::to_vec(plan)?)?;
        fs::rename(&new, &dir)?;
        Ok(Receipt { dir, _lock: lock })
    }

    /// Writes what is known by now.
    pub fn running(&self, running: &Running) -> io::Result<()> {
        write_atomic(&self.dir.join("running.json"), &serde_json::to_vec(running)?)
    }

    /// Whether the command was started.
    pub fn has_run(&self) -> bool {
        let text = fs::read(self.dir.join("running.json")).unwrap_or_default();
        serde_json::from_slice::<Running>(&text).is_ok_and(|r| r.started.is_some())
    }

    /// The plan is over and nothing of it is left: the receipt goes.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.dir)
    }
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
    CutOff(Receipt, Option<Plan>),
}

/// Looks at the receipt of one container; `None` if there is none.
pub fn look(run: &Path, id: &str) -> io::Result<Option<Found>> {
    look_at(&receipts_dir(run).join(id))
}

fn look_at(dir: &Path) -> io::Result<Option<Found>> {
    let read = |name: &str| fs::read(dir.join(name));
    match lock(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(None) => {
            let running = read("running.json").ok().and_then(|t| serde_json::from_slice(&t).ok());
            Ok(Some(Found::Held(running.unwrap_or_default())))
        }
        Ok(Some(lock)) => {
            // Its holder may have finished between our opening and locking.
            if !dir.exists() {
                return Ok(None);
            }
            // Without a plan nothing was begun: the plan is written first.
            let plan = read("plan.json").ok().and_then(|t| serde_json::from_slice(&t).ok());
            Ok(Some(Found::CutOff(Receipt { dir: dir.to_owned(), _lock: lock }, plan)))
        }
    }
}

/// All receipts that nobody holds.
pub fn cut_off(run: &Path) -> io::Result<Vec<(String, Receipt, Option<Plan>)>> {
    let entries = match fs::read_dir(receipts_dir(run)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if let Some(Found::CutOff(receipt, plan)) = look_at(&entry.path())? {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((name.trim_start_matches("new-").to_owned(), receipt, plan));
        }
    }
    Ok(found)
}
