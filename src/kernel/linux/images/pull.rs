//! A registry: asked what a name means, and for the config.

use std::cell::Cell;
use std::sync::Arc;

use super::{Images, Sending};
use crate::image::manifest::{Matcher, Platform};
use crate::image::registry::pull::{self, Found, Source};
use crate::image::registry::{Client, Repository};
use crate::image::{ImageError, Reference};
use crate::kernel::Failure;
use crate::kernel::linux::evidence::fact;
use crate::trace::{Fact, Kind, Value};

/// A registry that is being asked.
pub struct Asking {
    /// How registries are reached.
    client: Arc<Client>,
    repository: Option<Repository>,
    found: Option<Found>,
    /// Exchanges that were told already.
    told: Cell<usize>,
    /// What is sent there, or read for its own sake.
    pub sending: Sending,
}

impl Asking {
    /// Nothing is asked yet.
    pub fn new(client: Arc<Client>) -> Self {
        Asking { client, repository: None, found: None, told: Cell::new(0), sending: Sending::default() }
    }

    /// How registries are reached.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// A step begins: what was asked before is told.
    pub(super) fn begin(&self) {
        self.told.set(self.client.exchanges().len());
    }

    /// The requests that were not told yet, with the status of their answers.
    pub(super) fn http(&self) -> Vec<Fact> {
        let exchanges = self.client.exchanges();
        let told = self.told.replace(exchanges.len());
        exchanges[told.min(exchanges.len())..]
            .iter()
            .map(|e| fact("HTTP", &format!("{} {}", e.method, e.url), Value::Int(i64::from(e.status))))
            .collect()
    }

    /// What the last name led to.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }
}

pub(super) fn asking(images: &mut Images) -> Result<&mut Asking, Failure> {
    images.asking.as_mut().ok_or_else(|| Failure::new("go on: there is no way to a registry", None))
}

fn matcher(platform: &str) -> Result<Matcher, Failure> {
    let platform: Platform = platform.parse().map_err(|e: crate::image::manifest::ManifestError| {
        Failure::new(format!("read the platform: {e}"), None).hint(e.hint())
    })?;
    Ok(Matcher::new(&platform))
}

/// Asks what a reference means.
pub fn ask(reference: &str, platform: &str, images: &mut Images) -> Result<bool, Failure> {
    let matcher = matcher(platform)?;
    let asking = asking(images)?;
    let reference = Reference::parse(reference)
        .map_err(|error| ImageError::Reference { input: reference.to_owned(), error })?;
    asking.begin();
    let repository = Repository::new(asking.client.clone(), &reference).map_err(ImageError::from)?;
    asking.found = Some(pull::find(&repository, &reference, &matcher)?);
    asking.repository = Some(repository);
    Ok(true)
}

/// Fetches the config of what was found.
pub fn config(platform: &str, images: &mut Images) -> Result<bool, Failure> {
    let matcher = matcher(platform)?;
    let asking = asking(images)?;
    asking.begin();
    let (Some(found), Some(repository)) = (&asking.found, &asking.repository) else {
        return Err(Failure::new("go on: no manifest was read", None));
    };
    let incoming = pull::configure(repository, found, &matcher)?;
    let source = Arc::new(Source::new(repository.clone(), &found.chosen.manifest));
    images.incoming = vec![incoming];
    images.source = Some(source);
    Ok(true)
}

/// The requests of the last step with their answers, and what they held.
pub fn evidence(registry: &str, images: &Images) -> Vec<Fact> {
    let Some(asking) = &images.asking else { return Vec::new() };
    let mut facts = asking.http();
    let Some(found) = &asking.found else { return facts };
    let digest = |key: &str, d: &str| fact(registry, key, Value::volatile(Kind::Digest, d));
    facts.push(fact(registry, "media type", Value::Text(found.media_type.clone())));
    facts.push(digest(if found.is_index() { "index" } else { "manifest" }, &found.digest));
    if found.is_index() {
        if let Some(platform) = &found.chosen.platform {
            facts.push(fact(registry, "platform", Value::Text(platform.to_string())));
        }
        facts.push(digest("manifest", &found.chosen.digest));
    }
    facts.push(digest("config", found.chosen.manifest.config.digest().as_ref()));
    facts
}
