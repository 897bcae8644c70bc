//! Numbers of system calls on each architecture that a filter may meet.
//! The build script includes this file: it depends on nothing.

/// What tells system calls apart: the architecture, and on x86_64 its x32 numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Abi {
    X86_64,
    X32,
    I386,
    Aarch64,
    Arm,
}

/// The machine that glassbox runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Machine {
    X86_64,
    Aarch64,
}

/// Bit 30 of the number marks an x32 call.
pub const X32_BIT: u32 = 0x4000_0000;

impl Machine {
    /// From `CARGO_CFG_TARGET_ARCH` or [`std::env::consts::ARCH`].
    pub fn from_name(name: &str) -> Option<Machine> {
        match name {
            "x86_64" => Some(Machine::X86_64),
            "aarch64" => Some(Machine::Aarch64),
            _ => None,
        }
    }

    /// What its kernel runs, as pairs of AUDIT_ARCH (linux/audit.h) and numberings; the native one first.
    pub fn abis(self) -> &'static [(u32, &'static [Abi])] {
        match self {
            Machine::X86_64 => &[(0xc000_003e, &[Abi::X86_64, Abi::X32]), (0x4000_0003, &[Abi::I386])],
            Machine::Aarch64 => &[(0xc000_00b7, &[Abi::Aarch64]), (0x4000_0028, &[Abi::Arm])],
        }
    }
}

const TABLE: &str = include_str!("numbers.tbl");

/// Name and number of every call of an architecture, by name.
pub fn numbers(abi: Abi) -> impl Iterator<Item = (&'static str, u32)> {
    TABLE.lines().filter(|l| !l.starts_with('#')).filter_map(move |line| {
        let mut columns = line.split(' ');
        Some((columns.next()?, columns.nth(abi as usize)?.parse().ok()?))
    })
}
