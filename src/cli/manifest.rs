//! `glassbox manifest inspect`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::registry::{self, RegistryArgs};
use super::{output, single};
use crate::image::Reference;
use crate::image::manifest::{DOCKER_MANIFEST, Document, parse};
use crate::image::registry::Manifest;
use crate::kernel::linux::images::Sending;
use crate::plan::image::ImageOp;

/// Look at manifests in a registry
#[derive(Debug, Args)]
pub struct ManifestArgs {
    #[command(subcommand)]
    command: ManifestCommand,
}

#[derive(Debug, Subcommand)]
enum ManifestCommand {
    Inspect(InspectArgs),
}

/// Show what a name leads to in its registry: a manifest, or an index of several
#[derive(Debug, Args)]
struct InspectArgs {
    /// Each manifest with its descriptor and its platform
    #[arg(short, long)]
    verbose: bool,
    /// Do not check the registry's certificate, and allow plain HTTP
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    action: ActionArgs,
    /// NAME[:TAG|@DIGEST]
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &ManifestArgs) -> Result<u8, CliError> {
    let ManifestCommand::Inspect(args) = &args.command;
    let reference = registry::reference(&args.image)?.or_latest();
    let mut options = registry::options(context, &args.registry);
    if args.insecure {
        options.insecure.push(reference.domain().to_owned());
    }
    let op = ImageOp::ReadManifest {
        registry: reference.domain().to_owned(),
        reference: reference.to_string(),
        all: args.verbose,
    };
    let steps = vec![("read-manifest".to_owned(), op)];
    let (status, read) = single::ask(context, &args.action, options, steps, |_| {})?;
    let Some(first) = read.manifests.first().filter(|_| status == 0) else { return Ok(status) };
    let value = match args.verbose {
        true => verbose(&reference, first, &read)?,
        false => json_of(first)?,
    };
    output::print(&format!("{}\n", indented(&value)?))?;
    Ok(0)
}

/// An object for one manifest; a list of them for an index.
fn verbose(reference: &Reference, first: &Manifest, read: &Sending) -> Result<Value, CliError> {
    let index = match parse(&first.bytes, Some(&first.media_type)) {
        Ok(Document::Index(index)) => index,
        _ => {
            let config = read.config.as_deref().unwrap_or_default();
            let config: Value = serde_json::from_slice(config).unwrap_or_default();
            let mut platform = json!({});
            for key in ["architecture", "os", "variant"] {
                if let Some(value) = config.get(key).filter(|v| v.is_string()) {
                    platform[key] = value.clone();
                }
            }
            return one(&reference.to_string(), first, Some(platform));
        }
    };
    let mut all = Vec::new();
    for (descriptor, manifest) in index.manifests.iter().zip(&read.manifests[1..]) {
        let platform = descriptor.platform().as_ref().and_then(|p| serde_json::to_value(p).ok());
        all.push(one(&format!("{}@{}", reference.name(), manifest.digest), manifest, platform)?);
    }
    Ok(Value::Array(all))
}

fn one(reference: &str, manifest: &Manifest, platform: Option<Value>) -> Result<Value, CliError> {
    let mut descriptor = json!({
        "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len(),
    });
    if let Some(platform) = platform {
        descriptor["platform"] = platform;
    }
    let kind = if manifest.media_type == DOCKER_MANIFEST { "SchemaV2Manifest" } else { "OCIManifest" };
    Ok(json!({
        "Ref": reference,
        "Descriptor": descriptor,
        "Raw": STANDARD.encode(&manifest.bytes),
        kind: json_of(manifest)?,
    }))
}

fn json_of(manifest: &Manifest) -> Result<Value, CliError> {
    serde_json::from_slice(&manifest.bytes)
        .map_err(|e| CliError::new(format!("cannot show the manifest: {e}")))
}

/// As Docker indents it.
fn indented(value: &Value) -> Result<String, CliError> {
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut out, format))
        .map_err(|e| CliError::new(format!("cannot show the manifest: {e}")))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
