//! What the store keeps of a container: one `record.json` in its directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, Value};

use super::files::write_atomic;
use super::id;
use crate::image::Store;
use crate::kernel::errno::io_words;
use crate::spec::Requested;
use crate::spec::ports::PortMapping;

/// Version of the record's form.
pub const RECORD_VERSION: u32 = 1;

/// A container that cannot be found, told apart, or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// None by that name.
    #[error("no such container: {0}")]
    Unknown(String),
    /// A prefix of several ids.
    #[error("container id {prefix} is ambiguous: it begins {}", .candidates.join(", "))]
    Ambiguous {
        /// What the user gave.
        prefix: String,
        /// Short ids with names.
        candidates: Vec<String>,
    },
    /// The file system refused.
    #[error("cannot {what} {}: {}", .path.display(), io_words(error))]
    Io {
        /// `read`, `write`, ….
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The record is not JSON, or not of this form.
    #[error("the record {} is damaged: {error}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its plan is being carried out, or was cut off before its command ran.
    Created,
    /// Its command runs.
    Running,
    /// Its command ended.
    Exited,
}

/// A container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// 64 hexadecimal digits.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// The image's reference as the user gave it.
    pub image: String,
    /// Digest of the image's config: stays when the tag moves.
    pub image_id: String,
    /// Layer trees, lowest first.
    pub layers: Vec<PathBuf>,
    /// Command and arguments.
    pub command: Vec<String>,
    /// What of it the user asked for.
    #[serde(default)]
    pub requested: Requested,
    /// When it was made.
    pub created: Timestamp,
    /// As last written; a running container's is in the run-time directory.
    pub status: Status,
    /// Its exit status, once exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// When the command was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Init's pid on the host while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `bridge`, `host`, `none`.
    pub network: String,
    /// The address it has or had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortMapping>,
    /// Removed when it ends.
    pub remove: bool,
    /// The OCI runtime specification, as it was written: most that read a record do
    /// not look into it.
    pub oci: Box<RawValue>,
}

impl Record {
    /// The first twelve digits of the id.
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    /// The OCI runtime specification; null if it is damaged.
    pub fn spec(&self) -> Value {
        serde_json::from_str(self.oci.get()).unwrap_or_default()
    }

    /// Sources and destinations of its bind mounts.
    pub fn binds(&self) -> Vec<(String, String)> {
        let spec = self.spec();
        let mounts = spec["mounts"].as_array().into_iter().flatten();
        let text = |m: &Value, key: &str| m[key].as_str().map(str::to_owned);
        mounts
            .filter(|m| m["type"] == "bind")
            .filter_map(|m| Some((text(m, "source")?, text(m, "destination")?)))
            .collect()
    }

    /// The container's directory in the store.
    pub fn dir(&self, store: &Path) -> PathBuf {
        containers_dir(store).join(&self.id)
    }

    /// Writes the record into its directory, changed like this.
    pub fn save_with(&self, store: &Path, change: impl FnOnce(&mut Record)) -> Result<(), RecordError> {
        let mut record = self.clone();
        change(&mut record);
        record.save(store)
    }

    /// Writes the record into its directory.
    pub fn save(&self, store: &Path) -> Result<(), RecordError> {
        let path = self.dir(store).join("record.json");
        let json =
            serde_json::to_vec(self).map_err(|error| RecordError::Damaged { path: path.clone(), error })?;
        write_atomic(&path, &json).map_err(|error| RecordError::Io { what: "write", path, error })
    }
}

/// Where the containers' directories are.
pub fn containers_dir(store: &Path) -> PathBuf {
    store.join("containers")
}

/// Reads one record file.
pub fn read(path: &Path) -> Result<Record, RecordError> {
    let text =
        fs::read(path).map_err(|error| RecordError::Io { what: "read", path: path.to_owned(), error })?;
    serde_json::from_slice(&text).map_err(|error| RecordError::Damaged { path: path.to_owned(), error })
}

/// Writes the exit status into a record.
pub fn finish(path: &Path, code: u8) -> Result<(), RecordError> {
    let mut record = read(path)?;
    record.status = Status::Exited;
    record.exit_code = Some(code);
    record.finished = Some(Timestamp::now());
    record.pid = None;
    let json =
        serde_json::to_vec(&record).map_err(|error| RecordError::Damaged { path: path.to_owned(), error })?;
    write_atomic(path, &json).map_err(|error| RecordError::Io { what: "write", path: path.to_owned(), error })
}

/// All containers, newest first. A damaged record is an error of its own, so
/// that one does not hide the others.
pub fn list(store: &Path) -> Result<Vec<Result<Record, RecordError>>, RecordError> {
    let dir = containers_dir(store);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RecordError::Io { what: "list", path: dir, error }),
    };
    let mut records: Vec<Result<Record, RecordError>> = entries
        .filter_map(Result::ok)
        .map(|e| e.path().join("record.json"))
        // A directory without a record is being made or removed by someone else.
        .filter(|p| p.exists())
        .map(|p| read(&p))
        .filter(
            |r| !matches!(r, Err(RecordError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound),
        )
        .collect();
    records.sort_by_key(|r| std::cmp::Reverse(r.as_ref().map(|r| (r.created, r.id.clone())).ok()));
    Ok(records)
}

/// Chain IDs of the layers that containers are made from, for
/// [`crate::image::Store::collect`].
///
/// # Errors
/// [`RecordError`]; also that a record is damaged, because then nobody knows
/// which layers its container needs.
pub fn layers_in_use(store: &Path) -> Result<std::collections::BTreeSet<String>, RecordError> {
    let mut chains = std::collections::BTreeSet::new();
    for record in list(store)? {
        chains.extend(record?.layers.iter().filter_map(|dir| Some(Store::of_layer_dir(dir)?.1)));
    }
    Ok(chains)
}

/// A container, by its short id, that runs from the image with this id or is about to.
///
/// # Errors
/// As [`layers_in_use`].
pub fn running_from(store: &Path, image: &str) -> Result<Option<String>, RecordError> {
    for record in list(store)? {
        let record = record?;
        if record.image_id == image && record.status != Status::Exited {
            return Ok(Some(record.short_id().to_owned()));
        }
    }
    Ok(None)
}

/// The container that a user means: by name, by id, or by a unique beginning of
/// its id.
pub fn find(store: &Path, wanted: &str) -> Result<Record, RecordError> {
    let all: Vec<Record> = list(store)?.into_iter().filter_map(Result::ok).collect();
    if let Some(record) = all.iter().find(|r| r.name == wanted || r.id == wanted) {
        return Ok(record.clone());
    }
    if !id::is_prefix(wanted) {
        return Err(RecordError::Unknown(wanted.to_owned()));
    }
    let matches: Vec<&Record> = all.iter().filter(|r| r.id.starts_with(wanted)).collect();
    match matches[..] {
        [] => Err(RecordError::Unknown(wanted.to_owned())),
        [one] => Ok(one.clone()),
        _ => Err(RecordError::Ambiguous {
            prefix: wanted.to_owned(),
            candidates: matches.iter().map(|r| format!("{} ({})", r.short_id(), r.name)).collect(),
        }),
    }
}
