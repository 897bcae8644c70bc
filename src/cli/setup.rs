//! What several commands need of the store: images, containers, repair.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::context::Context;
use super::error::{CliError, io};
use super::model;
use crate::container::receipt::{self, Found, Written};
use crate::container::record::{self, Record, RecordError, Status};
use crate::container::repair::Repaired;
use crate::container::userdb;
use crate::engine::Emitter;
use crate::image::builtin;
use crate::image::index::{Content, Listed};
use crate::image::layers::size;
use crate::image::{Image, ImageError, Reference, Store};
use crate::kernel::linux::LinuxKernel;
use crate::spec::RunRequest;
use crate::spec::user::{self, User};

impl From<ImageError> for CliError {
    fn from(e: ImageError) -> Self {
        let hint = e.hint();
        CliError { message: format!("failed to {e}"), hint, status: 1 }
    }
}

/// The program itself: what the built-in image is made from.
fn program() -> Result<std::path::PathBuf, CliError> {
    std::env::current_exe()
        .map_err(|e| CliError::new(format!("cannot find the program glassbox itself: {e}")))
}

/// Resolves an image; the built-in one is made when it is asked for. Nothing is
/// written when only planning.
pub fn image(context: &Context, wanted: &str, plan_only: bool) -> Result<Image, CliError> {
    if context.model {
        return Ok(content(context)?.resolve(wanted)?);
    }
    let store = Store::open(&context.root);
    let image = match (is_builtin(wanted), plan_only) {
        (true, false) => builtin::ensure(&store, &program()?)?,
        (true, true) => builtin::plan_image(&store, &program()?)?,
        (false, _) => store.resolve(wanted)?,
    };
    if !plan_only {
        store.check_upper()?;
    }
    Ok(image)
}

/// The images that there are: in the store, or on the modelled disk.
pub fn content(context: &Context) -> Result<Box<dyn Content>, CliError> {
    Ok(match context.model {
        true => Box::new(model::world(context)?),
        false => Box::new(Store::open(&context.root)),
    })
}

/// The id of the image of this name, if there is one.
pub fn image_id(context: &Context, wanted: &str) -> Option<String> {
    content(context).ok()?.resolve(wanted).ok().map(|i| i.id)
}

/// Whether this names the image that glassbox is made with.
pub fn is_builtin(reference: &str) -> bool {
    Reference::parse(reference).is_ok_and(|r| r.or_latest().to_string() == builtin::REFERENCE)
}

/// Who the container's command runs as, by the image's own user database.
pub fn user(context: &Context, image: &Image, request: &RunRequest) -> Result<User, CliError> {
    let wanted = match &request.user {
        Some(user) => user.clone(),
        None => image.config.config().as_ref().and_then(|c| c.user().clone()).unwrap_or_default(),
    };
    // The built-in image of a plan need not be in the store.
    let only_planned = || is_builtin(&image.reference) && image.layers.iter().all(|l| !l.unpacked);
    let database = if context.model {
        model::users(context, image)?
    } else if only_planned() {
        let text = builtin::text_of;
        userdb::Database { passwd: text("etc/passwd"), group: text("etc/group") }
    } else {
        userdb::Database::of(&Store::open(&context.root), image)?
    };
    Ok(user::resolve(&wanted, &database.passwd, &database.group)?)
}

/// An image's config as it is stored, with what the typed one leaves out.
pub fn config(context: &Context, id: &str) -> Result<Value, CliError> {
    Ok(content(context)?.document(id)?)
}

/// All images of the store, one for each name, the nameless last.
pub fn images(context: &Context) -> Result<Vec<Listed>, CliError> {
    Ok(content(context)?.list()?)
}

/// The moment that a new image says it was made, RFC 3339.
pub fn created(context: &Context) -> String {
    match context.deterministic {
        true => "1970-01-01T00:00:00Z".to_owned(),
        false => jiff::Timestamp::now().to_string(),
    }
}

/// The trees of a container, its writable one first. A modelled container that runs
/// has its files in the memory of the command that runs it.
pub fn stack(context: &Context, record: &Record) -> Result<Vec<std::path::PathBuf>, CliError> {
    if context.model && record.status != Status::Exited {
        let short = record.short_id();
        return Err(CliError::new(format!("cannot read the files of container {short}: its machine runs"))
            .hint("a modelled machine writes to its disk when it ends: try again then"));
    }
    let upper = context.container_dir(&record.id).join("upper");
    Ok(std::iter::once(upper).chain(record.layers.iter().rev().cloned()).collect())
}

