//! The narrator: looks up messages and fills in their arguments.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};
use unic_langid::langid;

use super::args::{self, Known};
use super::byhand::{self, Hand};
use super::text::{self, Line, VALUE_END, VALUE_START};
use crate::kernel::Subject;
use crate::plan::op::{Ns, Slot};
use crate::plan::{Actor, Op, Phase};

/// A language that glassbox speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Lang {
    /// The language for a locale such as `zh_CN.UTF-8`, `zh-Hans-SG` or `C`;
    /// English where there is no better one.
    pub fn from_locale(locale: &str) -> Lang {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Lang::ZhCn } else { Lang::En }
    }

    /// As `--lang` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::ZhCn => "zh-CN",
        }
    }

    /// The first two are about operations, then come the container's life and
    /// the renderers' own.
    fn messages(self) -> [&'static str; 6] {
        match self {
            Lang::En => [
                include_str!("messages/en.ftl"),
                include_str!("messages/en-image.ftl"),
                include_str!("messages/en-life.ftl"),
                include_str!("messages/en-story.ftl"),
                include_str!("messages/en-recording.ftl"),
                include_str!("messages/en-stepper.ftl"),
            ],
            Lang::ZhCn => [
                include_str!("messages/zh-CN.ftl"),
                include_str!("messages/zh-CN-image.ftl"),
                include_str!("messages/zh-CN-life.ftl"),
                include_str!("messages/zh-CN-story.ftl"),
                include_str!("messages/zh-CN-recording.ftl"),
                include_str!("messages/zh-CN-stepper.ftl"),
            ],
        }
    }
}

/// Says in one language what events mean.
pub struct Narrator {
    lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Narrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Narrator").field("lang", &self.lang).finish_non_exhaustive()
    }
}

impl Narrator {
    /// A narrator in this language.
    pub fn new(lang: Lang) -> Self {
        let id = match lang {
            Lang::En => langid!("en"),
            Lang::ZhCn => langid!("zh-CN"),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(mark));
        for source in lang.messages() {
            // A damaged message file is found by the tests; at run time the
            // messages that did parse are still good.
            let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(r, _)| r);
            bundle.add_resource_overriding(resource);
        }
        Narrator { lang, bundle }
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// What the operation is, as a heading: no statement that it happened.
    pub fn title(&self, op: &Op, known: Known<'_>) -> Line {
        if let Op::Undo { of, .. } = op {
            let inner = text::plain(&self.title(of, known));
            return self.say("undo.title", &[("inner", inner.into())]);
        }
        self.of_op(op, "title", known).unwrap_or_default()
    }

    /// What several operations of this kind are together, as a heading.
    pub fn group(&self, op: &Op, known: Known<'_>) -> Line {
        self.of_op(op, "group", known).unwrap_or_else(|| self.title(op, known))
    }

    /// What will happen.
    pub fn about(&self, op: &Op, known: Known<'_>) -> Line {
        match op {
            Op::Undo { of, .. } => self.undoing(of, known),
            _ => self.of_op(op, "about", known).unwrap_or_default(),
        }
    }

    /// What has happened. Only for a step that is done. `unchanged`: its work
    /// had been done before.
    pub fn did(&self, op: &Op, known: Known<'_>, unchanged: bool) -> Line {
        match op {
            Op::Undo { of, .. } => self.undone(of, known),
            _ if unchanged && !only_reads(op) => {
                self.of_op(op, "found", known).unwrap_or_else(|| self.say("found_nothing", &[]))
            }
            _ => self.of_op(op, "did", known).unwrap_or_default(),
        }
    }

    /// What it is good for.
    pub fn why(&self, op: &Op, known: Known<'_>) -> Line {
        match op {
            Op::Undo { of, .. } => self.why(of, known),
            _ => self.of_op(op, "why", known).unwrap_or_default(),
        }
    }

    /// That it will be taken back.
    pub fn undoing(&self, op: &Op, known: Known<'_>) -> Line {
        self.of_op(op, "undoing", known).unwrap_or_else(|| self.nothing("undoing_nothing", op, known))
    }

    /// The state after it was taken back, or after there was nothing to take back.
    pub fn undone(&self, op: &Op, known: Known<'_>) -> Line {
        self.of_op(op, "undone", known).unwrap_or_else(|| self.nothing("undone_nothing", op, known))
    }

