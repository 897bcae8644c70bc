//! `glassbox image prune`

use clap::Args;

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::filter::Filters;
use super::select::Census;
use super::sizes::bytes;
use super::{output, setup, single};
use crate::image::index::Listed;
use crate::plan::image::ImageOp;

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
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &ImagePruneArgs) -> Result<u8, CliError> {
    let filters = Filters::parse(&args.filter, &["dangling", "label", "label!", "until"])?;
    // `dangling=false` says the same as -a.
    let all = args.all || filters.boolean("dangling")? == Some(false);
    if !args.force && !asked(all, &args.filter)? {
        return Ok(1);
    }
    setup::repair(context)?;
    let steps = steps(context, all, &filters.without("dangling"))?;
    let (status, mut worker) = single::run(context, &args.action, steps, |_| {})?;
    if status != 0 {
        return Ok(status);
    }
    let removed = worker.removed();
    let mut deleted: String = removed.untagged.iter().map(|n| format!("untagged: {n}\n")).collect();
    deleted.extend(removed.deleted.iter().map(|d| format!("deleted: {d}\n")));
    let mut text = String::new();
    if !deleted.is_empty() {
        text = format!("Deleted Images:\n{deleted}\n");
    }
    output::print(&format!("{text}Total reclaimed space: {}\n", bytes(removed.bytes)))?;
    Ok(0)
}

/// What goes, decided before anything does; and at the end what removed containers
/// and broken-off work have left.
fn steps(context: &Context, all: bool, filters: &Filters) -> Result<Vec<(String, ImageOp)>, CliError> {
    let records = setup::records(context)?;
    let census = Census::take(context)?;
    let fit = census.select(context, filters, None, true)?;
    let mut steps: Vec<(String, ImageOp)> = Vec::new();
    let mut going: Vec<&Listed> = Vec::new();
    // A nameless parent becomes removable when its last child is gone.
    loop {
        let stays = |id: &str| census.all.iter().any(|l| l.id == id && !going.contains(&l));
        let parents = census.parents_of(context, &stays)?;
        let goes = |l: &&&Listed| {
            !going.contains(*l)
                && (all || l.reference.is_none())
                && (l.reference.is_some() || !parents.contains(&l.id))
                && !records.iter().any(|r| r.image_id == l.id)
        };
        let more: Vec<&Listed> = fit.iter().filter(goes).copied().collect();
        if more.is_empty() {
            break;
        }
        for listed in more {
            let name = listed.reference.as_ref().map(ToString::to_string);
            let op = ImageOp::RemoveImage {
                wanted: name.clone().unwrap_or_else(|| listed.id.clone()),
                image: listed.id.clone(),
                names: name.into_iter().collect(),
                keep: false,
                index: single::index(context),
            };
            going.push(listed);
            steps.push((format!("remove-image-{}", going.len()), op));
        }
    }
    let store = context.store().to_string_lossy().into_owned();
    steps.push(("collect-garbage".to_owned(), ImageOp::CollectGarbage { store }));
    Ok(steps)
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
