//! What glassbox does to a store of images, as plain data. One variant of
//! [`crate::plan::Op`] holds them all, so that a room that treats images as one
//! thing has one arm for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One operation on images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ImageOp {
    /// Open an archive and look at what it holds.
    OpenArchive {
        /// The file; `-` is standard input.
        path: String,
    },
    /// Read which images an archive has: `manifest.json`, or `index.json` and
    /// the manifests that it leads to.
    ReadManifests {
        /// The archive.
        path: String,
    },
    /// Read the configs of those images: they say what each layer has to be.
    ReadConfigs {
        /// The archive.
        path: String,
    },
    /// Ask a registry what a name means: its manifest, or that of an index for a
    /// platform.
    AskRegistry {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Full reference, with tag or digest.
        reference: String,
        /// `linux/arm64`.
        platform: String,
    },
    /// Fetch the config that the manifest names.
    FetchConfig {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Full reference, with tag or digest.
        reference: String,
        /// `linux/arm64`.
        platform: String,
    },
    /// Take one layer into the store: fetched, verified, stored, unpacked.
    TakeLayer {
        /// Position among the layers taken in, 1 is the lowest.
        index: u32,
        /// How many there are.
        count: u32,
        /// Where it comes from: a file, `-`, or a registry.
        from: String,
        /// Digest of the blob.
        blob: String,
        /// Media type of the blob.
        media_type: String,
        /// Bytes of the blob.
        size: u64,
        /// Digest of the uncompressed tar.
        diff_id: String,
        /// Digest over this layer and all below it.
        chain_id: String,
        /// Where the blob will be.
        file: String,
        /// Where the tree will be.
        dir: String,
        /// The store had the blob when the plan was made.
        stored: bool,
        /// The store had the tree when the plan was made.
        unpacked: bool,
    },
    /// Write manifest and config into the store, and let the names mean them.
    NameImages {
        /// Full references; none for images known by their ids only.
        names: Vec<String>,
        /// Digests of the configs: the images' ids.
        images: Vec<String>,
        /// Digests of the manifests, in the same order.
        manifests: Vec<String>,
        /// The store's `index.json`.
        index: String,
    },
    /// Let all processes of a container stand still.
    FreezeContainer {
        /// The container's id.
        container: String,
        /// Its init's pid on the host.
        pid: i32,
    },
    /// Let them run again.
    ThawContainer {
        /// The container's id.
        container: String,
        /// Its init's pid on the host.
        pid: i32,
    },
    /// Write what a container changed as the tar of a layer.
    WriteLayer {
        /// The container's id.
        container: String,
        /// Its writable layer's tree.
        upper: String,
        /// The trees below, the topmost first.
        lower: Vec<String>,
    },
    /// Read a tar of a root file system: hash it, and unpack it.
    ImportTar {
        /// The file; `-` is standard input.
        path: String,
    },
    /// Move a finished layer into the store.
    StoreLayer {
        /// Digest of the blob.
        blob: String,
        /// Bytes of the blob.
        size: u64,
        /// Where the blob will be.
        file: String,
        /// Digest over this layer and all below it.
        chain_id: String,
        /// Where its tree will be, if it is unpacked already.
        dir: Option<String>,
    },
    /// Let a name mean an image.
    TagImage {
        /// Digest of the config: the image's id.
        image: String,
        /// Digest of the manifest.
        manifest: String,
        /// The full reference.
        name: String,
        /// The manifest that the name means until then.
        before: Option<String>,
        /// The store's `index.json`.
        index: String,
    },
    /// Take a name away, or all of an image's, and what nothing leads to then.
    RemoveImage {
        /// As the user gave it.
        wanted: String,
        /// Digest of the config.
        image: String,
        /// The full references that go.
        names: Vec<String>,
        /// The image stays, without a name: a container runs from it.
        keep: bool,
        /// The store's `index.json`.
        index: String,
    },
    /// Write images to an archive.
    SaveImages {
        /// Digests of the configs.
        images: Vec<String>,
        /// Full references.
        names: Vec<String>,
        /// The file; `-` is standard output.
        path: String,
        /// `docker`, `docker-archive` or `oci-archive`, as `save --format` names them.
        shape: String,
    },
    /// Write all files of a container to a tar, as one tree.
    ExportTree {
        /// The container's id.
        container: String,
        /// The trees, the topmost first.
        layers: Vec<String>,
        /// The file; `-` is standard output.
        path: String,
    },
    /// Compress a layer that the store has as a plain tar, as registries are sent it.
    CompressLayer {
        /// Position in the image, 1 is the lowest.
        index: u32,
        /// How many layers the image has.
        count: u32,
        /// Digest of the blob, which is the tar.
        blob: String,
        /// Bytes of it.
        size: u64,
    },
    /// Make a layer be in a repository of a registry: found there, mounted, or sent.
    PushLayer {
        /// Position in the image, 1 is the lowest.
        index: u32,
        /// How many layers the image has.
        count: u32,
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Path of the repository there: `library/app`.
        repository: String,
        /// Digest of the blob.
        blob: String,
        /// Media type of the blob.
        media_type: String,
        /// Bytes of the blob.
        size: u64,
        /// The file that holds it.
        file: String,
        /// Its owner keeps it from registries: it is not sent.
        foreign: bool,
    },
    /// The same for the image's config.
    PushConfig {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Path of the repository there.
        repository: String,
        /// Digest of the config.
        blob: String,
        /// Bytes of it.
        size: u64,
    },
    /// Put the manifest under a tag: from then on the registry has the image.
    PutManifest {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Full reference, with a tag.
        reference: String,
        /// Digest of the manifest.
        manifest: String,
        /// Bytes of it.
        size: u64,
    },
    /// Ask an index of repositories for a word.
    SearchIndex {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// What is searched for.
        term: String,
        /// How many answers at most.
        limit: u32,
    },
    /// Read what a name leads to in its registry, and nothing more.
    ReadManifest {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Full reference, with tag or digest.
        reference: String,
        /// Also each manifest of an index, or the config of a single one.
        all: bool,
    },
    /// Let a registry check a name and a password.
    TryCredential {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// The name; the password is in no plan.
        user: String,
    },
    /// Keep them for later commands.
    KeepCredential {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// The name.
        user: String,
        /// Docker's `config.json`.
        config: String,
    },
    /// Forget what is kept for a registry.
    ForgetCredential {
        /// `docker.io`, `HOST[:PORT]`.
        registry: String,
        /// Docker's `config.json`.
        config: String,
    },
    /// Remove every blob and tree that nothing leads to.
    CollectGarbage {
        /// The store's directory.
        store: String,
    },
}

