//! `glassbox rmi`, `glassbox image rm`

use std::collections::BTreeSet;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::select::Census;
use super::{output, setup};
use crate::container::record::{self, Record, RecordError, Status};
use crate::image::removal::{self, Removal, User};
use crate::image::store::Removed;
use crate::image::{ImageError, Reference, Store, digest};

/// Remove images, or names of them
#[derive(Debug, Args)]
pub struct RmiArgs {
    /// Also an image of stopped containers or of several names
    #[arg(short, long)]
    force: bool,
    /// Keep nameless images that the removed one was made from
    #[arg(long)]
    no_prune: bool,
    /// Names, ids or beginnings of ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command. Goes on past errors; the status is 1 if there was one.
pub fn run(context: &Context, args: &RmiArgs) -> Result<u8, CliError> {
    setup::only_real(context, "keeps its one image, box")?;
    setup::repair(context)?;
    let mut failed = false;
    for wanted in &args.images {
        match one(context, wanted, args.force, args.no_prune) {
            Ok(removed) => output::print(&lines(&removed))?,
            Err(e) => {
                output::error(&e);
                failed = true;
            }
        }
    }
    Ok(u8::from(failed))
}

/// `Untagged: NAME` and `Deleted: DIGEST`.
pub fn lines(removed: &Removed) -> String {
    let untagged = removed.untagged.iter().map(|n| format!("Untagged: {n}\n"));
    untagged.chain(removed.deleted.iter().map(|d| format!("Deleted: {d}\n"))).collect()
}

/// Removes one image or name, and what only it was for.
pub fn one(context: &Context, wanted: &str, force: bool, no_prune: bool) -> Result<Removed, CliError> {
    let store = Store::open(&context.root);
    let image = store.resolve(wanted)?;
    let records = setup::records(context)?;
    let names: Vec<Reference> =
        store.list()?.into_iter().filter(|l| l.id == image.id).filter_map(|l| l.reference).collect();
    let removal = removal::decide(wanted, &image.id, &names, &users(&records, &image.id), force)?;
    if removal == Removal::NameOnly {
        return Ok(store.untag(wanted)?);
    }
    let before = if no_prune { None } else { Some(Census::take(context)?) };
    if let Some(before) = &before {
        // Afterwards its config is gone.
        before.config(context, &image.id)?;
    }
    let mut removed = store.remove(wanted, &|| in_use(context))?;
    if let Some(before) = before.filter(|_| removed.deleted.contains(&image.id)) {
        parents(context, &store, &before, &image.id, &records, &mut removed)?;
    }
    Ok(removed)
}

/// Nameless images that only the removed one was made from go with it.
fn parents(
    context: &Context,
    store: &Store,
    before: &Census,
    removed_id: &str,
    records: &[Record],
    removed: &mut Removed,
) -> Result<(), CliError> {
    let child = crate::image::family::ancestry(before.config(context, removed_id)?);
    for listed in before.all.iter().filter(|l| l.reference.is_none() && l.id != removed_id) {
        let own = crate::image::family::ancestry(before.config(context, &listed.id)?);
        let used = records.iter().any(|r| r.image_id == listed.id);
        if used || !own.is_before(&child) {
            continue;
        }
        let others = Census::take(context)?;
        if !others.parents(context)?.contains(&listed.id) {
            let gone = store.remove(&listed.id, &|| in_use(context))?;
            removed.untagged.extend(gone.untagged);
            removed.deleted.extend(gone.deleted);
            removed.bytes += gone.bytes;
        }
    }
    Ok(())
}

/// The containers that are made from this image.
pub fn users(records: &[Record], id: &str) -> Vec<User> {
    records
        .iter()
        .filter(|r| r.image_id == id)
        .map(|r| User { container: r.short_id().to_owned(), running: r.status != Status::Exited })
        .collect()
}

/// The layers that containers stand on: `layers/HEX/diff`.
///
/// # Errors
/// When a container's record cannot be read: nobody knows what it needs.
pub fn in_use(context: &Context) -> Result<BTreeSet<String>, ImageError> {
    let damaged = |e: RecordError| ImageError::Damaged {
        path: record::containers_dir(&context.root),
        reason: e.to_string(),
    };
    let mut all = BTreeSet::new();
    for record in record::list(&context.root).map_err(damaged)? {
        let chain = |dir: &std::path::PathBuf| {
            let chain_id = format!("sha256:{}", dir.parent()?.file_name()?.to_str()?);
            digest::hex(&chain_id).is_some().then_some(chain_id)
        };
        all.extend(record.map_err(damaged)?.layers.iter().filter_map(chain));
    }
    Ok(all)
}
