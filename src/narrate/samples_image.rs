//! Samples of operations on images, as [`super::samples`] has them of the others.

use super::samples::{CONTAINER, DIR, digest, layer, s};
use crate::plan::Op;
use crate::plan::image::ImageOp;

/// One of each.
pub(super) fn images() -> Vec<ImageOp> {
    let first = ImageOp::OpenArchive { path: s("/tmp/app.tar") };
    std::iter::successors(Some(first), next_image).collect()
}

/// The sample after this one, as for [`next`].
pub(super) fn next_image(op: &ImageOp) -> Option<ImageOp> {
    let path = || s("/tmp/app.tar");
    Some(match op {
        ImageOp::OpenArchive { .. } => ImageOp::ReadManifests { path: path() },
        ImageOp::ReadManifests { .. } => ImageOp::ReadConfigs { path: path() },
        ImageOp::ReadConfigs { .. } => ImageOp::AskRegistry {
            registry: s("docker.io"),
            reference: s("docker.io/library/app:1"),
            platform: s("linux/amd64"),
        },
        ImageOp::AskRegistry { .. } => ImageOp::FetchConfig {
            registry: s("docker.io"),
            reference: s("docker.io/library/app:1"),
            platform: s("linux/amd64"),
        },
        ImageOp::FetchConfig { .. } => ImageOp::TakeLayer {
            index: 2,
            count: 3,
            from: path(),
            blob: digest('1'),
            media_type: s("application/vnd.oci.image.layer.v1.tar+gzip"),
            size: 1_234_567,
            diff_id: digest('2'),
            chain_id: digest('3'),
            file: format!("/var/lib/glassbox/blobs/sha256/{}", "1".repeat(64)),
            dir: format!("/var/lib/glassbox/layers/{}/diff", "3".repeat(64)),
            stored: false,
            unpacked: false,
        },
        ImageOp::TakeLayer { .. } => ImageOp::NameImages {
            names: vec![s("docker.io/library/app:1")],
            images: vec![digest('a')],
            manifests: vec![digest('b')],
            index: s("/var/lib/glassbox/index.json"),
        },
        ImageOp::NameImages { .. } => ImageOp::FreezeContainer { container: s(CONTAINER), pid: 4242 },
        ImageOp::FreezeContainer { .. } => ImageOp::ThawContainer { container: s(CONTAINER), pid: 4242 },
        ImageOp::ThawContainer { .. } => ImageOp::WriteLayer {
            container: s(CONTAINER),
            upper: format!("{DIR}/upper"),
            lower: vec![layer('4'), layer('2')],
        },
        ImageOp::WriteLayer { .. } => ImageOp::ImportTar { path: path() },
        ImageOp::ImportTar { .. } => ImageOp::StoreLayer {
            blob: digest('1'),
            size: 1_234_567,
            file: format!("/var/lib/glassbox/blobs/sha256/{}", "1".repeat(64)),
            chain_id: digest('3'),
            dir: None,
        },
        ImageOp::StoreLayer { .. } => ImageOp::TagImage {
            image: digest('a'),
            manifest: digest('b'),
            name: s("docker.io/library/app:2"),
            before: None,
            index: s("/var/lib/glassbox/index.json"),
        },
        ImageOp::TagImage { .. } => ImageOp::RemoveImage {
            wanted: s("app:2"),
            image: digest('a'),
            names: vec![s("docker.io/library/app:2")],
            keep: false,
            index: s("/var/lib/glassbox/index.json"),
        },
        ImageOp::RemoveImage { .. } => ImageOp::SaveImages {
            images: vec![digest('a')],
            names: vec![s("docker.io/library/app:1")],
            path: path(),
            shape: s("docker"),
        },
        ImageOp::SaveImages { .. } => ImageOp::ExportTree {
            container: s(CONTAINER),
            layers: vec![format!("{DIR}/upper"), layer('4')],
            path: path(),
        },
        ImageOp::ExportTree { .. } => {
            ImageOp::CompressLayer { index: 2, count: 3, blob: digest('1'), size: 1_234_567 }
        }
        ImageOp::CompressLayer { .. } => ImageOp::PushLayer {
            index: 2,
            count: 3,
            registry: s("registry.example"),
            repository: s("team/app"),
            blob: digest('1'),
            media_type: s("application/vnd.oci.image.layer.v1.tar+gzip"),
            size: 1_234_567,
            file: format!("/var/lib/glassbox/blobs/sha256/{}", "1".repeat(64)),
            foreign: false,
        },
        ImageOp::PushLayer { .. } => ImageOp::PushConfig {
            registry: s("registry.example"),
            repository: s("team/app"),
            blob: digest('a'),
            size: 1_500,
        },
        ImageOp::PushConfig { .. } => ImageOp::PutManifest {
            registry: s("registry.example"),
            reference: s("registry.example/team/app:1"),
            manifest: digest('b'),
            size: 900,
        },
        ImageOp::PutManifest { .. } => {
            ImageOp::SearchIndex { registry: s("docker.io"), term: s("debian"), limit: 25 }
        }
        ImageOp::SearchIndex { .. } => ImageOp::ReadManifest {
            registry: s("docker.io"),
            reference: s("docker.io/library/app:1"),
            all: false,
        },
        ImageOp::ReadManifest { .. } => {
            ImageOp::TryCredential { registry: s("registry.example"), user: s("ann") }
        }
        ImageOp::TryCredential { .. } => ImageOp::KeepCredential {
            registry: s("registry.example"),
            user: s("ann"),
            config: s("/root/.docker/config.json"),
        },
        ImageOp::KeepCredential { .. } => ImageOp::ForgetCredential {
            registry: s("registry.example"),
            config: s("/root/.docker/config.json"),
        },
        ImageOp::ForgetCredential { .. } => ImageOp::CollectGarbage { store: s("/var/lib/glassbox") },
        ImageOp::CollectGarbage { .. } => return None,
    })
}

