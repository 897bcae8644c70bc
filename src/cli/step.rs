//! `--step`: asks before each step.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use super::context::Context;
use super::tracing::width;
use crate::engine::{Decision, Pauser};
use crate::kernel::linux::enter;
use crate::kernel::{Failure, Kernel, KernelName, Slots, Subject};
use crate::narrate::{Lang, Narrator};
use crate::plan::op::Slot;
use crate::plan::{Phase, Plan, Step};
use crate::render::paint::Paint;
use crate::render::step as view;
use crate::trace::Life;

/// The breakpoint at a call that can change a file of a read-only layer.
const COPY_UP: &str = "copy-up";

/// The line stepper.
pub struct Stepper {
    narrator: Narrator,
    paint: Paint,
    plan: Option<Plan>,
    input: Option<BufReader<Box<dyn Read>>>,
    /// Go on without asking until a breakpoint.
    running: bool,
    /// Phases, step ids and [`COPY_UP`], to stop at.
    breaks: Vec<String>,
    last_phase: Option<Phase>,
}

impl Stepper {
    /// Commands come from the terminal; without one, from standard input.
    pub fn new(context: &Context) -> Self {
        let input: Option<Box<dyn Read>> = if io::stdin().is_terminal() {
            terminal().map(|t| Box::new(t) as Box<dyn Read>)
        } else {
            Some(Box::new(io::stdin()))
        };
        Stepper {
            narrator: Narrator::new(context.lang),
            paint: Paint { colour: context.color, raw: false },
            plan: None,
            input: input.map(BufReader::new),
            running: false,
            breaks: Vec::new(),
            last_phase: None,
        }
    }

    /// The plan that will be stepped through.
    pub fn plan(&mut self, plan: &Plan) {
        match &mut self.plan {
            // The second plan of an action comes after the first.
            Some(known) => known.steps.extend(plan.steps.iter().cloned()),
            None => self.plan = Some(plan.clone()),
        }
    }

    fn show(&self, lines: &[crate::narrate::Line]) -> Result<(), Failure> {
        let text = self.paint.text(lines);
        io::stderr()
            .lock()
            .write_all(text.as_bytes())
            .map_err(|e| Failure::new("write to standard error", Some(e.into())))
    }

    /// The next command; `None` at the end of the input.
    fn ask(&mut self) -> Result<Option<String>, Failure> {
        let _ = write!(io::stderr().lock(), "(glassbox) ");
        let Some(input) = &mut self.input else { return Ok(None) };
        let mut line = String::new();
        match input.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim().to_owned())),
            Err(e) => Err(Failure::new("read a command", Some(e.into()))),
        }
    }

    fn stops_at(&self, step: &Step) -> bool {
        let new_phase = self.last_phase != Some(step.phase);
        self.breaks.iter().any(|b| *b == step.id.0 || (new_phase && b == step.phase.name()))
    }

    fn inspect(&self, kernel: &mut dyn Kernel, slots: &Slots, what: &str) -> Result<(), Failure> {
        let all = [
            ("mounts", Subject::Mounts),
            ("namespaces", Subject::Namespaces),
            ("cgroup", Subject::Cgroup),
            ("network", Subject::Network),
            ("layers", Subject::Layers),
            ("processes", Subject::Processes),
        ];
        for (name, subject) in all {
            if what.is_empty() || name.starts_with(what) {
                let facts = kernel.observe(subject, slots);
                self.show(&view::inspect(subject, &facts, &self.narrator, width()))?;
            }
        }
        Ok(())
    }

    fn breakpoint(&mut self, at: &str) -> Result<(), Failure> {
        let plan = self.plan.as_ref();
        let known = at == COPY_UP
            || Phase::ALL.iter().any(|p| p.name() == at)
            || plan.is_some_and(|p| p.steps.iter().any(|s| s.id.0 == at));
        if known {
            self.breaks.push(at.to_owned());
            return Ok(());
        }
        self.show(&view::unknown(&format!("b {at}"), &self.narrator, width()))?;
        let phases: Vec<_> = Phase::ALL.iter().map(|p| p.name()).chain([COPY_UP]).collect();
        let _ = writeln!(io::stderr().lock(), "  {}", phases.join(" "));
        Ok(())
    }

    /// Asks for commands until one lets the run go on, or ends it.
    fn prompt(
        &mut self,
        why: &[crate::narrate::Line],
        kernel: &mut dyn Kernel,
        slots: &Slots,
    ) -> Result<Decision, Failure> {
        loop {
            let Some(line) = self.ask()? else {
                // Nobody is there to ask: what was begun is not left half-built.
                return Ok(Decision::Quit);
            };
            let (command, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match command {
                "" | "n" | "next" => return Ok(Decision::Go),
                "c" | "continue" => {
                    self.running = true;
                    return Ok(Decision::Go);
                }
                "b" | "break" => self.breakpoint(rest.trim())?,
                "d" | "delete" => self.breaks.retain(|b| b != rest.trim()),
                "i" | "inspect" => self.inspect(kernel, slots, rest.trim())?,
                "w" | "why" => self.show(why)?,
                "!" | "shell" => self.shell(kernel, slots),
                "q" | "quit" => return Ok(Decision::Quit),
                other => self.show(&view::unknown(other, &self.narrator, width()))?,
            }
        }
    }

    fn shell(&self, kernel: &dyn Kernel, slots: &Slots) {
        if kernel.name() == KernelName::Model {
            let text = match self.narrator.lang() {
                Lang::En => "the modelled kernel has no shell to open: use i",
                Lang::ZhCn => "模型内核里没有可以打开的 shell：请用 i 查看",
            };
            let _ = writeln!(io::stderr().lock(), "  {text}");
            return;
        }
        let pid = slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok());
        if let Err(e) = enter::shell(pid) {
            let _ = writeln!(io::stderr().lock(), "  failed to {e}");
        }
    }
}

fn terminal() -> Option<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").ok()
}

impl Pauser for Stepper {
    fn before(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<Decision, Failure> {
        let stop = !self.running || self.stops_at(step);
        self.last_phase = Some(step.phase);
        if !stop {
            return Ok(Decision::Go);
        }
        self.running = false;
        if let Some(plan) = &self.plan {
            self.show(&view::before(plan, step, slots, &self.narrator, width()))?;
        }
        let why = view::why(step, slots, &self.narrator, width());
        self.prompt(&why, kernel, slots)
    }

    fn wants(&mut self, life: &Life) -> bool {
        matches!(life, Life::Held(_)) && self.breaks.iter().any(|b| b == COPY_UP)
    }

    fn held(&mut self, _life: &Life, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        self.show(&view::held(&self.narrator, width()))?;
        let why = view::why_held(kernel.name(), &self.narrator, width());
        match self.prompt(&why, kernel, slots)? {
            Decision::Go => Ok(()),
            Decision::Quit => Err(Failure::new("go on: you chose to quit", None).status(130)),
        }
    }
}
