//! `glassbox layers`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::images::short;
use super::sizes::bytes;
use super::table::table;
use super::{model, output, save, setup};
use crate::container::record::RecordError;
use crate::image::explain::{self, LayerReport, PathReport, Report, Role, What};
use crate::image::index::Content;
use crate::image::union::{Open, Stack, is_dir};
use crate::image::{Image, ImageError, Store, write};
use crate::kernel::model::World;

/// Show the layers of an image or a container: what each adds, changes and hides
#[derive(Debug, Args)]
pub struct LayersArgs {
    /// Count what the union of each layer and all below it shows
    #[arg(short, long)]
    cumulative: bool,
    /// List what each layer does to which path: A added, C changed, D hidden
    #[arg(long)]
    files: bool,
    /// Only this layer, with its files; 1 is the lowest
    #[arg(short, long, value_name = "N")]
    layer: Option<usize>,
    /// Write a file to standard output, or a directory as a tar; with --layer as that layer has it
    #[arg(short = 'x', long, value_name = "PATH", conflicts_with_all = ["diff", "path", "files", "cumulative"])]
    extract: Option<String>,
    /// Where to write what --extract finds
    #[arg(short, long, value_name = "FILE", requires = "extract")]
    output: Option<PathBuf>,
    /// Compare what two of them show: numbers of layers (0 is nothing), images or containers
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["path", "layer", "files", "cumulative"])]
    diff: Option<Vec<String>>,
    /// Whole commands and ids
    #[arg(long)]
    no_trunc: bool,
    /// table, or json with everything
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Image, or container
    #[arg(value_name = "IMAGE|CONTAINER")]
    name: String,
    /// Show which layer supplies this path, and which ones it shadows
    path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// All that is known.
    Json,
}

/// Something with layers.
struct Subject {
    kind: &'static str,
    id: String,
    /// The lowest first.
    layers: Vec<LayerReport>,
}

/// Runs the command.
pub fn run(context: &Context, args: &LayersArgs) -> Result<u8, CliError> {
    let mut trees = Trees::of(context)?;
    let subject = find(context, &mut trees, &args.name)?;
    if let Some(n) = args.layer
        && !(1..=subject.layers.len()).contains(&n)
    {
        return Err(CliError::new(format!("{} has no layer {n}", args.name))
            .hint(format!("its layers are 1 to {}", subject.layers.len())));
    }
    if let Some(sides) = &args.diff {
        return diff(context, &mut trees, &subject, sides, args.format);
    }
    if let Some(path) = &args.extract {
        return extract(&trees, &subject, args, path);
    }
    if let Some(path) = &args.path {
        let stack = trees.stack(&subject.dirs())?;
        let report = explain::follow(&stack, path.as_bytes())?;
        output::print(&match args.format {
            Format::Json => json_text(&json!(report))?,
            Format::Table => supplied(&subject, &report, args.no_trunc),
        })?;
        return Ok(u8::from(report.supplied_by.is_none()));
    }
    let layers = explain::layers(&trees.stack(&subject.dirs())?, subject.layers)?;
    let report = Report { kind: subject.kind, name: args.name.clone(), id: subject.id, layers };
    output::print(&match args.format {
        Format::Json => json_text(&json!(report))?,
        Format::Table => shown(&report, args),
    })?;
    Ok(0)
}

impl Subject {
    /// Their trees, the topmost first.
    fn dirs(&self) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|l| l.dir.clone()).collect()
    }
}

/// Where the trees are: on this host, or on the modelled disk.
enum Trees {
    Real(Store),
    Model(Box<World>),
}

impl Trees {
    fn of(context: &Context) -> Result<Trees, CliError> {
        Ok(match context.model {
            true => Trees::Model(Box::new(model::world(context)?)),
            false => Trees::Real(Store::open(&context.root)),
        })
    }

    fn content(&self) -> &dyn Content {
        match self {
            Trees::Real(store) => store,
            Trees::Model(world) => &**world,
        }
    }

    fn stack(&self, dirs: &[PathBuf]) -> Result<Stack<'_>, ImageError> {
        match self {
            Trees::Real(_) => Stack::open(dirs),
            Trees::Model(world) => world.stack(dirs),
        }
    }

    /// Unpacks the layers that are not yet; on the modelled disk only as it is here.
    fn unpack(&mut self, image: &Image) -> Result<(), ImageError> {
        match self {
            Trees::Real(store) => {
                image.layers.iter().filter(|l| !l.unpacked).try_for_each(|l| store.unpack(l).map(drop))
            }
            Trees::Model(world) => world.unpack_image(image),
        }
    }
}

