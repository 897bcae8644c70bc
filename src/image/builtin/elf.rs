//! What a program needs to start: its interpreter and libraries, elf(5). Only
//! as much of the format as that takes, for 64-bit little-endian files.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// More than any honest file has; a damaged one must not make us read it all.
const MAX_TABLE: u64 = 1 << 20;

/// What the dynamic section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine`.
    pub machine: u16,
    /// `/lib64/ld-linux-x86-64.so.2`; `None` for a static program.
    pub interpreter: Option<String>,
    /// `libc.so.6`.
    pub needed: Vec<String>,
    /// Directories to look in first, `$ORIGIN` not yet replaced.
    pub runpath: Vec<String>,
}

/// Reads the headers.
///
/// # Errors
/// A fragment that says what is wrong.
pub fn read(path: &Path) -> Result<Elf, String> {
    let file = File::open(path).map_err(|e| format!("open {}: {e}", path.display()))?;
    parse(&file).map_err(|reason| format!("{}: {reason}", path.display()))
}

fn parse(file: &File) -> Result<Elf, String> {
    let head = bytes(file, 0, 64)?;
    if head[..4] != *b"\x7fELF" {
        return Err("it is no ELF file".into());
    }
    if head[4] != 2 || head[5] != 1 {
        return Err("it is not a 64-bit little-endian ELF file".into());
    }
    let (offset, size, count) = (u64_at(&head, 32)?, u16_at(&head, 54)?, u16_at(&head, 56)?);
    if count > 0 && size < 56 {
        return Err("its program headers are too small".into());
    }
    let table = bytes(file, offset, u64::from(size) * u64::from(count))?;
    let mut elf = Elf { machine: u16_at(&head, 18)?, ..Elf::default() };
    let mut loads = Vec::new();
    let mut dynamic = None;
    for header in table.chunks_exact(usize::from(size.max(1))) {
        let (at, address, len) = (u64_at(header, 8)?, u64_at(header, 16)?, u64_at(header, 32)?);
        match u32_at(header, 0)? {
            PT_LOAD => loads.push((address, len, at)),
            PT_DYNAMIC => dynamic = Some((at, len)),
            PT_INTERP => elf.interpreter = Some(text(&bytes(file, at, len)?)?),
            _ => {}
        }
    }
    let Some((at, len)) = dynamic else { return Ok(elf) };
    let section = bytes(file, at, len)?;
    let mut tags = Vec::new();
    for pair in section.chunks_exact(16) {
        match (u64_at(pair, 0)?, u64_at(pair, 8)?) {
            (0, _) => break,
            tag => tags.push(tag),
        }
    }
    let Some(strings) = tags.iter().find(|t| t.0 == DT_STRTAB).map(|t| t.1) else { return Ok(elf) };
    let strings = loads
        .iter()
        .find(|(address, len, _)| strings.checked_sub(*address).is_some_and(|d| d < *len))
        .map(|(address, _, at)| at.wrapping_add(strings - address))
        .ok_or("its string table is outside of every segment")?;
    for (tag, value) in tags {
        if matches!(tag, DT_NEEDED | DT_RPATH | DT_RUNPATH) {
            let name = string(file, strings.checked_add(value).ok_or("a string is out of range")?)?;
            match tag {
                DT_NEEDED => elf.needed.push(name),
                _ => elf.runpath.extend(name.split(':').filter(|p| !p.is_empty()).map(str::to_owned)),
            }
        }
    }
    Ok(elf)
}

/// Files that must be in the image for the program to start: path in the image
/// (without a leading `/`) to path on this host. Empty for a static program.
///
/// # Errors
/// A fragment that names what was not found.
pub fn needed_files(exe: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    let program = read(exe)?;
    let mut files = BTreeMap::new();
    let Some(interpreter) = &program.interpreter else { return Ok(files) };
    let inside = |path: &str| path.trim_start_matches('/').to_owned();
    if !interpreter.starts_with('/') || interpreter.split('/').any(|p| p == "..") {
        return Err(format!("its interpreter {interpreter:?} is no absolute path"));
    }
    files.insert(inside(interpreter), PathBuf::from(interpreter));
    let origin = exe.canonicalize().map_err(|e| format!("{}: {e}", exe.display()))?;
    let mut todo = vec![(origin, program.clone())];
    let mut seen = std::collections::BTreeSet::new();
    while let Some((from, elf)) = todo.pop() {
        for name in &elf.needed {
            if name.contains('/') || !seen.insert(name.clone()) {
                continue;
            }
            if interpreter.ends_with(&format!("/{name}")) {
                continue;
            }
            let (dir, library) = find(name, &from, &elf, program.machine)
                .ok_or_else(|| format!("it needs {name}, which is in none of the usual directories"))?;
            let path = dir.join(name);
            files.insert(inside(&path.to_string_lossy()), path.clone());
            todo.push((path, library));
        }
    }
    Ok(files)
}

