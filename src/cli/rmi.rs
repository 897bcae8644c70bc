//! `glassbox rmi`, `glassbox image rm`

use std::collections::BTreeSet;

use clap::Args;

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::select::Census;
use super::{output, setup, single};
use crate::container::record::{Record, Status};
use crate::image::index::{Content, Removed};
use crate::image::removal::{self, Removal, User};
use crate::image::{Image, Reference};
use crate::plan::image::ImageOp;

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
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command. Goes on past errors; the status is 1 if there was one.
pub fn run(context: &Context, args: &RmiArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    let mut plan = Plan {
        context,
        content: setup::content(context)?,
        records: setup::records(context)?,
        census: Census::take(context)?,
        ops: Vec::new(),
        gone: BTreeSet::new(),
    };
    let mut failed = false;
    for wanted in &args.images {
        if let Err(e) = plan.add(wanted, args) {
            output::error(&e);
            failed = true;
        }
    }
    if plan.ops.is_empty() {
        return Ok(u8::from(failed));
    }
    let label = |(n, op)| (format!("remove-image-{n}"), op);
    let steps = (1..).zip(plan.ops).map(label).collect();
    let (status, mut worker) = single::run(context, &args.action, steps, |_| {})?;
    output::print(&lines(&worker.removed()))?;
    Ok(if status == 0 { u8::from(failed) } else { status })
}

/// `Untagged: NAME` and `Deleted: DIGEST`.
fn lines(removed: &Removed) -> String {
    let untagged = removed.untagged.iter().map(|n| format!("Untagged: {n}\n"));
    untagged.chain(removed.deleted.iter().map(|d| format!("Deleted: {d}\n"))).collect()
}

/// What is to be removed, decided before anything is.
struct Plan<'a> {
    context: &'a Context,
    content: Box<dyn Content>,
    records: Vec<Record>,
    census: Census,
    ops: Vec<ImageOp>,
    /// Names, and ids of images, that are going.
    gone: BTreeSet<String>,
}

impl Plan<'_> {
    fn add(&mut self, wanted: &str, args: &RmiArgs) -> Result<(), CliError> {
        let image = self.content.resolve(wanted)?;
        let mut names: Vec<Reference> = Vec::new();
        for listed in self.census.all.iter().filter(|l| l.id == image.id) {
            names.extend(listed.reference.clone().filter(|r| !self.gone.contains(&r.to_string())));
        }
        let users = users(&self.records, &image.id);
        let removal = removal::decide(wanted, &image.id, &names, &users, args.force)?;
        let going: Vec<String> = match removal {
            Removal::Image => names.iter().map(Reference::to_string).collect(),
            // By digest the image's reference is the name that was found.
            Removal::Name | Removal::NameOnly => vec![image.reference.clone()],
        };
        let last = removal != Removal::NameOnly && names.iter().all(|n| going.contains(&n.to_string()));
        self.push(wanted, &image, going, removal == Removal::NameOnly);
        if last {
            self.gone.insert(image.id.clone());
            if !args.no_prune {
                self.parents(&image)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, wanted: &str, image: &Image, names: Vec<String>, keep: bool) {
        self.gone.extend(names.iter().cloned());
        let index = single::index(self.context);
        let (wanted, image) = (wanted.to_owned(), image.id.clone());
        self.ops.push(ImageOp::RemoveImage { wanted, image, names, keep, index });
    }

    /// Nameless images that only what is going was made from go with it.
    fn parents(&mut self, child: &Image) -> Result<(), CliError> {
        let ancestry = |id: &str| self.census.ancestry(self.context, id);
        let Some(own) = ancestry(&child.id)? else { return Ok(()) };
        let mut all = Vec::new();
        for listed in self.census.all.iter().filter(|l| l.reference.is_none()) {
            all.extend(ancestry(&listed.id)?.map(|a| (listed.id.clone(), a)));
        }
        let mut others = Vec::new();
        for listed in &self.census.all {
            others.extend(ancestry(&listed.id)?.map(|a| (listed.id.clone(), a)));
        }
        // Nearest first: what is left of a line of parents is decided from its end.
        all.retain(|(id, a)| a.is_before(&own) && !self.gone.contains(id));
        all.sort_by_key(|(_, a)| std::cmp::Reverse(a.len()));
        for (id, parent) in all {
            let used = self.records.iter().any(|r| r.image_id == id);
            let needed = others.iter().any(|(other, a)| parent.is_before(a) && !self.gone.contains(other));
            if !used && !needed {
                let image = self.content.resolve(&id)?;
                self.push(&id, &image, Vec::new(), false);
                self.gone.insert(id);
            }
        }
        Ok(())
    }
}

/// The containers that are made from this image.
fn users(records: &[Record], id: &str) -> Vec<User> {
    records
        .iter()
        .filter(|r| r.image_id == id)
        .map(|r| User { container: r.short_id().to_owned(), running: r.status != Status::Exited })
        .collect()
}
