//! How registries are reached, as plain data: the command line fills it from
//! flags, environment and configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::RegistryError;
use super::url::{Origin, Url, bare_host};

/// The domain of references without one.
pub use crate::image::reference::DEFAULT_DOMAIN as HUB;
/// Where the registry of that domain answers.
const HUB_HOST: &str = "registry-1.docker.io";

/// Everything a client needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Registries whose certificate is not checked and that may speak plain
    /// HTTP: `HOST`, `HOST:PORT`, or addresses as `10.0.0.0/8`. Loopback
    /// addresses always are.
    pub insecure: Vec<String>,
    /// `https://HOST[:PORT]` to ask first, in order, by the domain they mirror.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// PEM files of certificate authorities to trust for every registry.
    pub ca: Vec<PathBuf>,
    /// The same for one registry, by `HOST[:PORT]`.
    pub ca_of: BTreeMap<String, Vec<PathBuf>>,
    /// PEM bundles of the system; the first that exists is read.
    pub system_ca: Vec<PathBuf>,
    /// Directories as Docker's `certs.d`: `HOST[:PORT]/*.crt`, `*.cert`, `*.key`.
    pub certs_dirs: Vec<PathBuf>,
    /// Proxy for `http://`, as `http://[USER:PASSWORD@]HOST:PORT`.
    pub http_proxy: Option<String>,
    /// Proxy for `https://`.
    pub https_proxy: Option<String>,
    /// Hosts reached without a proxy: names, `.suffixes`, addresses, `*`.
    pub no_proxy: Vec<String>,
    /// Docker's `config.json`, whether it exists or not.
    pub credentials: Option<PathBuf>,
    /// When to try again.
    pub retry: Retry,
    /// Blobs larger than this are sent in pieces of this size. `None` sends each
    /// in one request, and in pieces only what broke.
    pub upload_chunk: Option<u64>,
    /// Keep what is asked and answered, for [`super::Client::exchanges`].
    pub log: bool,
    /// How long nothing may come or go before a connection counts as broken.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            insecure: Vec::new(),
            mirrors: BTreeMap::new(),
            ca: Vec::new(),
            ca_of: BTreeMap::new(),
            system_ca: SYSTEM_CA.map(PathBuf::from).to_vec(),
            certs_dirs: Vec::new(),
            http_proxy: None,
            https_proxy: None,
            no_proxy: Vec::new(),
            credentials: None,
            retry: Retry::default(),
            upload_chunk: None,
            log: false,
            idle: Duration::from_secs(60),
        }
    }
}

/// Where distributions keep the bundle: Debian, Fedora, openSUSE, Alpine.
const SYSTEM_CA: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// When to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Requests in all for one answer.
    pub attempts: u32,
    /// Pause after the first failure; each further one is twice as long.
    pub first: Duration,
    /// Longest pause. A registry that asks for a longer one gets no further
    /// request: the error tells how long it is.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 6, first: Duration::from_millis(400), longest: Duration::from_secs(30) }
    }
}

/// One place that may have what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Origins to try, in order, until one answers: HTTPS, then perhaps HTTP.
    pub origins: Vec<Origin>,
    /// Whose credentials: `docker.io`, `HOST[:PORT]`. Also its name in messages.
    pub name: String,
    /// A mirror: it is asked before the registry itself, and never pushed to.
    pub mirror: bool,
}

impl Options {
    /// The registry of a domain.
    pub fn endpoint(&self, domain: &str) -> Endpoint {
        let host = if domain == HUB { HUB_HOST } else { domain };
        let mut origins = vec![Origin::new(true, host)];
        if self.is_insecure(&origins[0].host) {
            origins.push(Origin::new(false, host));
        }
        Endpoint { origins, name: domain.to_owned(), mirror: false }
    }

    /// Where to pull from: the mirrors of the domain, then its registry.
    ///
    /// # Errors
    /// [`RegistryError::Setting`] for a mirror that is no URL of a host.
    pub fn sources(&self, domain: &str) -> Result<Vec<Endpoint>, RegistryError> {
        let mut all = Vec::new();
        for mirror in self.mirrors.get(domain).into_iter().flatten() {
            let url = Url::parse(mirror).filter(|u| u.path == "/").ok_or_else(|| RegistryError::Setting {
                setting: "registry-mirrors",
                value: mirror.clone(),
                reason: "a mirror is https://HOST[:PORT], without a path".into(),
            })?;
            all.push(Endpoint { name: url.origin.host.clone(), origins: vec![url.origin], mirror: true });
        }
        all.push(self.endpoint(domain));
        Ok(all)
    }

