//! Platforms, `OS/ARCH[/VARIANT]`, and which images run on which: the rules of
//! containerd, which Docker follows too.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::Descriptor;

use super::ManifestError;

/// A platform in its normal form: `linux/amd64`, `linux/arm/v7`, `linux/arm64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    /// Empty where the architecture says it all.
    variant: String,
}

impl Platform {
    /// From its parts, in whatever way they are written.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let os = match os.to_ascii_lowercase() {
            os if os == "macos" => "darwin".to_owned(),
            os => os,
        };
        let variant = variant.to_ascii_lowercase();
        let (architecture, variant) = match (architecture.to_ascii_lowercase().as_str(), variant.as_str()) {
            ("i386", _) => ("386".to_owned(), String::new()),
            ("x86_64" | "x86-64" | "amd64", v) => {
                ("amd64".to_owned(), if v == "v1" { String::new() } else { v.to_owned() })
            }
            ("aarch64" | "arm64", v) => {
                ("arm64".to_owned(), if matches!(v, "8" | "v8") { String::new() } else { v.to_owned() })
            }
            ("armhf", _) => ("arm".to_owned(), "v7".to_owned()),
            ("armel", _) => ("arm".to_owned(), "v6".to_owned()),
            ("arm", "" | "7") => ("arm".to_owned(), "v7".to_owned()),
            ("arm", v @ ("5" | "6" | "8")) => ("arm".to_owned(), format!("v{v}")),
            (other, v) => (other.to_owned(), v.to_owned()),
        };
        Platform { os, architecture, variant }
    }

    /// That of the machine this runs on.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "loongarch64" => "loong64",
            other => other,
        };
        Platform::new("linux", architecture, "")
    }

    /// Of a descriptor in an index, if it says.
    pub fn of(descriptor: &Descriptor) -> Option<Self> {
        let platform = descriptor.platform().as_ref()?;
        let variant = platform.variant().as_deref().unwrap_or_default();
        Some(Platform::new(&platform.os().to_string(), &platform.architecture().to_string(), variant))
    }

    /// `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// `arm64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// `v7`; empty where there is none to tell.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    fn with(&self, architecture: &str, variant: String) -> Self {
        Platform { os: self.os.clone(), architecture: architecture.to_owned(), variant }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.variant.is_empty() { "" } else { "/" };
        f.pad(&format!("{}/{}{slash}{}", self.os, self.architecture, self.variant))
    }
}

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "macos",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: &[&str] = &[
    "386", "aarch64", "amd64", "arm", "arm64", "armel", "armhf", "i386", "loong64", "mips", "mips64",
    "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm", "x86-64", "x86_64",
];

impl FromStr for Platform {
    type Err = ManifestError;

    /// Reads `OS/ARCH[/VARIANT]`; a lone `OS` or `ARCH` is completed from this
    /// machine.
    fn from_str(text: &str) -> Result<Self, ManifestError> {
        let bad = || ManifestError::Platform(text.chars().take(80).collect());
        let parts: Vec<&str> = text.split('/').collect();
        let clean =
            |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !parts.iter().all(clean) {
            return Err(bad());
        }
        let host = Platform::host();
        let known = |list: &[&str], word: &str| list.contains(&word.to_ascii_lowercase().as_str());
        match parts.as_slice() {
            [one] if known(SYSTEMS, one) => Ok(Platform::new(one, &host.architecture, &host.variant)),
            [one] if known(ARCHITECTURES, one) => Ok(Platform::new(&host.os, one, "")),
            [os, architecture] => Ok(Platform::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Platform::new(os, architecture, variant)),
            _ => Err(bad()),
        }
    }
}

/// The platforms whose images run on one, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    ordered: Vec<Platform>,
}

impl Matcher {
    /// For a platform: amd64 also runs what is for 386, arm/v7 what is for
    /// arm/v6, and so on.
    pub fn new(platform: &Platform) -> Self {
        Matcher { ordered: vector(platform) }
    }

    /// For the machine this runs on.
    pub fn host() -> Self {
        Matcher::new(&Platform::host())
    }

    /// The platform asked for.
    pub fn wanted(&self) -> &Platform {
        // There is always one: the platform itself.
        &self.ordered[0]
    }

    /// How well an image fits: 0 is best, `None` is not at all.
    pub fn rank(&self, platform: &Platform) -> Option<usize> {
        self.ordered.iter().position(|p| p == platform)
    }
}

fn vector(platform: &Platform) -> Vec<Platform> {
    let mut all = vec![platform.clone()];
    let version = platform.variant.strip_prefix('v').unwrap_or(&platform.variant);
    match platform.architecture.as_str() {
        "amd64" => {
            let lower = 1..version.parse::<u8>().unwrap_or(1).min(9);
            all.extend(lower.rev().map(|v| Platform::new(&platform.os, "amd64", &format!("v{v}"))));
            all.push(platform.with("386", String::new()));
        }
        "arm" => {
            let lower = 5..version.parse::<u8>().unwrap_or(5).min(9);
            all.extend(lower.rev().map(|v| platform.with("arm", format!("v{v}"))));
        }
        "arm64" => {
            let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
            let (mut major, mut minor) =
                (major.parse::<u8>().unwrap_or(8), minor.parse::<u8>().unwrap_or(0).min(99));
            let below = |major: u8, minor: u8| {
                (0..minor)
                    .rev()
                    .map(move |m| if m == 0 { format!("v{major}") } else { format!("v{major}.{m}") })
            };
            if major == 9 {
                all.extend(below(9, minor).map(|v| Platform::new(&platform.os, "arm64", &v)));
                // v9.0 grew out of v8.5.
                (major, minor) = (8, minor + 5);
                all.push(platform.with("arm64", format!("v8.{minor}")));
            }
            if major == 8 {
                all.extend(below(8, minor).map(|v| Platform::new(&platform.os, "arm64", &v)));
                all.extend(vector(&platform.with("arm", "v8".to_owned())));
            }
        }
        _ => {}
    }
    all
}
