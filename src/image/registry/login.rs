//! Trying a credential: distribution-spec "Determining Support", `GET /v2/`.

use super::RegistryError;
use super::client::{Call, Client, Target, refusal};
use super::credentials::Credential;
use super::manifest::protocol;
use super::transport::Payload;

impl Client {
    /// Whether the registry takes this credential. It is used by this client from
    /// then on; keeping it is for the caller.
    ///
    /// # Errors
    /// [`RegistryError::Unauthorized`] when it does not.
    pub fn login(&self, registry: &str, credential: Credential) -> Result<(), RegistryError> {
        self.set_credential(registry, credential);
        let endpoint = self.options().endpoint(registry);
        let what = format!("log in to {registry}");
        let answer = self.call(
            &endpoint,
            &Call {
                method: "GET",
                target: Target::Path("/v2/".into()),
                headers: Vec::new(),
                payload: Payload::None,
                scopes: String::new(),
                once: false,
                what: what.clone(),
            },
        )?;
        match answer.status {
            200 => Ok(()),
            404 => Err(protocol(&endpoint, &what, "there is no registry: it does not know /v2/")),
            _ => Err(refusal(&what, &endpoint.name, answer)),
        }
    }
}