/// The directory in which the loader of the image will find the library, which
/// is the one where it is found here.
fn find(name: &str, from: &Path, elf: &Elf, machine: u16) -> Option<(PathBuf, Elf)> {
    let origin = from.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let run = elf
        .runpath
        .iter()
        .map(|p| PathBuf::from(p.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin)));
    run.chain(usual_dirs(machine)).find_map(|dir| {
        let library = read(&dir.join(name)).ok()?;
        (library.machine == machine).then_some((dir, library))
    })
}

/// Where loaders look without a cache: Debian's directories, then everyone's.
fn usual_dirs(machine: u16) -> Vec<PathBuf> {
    let multiarch = match machine {
        62 => "x86_64-linux-gnu",
        183 => "aarch64-linux-gnu",
        243 => "riscv64-linux-gnu",
        _ => "none",
    };
    let mut dirs = vec![format!("/lib/{multiarch}"), format!("/usr/lib/{multiarch}")];
    dirs.extend(["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"].map(str::to_owned));
    dirs.into_iter().map(PathBuf::from).collect()
}

fn bytes(file: &File, at: u64, len: u64) -> Result<Vec<u8>, String> {
    if len > MAX_TABLE {
        return Err("a table of it is too large".into());
    }
    let mut buf = vec![0; len as usize];
    file.read_exact_at(&mut buf, at).map_err(|_| "it is cut short".to_owned())?;
    Ok(buf)
}

fn string(file: &File, at: u64) -> Result<String, String> {
    let mut buf = [0; 4096];
    let n = file.read_at(&mut buf, at).map_err(|e| e.to_string())?;
    text(&buf[..n])
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let end = bytes.iter().position(|b| *b == 0).ok_or("a string of it has no end")?;
    String::from_utf8(bytes[..end].to_vec()).map_err(|_| "a string of it is not text".into())
}

fn u16_at(b: &[u8], at: usize) -> Result<u16, String> {
    Ok(u16::from_le_bytes(array(b, at)?))
}

fn u32_at(b: &[u8], at: usize) -> Result<u32, String> {
    Ok(u32::from_le_bytes(array(b, at)?))
}

fn u64_at(b: &[u8], at: usize) -> Result<u64, String> {
    Ok(u64::from_le_bytes(array(b, at)?))
}

fn array<const N: usize>(b: &[u8], at: usize) -> Result<[u8; N], String> {
    b.get(at..at + N).and_then(|s| s.try_into().ok()).ok_or_else(|| "it is cut short".into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A program header table of one PT_LOAD, and nothing to run.
    pub fn static_elf() -> Vec<u8> {
        let mut elf = vec![0u8; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18] = 62;
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 1;
        elf[64] = 1;
        elf
    }

    #[test]
    fn a_static_program_needs_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("static");
        std::fs::write(&path, static_elf()).unwrap();
        assert!(needed_files(&path).unwrap().is_empty());
    }

    #[test]
    fn this_test_finds_its_own_libraries() {
        let exe = std::env::current_exe().unwrap();
        let elf = read(&exe).unwrap();
        let files = needed_files(&exe).unwrap();
        assert_eq!(files.is_empty(), elf.interpreter.is_none());
        for name in &elf.needed {
            assert!(files.keys().any(|f| f.ends_with(name.as_str())), "{name} in {files:?}");
        }
        for host in files.values() {
            assert!(host.exists(), "{host:?}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        let good = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut huge = static_elf();
        huge[54..58].copy_from_slice(&[255; 4]);
        let table: Vec<(&[u8], &str)> = vec![
            (b"", "cut short"),
            (b"#!/bin/sh\n# a script that is long enough to be read as a header of a file\n", "no ELF"),
            (&good[..80], "cut short"),
            (&huge, "too large"),
        ];
        for (bytes, reason) in table {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
