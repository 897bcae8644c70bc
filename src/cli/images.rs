//! `glassbox images`, `glassbox image ls`

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::filter::Filters;
use super::list::List;
use super::output;
use super::select::{self, Census};
use super::sizes::{bytes, moment, span};
use crate::image::index::Listed;

/// List images
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// Also those that only others are made from
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Full ids
    #[arg(long)]
    no_trunc: bool,
    /// Also the digests of the manifests
    #[arg(long)]
    digests: bool,
    /// Only what fits: before, dangling, label, label!, reference, since, until
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a template such as '{{.Repository}} {{.Size}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only images of this name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

const FIELDS: &[(&str, &str)] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("VirtualSize", "SIZE"),
    ("Containers", "CONTAINERS"),
];

/// Runs the command.
pub fn run(context: &Context, args: &ImagesArgs) -> Result<u8, CliError> {
    let filters = Filters::parse(&args.filter, select::KEYS)?;
    let census = Census::take(context)?;
    let listed = census.select(context, &filters, args.name.as_deref(), args.all)?;
    if args.quiet && args.format.is_none() {
        let mut ids: Vec<String> = listed.iter().map(|l| short(&l.id, args.no_trunc)).collect();
        ids.dedup();
        output::print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>())?;
        return Ok(0);
    }
    let now = Timestamp::now();
    let counted = args.format.as_deref().is_some_and(|f| f.contains("Containers") || f.contains("json"));
    let containers = if counted { super::setup::records(context)? } else { Vec::new() };
    let rows: Vec<Value> = listed
        .iter()
        .map(|l| {
            let count = counted.then(|| containers.iter().filter(|r| r.image_id == l.id).count().to_string());
            row(l, args.no_trunc, now, count)
        })
        .collect();
    let usual: &[&str] = match args.digests {
        true => &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
        false => &["Repository", "Tag", "ID", "CreatedSince", "Size"],
    };
    output::print(&List { fields: FIELDS, usual }.text(args.format.as_deref(), &rows)?)?;
    Ok(0)
}

fn row(listed: &Listed, full: bool, now: Timestamp, containers: Option<String>) -> Value {
    let created: Option<Timestamp> = listed.created.as_ref().and_then(|c| c.parse().ok());
    let none = || "<none>".to_owned();
    json!({
        "Repository": listed.reference.as_ref().map_or_else(none, |r| r.familiar_name()),
        "Tag": listed.reference.as_ref().and_then(|r| r.tag().map(str::to_owned)).unwrap_or_else(none),
        "Digest": listed.source.as_ref().unwrap_or(&listed.manifest),
        "ID": short(&listed.id, full),
        "CreatedSince": created.map_or("N/A".to_owned(), |t| format!("{} ago", span(t, now))),
        "CreatedAt": created.map_or("N/A".to_owned(), moment),
        "Size": bytes(listed.size),
        "VirtualSize": bytes(listed.size),
        "Containers": containers.unwrap_or("N/A".to_owned()),
    })
}

/// An id as lists show it.
pub fn short(id: &str, full: bool) -> String {
    match full {
        true => id.to_owned(),
        false => id.trim_start_matches("sha256:").chars().take(12).collect(),
    }
}
