//! New images from what is there: what a container wrote (`commit`), or a tar of
//! a root file system (`import`), with a config that instructions change.

#[cfg(feature = "linux")]
mod commit;
mod describe;
#[cfg(feature = "linux")]
mod import;
pub mod instruction;
mod words;

#[cfg(feature = "linux")]
pub use commit::{Author, Commit, NewLayer, container_config, describe_commit, write_layer};
#[cfg(feature = "linux")]
pub(crate) use describe::MANIFEST;
pub use describe::{Described, History, LayerRef, describe};
#[cfg(feature = "linux")]
pub use import::{Import, Taken, describe_import, read_tar};
