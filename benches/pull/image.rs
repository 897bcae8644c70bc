//! An image like Debian's, made from this machine's own files: five layers with
//! programs, libraries and many small files.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Where each layer's files come from, and its part of the whole.
const LAYERS: [(&[&str], f64); 5] = [
    (&["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"], 0.42),
    (&["/usr/bin", "/usr/sbin"], 0.25),
    (&["/usr/share"], 0.2),
    (&["/usr/lib/gcc", "/usr/libexec"], 0.1),
    (&["/usr/include", "/etc/ssl", "/usr/src"], 0.03),
];

pub struct Size {
    pub plain: u64,
    pub packed: u64,
}

/// Writes a tar of an OCI layout with an image of about so many bytes.
pub fn write(to: &Path, name: &str, bytes: u64) -> Result<Size, Box<dyn Error>> {
    let mut out = tar::Builder::new(BufWriter::new(File::create(to)?));
    let mut size = Size { plain: 0, packed: 0 };
    let (mut layers, mut diffs) = (Vec::new(), Vec::new());
    let scratch = to.with_extension("layer");
    for (dirs, part) in LAYERS {
        let mut tar = tar::Builder::new(Hashing::new(GzEncoder::new(
            Hashing::new(BufWriter::new(File::create(&scratch)?)),
            Compression::default(),
        )));
        tar.follow_symlinks(false);
        let mut left = (bytes as f64 * part) as u64;
        for dir in dirs {
            add(&mut tar, Path::new(dir), &mut left)?;
        }
        let plain = tar.into_inner()?;
        diffs.push(plain.digest());
        size.plain += plain.bytes;
        let packed = plain.inner.finish()?;
        let (digest, bytes) = (packed.digest(), packed.bytes);
        packed.inner.into_inner()?.sync_all()?;
        size.packed += bytes;
        out.append_path_with_name(&scratch, format!("blobs/sha256/{}", &digest[7..]))?;
        layers.push(json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": bytes,
        }));
    }
    std::fs::remove_file(&scratch)?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux", "rootfs": { "type": "layers", "diff_ids": diffs },
    });
    let config = blob(&mut out, "application/vnd.oci.image.config.v1+json", &config.to_string())?;
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let mut entry = blob(&mut out, "application/vnd.oci.image.manifest.v1+json", &manifest.to_string())?;
    entry["annotations"] = json!({ "io.containerd.image.name": name });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    file(&mut out, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    file(&mut out, "index.json", index.as_bytes())?;
    out.into_inner()?.flush()?;
    Ok(size)
}

/// Files and links below a directory, in order, until so many bytes are in.
fn add<W: Write>(tar: &mut tar::Builder<W>, dir: &Path, left: &mut u64) -> Result<(), Box<dyn Error>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let meta = path.symlink_metadata()?;
        let name = path.strip_prefix("/")?;
        if meta.is_dir() {
            tar.append_dir(name, &path)?;
            add(tar, &path, left)?;
        } else if meta.is_symlink() || (meta.is_file() && meta.len() <= *left) {
            tar.append_path_with_name(&path, name)?;
            *left -= if meta.is_file() { meta.len() } else { 0 };
        }
    }
    Ok(())
}

fn file<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, name, bytes)
}

fn blob<W: Write>(
    tar: &mut tar::Builder<W>,
    media_type: &str,
    text: &str,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut hashing = Hashing::new(std::io::sink());
    hashing.write_all(text.as_bytes())?;
    let digest = hashing.digest();
    file(tar, &format!("blobs/sha256/{}", &digest[7..]), text.as_bytes())?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": text.len() }))
}

/// Hashes and counts what is written.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Hashing { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn digest(&self) -> String {
        let hex: String = self.hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex}")
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
