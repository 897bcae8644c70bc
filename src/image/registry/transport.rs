//! One request and its answer. Redirects, authentication and repetition are
//! above; here is what HTTP itself does.

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, Request};
use ureq::{Agent, Body, SendBody};

use super::RegistryError;
use super::options::Options;
use super::tls;
use super::url::{Origin, Url};

/// Most of an answer that is read to tell what went wrong.
const MAX_MESSAGE: u64 = 64 * 1024;

/// What a request carries. It can be sent again.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// No body at all: GET and HEAD.
    None,
    /// Bytes; may be none, as in the POST that begins an upload.
    Bytes(&'a [u8]),
    /// So many bytes of what this opens.
    Stream(u64, &'a dyn Fn() -> io::Result<Box<dyn Read + 'a>>),
}

/// What went wrong before there was an answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Worth another attempt.
    Broken(String),
    /// Not worth one: nothing ever answered there.
    Unreachable(String),
    /// Not worth one.
    Tls(String),
    /// The configuration.
    Own(RegistryError),
}

impl Trouble {
    /// As an error about this host.
    pub fn at(self, host: &str) -> RegistryError {
        match self {
            Trouble::Broken(reason) | Trouble::Unreachable(reason) => {
                RegistryError::Connect { host: host.to_owned(), reason }
            }
            Trouble::Tls(reason) => RegistryError::Tls { host: host.to_owned(), reason },
            Trouble::Own(error) => error,
        }
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Url,
    body: Body,
}

impl Answer {
    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// `type/subtype` in lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        (!media_type.is_empty()).then_some(media_type)
    }

    /// Declared length of the body.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The body as a stream.
    pub fn into_reader(self) -> impl Read + Send + 'static {
        self.body.into_reader()
    }

    /// The whole body; `None` if it has more bytes than that.
    pub fn read(self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.length().is_some_and(|l| l > limit) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.body.into_reader().take(limit + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }

    /// What the registry says went wrong: the messages of its `errors`
    /// (distribution-spec, "Error Codes"), or nothing.
    pub fn message(self) -> String {
        let mut bytes = Vec::new();
        let _ = self.body.into_reader().take(MAX_MESSAGE).read_to_end(&mut bytes);
        message(&bytes)
    }
}

