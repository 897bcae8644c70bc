//! Passes on what a kernel says while a step lasts.

use super::{Emitter, Pauser};
use crate::kernel::{Failure, Hear, Kernel, Slots};
use crate::trace::{Body, Life};

/// To the listeners of events, and to who may hold a process.
pub struct Ears<'a, 'e, 'p> {
    /// Where events go.
    pub emitter: &'a mut Emitter<'e>,
    /// Who may hold a process.
    pub pauser: Option<&'a mut (dyn Pauser + 'p)>,
}

impl Hear for Ears<'_, '_, '_> {
    fn tell(&mut self, life: Life) {
        self.emitter.emit(|| Body::Life { life });
    }

    fn idle(&mut self) {
        self.emitter.idle();
    }

    fn goes_on(&mut self) -> Result<(), Failure> {
        self.pauser.as_mut().map_or(Ok(()), |p| p.goes_on())
    }

    fn holds(&self) -> bool {
        self.pauser.is_some()
    }

    fn wants(&mut self, life: &Life) -> bool {
        self.pauser.as_mut().is_some_and(|p| p.wants(life))
    }

    fn held(&mut self, life: &Life, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        self.emitter.emit(|| Body::Life { life: life.clone() });
        self.pauser.as_mut().map_or(Ok(()), |p| p.held(life, kernel, slots))
    }
}
