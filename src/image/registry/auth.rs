//! Proofs of who one is: Basic, or tokens fetched from the service that the
//! registry names (distribution project, "Token Authentication Specification"
//! and "OAuth2 Token Authentication").

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::RegistryError;
use super::challenge::{self, Challenge};
use super::client::Client;
use super::credentials::Credential;
use super::transport::{Answer, Payload};
use super::url::{Origin, Url, encode};

/// Who asks for a token, as services log it.
const CLIENT_ID: &str = "glassbox";
/// A token service's answer is short.
const MAX_TOKEN: u64 = 1024 * 1024;
/// Lifetime of a token that does not tell, by the specification.
const LIFETIME: u64 = 60;

/// `Authorization` headers that worked, by origin and scopes.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<HashMap<(Origin, String), Kept>>,
}

#[derive(Clone)]
struct Kept {
    header: String,
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// What a token service gave.
pub(super) struct Granted {
    pub header: String,
    pub lifetime: Duration,
}

impl Tokens {
    /// The header for these scopes, if there is one that is still good.
    pub fn get(&self, origin: &Origin, scopes: &str) -> Option<String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (origin.clone(), scopes.to_owned());
        let found = kept.get(&key)?;
        if found.until.is_some_and(|until| until <= Instant::now()) {
            kept.remove(&key);
            return None;
        }
        Some(found.header.clone())
    }

    fn put(&self, origin: &Origin, scopes: &str, header: &str, lifetime: Option<Duration>) {
        // A token that ends while its request is on the way helps nobody.
        let until = lifetime.map(|l| Instant::now() + l.saturating_sub(Duration::from_secs(5)));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((origin.clone(), scopes.to_owned()), Kept { header: header.to_owned(), until });
    }

    /// Forgets a header that was refused.
    pub fn drop(&self, origin: &Origin, scopes: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&(origin.clone(), scopes.to_owned()));
    }
}

impl Client {
    /// Answers a 401: a new `Authorization` header for these scopes.
    ///
    /// # Errors
    /// [`RegistryError::Unauthorized`] when there is nothing to answer with.
    pub(super) fn authorize(
        &self,
        registry: &str,
        scopes: &str,
        what: &str,
        refused: Answer,
    ) -> Result<String, RegistryError> {
        let origin = refused.url.origin.clone();
        let challenges: Vec<Challenge> = refused
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(challenge::parse)
            .collect();
        let unauthorized = |message: String| RegistryError::Unauthorized {
            what: what.to_owned(),
            host: registry.to_owned(),
            message,
        };
        let bearer = challenges.iter().find_map(|c| match c {
            Challenge::Bearer { realm, service, scope, .. } => Some((realm, service, scope)),
            _ => None,
        });
        if let Some((realm, service, scope)) = bearer {
            let realm = refused.url.join(realm).ok_or_else(|| RegistryError::Protocol {
                what: what.to_owned(),
                host: registry.to_owned(),
                reason: "the token service that it names is no URL".into(),
            })?;
            let wanted = match scopes {
                "" => scope.clone().unwrap_or_default(),
                ours => ours.to_owned(),
            };
            let credential = self.credential(registry)?;
            let granted =
                self.fetch_token(&realm, service.as_deref(), &wanted, registry, credential.as_ref())?;
            self.tokens.put(&origin, scopes, &granted.header, Some(granted.lifetime));
            return Ok(granted.header);
        }
        if challenges.contains(&Challenge::Basic) {
            let header = self.credential(registry)?.and_then(|c| c.basic());
            return match header {
                Some(header) => {
                    self.tokens.put(&origin, scopes, &header, None);
                    Ok(header)
                }
                None => Err(unauthorized(refused.message())),
            };
        }
        let other: Vec<&str> = challenges
            .iter()
            .filter_map(|c| match c {
                Challenge::Other(scheme) => Some(scheme.as_str()),
                _ => None,
            })
            .collect();
        Err(unauthorized(match other.as_slice() {
            [] => refused.message(),
            other => format!("it wants {}, which is not supported", other.join(" or ")),
        }))
    }

    /// Asks a token service.
    pub(super) fn fetch_token(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &str,
        registry: &str,
        credential: Option<&Credential>,
    ) -> Result<Granted, RegistryError> {
        let what = format!("get a token for {registry}");
        if credential.is_some() && !realm.origin.tls && !self.options.is_insecure(&realm.origin.host) {
            return Err(RegistryError::Protocol {
                what,
                host: realm.origin.host.clone(),
                reason: "it names a token service without TLS: the password is not sent there".into(),
            });
        }
        let answer = match credential {
            Some(Credential::IdentityToken(token)) => {
                let form = format!(
                    "grant_type=refresh_token&service={}&client_id={CLIENT_ID}&scope={}&refresh_token={}",
                    encode(service.unwrap_or_default()),
                    encode(scopes),
                    encode(token)
                );
                let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
                self.repeat(&what, registry, "POST", realm, &headers, Payload::Bytes(form.as_bytes()))?
            }
            _ => {
                let mut url = realm.clone();
                let mut headers = Vec::new();
                if let Some(service) = service {
                    url = url.with_query("service", service);
                }
                for scope in scopes.split(' ').filter(|s| !s.is_empty()) {
                    url = url.with_query("scope", scope);
                }
                if let Some(Credential::Password { user, .. }) = credential {
                    url = url.with_query("account", user);
                    headers.extend(credential.and_then(Credential::basic).map(|b| ("authorization", b)));
                }
                self.repeat(&what, registry, "GET", &url, &headers, Payload::None)?
            }
        };
        match answer.status {
            200 => {}
            401 | 403 | 400 if credential.is_some() => {
                return Err(RegistryError::Unauthorized {
                    what,
                    host: registry.to_owned(),
                    message: Some(answer.message())
                        .filter(|m| !m.is_empty())
                        .unwrap_or_else(|| "the name or the password is wrong".into()),
                });
            }
            _ => return Err(super::client::refusal(&what, registry, answer)),
        }
        let bad = |reason: &str| RegistryError::Protocol {
            what: what.clone(),
            host: realm.origin.host.clone(),
            reason: reason.to_owned(),
        };
        let text =
            answer.read(MAX_TOKEN).ok().flatten().ok_or_else(|| bad("its answer is cut or too long"))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&text).map_err(|_| bad("its answer is not the JSON of a token"))?;
        let token = answer.token.or(answer.access_token).filter(|t| !t.is_empty());
        let token = token.ok_or_else(|| bad("its answer holds no token"))?;
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("its token has characters that no header may have"));
        }
        Ok(Granted {
            header: format!("Bearer {token}"),
            lifetime: Duration::from_secs(answer.expires_in.unwrap_or(LIFETIME).clamp(LIFETIME, 24 * 3600)),
        })
    }
}
