//! From what is wanted (a [`crate::spec::RunSpec`]) to what will be done: a
//! [`Plan`] of [`Step`]s, each with one [`Op`]. Pure functions and plain data;
//! nothing here touches a host.

pub mod cgroup;
pub mod container;
pub mod exec;
pub mod image;
pub mod op;
pub mod order;
pub mod run;
mod step;

pub use op::Op;
pub use step::{Actor, PLAN_VERSION, Phase, Plan, Step, StepId};
