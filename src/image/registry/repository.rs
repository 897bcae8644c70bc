//! One repository of a registry, and the places that may have its content.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::RegistryError;
use super::client::{Call, Client, Target};
use super::options::Endpoint;
use super::transport::{Answer, Payload};
use crate::image::Reference;

/// A repository as seen through a client. Reading asks the mirrors first;
/// writing goes to the registry itself.
#[derive(Clone)]
pub struct Repository {
    pub(super) client: Arc<Client>,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// `library/box`.
    pub path: String,
    /// Mirrors first, the registry last.
    pub sources: Vec<Endpoint>,
    /// Names of mirrors that failed; not asked again.
    passed_over: Mutex<HashSet<String>>,
}

impl Repository {
    /// The repository of a reference; its tag and digest do not count.
    ///
    /// # Errors
    /// [`RegistryError::Setting`] for mirrors that are no URLs.
    pub fn new(client: Arc<Client>, reference: &Reference) -> Result<Self, RegistryError> {
        let sources = client.options().sources(reference.domain())?;
        Ok(Repository {
            client,
            shared: Arc::new(Shared {
                path: reference.path().to_owned(),
                sources,
                passed_over: Mutex::default(),
            }),
        })
    }

    /// `library/box`.
    pub fn path(&self) -> &str {
        &self.shared.path
    }

    /// `docker.io`, `HOST[:PORT]`.
    pub fn domain(&self) -> &str {
        &self.registry().name
    }

    /// The registry itself: the last of the sources.
    pub(super) fn registry(&self) -> &Endpoint {
        &self.shared.sources[self.shared.sources.len() - 1]
    }

    /// The path of something of this repository below `/v2/`.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.shared.path)
    }

    pub(super) fn scopes(&self, actions: &str) -> String {
        format!("repository:{}:{actions}", self.shared.path)
    }

    /// Asks each source in turn until `read` is satisfied with an answer.
    pub(super) fn read<T>(
        &self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        what: &str,
        mut read: impl FnMut(&Endpoint, Answer) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let call = Call {
            method,
            target: Target::Path(path.to_owned()),
            headers,
            payload: Payload::None,
            scopes: self.scopes("pull"),
            once: false,
            what: what.to_owned(),
        };
        for endpoint in self.shared.sources.iter().filter(|e| e.mirror && !self.is_passed_over(e)) {
            match self.client.call(endpoint, &call).and_then(|answer| read(endpoint, answer)) {
                // It has not got this; it may have got something else.
                Err(RegistryError::NotFound { .. }) => {}
                Err(error) if error.is_about_the_endpoint() => {
                    let mut passed = self.shared.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
                    passed.insert(endpoint.name.clone());
                }
                done => return done,
            }
        }
        let registry = self.registry();
        self.client.call(registry, &call).and_then(|answer| read(registry, answer))
    }

    fn is_passed_over(&self, endpoint: &Endpoint) -> bool {
        self.shared.passed_over.lock().unwrap_or_else(PoisonError::into_inner).contains(&endpoint.name)
    }
}
