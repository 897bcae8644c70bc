//! The client: requests with authentication, redirects and repetition.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::RegistryError;
use super::auth::Tokens;
use super::credentials::{Credential, Credentials};
use super::options::{Endpoint, Options};
use super::transport::{Answer, Exchange, Payload, Transport, Trouble};
use super::url::{Origin, Url};

/// Redirects that are followed for one answer.
const MAX_REDIRECTS: u32 = 10;

/// A client of registries. It keeps connections and tokens, and can be used by
/// many threads at once.
pub struct Client {
    pub(super) options: Arc<Options>,
    pub(super) tokens: Tokens,
    transport: Transport,
    /// The origin of each endpoint that answered, by its name.
    answering: Mutex<HashMap<String, Origin>>,
    credentials: Mutex<HashMap<String, Option<Credential>>>,
}

/// A request to an endpoint.
pub(super) struct Call<'a> {
    pub method: &'static str,
    /// Path and query; or a whole URL that the registry named before.
    pub target: Target<'a>,
    pub headers: Vec<(&'static str, String)>,
    pub payload: Payload<'a>,
    /// `repository:NAME:pull`, several parted by spaces.
    pub scopes: String,
    /// Not sent again when the connection breaks: the caller knows better.
    pub once: bool,
    /// For messages: `get manifest latest of library/box`.
    pub what: String,
}

/// Where a call goes.
pub(super) enum Target<'a> {
    Path(String),
    Url(&'a Url),
}

impl Client {
    /// A client with these settings. Nothing is asked yet.
    pub fn new(options: Options) -> Self {
        let options = Arc::new(options);
        Client {
            transport: Transport::new(options.clone()),
            options,
            tokens: Tokens::default(),
            answering: Mutex::default(),
            credentials: Mutex::default(),
        }
    }

    /// Its settings.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What was asked and answered so far, where [`Options::log`] says to keep it.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.transport.exchanges()
    }

    /// Uses this credential for a registry in place of what is kept, as login
    /// does before it keeps it.
    pub fn set_credential(&self, registry: &str, credential: Credential) {
        let mut known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(registry.to_owned(), Some(credential));
    }

    /// What is kept for a registry; asked once.
    pub(super) fn credential(&self, registry: &str) -> Result<Option<Credential>, RegistryError> {
        let mut known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(registry) {
            return Ok(found.clone());
        }
        let found = match &self.options.credentials {
            Some(path) => Credentials::at(path).get(registry)?,
            None => None,
        };
        known.insert(registry.to_owned(), found.clone());
        Ok(found)
    }

    /// Sends a call to the first of the endpoint's origins that answers, with
    /// what it wants to know of us.
    ///
    /// # Errors
    /// When there is no answer, no way to satisfy a 401, or the answers were 429
    /// and 5xx to the end. Any other status is an answer.
    pub(super) fn call(&self, endpoint: &Endpoint, call: &Call<'_>) -> Result<Answer, RegistryError> {
        let known = {
            let answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
            answering.get(&endpoint.name).cloned()
        };
        if let Some(origin) = known {
            return self.call_at(&origin, endpoint, call);
        }
        let mut first = None;
        for (n, origin) in endpoint.origins.iter().enumerate() {
            // Only one that is alone is worth waiting for.
            let probe = endpoint.origins.len() > 1 && n + 1 < endpoint.origins.len();
            if probe && let Err(trouble) = self.probe(origin) {
                first.get_or_insert(trouble);
                continue;
            }
            let answer =
                self.call_at(origin, endpoint, call).map_err(|error| match (error, first.take()) {
                    // What HTTPS said is more to the point than that HTTP is closed too.
                    (RegistryError::Connect { .. }, Some(trouble @ Trouble::Tls(_))) => {
                        trouble.at(&endpoint.name)
                    }
                    (error, _) => error,
                })?;
            let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
            answering.insert(endpoint.name.clone(), origin.clone());
            return Ok(answer);
        }
        Err(RegistryError::Connect { host: endpoint.name.clone(), reason: "it has no address".into() })
    }

    /// Whether anything speaks HTTP there.
    fn probe(&self, origin: &Origin) -> Result<(), Trouble> {
        self.transport.send("GET", &Url::new(origin, "/v2/"), &[], Payload::None).map(drop)
    }

    fn call_at(
        &self,
        origin: &Origin,
        endpoint: &Endpoint,
        call: &Call<'_>,
    ) -> Result<Answer, RegistryError> {
        let url = match &call.target {
            Target::Path(path) => Url::new(origin, path.clone()),
            Target::Url(url) => (*url).clone(),
        };
        let mut authorized = false;
        loop {
            let header = self.tokens.get(origin, &call.scopes);
            let answer = self.follow(origin, endpoint, &url, call, header.as_deref())?;
            if answer.status != 401 || answer.url.origin != *origin {
                return Ok(answer);
            }
            // A token may have ended meanwhile; one that was just granted has not.
            self.tokens.drop(origin, &call.scopes);
            if authorized {
                return Err(refusal(&call.what, &endpoint.name, answer));
            }
            self.authorize(&endpoint.name, &call.scopes, &call.what, answer)?;
            authorized = true;
        }
    }

    /// Sends a call to an address that is no registry's, without any credential.
    ///
    /// # Errors
    /// When there is no answer, or the answers were 429 and 5xx to the end.
    pub(super) fn fetch(
        &self,
        url: &Url,
        endpoint: &Endpoint,
        call: &Call<'_>,
    ) -> Result<Answer, RegistryError> {
        self.follow(&url.origin, endpoint, url, call, None)
    }

    /// Follows redirects. The credentials stay with their origin.
    fn follow(
        &self,
        origin: &Origin,
        endpoint: &Endpoint,
        url: &Url,
        call: &Call<'_>,
        authorization: Option<&str>,
    ) -> Result<Answer, RegistryError> {
        let mut url = url.clone();
        let protocol = |reason: String| RegistryError::Protocol {
            what: call.what.clone(),
            host: endpoint.name.clone(),
            reason,
        };
        for _ in 0..=MAX_REDIRECTS {
            let mut headers: Vec<(&str, String)> = call.headers.clone();
            if let Some(value) = authorization.filter(|_| url.origin == *origin) {
                headers.push(("authorization", value.to_owned()));
            }
            let answer = match call.once {
                false => {
                    self.repeat(&call.what, &endpoint.name, call.method, &url, &headers, call.payload)?
                }
                true => self
                    .transport
                    .send(call.method, &url, &headers, call.payload)
                    .map_err(|t| t.at(&endpoint.name))?,
            };
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let there = answer.header("location").and_then(|l| answer.url.join(l));
            let there = there.ok_or_else(|| protocol("it redirects to what is no URL".into()))?;
            if url.origin.tls && !there.origin.tls && !self.options.is_insecure(&there.origin.host) {
                return Err(protocol(format!(
                    "it redirects from HTTPS to HTTP at {}, which is not insecure by configuration",
                    there.origin.host
                )));
            }
            url = there;
        }
        Err(protocol(format!("it redirects more than {MAX_REDIRECTS} times")))
    }

    /// Sends a request again while the connection breaks or the answer is 429 or
    /// 5xx, with pauses that grow, or as long as the answer says.
    pub(super) fn repeat(
        &self,
        what: &str,
        host: &str,
        method: &str,
        url: &Url,
        headers: &[(&str, String)],
        payload: Payload<'_>,
    ) -> Result<Answer, RegistryError> {
        let retry = &self.options.retry;
        let mut pause = retry.first;
        for attempt in 1.. {
            let last = attempt >= retry.attempts;
            let wait = match self.transport.send(method, url, headers, payload) {
                Ok(answer) if !matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504) => {
                    return Ok(answer);
                }
                Ok(answer) => {
                    let asked = retry_after(&answer);
                    if last || asked.is_some_and(|a| a > retry.longest) {
                        return Err(refusal(what, host, answer));
                    }
                    asked.unwrap_or(pause)
                }
                Err(Trouble::Broken(_)) if !last => pause,
                Err(trouble) => return Err(trouble.at(host)),
            };
            std::thread::sleep(wait.max(Duration::from_millis(1)));
            pause = (pause * 2).min(retry.longest);
        }
        Err(RegistryError::Connect { host: host.to_owned(), reason: "no attempt is allowed".into() })
    }
}