/// A container of this name, else an image; its layers are unpacked if they are not.
fn find(context: &Context, trees: &mut Trees, name: &str) -> Result<Subject, CliError> {
    match setup::find(context, name) {
        Ok(record) => {
            let upper = setup::stack(context, &record)?.swap_remove(0);
            let image = trees.content().resolve(&record.image_id).ok();
            let mut layers: Vec<LayerReport> = match &image {
                Some(image) => image.layers.iter().map(of_image).collect(),
                // The image is gone; its layers are held by the container.
                None => record
                    .layers
                    .iter()
                    .map(|dir| LayerReport { dir: dir.clone(), ..LayerReport::default() })
                    .collect(),
            };
            layers.push(LayerReport {
                writable: true,
                created_by: record.command.join(" "),
                dir: upper,
                ..LayerReport::default()
            });
            Ok(Subject { kind: "container", id: record.id, layers })
        }
        Err(RecordError::Unknown(_)) => {
            let image = setup::image(context, name, false).map_err(|e| match e.status {
                1 if e.message.contains("no such image") => {
                    CliError::new(format!("no such container or image: {name}"))
                        .hint("`glassbox ps -a` and `glassbox images` list them")
                }
                _ => e,
            })?;
            trees.unpack(&image)?;
            Ok(Subject {
                kind: "image",
                id: image.id.clone(),
                layers: image.layers.iter().map(of_image).collect(),
            })
        }
        Err(e) => Err(e.into()),
    }
}

fn of_image(layer: &crate::image::Layer) -> LayerReport {
    LayerReport {
        chain_id: Some(layer.chain_id.clone()),
        diff_id: Some(layer.diff_id.clone()),
        blob: Some(layer.blob.clone()),
        blob_size: Some(layer.size),
        media_type: Some(layer.media_type.clone()),
        created_by: layer.created_by.clone(),
        dir: layer.dir.clone(),
        ..LayerReport::default()
    }
}

fn json_text(value: &Value) -> Result<String, CliError> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|e| CliError::new(format!("cannot write the result as JSON: {e}")))
}

