//! Reading mounts back, proc_pid_mountinfo(5).

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

use super::evidence::{fact, rest_of, text_of};
use crate::trace::{Fact, Value};

/// The mounts that a process sees, filtered by mount point; proc_pid_mountinfo(5).
pub fn mounts(process: &str, wanted: impl Fn(&str) -> bool) -> Vec<Fact> {
    let source = format!("/proc/{process}/mountinfo");
    text_of(&source).map_or_else(|_| Vec::new(), |text| facts(&source, &text, wanted))
}

fn facts(source: &str, text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Fact> {
    text.lines()
        .filter(|l| l.split(' ').nth(4).is_some_and(|point| wanted(&unescape(point))))
        .filter_map(MountLine::parse)
        .map(|m| fact(source, &format!("mount {}", m.point), Value::Text(m.text())))
        .collect()
}

/// The mounts of this process, read as they come. A host may have hundreds, and
/// a run makes a dozen: where the file is read on from where it ended last, the
/// kernel writes only the lines of the mounts made since (Linux 6.8; an older
/// one writes nothing, and the file is read anew).
#[derive(Debug, Default)]
pub struct Mounts(RefCell<Option<File>>);

impl Mounts {
    const SOURCE: &str = "/proc/self/mountinfo";

    /// The mount at a path: just made, or from long ago.
    pub fn at(&self, point: &str) -> Vec<Fact> {
        let read = self.0.borrow_mut().as_mut().map(rest_of);
        if let Some(Ok(text)) = read {
            let facts = facts(Self::SOURCE, &text, |at| at == point);
            if !facts.is_empty() {
                return facts;
            }
        }
        self.all(|at| at == point)
    }

    /// All mounts, filtered by mount point.
    pub fn all(&self, wanted: impl Fn(&str) -> bool) -> Vec<Fact> {
        // Opened anew: it shows what is below the root that this process has now.
        let opened = File::open(Self::SOURCE).and_then(|mut f| rest_of(&mut f).map(|text| (f, text)));
        let (file, text) = opened.map_or_else(|_| (None, String::new()), |(file, text)| (Some(file), text));
        *self.0.borrow_mut() = file;
        facts(Self::SOURCE, &text, wanted)
    }
}

/// What mountinfo calls these paths beside their own names: without symbolic links, and as
/// they stand in their file system, which may be mounted elsewhere than at `/`.
pub fn other_names(paths: &[&Path]) -> Vec<String> {
    let text = text_of(Mounts::SOURCE).unwrap_or_default();
    let mounts: Vec<MountLine> = text.lines().filter_map(MountLine::parse).collect();
    let mut names = Vec::new();
    for path in paths {
        let Ok(real) = path.canonicalize() else { continue };
        let mut both = vec![real.to_string_lossy().into_owned(), inside(&real, &mounts)];
        both.dedup();
        both.retain(|name| path.to_str() != Some(name));
        names.append(&mut both);
    }
    names
}

/// A path as it stands in the file system that it is on: the mount nearest to it, and of
/// several at one point the last.
fn inside(path: &Path, mounts: &[MountLine]) -> String {
    let over = mounts.iter().filter(|m| path.starts_with(&m.point));
    match over.max_by_key(|m| m.point.len()) {
        Some(mount) => {
            let rest = path.strip_prefix(&mount.point).unwrap_or(path);
            Path::new(&mount.root).join(rest).to_string_lossy().into_owned()
        }
        None => path.to_string_lossy().into_owned(),
    }
}

/// One line of mountinfo without its volatile numbers.
#[derive(Debug, PartialEq, Eq)]
struct MountLine {
    root: String,
    point: String,
    options: String,
    propagation: String,
    fstype: String,
    source: String,
    fs_options: String,
}

impl MountLine {
    fn parse(line: &str) -> Option<Self> {
        let (mount, fs) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point, options) = (mount.next()?, mount.next()?, mount.next()?);
        // `shared:7`: the number of the group says nothing from run to run.
        let propagation: Vec<&str> = mount.filter_map(|o| o.split(':').next()).collect();
        let mut fs = fs.splitn(3, ' ');
        Some(MountLine {
            root: unescape(root),
            point: unescape(point),
            options: options.to_owned(),
            propagation: if propagation.is_empty() { "private".to_owned() } else { propagation.join(",") },
            fstype: fs.next()?.to_owned(),
            source: unescape(fs.next()?),
            fs_options: unescape(fs.next().unwrap_or_default()),
        })
    }

    fn text(&self) -> String {
        let root = if self.root == "/" { String::new() } else { format!(" root={}", self.root) };
        // The mount's own options first: what a step changes is there. Those of
        // the file system behind it may say `rw` all the same.
        format!(
            "{} {} {} {}{root} ({})",
            self.options, self.propagation, self.fstype, self.source, self.fs_options
        )
    }
}

/// mountinfo writes space, tab, newline and backslash as `\040` and the like.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'\\' && after.len() >= 3)
            .then(|| std::str::from_utf8(&after[..3]).ok().and_then(|d| u8::from_str_radix(d, 8).ok()))
            .flatten();
        match code {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read_without_its_numbers() {
        let line = r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let parsed = MountLine::parse(line).unwrap();
        assert_eq!(parsed.point, "/mnt 2");
        assert_eq!(parsed.text(), "rw,noatime master ext3 /dev/root root=/mnt1 (rw,errors=continue)");
        assert!(MountLine::parse("nonsense").is_none());
        let private = "1 1 0:1 / / rw - tmpfs tmpfs rw";
        assert_eq!(MountLine::parse(private).unwrap().propagation, "private");
    }

    #[test]
    fn what_was_there_is_found_again_after_the_end_was_read() {
        let mounts = Mounts::default();
        let first = mounts.at("/proc");
        assert_eq!(first.len(), 1);
        assert_eq!(mounts.at("/proc"), first);
        assert!(mounts.at("/no/such/mount").is_empty());
        assert_eq!(mounts.all(|at| at == "/proc"), first);
    }

    #[test]
    fn a_path_is_known_as_it_stands_in_its_file_system() {
        let mounts = "1 1 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / /dev/shm rw - tmpfs none rw\n\
                      3 1 8:2 /lib /srv/a\\040b rw - ext4 /dev/b rw\n4 1 8:3 / /srv/a\\040b rw - ext4 /dev/c rw\n";
        let mounts: Vec<MountLine> = mounts.lines().filter_map(MountLine::parse).collect();
        for (path, wanted) in [
            ("/var/lib/glassbox", "/var/lib/glassbox"),
            ("/dev/shm/store", "/store"),
            ("/dev/shmem", "/dev/shmem"),
            ("/srv/a b/x/y", "/x/y"),
        ] {
            assert_eq!(inside(Path::new(path), &mounts), wanted);
        }
        assert_eq!(inside(Path::new("/srv/a b/x"), &mounts[..3]), "/lib/x");
        assert_eq!(other_names(&[Path::new("/not/there")]), Vec::<String>::new());
    }
}
