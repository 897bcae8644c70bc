//! Random sequences of file operations on layered trees, on a real overlayfs and
//! on the model: every answer, every error, the union that is left and the
//! writable layer below it.
//!
//! `GLASSBOX_SEED` begins with another case than the clock's, and
//! `GLASSBOX_SEQUENCES` runs so many: 2,000 are usual, `.ci/nightly` runs 100,000.

mod call;
mod generate;
mod model;
mod real;
mod shrink;

use std::io::Write;

use call::{Answer, Call, Machine, ROOT};
use generate::Case;
use glassbox::userland::{FileType, OpenFlags};
use model::Model;
use real::Real;

/// All that a machine said of a case, one line for each thing.
fn run(machine: &mut dyn Machine, case: &Case) -> Vec<String> {
    let mut told = Vec::new();
    machine.act_as(ROOT);
    for dir in
        ["/u", "/w", "/m"].into_iter().map(str::to_owned).chain((1..=case.layers).map(|n| format!("/l{n}")))
    {
        machine.call(&Call::Mkdir { path: dir, mode: 0o755 }).unwrap();
    }
    for call in &case.make {
        told.push(format!("make {call:?} = {:?}", machine.call(call)));
    }
    machine.mount(case.layers).unwrap();
    machine.enter();
    for (user, call) in &case.steps {
        machine.act_as(*user);
        let answer = machine.call(call);
        told.push(format!("{} {call:?} = {answer:?}", user.uid));
    }
    machine.act_as(ROOT);
    machine.leave();
    machine.enter();
    told.push("the union:".to_owned());
    walk(machine, "/", &mut told);
    machine.leave();
    told.push("the writable layer:".to_owned());
    walk(machine, "/u", &mut told);
    machine.umount();
    told
}

/// A directory and all below it.
fn walk(machine: &mut dyn Machine, path: &str, told: &mut Vec<String>) {
    let path = path.to_owned();
    let mut line = format!("  {path}");
    let Ok(Answer::Seen(seen)) = machine.call(&Call::Lstat { path: path.clone() }) else {
        told.push(format!("{line}: not there"));
        return;
    };
    if seen.kind == FileType::Char && seen.device == (0, 0) {
        // Nobody sees a whiteout's owner, mode, time or other names.
        told.push(format!("{line} whiteout"));
        return;
    }
    line.push_str(&format!(" {seen:?}"));
    if let Ok(Answer::Names(names)) = machine.call(&Call::ListXattrs { path: path.clone() }) {
        for name in names {
            let value = machine.call(&Call::GetXattr { path: path.clone(), name: name.clone() });
            line.push_str(&format!(" {name}={value:?}"));
        }
    }
    match seen.kind {
        FileType::File => {
            let _ = machine.call(&Call::Open { slot: 0, path, flags: OpenFlags::READ, mode: 0 });
            line.push_str(&format!(" {:?}", machine.call(&Call::Read { slot: 0, max: 100_000 })));
            let _ = machine.call(&Call::Close { slot: 0 });
        }
        FileType::Symlink => line.push_str(&format!(" {:?}", machine.call(&Call::ReadLink { path }))),
        FileType::Dir => {
            told.push(line);
            if let Ok(Answer::Entries(entries)) = machine.call(&Call::ReadDir { path: path.clone() }) {
                for (name, _) in entries {
                    walk(machine, &format!("{}/{name}", path.trim_end_matches('/')), told);
                }
            }
            return;
        }
        _ => {}
    }
    told.push(line);
}

/// The lines in which the two kernels differ, `-` the real one's.
fn difference(real: &mut Real, settings: &[(String, String)], case: &Case) -> Option<String> {
    let (a, b) = (run(real, case), run(&mut Model::new(settings), case));
    real.clear();
    if a == b {
        return None;
    }
    let only = |of: &[String], not: &[String], sign: char| -> String {
        of.iter().filter(|l| !not.contains(l)).map(|l| format!("{sign} {l}\n")).collect()
    };
    let lines = format!("{}{}", only(&a, &b, '-'), only(&b, &a, '+'));
    Some(if lines.is_empty() { "the same lines in another order\n".to_owned() } else { lines })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[ignore = "root"]
fn random_file_operations_are_the_same_on_both_kernels() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("GLASSBOX_SEED").unwrap_or(now.as_secs());
    let count = number("GLASSBOX_SEQUENCES").unwrap_or(2000);
    let stop_after = number("GLASSBOX_DIFFERENCES").unwrap_or(1) as usize;
    // Past the test harness, which shows only what a failed test printed.
    let _ = writeln!(std::io::stderr(), "file operations: {count} sequences, GLASSBOX_SEED={seed}");
    let dir = tempfile::Builder::new().prefix("gbx-files-").tempdir().unwrap();
    let base = dir.path().to_str().unwrap().to_owned();
    // A thread of its own: it leaves the mount namespace of the others.
    let work = move || {
        let settings = model::settings();
        let mut real = Real::new(&base);
        let mut differ = |case: &Case| difference(&mut real, &settings, case);
        let mut found = Vec::new();
        for seed in seed..seed + count {
            let case = generate::case(seed);
            if differ(&case).is_some() {
                let small = shrink::shrink(case, |c| differ(c).is_some());
                let told = differ(&small).unwrap_or_default();
                found.push(format!(
                    "GLASSBOX_SEED={seed} GLASSBOX_SEQUENCES=1\n{}\n{told}",
                    shrink::tell(&small)
                ));
                if found.len() >= stop_after {
                    break;
                }
            }
        }
        found
    };
    let found = std::thread::spawn(work).join().unwrap();
    assert!(found.is_empty(), "{} differ, real -, model +:\n{}", found.len(), found.join("\n\n"));
}
