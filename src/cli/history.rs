//! `glassbox history`, `glassbox image history`

use clap::{ArgAction, Args};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::images::short;
use super::list::List;
use super::sizes::{bytes, span};
use super::{output, setup};

/// Show what an image was made by, step for step, the newest first
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Sizes and times for people; with =false in bytes and as moments
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    human: bool,
    /// Whole commands and ids
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or a template such as '{{.Size}} {{.CreatedBy}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name or id of the image
    image: String,
}

const LIST: List<'_> = List {
    fields: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    usual: &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
};

/// Runs the command.
pub fn run(context: &Context, args: &HistoryArgs) -> Result<u8, CliError> {
    let image = setup::image(context, &args.image, false)?;
    let config = setup::config(context, &image.id)?;
    let mut sizes = setup::layer_sizes(context, &image)?.into_iter();
    let now = Timestamp::now();
    let mut lines: Vec<(Value, u64)> = Vec::new();
    for line in config["history"].as_array().into_iter().flatten() {
        let size = if line["empty_layer"] == true { 0 } else { sizes.next().unwrap_or(0) };
        lines.push((line.clone(), size));
    }
    // A history that names fewer layers than there are leaves the rest unsaid.
    lines.extend(sizes.map(|size| (json!({}), size)));
    let newest = lines.len().saturating_sub(1);
    let mut rows: Vec<Value> = Vec::new();
    for (at, (line, size)) in lines.iter().enumerate().rev() {
        let id = if at == newest { short(&image.id, args.no_trunc) } else { "<missing>".to_owned() };
        rows.push(row(line, *size, id, args, now));
    }
    if args.quiet && args.format.is_none() {
        output::print(
            &rows.iter().filter_map(|r| r["ID"].as_str()).map(|id| format!("{id}\n")).collect::<String>(),
        )?;
        return Ok(0);
    }
    output::print(&LIST.text(args.format.as_deref(), &rows)?)?;
    Ok(0)
}

fn row(line: &Value, size: u64, id: String, args: &HistoryArgs, now: Timestamp) -> Value {
    let text = |key: &str| line[key].as_str().unwrap_or_default().replace(['\t', '\n'], " ");
    let created: Option<Timestamp> = line["created"].as_str().and_then(|c| c.parse().ok());
    let at = created.map_or("N/A".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let since = match args.human {
        true => created.map_or("N/A".to_owned(), |t| format!("{} ago", span(t, now))),
        false => at.clone(),
    };
    let by = text("created_by");
    let by = if args.no_trunc || by.chars().count() <= 45 {
        by
    } else {
        format!("{}…", by.chars().take(44).collect::<String>())
    };
    json!({
        "ID": id,
        "CreatedSince": since,
        "CreatedAt": at,
        "CreatedBy": by,
        "Size": if args.human { bytes(size) } else { size.to_string() },
        "Comment": text("comment"),
    })
}
