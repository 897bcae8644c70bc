//! `glassbox images`

use clap::Args;
use jiff::Timestamp;

use super::context::Context;
use super::error::CliError;
use super::sizes::{bytes, span};
use super::table::table;
use super::{output, setup};

/// List images
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Full ids
    #[arg(long)]
    no_trunc: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &ImagesArgs) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    for image in setup::images(context)? {
        let id = if args.no_trunc {
            image.id.clone()
        } else {
            image.id.trim_start_matches("sha256:").chars().take(12).collect()
        };
        if args.quiet {
            rows.push(vec![id]);
            continue;
        }
        let created = match image.created {
            Some(t) => format!("{} ago", span(t, Timestamp::now())),
            None => "N/A".to_owned(),
        };
        rows.push(vec![image.repository, image.tag, id, created, bytes(image.size)]);
    }
    let text = if args.quiet {
        rows.iter().map(|r| format!("{}\n", r[0])).collect()
    } else {
        table(&["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"], &rows)
    };
    output::print(&text)?;
    Ok(0)
}