impl ImageOp {
    /// The operation's name as message files use it, such as `image_take_layer`.
    pub fn name(&self) -> &'static str {
        match self {
            ImageOp::OpenArchive { .. } => "image_open_archive",
            ImageOp::ReadManifests { .. } => "image_read_manifests",
            ImageOp::ReadConfigs { .. } => "image_read_configs",
            ImageOp::AskRegistry { .. } => "image_ask_registry",
            ImageOp::FetchConfig { .. } => "image_fetch_config",
            ImageOp::TakeLayer { .. } => "image_take_layer",
            ImageOp::NameImages { .. } => "image_name_images",
            ImageOp::FreezeContainer { .. } => "image_freeze_container",
            ImageOp::ThawContainer { .. } => "image_thaw_container",
            ImageOp::WriteLayer { .. } => "image_write_layer",
            ImageOp::ImportTar { .. } => "image_import_tar",
            ImageOp::StoreLayer { .. } => "image_store_layer",
            ImageOp::TagImage { .. } => "image_tag_image",
            ImageOp::RemoveImage { .. } => "image_remove_image",
            ImageOp::SaveImages { .. } => "image_save_images",
            ImageOp::ExportTree { .. } => "image_export_tree",
            ImageOp::CompressLayer { .. } => "image_compress_layer",
            ImageOp::PushLayer { .. } => "image_push_layer",
            ImageOp::PushConfig { .. } => "image_push_config",
            ImageOp::PutManifest { .. } => "image_put_manifest",
            ImageOp::SearchIndex { .. } => "image_search_index",
            ImageOp::ReadManifest { .. } => "image_read_manifest",
            ImageOp::TryCredential { .. } => "image_try_credential",
            ImageOp::KeepCredential { .. } => "image_keep_credential",
            ImageOp::ForgetCredential { .. } => "image_forget_credential",
            ImageOp::CollectGarbage { .. } => "image_collect_garbage",
        }
    }

    /// It leaves something behind that its undo takes away.
    pub fn leaves_something(&self) -> bool {
        match self {
            // The index is replaced whole: it has the names, or not. A manifest that
            // it does not have yet may be there.
            ImageOp::TakeLayer { .. } | ImageOp::NameImages { .. } => true,
            ImageOp::FreezeContainer { .. } | ImageOp::StoreLayer { .. } | ImageOp::TagImage { .. } => true,
            ImageOp::OpenArchive { .. }
            | ImageOp::ReadManifests { .. }
            | ImageOp::ReadConfigs { .. }
            | ImageOp::AskRegistry { .. }
            | ImageOp::FetchConfig { .. } => false,
            // What is staged goes with the process; a removal cannot be taken back; a
            // file outside of the store appears by rename, complete.
            ImageOp::ThawContainer { .. }
            | ImageOp::WriteLayer { .. }
            | ImageOp::ImportTar { .. }
            | ImageOp::RemoveImage { .. }
            | ImageOp::SaveImages { .. }
            | ImageOp::ExportTree { .. }
            | ImageOp::CollectGarbage { .. }
            | ImageOp::CompressLayer { .. } => false,
            // What a registry has got it keeps: nobody but its owner can take it back.
            ImageOp::PushLayer { .. } | ImageOp::PushConfig { .. } | ImageOp::PutManifest { .. } => false,
            ImageOp::SearchIndex { .. } | ImageOp::ReadManifest { .. } | ImageOp::TryCredential { .. } => {
                false
            }
            // The file is replaced whole, as the last step.
            ImageOp::KeepCredential { .. } | ImageOp::ForgetCredential { .. } => false,
        }
    }

    /// The digests that it speaks of.
    pub fn digests(&self) -> Vec<&str> {
        match self {
            ImageOp::TakeLayer { blob, diff_id, chain_id, .. } => vec![blob, diff_id, chain_id],
            ImageOp::NameImages { images, manifests, .. } => {
                images.iter().chain(manifests).map(String::as_str).collect()
            }
            ImageOp::StoreLayer { blob, chain_id, .. } => vec![blob, chain_id],
            ImageOp::TagImage { image, manifest, before, .. } => {
                [image, manifest].into_iter().chain(before).map(String::as_str).collect()
            }
            ImageOp::RemoveImage { image, .. } => vec![image],
            ImageOp::CompressLayer { blob, .. }
            | ImageOp::PushLayer { blob, .. }
            | ImageOp::PushConfig { blob, .. } => vec![blob],
            ImageOp::PutManifest { manifest, .. } => vec![manifest],
            ImageOp::SaveImages { images, .. } => images.iter().map(String::as_str).collect(),
            ImageOp::FreezeContainer { .. }
            | ImageOp::ThawContainer { .. }
            | ImageOp::WriteLayer { .. }
            | ImageOp::ImportTar { .. }
            | ImageOp::ExportTree { .. } => vec![],
            ImageOp::OpenArchive { .. }
            | ImageOp::ReadManifests { .. }
            | ImageOp::ReadConfigs { .. }
            | ImageOp::AskRegistry { .. }
            | ImageOp::FetchConfig { .. }
            | ImageOp::SearchIndex { .. }
            | ImageOp::ReadManifest { .. }
            | ImageOp::TryCredential { .. }
            | ImageOp::KeepCredential { .. }
            | ImageOp::ForgetCredential { .. }
            | ImageOp::CollectGarbage { .. } => vec![],
        }
    }

    /// It never changes anything.
    pub fn only_reads(&self) -> bool {
        match self {
            ImageOp::TakeLayer { .. }
            | ImageOp::NameImages { .. }
            | ImageOp::FreezeContainer { .. }
            | ImageOp::ThawContainer { .. }
            | ImageOp::WriteLayer { .. }
            | ImageOp::ImportTar { .. }
            | ImageOp::StoreLayer { .. }
            | ImageOp::TagImage { .. }
            | ImageOp::RemoveImage { .. }
            | ImageOp::SaveImages { .. }
            | ImageOp::ExportTree { .. }
            | ImageOp::CompressLayer { .. }
            | ImageOp::PushLayer { .. }
            | ImageOp::PushConfig { .. }
            | ImageOp::PutManifest { .. }
            | ImageOp::KeepCredential { .. }
            | ImageOp::ForgetCredential { .. }
            | ImageOp::CollectGarbage { .. } => false,
            ImageOp::OpenArchive { .. }
            | ImageOp::ReadManifests { .. }
            | ImageOp::ReadConfigs { .. }
            | ImageOp::AskRegistry { .. }
            | ImageOp::FetchConfig { .. }
            | ImageOp::SearchIndex { .. }
            | ImageOp::ReadManifest { .. }
            | ImageOp::TryCredential { .. } => true,
        }
    }
}
