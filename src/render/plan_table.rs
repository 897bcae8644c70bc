//! `glassbox plan`: what will be done, as a table or as JSON.

use super::layout::{Row, layout, table};
use crate::kernel::Slots;
use crate::narrate::{Known, Label, Line, Narrator, Span};
use crate::plan::Plan;

/// The plan as a table: number, step, who, what.
pub fn lines(plan: &Plan, narrator: &Narrator, width: usize) -> Vec<Line> {
    let slots = Slots::new();
    let head = ["table_number", "table_step", "table_actor", "table_what"];
    let mut rows: Vec<Vec<Line>> =
        vec![head.iter().map(|h| vec![Span::new(Label::Heading, narrator.word(h))]).collect()];
    for (n, step) in plan.steps.iter().enumerate() {
        rows.push(vec![
            vec![Span::new(Label::Dim, format!("{:>2}", n + 1))],
            vec![Span::new(Label::Value, &step.id.0)],
            narrator.actor(step.actor),
            narrator.title(&step.op, Known { slots: &slots }),
        ]);
    }
    let mut lines = table(&rows, width);
    let summary = narrator.say("plan_summary", &[("count", plan.steps.len().into())]);
    lines.extend(layout(&[Row::Blank, Row::Flush(summary)], width));
    lines
}

/// The plan as JSON, for programs.
pub fn json(plan: &Plan) -> serde_json::Result<String> {
    serde_json::to_string_pretty(plan).map(|mut text| {
        text.push('\n');
        text
    })
}
