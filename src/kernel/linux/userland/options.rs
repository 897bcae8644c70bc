//! Options as mount(8) takes them.

use nix::mount::MsFlags;

/// Flags and the rest, from options as mount(8) takes them.
pub fn mount_options(options: &str) -> (nix::mount::MsFlags, String) {
    let mut flags = MsFlags::empty();
    let mut data = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let (flag, on) = match option {
            "ro" => (MsFlags::MS_RDONLY, true),
            "rw" => (MsFlags::MS_RDONLY, false),
            "nosuid" => (MsFlags::MS_NOSUID, true),
            "suid" => (MsFlags::MS_NOSUID, false),
            "nodev" => (MsFlags::MS_NODEV, true),
            "dev" => (MsFlags::MS_NODEV, false),
            "noexec" => (MsFlags::MS_NOEXEC, true),
            "exec" => (MsFlags::MS_NOEXEC, false),
            "noatime" => (MsFlags::MS_NOATIME, true),
            "relatime" => (MsFlags::MS_RELATIME, true),
            "bind" => (MsFlags::MS_BIND, true),
            "rbind" => (MsFlags::MS_BIND | MsFlags::MS_REC, true),
            "move" => (MsFlags::MS_MOVE, true),
            "remount" => (MsFlags::MS_REMOUNT, true),
            "private" => (MsFlags::MS_PRIVATE, true),
            "rprivate" => (MsFlags::MS_PRIVATE | MsFlags::MS_REC, true),
            "shared" => (MsFlags::MS_SHARED, true),
            "rshared" => (MsFlags::MS_SHARED | MsFlags::MS_REC, true),
            "slave" => (MsFlags::MS_SLAVE, true),
            "rslave" => (MsFlags::MS_SLAVE | MsFlags::MS_REC, true),
            "defaults" => continue,
            other => {
                data.push(other);
                continue;
            }
        };
        flags.set(flag, on);
    }
    (flags, data.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_mount() {
        let (flags, data) = mount_options("ro,nosuid,size=1m,mode=755,rw");
        assert_eq!(flags, MsFlags::MS_NOSUID);
        assert_eq!(data, "size=1m,mode=755");
    }
}
