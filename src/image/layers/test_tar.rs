//! Builds tars for tests, also ones that no honest tool writes.

use std::io::Write;

/// A tar under construction.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
    open_end: bool,
}

impl Tar {
    pub fn new() -> Self {
        Tar::default()
    }

    /// Any entry; the name goes into a GNU long name where it does not fit.
    pub fn entry(self, kind: u8, name: &str, mode: u32, link: &str, data: &[u8]) -> Self {
        self.sized(kind, name, mode, link, data, data.len() as u64, (0, 0))
    }

    /// With a size and a device number of the test's choice.
    #[expect(clippy::too_many_arguments, reason = "each is a field of the header")]
    pub fn sized(
        mut self,
        kind: u8,
        name: &str,
        mode: u32,
        link: &str,
        data: &[u8],
        size: u64,
        dev: (u32, u32),
    ) -> Self {
        for (long, text) in [(b'L', name), (b'K', link)] {
            if text.len() > 100 {
                let text = [text.as_bytes(), b"\0"].concat();
                self.bytes.extend(header(long, b"././@LongLink", 0, b"", text.len() as u64, (0, 0)));
                self.data(&text);
            }
        }
        self.bytes.extend(header(kind, name.as_bytes(), mode, link.as_bytes(), size, dev));
        self.data(data);
        self
    }

    /// A name that is no text, short enough for the header.
    pub fn bytes_name(mut self, kind: u8, name: &[u8], data: &[u8]) -> Self {
        self.bytes.extend(header(kind, name, 0o644, b"", data.len() as u64, (0, 0)));
        self.data(data);
        self
    }

    pub fn file(self, name: &str, data: &str) -> Self {
        self.entry(b'0', name, 0o644, "", data.as_bytes())
    }

    pub fn dir(self, name: &str) -> Self {
        self.entry(b'5', name, 0o755, "", b"")
    }

    pub fn symlink(self, name: &str, to: &str) -> Self {
        self.entry(b'2', name, 0o777, to, b"")
    }

    pub fn link(self, name: &str, to: &str) -> Self {
        self.entry(b'1', name, 0o644, to, b"")
    }

    /// PAX records for the entry after it.
    pub fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut len = rest + 1;
            while len != rest + len.to_string().len() {
                len = rest + len.to_string().len();
            }
            write!(text, "{len} {key}=").unwrap();
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        self.bytes.extend(header(b'x', b"PaxHeaders/x", 0o644, b"", text.len() as u64, (0, 0)));
        self.data(&text);
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Without the two zero blocks at the end.
    pub fn open_end(mut self) -> Self {
        self.open_end = true;
        self
    }

    pub fn done(mut self) -> Vec<u8> {
        if !self.open_end {
            self.bytes.extend([0; 1024]);
        }
        self.bytes
    }

    fn data(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
    }
}

fn header(kind: u8, name: &[u8], mode: u32, link: &[u8], size: u64, dev: (u32, u32)) -> [u8; 512] {
    let mut h = [0u8; 512];
    let mut put = |at: usize, len: usize, bytes: &[u8]| {
        let n = bytes.len().min(len);
        h[at..at + n].copy_from_slice(&bytes[..n]);
    };
    put(0, 100, name);
    put(100, 8, format!("{mode:07o}\0").as_bytes());
    put(108, 8, b"0000000\0");
    put(116, 8, b"0000000\0");
    put(124, 12, format!("{size:011o}\0").as_bytes());
    put(136, 12, b"00000000017\0");
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, link);
    put(257, 8, b"ustar  \0");
    put(329, 8, format!("{:07o}\0", dev.0).as_bytes());
    put(337, 8, format!("{:07o}\0", dev.1).as_bytes());
    let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
    h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    h
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 1).unwrap()
}
