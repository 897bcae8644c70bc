//! Which system calls change something, by section 2 of the manual.

use super::netlink;
use super::strace::Seen;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes the kernel, a file system, or what a later program inherits.
    Changes,
    /// It changes only what dies with the caller: its descriptors, its signals,
    /// its locks. Compared where it is told; init has to tell it, because the
    /// command inherits some of it.
    Own,
    /// It changes nothing that outlives it.
    Reads,
    /// Not on these lists: the test fails until somebody has thought about it.
    Unknown,
}

/// Never of interest; strace does not even write these down. `sendmsg` is how
/// runtime and init speak to each other; requests to the kernel go by `sendto`.
pub const READS: &[&str] = &[
    "access", "arch_prctl", "brk", "capget", "clock_gettime", "clock_nanosleep", "close", "epoll_wait", "eventfd2",
    "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fcntl", "fgetxattr", "fstat", "fstatfs", "fsync", "fdatasync",
    "futex", "get_robust_list", "getcwd", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getpgrp", "getpid",
    "getppid", "getrandom", "getresgid", "getresuid", "getrlimit", "getsockname", "getsockopt", "gettid", "getuid",
    "getxattr", "lgetxattr", "listxattr", "llistxattr", "lseek", "lstat", "madvise", "membarrier", "mmap", "mprotect",
    "mremap", "munmap", "nanosleep", "newfstatat", "poll", "ppoll", "pread64", "pselect6", "read", "readlink",
    "readlinkat", "readv", "recvfrom", "recvmsg", "restart_syscall", "rseq", "rt_sigpending", "rt_sigreturn",
    "sched_getaffinity", "sched_yield", "sendmsg", "set_robust_list", "set_tid_address", "sigaltstack", "stat", "statfs",
    "statx", "sysinfo", "uname", "wait4",
];

const CHANGES: &[&str] = &[
    "acct", "adjtimex", "capset", "chdir", "chmod", "chown", "chroot", "clock_settime", "clone", "close_range",
    "copy_file_range", "creat", "delete_module", "dup2", "dup3", "execve", "execveat", "fallocate", "fchdir", "fchmod",
    "fchmodat", "fchmodat2", "fchown", "fchownat", "finit_module", "fork", "fremovexattr", "fsconfig", "fsetxattr",
    "fsmount", "fsopen", "fspick", "ftruncate", "futimesat", "init_module", "ioprio_set", "kexec_load", "keyctl", "lchown",
    "link", "linkat", "listen", "lremovexattr", "lsetxattr", "mkdir", "mkdirat", "mknod", "mknodat", "mount",
    "mount_setattr", "move_mount", "personality", "pidfd_send_signal", "pivot_root", "pwrite64", "pwritev", "pwritev2",
    "reboot", "removexattr", "rename", "renameat", "renameat2", "rmdir", "rt_sigqueueinfo", "sched_setaffinity",
    "sched_setscheduler", "sendfile", "sendmmsg", "setdomainname", "setfsgid", "setfsuid", "setgid", "setgroups", "sethostname",
    "setns", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "settimeofday",
    "setuid", "setxattr", "splice", "swapoff", "swapon", "symlink", "symlinkat", "syslog", "tgkill", "tkill", "truncate",
    "umask", "umount2", "unlink", "unlinkat", "unshare", "utime", "utimensat", "utimes", "vfork", "write", "writev",
];

const OWN: &[&str] = &[
    "connect", "dup", "epoll_create1", "epoll_ctl", "flock", "memfd_create", "pidfd_open", "pipe2", "setsockopt", "shutdown",
    "signalfd4", "socket", "socketpair", "waitid",
];

/// Sorts a call. Where the name does not decide, the arguments do.
pub fn kind(seen: &Seen) -> Kind {
    let has = |n: usize, word: &str| seen.arg(n).split('|').any(|w| w == word);
    let when = |changes: bool| if changes { Kind::Changes } else { Kind::Reads };
    match seen.name.as_str() {
        "open" => when(has(1, "O_CREAT") || has(1, "O_TRUNC") || has(1, "O_TMPFILE")),
        "openat" => when(has(2, "O_CREAT") || has(2, "O_TRUNC") || has(2, "O_TMPFILE")),
        "openat2" => when(["O_CREAT", "O_TRUNC", "O_TMPFILE"].iter().any(|f| seen.arg(2).contains(f))),
        "open_tree" => when(has(2, "OPEN_TREE_CLONE")),
        "clone3" if seen.arg(0).contains("CLONE_THREAD") => Kind::Own,
        "clone3" => Kind::Changes,
        "prctl" if seen.arg(0).starts_with("PR_GET_") => Kind::Reads,
        "prctl" => match seen.arg(0) {
            "PR_CAPBSET_READ" | "PR_SET_VMA" | "PR_SET_NAME" => Kind::Reads,
            "PR_CAP_AMBIENT" => when(!has(1, "PR_CAP_AMBIENT_IS_SET")),
            _ => Kind::Changes,
        },
        "prlimit64" => when(seen.arg(2) != "NULL"),
        "rt_sigaction" if seen.arg(1) == "NULL" => Kind::Reads,
        "rt_sigprocmask" if seen.arg(1) == "NULL" => Kind::Reads,
        "rt_sigaction" | "rt_sigprocmask" => Kind::Own,
        "kill" => when(seen.arg(1) != "0"),
        "seccomp" => when(seen.arg(0).starts_with("SECCOMP_SET_MODE")),
        "bpf" => when(!seen.arg(0).ends_with("QUERY") && !seen.arg(0).contains("GET")),
        "bind" if seen.arg(1).contains("sa_family=AF_INET") => Kind::Changes,
        "bind" => Kind::Own,
        "sendto" => when(netlink::types(seen).iter().any(|t| !netlink::asks(t))),
        "ioctl" => match seen.arg(1) {
            "TCGETS" | "TIOCGWINSZ" | "FIONREAD" | "TIOCGPTN" | "FIOCLEX" => Kind::Reads,
            "FIONBIO" => Kind::Own,
            "TIOCSCTTY" | "TIOCSPTLCK" | "TIOCGPTPEER" | "TIOCSWINSZ" | "TCSETS" | "TCSETSW" | "TCSETSF" => {
                Kind::Changes
            }
            _ => Kind::Unknown,
        },
        name if CHANGES.contains(&name) => Kind::Changes,
        name if OWN.contains(&name) => Kind::Own,
        name if READS.contains(&name) => Kind::Reads,
        _ => Kind::Unknown,
    }
}