/// Operations on images with values at the edges.
pub(super) fn image_edges() -> Vec<Op> {
    let stdin = || s("-");
    let mut ops = vec![
        ImageOp::OpenArchive { path: stdin() },
        ImageOp::ReadManifests { path: stdin() },
        ImageOp::ReadConfigs { path: stdin() },
        ImageOp::NameImages {
            names: vec![],
            images: vec![digest('a')],
            manifests: vec![digest('b')],
            index: s("/i"),
        },
    ];
    ops.extend([
        ImageOp::ImportTar { path: stdin() },
        ImageOp::StoreLayer {
            blob: digest('1'),
            size: 1,
            file: s("/f"),
            chain_id: digest('2'),
            dir: Some(s("/d")),
        },
        ImageOp::TagImage {
            image: digest('a'),
            manifest: digest('b'),
            name: s("docker.io/library/app:2"),
            before: Some(digest('c')),
            index: s("/i"),
        },
        ImageOp::RemoveImage {
            wanted: s("app"),
            image: digest('a'),
            names: vec![],
            keep: true,
            index: s("/i"),
        },
        ImageOp::SaveImages {
            images: vec![digest('a')],
            names: vec![],
            path: stdin(),
            shape: s("oci-archive"),
        },
        ImageOp::SaveImages {
            images: vec![digest('a')],
            names: vec![s("docker.io/library/app:1")],
            path: s("/srv/app.tar"),
            shape: s("docker-archive"),
        },
        ImageOp::ExportTree { container: s(CONTAINER), layers: vec![], path: stdin() },
        ImageOp::ReadManifest {
            registry: s("docker.io"),
            reference: s("docker.io/library/app:1"),
            all: true,
        },
        ImageOp::PushLayer {
            index: 1,
            count: 1,
            registry: s("registry.example"),
            repository: s("team/app"),
            blob: digest('1'),
            media_type: s("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
            size: 1,
            file: s("/f"),
            foreign: true,
        },
    ]);
    for (media_type, from) in [("tar", "-"), ("tar+zstd", "/x.tar"), ("tar+gzip", "registry.example")] {
        ops.push(ImageOp::TakeLayer {
            index: 1,
            count: 1,
            from: s(from),
            blob: digest('1'),
            media_type: format!("application/vnd.oci.image.layer.v1.{media_type}"),
            size: 1,
            diff_id: digest('2'),
            chain_id: digest('2'),
            file: s("/f"),
            dir: s("/d"),
            stored: true,
            unpacked: true,
        });
    }
    ops.into_iter().map(Op::Image).collect()
}
