//! A recording as HTML, in the words of the library's narration. Steps are closed
//! `<details>`, so that the page reads as a story first.

use std::fmt::Write;

use anyhow::{Context, Result};
use glassbox::kernel::{KernelName, Slots};
use glassbox::lesson::Lang;
use glassbox::narrate::{Known, Label, Narrator, Span, man, printable, samples};
use glassbox::plan::{Actor, Op, Phase, StepId};
use glassbox::trace::{Body, Call, Event, Fact, Value, When, record, redact};

/// A whole recording. What differs from run to run is shown by name (`<pid-1>`).
pub fn recording(text: &[u8], title: &str, lang: Lang) -> Result<String> {
    let events: Vec<Event> = record::read(text).collect::<Result<_, _>>()?;
    let events = redact::redact(&events).context("failed to redact it")?;
    let mut page =
        Page { narrator: Narrator::new(lang), slots: Slots::new(), html: String::new(), phase: None };
    let _ = write!(page.html, "<div class=\"trace\">\n<p class=\"caption\">{}</p>\n", escaped(title));
    let mut rest = &events[..];
    while let Some((event, after)) = rest.split_first() {
        rest = after;
        if let Body::About { step, phase, actor, op } = &event.body {
            let end = rest.iter().position(|e| !belongs(&e.body, step)).unwrap_or(rest.len());
            page.chapter(*phase);
            page.step(step, *actor, op, &rest[..end]);
            rest = &rest[end..];
        } else {
            page.other(&event.body);
        }
    }
    page.html.push_str("</div>\n");
    Ok(page.html)
}

/// Every operation that a plan may hold.
pub fn operations(lang: Lang) -> String {
    let narrator = Narrator::new(lang);
    let slots = Slots::new();
    let known = Known { slots: &slots };
    let mut html = String::from("<div class=\"operations\">\n<dl>\n");
    for op in samples::all() {
        let pages = man(&op).join(", ");
        let _ = writeln!(
            html,
            "<dt><code>{}</code></dt>\n<dd>{} <span class=\"dim\">{}</span></dd>",
            op.name(),
            spans(&narrator.why(&op, known)),
            escaped(&pages),
        );
    }
    html.push_str("</dl>\n</div>\n");
    html
}

/// The events between a step's `about` and its end, in whatever order.
fn belongs(body: &Body, of: &StepId) -> bool {
    match body {
        Body::Call { step, .. }
        | Body::Observed { step, .. }
        | Body::Done { step, .. }
        | Body::Failed { step, .. } => step == of,
        _ => false,
    }
}

struct Page {
    narrator: Narrator,
    slots: Slots,
    html: String,
    phase: Option<Phase>,
}

impl Page {
    fn chapter(&mut self, phase: Phase) {
        if self.phase.replace(phase) != Some(phase) {
            let title = spans(&self.narrator.phase_title(phase));
            let text = spans(&self.narrator.phase_text(phase));
            let _ = write!(self.html, "<h4>{title}</h4>\n<p class=\"chapter\">{text}</p>\n");
        }
    }

    fn step(&mut self, step: &StepId, actor: Actor, op: &Op, events: &[Event]) {
        let known = Known { slots: &self.slots };
        let title = spans(&self.narrator.title(op, known));
        let mut rows = String::new();
        self.row(&mut rows, "label_about", &spans(&self.narrator.about(op, known)));
        self.row(&mut rows, "label_why", &spans(&self.narrator.why(op, known)));
        let mut failed = "";
        for event in events {
            match &event.body {
                Body::Call { call: made, .. } => self.row(&mut rows, "label_call", &call(made)),
                Body::Observed { when, facts, .. } => {
                    let label = if *when == When::Before { "label_before" } else { "label_after" };
                    for one in facts {
                        self.row(&mut rows, label, &fact(one));
                    }
                }
                Body::Done { unchanged, filled, .. } => {
                    self.slots.extend(filled.clone());
                    let known = Known { slots: &self.slots };
                    self.row(&mut rows, "label_done", &spans(&self.narrator.did(op, known, *unchanged)));
                }
                Body::Failed { failure, .. } => {
                    failed = " open";
                    let args = [("step", step.0.clone().into()), ("what", failure.to_string().into())];
                    let text = spans(&self.narrator.say("story_failed_step", &args));
                    self.row(&mut rows, "label_failed", &format!("<span class=\"bad\">{text}</span>"));
                    if let Some(hint) = &failure.hint {
                        self.row(&mut rows, "label_hint", &escaped(hint));
                    }
                }
                _ => {}
            }
        }
        let known = Known { slots: &self.slots };
        let hand = self.narrator.by_hand(op, known);
        for command in &hand.commands {
            self.row(&mut rows, "label_hand", &format!("<code>{}</code>", escaped(command)));
        }
        if let Some(note) = &hand.note {
            self.row(&mut rows, "label_hand", &spans(note));
        }
        let pages = man(op);
        if !pages.is_empty() {
            self.row(&mut rows, "label_man", &escaped(&pages.join(", ")));
        }
        let actor = spans(&self.narrator.actor(actor));
        let _ = write!(
            self.html,
            "<details{failed}><summary><span class=\"title\">{title}</span> <span class=\"dim\">{step} · {actor}</span></summary>\n<table>\n{rows}</table>\n</details>\n"
        );
    }

