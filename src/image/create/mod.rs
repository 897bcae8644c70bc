//! New images from what is there: what a container wrote (`commit`), or a tar of
//! a root file system (`import`), with a config that instructions change.

mod commit;
mod describe;
mod import;
pub mod instruction;
mod words;

pub use commit::{Author, Commit, NewLayer, container_config, describe_commit, write_layer};
pub(crate) use describe::MANIFEST;
pub use describe::{Described, History, LayerRef, describe};
pub use import::{Import, Taken, describe_import, read_tar};
