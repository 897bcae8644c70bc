//! Names of system calls by number. Those of the machine's own numbering are a table that is
//! made when glassbox is built, as one string: a call waits while its name is looked for.

use super::numbers::{Abi, Machine, X32_BIT, numbers};
use super::{NAME_ENDS, NAMES};

/// Names of calls, for each architecture and numbering that was met.
#[derive(Debug)]
pub struct Names {
    machine: Machine,
    known: Vec<(Abi, Vec<Option<&'static str>>)>,
}

impl Names {
    /// Those of this machine.
    pub fn new(machine: Machine) -> Self {
        Names { machine, known: Vec::new() }
    }

    /// The name of a call, as the kernel gives its architecture and number.
    pub fn get(&mut self, arch: u32, number: u32) -> Option<&'static str> {
        let (_, abis) = self.machine.abis().iter().find(|(audit, _)| *audit == arch)?;
        let x32 = abis.contains(&Abi::X32) && number & X32_BIT != 0;
        let abi = if x32 { Abi::X32 } else { abis[0] };
        if !NAME_ENDS.is_empty() && self.is_built_for() && abi == self.machine.abis()[0].1[0] {
            return built(number);
        }
        if !self.known.iter().any(|(known, _)| *known == abi) {
            let mut names = Vec::new();
            for (name, n) in numbers(abi) {
                names.resize(names.len().max(n as usize + 1), None);
                names[n as usize] = Some(name);
            }
            self.known.push((abi, names));
        }
        let (_, names) = self.known.iter().find(|(known, _)| *known == abi)?;
        *names.get((number & !X32_BIT) as usize)?
    }

    /// The name of a call of the machine's own architecture.
    pub fn native(&mut self, number: u32) -> Option<&'static str> {
        self.get(self.machine.abis()[0].0, number)
    }

    fn is_built_for(&self) -> bool {
        Machine::from_name(std::env::consts::ARCH) == Some(self.machine)
    }
}

fn built(number: u32) -> Option<&'static str> {
    let number = number as usize;
    let end = usize::from(*NAME_ENDS.get(number)?);
    let start = number.checked_sub(1).map_or(0, |before| usize::from(NAME_ENDS[before]));
    NAMES.get(start..end).filter(|name| !name.is_empty())
}
