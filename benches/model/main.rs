//! `cargo bench --bench model`: how fast the modelled kernel is, on one core. File
//! operations on a union of three layers, and whole runs with their stories.
//!
//! Prints minima and medians; the goal stands beside the figure. Needs no root.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![allow(missing_docs, reason = "a program")]

use std::time::{Duration, Instant};

use glassbox::kernel::model::{HostEntry, Session, World};
use glassbox::kernel::{Errno, Watch};
use glassbox::play::{self, Request};
use glassbox::userland::OpenFlags;

const ROUNDS: usize = 20;
const STEPS_GOAL: f64 = 1_000_000.0;
const RUN_GOAL_MS: f64 = 5.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let mut session = union()?;
        let start = Instant::now();
        let steps = work(&mut session, 2000).map_err(|e| e.to_string())?;
        rates.push(steps as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "file operations on a union: best {:.2}, median {:.2} million steps per second (goal {:.1})",
        rates[ROUNDS - 1] / 1e6,
        rates[ROUNDS / 2] / 1e6,
        STEPS_GOAL / 1e6,
    );
    for (what, watch, script) in [
        ("a run, told", Watch::After, "echo hi >> /etc/motd; rm /etc/shells; ls / | wc -l"),
        ("a run, told in full", Watch::BeforeAndAfter, "echo hi >> /etc/motd; rm /etc/shells; ls / | wc -l"),
        ("a run, untold", Watch::Off, "true"),
    ] {
        let request = Request {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            watch,
            rm: true,
            ..Request::default()
        };
        let mut times: Vec<Duration> = Vec::new();
        let mut events = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            events = play::run(&request).map_err(|e| e.to_string())?.events.len();
            times.push(start.elapsed());
        }
        times.sort();
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        println!(
            "{what}: minimum {:.2} ms, median {:.2} ms, {events} events (goal {RUN_GOAL_MS} ms)",
            ms(times[0]),
            ms(times[ROUNDS / 2]),
        );
    }
    Ok(())
}

fn union() -> Result<Session> {
    let mut world = World::new();
    let file = |path: String| HostEntry::File { path, mode: 0o644, content: vec![b'x'; 200] };
    let mut entries: Vec<HostEntry> = ["u", "w", "m"]
        .map(|path| HostEntry::Dir { path: path.to_owned(), mode: 0o755 })
        .into_iter()
        .collect();
    for layer in 1..=3 {
        for dir in 0..10 {
            entries.extend((0..10).map(|f| file(format!("l{layer}/d{dir}/f{layer}{f}"))));
        }
    }
    world.populate("/", &entries).map_err(|e| e.to_string())?;
    let mut session = Session::new(world).map_err(|e| e.to_string())?;
    session.mount_overlay(&["/l3", "/l2", "/l1"], "/u", "/w", "/m").map_err(|e| e.to_string())?;
    session.chroot("/m").map_err(|e| e.to_string())?;
    Ok(session)
}

/// What programs do with files, in a mix: gives the number of calls.
fn work(s: &mut Session, rounds: usize) -> std::result::Result<usize, Errno> {
    let mut steps = 0;
    for n in 0..rounds {
        let dir = format!("/d{}", n % 10);
        let (new, moved) = (format!("{dir}/new{}", n % 50), format!("{dir}/moved{}", n % 50));
        let below = format!("{dir}/f1{}", n % 10);
        let file = s.open(&new, OpenFlags::CREATE, 0o644)?;
        for _ in 0..4 {
            s.write(file, b"some bytes of a file\n")?;
        }
        s.fstat(file)?;
        s.close(file);
        s.stat(&new)?;
        let file = s.open(&below, OpenFlags::READ, 0)?;
        while !s.read(file, 128)?.is_empty() {
            steps += 1;
        }
        s.close(file);
        let file = s.open(&below, OpenFlags::APPEND, 0o644)?;
        s.write(file, b"more")?;
        s.close(file);
        s.truncate(&below, 200)?;
        s.chmod(&below, 0o600)?;
        s.rename(&new, &moved)?;
        s.link(&moved, &new)?;
        s.lstat(&moved)?;
        s.unlink(&new)?;
        s.unlink(&moved)?;
        s.mkdir(&new, 0o755)?;
        s.symlink("target", &moved)?;
        s.read_link(&moved)?;
        s.unlink(&moved)?;
        s.rmdir(&new)?;
        if n % 10 == 0 {
            s.read_dir(&dir)?;
            steps += 1;
        }
        steps += 28;
    }
    Ok(steps)
}