/// The messages in an error's body.
fn message(bytes: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return String::new() };
    let one = |e: &serde_json::Value| {
        let code = e.get("code").and_then(|c| c.as_str()).unwrap_or_default();
        let code = code.to_lowercase().replace('_', " ");
        let text = e.get("message").and_then(|m| m.as_str()).unwrap_or_default();
        match (code.is_empty(), text.is_empty()) {
            (_, true) => code,
            (true, false) => text.to_owned(),
            (false, false) => format!("{code}: {text}"),
        }
    };
    let mut said: Vec<String> = match value.get("errors").and_then(|e| e.as_array()) {
        Some(errors) => errors.iter().take(3).map(one).collect(),
        None => ["details", "message", "error", "detail"]
            .iter()
            .filter_map(|k| value.get(k)?.as_str().map(str::to_owned))
            .take(1)
            .collect(),
    };
    said.retain(|s| !s.is_empty());
    said.dedup();
    crate::image::error::quoted(&said.join("; "))
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`.
    pub method: String,
    /// Without its query.
    pub url: String,
    /// Of the answer.
    pub status: u16,
}

/// Connections, by origin.
pub(super) struct Transport {
    options: Arc<Options>,
    agents: Mutex<HashMap<Origin, Agent>>,
    /// What was asked and answered, where somebody wants to know.
    log: Mutex<Vec<Exchange>>,
    /// Origins that have answered once: a connection refused there is a pause.
    answered: Mutex<HashSet<Origin>>,
}

impl Transport {
    pub fn new(options: Arc<Options>) -> Self {
        Transport { options, agents: Mutex::default(), log: Mutex::default(), answered: Mutex::default() }
    }

    /// Sends one request, follows nothing, and repeats nothing.
    pub fn send(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, String)],
        payload: Payload<'_>,
    ) -> Result<Answer, Trouble> {
        let agent = self.agent(&url.origin).map_err(Trouble::Own)?;
        let mut request = Request::builder().method(method).uri(url.to_string());
        for (name, value) in headers {
            request = request.header(*name, value.as_str());
        }
        let unsendable = |e: ureq::http::Error| Trouble::Tls(format!("it cannot be asked for: {e}"));
        let response = match payload {
            Payload::None => agent.run(request.body(()).map_err(unsendable)?),
            Payload::Bytes(bytes) => agent.run(request.body(bytes).map_err(unsendable)?),
            Payload::Stream(length, open) => {
                let mut stream = open().map_err(|e| Trouble::Broken(e.to_string()))?;
                let request = request.header("content-length", length.to_string());
                agent.run(request.body(SendBody::from_reader(&mut stream)).map_err(unsendable)?)
            }
        }
        .map_err(|e| match trouble(e) {
            Trouble::Unreachable(reason) if self.has_answered(&url.origin) => Trouble::Broken(reason),
            other => other,
        })?;
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).insert(url.origin.clone());
        let (parts, body) = response.into_parts();
        if self.options.log {
            // A query may hold a signature that gives access.
            let path = url.path.split('?').next().unwrap_or_default();
            let exchange = Exchange {
                method: method.to_owned(),
                url: format!("{}{path}", url.origin),
                status: parts.status.as_u16(),
            };
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        }
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, url: url.clone(), body })
    }

    /// What was asked so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_answered(&self, origin: &Origin) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    fn agent(&self, origin: &Origin) -> Result<Agent, RegistryError> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(origin) {
            return Ok(agent.clone());
        }
        let proxy = match self.options.proxy(origin) {
            None => None,
            Some(text) => Some(ureq::Proxy::new(text).map_err(|e| RegistryError::Setting {
                setting: if origin.tls { "HTTPS_PROXY" } else { "HTTP_PROXY" },
                // It may hold a password.
                value: text.rsplit('@').next().unwrap_or_default().to_owned(),
                reason: e.to_string(),
            })?),
        };
        let idle = Some(self.options.idle);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30).min(self.options.idle)))
            .timeout_per_read(idle)
            .timeout_per_write(idle)
            .input_buffer_size(64 * 1024)
            .output_buffer_size(64 * 1024);
        if origin.tls {
            config = config.tls_config(tls::config(&self.options, origin)?);
        }
        let agent = config.build().new_agent();
        agents.insert(origin.clone(), agent.clone());
        Ok(agent)
    }
}

fn trouble(error: ureq::Error) -> Trouble {
    match error {
        ureq::Error::Rustls(e) => Trouble::Tls(tls_words(&e)),
        ureq::Error::Tls(e) => Trouble::Tls(e.to_owned()),
        ureq::Error::Io(e) => {
            // rustls hands its own errors through the socket's.
            match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(inner) => Trouble::Tls(tls_words(inner)),
                None if e.kind() == ErrorKind::InvalidData => {
                    Trouble::Tls(crate::image::error::quoted(&e.to_string()))
                }
                None if matches!(
                    e.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
                ) =>
                {
                    Trouble::Unreachable(crate::kernel::errno::io_words(&e))
                }
                // getaddrinfo(3) has no errno.
                None if e.to_string().contains("lookup address") => {
                    Trouble::Unreachable("its name cannot be looked up".into())
                }
                None => Trouble::Broken(crate::kernel::errno::io_words(&e)),
            }
        }
        ureq::Error::HostNotFound => Trouble::Unreachable("there is no host of this name".into()),
        ureq::Error::Timeout(_) => Trouble::Broken("no answer in time".into()),
        // Nothing of these gets better by asking again.
        e @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..)) => {
            Trouble::Tls(crate::image::error::quoted(&e.to_string()))
        }
        e => Trouble::Broken(crate::image::error::quoted(&e.to_string())),
    }
}

fn tls_words(error: &rustls::Error) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".into(),
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "its certificate is signed by an unknown authority".into()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "its certificate has expired".into()
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "its certificate is for another name".into()
        }
        other => crate::image::error::quoted(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_registries_in_words() {
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#,
                "manifest unknown: manifest unknown",
            ),
            (r#"{"errors":[{"code":"DENIED"},{"message":"no"}]}"#, "denied; no"),
            (r#"{"details":"incorrect username or password"}"#, "incorrect username or password"),
            ("<html>oops</html>", ""),
            ("", ""),
            (r#"{"errors":"none"}"#, ""),
        ] {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
    }
}
