//! Random layers and random calls. Names are few, so that calls meet each other.

use glassbox::userland::{FileType, OpenFlags};

use super::call::{Call, ROOT, SLOTS, User};

/// splitmix64: the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True in `percent` of all cases.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Layers, and what is then done to their union.
#[derive(Clone, Debug)]
pub struct Case {
    pub layers: usize,
    /// Made by root before the union is mounted.
    pub make: Vec<Call>,
    pub steps: Vec<(User, Call)>,
}

const USERS: [User; 4] =
    [ROOT, ROOT, User { uid: 1000, gid: 1000, groups: &[100] }, User { uid: 2000, gid: 100, groups: &[] }];
const IDS: [u32; 5] = [0, 1000, 2000, 100, u32::MAX];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const MODES: [u32; 15] = [
    0o644, 0o644, 0o600, 0o777, 0o666, 0o755, 0o755, 0o000, 0o4755, 0o2755, 0o6777, 0o2770, 0o1777, 0o222,
    0o444,
];
const XATTRS: [&str; 4] = ["user.a", "user.b", "trusted.x", "nosuch.class"];

fn path(r: &mut Rng, top: &str) -> String {
    let mut path = top.to_owned();
    for _ in 0..[0, 0, 0, 1, 1, 1, 2, 2, 3][r.below(9)] {
        path.push_str(["a/", "b/", "a/", "b/", "e/"][r.below(5)]);
    }
    path.push_str(r.pick(&NAMES));
    path
}

/// Also paths that are written in an odd way, or lead nowhere.
fn odd_path(r: &mut Rng) -> String {
    if r.chance(92) {
        return path(r, "");
    }
    let plain = path(r, "");
    match r.below(12) {
        0 => format!("/{plain}"),
        1 => format!("./{plain}"),
        2 => format!("../{plain}"),
        3 | 4 => format!("{plain}/"),
        5 => format!("{plain}/."),
        6 => format!("{plain}/.."),
        7 => format!("a/../{plain}"),
        8 => "/".to_owned(),
        9 => String::new(),
        10 => "x".repeat(250 + r.below(10)),
        _ => format!("//{plain}//{}", r.pick(&NAMES)),
    }
}

fn text(r: &mut Rng) -> Vec<u8> {
    let n = r.pick(&[0, 1, 3, 3, 4, 5000]);
    let letter = b'a' + r.below(26) as u8;
    vec![letter; n]
}

fn device(r: &mut Rng) -> (FileType, (u32, u32)) {
    match r.below(8) {
        0 => (FileType::Fifo, (0, 0)),
        1 => (FileType::Socket, (0, 0)),
        2 => (FileType::Block, (241, 7777)),
        3 => (FileType::Char, (0, 0)),
        4 => (FileType::Char, (1, 3)),
        5 => (FileType::File, (0, 0)),
        6 => (FileType::Dir, (0, 0)),
        _ => (FileType::Char, (241, 7777)),
    }
}

fn flags(r: &mut Rng) -> OpenFlags {
    let access = r.below(4);
    OpenFlags {
        read: access != 1,
        write: access != 0,
        append: r.chance(15),
        create: r.chance(45),
        exclusive: r.chance(10),
        truncate: r.chance(25),
        directory: r.chance(5),
        nofollow: r.chance(8),
    }
}

fn layer_call(r: &mut Rng, layer: usize) -> Vec<Call> {
    let top = format!("/l{layer}/");
    let at = path(r, &top);
    let mut calls = Vec::new();
    match r.below(12) {
        0..=3 => calls.push(Call::Mkdir { path: at.clone(), mode: 0o755 }),
        4..=6 => calls.extend([
            Call::Open { slot: 0, path: at.clone(), flags: OpenFlags::CREATE, mode: 0o644 },
            Call::Write { slot: 0, bytes: text(r) },
            Call::Close { slot: 0 },
        ]),
        7 => calls.push(Call::Symlink { target: odd_path(r), path: at.clone() }),
        8 => calls.push(Call::Link { from: path(r, &top), to: at.clone() }),
        9 if layer > 1 => {
            calls.push(Call::Mknod { path: at, kind: FileType::Char, mode: 0, device: (0, 0) });
            return calls;
        }
        10 if layer > 1 => {
            // Only of a directory does overlayfs look at it.
            let name = "trusted.overlay.opaque".to_owned();
            calls.push(Call::Mkdir { path: at.clone(), mode: 0o755 });
            calls.push(Call::SetXattr { path: format!("{at}/."), name, value: b"y".to_vec() });
        }
        _ => {
            let (kind, device) = device(r);
            if device != (0, 0) || kind != FileType::Char {
                calls.push(Call::Mknod { path: at.clone(), kind, mode: r.pick(&MODES), device });
            }
        }
    }
    if r.chance(25) {
        calls.push(Call::Chown { path: at.clone(), uid: r.pick(&IDS), gid: r.pick(&IDS), nofollow: true });
    }
    if r.chance(25) && !matches!(calls.first(), Some(Call::Symlink { .. })) {
        calls.push(Call::Chmod { path: at.clone(), mode: r.pick(&MODES) });
    }
    if r.chance(10) {
        let (name, value) = (r.pick(&XATTRS).to_owned(), vec![b'v'; r.below(4)]);
        calls.push(Call::SetXattr { path: at.clone(), name, value });
    }
    if r.chance(50) && !matches!(calls.first(), Some(Call::Symlink { .. })) {
        calls.push(Call::SetTimes { path: at, mtime: Some(r.below(100_000) as i64) });
    }
    calls
}

