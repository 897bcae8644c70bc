//! The first bytes of an input: whether they can be an image archive, and how
//! it is compressed.

use std::io::{BufReader, Read};
use std::path::PathBuf;

use crate::image::ImageError;
use crate::image::error::quoted;
use crate::image::layers::{Compression, decompress};
use crate::kernel::Errno;

/// An input with its start in front again.
pub type Begun<R> = std::io::Chain<std::io::Cursor<Vec<u8>>, R>;

/// How the input is compressed, by its first bytes. What is known not to be a
/// tar is refused by its name.
pub fn sniff<R: Read>(mut input: R, name: &str) -> Result<(Begun<R>, Compression), ImageError> {
    let no = |reason: &str| ImageError::NotAnArchive { name: name.to_owned(), reason: reason.to_owned() };
    let mut start = Vec::new();
    (&mut input).take(6).read_to_end(&mut start).map_err(|e| read_error(&e, name))?;
    match start.as_slice() {
        [] => return Err(no("it is empty")),
        [0xfd, b'7', b'z', ..] => return Err(no("it is compressed with xz; decompress it first (xz -d)")),
        [b'B', b'Z', b'h', ..] => {
            return Err(no("it is compressed with bzip2; decompress it first (bzip2 -d)"));
        }
        [b'P', b'K', 3, 4, ..] => return Err(no("it is a zip file")),
        _ => {}
    }
    let compression = Compression::sniff(&start);
    Ok((std::io::Cursor::new(start).chain(input), compression))
}

/// The start of the input, looked at: a stream of the uncompressed tar.
pub fn begin<'a>(input: impl Read + 'a, name: &str) -> Result<Box<dyn Read + 'a>, ImageError> {
    let no = |reason: &str| ImageError::NotAnArchive { name: name.to_owned(), reason: reason.to_owned() };
    let (input, compression) = sniff(input, name)?;
    let mut tar = decompress(compression, input);
    let mut block = Vec::new();
    (&mut tar).take(512).read_to_end(&mut block).map_err(|e| match compression {
        Compression::Plain => read_error(&e, name),
        _ => no(&format!("it cannot be decompressed: {}", quoted(&e.to_string()))),
    })?;
    if !is_tar(&block) {
        return Err(no(&format!("it is no tar file, but {}", looks_like(&block))));
    }
    Ok(Box::new(BufReader::with_capacity(256 << 10, std::io::Cursor::new(block).chain(tar))))
}

/// What a file that is no tar begins like, for a message.
pub fn looks_like(start: &[u8]) -> &'static str {
    let text = std::str::from_utf8(start).or_else(|e| std::str::from_utf8(&start[..e.valid_up_to()]));
    let printable = |t: &str| t.chars().all(|c| !c.is_control() || c.is_whitespace());
    match start {
        [] => "empty",
        [0x7f, b'E', b'L', b'F', ..] => "a program (ELF)",
        [0x1f, 0x8b, ..] => "gzip once more: decompress it first",
        [b'h', b's', b'q', b's', ..] => "a squashfs file system: unpack it first (unsquashfs)",
        [b'0', b'7', b'0', b'7', b'0', ..] => "a cpio archive: unpack it first",
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => "an ar archive, such as a Debian package",
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => "a picture",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'{' | b'[', ..] if text.is_ok_and(printable) => "JSON text",
        [b'<', ..] if text.is_ok_and(printable) => "HTML or XML: perhaps the page of an error",
        [b'#', b'!', ..] => "a script",
        _ if start.len() > 8 && text.is_ok_and(|t| t.len() + 4 > start.len() && printable(t)) => "text",
        _ if start.len() < 512 => "shorter than one block of a tar",
        _ => "of a kind that is not known here",
    }
}

/// The first block is a header with a right checksum.
pub fn is_tar(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(block) else { return false };
    let header = tar::Header::from_byte_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    header.cksum().is_ok_and(|stored| stored == sum)
}

/// An error of reading the input.
pub fn read_error(error: &std::io::Error, name: &str) -> ImageError {
    match error.raw_os_error() {
        Some(errno) => ImageError::Io { what: "read", path: PathBuf::from(name), errno: Errno(errno) },
        None => ImageError::BadArchive { name: name.to_owned(), reason: quoted(&error.to_string()) },
    }
}
