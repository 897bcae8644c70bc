//! `glassbox import`, `glassbox image import`

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::error::{CliError, io};
use super::{output, setup, tag};
use crate::image::Store;
use crate::image::create::{self, Import};

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
    /// The tar, plain or compressed with gzip or zstd; - is standard input
    file: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &ImportArgs) -> Result<u8, CliError> {
    setup::only_real(context, "takes no archives")?;
    let reference = args.name.as_deref().map(tag::name).transpose()?;
    let mut wanted = Import {
        reference,
        platform: platform(args.platform.as_deref())?,
        instructions: args.change.clone(),
        message: args.message.clone(),
        created: setup::created(context),
        name: args.file.clone(),
        size: None,
    };
    let store = Store::open(&context.root);
    let made = if args.file == "-" {
        if std::io::stdin().is_terminal() {
            return Err(CliError::new("there is no tar: standard input is a terminal")
                .hint("give a file, or feed the tar through a pipe"));
        }
        create::import(&store, std::io::stdin().lock(), &wanted)?
    } else {
        if args.file.starts_with("http://") || args.file.starts_with("https://") {
            return Err(CliError::new("cannot import from a URL")
                .hint("fetch it first: curl -L URL | glassbox import - NAME"));
        }
        let path = Path::new(&args.file);
        let file = File::open(path).map_err(|e| io("open the tar", path, &e))?;
        wanted.size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        create::import(&store, file, &wanted)?
    };
    output::print(&format!("{}\n", made.id))?;
    Ok(0)
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
