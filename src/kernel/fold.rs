//! What of a container's life is told one by one, and what is counted. Both
//! kernels tell through here, so that they tell alike.

use std::collections::BTreeMap;

use super::{OnLife, Watch};
use crate::trace::Life;

/// Of the files that one program makes, so many are told one by one.
const MADE: u64 = 3;
/// Of everything else that one program does, so many of each kind.
const DONE: u64 = 12;

/// Counts by kind and program, and lets the first of each through.
#[derive(Debug)]
pub struct Fold {
    /// Everything is told.
    full: bool,
    counts: BTreeMap<(&'static str, String), u64>,
}

impl Fold {
    /// For a run that is watched so closely.
    pub fn new(watch: Watch) -> Self {
        Fold { full: watch >= Watch::BeforeAndAfter, counts: BTreeMap::new() }
    }

    /// Tells it, or counts it.
    pub fn tell(&mut self, life: Life, hear: OnLife<'_>) {
        let most = match &life {
            Life::Created(_) => MADE,
            Life::CopyUp(_)
            | Life::Whiteout(_)
            | Life::Opaque(_)
            | Life::Redirect(_)
            | Life::Forked { .. }
            | Life::Executed { .. }
            | Life::Ended { .. }
            | Life::Refused { .. }
            | Life::SignalIgnored { .. } => DONE,
            // Rare, and each one counts.
            _ => return hear.tell(life),
        };
        let count = self.counts.entry((life.name(), program(&life).to_owned())).or_default();
        *count += 1;
        if self.full || *count <= most {
            hear.tell(life);
        }
    }

    /// Says how many were only counted: of this program, or of all.
    pub fn flush(&mut self, of: Option<&str>, hear: OnLife<'_>) {
        for ((kind, program), count) in &mut self.counts {
            let most = if *kind == "created" { MADE } else { DONE };
            if !self.full && *count > most && of.is_none_or(|of| of == program) {
                hear.tell(Life::More {
                    what: (*kind).to_owned(),
                    program: program.clone(),
                    count: *count - most,
                });
                // What comes from now on is counted anew, and no more told one by one.
                *count = most;
            }
        }
    }
}

fn program(life: &Life) -> &str {
    match life {
        Life::Created(c) | Life::CopyUp(c) | Life::Whiteout(c) | Life::Opaque(c) | Life::Redirect(c) => {
            c.process.as_ref().map_or("", |p| &p.program)
        }
        Life::Forked { parent, .. } => &parent.program,
        Life::Executed { process, .. } | Life::Ended { process, .. } | Life::Refused { process, .. } => {
            &process.program
        }
        Life::SignalIgnored { sender, .. } => sender.as_ref().map_or("", |p| &p.program),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{FileChange, FileType, Process, Value};

    fn made(program: &str, path: &str) -> Life {
        let process = Process { pid: Value::Int(5), inside: None, program: program.to_owned() };
        Life::Created(Box::new(FileChange {
            process: Some(process),
            call: None,
            path: path.to_owned(),
            what: FileType::File,
            bytes: None,
            stands: None,
            layer: None,
            hidden: vec![],
            from: None,
        }))
    }

    fn told(watch: Watch, lives: Vec<Life>) -> Vec<Life> {
        let mut all = Vec::new();
        let mut hear = |life| all.push(life);
        let mut fold = Fold::new(watch);
        for life in lives {
            fold.tell(life, &mut hear);
        }
        fold.flush(None, &mut hear);
        fold.flush(None, &mut hear);
        all
    }

    #[test]
    fn the_first_few_of_a_program_are_told_and_the_rest_is_counted_once() {
        let lives = || (0..2000).map(|n| made("tar", &format!("/{n}"))).chain([made("sh", "/x")]).collect();
        let all = told(Watch::After, lives());
        assert_eq!(all.len(), 5);
        assert!(matches!(&all[3], Life::Created(c) if c.path == "/x"));
        let more = Life::More { what: "created".into(), program: "tar".into(), count: 1997 };
        assert_eq!(all[4], more);
        assert_eq!(told(Watch::BeforeAndAfter, lives()).len(), 2001);
    }
}