/// The table of layers, the topmost first, and their files if they are asked for.
fn shown(report: &Report, args: &LayersArgs) -> String {
    let chosen = |l: &&LayerReport| args.layer.is_none_or(|n| n == l.number);
    let heading: &[&str] = match args.cumulative {
        true => &["LAYER", "CHAIN ID", "SIZE", "FILES", "DIRS", "CREATED BY"],
        false => &["LAYER", "DIFF ID", "SIZE", "ADDED", "CHANGED", "HIDDEN", "SHADOWED", "CREATED BY"],
    };
    let id =
        |id: &Option<String>| id.as_deref().map_or("<writable>".to_owned(), |id| short(id, args.no_trunc));
    let row = |l: &LayerReport| {
        let own = &l.own;
        let mut cells = vec![l.number.to_string()];
        match args.cumulative {
            true => cells.extend([
                id(&l.chain_id),
                bytes(l.cumulative.size),
                l.cumulative.files.to_string(),
                l.cumulative.dirs.to_string(),
            ]),
            false => cells.extend([
                id(&l.diff_id),
                bytes(own.size),
                own.added.to_string(),
                own.changed.to_string(),
                own.hidden.to_string(),
                bytes(own.shadowed),
            ]),
        }
        cells.push(cut(&l.created_by, args.no_trunc));
        cells
    };
    let rows: Vec<Vec<String>> = report.layers.iter().rev().filter(chosen).map(row).collect();
    let mut text = table(heading, &rows);
    if args.files || (args.layer.is_some() && !args.cumulative) {
        for layer in report.layers.iter().rev().filter(chosen) {
            text.push_str(&format!("\nlayer {}\n", layer.number));
            for entry in layer.entries.iter().filter(|e| e.what != What::Same) {
                let size = if entry.kind == "file" { bytes(entry.size) } else { entry.kind.to_owned() };
                let note = match (entry.by, &entry.covers[..]) {
                    (Some(by), covers) => format!("  ({by}, hides layer {})", list(covers)),
                    (None, []) => String::new(),
                    (None, covers) => format!("  (covers layer {})", list(covers)),
                };
                text.push_str(&format!("{} {:>8}  {}{note}\n", entry.what.letter(), size, entry.path));
            }
        }
    }
    text
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn cut(text: &str, full: bool) -> String {
    let text = text.replace(['\t', '\n'], " ");
    match full || text.chars().count() <= 45 {
        true => text,
        false => format!("{}…", text.chars().take(44).collect::<String>()),
    }
}

/// Who supplies a path, line for line down the layers.
fn supplied(subject: &Subject, report: &PathReport, full: bool) -> String {
    let mut text = match (report.supplied_by, report.layers.iter().find(|s| s.role == Role::Hides)) {
        (Some(n), _) => format!("{}: layer {n} supplies it\n", report.path),
        (None, Some(hides)) => format!("{}: layer {} hides it\n", report.path, hides.layer),
        (None, None) => return format!("{}: no layer has it\n", report.path),
    };
    let rows: Vec<Vec<String>> = report
        .layers
        .iter()
        .map(|step| {
            let layer = &subject.layers[step.layer - 1];
            let what = match (step.role, step.kind) {
                (Role::Supplies, _) => "supplies".to_owned(),
                (Role::Merged, _) => "merged".to_owned(),
                (Role::Shadowed, _) => "shadowed".to_owned(),
                (Role::Hides, "opaque") => "hides (opaque)".to_owned(),
                (Role::Hides, kind) => format!("hides ({kind})"),
            };
            let size = if step.kind == "file" { bytes(step.size) } else { step.kind.to_owned() };
            let by = if layer.writable { "<writable>".to_owned() } else { cut(&layer.created_by, full) };
            vec![step.layer.to_string(), what, size, step.mode.clone(), step.at.clone(), by]
        })
        .collect();
    text.push_str(&table(&["LAYER", "ROLE", "SIZE", "MODE", "PATH", "CREATED BY"], &rows));
    text
}

/// Writes a file or a directory as the union shows it, or as one layer has it.
fn extract(trees: &Trees, subject: &Subject, args: &LayersArgs, path: &str) -> Result<u8, CliError> {
    let dirs: Vec<PathBuf> = match args.layer {
        Some(n) => vec![subject.layers[n - 1].dir.clone()],
        None => subject.dirs(),
    };
    let stack = trees.stack(&dirs)?;
    let whose = args.layer.map_or(args.name.clone(), |n| format!("layer {n} of {}", args.name));
    let missing = || {
        CliError::new(format!("{whose} does not have {path}"))
            .hint(format!("glassbox layers {} {path} shows where it is", args.name))
    };
    let found = stack.find(0, path.as_bytes())?;
    let is_root = path.split('/').all(|p| p.is_empty() || p == ".");
    let (place, named) = match found {
        Some(found) => found,
        None if is_root => {
            save::refuse_terminal(args.output.as_deref(), "the tar")?;
            save::write(args.output.as_deref(), |mut out| write::merged(&stack, &mut out).map(drop))?;
            return Ok(0);
        }
        None => return Err(missing()),
    };
    let Some((layer, stat)) = named.shown() else { return Err(missing()) };
    match explain::kind(stat) {
        "file" => {
            let dir = stack.tree(layer).dir(&place.path)?.ok_or_else(missing)?;
            let file = dir.file(&named.name)?;
            save::write(args.output.as_deref(), |out| copy(&*file, out, path))?;
        }
        "symlink" => {
            let dir = stack.tree(layer).dir(&place.path)?.ok_or_else(missing)?;
            let target = String::from_utf8_lossy(&dir.link(&named.name)?).into_owned();
            return Err(CliError::new(format!("{path} is a symbolic link to {target}"))
                .hint("extract what it leads to"));
        }
        _ if is_dir(stat) => {
            save::refuse_terminal(args.output.as_deref(), "the tar")?;
            let place = crate::image::union::Place { path: place.join(&named.name), layers: named.merged() };
            save::write(args.output.as_deref(), |mut out| write::below(&stack, place, &mut out).map(drop))?;
        }
        kind => return Err(CliError::new(format!("{path} is a {kind}: there is nothing to extract"))),
    }
    Ok(0)
}

fn copy(file: &dyn Open, out: &mut dyn std::io::Write, path: &str) -> Result<(), ImageError> {
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer, at) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                out.write_all(&buffer[..n]).map_err(|e| ImageError::io("write", path, e))?;
                at += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(ImageError::io("read", path, e)),
        }
    }
}

/// Compares two unions.
fn diff(
    context: &Context,
    trees: &mut Trees,
    subject: &Subject,
    sides: &[String],
    format: Format,
) -> Result<u8, CliError> {
    // Trees, and the one to begin with.
    let mut side = |text: &String| -> Result<(Vec<PathBuf>, usize), CliError> {
        match text.parse::<usize>() {
            // A short number is a layer's; an id of digits alone is longer.
            Ok(n) if n <= subject.layers.len() => Ok((subject.dirs(), subject.layers.len() - n)),
            Ok(n) if text.len() < 6 => Err(CliError::new(format!("there is no layer {n}"))
                .hint(format!("the layers are 1 to {}; 0 is nothing", subject.layers.len()))),
            _ => Ok((find(context, trees, text)?.dirs(), 0)),
        }
    };
    let (a, b) = (side(&sides[0])?, side(&sides[1])?);
    let (a, b) = ((trees.stack(&a.0)?, a.1), (trees.stack(&b.0)?, b.1));
    let all = explain::compare((&a.0, a.1), (&b.0, b.1))?;
    let text = match format {
        Format::Json => json_text(&json!(all))?,
        Format::Table => all
            .iter()
            .map(|d| {
                let note = match d.changed.is_empty() {
                    true => String::new(),
                    false => format!("  ({})", d.changed.join(", ")),
                };
                format!("{} {}{note}\n", d.letter(), d.path)
            })
            .collect(),
    };
    output::print(&text)?;
    Ok(0)
}
