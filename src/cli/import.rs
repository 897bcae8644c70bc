//! `glassbox import`, `glassbox image import`

use std::io::IsTerminal;

use clap::Args;
use serde_json::json;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use super::limits::LimitArgs;
use super::worker::Worker;
use super::{commit, output, setup, tag};
use crate::image::create::{self, Import};
use crate::kernel::Failure;
use crate::plan::image::{self, ImageOp};

/// Make an image of a tar of a root file system
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Apply a Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// A remark for the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Platform of its programs, such as linux/arm64/v8 [default: this machine's]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<String>,
    /// The tar, plain or compressed with gzip or zstd; - is standard input. With --model a plain one, and a path of the modelled disk
    file: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &ImportArgs) -> Result<u8, CliError> {
    let reference = args.name.as_deref().map(tag::name).transpose()?;
    let wanted = Import {
        platform: platform(args.platform.as_deref())?,
        instructions: args.change.clone(),
        message: args.message.clone(),
        created: setup::created(context),
        name: args.file.clone(),
    };
    // What is wrong with an instruction is said before anything is read.
    create::instruction::apply(&mut create::instruction::Config::new(), &args.change)?;
    if args.file == "-" && std::io::stdin().is_terminal() {
        return Err(CliError::new("there is no tar: standard input is a terminal")
            .hint("give a file, or feed the tar through a pipe"));
    }
    if args.file == "-" && args.action.steps() {
        return Err(CliError::new("--step reads its commands from standard input, and so would the tar be")
            .hint("give the tar as a file"));
    }
    if args.file.starts_with("http://") || args.file.starts_with("https://") {
        return Err(CliError::new("cannot import from a URL")
            .hint("fetch it first: curl -L URL | glassbox import - NAME"));
    }
    let limits = args.limits.limits(context)?;
    let watching = args.action.watching(context)?;
    let mut worker = Worker::new(context, &watching)?;
    worker.limit(limits);
    worker.feed(&args.file)?;
    let id = action::id(context)?;
    let read = ImageOp::ImportTar { path: args.file.clone() };
    let first = image::plan(&id, [("import-tar".to_owned(), read)]);
    let mut second = |worker: &mut Worker| {
        let tar = worker.layer().ok_or_else(|| Failure::new("go on: no tar was read", None))?.0;
        let made = create::describe_import(&wanted, &tar)?;
        let store = commit::store_layer(context, &tar, &[&tar.diff_id], true);
        let name = worker.offer(context, &made, reference.clone());
        Ok(image::plan(&id, [("store-layer".to_owned(), store), ("name-images".to_owned(), name)]))
    };
    let outcome = worker.carry_out(context, watching, first, &mut [&mut second])?;
    if outcome.failed.is_none() {
        output::print(&worker.ids().iter().map(|id| format!("{id}\n")).collect::<String>())?;
    }
    Ok(outcome.status)
}

/// `OS/ARCH[/VARIANT]` as a config says it.
fn platform(text: Option<&str>) -> Result<serde_json::Value, CliError> {
    let own = json!({ "architecture": oci_spec::image::Arch::default().to_string(), "os": "linux" });
    let Some(text) = text else { return Ok(own) };
    let parts: Vec<&str> = text.split('/').collect();
    let word =
        |p: &&str| !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    match (&parts[..], parts.iter().all(word)) {
        ([os], true) => Ok(json!({ "architecture": own["architecture"], "os": os })),
        ([os, arch], true) => Ok(json!({ "architecture": arch, "os": os })),
        ([os, arch, variant], true) => Ok(json!({ "architecture": arch, "os": os, "variant": variant })),
        _ => {
            Err(CliError::new(format!("{text:?} is no platform"))
                .hint("such as linux/amd64 or linux/arm64/v8"))
        }
    }
}
