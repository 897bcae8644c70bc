//! A layer of the definition as a tar: the same bytes each time.

use std::io::{self, Read, Write};

use tar::{Builder, EntryType, Header};

use super::{Content, Entry};

/// Writes the layer. `binary` gives the program's `size` bytes, where the layer
/// holds it.
///
/// # Errors
/// Those of the reader and the writer, and when the program has not `size` bytes.
pub fn write_tar(entries: &[Entry], binary: &mut dyn Read, size: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut tar = Builder::new(out);
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(u64::from(entry.uid));
        header.set_gid(u64::from(entry.gid));
        header.set_mtime(0);
        header.set_size(0);
        match &entry.content {
            Content::Dir => {
                header.set_entry_type(EntryType::Directory);
                tar.append_data(&mut header, format!("{}/", entry.path), io::empty())?;
            }
            Content::Bytes(bytes) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, &entry.path, bytes.as_slice())?;
            }
            Content::Symlink(target) => {
                header.set_entry_type(EntryType::Symlink);
                tar.append_link(&mut header, &entry.path, target)?;
            }
            Content::Binary => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(size);
                let mut counted = Counted { inner: binary.take(size), bytes: 0 };
                tar.append_data(&mut header, &entry.path, &mut counted)?;
                if counted.bytes != size {
                    return Err(io::Error::other("the program changed while it was read"));
                }
            }
            Content::Whiteout => {
                let (dir, name) = entry.path.rsplit_once('/').unwrap_or((".", &entry.path));
                header.set_entry_type(EntryType::Regular);
                tar.append_data(&mut header, format!("{dir}/.wh.{name}"), io::empty())?;
            }
        }
    }
    tar.into_inner()?.flush()
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }
}
