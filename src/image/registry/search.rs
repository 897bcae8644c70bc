//! Searching an index of repositories: `GET /v1/search`, the one call of
//! Docker's old protocol that Docker Hub still answers.

use serde::Deserialize;

use super::RegistryError;
use super::client::{Call, Client, Target, refusal};
use super::manifest::{body, protocol};
use super::options::{Endpoint, HUB};
use super::transport::Payload;
use super::url::{Origin, encode};

/// Where Docker Hub is searched.
const HUB_INDEX: &str = "index.docker.io";
/// A page of answers.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;
/// What is asked for when nobody says.
pub const DEFAULT_LIMIT: u32 = 25;
/// What an index gives at most.
pub const MAX_LIMIT: u32 = 100;

/// A repository that fits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hit {
    /// `debian`, `team/app`.
    pub name: String,
    /// What its owner says of it; may be long, and have several lines.
    #[serde(default)]
    pub description: Option<String>,
    /// How many like it.
    #[serde(default)]
    pub star_count: i64,
    /// Kept by Docker.
    #[serde(default)]
    pub is_official: bool,
    /// Built from a source by the Hub.
    #[serde(default)]
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    results: Vec<Hit>,
}

impl Client {
    /// Repositories of an index that fit a term, in the index's order.
    ///
    /// # Errors
    /// When the index does not answer, or not as one.
    pub fn search(&self, registry: &str, term: &str, limit: u32) -> Result<Vec<Hit>, RegistryError> {
        let endpoint = match registry {
            HUB => Endpoint {
                origins: vec![Origin::new(true, HUB_INDEX)],
                name: HUB_INDEX.to_owned(),
                mirror: false,
            },
            other => self.options().endpoint(other),
        };
        let what = format!("search for {term:?}");
        let answer = self.call(
            &endpoint,
            &Call {
                method: "GET",
                target: Target::Path(format!("/v1/search?q={}&n={limit}", encode(term))),
                headers: vec![("accept", "application/json".to_owned())],
                payload: Payload::None,
                scopes: String::new(),
                once: false,
                what: what.clone(),
            },
        )?;
        if answer.status == 404 {
            return Err(protocol(&endpoint, &what, "this registry cannot be searched: it has no /v1/search"));
        }
        if answer.status != 200 {
            return Err(refusal(&what, &endpoint.name, answer));
        }
        let text = body(&endpoint, answer, &what, MAX_ANSWER)?;
        let found: Found = serde_json::from_slice(&text)
            .map_err(|_| protocol(&endpoint, &what, "its answer is not the JSON of a search"))?;
        Ok(found.results)
    }
}
