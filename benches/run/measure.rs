//! Times whole processes in turn, so that a drifting machine meets all alike.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// Runs of one contestant: sorted milliseconds and the largest resident set.
pub struct Sample {
    pub ms: Vec<f64>,
    pub peak_kb: i64,
}

pub fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

type Contestant<'a> = (&'static str, Option<&'a dyn Fn() -> Command>);

/// Runs each contestant once per round, after one round that does not count.
pub fn alternate(
    rounds: usize,
    contestants: &mut [Contestant<'_>],
) -> Result<BTreeMap<&'static str, Sample>, Box<dyn std::error::Error>> {
    let mut samples: BTreeMap<&'static str, Sample> = BTreeMap::new();
    for round in 0..=rounds {
        for (name, make) in contestants.iter() {
            let Some(make) = make else { continue };
            let mut command = make();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let start = Instant::now();
            let output = command.spawn()?.wait_with_output()?;
            let ms = start.elapsed().as_secs_f64() * 1000.0;
            if !output.status.success() {
                return Err(format!(
                    "{name} failed: {}\n{}",
                    output.status,
                    String::from_utf8_lossy(&output.stderr)
                )
                .into());
            }
            if round > 0 {
                let sample = samples.entry(name).or_insert(Sample { ms: Vec::new(), peak_kb: 0 });
                sample.ms.push(ms);
            }
        }
    }
    for (name, make) in contestants.iter() {
        if let (Some(make), Some(sample)) = (make, samples.get_mut(name)) {
            sample.ms.sort_by(f64::total_cmp);
            sample.peak_kb = peak(make())?;
        }
    }
    Ok(samples)
}

/// The largest resident set of the command itself. A child of this process
/// would inherit our own peak across fork, so a small shell stands between,
/// whose children are what GNU time would measure.
fn peak(command: Command) -> Result<i64, Box<dyn std::error::Error>> {
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    match timed.stdin(Stdio::null()).stdout(Stdio::null()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = text.lines().last().unwrap_or_default();
            Ok(last.trim().parse()?)
        }
        // Without GNU time all that is known is the largest child so far.
        Err(_) => Ok(before),
    }
}
