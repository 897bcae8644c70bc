//! `glassbox commit`

use clap::{ArgAction, Args};

use super::context::Context;
use super::error::CliError;
use super::{output, setup, tag};
use crate::image::Store;
use crate::image::create::{self, Author, CommitRequest};

/// Make an image of a container: what it wrote becomes a layer on top of its image's
#[derive(Debug, Args)]
pub struct CommitArgs {
    /// Who made it, such as 'Ann <ann@example.org>'
    #[arg(short, long, value_name = "TEXT")]
    author: Option<String>,
    /// Apply a Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// A remark for the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Stop the container's processes meanwhile; --pause=false does not
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pause: bool,
    /// Name, id or beginning of an id
    container: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &CommitArgs) -> Result<u8, CliError> {
    let reference = args.name.as_deref().map(tag::name).transpose()?;
    setup::only_real(context, "makes no images of its containers")?;
    setup::repair(context)?;
    let record = setup::find(context, &args.container)?;
    let store = Store::open(&context.root);
    let image = store.resolve(&record.image_id).map_err(|e| {
        CliError::from(e).hint(format!(
            "the image {} that the container was made from is no longer there: load or pull it again",
            record.image
        ))
    })?;
    let base_config = setup::config(context, &image.id)?;
    let config = create::container_config(&base_config, &record.requested, &args.change)?;
    let paused = args.pause.then_some(record.pid).flatten().map(setup::pause).transpose()?;
    let made = create::commit(
        &store,
        &CommitRequest {
            image: &image,
            base_config: &base_config,
            config: &config,
            layers: &setup::stack(context, &record),
            command: &record.command,
            author: &Author {
                author: args.author.clone(),
                comment: args.message.clone(),
                created: setup::created(context),
            },
            reference,
        },
    )?;
    drop(paused);
    output::print(&format!("{}\n", made.id))?;
    Ok(0)
}
