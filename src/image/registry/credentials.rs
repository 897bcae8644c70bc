//! Docker's `config.json`: names and passwords by registry, and the helpers
//! that keep them elsewhere. What else is in the file stays as it is.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::RegistryError;
use super::helper::Helper;
use super::options::HUB;

/// The key of Docker Hub in the file.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// How to prove who one is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password, or an access token in its place.
        password: String,
    },
    /// A refresh token, from a login that never gave the password away.
    IdentityToken(String),
}

/// Secrets do not get into messages by accident.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Password { user, .. } => write!(f, "Password({user:?}, …)"),
            Credential::IdentityToken(_) => f.write_str("IdentityToken(…)"),
        }
    }
}

impl Credential {
    /// The value of an `Authorization` header, where it can be one.
    pub fn basic(&self) -> Option<String> {
        match self {
            Credential::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Credential::IdentityToken(_) => None,
        }
    }
}

/// Where credentials are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the file, readable by whoever can read it.
    File(PathBuf),
    /// By this helper.
    Helper(String),
}

/// The file.
#[derive(Clone, Debug)]
pub struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// The file at this path; a missing one is empty.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Credentials { path: path.into() }
    }

    /// What is known for a registry, `docker.io` or `HOST[:PORT]`.
    ///
    /// # Errors
    /// When the file or a helper cannot be used.
    pub fn get(&self, registry: &str) -> Result<Option<Credential>, RegistryError> {
        let file = self.read()?;
        if let Some(helper) = self.helper(&file, registry)?
            && let Some(found) = helper.get(key(registry))?
        {
            return Ok(Some(found));
        }
        let Some(auths) = file.get("auths").and_then(Value::as_object) else { return Ok(None) };
        let entry = auths.get(key(registry)).or_else(|| {
            auths.iter().find(|(name, _)| host_of(name) == host_of(key(registry))).map(|(_, entry)| entry)
        });
        entry.map_or(Ok(None), |entry| self.credential(registry, entry))
    }

    fn credential(&self, registry: &str, entry: &Value) -> Result<Option<Credential>, RegistryError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::IdentityToken(token.to_owned())));
        }
        if let Some(auth) = text("auth") {
            let bad = || self.bad(format!("the entry \"auth\" of {registry} is not NAME:PASSWORD in base64"));
            let plain = STANDARD.decode(auth).ok().and_then(|b| String::from_utf8(b).ok()).ok_or_else(bad)?;
            let (user, password) = plain.split_once(':').ok_or_else(bad)?;
            let password = password.trim_end_matches('\0');
            return Ok(Some(Credential::Password { user: user.to_owned(), password: password.to_owned() }));
        }
        Ok(text("username").zip(text("password")).map(|(user, password)| Credential::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        }))
    }

    /// Keeps a credential, in the helper that the file names or in the file.
    ///
    /// # Errors
    /// When the file or the helper cannot be used.
    pub fn store(&self, registry: &str, credential: &Credential) -> Result<Kept, RegistryError> {
        let mut file = self.read()?;
        let helper = self.helper(&file, registry)?;
        let entry = match (&helper, credential) {
            (Some(helper), _) => {
                helper.store(key(registry), credential)?;
                json!({})
            }
            (None, Credential::Password { user, password }) => {
                json!({ "auth": STANDARD.encode(format!("{user}:{password}")) })
            }
            (None, Credential::IdentityToken(token)) => json!({ "identitytoken": token }),
        };
        let auths = file.entry("auths").or_insert_with(|| json!({}));
        match auths.as_object_mut() {
            Some(auths) => auths.insert(key(registry).to_owned(), entry),
            None => return Err(self.bad("\"auths\" is not an object")),
        };
        self.write(&file)?;
        Ok(match helper {
            Some(helper) => Kept::Helper(helper.program().to_owned()),
            None => Kept::File(self.path.clone()),
        })
    }

    /// Forgets what is kept for a registry; whether there was anything.
    ///
    /// # Errors
    /// When the file or the helper cannot be used.
    pub fn erase(&self, registry: &str) -> Result<bool, RegistryError> {
        let mut file = self.read()?;
        let mut found = false;
        if let Some(helper) = self.helper(&file, registry)? {
            found = helper.get(key(registry))?.is_some();
            if found {
                helper.erase(key(registry))?;
            }
        }
        if let Some(auths) = file.get_mut("auths").and_then(Value::as_object_mut) {
            let before = auths.len();
            auths.retain(|name, _| host_of(name) != host_of(key(registry)));
            if auths.len() != before {
                found = true;
                self.write(&file)?;
            }
        }
        Ok(found)
    }

    fn helper(&self, file: &Map<String, Value>, registry: &str) -> Result<Option<Helper>, RegistryError> {
        let of = file
            .get("credHelpers")
            .and_then(Value::as_object)
            .and_then(|helpers| helpers.get(registry).or_else(|| helpers.get(host_of(key(registry)))));
        match of.or_else(|| file.get("credsStore")).and_then(Value::as_str).filter(|n| !n.is_empty()) {
            None => Ok(None),
            Some(name) if name.contains(['/', '\\', '\0']) => {
                Err(self.bad(format!("{name:?} is no name of a credential helper")))
            }
            Some(name) => Ok(Some(Helper::new(name))),
        }
    }

    fn read(&self) -> Result<Map<String, Value>, RegistryError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(e) => return Err(self.bad(crate::kernel::errno::io_words(&e))),
        };
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(self.bad("it is not a JSON object")),
            Err(e) => Err(self.bad(format!("it is not JSON: {e}"))),
        }
    }

    /// Beside, then renamed; for the owner's eyes only. A link stays one.
    fn write(&self, file: &Map<String, Value>) -> Result<(), RegistryError> {
        let bad = |e: std::io::Error| self.bad(crate::kernel::errno::io_words(&e));
        let target = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let dir = target.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).create(dir).map_err(bad)?;
        let mut text = Vec::new();
        let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut out = serde_json::Serializer::with_formatter(&mut text, format);
        serde::Serialize::serialize(file, &mut out).map_err(|e| self.bad(e.to_string()))?;
        let mut new = tempfile::Builder::new()
            .permissions(PermissionsExt::from_mode(0o600))
            .tempfile_in(dir)
            .map_err(bad)?;
        new.write_all(&text).map_err(bad)?;
        new.persist(&target).map_err(|e| bad(e.error))?;
        Ok(())
    }

    fn bad(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::Credentials { path: self.path.clone(), reason: reason.into() }
    }
}

