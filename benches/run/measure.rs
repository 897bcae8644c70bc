//! Times whole processes in turn, so that a drifting machine meets all alike.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs of one contestant: sorted milliseconds and the largest resident set.
pub struct Sample {
    pub ms: Vec<f64>,
    /// Unknown without GNU time.
    pub peak_kb: Option<i64>,
}

pub fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

type Contestant<'a> = (&'static str, Option<&'a dyn Fn() -> Command>);

/// Runs each contestant once per round, after one round that does not count. One
/// that fails is told and left out.
pub fn alternate(
    rounds: usize,
    contestants: &mut [Contestant<'_>],
) -> Result<BTreeMap<&'static str, Sample>, Box<dyn std::error::Error>> {
    let mut samples: BTreeMap<&'static str, Sample> = BTreeMap::new();
    let mut out = BTreeSet::new();
    for round in 0..=rounds {
        for (name, make) in contestants.iter() {
            let Some(make) = make.filter(|_| !out.contains(name)) else { continue };
            let mut command = make();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let start = Instant::now();
            let output = command.spawn()?.wait_with_output()?;
            let ms = start.elapsed().as_secs_f64() * 1000.0;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                println!("  {name} failed: {}: {}", output.status, why.trim());
                samples.remove(name);
                out.insert(*name);
                continue;
            }
            if round > 0 {
                let sample = samples.entry(name).or_insert(Sample { ms: Vec::new(), peak_kb: None });
                sample.ms.push(ms);
            }
        }
    }
    for (name, make) in contestants.iter() {
        if let (Some(make), Some(sample)) = (make, samples.get_mut(name)) {
            sample.ms.sort_by(f64::total_cmp);
            sample.peak_kb = peak(make());
        }
    }
    Ok(samples)
}

/// The largest resident set of the command itself. A child of this process
/// would inherit our own peak across fork, so GNU time, which is small, stands
/// between.
fn peak(command: Command) -> Option<i64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.stdin(Stdio::null()).stdout(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().last()?.trim().parse().ok()
}
