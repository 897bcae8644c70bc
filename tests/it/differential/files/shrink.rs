//! A case that fails, made as small as it can be while it still fails.

use super::call::Call;
use super::generate::Case;

/// Leaves out what is not needed: halves first, then less, at last single calls.
pub fn shrink(mut case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    loop {
        let before = case.make.len() + case.steps.len();
        let (make, steps) = (case.make.clone(), case.steps.clone());
        case.steps = fewer(steps, |steps| fails(&Case { steps: steps.to_vec(), ..case.clone() }));
        case.make = fewer(make, |make| fails(&Case { make: make.to_vec(), ..case.clone() }));
        if case.make.len() + case.steps.len() == before {
            return case;
        }
    }
}

fn fewer<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut size = items.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < items.len() {
            let end = (at + size).min(items.len());
            let without: Vec<T> = items[..at].iter().chain(&items[end..]).cloned().collect();
            if fails(&without) {
                items = without;
            } else {
                at = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    items
}

/// The case as somebody can read it.
pub fn tell(case: &Case) -> String {
    let made = case.make.iter().map(|c| format!("  {}", short(c)));
    let steps = case.steps.iter().map(|(user, c)| format!("  {}: {}", user.uid, short(c)));
    let lines: Vec<String> =
        std::iter::once(format!("{} layers", case.layers)).chain(made).chain(steps).collect();
    lines.join("\n")
}

fn short(call: &Call) -> String {
    let text = format!("{call:?}");
    text.replace(": true", "").replace(", read: false", "").chars().take(300).collect()
}