/// Bytes of the files in each layer, the lowest first.
pub fn layer_sizes(context: &Context, image: &Image) -> Result<Vec<u64>, CliError> {
    if context.model {
        let world = model::world(context)?;
        return Ok(image.layers.iter().map(|l| world.layer_size(l)).collect::<Result<_, _>>()?);
    }
    let store = Store::open(&context.root);
    Ok(image.layers.iter().map(|l| size::of_layer(&store, l)).collect::<Result<_, _>>()?)
}

/// All containers that can be read, newest first, with what is known of the
/// running ones. A damaged record is named on standard error.
pub fn records(context: &Context) -> Result<Vec<Record>, CliError> {
    let mut all = Vec::new();
    for record in record::list(&context.root)? {
        match record {
            Ok(record) => all.push(live(context, record)),
            Err(e) => super::output::error(&e.into()),
        }
    }
    Ok(all)
}

/// The container that a user means.
pub fn find(context: &Context, wanted: &str) -> Result<Record, RecordError> {
    record::find(&context.root, wanted).map(|r| live(context, r))
}

/// Adds what the run-time directory knows of a container whose plan is held.
fn live(context: &Context, mut record: Record) -> Record {
    if record.status != Status::Exited
        && let Ok(Some(Found::Held(running))) = receipt::look(&context.run, &record.id)
        && running.started.is_some()
    {
        record.status = Status::Running;
        record.pid = running.pid;
        record.address = running.address;
        record.started = running.started;
    }
    record
}

/// What a container changed, with Docker's letters.
pub fn changes(context: &Context, record: &Record) -> Result<Vec<(String, char)>, CliError> {
    if context.model {
        return model::changes(context, record);
    }
    let upper = record.dir(&context.root).join("upper");
    let lower: Vec<_> = record.layers.iter().rev().cloned().collect();
    let changes = crate::image::changes::changes(&upper, &lower)?;
    Ok(changes.into_iter().map(|c| (c.path.to_string_lossy().into_owned(), c.kind.letter())).collect())
}

/// Undoes what killed runs left; what could not be undone is named on standard
/// error. Every command on the real store begins with it.
pub fn repair(context: &Context) -> Result<(), CliError> {
    if context.model {
        return model::repair(context).map(drop);
    }
    if !super::context::is_root() {
        return Ok(());
    }
    for one in repair_all(context)? {
        for (step, failure) in &one.left {
            let id = short(&one.id);
            super::output::note(&format!(
                "{step} of container {id} is left on the host: failed to {failure}"
            ));
        }
        if let Some(note) = &one.note {
            super::output::note(note);
        }
    }
    Ok(())
}

/// The beginning of an id, or of what stands in its place.
pub fn short(id: &str) -> &str {
    id.char_indices().nth(12).map_or(id, |(at, _)| &id[..at])
}

/// Undoes what killed runs left.
pub fn repair_all(context: &Context) -> Result<Vec<Repaired>, CliError> {
    if context.model {
        return model::repair(context);
    }
    let mut emitter = Emitter::new(None, || 0);
    crate::container::repair::repair(
        &context.root,
        &context.run,
        &mut LinuxKernel::new(&context.root),
        &mut emitter,
    )
    .map_err(|e| io("read the receipts in", &context.run, &e))
}

/// Kills a running container and waits until its own glassbox process has torn
/// it down.
pub fn kill_and_wait(context: &Context, record: &Record) -> Result<(), CliError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut killed = false;
    loop {
        match receipt::look(&context.run, &record.id) {
            Ok(Some(Found::Held(running))) if context.model => model::kill(&running),
            Ok(Some(Found::Held(running))) => {
                if let (Some(pid), false) = (running.pid, killed) {
                    let pid = nix::unistd::Pid::from_raw(pid);
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                    killed = true;
                }
            }
            Ok(Some(Found::CutOff(_, Written::Newer(version)))) => {
                let id = record.short_id();
                return Err(CliError::new(format!(
                    "cannot end container {id}: a newer glassbox began it (plan version {version})"
                ))
                .hint("use that one"));
            }
            Ok(Some(Found::CutOff(receipt, _))) => {
                drop(receipt);
                repair(context)?;
            }
            Ok(None) => return Ok(()),
            Err(e) => return Err(io("read the receipts in", &context.run, &e)),
        }
        if Instant::now() > deadline {
            return Err(CliError::new(format!(
                "container {} does not end, though it was killed",
                record.short_id()
            ))
            .hint("a process in an uninterruptible system call has to come back first; try again later"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