    fn other(&mut self, body: &Body) {
        let narrator = &self.narrator;
        let known = Known { slots: &self.slots };
        let line = match body {
            Body::Begin { kernel: KernelName::Model, .. } => narrator.say("story_model", &[]),
            Body::Begin { release, .. } => narrator.say("story_linux", &[("release", release.text().into())]),
            Body::Life { life } => narrator.life(life),
            Body::Undoing { op, .. } => narrator.undoing(op, known),
            Body::Undone { step, failure: Some(failure), .. } => {
                let args = [("step", step.0.clone().into()), ("what", failure.to_string().into())];
                narrator.say("story_not_undone", &args)
            }
            Body::End { status } => narrator.say("story_end", &[("status", i64::from(*status).into())]),
            // Told within their step, or by the event before them.
            Body::Undone { failure: None, .. }
            | Body::Planned { .. }
            | Body::About { .. }
            | Body::Call { .. }
            | Body::Observed { .. }
            | Body::Done { .. }
            | Body::Failed { .. } => return,
        };
        let _ = writeln!(self.html, "<p>{}</p>", spans(&line));
    }

    fn row(&self, rows: &mut String, label: &str, html: &str) {
        if !html.is_empty() {
            let _ =
                writeln!(rows, "<tr><th>{}</th><td>{html}</td></tr>", escaped(&self.narrator.word(label)));
        }
    }
}

fn call(call: &Call) -> String {
    let mut html = format!("<span class=\"call\">{}</span>(", escaped(&call.name));
    for (nth, (name, value)) in call.args.iter().enumerate() {
        let comma = if nth > 0 { ", " } else { "" };
        let _ = write!(html, "{comma}<span class=\"key\">{}=</span>{}", escaped(name), self::value(value));
    }
    match &call.errno {
        None => {
            let _ = write!(html, ") = <span class=\"good\">{}</span>", shown(&call.result));
        }
        Some(errno) => {
            let _ = write!(html, ") = <span class=\"bad\">{}</span>", escaped(&errno.to_string()));
        }
    }
    html
}

fn fact(fact: &Fact) -> String {
    format!(
        "<span class=\"key\">{}</span> {} <span class=\"dim\">{}</span>",
        escaped(&fact.key),
        value(&fact.value),
        shown(&fact.source)
    )
}

fn value(value: &Value) -> String {
    format!("<span class=\"value\">{}</span>", shown(value))
}

fn shown(value: &Value) -> String {
    escaped(&printable(&value.text()))
}

fn spans(line: &[Span]) -> String {
    line.iter()
        .map(|span| {
            let text = escaped(&span.text);
            match class(span.label) {
                "" => text,
                "code" => format!("<code>{text}</code>"),
                class => format!("<span class=\"{class}\">{text}</span>"),
            }
        })
        .collect()
}

fn class(label: Label) -> &'static str {
    match label {
        Label::Plain | Label::Heading | Label::Title => "",
        Label::Dim | Label::Margin => "dim",
        Label::Value => "value",
        Label::Code => "code",
        Label::Call => "call",
        Label::Key => "key",
        Label::Good => "good",
        Label::Bad => "bad",
        Label::Added => "added",
        Label::Removed => "removed",
    }
}

