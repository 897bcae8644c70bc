//! What only the kernel's tracepoints tell: a signal that was dropped, and a
//! capability that a call wanted in vain. Heard through perf_event_open(2), for
//! the container's processes alone.
//!
//! A check of a capability that fails need not make its call fail: memory is asked
//! for with more rights than it needs. So both are heard, the check and the call's
//! return with EPERM or EACCES, and they belong together when the process stood at
//! the same place of the same program, with the same stack.
//!
//! `capability:cap_capable` came with Linux 6.14; where it or tracefs(5) is not
//! there, refusals of the kernel are not told.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::kernel::Errno;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// This thread sent a signal to the container's first process, in vain.
    Dropped { sender: i32, signal: i32 },
    /// A call of this thread returned an error, for want of a capability.
    Wanted { tid: i32, call: u32, errno: Errno, capability: i32 },
}

/// Pages of one ring, a power of two, and one more for its head.
const PAGES: usize = 16;
const PAGE: usize = 4096;

const TYPE_TRACEPOINT: u32 = 2;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
const SAMPLE_RAW: u64 = 1 << 10;
const SAMPLE_REGS_USER: u64 = 1 << 12;
const INHERIT: u64 = 1 << 1;
const USE_CLOCKID: u64 = 1 << 25;
const RECORD_SAMPLE: u32 = 9;
const CLOEXEC: u64 = 8;
// _IOW('$', 6, char *), _IO('$', 5).
const SET_FILTER: libc::Ioctl = 0x4008_2406;
const SET_OUTPUT: libc::Ioctl = 0x2405;

/// Instruction and stack pointer, as asm/perf_regs.h numbers them.
#[cfg(target_arch = "x86_64")]
const REGISTERS: u64 = 1 << 8 | 1 << 7;
#[cfg(not(target_arch = "x86_64"))]
const REGISTERS: u64 = 1 << 32 | 1 << 31;

/// struct perf_event_attr, PERF_ATTR_SIZE_VER3.
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
}

/// A tracepoint, and where its fields are.
#[derive(Debug)]
struct Point {
    id: u16,
    fields: HashMap<String, (usize, usize)>,
}

impl Point {
    fn find(name: &str) -> Option<Point> {
        let text = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
            .iter()
            .find_map(|root| std::fs::read_to_string(format!("{root}/events/{name}/format")).ok())?;
        Point::parse(&text)
    }

    fn parse(format: &str) -> Option<Point> {
        let id = format.lines().find_map(|l| l.strip_prefix("ID: ")?.trim().parse().ok())?;
        let number = |part: &str, key: &str| part.trim().strip_prefix(key)?.parse::<usize>().ok();
        let fields = format.lines().filter_map(|line| {
            let mut parts = line.trim().strip_prefix("field:")?.split(';');
            let name = parts.next()?.rsplit([' ', '*']).next()?.split('[').next()?.to_owned();
            Some((name, (number(parts.next()?, "offset:")?, number(parts.next()?, "size:")?)))
        });
        Some(Point { id, fields: fields.collect() })
    }

    fn get(&self, raw: &[u8], field: &str) -> Option<i64> {
        let (at, size) = *self.fields.get(field)?;
        let bytes = raw.get(at..at + size)?;
        Some(match size {
            4 => i64::from(i32::from_ne_bytes(bytes.try_into().ok()?)),
            8 => i64::from_ne_bytes(bytes.try_into().ok()?),
            _ => return None,
        })
    }
}

/// A ring shared with the kernel, of one CPU.
#[derive(Debug)]
struct Ring {
    /// The first is mapped, and polled for all.
    fds: Vec<OwnedFd>,
    at: *mut u8,
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `Ring::map` with this size, and used by nobody any more.
        unsafe { libc::munmap(self.at.cast(), (PAGES + 1) * PAGE) };
    }
}

/// All rings, one for each CPU.
#[derive(Debug)]
pub struct Perf {
    rings: Vec<Ring>,
    signal: Option<Point>,
    check: Option<Point>,
    leave: Option<Point>,
    /// The last failed check of each thread: where it stood, and the capability.
    checks: HashMap<i32, ([u64; 2], i32)>,
}