    /// Whether certificates of this host are not checked.
    pub fn is_insecure(&self, host: &str) -> bool {
        let bare = bare_host(host);
        let address = bare.parse::<IpAddr>().ok();
        if bare == "localhost" || address.is_some_and(|a| a.is_loopback()) {
            return true;
        }
        self.insecure.iter().any(|entry| match entry.split_once('/') {
            Some((net, prefix)) => {
                let net = net.parse::<IpAddr>().ok().zip(prefix.parse::<u32>().ok());
                net.zip(address).is_some_and(|((net, prefix), address)| within(net, prefix, address))
            }
            None => entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(bare),
        })
    }

    /// The proxy for an origin. Loopback is never reached through one.
    pub fn proxy(&self, origin: &Origin) -> Option<&str> {
        let proxy = if origin.tls { &self.https_proxy } else { &self.http_proxy };
        let host = origin.bare_host();
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
        let direct = |rule: &String| {
            let rule = rule.trim().to_ascii_lowercase();
            let suffix = rule.trim_start_matches("*.").trim_start_matches('.');
            rule == "*"
                || rule == origin.host
                || (!suffix.is_empty()
                    && host.strip_suffix(suffix).is_some_and(|r| r.is_empty() || r.ends_with('.')))
        };
        if loopback || self.no_proxy.iter().any(direct) {
            return None;
        }
        proxy.as_deref().filter(|p| !p.is_empty())
    }
}

fn within(net: IpAddr, prefix: u32, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            u32::from(net) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(net), IpAddr::V6(address)) if prefix <= 128 => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            u128::from(net) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(endpoint: &Endpoint) -> Vec<String> {
        endpoint.origins.iter().map(Origin::to_string).collect()
    }

    #[test]
    fn only_loopback_and_the_named_are_insecure() {
        let options = Options {
            insecure: vec![
                "reg.lan:5000".into(),
                "plain.lan".into(),
                "10.1.0.0/16".into(),
                "fd00::/8".into(),
            ],
            ..Options::default()
        };
        for host in [
            "127.0.0.1:5000",
            "127.8.8.8",
            "localhost:80",
            "[::1]:5000",
            "reg.lan:5000",
            "plain.lan:1",
            "10.1.2.3:5000",
            "[fd12::1]:443",
        ] {
            assert!(options.is_insecure(host), "{host}");
        }
        for host in
            ["reg.lan", "reg.lan:5001", "10.2.0.1", "[fe00::1]", "docker.io", "localhost.evil.example"]
        {
            assert!(!options.is_insecure(host), "{host}");
        }
    }

    #[test]
    fn https_comes_first_and_http_only_where_allowed() {
        let options = Options::default();
        assert_eq!(texts(&options.endpoint("docker.io")), ["https://registry-1.docker.io"]);
        assert_eq!(texts(&options.endpoint("quay.io")), ["https://quay.io"]);
        assert_eq!(
            texts(&options.endpoint("127.0.0.1:5000")),
            ["https://127.0.0.1:5000", "http://127.0.0.1:5000"]
        );
    }

    #[test]
    fn mirrors_come_before_the_registry() {
        let mut options = Options::default();
        options.mirrors.insert("docker.io".into(), vec!["http://m.lan:5000".into(), "https://n.lan/".into()]);
        let sources = options.sources("docker.io").unwrap();
        let names: Vec<_> = sources.iter().map(|e| (e.name.as_str(), e.mirror)).collect();
        assert_eq!(names, [("m.lan:5000", true), ("n.lan", true), ("docker.io", false)]);
        assert_eq!(options.sources("quay.io").unwrap().len(), 1);
        options.mirrors.insert("docker.io".into(), vec!["https://m.lan/path".into()]);
        assert!(matches!(options.sources("docker.io"), Err(RegistryError::Setting { .. })));
    }

    #[test]
    fn proxies_and_their_exceptions() {
        let options = Options {
            https_proxy: Some("http://p:3128".into()),
            no_proxy: vec![".corp.example".into(), "10.0.0.1".into(), "exact:5000".into()],
            ..Options::default()
        };
        let proxy = |tls, host: &str| options.proxy(&Origin::new(tls, host)).map(str::to_owned);
        assert_eq!(proxy(true, "docker.io").as_deref(), Some("http://p:3128"));
        for direct in
            ["a.corp.example", "corp.example:5000", "10.0.0.1", "exact:5000", "127.0.0.1", "localhost:1"]
        {
            assert_eq!(proxy(true, direct), None, "{direct}");
        }
        assert_eq!(proxy(true, "xcorp.example").as_deref(), Some("http://p:3128"));
        assert_eq!(proxy(false, "docker.io"), None);
    }
}
