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
        ImageOp::AskRegistry { reference, platform, .. } => {
            let reference = quote(reference);
            let (os, arch) = platform.split_once('/').unwrap_or(("linux", platform));
            let arch = arch.split('/').next().unwrap_or(arch);
            vec![
                format!("skopeo inspect --raw docker://{reference} | jq"),
                format!(
                    "skopeo inspect --override-os {} --override-arch {} docker://{reference} | jq .Digest",
                    quote(os),
                    quote(arch)
                ),
            ]
        }
        ImageOp::FetchConfig { reference, .. } => {
            vec![format!("skopeo inspect --config docker://{} | jq .rootfs", quote(reference))]
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
        ImageOp::FreezeContainer { pid, .. } => {
            vec![format!("cat /proc/{pid}/cgroup"), "echo 1 > /sys/fs/cgroup/PATH/cgroup.freeze".to_owned()]
        }
        ImageOp::ThawContainer { .. } => vec!["echo 0 > /sys/fs/cgroup/PATH/cgroup.freeze".to_owned()],
        ImageOp::WriteLayer { upper, .. } => vec![
            format!("find {} -type c", quote(upper)),
            format!("tar --numeric-owner --xattrs -c -C {} -f layer.tar .", quote(upper)),
            "sha256sum layer.tar".to_owned(),
        ],
        ImageOp::ImportTar { path } => {
            vec![format!("sha256sum {}", quote(path)), format!("tar -tvf {}", quote(path))]
        }
        ImageOp::StoreLayer { blob, file, .. } => {
            vec![format!("mv layer.tar {}", quote(file)), format!("sha256sum blobs/{}", blob_path(blob))]
        }
        ImageOp::TagImage { index, .. } | ImageOp::RemoveImage { index, .. } => {
            vec![format!("jq '.manifests[] | {{digest, name: .annotations}}' {}", quote(index))]
        }
        ImageOp::SaveImages { names, path, shape, .. } => {
            // Docker's newer form is an OCI layout, and a file more.
            let shape = if shape == "docker-archive" { "docker-archive" } else { "oci-archive" };
            names
                .iter()
                .map(|name| format!("skopeo copy oci:.:{name} {shape}:{}:{name}", quote(path)))
                .chain([format!("tar -tvf {}", quote(path))])
                .collect()
        }
        ImageOp::ExportTree { layers, path, .. } => vec![
            format!("mount -t overlay overlay -o lowerdir={} /mnt", quote(&layers.join(":"))),
            format!("tar --numeric-owner --xattrs -c -C /mnt -f {} .", quote(path)),
        ],
        ImageOp::CompressLayer { blob, .. } => {
            vec![format!("gzip -n -c blobs/{} | tee layer.tar.gz | sha256sum", blob_path(blob))]
        }
        ImageOp::PushLayer { registry, repository, blob, .. }
        | ImageOp::PushConfig { registry, repository, blob, .. } => {
            let base = format!("https://{}/v2/{repository}/blobs", web(registry));
            vec![
                format!("curl -sI {}", quote(&format!("{base}/{blob}"))),
                format!("curl -s -X POST -D - {}", quote(&format!("{base}/uploads/"))),
                format!("curl -X PUT --data-binary @blobs/{} \"LOCATION&digest={blob}\"", blob_path(blob)),
            ]
        }
        ImageOp::PutManifest { registry, reference, manifest, .. } => {
            let name = reference.split_once('/').map_or(reference.as_str(), |(_, path)| path);
            let (path, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
            let url = format!("https://{}/v2/{path}/manifests/{tag}", web(registry));
            let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json";
            vec![format!(
                "curl -i -X PUT -H {} --data-binary @blobs/{} {}",
                quote(kind),
                blob_path(manifest),
                quote(&url)
            )]
        }
        ImageOp::SearchIndex { registry, term, limit } => {
            let host = if registry == "docker.io" { "index.docker.io" } else { registry };
            vec![format!("curl -s {} | jq", quote(&format!("https://{host}/v1/search?q={term}&n={limit}")))]
        }
        ImageOp::ReadManifest { reference, .. } => {
            vec![format!("skopeo inspect --raw docker://{} | tee /dev/stderr | sha256sum", quote(reference))]
        }
        ImageOp::TryCredential { registry, user } => {
            vec![format!("curl -i -u {} {}", quote(user), quote(&format!("https://{}/v2/", web(registry))))]
        }
        ImageOp::KeepCredential { config, .. } | ImageOp::ForgetCredential { config, .. } => {
            vec![format!("jq '.auths | map_values(keys)' {}", quote(config))]
        }
        ImageOp::CollectGarbage { .. } => {
            vec!["ls blobs/sha256 layers".to_owned(), "jq -r '.manifests[].digest' index.json".to_owned()]
        }
        ImageOp::NameImages { manifests, index, .. } => {
            let mut all: Vec<String> =
                manifests.iter().map(|m| format!("sha256sum blobs/{}", blob_path(m))).collect();
            all.push(format!("jq '.manifests[] | {{digest, name: .annotations}}' {}", quote(index)));
            all
        }
    }
}

/// The host that answers for a registry: Docker Hub's has another name.
fn web(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}