impl Perf {
    /// Listens to a process and all that it will make; to signals that it ignores only if it
    /// is the first of its pid namespace, which the kernel shields.
    pub fn new(init: i32, first: bool) -> Option<Perf> {
        let signal = if first { Point::find("signal/signal_generate") } else { None };
        let check = Point::find("capability/cap_capable");
        let leave = check.as_ref().and_then(|_| Point::find("raw_syscalls/sys_exit"));
        // TRACE_SIGNAL_IGNORED is 1.
        let dropped = format!("result == 1 && pid == {init}");
        let wanted = [(&signal, dropped.as_str()), (&check, "ret != 0"), (&leave, "ret == -1 || ret == -13")];
        let mut rings = Vec::new();
        for cpu in online() {
            let mut fds = Vec::new();
            for (point, filter) in &wanted {
                let Some(point) = point else { continue };
                fds.push(open(point.id, filter, init, cpu).ok()?);
            }
            rings.push(Ring::map(fds)?);
        }
        (!rings.is_empty()).then(|| Perf { rings, signal, check, leave, checks: HashMap::new() })
    }

    /// For poll(2).
    pub fn fds(&self) -> impl Iterator<Item = &OwnedFd> {
        self.rings.iter().map(|r| &r.fds[0])
    }

    /// All descriptors, to be closed in a good way.
    pub fn into_fds(self) -> impl Iterator<Item = OwnedFd> {
        self.rings.into_iter().flat_map(|mut r| std::mem::take(&mut r.fds))
    }

    /// What has been heard since, with the time of CLOCK_MONOTONIC in nanoseconds.
    pub fn read(&mut self) -> Vec<(u64, Heard)> {
        let mut samples: Vec<Sample> = self.rings.iter().flat_map(Ring::take).collect();
        samples.sort_by_key(|s| s.time);
        samples.into_iter().filter_map(|s| Some((s.time, self.heard(&s)?))).collect()
    }

    fn heard(&mut self, sample: &Sample) -> Option<Heard> {
        let id = u16::from_ne_bytes(sample.raw.get(..2)?.try_into().ok()?);
        let is = |point: &Option<Point>| point.as_ref().is_some_and(|p| p.id == id);
        if is(&self.signal) {
            let signal = self.signal.as_ref()?.get(&sample.raw, "sig")? as i32;
            return Some(Heard::Dropped { sender: sample.tid, signal });
        }
        if is(&self.check) {
            let capability = self.check.as_ref()?.get(&sample.raw, "cap")? as i32;
            self.checks.insert(sample.tid, (sample.place?, capability));
            return None;
        }
        let point = self.leave.as_ref()?;
        let (call, ret) = (point.get(&sample.raw, "id")? as u32, point.get(&sample.raw, "ret")?);
        let (place, capability) = self.checks.remove(&sample.tid)?;
        (Some(place) == sample.place).then_some(Heard::Wanted {
            tid: sample.tid,
            call,
            errno: Errno(-ret as i32),
            capability,
        })
    }
}

/// One record of a ring.
#[derive(Debug)]
struct Sample {
    tid: i32,
    time: u64,
    raw: Vec<u8>,
    place: Option<[u64; 2]>,
}

fn online() -> Vec<i32> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let mut all = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse()) {
            all.extend(first..=last);
        }
    }
    all
}

fn open(id: u16, filter: &str, pid: i32, cpu: i32) -> Result<OwnedFd, Errno> {
    let attr = Attr {
        kind: TYPE_TRACEPOINT,
        size: size_of::<Attr>() as u32,
        config: u64::from(id),
        sample_period: 1,
        sample_type: SAMPLE_TID | SAMPLE_TIME | SAMPLE_RAW | SAMPLE_REGS_USER,
        flags: INHERIT | USE_CLOCKID,
        clockid: libc::CLOCK_MONOTONIC,
        wakeup_events: 1,
        sample_regs_user: REGISTERS,
        ..Attr::default()
    };
    // SAFETY: attr lives through the call and says its size.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attr, pid, cpu, -1, CLOEXEC) };
    let fd = nix::errno::Errno::result(fd)?;
    // SAFETY: the kernel made this descriptor for us just now.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let filter = CString::new(filter).map_err(|_| Errno::EINVAL)?;
    // SAFETY: filter is a C string that lives through the call.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), SET_FILTER, filter.as_ptr()) };
    nix::errno::Errno::result(set)?;
    Ok(fd)
}

