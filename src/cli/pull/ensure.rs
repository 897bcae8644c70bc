//! The pull that a `run` begins with.

use clap::ValueEnum;

use super::super::action::ActionArgs;
use super::super::bars::Place;
use super::super::context::Context;
use super::super::error::CliError;
use super::super::{output, setup};
use super::transfer::{Ended, client, pull};
use super::{FromArgs, say, status};
use crate::image::{ImageError, Reference, Store};

/// `run --pull`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// When it is not here.
    #[default]
    Missing,
    /// Also when it is here: it may have changed.
    Always,
    /// Not at all.
    Never,
}

/// Makes the image of a `run` be here, as the policy wants it. `Some` is the
/// exit status of a failure that was told.
pub fn ensure(
    context: &Context,
    image: &str,
    policy: Policy,
    from: &FromArgs,
) -> Result<Option<u8>, CliError> {
    if context.model || setup::is_builtin(image) {
        return Ok(None);
    }
    let missing = match Store::open(&context.root).resolve(image) {
        Ok(_) if policy != Policy::Always => return Ok(None),
        Ok(_) => None,
        Err(error @ ImageError::Unknown { .. }) => Some(error),
        Err(error) => return Err(error.into()),
    };
    // An image named by its id has nowhere to come from.
    let reference = match Reference::parse(image) {
        Ok(reference) if policy != Policy::Never => reference.or_latest(),
        _ => return missing.map_or(Ok(None), |error| Err(error.into())),
    };
    if missing.is_some() {
        say(Place::Stderr, &format!("Unable to find image '{}' locally", reference.familiar()))?;
    }
    let watching = ActionArgs::default().watching(context)?;
    let client = client(context, from, &watching);
    let platform = from.platform()?;
    let references = [reference.clone()];
    match pull(context, watching, &client, &references, &platform, Place::Stderr)? {
        Ended::Done { changed } => {
            say(Place::Stderr, &status(changed, &reference.familiar()))?;
            Ok(None)
        }
        Ended::Failed(status) => {
            match &missing {
                // A slip of the keyboard is likelier than a registry that is away.
                Some(ImageError::Unknown { similar, .. }) if !similar.is_empty() => {
                    output::note(&format!("did you mean {}, which is here?", similar.join(" or ")));
                }
                Some(_) => output::note("glassbox load -i FILE adds an image from an archive"),
                None => {}
            }
            Ok(Some(status))
        }
    }
}
