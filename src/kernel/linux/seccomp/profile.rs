//! What the default filter allows: equal in effect to Docker's default profile
//! (moby/profiles as of the middle of 2026). Only data; `assemble` gives it its meaning.
//! The build script includes this file: it depends on nothing.
//!
//! Everything not named here is refused with EPERM; numbers past the newest
//! call known here with ENOSYS, so that a C library tries its older way.

/// Allowed to every container, with any arguments.
pub const ALWAYS: &[&str] = &[
    // Opening, reading and writing files.
    "open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev",
    "preadv2 pwritev2 lseek _llseek dup dup2 dup3 fcntl fcntl64 ioctl flock fsync fdatasync sync syncfs",
    "sync_file_range fallocate ftruncate ftruncate64 truncate truncate64 readahead fadvise64 fadvise64_64",
    "copy_file_range sendfile sendfile64 splice tee vmsplice cachestat memfd_create memfd_secret",
    // Names, directories and attributes of files.
    "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64",
    "access faccessat faccessat2 getcwd chdir fchdir mkdir mkdirat rmdir getdents getdents64 link linkat",
    "symlink symlinkat readlink readlinkat unlink unlinkat rename renameat renameat2 mknod mknodat umask",
    "chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat utime utimes",
    "futimesat utimensat utimensat_time64 name_to_handle_at listmount statmount getxattr lgetxattr",
    "fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr",
    "listxattrat removexattr lremovexattr fremovexattr removexattrat",
    // Waiting for files and for events.
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl",
    "epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4",
    "timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64 inotify_init",
    "inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark io_setup io_destroy io_submit io_cancel",
    "io_getevents io_pgetevents io_pgetevents_time64",
    // Memory.
    "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall",
    "remap_file_pages membarrier mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect",
    // Processes and threads; clone and clone3 have conditions.
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill getpid getppid gettid",
    "getpgid getpgrp setpgid setsid set_tid_address set_robust_list get_robust_list set_thread_area",
    "get_thread_area rseq prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "pidfd_open pidfd_send_signal process_mrelease restart_syscall pause uretprobe",
    "futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue",
    // Since Linux 4.8 a traced process cannot escape its filter any more.
    "ptrace process_vm_readv process_vm_writev",
    // Signals and timers.
    "rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend",
    "rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigprocmask sigreturn alarm getitimer setitimer",
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64",
    // Time.
    "time gettimeofday times nanosleep clock_getres clock_getres_time64 clock_gettime clock_gettime64",
    "clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex",
    // Users, groups and capabilities.
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid",
    "getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid",
    "setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32",
    "setgroups setgroups32 capget capset getsid",
    // Scheduling, limits and the machine.
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam",
    "sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min",
    "sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set",
    "getrlimit ugetrlimit setrlimit prlimit64 getrusage getcpu uname sysinfo getrandom",
    // Sockets and pipes; socket itself has a condition.
    "socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt",
    "send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 socketcall pipe pipe2",
    // System V and POSIX queues, semaphores and shared memory.
    "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt",
    "shmget mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive",
    "mq_timedreceive_time64",
];

/// Allowed besides on this family of machines.
pub const ON_X86: &str = "arch_prctl modify_ldt";
/// Allowed besides on this family of machines.
pub const ON_ARM: &str =
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls";

/// Allowed besides to a container that has the capability.
pub const WITH_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_BPF", "bpf"),
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ("CAP_PERFMON", "perf_event_open"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr \
         lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl \
         quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "ioperm iopl"),
    ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYSLOG", "syslog"),
];

/// What the first argument of a call must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum First {
    /// None of these bits is set.
    Without(u32),
    /// Below the number, or one of the list.
    Among(u32, &'static [u32]),
}

/// Allowed when the first argument fits, and refused with EPERM otherwise.
pub const CONDITIONS: &[(&str, First)] = &[
    // The namespace flags, but CLONE_NEWTIME, whose bit is part of the exit signal here.
    ("clone", First::Without(0x7e02_0000)),
    // PER_LINUX, PER_LINUX32, each with UNAME26 (a release of 2.6), and reading it back.
    ("personality", First::Among(1, &[0x8, 0x2_0000, 0x2_0008, 0xffff_ffff])),
    // Address families that need no care: not the crypto API (AF_ALG 38), not the hypervisor
    // (AF_VSOCK 40), and none that is obsolete.
    (
        "socket",
        First::Among(
            12,
            &[
                13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43,
                44, 45,
            ],
        ),
    ),
];

/// Answered with ENOSYS: the flags of clone3 are out of a filter's sight, and C libraries then use
/// clone. With CAP_SYS_ADMIN it is allowed instead.
pub const NOT_THERE: &str = "clone3";
