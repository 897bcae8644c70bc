//! `glassbox image inspect`, and images in `glassbox inspect`

use clap::Args;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::{inspect, output, setup};
use crate::image::{Image, Reference};

/// Show all that is known of images, as JSON
#[derive(Debug, Args)]
pub struct ImageInspectArgs {
    /// A template such as '{{.Config.Env}}', or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command. What is not found is reported on standard error, and the
/// status is then 1.
pub fn run(context: &Context, args: &ImageInspectArgs) -> Result<u8, CliError> {
    let mut found = Vec::new();
    let mut failed = false;
    for name in &args.images {
        match describe(context, name) {
            Ok(value) => found.push(value),
            Err(e) => {
                output::error(&e);
                failed = true;
            }
        }
    }
    output::print(&inspect::shown(args.format.as_deref(), &found)?)?;
    Ok(u8::from(failed))
}

/// An image in Docker's form, and what only glassbox tells under `Glassbox`.
pub fn describe(context: &Context, name: &str) -> Result<Value, CliError> {
    let image = setup::image(context, name, false)?;
    let whole = setup::config(context, &image.id)?;
    let listed = setup::images(context)?;
    let named = || listed.iter().filter(|l| l.id == image.id);
    let names: Vec<&Reference> = named().filter_map(|l| l.reference.as_ref()).collect();
    let mut digests: Vec<String> = named()
        .filter_map(|l| {
            let digest = l.source.as_ref().unwrap_or(&image.manifest);
            Some(format!("{}@{digest}", l.reference.as_ref()?.familiar_name()))
        })
        .collect();
    digests.dedup();
    let text = |key: &str| whole[key].as_str().unwrap_or_default().to_owned();
    let sizes = setup::layer_sizes(context, &image)?;
    let last = whole["history"].as_array().and_then(|h| h.last()).cloned().unwrap_or_default();
    let mut dirs = image.layers.iter().rev().map(|l| l.dir.to_string_lossy().into_owned());
    let upper = dirs.next().unwrap_or_default();
    Ok(json!({
        "Id": image.id,
        "RepoTags": names.iter().map(|r| r.familiar()).collect::<Vec<_>>(),
        "RepoDigests": digests,
        "Parent": "",
        "Comment": last["comment"].as_str().unwrap_or_default(),
        "Created": whole["created"],
        "Author": text("author"),
        "Architecture": text("architecture"),
        "Variant": text("variant"),
        "Os": text("os"),
        "Size": sizes.iter().sum::<u64>(),
        "Config": config(&whole["config"]),
        "GraphDriver": {
            "Name": "overlay",
            "Data": { "UpperDir": upper, "LowerDir": dirs.collect::<Vec<_>>().join(":") },
        },
        "RootFS": { "Type": "layers", "Layers": image.layers.iter().map(|l| &l.diff_id).collect::<Vec<_>>() },
        "Glassbox": { "Manifest": image.manifest, "Layers": layers(&image, &sizes) },
    }))
}

fn layers(image: &Image, sizes: &[u64]) -> Vec<Value> {
    let layer = |(l, size): (&crate::image::Layer, &u64)| {
        json!({
            "Blob": l.blob, "BlobSize": l.size, "MediaType": l.media_type, "DiffID": l.diff_id,
            "ChainID": l.chain_id, "Size": size, "CreatedBy": l.created_by, "Dir": l.dir, "Unpacked": l.unpacked,
        })
    };
    image.layers.iter().zip(sizes).map(layer).collect()
}

/// The config with every field that templates ask for, empty where it says nothing.
fn config(own: &Value) -> Value {
    let mut all = Map::new();
    for key in ["Hostname", "Domainname", "User", "WorkingDir", "StopSignal"] {
        all.insert(key.to_owned(), "".into());
    }
    for key in
        ["Env", "Cmd", "Entrypoint", "ExposedPorts", "Volumes", "Labels", "OnBuild", "Healthcheck", "Shell"]
    {
        all.insert(key.to_owned(), Value::Null);
    }
    all.extend(own.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    all.into()
}
