//! `glassbox image prune`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::filter::Filters;
use super::rmi;
use super::select::Census;
use super::sizes::bytes;
use super::{output, setup};
use crate::image::Store;

/// Remove images that nobody needs: those without a name
#[derive(Debug, Args)]
pub struct ImagePruneArgs {
    /// Also images with names, if no container is made from them
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only what fits: dangling, label, label!, until
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &ImagePruneArgs) -> Result<u8, CliError> {
    setup::only_real(context, "keeps its one image, box")?;
    let filters = Filters::parse(&args.filter, &["dangling", "label", "label!", "until"])?;
    // `dangling=false` says the same as -a.
    let all = args.all || filters.boolean("dangling")? == Some(false);
    if !args.force && !asked(all, &args.filter)? {
        return Ok(1);
    }
    setup::repair(context)?;
    let store = Store::open(&context.root);
    let records = setup::records(context)?;
    let filters = filters.without("dangling");
    let mut freed = 0;
    let mut deleted = String::new();
    // A nameless parent becomes removable when its last child is gone.
    loop {
        let census = Census::take(context)?;
        let parents = census.parents(context)?;
        let fit = census.select(context, &filters, None, true)?;
        let goes = |l: &&&crate::image::store::Listed| {
            (all || l.reference.is_none())
                && (l.reference.is_some() || !parents.contains(&l.id))
                && !records.iter().any(|r| r.image_id == l.id)
        };
        let mut progress = false;
        let ids: Vec<(String, Option<String>)> = fit
            .iter()
            .filter(goes)
            .map(|l| (l.id.clone(), l.reference.as_ref().map(ToString::to_string)))
            .collect();
        for (id, name) in ids {
            let removed = store.remove(name.as_deref().unwrap_or(&id), &|| rmi::in_use(context))?;
            progress = true;
            freed += removed.bytes;
            deleted.extend(removed.untagged.iter().map(|n| format!("untagged: {n}\n")));
            deleted.extend(removed.deleted.iter().map(|d| format!("deleted: {d}\n")));
        }
        if !progress {
            break;
        }
    }
    // What removed containers and broken-off work have left.
    freed += store.collect(&|| rmi::in_use(context))?.bytes;
    let mut text = String::new();
    if !deleted.is_empty() {
        text = format!("Deleted Images:\n{deleted}\n");
    }
    output::print(&format!("{text}Total reclaimed space: {}\n", bytes(freed)))?;
    Ok(0)
}

fn asked(all: bool, filters: &[String]) -> Result<bool, CliError> {
    let what = match all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    };
    let mut text = format!("WARNING! This will remove {what}.\n");
    if !filters.is_empty() {
        text.push_str("\n  Items to be pruned will be filtered with:\n");
        text.extend(filters.iter().map(|f| format!("  - {f}\n")));
        text.push('\n');
    }
    text.push_str("Are you sure you want to continue? [y/N] ");
    output::print(&text)?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|e| CliError::new(format!("cannot read the answer from standard input: {e}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