impl Ring {
    /// One ring for all events of a CPU.
    fn map(fds: Vec<OwnedFd>) -> Option<Ring> {
        let (fd, others) = fds.split_first()?;
        let length = (PAGES + 1) * PAGE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let at = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED {
            return None;
        }
        for other in others {
            // SAFETY: two descriptors of ours.
            unsafe { libc::ioctl(other.as_raw_fd(), SET_OUTPUT, fd.as_raw_fd()) };
        }
        Some(Ring { fds, at: at.cast() })
    }

    /// perf_event_mmap_page: data_head and data_tail.
    fn counter(&self, at: usize) -> &AtomicU64 {
        // SAFETY: within the first page, aligned, and shared with the kernel as a number.
        unsafe { &*self.at.add(at).cast::<AtomicU64>() }
    }

    fn take(&self) -> Vec<Sample> {
        const HEAD: usize = 1024;
        const TAIL: usize = 1032;
        let head = self.counter(HEAD).load(Ordering::Acquire);
        let mut tail = self.counter(TAIL).load(Ordering::Relaxed);
        let mut all = Vec::new();
        while tail < head {
            let header = self.copy(tail, 8);
            let kind = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
            let size = u64::from(u16::from_ne_bytes([header[6], header[7]]));
            if size < 8 || tail + size > head {
                break;
            }
            if kind == RECORD_SAMPLE {
                all.extend(sample(&self.copy(tail + 8, size as usize - 8)));
            }
            tail += size;
        }
        fence(Ordering::SeqCst);
        self.counter(TAIL).store(head, Ordering::Release);
        all
    }

    /// Bytes of the ring; a record may go round its end.
    fn copy(&self, from: u64, length: usize) -> Vec<u8> {
        let size = PAGES * PAGE;
        (0..length)
            .map(|n| {
                let at = (from as usize + n) % size;
                // SAFETY: within the mapping, after its first page; the kernel does not
                // write where data_tail has not passed.
                unsafe { self.at.add(PAGE + at).read_volatile() }
            })
            .collect()
    }
}

/// pid, tid, time, size of the raw data, the data, ABI and values of the registers.
fn sample(bytes: &[u8]) -> Option<Sample> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (tid, time, size) = (word(4)? as i32, long(8)?, word(16)? as usize);
    let raw = bytes.get(20..20 + size)?.to_vec();
    let registers = 20 + size;
    let place = match long(registers) {
        Some(1..) => Some([long(registers + 8)?, long(registers + 16)?]),
        _ => None,
    };
    Some(Sample { tid, time, raw, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracepoint_says_where_its_fields_are() {
        let format = "name: signal_generate\nID: 261\nformat:\n\
                      \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
                      \tfield:int sig;\toffset:8;\tsize:4;\tsigned:1;\n\
                      \tfield:char comm[16];\toffset:20;\tsize:16;\tsigned:0;\n\
                      \tfield:const struct cred * cred;\toffset:40;\tsize:8;\tsigned:0;\n";
        let point = Point::parse(format).unwrap();
        assert_eq!(point.id, 261);
        assert_eq!(point.fields["sig"], (8, 4));
        assert_eq!(point.fields["cred"], (40, 8));
        let mut raw = vec![0; 12];
        raw[8] = 15;
        assert_eq!(point.get(&raw, "sig"), Some(15));
        assert_eq!(point.get(&raw, "comm"), None);
        assert_eq!(point.get(&raw[..9], "sig"), None);
    }

    #[test]
    fn a_record_that_is_cut_off_is_no_sample() {
        let mut bytes = vec![0; 20];
        bytes[4] = 7;
        bytes[16] = 4;
        bytes.extend([9; 4]);
        let whole = sample(&bytes).unwrap();
        assert_eq!((whole.tid, whole.raw.len(), whole.place), (7, 4, None));
        for n in 0..bytes.len() {
            assert!(sample(&bytes[..n]).is_none(), "{n}");
        }
    }
}
