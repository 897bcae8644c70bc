//! The credential helper protocol: a program `docker-credential-NAME` that is
//! called with `get`, `store` or `erase`, reads its standard input and answers in
//! JSON on its standard output.

use std::io::Write;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use super::RegistryError;
use super::credentials::Credential;

/// The name that says: the secret is an identity token.
const TOKEN: &str = "<token>";
/// What helpers say of a registry that they do not know.
const UNKNOWN: &str = "credentials not found";

/// One helper.
#[derive(Debug)]
pub(super) struct Helper {
    program: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl Helper {
    /// `docker-credential-NAME`.
    pub fn new(name: &str) -> Self {
        Helper { program: format!("docker-credential-{name}") }
    }

    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What it keeps for this server.
    pub fn get(&self, server: &str) -> Result<Option<Credential>, RegistryError> {
        let (ok, out) = self.call("get", server.as_bytes())?;
        let text = String::from_utf8_lossy(&out);
        if !ok {
            let said = text.trim();
            return if said.to_ascii_lowercase().contains(UNKNOWN) {
                Ok(None)
            } else {
                Err(self.failed(if said.is_empty() { "it failed without a word" } else { said }))
            };
        }
        let found: Found = serde_json::from_slice(&out)
            .map_err(|_| self.failed("its answer is not the JSON of a credential"))?;
        Ok(match found {
            Found { secret, .. } if secret.is_empty() => None,
            Found { username, secret } if username == TOKEN => Some(Credential::IdentityToken(secret)),
            Found { username, secret } => Some(Credential::Password { user: username, password: secret }),
        })
    }

    /// Keeps a credential.
    pub fn store(&self, server: &str, credential: &Credential) -> Result<(), RegistryError> {
        let (user, secret) = match credential {
            Credential::Password { user, password } => (user.as_str(), password),
            Credential::IdentityToken(token) => (TOKEN, token),
        };
        let text = json!({ "ServerURL": server, "Username": user, "Secret": secret }).to_string();
        self.done("store", text.as_bytes())
    }

    /// Forgets what it keeps for this server.
    pub fn erase(&self, server: &str) -> Result<(), RegistryError> {
        self.done("erase", server.as_bytes())
    }

    fn done(&self, action: &str, input: &[u8]) -> Result<(), RegistryError> {
        match self.call(action, input)? {
            (true, _) => Ok(()),
            (false, out) => Err(self.failed(String::from_utf8_lossy(&out).trim())),
        }
    }

    fn call(&self, action: &str, input: &[u8]) -> Result<(bool, Vec<u8>), RegistryError> {
        let io = |e: std::io::Error| self.failed(&crate::kernel::errno::io_words(&e));
        let mut child = Command::new(&self.program)
            .arg(action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(io)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read its input is judged by its answer.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().map_err(io)?;
        Ok((output.status.success(), output.stdout))
    }

    fn failed(&self, reason: &str) -> RegistryError {
        RegistryError::Helper { program: self.program.clone(), reason: crate::image::error::quoted(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helper as a script, at a path of its own.
    fn script(dir: &tempfile::TempDir, body: &str) -> Helper {
        let path = dir.path().join("docker-credential-test");
        // Written by a child: a file that any thread has open for writing cannot be executed.
        let mut child = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{body}\n");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        Helper { program: path.to_string_lossy().into_owned() }
    }

    #[test]
    fn the_protocol() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("kept");
        let helper = script(
            &dir,
            &format!(
                r#"case $1 in
                store) cat > {0} ;;
                get) [ -f {0} ] && cat {0} || {{ echo "credentials not found in native keychain"; exit 1; }} ;;
                erase) rm {0} ;;
                esac"#,
                kept.display()
            ),
        );
        assert_eq!(helper.get("r.example").unwrap(), None);
        let credential = Credential::Password { user: "me".into(), password: "a\"b".into() };
        helper.store("r.example", &credential).unwrap();
        assert_eq!(helper.get("r.example").unwrap(), Some(credential));
        helper.store("r.example", &Credential::IdentityToken("t".into())).unwrap();
        assert_eq!(helper.get("r.example").unwrap(), Some(Credential::IdentityToken("t".into())));
        helper.erase("r.example").unwrap();
        assert_eq!(helper.get("r.example").unwrap(), None);
    }

    #[test]
    fn failures_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for (body, words) in [
            ("echo locked; exit 1", "locked"),
            ("exit 1", "without a word"),
            ("echo '<html>'", "not the JSON"),
        ] {
            let error = script(&dir, body).get("h").unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let missing = Helper::new("of-a-name-that-nobody-has").get("h").unwrap_err();
        assert!(missing.to_string().contains("no such file"), "{missing}");
        assert!(missing.hint().unwrap().contains("credsStore"));
    }
}
