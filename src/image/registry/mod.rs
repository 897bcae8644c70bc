//! Registries: a synchronous client of the OCI distribution specification.
//!
//! A [`Client`] keeps connections and tokens; a [`Repository`] reads manifests,
//! tags and blobs through it, from mirrors first, and writes to the registry
//! itself. Nothing here holds more of a blob than a buffer.

mod auth;
mod blob;
mod challenge;
mod client;
pub mod credentials;
mod error;
mod helper;
mod login;
pub mod manifest;
pub mod options;
pub mod pull;
pub mod push;
mod repository;
pub mod search;
mod tls;
mod transport;
mod upload;
mod url;

pub use blob::Blob;
pub use client::Client;
pub use error::RegistryError;
pub use manifest::Manifest;
pub use options::Options;
pub use repository::Repository;
pub use transport::Exchange;
pub use upload::{Sent, Upload};

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod upload_tests;
