//! `commit`: a container's writable layer becomes the top layer of a new image.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::describe::{Described, History, LayerRef, describe};
use super::instruction::{self, Config};
use crate::image::digest::Hashing;
use crate::image::union::Stack;
use crate::image::write::{self, Written};
use crate::image::{Image, ImageError, calls};
use crate::spec::Requested;

/// Media type of a layer made here.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer that was written but is not in the store yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLayer {
    /// The staged tar.
    pub path: PathBuf,
    /// Its digest, which is its diff ID too: it is not compressed.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// What went in.
    pub written: Written,
}

/// Writes what the topmost of `layers` has as a tar to `to`, hashing on the way.
///
/// # Errors
/// When something cannot be read, or the tar not be written.
pub fn write_layer(layers: &[PathBuf], to: &Path) -> Result<NewLayer, ImageError> {
    let stack = Stack::open(layers)?;
    let file = calls::create(to, 0o666).map_err(|e| ImageError::io("create", to, e))?;
    let mut out = Hashing::new(calls::Written(file));
    let written = write::layer(&stack, &mut out)?;
    let (_, digest, size) = out.finish();
    Ok(NewLayer { path: to.to_owned(), digest, size, written })
}

/// Who committed, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// `-a`.
    pub author: Option<String>,
    /// `-m`.
    pub comment: Option<String>,
    /// RFC 3339.
    pub created: String,
}

/// All that the description of a committed image needs.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    /// The image of the container.
    pub base: &'a Image,
    /// Its config as it is stored.
    pub base_config: &'a Value,
    /// The container's config, after `-c`: [`container_config`].
    pub config: &'a Config,
    /// The new layer; none if the container changed nothing.
    pub layer: Option<LayerRef>,
    /// The container's command, for the history.
    pub command: &'a [String],
    /// Who and why.
    pub author: &'a Author,
}

impl NewLayer {
    /// As a manifest names it.
    pub fn reference(&self) -> LayerRef {
        LayerRef {
            media_type: LAYER.to_owned(),
            digest: self.digest.clone(),
            size: self.size,
            diff_id: self.digest.clone(),
        }
    }
}

/// The config and the manifest of a committed image.
pub fn describe_commit(commit: &Commit<'_>) -> Described {
    let mut layers: Vec<LayerRef> = commit
        .base
        .layers
        .iter()
        .map(|l| LayerRef {
            media_type: l.media_type.clone(),
            digest: l.blob.clone(),
            size: l.size,
            diff_id: l.diff_id.clone(),
        })
        .collect();
    let line = History {
        created: commit.author.created.clone(),
        author: commit.author.author.clone(),
        created_by: commit.command.join(" "),
        comment: commit.author.comment.clone(),
        empty_layer: commit.layer.is_none(),
    };
    layers.extend(commit.layer.clone());
    describe(commit.base_config, commit.config, &layers, &line)
}

/// The config that a container runs with, as Docker commits it: the image's, with
/// what the user asked of `run` in place, then the instructions.
///
/// # Errors
/// [`ImageError::Change`] for an instruction that is wrong.
pub fn container_config(
    base_config: &Value,
    requested: &Requested,
    instructions: &[String],
) -> Result<Config, ImageError> {
    let mut config = base_config["config"].as_object().cloned().unwrap_or_default();
    match requested.entrypoint.as_deref() {
        None => {}
        Some("") => drop((config.remove("Entrypoint"), config.remove("Cmd"))),
        Some(entry) => {
            config.insert("Entrypoint".to_owned(), json!([entry]));
            config.remove("Cmd");
        }
    }
    if !requested.command.is_empty() {
        config.insert("Cmd".to_owned(), requested.command.clone().into());
    }
    for setting in &requested.env {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        instruction::set_env(&mut config, key, value);
    }
    for (key, value) in [("WorkingDir", &requested.workdir), ("User", &requested.user)] {
        if let Some(value) = value {
            config.insert(key.to_owned(), value.as_str().into());
        }
    }
    // An instruction of a child is the child's own affair.
    instruction::apply(&mut config, instructions)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_of_run_follows() {
        let base = json!({"config": {"Cmd": ["sh"], "Entrypoint": ["/e"], "Env": ["A=1"], "Healthcheck": {"Test": ["NONE"]}}});
        let config = |requested: Requested, changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|c| (*c).to_owned()).collect();
            Value::from(container_config(&base, &requested, &changes).unwrap())
        };
        assert_eq!(config(Requested::default(), &[]), base["config"], "nothing asked, nothing changed");
        let asked = Requested {
            command: vec!["touch".into(), "/f".into()],
            env: vec!["A=2".into(), "B=".into()],
            workdir: Some("/w".into()),
            user: Some("7".into()),
            entrypoint: None,
        };
        let got = config(asked, &["CMD [\"x\"]"]);
        assert_eq!((&got["Cmd"], &got["Env"]), (&json!(["x"]), &json!(["A=2", "B="])));
        assert_eq!(
            (&got["WorkingDir"], &got["User"], &got["Entrypoint"]),
            (&"/w".into(), &"7".into(), &json!(["/e"]))
        );
        let replaced = config(Requested { entrypoint: Some("/x".into()), ..Requested::default() }, &[]);
        assert_eq!((&replaced["Entrypoint"], &replaced["Cmd"]), (&json!(["/x"]), &Value::Null));
        assert_eq!(replaced["Healthcheck"], json!({"Test": ["NONE"]}), "what no type knows stays");
    }
}
