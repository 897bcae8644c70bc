//! `glassbox tag`, `glassbox image tag`

use clap::Args;

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::{setup, single};
use crate::image::{ImageError, Reference};
use crate::plan::image::ImageOp;

/// Give an image another name
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Name or id of the image
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// Its new name; another image of that name loses it
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &TagArgs) -> Result<u8, CliError> {
    let target = name(&args.target)?;
    let image = setup::image(context, &args.source, false)?;
    let op = ImageOp::TagImage {
        image: image.id,
        manifest: image.manifest,
        before: setup::content(context)?.resolve(&target.to_string()).ok().map(|i| i.manifest),
        name: target.to_string(),
        index: single::index(context),
    };
    Ok(single::run(context, &args.action, vec![("tag-image".to_owned(), op)], |_| {})?.0)
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
