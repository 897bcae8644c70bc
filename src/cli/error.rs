//! Errors as the user meets them: one line of what failed, a hint what to do
//! next, and the exit status.

use crate::container::record::RecordError;
use crate::kernel::Failure;
use crate::spec::SpecError;

/// An error for the user.
#[derive(Debug)]
pub struct CliError {
    /// What failed; a full sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Exit status of the process.
    pub status: u8,
}

impl CliError {
    /// An error with exit status 1, as management commands have it.
    pub fn new(message: impl Into<String>) -> Self {
        CliError { message: message.into(), hint: None, status: 1 }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit status.
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

impl From<SpecError> for CliError {
    fn from(e: SpecError) -> Self {
        CliError { message: e.message, hint: e.hint, status: 125 }
    }
}

impl From<Failure> for CliError {
    fn from(e: Failure) -> Self {
        CliError { message: format!("failed to {e}"), hint: e.hint.clone(), status: e.status }
    }
}

impl From<RecordError> for CliError {
    fn from(e: RecordError) -> Self {
        let hint = match &e {
            RecordError::Unknown(_) => Some("`glassbox ps -a` lists them".to_owned()),
            RecordError::Ambiguous { .. } => Some("give more digits, or the name".to_owned()),
            RecordError::Io { .. } => None,
            RecordError::Damaged { .. } => Some(
                "`glassbox rm -f` with the container's full id removes it, with what it wrote".to_owned(),
            ),
        };
        CliError { message: e.to_string(), hint, status: 1 }
    }
}

/// Turns an I/O error into one that says what was done to which path.
pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> CliError {
    let words = crate::kernel::errno::io_words(error);
    CliError::new(format!("failed to {what} {}: {words}", path.display()))
}
