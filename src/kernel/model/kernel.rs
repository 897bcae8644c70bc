//! The model as a [`Kernel`](crate::kernel::Kernel).

/// What `uname -r` says in the model.
pub(crate) const RELEASE: &str = "modelled";

/// Which of the container's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Where the container's output goes and where its input comes from.
pub struct Console {
    /// Takes output as it comes.
    pub output: Box<dyn FnMut(Stream, &[u8])>,
    /// Gives more input, and may wait for it; `None` at its end. Asked only when
    /// every process waits and one of them waits for input.
    pub input: Box<dyn FnMut() -> Option<Vec<u8>>>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}
/// x
#[derive(Debug)]
pub struct ModelKernel;