    /// That it was to be taken back, and stays.
    pub fn kept(&self, op: &Op, known: Known<'_>) -> Line {
        self.of_op(op, "kept", known).unwrap_or_else(|| self.nothing("undone_nothing", op, known))
    }

    fn nothing(&self, message: &str, op: &Op, known: Known<'_>) -> Line {
        let inner = text::plain(&self.title(op, known));
        self.say(message, &[("inner", inner.into())])
    }

    /// How to do it by hand.
    pub fn by_hand(&self, op: &Op, known: Known<'_>) -> Hand {
        Hand { commands: byhand::commands(op, known), note: self.of_op(op, "hand", known) }
    }

    /// A phase's title.
    pub fn phase_title(&self, phase: Phase) -> Line {
        self.say(&format!("phase_{phase}.title"), &[])
    }

    /// What a phase is about.
    pub fn phase_text(&self, phase: Phase) -> Line {
        self.say(&format!("phase_{phase}.text"), &[])
    }

    /// How names of a list are divided.
    pub fn separator(&self) -> String {
        self.word("list_separator")
    }

    /// What a namespace isolates.
    pub fn isolates(&self, ns: Ns) -> Line {
        self.say(&format!("ns_{}", ns.name()), &[])
    }

    /// The name of what `inspect` looks at.
    pub fn subject(&self, subject: Subject) -> Line {
        self.say(
            match subject {
                Subject::Mounts => "subject_mounts",
                Subject::Namespaces => "subject_namespaces",
                Subject::Cgroup => "subject_cgroup",
                Subject::Network => "subject_network",
                Subject::Layers => "subject_layers",
                Subject::Processes => "subject_processes",
            },
            &[],
        )
    }

    /// Who does it.
    pub fn actor(&self, actor: Actor) -> Line {
        self.say(&format!("actor_{actor}"), &[])
    }

    /// One of the renderers' own messages.
    pub fn say(&self, message: &str, args: &[(&str, FluentValue<'_>)]) -> Line {
        let args = args.iter().map(|(n, v)| (*n, v.clone())).collect();
        self.try_say(message, &args).unwrap_or_default().0
    }

    /// The same, without labels.
    pub fn word(&self, message: &str) -> String {
        text::plain(&self.say(message, &[]))
    }

    fn of_op(&self, op: &Op, attribute: &str, known: Known<'_>) -> Option<Line> {
        self.try_op(op, attribute, known).map(|(line, _)| line)
    }

    /// The message and what went wrong in it; `None` if there is no such message.
    pub(super) fn try_op(
        &self,
        op: &Op,
        attribute: &str,
        known: Known<'_>,
    ) -> Option<(Line, Vec<FluentError>)> {
        let unfilled = |slot: Slot| self.word(args::slot_message(slot));
        let separator = self.separator();
        let args = args::of_op(op, known, &separator, &unfilled);
        self.try_say(&format!("{}.{attribute}", op.name()), &args)
    }

    pub(super) fn try_say(&self, message: &str, args: &FluentArgs<'_>) -> Option<(Line, Vec<FluentError>)> {
        let (id, attribute) = match message.split_once('.') {
            Some((id, attribute)) => (id, Some(attribute)),
            None => (message, None),
        };
        let message = self.bundle.get_message(id)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let mut errors = Vec::new();
        let mut text = String::new();
        // format_pattern would hand the whole text to the formatter once more.
        let _ = self.bundle.write_pattern(&mut text, pattern, Some(args), &mut errors);
        Some((text::spans(&text), errors))
    }
}

/// Operations that never change anything: that they changed nothing says no more.
fn only_reads(op: &Op) -> bool {
    if let Op::Image(op) = op {
        return op.only_reads();
    }
    matches!(
        op,
        Op::ReadImage { .. }
            | Op::UseLayer { .. }
            | Op::ReadHostKernel
            | Op::LookForKernel { .. }
            | Op::FindInit { .. }
            | Op::Supervise { .. }
            | Op::ReadChanges { .. }
    )
}

/// Marks a value where a message writes it, so that it gets its label.
fn mark<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    let text = match value {
        FluentValue::String(s) => s.to_string(),
        FluentValue::Number(n) => n.as_string().into_owned(),
        FluentValue::Custom(_) | FluentValue::None | FluentValue::Error => return None,
    };
    // The marks are private characters; a value must not hold them itself.
    let text = text.replace([VALUE_START, VALUE_END], "\u{fffd}");
    Some(format!("{VALUE_START}{}{VALUE_END}", text::printable(&text)))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
