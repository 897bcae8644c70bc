//! Containers as glassbox keeps them: records in the store, receipts of
//! running plans in the run-time directory, ids and names, the repair of what a
//! killed process left, and the modelled machine's disk.

#[cfg(feature = "linux")]
pub mod files;
pub mod id;
#[cfg(feature = "linux")]
pub mod modelled;
pub mod name;
#[cfg(feature = "linux")]
pub mod receipt;
#[cfg(feature = "linux")]
pub mod record;
#[cfg(feature = "linux")]
pub mod repair;
#[cfg(feature = "linux")]
pub mod userdb;
