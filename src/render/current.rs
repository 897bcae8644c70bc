//! A step as it is being told, and which of its calls tell most.

use super::layout::Row;
use super::lines;
use crate::narrate::{Line, Narrator};
use crate::plan::image::ImageOp;
use crate::plan::{Op, Step};
use crate::trace::{Call, Fact, Value};

/// A step under way, or held back.
#[derive(Debug)]
pub struct Current {
    pub step: Step,
    pub calls: Vec<Call>,
    pub before: Vec<Fact>,
    pub after: Vec<Fact>,
    pub micros: u64,
    pub unchanged: bool,
    pub headed: bool,
    /// What happened in the container at the end of the step.
    pub life: Vec<Row>,
}

/// The key of the fact that counts system calls by name.
const COUNTED: &str = "more system calls";

impl Current {
    /// A step of which nothing is known yet.
    pub fn new(step: Step) -> Self {
        Current {
            step,
            calls: vec![],
            before: vec![],
            after: vec![],
            micros: 0,
            unchanged: false,
            headed: false,
            life: vec![],
        }
    }

    /// Calls that were counted by name, where nobody wanted them one by one.
    pub fn counted(&self, narrator: &Narrator) -> Option<Row> {
        let fact = self.after.iter().find(|f| f.key == COUNTED)?;
        let line = narrator.say("story_counted_calls", &[("calls", fact.value.text().into())]);
        Some(Row::Noted { margin: String::new(), line })
    }

    /// The evidence that tells most, and how much there is; what was counted of
    /// the calls stands with these.
    pub fn telling_facts(&self) -> (Vec<&Fact>, usize) {
        let mut facts = lines::telling(&self.before, &self.after);
        facts.retain(|f| f.key != COUNTED);
        (facts, self.after.iter().filter(|f| f.key != COUNTED).count())
    }

    /// What unpacking a layer counted, where it was counted.
    pub fn unpacked(&self, narrator: &Narrator) -> Option<Line> {
        if !matches!(self.step.op, Op::UnpackLayer { .. } | Op::Image(ImageOp::TakeLayer { .. })) {
            return None;
        }
        let count = |key: &str| match self.after.iter().find(|f| f.key == key)?.value {
            Value::Int(n) => Some(n),
            _ => None,
        };
        let args = [
            ("entries", count("entries")?.into()),
            ("bytes", count("bytes of files")?.into()),
            ("whiteouts", count("whiteouts")?.into()),
            ("opaque", count("opaque directories")?.into()),
        ];
        Some(narrator.say("story_unpacked", &args))
    }
}

/// The calls that changed something, what they wrote to, and in a failed step
/// those that failed.
pub fn telling_calls(calls: &[Call], failed: bool) -> Vec<&Call> {
    // What is written to tells as much as what is written.
    let written = |fd: &Value| {
        calls.iter().any(|c| c.name == "write" && c.args.first().is_some_and(|(_, to)| to == fd))
    };
    let opens = |c: &Call| c.name == "openat" && c.errno.is_none() && written(&c.result);
    calls.iter().filter(|c| c.changes || failed && c.errno.is_some() || opens(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::narrate::{Lang, plain};
    use crate::plan::{Actor, Phase, StepId};

    fn unpacking(facts: &[(&str, i64)]) -> Current {
        let op = Op::UnpackLayer {
            index: 0,
            blob: "b".to_owned(),
            media_type: "m".to_owned(),
            size: 1,
            diff_id: "d".to_owned(),
            chain_id: "c".to_owned(),
            dir: "/d".to_owned(),
            created_by: String::new(),
        };
        let step =
            Step { id: StepId("image.unpack".to_owned()), phase: Phase::Image, actor: Actor::Runtime, op };
        let fact = |(key, n): &(&str, i64)| Fact {
            source: "tar".into(),
            key: (*key).to_owned(),
            value: (*n).into(),
        };
        Current { after: facts.iter().map(fact).collect(), ..Current::new(step) }
    }

    #[test]
    fn what_was_counted_is_said_and_nothing_else() {
        let counts = |whiteouts, opaque| {
            unpacking(&[
                ("entries", 7),
                ("bytes of files", 120),
                ("whiteouts", whiteouts),
                ("opaque directories", opaque),
            ])
        };
        let said = |current: &Current, lang| current.unpacked(&Narrator::new(lang)).map(|l| plain(&l));
        for (whiteouts, opaque, en, zh) in [
            (
                0,
                0,
                "7 entries, 120 bytes of files; no whiteout.",
                "共 7 个条目，文件内容 120 字节；没有 whiteout。",
            ),
            (
                2,
                1,
                "7 entries, 120 bytes of files; 2 whiteouts, now those of overlayfs, and one directory that hides \
                 what is below it.",
                "共 7 个条目，文件内容 120 字节；2 个 whiteout，已换成 overlayfs 的形式，另有 1 个目录遮住下面各层的内容。",
            ),
        ] {
            assert_eq!(said(&counts(whiteouts, opaque), Lang::En).as_deref(), Some(en));
            assert_eq!(said(&counts(whiteouts, opaque), Lang::ZhCn).as_deref(), Some(zh));
        }
        assert_eq!(said(&unpacking(&[("entries", 7)]), Lang::En), None);
    }
}
