//! `glassbox login` and `glassbox logout`

use std::io::{BufRead, IsTerminal, Read, Write};

use clap::Args;

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::registry::{self, RegistryArgs};
use super::{output, single};
use crate::image::registry::credentials::{Credential, Credentials, HUB_KEY, Kept};
use crate::image::registry::options::HUB;
use crate::plan::image::ImageOp;

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
    #[command(flatten)]
    action: ActionArgs,
    /// HOST[:PORT] [default: Docker Hub]
    server: Option<String>,
}

/// Log out from a registry: forget its credentials
#[derive(Debug, Args)]
pub struct LogoutArgs {
    #[command(flatten)]
    action: ActionArgs,
    /// HOST[:PORT] [default: Docker Hub]
    server: Option<String>,
}

/// Runs `login`.
pub fn login(context: &Context, args: &LoginArgs) -> Result<u8, CliError> {
    let host = registry::host(args.server.as_deref());
    let options = registry::options(context, &args.registry);
    let config = place(&options.credentials)?;
    let known = Credentials::at(&config).get(&host)?;
    if args.username.is_none() && args.password.is_none() && !args.password_stdin {
        if let Some(known) = known {
            output::note("authenticating with existing credentials");
            let steps = vec![try_credential(&host, &known)];
            let (status, tried) =
                single::ask(context, &args.action, options.clone(), steps, |s| s.credential = Some(known))?;
            if status == 0 {
                output::print("Login Succeeded\n")?;
            }
            // Only a refusal leads to another question.
            if status == 0 || !tried.refused {
                return Ok(status);
            }
        }
        if host == HUB {
            output::note("log in with your Docker ID; without one, make it at https://hub.docker.com");
        }
    }
    if args.password.is_some() {
        output::note("using --password via the command line is insecure: use --password-stdin");
    }
    let credential = asked(args)?;
    let keep = ImageOp::KeepCredential {
        registry: host.clone(),
        user: name_of(&credential),
        config: config.to_string_lossy().into_owned(),
    };
    let steps = vec![try_credential(&host, &credential), ("keep-credential".to_owned(), keep)];
    let (status, done) =
        single::ask(context, &args.action, options, steps, |s| s.credential = Some(credential))?;
    if status != 0 {
        return Ok(status);
    }
    if let Some(Kept::File(path)) = done.kept {
        output::note(&format!(
            "the password is kept unencrypted in {}: a credential helper keeps it better",
            path.display()
        ));
    }
    output::print("Login Succeeded\n")?;
    Ok(0)
}

fn try_credential(host: &str, credential: &Credential) -> (String, ImageOp) {
    let op = ImageOp::TryCredential { registry: host.to_owned(), user: name_of(credential) };
    ("try-credential".to_owned(), op)
}

/// Who logs in; a token has no name.
fn name_of(credential: &Credential) -> String {
    match credential {
        Credential::Password { user, .. } => user.clone(),
        Credential::IdentityToken(_) => "<token>".to_owned(),
    }
}

/// Name and password, from the flags, standard input or the terminal.
fn asked(args: &LoginArgs) -> Result<Credential, CliError> {
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
    Ok(Credential::Password { user, password })
}

/// Runs `logout`.
pub fn logout(context: &Context, args: &LogoutArgs) -> Result<u8, CliError> {
    let host = registry::host(args.server.as_deref());
    let options = registry::options(context, &RegistryArgs::default());
    let config = place(&options.credentials)?.to_string_lossy().into_owned();
    let shown = if host == HUB { HUB_KEY } else { &host };
    let op = ImageOp::ForgetCredential { registry: host.clone(), config };
    let steps = vec![("forget-credential".to_owned(), op)];
    let (status, done) = single::ask(context, &args.action, options, steps, |_| {})?;
    if status == 0 {
        output::print(&match done.forgotten {
            true => format!("Removing login credentials for {shown}\n"),
            false => format!("Not logged in to {shown}\n"),
        })?;
    }
    Ok(status)
}

fn place(path: &Option<std::path::PathBuf>) -> Result<std::path::PathBuf, CliError> {
    match path {
        Some(path) => Ok(path.clone()),
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
