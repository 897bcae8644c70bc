//! The pull that a `run` begins with.

use clap::ValueEnum;

use super::super::bars::Place;
use super::super::context::Context;
use super::super::error::CliError;
use super::super::joined::Joined;
use super::super::tracing::{TraceArgs, Watching};
use super::super::{output, setup};
use super::transfer::{Ended, client, pull};
use super::{FromArgs, say, status};
use crate::image::store::Pin;
use crate::image::{Image, ImageError, Reference, Store};

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

/// The image of a `run`.
pub enum Found {
    /// It is here, and stays while the pin is held. The recording is of the pull, and
    /// goes on with the run.
    Here(Box<Image>, Option<Pin>, Option<Joined>),
    /// It could not be fetched, which was told: the exit status.
    Failed(u8),
}

/// Makes the image of a `run` be here, as the policy wants it.
/// A pull is told as the run is: a story of its own on the screen, and in a recording
/// the beginning of it.
pub fn ensure(
    context: &Context,
    image: &str,
    policy: Policy,
    from: &FromArgs,
    trace: &TraceArgs,
) -> Result<Found, CliError> {
    if context.model {
        return modelled(context, image, policy, from, trace);
    }
    let store = Store::open(&context.root);
    // The image stays until the record says that a container needs it.
    let here = |recording| -> Result<Found, CliError> {
        let pin = store.pin()?;
        Ok(Found::Here(Box::new(setup::image(context, image, false)?), pin, recording))
    };
    if setup::is_builtin(image) {
        return here(None);
    }
    let missing = if policy == Policy::Always {
        store.resolve(image).err()
    } else {
        let pin = store.pin()?;
        match store.resolve(image) {
            Ok(image) => {
                store.check_upper()?;
                return Ok(Found::Here(Box::new(image), pin, None));
            }
            // Undoing a pull wants the store without pins: this one goes before.
            Err(error) => Some(error),
        }
    };
    let missing = match missing {
        None => None,
        Some(error @ ImageError::Unknown { .. }) => Some(error),
        Some(error) => return Err(error.into()),
    };
    // An image named by its id has nowhere to come from.
    let reference = match Reference::parse(image) {
        Ok(reference) if policy != Policy::Never => reference.or_latest(),
        _ => return missing.map_or_else(|| here(None), |error| Err(error.into())),
    };
    if missing.is_some() {
        say(Place::Stderr, &format!("Unable to find image '{}' locally", reference.familiar()))?;
    }
    let recording = Joined::open(context, trace)?;
    let watching = Watching::joined(context, trace, false, None, recording.clone())?;
    let client = client(context, from, &watching);
    let references = [reference.clone()];
    match pull(context, watching, &client, &references, from, Place::Stderr)? {
        Ended::Done { changed } => {
            say(Place::Stderr, &status(changed, &reference.familiar()))?;
            recording.iter().for_each(Joined::last);
            here(recording)
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
            Ok(Found::Failed(status))
        }
    }
}

/// The same on the modelled disk. Nothing has to stay: what a container needs it keeps
/// with its own files.
fn modelled(
    context: &Context,
    image: &str,
    policy: Policy,
    from: &FromArgs,
    trace: &TraceArgs,
) -> Result<Found, CliError> {
    let missing = match setup::content(context)?.resolve(image) {
        Ok(_) if policy != Policy::Always => None,
        Ok(_) => Some(false),
        Err(ImageError::Unknown { .. }) if policy != Policy::Never => Some(true),
        Err(e) => return Err(e.into()),
    };
    let mut recording = None;
    if let (Some(missing), Ok(reference)) = (missing, Reference::parse(image)) {
        let reference = reference.or_latest();
        if missing {
            say(Place::Stderr, &format!("Unable to find image '{}' locally", reference.familiar()))?;
        }
        recording = Joined::open(context, trace)?;
        let watching = Watching::joined(context, trace, false, None, recording.clone())?;
        let status = super::modelled(context, watching, &reference, &from.platform()?, Place::Stderr)?;
        if status != 0 {
            return Ok(Found::Failed(status));
        }
        recording.iter().for_each(Joined::last);
    }
    Ok(Found::Here(Box::new(setup::image(context, image, false)?), None, recording))
}
