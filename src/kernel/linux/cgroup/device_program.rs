//! Device rules as a BPF program: cgroup v2 has no files for them. The kernel
//! runs the program at each mknod(2) and open(2) of a device node by a member.
//!
//! The rules are walked backwards, because the last match counts. The bits of
//! access that no rule has answered yet are carried along: a request may need
//! several rules (read by one, write by another).

use crate::plan::op::DeviceRule;

/// One eBPF instruction, `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Insn {
    pub code: u8,
    /// Destination register in the low half, source in the high half.
    pub regs: u8,
    pub off: i16,
    pub imm: i32,
}

// Fields of `struct bpf_cgroup_dev_ctx`, which r1 points at.
const ACCESS_TYPE: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
pub(super) const MKNOD: i32 = 1;
pub(super) const READ: i32 = 2;
pub(super) const WRITE: i32 = 4;

// Opcodes: class, operation and source, as linux/bpf.h and linux/bpf_common.h add them up.
const LOAD_WORD: u8 = 0x61;
const MOV32_REG: u8 = 0xbc;
const MOV64_IMM: u8 = 0xb7;
const AND32_IMM: u8 = 0x54;
const RSH32_IMM: u8 = 0x74;
const JNE_IMM: u8 = 0x55;
const JSET_IMM: u8 = 0x45;
const JA: u8 = 0x05;
const EXIT: u8 = 0x95;

// r0 result, r1 context, r2 type, r3 access not answered yet, r4 major, r5 minor.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const LEFT: u8 = 3;
const MAJ: u8 = 4;
const MIN: u8 = 5;

fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
    Insn { code, regs: src << 4 | dst, off, imm }
}

/// The program for these rules. It returns 1 to allow and 0 to refuse (EPERM).
pub(super) fn assemble(rules: &[DeviceRule]) -> Vec<Insn> {
    let mut program = vec![
        insn(LOAD_WORD, TYPE, CONTEXT, ACCESS_TYPE, 0),
        insn(MOV32_REG, LEFT, TYPE, 0, 0),
        insn(AND32_IMM, TYPE, 0, 0, 0xffff),
        insn(RSH32_IMM, LEFT, 0, 0, 16),
        insn(LOAD_WORD, MAJ, CONTEXT, MAJOR, 0),
        insn(LOAD_WORD, MIN, CONTEXT, MINOR, 0),
    ];
    for rule in rules.iter().rev() {
        one(&mut program, rule);
        if closes(rule) {
            // Nothing before it can be reached, and the verifier refuses such code.
            return program;
        }
    }
    // What no rule speaks of stays as it is for a cgroup without rules.
    program.extend([insn(MOV64_IMM, RESULT, 0, 0, 1), insn(EXIT, 0, 0, 0, 0)]);
    program
}

/// The rule answers every request.
fn closes(rule: &DeviceRule) -> bool {
    rule.kind == 'a' && rule.major.is_none() && rule.minor.is_none() && mask(rule) == MKNOD | READ | WRITE
}

fn one(program: &mut Vec<Insn>, rule: &DeviceRule) {
    let verdict = i32::from(rule.allow);
    let exit = [insn(MOV64_IMM, RESULT, 0, 0, verdict), insn(EXIT, 0, 0, 0, 0)];
    if closes(rule) {
        program.extend(exit);
        return;
    }
    let mut tests = Vec::new();
    match rule.kind {
        'c' => tests.push((TYPE, CHARACTER)),
        'b' => tests.push((TYPE, BLOCK)),
        _ => {}
    }
    tests.extend(rule.major.map(|n| (MAJ, n as i32)));
    tests.extend(rule.minor.map(|n| (MIN, n as i32)));
    let answer = if rule.allow {
        // These bits are answered; with none left the request is allowed.
        vec![insn(AND32_IMM, LEFT, 0, 0, !mask(rule)), insn(JNE_IMM, LEFT, 0, 2, 0), exit[0], exit[1]]
    } else {
        // One refused bit refuses the request.
        vec![insn(JSET_IMM, LEFT, 0, 1, mask(rule)), insn(JA, 0, 0, 2, 0), exit[0], exit[1]]
    };
    let count = tests.len();
    for (at, (register, value)) in tests.into_iter().enumerate() {
        // On to the next rule: over the tests after this one and the answer.
        let over = (count - at - 1 + answer.len()) as i16;
        program.push(insn(JNE_IMM, register, 0, over, value));
    }
    program.extend(answer);
}

