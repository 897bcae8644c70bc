//! `glassbox ps`

use clap::Args;
use jiff::Timestamp;

use super::context::Context;
use super::error::CliError;
use super::sizes::span;
use super::table::table;
use super::{output, setup};
use crate::container::record::{Record, Status};

/// List containers
#[derive(Debug, Args)]
pub struct PsArgs {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Full ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Only the newest container
    #[arg(short, long)]
    latest: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &PsArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    let mut rows = Vec::new();
    let mut records: Vec<Record> = setup::records(context)?;
    if args.latest {
        records.truncate(1);
    }
    for record in records.iter().filter(|r| args.all || args.latest || r.status == Status::Running) {
        let id = if args.no_trunc { &record.id } else { record.short_id() };
        if args.quiet {
            rows.push(vec![id.to_owned()]);
            continue;
        }
        rows.push(vec![
            id.to_owned(),
            record.image.clone(),
            command(&record.command, args.no_trunc),
            format!("{} ago", span(record.created, Timestamp::now())),
            status(record),
            ports(record),
            record.name.clone(),
        ]);
    }
    let text = if args.quiet {
        rows.iter().map(|r| format!("{}\n", r[0])).collect()
    } else {
        table(&["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"], &rows)
    };
    output::print(&text)?;
    Ok(0)
}

fn command(argv: &[String], full: bool) -> String {
    let text = argv.join(" ").replace(|c: char| c.is_control(), " ");
    if full || text.chars().count() <= 20 {
        format!("\"{text}\"")
    } else {
        format!("\"{}…\"", text.chars().take(19).collect::<String>())
    }
}

fn status(record: &Record) -> String {
    let now = Timestamp::now();
    match record.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", span(record.started.unwrap_or(record.created), now)),
        Status::Exited => format!(
            "Exited ({}) {} ago",
            record.exit_code.unwrap_or(0),
            span(record.finished.unwrap_or(record.created), now)
        ),
    }
}

fn ports(record: &Record) -> String {
    if record.status != Status::Running {
        return String::new();
    }
    let one = |p: &crate::spec::ports::PortMapping| {
        format!("{}:{}->{}/{}", p.host_ip, p.host_port, p.container_port, p.protocol.name())
    };
    record.ports.iter().map(one).collect::<Vec<_>>().join(", ")
}
