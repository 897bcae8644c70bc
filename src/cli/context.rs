//! What every command knows: the places, the language, the colours. Flags win
//! over the environment, the environment over the configuration file.

use std::env;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sha2::{Digest, Sha256};

use super::config::{self, Config};
use super::error::CliError;
use super::registry::RegistryConfig;
use crate::container::{modelled, record};
use crate::image::layers::Limits;
use crate::narrate::Lang;
use crate::spec::BridgeNetwork;

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Directory of the store [default: /var/lib/glassbox as root, else $XDG_DATA_HOME/glassbox]
    #[arg(long, global = true, value_name = "DIR", env = "GLASSBOX_ROOT")]
    root: Option<PathBuf>,
    /// Directory of run-time state [default: /run/glassbox as root, else $XDG_RUNTIME_DIR/glassbox]
    #[arg(long, global = true, value_name = "DIR", env = "GLASSBOX_RUN_ROOT")]
    run_root: Option<PathBuf>,
    /// Configuration file [default: /etc/glassbox/config.toml as root, else $XDG_CONFIG_HOME/glassbox/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = "GLASSBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Use the modelled kernel: no privileges, and nothing of the host is touched
    #[arg(long, global = true)]
    pub model: bool,
    /// Language of the narration: en or zh-CN [default: from the locale]
    #[arg(long, global = true, value_name = "LANG")]
    lang: Option<String>,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<Color>,
    /// Seed ids, names, addresses and the clock, so that output can be compared
    #[arg(long, global = true)]
    pub deterministic: bool,
    /// Name of the default bridge
    #[arg(long, global = true, value_name = "NAME")]
    bridge: Option<String>,
    /// Subnet of the default bridge, such as 10.88.0.0/16
    #[arg(long, global = true, value_name = "CIDR")]
    subnet: Option<String>,
    /// Directory of lessons to use in place of the built-in ones
    #[arg(long, global = true, value_name = "DIR")]
    lessons: Option<PathBuf>,
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When standard error is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What every command knows.
pub struct Context {
    /// The store, absolute. With the modelled kernel, the directory of what is kept of it.
    pub root: PathBuf,
    /// Run-time state of this store.
    pub run: PathBuf,
    /// Tells this store's cgroups and links from another's; empty for the default store.
    pub scope: String,
    /// The default bridge network, without ports.
    pub bridge: BridgeNetwork,
    /// Use the modelled kernel.
    pub model: bool,
    /// Language of the narration.
    pub lang: Lang,
    /// Colour the narration.
    pub color: bool,
    /// Seed everything.
    pub deterministic: bool,
    /// Where lessons are, if not built in.
    pub lessons: Option<PathBuf>,
    /// How registries are reached, by the configuration.
    pub registries: RegistryConfig,
    /// How far a layer may grow, by the configuration.
    pub limits: Limits,
}

impl Context {
    /// A container's directory: on the modelled disk with the modelled kernel.
    pub fn container_dir(&self, id: &str) -> PathBuf {
        if self.model { modelled::container_dir(id) } else { record::containers_dir(&self.root).join(id) }
    }

    /// The directory of the images: on the modelled disk with the modelled kernel.
    pub fn store(&self) -> &Path {
        if self.model { Path::new(modelled::STORE) } else { &self.root }
    }

    /// Reads flags, environment and configuration.
    pub fn new(global: Global) -> Result<Context, CliError> {
        let config = configuration(&global)?;
        let (registries, limits) = (config.of_registries()?, config.limits()?);
        let default_store = default_root("GLASSBOX", "XDG_DATA_HOME", ".local/share", "/var/lib/glassbox")?;
        let root = absolute(&global.root.or(config.root).unwrap_or_else(|| default_store.clone()))?;
        // A store that is reached by two names is one store.
        let root = root.canonicalize().unwrap_or(root);
        let default = root == default_store;
        // The modelled machine's store stands inside the real one, and shares nothing with it.
        let (root, default_run) = match global.model {
            true => (root.join("model"), Some(root.join("model/run"))),
            false => (root, None),
        };
        let run_root = match default_run.or(global.run_root).or(config.run_root) {
            Some(dir) => absolute(&dir)?,
            None if is_root() => PathBuf::from("/run/glassbox"),
            None => match env::var_os("XDG_RUNTIME_DIR") {
                Some(dir) => PathBuf::from(dir).join("glassbox"),
                None => root.join("run"),
            },
        };
        let key = key(&root);
        let default = default || global.model;
        let bridge = bridge(global.bridge.or(config.bridge), global.subnet.or(config.subnet), &key, default)?;
        let lang = match global.lang.or(config.lang) {
            None => Lang::from_locale(&sys_locale::get_locale().unwrap_or_default()),
            Some(text) => parse_lang(&text)?,
        };
        let color = match global.color.or(parse_color(config.color)?).unwrap_or_default() {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::io::IsTerminal::is_terminal(&std::io::stderr())
            }
        };
        Ok(Context {
            scope: if default { String::new() } else { key.clone() },
            run: run_root.join(key),
            root,
            bridge,
            model: global.model,
            lang,
            color,
            deterministic: global.deterministic,
            lessons: global.lessons.or(config.lessons),
            registries,
            limits,
        })
    }

    /// Where the addresses that are given out are kept.
    pub fn leases(&self) -> PathBuf {
        let run = if self.model { Path::new("/run/glassbox") } else { &self.run };
        run.join("networks").join(&self.bridge.bridge).join("leases")
    }
}

