//! `glassbox save`, `glassbox image save`

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::worker::Worker;
use super::{setup, single};
use crate::image::index::Content;
use crate::image::save::{Chosen, Format};
use crate::image::{ImageError, Reference};
use crate::kernel::linux::images;
use crate::plan::image::ImageOp;

/// Write images to an archive that glassbox and other engines load
#[derive(Debug, Args)]
pub struct SaveArgs {
    /// The archive; without it, standard output. With --model a path of the modelled disk
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Form of the archive
    #[arg(long, value_name = "FORMAT", default_value = "docker")]
    format: ArchiveFormat,
    /// Names or ids; a name without a tag means all its tags
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    action: ActionArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ArchiveFormat {
    /// What docker save writes since version 25: an OCI image layout with a manifest.json beside it.
    Docker,
    /// What it wrote until then, and every docker and podman loads: the layers are plain tars.
    DockerArchive,
    /// A tar of an OCI image layout.
    OciArchive,
}

/// Runs the command.
pub fn run(context: &Context, args: &SaveArgs) -> Result<u8, CliError> {
    refuse_terminal(args.output.as_deref(), "the archive")?;
    let store = setup::content(context)?;
    let mut chosen: Vec<Chosen> = Vec::new();
    for wanted in &args.images {
        for one in choose(context, &*store, wanted)? {
            match chosen.iter_mut().find(|c| c.image.manifest == one.image.manifest) {
                Some(same) => {
                    same.references.extend(one.references);
                    same.references.sort();
                    same.references.dedup();
                }
                None => chosen.push(one),
            }
        }
    }
    let format = match args.format {
        ArchiveFormat::Docker => Format::Docker,
        ArchiveFormat::DockerArchive => Format::DockerArchive,
        ArchiveFormat::OciArchive => Format::Oci,
    };
    let op = ImageOp::SaveImages {
        images: chosen.iter().map(|c| c.image.id.clone()).collect(),
        names: chosen.iter().flat_map(|c| &c.references).map(ToString::to_string).collect(),
        path: path(args.output.as_deref()),
        shape: format.name().to_owned(),
    };
    let steps = vec![("save-images".to_owned(), op)];
    let to = path(args.output.as_deref());
    let prepare = |worker: &mut Worker| {
        worker.choose(chosen);
        worker.writes(&to);
    };
    Ok(single::run(context, &args.action, steps, prepare)?.0)
}

/// The output as operations name it: `-` is standard output.
pub fn path(output: Option<&Path>) -> String {
    output.map_or("-".to_owned(), |p| p.to_string_lossy().into_owned())
}

/// What a name or an id means: all tags of a bare name, the image itself without
/// a name for an id.
fn choose(context: &Context, store: &dyn Content, wanted: &str) -> Result<Vec<Chosen>, CliError> {
    if let Ok(name) = Reference::parse(wanted)
        && name.tag().is_none()
        && name.digest().is_none()
    {
        let tags: Vec<Reference> = store
            .list()?
            .into_iter()
            .filter_map(|l| l.reference)
            .filter(|r| r.name() == name.name())
            .collect();
        if !tags.is_empty() {
            return tags
                .into_iter()
                .map(|r| Ok(Chosen { image: store.resolve(&r.to_string())?, references: vec![r] }))
                .collect();
        }
    }
    let image = setup::image(context, wanted, false)?;
    let named = Reference::parse(wanted).map(Reference::or_latest).ok();
    let references = named.filter(|r| r.to_string() == image.reference).into_iter().collect();
    Ok(vec![Chosen { image, references }])
}

/// Refuses to write an archive to a terminal.
pub fn refuse_terminal(output: Option<&Path>, what: &str) -> Result<(), CliError> {
    if output.is_none_or(|p| p == Path::new("-")) && std::io::stdout().is_terminal() {
        return Err(CliError::new(format!("refusing to write {what} to a terminal"))
            .hint("give -o FILE, or redirect standard output"));
    }
    Ok(())
}

/// Writes what a command shows to a file that appears when it is complete, or to
/// standard output.
pub fn write(
    output: Option<&Path>,
    work: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<(), CliError> {
    match images::out(&path(output), work) {
        // Whoever read it has had enough.
        Err(ImageError::Io { errno: crate::kernel::Errno::EPIPE, .. }) => {
            Err(CliError::new("standard output was closed").status(141))
        }
        other => Ok(other.map(drop)?),
    }
}