fn mask(rule: &DeviceRule) -> i32 {
    let bit = |letter, bit| if rule.access.contains(letter) { bit } else { 0 };
    bit('m', MKNOD) | bit('r', READ) | bit('w', WRITE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::cgroup::default_devices;

    /// Runs a program on a request, as the kernel would.
    fn run(program: &[Insn], kind: i32, access: i32, major: i32, minor: i32) -> i32 {
        let context = [access << 16 | kind, major, minor];
        let mut regs = [0i64; 16];
        let mut at = 0usize;
        for _ in 0..10_000 {
            let i = program[at];
            let (dst, src) = ((i.regs & 15) as usize, (i.regs >> 4) as usize);
            at += 1;
            let jump = match i.code {
                LOAD_WORD => {
                    assert_eq!(src as u8, CONTEXT);
                    regs[dst] = i64::from(context[i.off as usize / 4] as u32);
                    false
                }
                MOV32_REG => {
                    regs[dst] = i64::from(regs[src] as u32);
                    false
                }
                MOV64_IMM => {
                    regs[dst] = i64::from(i.imm);
                    false
                }
                AND32_IMM => {
                    regs[dst] = i64::from(regs[dst] as u32 & i.imm as u32);
                    false
                }
                RSH32_IMM => {
                    regs[dst] = i64::from(regs[dst] as u32 >> i.imm);
                    false
                }
                JNE_IMM => regs[dst] != i64::from(i.imm),
                JSET_IMM => regs[dst] & i64::from(i.imm) != 0,
                JA => true,
                EXIT => return regs[0] as i32,
                other => panic!("opcode {other:#x}"),
            };
            if jump {
                at = at.checked_add_signed(i.off as isize).unwrap();
            }
        }
        panic!("the program does not end");
    }

    /// The meaning of the rules, straight from their description.
    fn meaning(rules: &[DeviceRule], kind: i32, access: i32, major: i32, minor: i32) -> i32 {
        let letter = if kind == CHARACTER { 'c' } else { 'b' };
        let allowed = |bit: i32| {
            let name = [(MKNOD, 'm'), (READ, 'r'), (WRITE, 'w')].iter().find(|b| b.0 == bit).unwrap().1;
            rules
                .iter()
                .rev()
                .find(|r| {
                    (r.kind == 'a' || r.kind == letter)
                        && r.major.is_none_or(|n| n == i64::from(major))
                        && r.minor.is_none_or(|n| n == i64::from(minor))
                        && r.access.contains(name)
                })
                .is_none_or(|r| r.allow)
        };
        i32::from([MKNOD, READ, WRITE].iter().filter(|b| access & **b != 0).all(|b| allowed(*b)))
    }

    pub(in crate::kernel::linux::cgroup) fn rule(
        allow: bool,
        kind: char,
        major: Option<i64>,
        minor: Option<i64>,
        access: &str,
    ) -> DeviceRule {
        DeviceRule { allow, kind, major, minor, access: access.to_owned() }
    }

    #[test]
    fn programs_mean_what_their_rules_say() {
        let tables = [
            vec![],
            default_devices(),
            vec![rule(true, 'a', None, None, "rwm")],
            vec![
                rule(false, 'a', None, None, "rwm"),
                rule(true, 'c', Some(1), Some(3), "r"),
                rule(true, 'c', Some(1), Some(3), "w"),
            ],
            vec![rule(true, 'a', None, None, "rwm"), rule(false, 'b', Some(8), None, "w")],
            vec![
                rule(false, 'a', None, None, "rwm"),
                rule(true, 'b', Some(8), None, "rwm"),
                rule(false, 'b', Some(8), Some(1), "rw"),
                rule(true, 'a', None, Some(2), "m"),
            ],
            // Everything after the last one that answers all is out of reach.
            vec![
                rule(true, 'c', None, None, "r"),
                rule(false, 'a', None, None, "rwm"),
                rule(true, 'c', Some(5), None, ""),
            ],
        ];
        for rules in &tables {
            let program = assemble(rules);
            assert_eq!(program.last().unwrap().code, EXIT);
            for kind in [BLOCK, CHARACTER] {
                for access in 1..8 {
                    for (major, minor) in [
                        (1, 3),
                        (1, 5),
                        (1, 8),
                        (5, 0),
                        (5, 2),
                        (8, 0),
                        (8, 1),
                        (8, 2),
                        (136, 7),
                        (10, 200),
                        (1, 2),
                    ] {
                        assert_eq!(
                            run(&program, kind, access, major, minor),
                            meaning(rules, kind, access, major, minor),
                            "{rules:?} kind {kind} access {access} {major}:{minor}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_instruction_is_eight_bytes() {
        assert_eq!(size_of::<Insn>(), 8);
    }
}
