//! `cargo bench --bench run`: what a run costs, beside its peers in the same run.
//!
//! Prints medians and ratios; says so where a peer is not installed (Debian:
//! crun, podman). Needs root. Nothing here passes or fails: the goals stand
//! beside the figures.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![allow(missing_docs, reason = "a program")]

mod fixture;
mod measure;

use std::process::Command;

use fixture::Fixture;
use measure::{Sample, alternate, median};

const ROUNDS: usize = 60;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !nix::unistd::geteuid().is_root() {
        println!("run: skipped: needs root");
        return Ok(());
    }
    alone()?;
    let rounds = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(ROUNDS);
    let mut fixture = Fixture::new()?;
    let crun = fixture.crun();
    let podman = fixture.podman();

    println!("run --rm --network none of a static `true`, everything on; {rounds} rounds each");
    let mut plain = alternate(
        rounds,
        &mut [
            ("glassbox", Some(&|| fixture.glassbox(&["--network", "none"]))),
            (
                "glassbox, no seccomp",
                Some(&|| fixture.glassbox(&["--network", "none", "--security-opt", "seccomp=unconfined"])),
            ),
            ("floor (C)", Some(&|| fixture.floor())),
            ("crun, same seccomp", crun.as_ref().map(|c| c as &dyn Fn() -> Command)),
        ],
    )?;
    let own = plain.remove("glassbox").ok_or("glassbox was not measured")?;
    show("glassbox", &own, None);
    show("glassbox, no seccomp", &plain["glassbox, no seccomp"], None);
    show("floor (C)", &plain["floor (C)"], Some((&own, 2.5)));
    match plain.get("crun, same seccomp") {
        Some(sample) => {
            show("crun, same seccomp", sample, Some((&own, 0.3)));
            match (own.peak_kb, sample.peak_kb) {
                (Some(own), Some(peer)) => println!(
                    "  peak resident memory: glassbox {own} kB, crun {peer} kB: {:.2} x (goal: at most 1.5)",
                    own as f64 / peer as f64
                ),
                _ => println!("  peak resident memory: not measured: GNU time is not installed"),
            }
        }
        None => println!("  crun is not installed or does not run here: no ratio"),
    }

    println!("\nrun --rm with the default bridge, address, route and masquerade");
    let few = rounds.min(15);
    let mut bridged = alternate(
        few,
        &mut [
            ("glassbox", Some(&|| fixture.glassbox(&[]))),
            ("podman", podman.as_ref().map(|c| c as &dyn Fn() -> Command)),
        ],
    )?;
    let own = bridged.remove("glassbox").ok_or("glassbox was not measured")?;
    show("glassbox", &own, None);
    match bridged.get("podman") {
        Some(sample) => show("podman", sample, Some((&own, 0.06))),
        None => println!("  podman is not installed or does not run here: no ratio"),
    }

    println!("\ntracing to a file");
    let file = fixture.path("trace.jsonl");
    let traced = format!("--trace-file={}", file.display());
    let mut tracing = alternate(
        rounds,
        &mut [
            ("traced", Some(&|| fixture.glassbox(&["--network", "none", &traced]))),
            ("untraced", Some(&|| fixture.glassbox(&["--network", "none"]))),
        ],
    )?;
    let own = tracing.remove("traced").ok_or("the traced run was not measured")?;
    show("traced", &own, None);
    show("untraced", &tracing["untraced"], Some((&own, 1.5)));
    Ok(())
}

/// Mount and network namespaces for all contestants: the bridges of a store that
/// is thrown away, and what podman keeps mounted, go with this process.
fn alone() -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

fn show(name: &str, sample: &Sample, goal: Option<(&Sample, f64)>) {
    print!(
        "  {name:<24} median {:7.2} ms  (min {:.2}, max {:.2})",
        median(&sample.ms),
        sample.ms[0],
        sample.ms[sample.ms.len() - 1]
    );
    match goal {
        Some((own, limit)) => {
            println!(
                "  ratio {:.3}, of the minima {:.3} (goal: at most {limit})",
                median(&own.ms) / median(&sample.ms),
                own.ms[0] / sample.ms[0]
            )
        }
        None => println!(),
    }
}
