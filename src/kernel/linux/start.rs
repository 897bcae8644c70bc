//! What must hold in this process before its first line.

/// Opens `/dev/null` for each standard descriptor that is closed, so that no
/// file opened later is written to as standard output, and has writing to a
/// closed pipe return EPIPE.
pub fn process_start() {
    for fd in 0..3 {
        // SAFETY: asks only, and takes no memory.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            // The lowest free descriptor is the one that was asked for: those below are open.
            // SAFETY: the path is a C string with static life.
            let opened = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
            if opened == -1 {
                std::process::abort();
            }
        }
    }
    // SAFETY: no handler; nothing else runs yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