/// Under what a registry is filed.
pub fn key(registry: &str) -> &str {
    if registry == HUB { HUB_KEY } else { registry }
}

/// Old entries are URLs: `https://quay.io/v1/`.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Credential {
        Credential::Password { user: user.into(), password: password.into() }
    }

    fn with(text: &str) -> (tempfile::TempDir, Credentials) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/config.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        (dir, Credentials::at(path))
    }

    #[test]
    fn entries_of_every_age_are_found() {
        let (_dir, file) = with(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0OndpdGg6Y29sb25z"},
                "https://old.example/v1/": {"auth": "YTpi"},
                "new.example:5000": {"username": "u", "password": "p"},
                "token.example": {"auth": "dTpw", "identitytoken": "long"},
                "empty.example": {}
            }}"#,
        );
        assert_eq!(file.get("docker.io").unwrap(), Some(password("me", "secret:with:colons")));
        assert_eq!(file.get("old.example").unwrap(), Some(password("a", "b")));
        assert_eq!(file.get("new.example:5000").unwrap(), Some(password("u", "p")));
        assert_eq!(file.get("token.example").unwrap(), Some(Credential::IdentityToken("long".into())));
        for none in ["empty.example", "new.example", "other.example"] {
            assert_eq!(file.get(none).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn login_and_logout_leave_the_rest_alone() {
        let (_dir, file) = with(r#"{"HttpHeaders": {"X": "y"}, "auths": {"a.example": {"auth": "YTpi"}}}"#);
        let kept = file.store("b.example", &password("n", "geheim")).unwrap();
        assert_eq!(kept, Kept::File(file.path.clone()));
        assert_eq!(file.get("b.example").unwrap(), Some(password("n", "geheim")));
        let mode = std::fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(file.erase("b.example").unwrap());
        assert!(!file.erase("b.example").unwrap());
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.contains("HttpHeaders") && text.contains("YTpi"), "{text}");
    }

    #[test]
    fn a_missing_file_is_made_and_a_broken_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = Credentials::at(dir.path().join("new/config.json"));
        assert_eq!(file.get("docker.io").unwrap(), None);
        file.store("docker.io", &password("me", "x")).unwrap();
        assert_eq!(file.get("docker.io").unwrap(), Some(password("me", "x")));
        for text in ["[]", "{", r#"{"auths": {"h": {"auth": "%%"}}}"#, r#"{"credsStore": "../evil"}"#] {
            let (_dir, file) = with(text);
            assert!(matches!(file.get("h"), Err(RegistryError::Credentials { .. })), "{text}");
        }
        let (_dir, empty) = with("\n");
        assert_eq!(empty.get("h").unwrap(), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown =
            format!("{:?} {:?}", password("me", "geheim"), Credential::IdentityToken("geheim".into()));
        assert!(!shown.contains("geheim"), "{shown}");
    }
}
