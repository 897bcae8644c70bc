//! Plans about a container that has ended.

use super::{Actor, Op, PLAN_VERSION, Phase, Plan, Step, StepId};

/// What a container wrote, and over what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Its writable layer's tree.
    pub upper: String,
    /// The trees below, the topmost first.
    pub lower: Vec<String>,
}

/// Removes a container with what it wrote. `id` is the container's, 64 hexadecimal
/// digits; `dir` is its directory; `changes` are told before they go, if that is
/// wanted.
pub fn remove(id: &str, dir: &str, changes: Option<Changes>) -> Plan {
    let step = |phase, name: &str, op| Step { id: StepId(name.to_owned()), phase, actor: Actor::Runtime, op };
    let told = changes.map(|Changes { upper, lower }| {
        step(Phase::Life, "life.read-changes", Op::ReadChanges { upper, lower })
    });
    let removal = step(Phase::Exit, "exit.remove-container", Op::RemoveContainer { path: dir.to_owned() });
    Plan {
        version: PLAN_VERSION,
        container: id.to_owned(),
        steps: told.into_iter().chain([removal]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::order;

    #[test]
    fn what_goes_is_told_only_when_wanted() {
        let changes = Changes { upper: "/c/upper".to_owned(), lower: vec!["/l".to_owned()] };
        let plan = remove(&"a".repeat(64), "/c", Some(changes));
        let names: Vec<_> = plan.steps.iter().map(|s| s.id.0.as_str()).collect();
        assert_eq!(names, ["life.read-changes", "exit.remove-container"]);
        order::check(&plan).unwrap();
        let plan = remove(&"a".repeat(64), "/c", None);
        assert_eq!(plan.steps.len(), 1);
        order::check(&plan).unwrap();
    }
}
