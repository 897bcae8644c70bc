//! Standard output and standard error. A closed pipe ends the program quietly,
//! as it does other tools.

use std::io::{self, Write};

use super::error::CliError;

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
            Err(CliError::new("standard output was closed").status(141))
        }
        Err(e) => Err(CliError::new(format!("cannot write to standard output: {e}"))),
    }
}

/// Writes an error and its hint to standard error.
pub fn error(error: &CliError) {
    if error.status == 141 {
        return;
    }
    let mut err = io::stderr().lock();
    // Nothing is left to be done where standard error itself is closed.
    let _ = writeln!(err, "glassbox: {}", error.message);
    if let Some(hint) = &error.hint {
        let _ = writeln!(err, "  hint: {hint}");
    }
}

/// Writes a line to standard error as it is.
pub fn plain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a remark to standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "glassbox: {text}");
}