/// `Retry-After`, RFC 9110 section 10.2.3: seconds, or a date, which is turned into
/// seconds from now; one that has passed asks for no pause.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header("retry-after")?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    until(text, jiff::Timestamp::now())
}

/// How long it is from `now` to a date in one of the three forms of HTTP, RFC 9110
/// section 5.6.7: the preferred one, which is one of RFC 2822's, and two old ones.
fn until(date: &str, now: jiff::Timestamp) -> Option<Duration> {
    let old = |form| jiff::fmt::strtime::parse(form, date).and_then(|t| t.to_datetime());
    let then = match jiff::fmt::rfc2822::parse(date) {
        Ok(then) => then.timestamp(),
        Err(_) => old("%A, %d-%b-%y %H:%M:%S GMT")
            .or_else(|_| old("%a %b %e %H:%M:%S %Y"))
            .and_then(|then| jiff::tz::TimeZone::UTC.to_timestamp(then))
            .ok()?,
    };
    Some(Duration::from_secs(u64::try_from(then.as_second().saturating_sub(now.as_second())).unwrap_or(0)))
}

/// An answer that is a refusal, as an error.
pub(super) fn refusal(what: &str, host: &str, answer: Answer) -> RegistryError {
    let (what, host) = (what.to_owned(), host.to_owned());
    let status = answer.status;
    let limit = answer.header("ratelimit-limit").map(crate::image::error::quoted);
    let retry_after = retry_after(&answer).map(|d| d.as_secs());
    let message = answer.message();
    match status {
        401 => RegistryError::Unauthorized { what, host, message },
        403 => RegistryError::Denied { what, host, message },
        404 => RegistryError::NotFound { what, host, message },
        429 => RegistryError::RateLimited { what, host, limit, retry_after, message },
        _ => RegistryError::Status { what, host, status, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_time_from_now() {
        let now: jiff::Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (date, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun Nov 36 08:49:37 1994", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(until(date, now), seconds.map(Duration::from_secs), "{date}");
        }
    }
}
