//! `glassbox search`

use clap::Args;
use serde_json::{Value, json};

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::filter::Filters;
use super::list::List;
use super::output;
use super::registry::{self, RegistryArgs};
use super::single;
use crate::image::registry::options::HUB;
use crate::image::registry::search::{DEFAULT_LIMIT, Hit, MAX_LIMIT};
use crate::plan::image::ImageOp;

/// Search Docker Hub, or another index, for images
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Only what fits: is-automated, is-official, stars
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a template such as '{{.Name}} {{.StarCount}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// How many to ask for, at most 100
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
    limit: u32,
    /// Whole descriptions
    #[arg(long)]
    no_trunc: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    action: ActionArgs,
    /// What to search for; HOST[:PORT]/TERM searches another index
    term: String,
}

const FIELDS: &[(&str, &str)] = &[
    ("Name", "NAME"),
    ("Description", "DESCRIPTION"),
    ("StarCount", "STARS"),
    ("IsOfficial", "OFFICIAL"),
    ("IsAutomated", "AUTOMATED"),
];

/// Where a description is cut, the dots included.
const DESCRIPTION: usize = 45;

/// Runs the command.
pub fn run(context: &Context, args: &SearchArgs) -> Result<u8, CliError> {
    let filters = Filters::parse(&args.filter, &["is-automated", "is-official", "stars"])?;
    let (automated, official) = (filters.boolean("is-automated")?, filters.boolean("is-official")?);
    let mut stars = 0;
    for value in filters.values("stars") {
        let wanted: i64 = value
            .parse()
            .map_err(|_| CliError::new(format!("invalid filter stars={value}: it is a number")))?;
        stars = stars.max(wanted);
    }
    if !(1..=MAX_LIMIT).contains(&args.limit) {
        return Err(CliError::new(format!(
            "--limit {} is outside the range of 1 to {MAX_LIMIT}",
            args.limit
        )));
    }
    let (host, term) = split(&args.term);
    let op = ImageOp::SearchIndex { registry: host, term: term.to_owned(), limit: args.limit };
    let steps = vec![("search-index".to_owned(), op)];
    let (status, hits) =
        single::ask(context, &args.action, registry::options(context, &args.registry), steps, |_| {})?;
    if status != 0 {
        return Ok(status);
    }
    let hits = hits.hits;
    let rows: Vec<Value> = hits
        .iter()
        .filter(|h| h.star_count >= stars)
        .filter(|h| automated.is_none_or(|wanted| h.is_automated == wanted))
        .filter(|h| official.is_none_or(|wanted| h.is_official == wanted))
        .map(|h| row(h, args.no_trunc))
        .collect();
    let usual = &["Name", "Description", "StarCount", "IsOfficial"];
    output::print(&List { fields: FIELDS, usual }.text(args.format.as_deref(), &rows)?)?;
    Ok(0)
}

/// A first part that can only be a host is one.
fn split(term: &str) -> (String, &str) {
    match term.split_once('/') {
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => {
            (registry::host(Some(host)), rest)
        }
        _ => (HUB.to_owned(), term),
    }
}

fn row(hit: &Hit, whole: bool) -> Value {
    let mark = |yes: bool| if yes { "[OK]" } else { "" };
    json!({
        "Name": printable(&hit.name),
        "Description": description(hit.description.as_deref().unwrap_or_default(), whole),
        "StarCount": hit.star_count.to_string(),
        "IsOfficial": mark(hit.is_official),
        "IsAutomated": mark(hit.is_automated),
    })
}

/// On one line, and cut unless it is wanted whole.
fn description(text: &str, whole: bool) -> String {
    let line = printable(text);
    if whole || line.chars().count() <= DESCRIPTION {
        return line;
    }
    let mut cut: String = line.chars().take(DESCRIPTION - 1).collect();
    cut.push('…');
    cut
}

/// What others have written reaches the terminal without its control characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_fit_a_line() {
        assert_eq!(description("two\nlines\u{1b}[31m", false), "two lines [31m");
        let long = "é".repeat(60);
        assert_eq!(description(&long, false).chars().count(), DESCRIPTION);
        assert_eq!(description(&long, true), long);
    }

    #[test]
    fn a_host_is_told_from_a_name() {
        assert_eq!(split("debian"), ("docker.io".into(), "debian"));
        assert_eq!(split("team/app"), ("docker.io".into(), "team/app"));
        assert_eq!(split("reg.lan:5000/app"), ("reg.lan:5000".into(), "app"));
        assert_eq!(split("docker.io/library/app"), ("docker.io".into(), "library/app"));
    }
}
