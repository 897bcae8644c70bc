//! `glassbox tag`, `glassbox image tag`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::setup;
use crate::image::{ImageError, Reference, Store};

/// Give an image another name
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Name or id of the image
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// Its new name; another image of that name loses it
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &TagArgs) -> Result<u8, CliError> {
    setup::only_real(context, "takes no names for images")?;
    let target = name(&args.target)?;
    setup::image(context, &args.source, false)?;
    Store::open(&context.root).tag(&args.source, &target)?;
    Ok(0)
}

/// A name that an image can have: without a digest.
pub fn name(text: &str) -> Result<Reference, CliError> {
    let parsed = Reference::parse(text);
    let reference = parsed.map_err(|error| ImageError::Reference { input: text.to_owned(), error })?;
    if reference.digest().is_some() {
        return Err(CliError::new(format!("refusing to create a tag with a digest reference: {text}"))
            .hint("a digest follows from the content: give NAME[:TAG]"));
    }
    Ok(reference.or_latest())
}
