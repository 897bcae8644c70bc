//! `glassbox ps`

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::filter::Filters;
use super::list::List;
use super::sizes::{moment, span};
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
    /// Only the newest N containers
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Only what fits: ancestor, before, exited, id, name, network, since, status
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a template such as '{{.ID}} {{.Names}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const LIST: List<'_> = List {
    fields: &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("State", "STATE"),
        ("Ports", "PORTS"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
    ],
    usual: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
};

/// Runs the command.
pub fn run(context: &Context, args: &PsArgs) -> Result<u8, CliError> {
    let known = ["ancestor", "before", "exited", "id", "name", "network", "since", "status"];
    let filters = Filters::parse(&args.filter, &known)?;
    setup::repair(context)?;
    let all = setup::records(context)?;
    let last = if args.latest { Some(1) } else { args.last };
    let every =
        args.all || last.is_some() || filters.values("status").chain(filters.values("exited")).count() > 0;
    let mut records: Vec<&Record> = Vec::new();
    for record in all.iter().filter(|r| every || r.status == Status::Running) {
        if fits(context, &filters, &all, record)? {
            records.push(record);
        }
    }
    records.truncate(last.unwrap_or(usize::MAX));
    let id = |r: &Record| if args.no_trunc { r.id.clone() } else { r.short_id().to_owned() };
    if args.quiet && args.format.is_none() {
        output::print(&records.iter().map(|r| id(r) + "\n").collect::<String>())?;
        return Ok(0);
    }
    let rows: Vec<Value> = records.iter().map(|r| row(r, id(r), args.no_trunc)).collect();
    output::print(&LIST.text(args.format.as_deref(), &rows)?)?;
    Ok(0)
}

fn row(record: &Record, id: String, full: bool) -> Value {
    json!({
        "ID": id,
        "Image": record.image,
        "Command": command(&record.command, full),
        "CreatedAt": moment(record.created),
        "RunningFor": format!("{} ago", span(record.created, Timestamp::now())),
        "Status": status(record),
        "State": record.status,
        "Ports": ports(record),
        "Names": record.name,
        "Networks": record.network,
        "Labels": "",
        "Mounts": record.binds().into_iter().map(|(source, _)| source).collect::<Vec<_>>().join(","),
    })
}

fn fits(context: &Context, filters: &Filters, all: &[Record], record: &Record) -> Result<bool, CliError> {
    let other = |wanted: &str| {
        let found = all.iter().find(|r| r.name == wanted || r.id.starts_with(wanted));
        found.ok_or_else(|| CliError::new(format!("no such container: {wanted}")))
    };
    for wanted in filters.values("before") {
        if record.created >= other(wanted)?.created {
            return Ok(false);
        }
    }
    for wanted in filters.values("since") {
        if record.created <= other(wanted)?.created {
            return Ok(false);
        }
    }
    let exited = |code: &str| record.exit_code.is_some_and(|c| c.to_string() == code);
    let state = match record.status {
        Status::Created => "created",
        Status::Running => "running",
        Status::Exited => "exited",
    };
    Ok(filters.any("id", |v| record.id.starts_with(v))
        && filters.any("name", |v| record.name.contains(v.trim_start_matches('/')))
        && filters.any("status", |v| v == state)
        && filters.any("exited", exited)
        && filters.any("network", |v| record.network == v)
        && filters.any("ancestor", |v| {
            record.image == v || setup::image_id(context, v).is_some_and(|id| id == record.image_id)
        }))
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
