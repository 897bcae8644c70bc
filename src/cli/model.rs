//! pending
use super::args::ContainerArgs;
use super::context::Context;
use super::error::CliError;
use super::tracing::Watching;
use crate::engine::Outcome;
use crate::plan::Plan;
use crate::spec::RunRequest;
/// pending
pub fn run(_c: &Context, _a: &ContainerArgs, _r: &RunRequest, _w: Watching) -> Result<Outcome, CliError> {
    Err(CliError::new("the model is not merged"))
}
/// pending
pub fn plan(_c: &Context, _a: &ContainerArgs, _r: &RunRequest) -> Result<Plan, CliError> {
    Err(CliError::new("the model is not merged"))
}
