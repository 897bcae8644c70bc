//! Mount options as mount(8) and the OCI runtime specification write them, as
//! flags of mount(2), attributes of mount_setattr(2) and data for the file
//! system.

use nix::mount::MsFlags;

/// The words for flags: name, the flag, and whether the word sets or clears it.
const WORDS: &[(&str, MsFlags, bool)] = &[
    ("ro", MsFlags::MS_RDONLY, true),
    ("rw", MsFlags::MS_RDONLY, false),
    ("nosuid", MsFlags::MS_NOSUID, true),
    ("suid", MsFlags::MS_NOSUID, false),
    ("nodev", MsFlags::MS_NODEV, true),
    ("dev", MsFlags::MS_NODEV, false),
    ("noexec", MsFlags::MS_NOEXEC, true),
    ("exec", MsFlags::MS_NOEXEC, false),
    ("sync", MsFlags::MS_SYNCHRONOUS, true),
    ("async", MsFlags::MS_SYNCHRONOUS, false),
    ("dirsync", MsFlags::MS_DIRSYNC, true),
    ("mand", MsFlags::MS_MANDLOCK, true),
    ("nomand", MsFlags::MS_MANDLOCK, false),
    ("noatime", MsFlags::MS_NOATIME, true),
    ("atime", MsFlags::MS_NOATIME, false),
    ("nodiratime", MsFlags::MS_NODIRATIME, true),
    ("diratime", MsFlags::MS_NODIRATIME, false),
    ("relatime", MsFlags::MS_RELATIME, true),
    ("norelatime", MsFlags::MS_RELATIME, false),
    ("strictatime", MsFlags::MS_STRICTATIME, true),
    ("remount", MsFlags::MS_REMOUNT, true),
    ("bind", MsFlags::MS_BIND, true),
];

const PROPAGATION: &[(&str, MsFlags, bool)] = &[
    ("private", MsFlags::MS_PRIVATE, false),
    ("rprivate", MsFlags::MS_PRIVATE, true),
    ("slave", MsFlags::MS_SLAVE, false),
    ("rslave", MsFlags::MS_SLAVE, true),
    ("shared", MsFlags::MS_SHARED, false),
    ("rshared", MsFlags::MS_SHARED, true),
    ("unbindable", MsFlags::MS_UNBINDABLE, false),
    ("runbindable", MsFlags::MS_UNBINDABLE, true),
];

/// Options, sorted out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOptions {
    /// Flags of mount(2), without propagation.
    pub flags: MsFlags,
    /// Propagation of the mount, and whether of all mounts below too.
    pub propagation: Option<(MsFlags, bool)>,
    /// What the file system itself must understand, joined by commas.
    pub data: String,
}

impl MountOptions {
    /// Sorts options out; a later word overrides an earlier one.
    pub fn parse<S: AsRef<str>>(options: &[S]) -> Self {
        let mut parsed = MountOptions { flags: MsFlags::empty(), propagation: None, data: String::new() };
        for word in options.iter().map(AsRef::as_ref) {
            if let Some((_, flag, on)) = WORDS.iter().find(|w| w.0 == word) {
                parsed.flags.set(*flag, *on);
            } else if let Some((_, flag, all)) = PROPAGATION.iter().find(|w| w.0 == word) {
                parsed.propagation = Some((*flag, *all));
            } else if word != "defaults" && word != "rbind" && !word.is_empty() {
                if !parsed.data.is_empty() {
                    parsed.data.push(',');
                }
                parsed.data.push_str(word);
            }
        }
        parsed
    }

    /// The flags as `MOUNT_ATTR_*` bits of mount_setattr(2).
    pub fn attributes(&self) -> u64 {
        [
            (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
            (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
            (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
            (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
            (MsFlags::MS_NOATIME, libc::MOUNT_ATTR_NOATIME),
            (MsFlags::MS_STRICTATIME, libc::MOUNT_ATTR_STRICTATIME),
            (MsFlags::MS_NODIRATIME, libc::MOUNT_ATTR_NODIRATIME),
        ]
        .iter()
        .filter(|(flag, _)| self.flags.contains(*flag))
        .fold(0, |bits, (_, bit)| bits | *bit)
    }
}

/// Flags as `MS_NOSUID|MS_NODEV`, or 0.
pub fn flag_names(flags: MsFlags) -> String {
    let names: Vec<&str> = flags.iter_names().map(|(name, _)| name).collect();
    if names.is_empty() { "0".to_owned() } else { names.join("|") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_flags_and_data() {
        let table: &[(&[&str], MsFlags, &str)] = &[
            (&[], MsFlags::empty(), ""),
            (&["defaults"], MsFlags::empty(), ""),
            (&["nosuid", "noexec", "nodev"], MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV, ""),
            (&["ro", "rw"], MsFlags::empty(), ""),
            (&["nosuid", "mode=755", "size=65536k"], MsFlags::MS_NOSUID, "mode=755,size=65536k"),
            (&["newinstance", "gid=5", "rw"], MsFlags::empty(), "newinstance,gid=5"),
        ];
        for (options, flags, data) in table {
            let parsed = MountOptions::parse(options);
            assert_eq!((parsed.flags, parsed.data.as_str()), (*flags, *data), "{options:?}");
        }
    }

    #[test]
    fn propagation_is_kept_apart_from_flags() {
        let parsed = MountOptions::parse(&["rbind", "ro", "rslave"]);
        assert_eq!(parsed.flags, MsFlags::MS_RDONLY);
        assert_eq!(parsed.propagation, Some((MsFlags::MS_SLAVE, true)));
        assert_eq!(parsed.attributes(), libc::MOUNT_ATTR_RDONLY);
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(flag_names(MsFlags::empty()), "0");
        assert_eq!(flag_names(MsFlags::MS_REC | MsFlags::MS_SLAVE), "MS_REC|MS_SLAVE");
    }
}
