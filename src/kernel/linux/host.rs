//! What the planner must know of this host.

use std::path::Path;

use crate::kernel::{CgroupMount, Errno, Failure, HostFacts};
use crate::plan::op::{CgroupVersion, OverlayStyle};

/// Controllers of cgroup v1; what else stands among the options of a mount is
/// an option of the file system.
const V1_CONTROLLERS: [&str; 14] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
];

/// Reads them. Nothing on the host changes.
pub fn facts() -> Result<HostFacts, Failure> {
    Ok(HostFacts {
        cgroups: cgroups()?,
        overlay: overlay_style(),
        resolv_conf: resolv_conf()?,
        cpus: cpus(),
        capabilities: capabilities(),
        time_namespace: Path::new("/proc/self/ns/time").exists(),
        mapped_layers: version(&release()) >= (6, 15),
    })
}

/// What this process may hand on: even root can lack some, in a container or a
/// virtual machine.
fn capabilities() -> u64 {
    rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits())
}

/// The release of the running kernel, as `uname -r` prints it.
pub fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn read(path: &str) -> Result<String, Failure> {
    super::evidence::text_of(path).map_err(|e| Failure::new(format!("read {path}"), Some(Errno::from(e))))
}

fn cgroups() -> Result<Vec<CgroupMount>, Failure> {
    let mounts =
        read("/proc/self/mountinfo").map_err(|f| f.hint("glassbox needs /proc: mount -t proc proc /proc"))?;
    let mut found = parse_mounts(&mounts);
    for mount in found.iter_mut().filter(|m| m.version == CgroupVersion::V2) {
        let text = read(&format!("{}/cgroup.controllers", mount.mount)).unwrap_or_default();
        mount.controllers = text.split_whitespace().map(str::to_owned).collect();
    }
    Ok(found)
}

/// The cgroup hierarchies of a mountinfo text, proc_pid_mountinfo(5). Each once,
/// at its first mount point; v2 with its controllers left open.
fn parse_mounts(mountinfo: &str) -> Vec<CgroupMount> {
    let mut found: Vec<CgroupMount> = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let Some(mount) = before.split(' ').nth(4).map(unescape) else { continue };
        let mut after = after.split(' ');
        let (fstype, options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
        let (version, controllers) = match fstype {
            "cgroup2" => (CgroupVersion::V2, Vec::new()),
            "cgroup" => {
                let of = |o: &&str| V1_CONTROLLERS.contains(o);
                (CgroupVersion::V1, options.split(',').filter(of).map(str::to_owned).collect())
            }
            _ => continue,
        };
        // A named hierarchy (name=systemd) has no controller and serves no limit.
        let serves = version == CgroupVersion::V2 || !controllers.is_empty();
        let twice = found.iter().any(|m| m.version == version && m.controllers == controllers);
        if serves && !twice {
            found.push(CgroupMount { version, mount, controllers });
        }
    }
    found
}

/// Undoes the octal escapes for blanks in a path.
fn unescape(path: &str) -> String {
    let mut plain = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).and_then(|d| std::str::from_utf8(d).ok());
        match octal.and_then(|d| u8::from_str_radix(d, 8).ok()).filter(|_| bytes[at] == b'\\') {
            Some(byte) => {
                plain.push(byte);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// How overlayfs takes its layers: one at a time since Linux 6.8. The version is
/// trusted, because asking the kernel costs milliseconds: letting go of a
/// context of overlayfs waits for every CPU (RCU).
fn overlay_style() -> OverlayStyle {
    if version(&release()) >= (6, 8) { OverlayStyle::Detached } else { OverlayStyle::Options }
}

/// `6.8.0-45-generic` as numbers.
fn version(release: &str) -> (u32, u32) {
    let mut parts = release.split(['.', '-']).map_while(|p| p.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// As a container should see it. Where systemd-resolved is the name server, its stub on loopback is
/// of no use in another network namespace: the servers behind it are.
fn resolv_conf() -> Result<String, Failure> {
    let text = match std::fs::read_to_string("/etc/resolv.conf") {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Failure::new("read /etc/resolv.conf", Some(Errno::from(e)))),
    };
    if only_stub(&text)
        && let Ok(behind) = std::fs::read_to_string("/run/systemd/resolve/resolv.conf")
    {
        return Ok(behind);
    }
    Ok(text)
}

/// The one name server is systemd-resolved's stub.
fn only_stub(text: &str) -> bool {
    let mut servers = text.lines().filter_map(|l| l.trim().strip_prefix("nameserver")).map(str::trim);
    servers.next() == Some("127.0.0.53") && servers.next().is_none()
}

/// CPUs that are online, whatever this process is bound to.
fn cpus() -> u32 {
    // SAFETY: sysconf only reads, and takes any name.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(online).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(mounts: &[CgroupMount]) -> Vec<String> {
        mounts.iter().map(|m| format!("{:?} {} {}", m.version, m.mount, m.controllers.join("+"))).collect()
    }

    #[test]
    fn layouts_are_read_from_mountinfo() {
        let hybrid = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:32 / /elsewhere rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/a,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:1 master:2 - cgroup2 cgroup2 rw
";
        assert_eq!(
            show(&parse_mounts(hybrid)),
            [
                "V1 /sys/fs/cgroup/cpu,cpuacct cpu+cpuacct",
                "V1 /sys/fs/cgroup/memory memory",
                "V2 /sys/fs/cgroup/uni fied "
            ]
        );
        let v2 = "25 18 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 none rw,nsdelegate,memory_recursiveprot\n";
        assert_eq!(show(&parse_mounts(v2)), ["V2 /sys/fs/cgroup "]);
        assert!(parse_mounts("").is_empty());
        assert!(parse_mounts("nonsense\n1 2 - cgroup\n").is_empty());
    }

    #[test]
    fn this_host_has_facts() {
        let facts = facts().unwrap();
        assert!(facts.cpus >= 1);
        assert!(!release().is_empty());
        assert_eq!(release(), std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim());
    }

    /// The option is set on a context that is thrown away. Linux 6.5 to 6.7 do not know its name
    /// and refuse it; before, overlayfs looked at no option until it was mounted and took any name,
    /// also one that nobody has. Also run in the virtual machine with Linux 6.1.
    #[test]
    #[ignore = "root"]
    fn the_overlay_style_is_what_the_kernel_says() {
        use rustix::mount::{FsOpenFlags, fsconfig_set_string, fsopen};
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        let takes = |name| fsconfig_set_string(&context, name, "/").is_ok();
        let one_at_a_time = takes("lowerdir+") && !takes("glassbox-asks");
        assert_eq!(overlay_style() == OverlayStyle::Detached, one_at_a_time, "{}", release());
    }

    #[test]
    fn releases_have_versions() {
        for (release, numbers) in [
            ("6.18.5", (6, 18)),
            ("6.8.0-45-generic", (6, 8)),
            ("6.1", (6, 1)),
            ("7-rc1", (7, 0)),
            ("", (0, 0)),
        ] {
            assert_eq!(version(release), numbers, "{release}");
        }
    }

    #[test]
    fn a_stub_resolver_is_known() {
        let table = [
            ("nameserver 127.0.0.53\noptions edns0\n", true),
            ("nameserver 127.0.0.53\nnameserver 9.9.9.9\n", false),
            ("nameserver 192.0.2.1\n", false),
            ("", false),
        ];
        for (text, stub) in table {
            assert_eq!(only_stub(text), stub, "{text:?}");
        }
    }
}
