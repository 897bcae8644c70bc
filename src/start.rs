//! How the process begins.
//!
//! Rust's own start-up finds out where the main thread's stack lies by reading
//! `/proc/self/maps`, so that an overflow can be told in words. That takes as
//! long as making a cgroup, in every run and in every program of `box`. So on
//! glibc, which hands the arguments to std by itself, `main` is the C one, and
//! does what else that start-up would: see [`glassbox::kernel::linux::process_start`].

/// What [`crate::run`] returns is the exit status.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
// SAFETY: the only `main` of the program; the C runtime calls it once, with nothing else running.
#[unsafe(no_mangle)]
extern "C" fn main() -> std::ffi::c_int {
    glassbox::kernel::linux::process_start();
    // Not a plain return: exit writes out what standard output still holds.
    std::process::exit(i32::from(crate::run()))
}

/// pow(3) in Rust. A progress bar's estimate of the time left is the only thing
/// here that wants the C library's, and for it every process would load libm.so.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
// SAFETY: the C function of this name, with its arguments and its meaning.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
