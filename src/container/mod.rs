//! Containers as glassbox keeps them: records in the store, receipts of
//! running plans in the run-time directory, ids and names, and the repair of
//! what a killed process left.

#[cfg(feature = "linux")]
pub mod files;
pub mod id;
pub mod name;
#[cfg(feature = "linux")]
pub mod receipt;
#[cfg(feature = "linux")]
pub mod record;
#[cfg(feature = "linux")]
pub mod repair;
#[cfg(feature = "linux")]
pub mod userdb;
