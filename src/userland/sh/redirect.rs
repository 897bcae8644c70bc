//! Redirections, and putting things back after them.

use super::ast::{Redir, RedirOp};
use super::state::{Run, Shell};
use crate::userland::text::words;
use crate::userland::{Errno, Fd, OpenFlags, Sys};

/// A here-document up to this size fits into any pipe.
const PIPE_ROOM: usize = 4096;

/// A descriptor as it was: its copy, or closed.
pub struct Saved {
    fd: Fd,
    copy: Option<Fd>,
}

impl<S: Sys> Shell<S> {
    /// Makes the redirections; `false`, after a message, if one fails. With
    /// `saved`, what was there before is kept.
    pub async fn redirect(&mut self, redirs: &[Redir], mut saved: Option<&mut Vec<Saved>>) -> Run<bool> {
        for redir in redirs {
            let source = match self.open_redirection(redir).await? {
                Ok(source) => source,
                Err(message) => {
                    self.complain(&message).await;
                    return Ok(false);
                }
            };
            if let Some(saved) = saved.as_deref_mut() {
                self.save(redir.fd, saved);
            }
            let result = match source {
                Source::Opened(fd) if fd == redir.fd => Ok(()),
                Source::Opened(fd) => {
                    let result = self.sys.dup2(fd, redir.fd);
                    let _ = self.sys.close(fd);
                    result
                }
                Source::Copy(fd) if fd == redir.fd => self.sys.fstat(fd).map(drop),
                Source::Copy(fd) => self.sys.dup2(fd, redir.fd),
                Source::Closed => {
                    // Closing what is closed is no error in a shell.
                    let _ = self.sys.close(redir.fd);
                    Ok(())
                }
            };
            if let Err(e) = result {
                let what = match source {
                    Source::Copy(fd) => fd,
                    _ => redir.fd,
                };
                self.complain(&format!("{what}: {}", words(e))).await;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts descriptors back, last first.
    pub fn restore(&mut self, saved: Vec<Saved>) {
        for Saved { fd, copy } in saved.into_iter().rev() {
            match copy {
                Some(copy) => {
                    let _ = self.sys.dup2(copy, fd);
                    let _ = self.sys.close(copy);
                    self.saved_fds.retain(|f| *f != copy);
                }
                None => {
                    let _ = self.sys.close(fd);
                }
            }
        }
    }

    fn save(&mut self, fd: Fd, saved: &mut Vec<Saved>) {
        if self.sys.fstat(fd).is_err() {
            saved.push(Saved { fd, copy: None });
            return;
        }
        let free = (10..250).find(|f| self.sys.fstat(*f) == Err(Errno::EBADF));
        let copy = free.filter(|f| self.sys.dup2(fd, *f).is_ok());
        self.saved_fds.extend(copy);
        saved.push(Saved { fd, copy });
    }

    async fn open_redirection(&mut self, redir: &Redir) -> Run<Result<Source, String>> {
        let (word, flags) = match &redir.op {
            RedirOp::Read(word) => (word, OpenFlags::READ),
            RedirOp::Write { word, clobber } => {
                let mut flags = OpenFlags::CREATE;
                if self.option('C') && !clobber {
                    flags.truncate = false;
                    flags.exclusive = true;
                }
                (word, flags)
            }
            RedirOp::Append(word) => (word, OpenFlags::APPEND),
            RedirOp::ReadWrite(word) => (word, OpenFlags { write: true, create: true, ..OpenFlags::READ }),
            RedirOp::Duplicate(word) => {
                let text = self.text(word).await?;
                return Ok(match text.parse() {
                    _ if text == "-" => Ok(Source::Closed),
                    Ok(fd) => Ok(Source::Copy(fd)),
                    Err(_) => Err(format!("{text}: bad file descriptor")),
                });
            }
            RedirOp::Here(body) => {
                let body = body.borrow().clone();
                let text = self.text(&body).await?;
                return Ok(self.here(text).await);
            }
        };
        let path = self.text(word).await?;
        Ok(match self.sys.open(&path, flags, 0o666).await {
            Ok(fd) => Ok(Source::Opened(fd)),
            Err(Errno::ENOENT) if flags.create => Err(format!("can't create {path}: nonexistent directory")),
            Err(Errno::ENOENT) => Err(format!("can't open {path}: no such file")),
            Err(e) if flags.create => Err(format!("can't create {path}: {}", words(e))),
            Err(e) => Err(format!("can't open {path}: {}", words(e))),
        })
    }

    async fn here(&mut self, text: String) -> Result<Source, String> {
        let failed = |e| format!("here-document: {}", words(e));
        let (read, write) = self.sys.pipe().map_err(failed)?;
        let result = if text.len() <= PIPE_ROOM {
            self.sys.write(write, text.as_bytes()).await
        } else {
            let child = move |shell: Shell<S>| async move {
                let _ = shell.sys.close(read);
                u8::from(shell.sys.write(write, text.as_bytes()).await.is_err())
            };
            self.fork(child).map(drop)
        };
        let _ = self.sys.close(write);
        match result {
            Ok(()) => Ok(Source::Opened(read)),
            Err(e) => {
                let _ = self.sys.close(read);
                Err(failed(e))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Source {
    Opened(Fd),
    Copy(Fd),
    Closed,
}
