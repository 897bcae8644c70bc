//! Where a request goes: an origin (scheme, host, port) and a path with its
//! query; and the `Location` of an answer, RFC 9110 section 10.2.2.

use std::fmt;

/// Scheme, host and port. Credentials belong to one origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// TLS or not.
    pub tls: bool,
    /// `HOST` or `HOST:PORT`, lower case, without the scheme's own port.
    pub host: String,
}

impl Origin {
    /// From a host as users write it.
    pub fn new(tls: bool, host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let own = if tls { ":443" } else { ":80" };
        // "[::1]:443" ends so; a bare IPv6 address stands in brackets.
        let host = host.strip_suffix(own).map_or(host.clone(), str::to_owned);
        Origin { tls, host }
    }

    /// The host without its port.
    pub fn bare_host(&self) -> &str {
        bare_host(&self.host)
    }
}

/// A host without its port: `[::1]:5000` is `::1`.
pub fn bare_host(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.host)
    }
}

/// An absolute URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Where.
    pub origin: Origin,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl Url {
    /// A path at an origin.
    pub fn new(origin: &Origin, path: impl Into<String>) -> Self {
        Url { origin: origin.clone(), path: path.into() }
    }

    /// Reads `http://…` or `https://…`; a fragment is left out. `None` for
    /// anything else, for names and passwords in it, and for characters that no
    /// URL has.
    pub fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'@' | b'\\' | b'<' | b'>' | b'"');
        if host.is_empty() || !host.bytes().all(plain) || !path.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let path = match path {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Some(Url { origin: Origin::new(tls, host), path })
    }

    /// What a `Location` or a `Link` in the answer to this request means.
    pub fn join(&self, location: &str) -> Option<Url> {
        let first = location.split(['/', '?']).next().unwrap_or_default();
        if first.contains(':') {
            return Url::parse(location);
        }
        let scheme = if self.origin.tls { "https:" } else { "http:" };
        if location.starts_with("//") {
            return Url::parse(&format!("{scheme}{location}"));
        }
        let here = self.path.split('?').next().unwrap_or_default();
        let path = match location {
            "" => return None,
            rooted if rooted.starts_with('/') => rooted.to_owned(),
            query if query.starts_with('?') => format!("{here}{query}"),
            relative => format!("{}{relative}", &here[..here.rfind('/').map_or(0, |i| i + 1)]),
        };
        Url::parse(&format!("{}{path}", self.origin))
    }

    /// With one more query parameter, percent-encoded.
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(name);
        self.path.push('=');
        self.path.push_str(&encode(value));
        self
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Percent-encodes all but unreserved characters and `:` and `/`, which a query
/// may hold (RFC 3986 section 3.4) and which scopes and digests are full of.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_every_kind() {
        let base = Url::parse("https://r.example:5000/v2/a/blobs/uploads/?x=1").unwrap();
        for (location, expected) in [
            ("https://other.example/x?y#z", "https://other.example/x?y"),
            ("HTTP://Other.Example:80", "http://other.example/"),
            ("//cdn.example/b", "https://cdn.example/b"),
            ("/v2/a/blobs/uploads/7?s=2", "https://r.example:5000/v2/a/blobs/uploads/7?s=2"),
            ("7", "https://r.example:5000/v2/a/blobs/uploads/7"),
            ("?s=3", "https://r.example:5000/v2/a/blobs/uploads/?s=3"),
            ("/v2?u=http://x/", "https://r.example:5000/v2?u=http://x/"),
        ] {
            assert_eq!(base.join(location).map(|u| u.to_string()).as_deref(), Some(expected), "{location}");
        }
        for bad in [
            "",
            "ftp://x/",
            "javascript:alert(1)",
            "https://",
            "https://u:p@x/",
            "https://x\\y/",
            "https://x/a b",
            "/\r\nX: y",
        ] {
            assert_eq!(base.join(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn one_origin_has_one_name() {
        let origin = |text: &str| Url::parse(text).unwrap().origin;
        assert_eq!(origin("https://A.example:443/x"), origin("https://a.example"));
        assert_ne!(origin("https://a.example"), origin("http://a.example"));
        assert_ne!(origin("https://a.example"), origin("https://a.example:5000"));
        assert_eq!(origin("https://[::1]:443/").host, "[::1]");
        assert_eq!(origin("http://[::1]:5000/").bare_host(), "::1");
    }

    #[test]
    fn queries_are_encoded() {
        let url = Url::parse("https://a.example/token").unwrap();
        let url = url.with_query("service", "my registry").with_query("scope", "repository:a/b:pull,push");
        assert_eq!(url.path, "/token?service=my%20registry&scope=repository:a/b:pull%2Cpush");
    }
}
