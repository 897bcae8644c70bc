//! What is to be said of the layers of a plan's union.

use std::collections::HashMap;

use crate::plan::{Op, Plan};
use crate::trace::{Kind, Supplier, Value};

/// The directory of each layer below the writable one, the uppermost first, with its
/// diff ID and what made it.
pub fn suppliers(plan: &Plan) -> Vec<(&str, Supplier)> {
    let mut known = HashMap::new();
    for step in &plan.steps {
        if let Op::UseLayer { diff_id, dir, created_by, .. }
        | Op::UnpackLayer { diff_id, dir, created_by, .. } = &step.op
        {
            let digest = Value::volatile(Kind::Digest, diff_id);
            known.insert(dir.as_str(), Supplier { digest, made_by: created_by.clone() });
        }
    }
    let lower = plan.steps.iter().find_map(|s| match &s.op {
        Op::MountOverlay { lower, .. } => Some(lower),
        _ => None,
    });
    let unnamed = |dir: &str| Supplier { digest: dir.into(), made_by: String::new() };
    let supplier = |dir: &'_ String| known.get(dir.as_str()).cloned().unwrap_or_else(|| unnamed(dir));
    lower.into_iter().flatten().map(|dir| (dir.as_str(), supplier(dir))).collect()
}