/// Whether this process may do what a container needs.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn configuration(global: &Global) -> Result<Config, CliError> {
    match &global.config {
        Some(path) => config::read(path, true),
        None if is_root() => config::read(Path::new("/etc/glassbox/config.toml"), false),
        None => match default_root("GLASSBOX", "XDG_CONFIG_HOME", ".config", "") {
            Ok(dir) => config::read(&dir.join("config.toml"), false),
            Err(_) => Ok(Config::default()),
        },
    }
}

fn default_root(_name: &str, variable: &str, below_home: &str, for_root: &str) -> Result<PathBuf, CliError> {
    if is_root() && !for_root.is_empty() {
        return Ok(PathBuf::from(for_root));
    }
    if let Some(dir) = env::var_os(variable).filter(|d| !d.is_empty()) {
        return Ok(PathBuf::from(dir).join("glassbox"));
    }
    match env::var_os("HOME").filter(|d| !d.is_empty()) {
        Some(home) => Ok(PathBuf::from(home).join(below_home).join("glassbox")),
        None => Err(CliError::new("there is no place for the store: HOME is not set")
            .hint("give --root DIR or set GLASSBOX_ROOT")),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|e| CliError::new(format!("cannot use the directory {path:?}: {e}")))
}

/// Keys the run-time state by the store, so that two stores never meet.
fn key(root: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    Sha256::digest(root.as_os_str().as_bytes())[..6].iter().map(|b| format!("{b:02x}")).collect()
}

/// The default store has `glass0`; any other has a bridge, a table and a subnet
/// of its own.
fn bridge(
    name: Option<String>,
    subnet: Option<String>,
    key: &str,
    default: bool,
) -> Result<BridgeNetwork, CliError> {
    let own = name.is_none() && !default;
    let bridge = match name {
        Some(name) if name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) => {
            return Err(CliError::new(format!("{name:?} is no name for a bridge"))
                .hint("use 1 to 15 characters without '/' and spaces"));
        }
        Some(name) => name,
        None if default => "glass0".to_owned(),
        None => format!("glass-{}", &key[..8]),
    };
    let table = if bridge == "glass0" { "glassbox".to_owned() } else { format!("glassbox-{bridge}") };
    let number = u16::from_str_radix(&key[8..12], 16).unwrap_or(0);
    let (subnet, prefix) = match subnet {
        Some(text) => parse_subnet(&text)?,
        // Three digits each: texts with an address are as long in one store as in another.
        None if own => (Ipv4Addr::new(10, 200 + (number >> 8) as u8 % 55, 100 + number as u8 % 155, 0), 24),
        None => (Ipv4Addr::new(10, 189, 0, 0), 16),
    };
    let gateway = Ipv4Addr::from(u32::from(subnet) + 1);
    Ok(BridgeNetwork { bridge, table, subnet, prefix, gateway, ports: Vec::new() })
}

fn parse_subnet(text: &str) -> Result<(Ipv4Addr, u8), CliError> {
    let parsed =
        text.split_once('/').and_then(|(a, p)| Some((a.parse::<Ipv4Addr>().ok()?, p.parse::<u8>().ok()?)));
    match parsed {
        Some((address, prefix)) if (8..=29).contains(&prefix) => {
            let mask = u32::MAX << (32 - prefix);
            Ok((Ipv4Addr::from(u32::from(address) & mask), prefix))
        }
        _ => Err(CliError::new(format!("{text:?} is no subnet"))
            .hint("such as --subnet 10.88.0.0/16; prefix 8 to 29")),
    }
}

/// A language that the user named.
pub fn parse_lang(text: &str) -> Result<Lang, CliError> {
    match text {
        "en" => Ok(Lang::En),
        "zh-CN" | "zh_CN" | "zh" => Ok(Lang::ZhCn),
        _ => Err(CliError::new(format!("unknown language {text:?}")).hint("en or zh-CN").status(125)),
    }
}

fn parse_color(text: Option<String>) -> Result<Option<Color>, CliError> {
    text.map(|t| {
        Color::from_str(&t, true)
            .map_err(|_| CliError::new(format!("color = {t:?} is not auto, always or never")))
    })
    .transpose()
}
