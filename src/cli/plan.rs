//! `glassbox plan`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::args::ContainerArgs;
use super::context::Context;
use super::error::CliError;
use super::{exec, launch, load, output, pull, setup};
use crate::narrate::Narrator;
use crate::render::paint::Paint;
use crate::render::plan_table;

/// Show what a command would do, without doing anything
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(subcommand)]
    command: PlanCommand,
}

#[derive(Debug, Subcommand)]
enum PlanCommand {
    /// Show the plan of `run` with the same options
    #[command(disable_help_flag = true)]
    Run(Box<PlanRunArgs>),
    /// Show the plan of `exec` with the same options
    Exec(Box<PlanExecArgs>),
    /// Show the plan of `load` for an archive: it is looked at, and nothing is stored
    Load(PlanLoadArgs),
    /// Show the plan of `pull` for a name: the registry is asked, and nothing is fetched
    Pull(PlanPullArgs),
}

#[derive(Debug, Args)]
struct PlanLoadArgs {
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
    /// The archive
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
}

#[derive(Debug, Args)]
struct PlanPullArgs {
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
    #[command(flatten)]
    from: pull::FromArgs,
    /// NAME[:TAG|@DIGEST]
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,
}

#[derive(Debug, Args)]
struct PlanRunArgs {
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
    #[command(flatten)]
    container: ContainerArgs,
}

#[derive(Debug, Args)]
struct PlanExecArgs {
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
    #[command(flatten)]
    wanted: exec::WantedArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line per step.
    Table,
    /// The plan as data.
    Json,
}

/// Runs the command.
pub fn run(context: &Context, args: PlanArgs) -> Result<u8, CliError> {
    let (plan, format) = match args.command {
        PlanCommand::Run(args) => {
            let request = args.container.request()?;
            let image = setup::image(context, &args.container.image, true)?;
            (launch::prepare(context, &args.container, &request, &image, true)?.plan, args.format)
        }
        PlanCommand::Exec(args) => {
            let plan = exec::foresee(context, &args.wanted);
            (plan.map_err(|e| if e.status == 1 { e.status(125) } else { e })?, args.format)
        }
        PlanCommand::Load(args) => (load::foresee(context, &args.input)?, args.format),
        PlanCommand::Pull(args) => (pull::foresee(context, &args.image, &args.from)?, args.format),
    };
    let text = match format {
        Format::Table => {
            let lines = plan_table::lines(&plan, &Narrator::new(context.lang), super::tracing::width());
            Paint { colour: context.color, raw: false }.text(&lines)
        }
        Format::Json => plan_table::json(&plan)
            .map_err(|e| CliError::new(format!("cannot write the plan as JSON: {e}")))?,
    };
    output::print(&text)?;
    Ok(0)
}
