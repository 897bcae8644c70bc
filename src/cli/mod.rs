//! The command line: a file per command, each with its arguments and a call
//! into the library. Only this room prints, and only it reads the environment.

mod action;
mod args;
mod bars;
mod commit;
mod config;
mod context;
mod diff;
mod error;
mod exec;
mod export;
mod fault;
mod filter;
mod history;
mod image;
mod image_inspect;
mod image_prune;
mod images;
mod import;
mod inspect;
mod joined;
mod launch;
mod layers;
mod learn;
mod limits;
mod list;
mod load;
mod login;
mod manifest;
mod model;
mod output;
mod plan;
mod ps;
mod pull;
mod push;
mod quick;
mod recording;
mod registry;
mod replay;
mod rm;
mod rmi;
mod run;
mod save;
mod search;
mod select;
mod setup;
mod single;
mod sizes;
mod step;
mod stepper;
mod system;
mod table;
mod tag;
mod trace;
mod tracing;
mod worker;

use clap::{Parser, Subcommand};

use context::{Context, Global};

/// A daemonless, Docker-compatible container engine that you can see through.
#[derive(Debug, Parser)]
#[command(
    name = "glassbox",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Exec(Box<exec::ExecArgs>),
    Plan(plan::PlanArgs),
    Ps(ps::PsArgs),
    Inspect(inspect::InspectArgs),
    Diff(diff::DiffArgs),
    Rm(rm::RmArgs),
    Commit(commit::CommitArgs),
    Export(export::ExportArgs),
    Image(image::ImageArgs),
    Images(images::ImagesArgs),
    History(history::HistoryArgs),
    Layers(layers::LayersArgs),
    Tag(tag::TagArgs),
    Rmi(rmi::RmiArgs),
    Save(save::SaveArgs),
    Load(load::LoadArgs),
    Import(import::ImportArgs),
    Pull(pull::PullArgs),
    Push(push::PushArgs),
    Search(search::SearchArgs),
    Manifest(manifest::ManifestArgs),
    Login(login::LoginArgs),
    Logout(login::LogoutArgs),
    Learn(learn::LearnArgs),
    Replay(replay::ReplayArgs),
    Trace(trace::TraceCommand),
    System(system::SystemArgs),
}

/// Runs the command line and returns the exit status of the process.
pub fn main(args: Vec<std::ffi::OsString>) -> u8 {
    if let Some((global, args)) = quick::run(&args) {
        return ended(Context::new(global).and_then(|context| run::run(&context, *args)));
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers, and go to standard output.
            let _ = e.print();
            return if e.use_stderr() { 125 } else { 0 };
        }
    };
    let result = Context::new(cli.global).and_then(|context| match cli.command {
        Command::Run(args) => run::run(&context, *args),
        Command::Exec(args) => exec::run(&context, &args),
        Command::Plan(args) => plan::run(&context, args),
        Command::Ps(args) => ps::run(&context, &args),
        Command::Inspect(args) => inspect::run(&context, &args),
        Command::Diff(args) => diff::run(&context, &args),
        Command::Rm(args) => rm::run(&context, &args),
        Command::Commit(args) => commit::run(&context, &args),
        Command::Export(args) => export::run(&context, &args),
        Command::Image(args) => image::run(&context, args),
        Command::Images(args) => images::run(&context, &args),
        Command::History(args) => history::run(&context, &args),
        Command::Layers(args) => layers::run(&context, &args),
        Command::Tag(args) => tag::run(&context, &args),
        Command::Rmi(args) => rmi::run(&context, &args),
        Command::Save(args) => save::run(&context, &args),
        Command::Load(args) => load::run(&context, &args),
        Command::Import(args) => import::run(&context, &args),
        Command::Pull(args) => pull::run(&context, &args),
        Command::Push(args) => push::run(&context, &args),
        Command::Search(args) => search::run(&context, &args),
        Command::Manifest(args) => manifest::run(&context, &args),
        Command::Login(args) => login::login(&context, &args),
        Command::Logout(args) => login::logout(&context, &args),
        Command::Learn(args) => learn::run(&context, &args),
        Command::Replay(args) => replay::run(&context, &args),
        Command::Trace(args) => trace::run(&context, &args),
        Command::System(args) => system::run(&context, &args),
    });
    ended(result)
}

fn ended(result: Result<u8, error::CliError>) -> u8 {
    match result {
        Ok(status) => status,
        Err(error) => {
            output::error(&error);
            error.status
        }
    }
}