/// For text and attributes. A line break would end the block of HTML within the Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use glassbox::kernel::{Errno, Failure, Watch};
    use glassbox::plan::{PLAN_VERSION, Plan, Step};
    use glassbox::trace::{EventSink, Kind, TRACE_VERSION};

    fn recorded(fail: bool) -> Vec<u8> {
        let step = |id: &str, phase, op: &Op| Step {
            id: StepId(id.into()),
            phase,
            actor: Actor::Init,
            op: op.clone(),
        };
        let op = Op::SetHostname { name: "<b>cow & co</b>".into() };
        let one = step("security.set-hostname", Phase::Security, &op);
        let plan = Plan { version: PLAN_VERSION, container: "c".repeat(64), steps: vec![one.clone()] };
        let call = Call {
            name: "sethostname".into(),
            args: vec![("name".into(), "x".into()), ("pid".into(), Value::volatile(Kind::Pid, 4711))],
            result: Value::Int(if fail { -1 } else { 0 }),
            errno: fail.then_some(Errno(1)),
            micros: 1,
            changes: true,
        };
        let fact = Fact { source: "uname(2)".into(), key: "nodename".into(), value: "two\nlines".into() };
        let id = || one.id.clone();
        let mut bodies = vec![
            Body::Begin {
                version: TRACE_VERSION,
                program: "0.1.0".into(),
                kernel: KernelName::Linux,
                release: Value::volatile(Kind::Release, "6.1"),
                command: vec!["run".into()],
                watch: Watch::After,
                plan,
                names: Vec::new(),
            },
            Body::About { step: id(), phase: one.phase, actor: one.actor, op: op.clone() },
            Body::Call { step: id(), call },
        ];
        if fail {
            let failure = Failure::new("set the host name", Some(Errno(1))).hint("ask root");
            bodies.push(Body::Failed { step: id(), failure });
            bodies.push(Body::Undoing { step: id(), op });
            bodies.push(Body::Undone { step: id(), failure: None, kept: false });
        } else {
            bodies.push(Body::Observed { step: id(), when: When::After, facts: vec![fact] });
            bodies.push(Body::Done { step: id(), micros: 3, unchanged: false, filled: Default::default() });
        }
        bodies.push(Body::End { status: if fail { 125 } else { 0 } });
        let mut out = record::RecordingWriter::new(Vec::new());
        for (seq, body) in bodies.into_iter().enumerate() {
            out.event(&Event { seq: seq as u64, at: seq as u64, body }).unwrap();
        }
        out.into_inner()
    }

    #[test]
    fn a_recording_becomes_one_block_of_html() {
        let en = recording(&recorded(false), "A <title>", Lang::En).unwrap();
        assert!(!en.contains("\n\n"), "an empty line would end the block: {en}");
        assert!(en.contains("A &lt;title&gt;") && !en.contains("<b>"), "{en}");
        assert!(en.contains("&lt;b&gt;cow &amp; co&lt;/b&gt;"), "{en}");
        assert!(en.contains("<span class=\"call\">sethostname</span>"), "{en}");
        assert!(en.contains("&lt;pid-1&gt;") && !en.contains("4711"), "{en}");
        assert!(en.contains("nodename") && !en.contains("<details open"), "{en}");
        let zh = recording(&recorded(false), "标题", Lang::ZhCn).unwrap();
        assert!(zh.contains("交出权力") && zh.matches("<tr>").count() == en.matches("<tr>").count(), "{zh}");
    }

    #[test]
    fn a_failed_step_never_reads_as_done() {
        let en = recording(&recorded(true), "t", Lang::En).unwrap();
        assert!(
            en.contains("<details open>") && en.contains("<th>failed</th>") && en.contains("ask root"),
            "{en}"
        );
        assert!(!en.contains("<th>done</th>"), "{en}");
        // A message that the narration does not have would be an empty text.
        assert!(
            !["\"></", "<td></td>", "<th></th>", "<p></p>"].iter().any(|empty| en.contains(empty)),
            "{en}"
        );
        assert!(en.contains(">security.set-hostname</span> failed to <"), "{en}");
    }

    #[test]
    fn a_damaged_recording_is_refused() {
        let text = recorded(false);
        let error = recording(&text[..text.len() / 2], "t", Lang::En).unwrap_err();
        assert!(error.to_string().contains("line "), "{error}");
    }

    #[test]
    fn every_operation_has_a_reason_in_both_languages() {
        for lang in glassbox::lesson::LANGS {
            let html = operations(lang);
            assert!(html.matches("<dt>").count() > 30);
            assert!(!html.contains("<dd> "), "an operation without a reason: {html}");
        }
    }
}
