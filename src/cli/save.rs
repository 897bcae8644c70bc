//! `glassbox save`, `glassbox image save`

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::{CliError, io};
use super::setup;
use crate::image::archive::save::{self, Chosen, Format};
use crate::image::{ImageError, Reference, Store};

/// Write images to an archive that glassbox and other engines load
#[derive(Debug, Args)]
pub struct SaveArgs {
    /// The archive; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Form of the archive
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: ArchiveFormat,
    /// Names or ids; a name without a tag means all its tags
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ArchiveFormat {
    /// What docker load and podman load take.
    DockerArchive,
    /// A tar of an OCI image layout.
    OciArchive,
}

/// Runs the command.
pub fn run(context: &Context, args: &SaveArgs) -> Result<u8, CliError> {
    setup::only_real(context, "writes no archives")?;
    refuse_terminal(args.output.as_deref(), "the archive")?;
    let store = Store::open(&context.root);
    let mut chosen: Vec<Chosen> = Vec::new();
    for wanted in &args.images {
        for one in choose(context, &store, wanted)? {
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
        ArchiveFormat::DockerArchive => Format::Docker,
        ArchiveFormat::OciArchive => Format::Oci,
    };
    write(args.output.as_deref(), |mut out| save::save(&store, &chosen, format, &mut out).map(drop))?;
    Ok(0)
}

/// What a name or an id means: all tags of a bare name, the image itself without
/// a name for an id.
fn choose(context: &Context, store: &Store, wanted: &str) -> Result<Vec<Chosen>, CliError> {
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

/// Writes to a file that appears when it is complete, or to standard output.
pub fn write(
    output: Option<&Path>,
    work: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<(), CliError> {
    let Some(path) = output.filter(|p| *p != Path::new("-")) else {
        let mut out = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        return match work(&mut out).and_then(|()| out.flush().map_err(|e| ImageError::io("write", "-", e))) {
            // Whoever read it has had enough.
            Err(ImageError::Io { errno: crate::kernel::Errno::EPIPE, .. }) => {
                Err(CliError::new("standard output was closed").status(141))
            }
            other => other.map_err(CliError::from),
        };
    };
    // A device or a pipe is written as it is; a file is replaced whole.
    if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
        let mut file = std::fs::File::options().write(true).open(path).map_err(|e| io("open", path, &e))?;
        return Ok(work(&mut file)?);
    }
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".glassbox-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)
        .map_err(|e| io("write into", dir, &e))?;
    work(file.as_file_mut())?;
    file.persist(path).map_err(|e| io("write", path, &e.error))?;
    Ok(())
}
