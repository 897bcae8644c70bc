//! What can go wrong between this machine and a registry, each with what to do
//! next.

use std::path::PathBuf;

use crate::image::manifest::ManifestError;

/// An error of this room. Each reads as a fragment after "failed to …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No connection, or one that broke too often.
    #[error("reach registry {host}: {reason}")]
    Connect {
        /// `HOST[:PORT]`.
        host: String,
        /// Why not.
        reason: String,
    },
    /// No trust in the other side's certificate, or no TLS there at all.
    #[error("talk TLS with registry {host}: {reason}")]
    Tls {
        /// `HOST[:PORT]`.
        host: String,
        /// Why not.
        reason: String,
    },
    /// The registry wants credentials, or others than these.
    #[error("{what} at {host}: authentication required{}", said(message))]
    Unauthorized {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What the registry said; may be empty.
        message: String,
    },
    /// The credentials were taken, but do not allow this.
    #[error("{what} at {host}: access denied{}", said(message))]
    Denied {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What the registry said; may be empty.
        message: String,
    },
    /// The registry has no such thing.
    #[error("{what} at {host}: not found{}", said(message))]
    NotFound {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What the registry said; may be empty.
        message: String,
    },
    /// The registry has answered enough for now.
    #[error("{what} at {host}: rate limit reached{}{}", limit_words(limit), said(message))]
    RateLimited {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// `100;w=21600`: so many in so many seconds, where it is told.
        limit: Option<String>,
        /// Seconds until it may be tried again, where they are told.
        retry_after: Option<u64>,
        /// What the registry said; may be empty.
        message: String,
    },
    /// Any other status that is no success.
    #[error("{what} at {host}: HTTP status {status}{}", said(message))]
    Status {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// The status code.
        status: u16,
        /// What the registry said; may be empty.
        message: String,
    },
    /// An answer that breaks the protocol.
    #[error("{what} at {host}: {reason}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A manifest that cannot be used.
    #[error("use {what} of {host}: {error}")]
    Manifest {
        /// Which.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// Content that is not what its digest or its descriptor says.
    #[error("verify {what} from {host}: {reason}")]
    Content {
        /// Of what.
        what: String,
        /// `HOST[:PORT]`.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of credentials cannot be used.
    #[error("use the credentials in {}: {reason}", path.display())]
    Credentials {
        /// Docker's `config.json`.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A credential helper failed.
    #[error("ask the credential helper {program}: {reason}")]
    Helper {
        /// `docker-credential-NAME`.
        program: String,
        /// Why not.
        reason: String,
    },
    /// The configuration of a registry makes no sense.
    #[error("use the setting {setting} = {value:?}: {reason}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// As given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// A file that is to be sent, or a certificate, cannot be read.
    #[error("read {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// `100;w=21600` in words.
fn limit_words(limit: &Option<String>) -> String {
    let Some(limit) = limit else { return String::new() };
    match limit.split_once(";w=") {
        Some((count, seconds)) => match seconds.parse::<u64>() {
            Ok(s) if s >= 3600 && s % 3600 == 0 => format!(" ({count} in {} hours)", s / 3600),
            Ok(s) => format!(" ({count} in {s} seconds)"),
            Err(_) => format!(" ({limit})"),
        },
        None => format!(" ({limit})"),
    }
}

impl RegistryError {
    /// No answer, or none that is one: it may come another time.
    pub fn is_of_the_way(&self) -> bool {
        match self {
            RegistryError::Connect { .. }
            | RegistryError::Tls { .. }
            | RegistryError::Unauthorized { .. }
            | RegistryError::RateLimited { .. } => true,
            RegistryError::Status { status, .. } => *status >= 500 || *status == 408,
            _ => false,
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RegistryError::Connect { .. } => {
                "check the name and the network; a registry without TLS needs --insecure-registry HOST, \
                 or insecure-registries in the configuration"
                    .into()
            }
            RegistryError::Tls { host, .. } => format!(
                "put the registry's CA certificate into /etc/docker/certs.d/{host}/ca.crt, or give \
                 --registry-ca FILE; --insecure-registry {host} trusts any certificate"
            ),
            RegistryError::Unauthorized { host, .. } | RegistryError::Denied { host, .. } => format!(
                "log in with `glassbox login{}`; a repository that does not exist looks the same from outside",
                match host.as_str() {
                    "docker.io" => String::new(),
                    host => format!(" {host}"),
                }
            ),
            RegistryError::NotFound { .. } => "check the name and the tag".into(),
            RegistryError::RateLimited { retry_after: Some(seconds), .. } => {
                format!("try again in {}, log in for a higher limit, or use a mirror", wait_words(*seconds))
            }
            RegistryError::RateLimited { .. } => {
                "wait, log in with `glassbox login` for a higher limit, or use a mirror".into()
            }
            RegistryError::Status { status: 500.., .. } => "the registry has a problem: try again later".into(),
            RegistryError::Status { .. } => return None,
            RegistryError::Protocol { .. } => {
                "something between here and the registry may be answering in its place: a proxy, a login page"
                    .into()
            }
            RegistryError::Manifest { error, .. } => error.hint().into(),
            RegistryError::Content { .. } => {
                "nothing was kept; the registry or something on the way changed the content: try another mirror"
                    .into()
            }
            RegistryError::Credentials { .. } => "repair the file, or log in again".into(),
            RegistryError::Helper { program, .. } => {
                format!("install {program}, or take it out of credsStore and credHelpers in config.json")
            }
            RegistryError::Setting { .. } => "correct the flag or the configuration file".into(),
            RegistryError::File { .. } => return None,
        })
    }

    /// Whether another mirror, or the registry behind it, may do better.
    pub fn is_about_the_endpoint(&self) -> bool {
        !matches!(
            self,
            RegistryError::Credentials { .. } | RegistryError::Setting { .. } | RegistryError::File { .. }
        )
    }
}

fn wait_words(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_says_how_much_and_how_long() {
        let error = RegistryError::RateLimited {
            what: "get manifest latest of library/box".into(),
            host: "docker.io".into(),
            limit: Some("100;w=21600".into()),
            retry_after: Some(3000),
            message: "too many requests".into(),
        };
        assert_eq!(
            error.to_string(),
            "get manifest latest of library/box at docker.io: rate limit reached (100 in 6 hours): too many requests"
        );
        assert_eq!(
            error.hint().unwrap(),
            "try again in 50 minutes, log in for a higher limit, or use a mirror"
        );
    }
}
