//! `glassbox login` and `glassbox logout`

use std::io::{BufRead, IsTerminal, Read, Write};

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output;
use super::registry::{self, RegistryArgs};
use crate::image::registry::credentials::{Credential, Credentials, HUB_KEY, Kept};
use crate::image::registry::options::HUB;
use crate::image::registry::{Client, RegistryError};

/// Log in to a registry; the credentials are kept where Docker keeps them
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password; other users can see it in the list of processes
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Take the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    /// HOST[:PORT] [default: Docker Hub]
    server: Option<String>,
}

/// Log out from a registry: forget its credentials
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// HOST[:PORT] [default: Docker Hub]
    server: Option<String>,
}

/// Runs `login`.
pub fn login(context: &Context, args: &LoginArgs) -> Result<u8, CliError> {
    let host = registry::host(args.server.as_deref());
    let options = registry::options(context, &args.registry);
    let kept = file(&options.credentials)?;
    let known = kept.get(&host)?;
    let client = Client::new(options);
    if args.username.is_none() && args.password.is_none() && !args.password_stdin {
        if let Some(known) = known {
            output::note("authenticating with existing credentials");
            match client.login(&host, known) {
                Ok(()) => {
                    output::print("Login Succeeded\n")?;
                    return Ok(0);
                }
                Err(RegistryError::Unauthorized { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        if host == HUB {
            output::note("log in with your Docker ID; without one, make it at https://hub.docker.com");
        }
    }
    if args.password.is_some() {
        output::note("using --password via the command line is insecure: use --password-stdin");
    }
    let user = match &args.username {
        Some(user) => user.clone(),
        None if args.password_stdin => {
            return Err(CliError::new("--password-stdin needs --username"));
        }
        None => ask("Username: ", true)?,
    };
    let password = match &args.password {
        Some(password) => password.clone(),
        None if args.password_stdin => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .take(64 * 1024)
                .read_to_string(&mut text)
                .map_err(|e| CliError::new(format!("cannot read the password: {e}")))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => ask("Password: ", false)?,
    };
    if user.is_empty() || password.is_empty() {
        return Err(CliError::new("a name and a password are needed: one of them is empty"));
    }
    let credential = Credential::Password { user, password };
    client.login(&host, credential.clone())?;
    if let Kept::File(path) = kept.store(&host, &credential)? {
        output::note(&format!(
            "the password is kept unencrypted in {}: a credential helper keeps it better",
            path.display()
        ));
    }
    output::print("Login Succeeded\n")?;
    Ok(0)
}

/// Runs `logout`.
pub fn logout(context: &Context, args: &LogoutArgs) -> Result<u8, CliError> {
    let host = registry::host(args.server.as_deref());
    let kept = file(&registry::options(context, &RegistryArgs::default()).credentials)?;
    let shown = if host == HUB { HUB_KEY } else { &host };
    output::print(&match kept.erase(&host)? {
        true => format!("Removing login credentials for {shown}\n"),
        false => format!("Not logged in to {shown}\n"),
    })?;
    Ok(0)
}

fn file(path: &Option<std::path::PathBuf>) -> Result<Credentials, CliError> {
    match path {
        Some(path) => Ok(Credentials::at(path)),
        None => Err(CliError::new("there is no place for credentials: HOME is not set")
            .hint("set DOCKER_CONFIG to a directory")),
    }
}

/// Asks on the terminal, with or without showing what is typed.
fn ask(question: &str, shown: bool) -> Result<String, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::new("cannot ask for a name and a password: standard input is no terminal")
            .hint("give --username and --password-stdin"));
    }
    let failed = |e: std::io::Error| CliError::new(format!("cannot read from the terminal: {e}"));
    let mut err = std::io::stderr();
    write!(err, "{question}").and_then(|()| err.flush()).map_err(failed)?;
    let before = rustix::termios::tcgetattr(&stdin).map_err(|e| failed(e.into()))?;
    if !shown {
        let mut silent = before.clone();
        silent.local_modes.remove(rustix::termios::LocalModes::ECHO);
        set(&silent).map_err(failed)?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if !shown {
        set(&before).and_then(|()| writeln!(err)).map_err(failed)?;
    }
    read.map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn set(attributes: &rustix::termios::Termios) -> std::io::Result<()> {
    rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Flush, attributes)
        .map_err(Into::into)
}
