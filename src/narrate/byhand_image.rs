//! The same for operations on images: sha256sum, tar, jq and skopeo.

use super::byhand::{blob_path, quote};
use crate::image::digest;
use crate::plan::image::ImageOp;

/// The commands for one operation, run in the store's directory.
pub(super) fn commands(op: &ImageOp) -> Vec<String> {
    match op {
        ImageOp::OpenArchive { path } => vec![format!("tar -tvf {}", quote(path))],
        ImageOp::ReadManifests { path } => {
            let path = quote(path);
            vec![format!("tar -xOf {path} manifest.json | jq"), format!("tar -xOf {path} index.json | jq")]
        }
        ImageOp::ReadConfigs { path } => {
            let path = quote(path);
            vec![
                format!(
                    "tar -xOf {path} \"$(tar -xOf {path} manifest.json | jq -r '.[0].Config')\" | jq .rootfs"
                ),
                format!("skopeo inspect --config docker-archive:{path}"),
            ]
        }
        ImageOp::TakeLayer { blob, media_type, dir, diff_id, .. } => {
            let (unpack, cat) = match media_type.rsplit(['+', '.']).next() {
                Some("gzip") => ("--gzip ", "zcat"),
                Some("zstd") => ("--zstd ", "zstdcat"),
                _ => ("", "cat"),
            };
            let (dir, blob) = (quote(dir), blob_path(blob));
            vec![
                format!("sha256sum blobs/{blob}"),
                format!("{cat} blobs/{blob} | sha256sum | grep {}", digest::hex(diff_id).unwrap_or(diff_id)),
                format!("mkdir -p {dir} && tar {unpack}--numeric-owner --xattrs -x -C {dir} -f blobs/{blob}"),
                format!("find {dir} -name '.wh.*'"),
            ]
        }
        ImageOp::NameImages { manifests, index, .. } => {
            let mut all: Vec<String> =
                manifests.iter().map(|m| format!("sha256sum blobs/{}", blob_path(m))).collect();
            all.push(format!("jq '.manifests[] | {{digest, name: .annotations}}' {}", quote(index)));
            all
        }
    }
}