fn step(r: &mut Rng) -> Call {
    let slot = r.below(SLOTS);
    match r.below(100) {
        0..=17 => Call::Open { slot, path: odd_path(r), flags: flags(r), mode: r.pick(&MODES) },
        18..=25 => Call::Write { slot, bytes: text(r) },
        26..=28 => Call::Read { slot, max: r.pick(&[1, 20, 8000]) },
        29 => Call::Seek { slot, to: r.pick(&[0, 2, 100, 9000]) },
        30..=31 => Call::Fstat { slot },
        32..=33 => Call::Close { slot },
        34..=36 => Call::Stat { path: odd_path(r) },
        37..=39 => Call::Lstat { path: odd_path(r) },
        40..=42 => Call::ReadDir { path: odd_path(r) },
        43 => Call::ReadLink { path: odd_path(r) },
        44..=50 => Call::Mkdir { path: odd_path(r), mode: r.pick(&MODES) },
        51..=54 => Call::Rmdir { path: odd_path(r) },
        55..=60 => Call::Unlink { path: odd_path(r) },
        61..=70 => Call::Rename { from: odd_path(r), to: odd_path(r) },
        71..=75 => Call::Link { from: odd_path(r), to: odd_path(r) },
        76..=78 => Call::Symlink { target: odd_path(r), path: odd_path(r) },
        79..=80 => {
            let (kind, device) = device(r);
            Call::Mknod { path: odd_path(r), kind, mode: r.pick(&MODES), device }
        }
        81..=84 => Call::Chmod { path: odd_path(r), mode: r.pick(&MODES) },
        85..=87 => {
            Call::Chown { path: odd_path(r), uid: r.pick(&IDS), gid: r.pick(&IDS), nofollow: r.chance(50) }
        }
        88 => Call::SetTimes { path: odd_path(r), mtime: r.chance(60).then_some(777) },
        89..=90 => Call::Truncate { path: odd_path(r), size: r.pick(&[0, 2, 4096]) },
        91..=92 => Call::SetXattr {
            path: odd_path(r),
            name: r.pick(&XATTRS).to_owned(),
            value: vec![b'x'; r.below(4)],
        },
        93 => Call::GetXattr { path: odd_path(r), name: r.pick(&XATTRS).to_owned() },
        94 => Call::RemoveXattr { path: odd_path(r), name: r.pick(&XATTRS).to_owned() },
        95 => Call::ListXattrs { path: odd_path(r) },
        96..=97 => Call::Chdir { path: odd_path(r) },
        98 => Call::Getcwd,
        _ => Call::Umask { mask: r.pick(&[0, 0o022, 0o077, 0o777]) },
    }
}

/// The case of this number.
pub fn case(seed: u64) -> Case {
    let mut r = Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let layers = 1 + r.below(3);
    let mut make = Vec::new();
    for layer in 1..=layers {
        for _ in 0..4 + r.below(10) {
            make.extend(layer_call(&mut r, layer));
        }
    }
    // Half of all cases are root's alone: permissions hide what comes after them.
    let alone = r.chance(50);
    let mut user = ROOT;
    let count = 10 + r.below(30);
    let steps = (0..count)
        .map(|_| {
            if !alone && r.chance(30) {
                user = r.pick(&USERS);
            }
            (user, step(&mut r))
        })
        .collect();
    Case { layers, make, steps }
}
