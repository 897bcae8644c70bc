//! `WWW-Authenticate`: what the registry wants, RFC 9110 section 11.6.1 and the
//! distribution project's token specification.

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password with each request, RFC 7617.
    Basic,
    /// A token, to be fetched from the realm, RFC 6750.
    Bearer {
        /// URL of the token service.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What it has to allow.
        scope: Option<String>,
        /// `insufficient_scope`, `invalid_token`.
        error: Option<String>,
    },
    /// A scheme that is not spoken here, in lower case.
    Other(String),
}

/// Reads the header's value, which may hold several challenges. Text that fits
/// no grammar is passed over: a challenge that cannot be read cannot be met.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut rest = Text { bytes: header.as_bytes(), at: 0 };
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    loop {
        rest.skip(|b| b == b' ' || b == b'\t' || b == b',');
        let word = rest.token();
        if word.is_empty() {
            // Neither a scheme nor a parameter can begin here.
            if rest.next().is_none() {
                break;
            }
            continue;
        }
        let mark = rest.at;
        rest.skip(|b| b == b' ' || b == b'\t');
        if rest.peek() == Some(b'=') && !found.is_empty() {
            rest.next();
            rest.skip(|b| b == b' ' || b == b'\t');
            let value = rest.value();
            if let Some((_, parameters)) = found.last_mut() {
                parameters.push((word.to_ascii_lowercase(), value));
            }
        } else {
            rest.at = mark;
            found.push((word.to_ascii_lowercase(), Vec::new()));
        }
    }
    found.into_iter().map(|(scheme, parameters)| challenge(scheme, parameters)).collect()
}

fn challenge(scheme: String, parameters: Vec<(String, String)>) -> Challenge {
    let get = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    match scheme.as_str() {
        "basic" => Challenge::Basic,
        "bearer" => match get("realm") {
            Some(realm) => {
                Challenge::Bearer { realm, service: get("service"), scope: get("scope"), error: get("error") }
            }
            None => Challenge::Other(scheme),
        },
        _ => Challenge::Other(scheme),
    }
}

struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&what) {
            self.at += 1;
        }
    }

    fn token(&mut self) -> String {
        let start = self.at;
        self.skip(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    /// A quoted string, or a token. Unquoted values of some registries hold
    /// colons and slashes: up to the next comma or space.
    fn value(&mut self) -> String {
        if self.peek() != Some(b'"') {
            let start = self.at;
            self.skip(|b| !matches!(b, b',' | b' ' | b'\t'));
            return String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        }
        self.next();
        let mut out = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'"' => break,
                b'\\' => out.extend(self.next()),
                _ => out.push(byte),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |t: Option<&str>| t.map(str::to_owned);
        Challenge::Bearer { realm: realm.into(), service: own(service), scope: own(scope), error: None }
    }

    #[test]
    fn headers_of_real_registries() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/box:pull,push""#;
        assert_eq!(
            parse(hub),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/box:pull,push")
            )]
        );
        assert_eq!(parse(r#"Basic realm="Registry Realm""#), [Challenge::Basic]);
        assert_eq!(parse("basic"), [Challenge::Basic]);
    }

    #[test]
    fn shapes_that_the_grammar_allows() {
        for (header, expected) in [
            (r#"BEARER realm = "r" , service=s"#, vec![bearer("r", Some("s"), None)]),
            (r#"Bearer realm="a\"b""#, vec![bearer("a\"b", None, None)]),
            (
                r#"Negotiate, Basic realm="x", Bearer realm="r""#,
                vec![Challenge::Other("negotiate".into()), Challenge::Basic, bearer("r", None, None)],
            ),
            ("Bearer realm=https://r/token,service=s", vec![bearer("https://r/token", Some("s"), None)]),
        ] {
            assert_eq!(parse(header), expected, "{header}");
        }
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for header in ["", ",,,", "=", "\"", "Bearer", "Bearer realm", "Bearer =x", "\u{e9}\u{e9}"] {
            assert!(
                parse(header).iter().all(|c| matches!(c, Challenge::Other(_))),
                "{header:?}: {:?}",
                parse(header)
            );
        }
    }
}
