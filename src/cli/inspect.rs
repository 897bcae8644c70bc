//! `glassbox inspect`

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::{image_inspect, list, output, setup};
use crate::container::record::{Record, RecordError, Status};
use crate::image::layers::size;
use crate::image::{Image, ImageError};

/// Show all that is known of containers and images, as JSON
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A template such as '{{.State.ExitCode}}', or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Also how large a container is: what it wrote, and that with its image
    #[arg(short, long)]
    size: bool,
    /// Look only for this kind
    #[arg(long, value_name = "KIND")]
    r#type: Option<ObjectType>,
    /// Containers, else images
    #[arg(required = true)]
    names: Vec<String>,
}

/// `--type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ObjectType {
    /// Containers.
    Container,
    /// Images.
    Image,
}

/// Runs the command. What is not found is reported on standard error, and the
/// status is then 1.
pub fn run(context: &Context, args: &InspectArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    let mut found: Vec<Value> = Vec::new();
    let mut failed = false;
    for name in &args.names {
        match one(context, name, args) {
            Ok(value) => found.push(value),
            Err(e) => {
                output::error(&e);
                failed = true;
            }
        }
    }
    output::print(&shown(args.format.as_deref(), &found)?)?;
    Ok(u8::from(failed))
}

fn one(context: &Context, name: &str, args: &InspectArgs) -> Result<Value, CliError> {
    let kind = args.r#type;
    if kind == Some(ObjectType::Image) {
        return image_inspect::describe(context, name);
    }
    match setup::find(context, name) {
        Ok(record) => {
            let mut value = container(context, &record);
            if args.size {
                let (own, all) = sizes(context, &record)?;
                value["SizeRw"] = own.into();
                value["SizeRootFs"] = all.into();
            }
            Ok(value)
        }
        Err(RecordError::Unknown(_)) if kind.is_none() => {
            if unknown(&setup::content(context)?.resolve(name)) {
                return Err(CliError::new(format!("no such container or image: {name}"))
                    .hint("`glassbox ps -a` and `glassbox images` list them"));
            }
            // One that is there and cannot be read says why.
            image_inspect::describe(context, name)
        }
        Err(e) => Err(e.into()),
    }
}

/// There is no image of this name, or nothing can have it.
fn unknown(found: &Result<Image, ImageError>) -> bool {
    matches!(found, Err(ImageError::Unknown { .. } | ImageError::Reference { .. }))
}

/// Bytes of the files that a container wrote, and of those with its image's.
fn sizes(context: &Context, record: &Record) -> Result<(u64, u64), CliError> {
    let upper = &setup::stack(context, record)?[0];
    let own = match context.model {
        true => super::model::world(context)?.tree_size(upper)?,
        false => size::of_tree(upper)?,
    };
    let image = setup::content(context)?.resolve(&record.image_id)?;
    Ok((own, own + setup::layer_sizes(context, &image)?.iter().sum::<u64>()))
}

/// The objects as the user wants them: a list in JSON without a format.
pub fn shown(format: Option<&str>, found: &[Value]) -> Result<String, CliError> {
    match format {
        Some(format) => list::objects(format, found),
        None => serde_json::to_string_pretty(found)
            .map(|text| text + "\n")
            .map_err(|e| CliError::new(format!("cannot write the result as JSON: {e}"))),
    }
}

/// Docker's form, as far as glassbox knows it, and what only glassbox tells
/// under `Glassbox`.
fn container(context: &Context, record: &Record) -> Value {
    let dir = context.container_dir(&record.id);
    let spec = record.spec();
    let process = &spec["process"];
    let running = record.status == Status::Running;
    let memory = spec["linux"]["resources"]["memory"]["limit"].as_i64().unwrap_or(0);
    let mut bindings = serde_json::Map::new();
    for p in &record.ports {
        let host = json!({ "HostIp": p.host_ip, "HostPort": p.host_port.to_string() });
        let key = format!("{}/{}", p.container_port, p.protocol.name());
        match bindings.entry(key).or_insert_with(|| json!([])) {
            Value::Array(all) => all.push(host),
            _ => unreachable!("only arrays are put in"),
        }
    }
    json!({
        "Id": record.id,
        "Created": record.created,
        "Path": record.command.first(),
        "Args": record.command.get(1..).unwrap_or_default(),
        "State": {
            "Status": record.status,
            "Running": running,
            "Pid": record.pid.unwrap_or(0),
            "ExitCode": record.exit_code.unwrap_or(0),
            "StartedAt": record.started,
            "FinishedAt": record.finished,
        },
        "Image": record.image_id,
        "Name": format!("/{}", record.name),
        "Driver": "overlay",
        "GraphDriver": {
            "Name": "overlay",
            "Data": {
                "LowerDir": record.layers.iter().rev().map(|l| l.to_string_lossy()).collect::<Vec<_>>().join(":"),
                "UpperDir": dir.join("upper"),
                "WorkDir": dir.join("work"),
                "MergedDir": dir.join("rootfs"),
            },
        },
        "HostConfig": {
            "NetworkMode": record.network,
            "PortBindings": bindings,
            "AutoRemove": record.remove,
            "Memory": memory,
            "ReadonlyRootfs": spec["root"]["readonly"].as_bool().unwrap_or(false),
        },
        "Config": {
            "Hostname": spec["hostname"],
            "Image": record.image,
            "Cmd": record.command,
            "Env": process["env"],
            "WorkingDir": process["cwd"],
            "Tty": process["terminal"].as_bool().unwrap_or(false),
        },
        "NetworkSettings": {
            "IPAddress": record.address.as_deref().filter(|_| running).map(|a| a.split('/').next()),
            "Ports": bindings,
        },
        "Glassbox": { "Layers": record.layers, "Spec": spec },
    })
}
