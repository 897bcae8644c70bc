//! `df [-h] [PATH]…`, `du [-sahk] [PATH]…`.

use std::collections::BTreeSet;

use super::mount::unmangle;
use crate::userland::prog::{Options, Prog};
use crate::userland::text::{human, join, words};
use crate::userland::{FileType, Sys};

pub async fn df<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("hkaPT", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mounts = p.read_text("/proc/mounts").await.unwrap_or_default();
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ').map(unmangle);
        rows.extend(fields.next().zip(fields.next()));
    }
    let mut status = 0;
    let mut wanted = Vec::new();
    for path in &options.rest {
        let device = match p.sys.stat(path) {
            Ok(stat) => stat.dev,
            Err(e) => {
                status = p.fail_at(path, e).await;
                continue;
            }
        };
        // The last mount that shows the same file system.
        let same = |r: &&(String, String)| p.sys.stat(&r.1).is_ok_and(|s| s.dev == device);
        wanted.push(rows.iter().rev().find(same).cloned().unwrap_or(("-".to_owned(), path.clone())));
    }
    let given = !options.rest.is_empty();
    let head =
        if options.has('h') { "     Size      Used Available" } else { "1K-blocks      Used Available" };
    p.put(format!("{:<20} {head} Use% Mounted on\n", "Filesystem")).await;
    for (source, target) in if given { wanted } else { rows } {
        let Ok(space) = p.sys.fs_use(&target) else { continue };
        if space.total == 0 && !given && !options.has('a') {
            continue;
        }
        let used = space.total.saturating_sub(space.free);
        let available = p.sys.fs_available(&target).unwrap_or(space.free);
        let percent = (used * 100).div_ceil((used + available).max(1));
        let show = |bytes: u64| if options.has('h') { human(bytes) } else { (bytes / 1024).to_string() };
        p.put(format!(
            "{source:<20} {:>9} {:>9} {:>9} {percent:>3}% {target}\n",
            show(space.total),
            show(used),
            show(available)
        ))
        .await;
    }
    status
}

pub async fn du<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("sahkmx", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut paths = options.rest.clone();
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    let mut walk = Walk { seen: BTreeSet::new(), lines: Vec::new(), errors: Vec::new(), options };
    for path in &paths {
        walk.add(&p.sys, path, true);
    }
    let failed = !walk.errors.is_empty();
    for error in walk.errors {
        p.complain(&error).await;
    }
    for line in walk.lines {
        p.put(line).await;
    }
    u8::from(failed)
}

struct Walk {
    options: Options,
    /// Hard links count once.
    seen: BTreeSet<(u64, u64)>,
    lines: Vec<String>,
    errors: Vec<String>,
}

impl Walk {
    /// Adds a tree; its 512-byte blocks.
    fn add<S: Sys>(&mut self, sys: &S, path: &str, top: bool) -> u64 {
        let stat = match sys.lstat(path) {
            Ok(stat) => stat,
            Err(e) => {
                self.errors.push(format!("{path}: {}", words(e)));
                return 0;
            }
        };
        if stat.nlink > 1 && stat.kind != FileType::Dir && !self.seen.insert((stat.dev, stat.ino)) {
            return 0;
        }
        let mut blocks = stat.blocks;
        let is_dir = stat.kind == FileType::Dir;
        if is_dir {
            match sys.read_dir(path) {
                Ok(mut entries) => {
                    entries.sort_by(|a, b| a.name.cmp(&b.name));
                    for entry in entries {
                        blocks += self.add(sys, &join(path, &entry.name), false);
                    }
                }
                Err(e) => self.errors.push(format!("can't open '{path}': {}", words(e))),
            }
        }
        if top || (!self.options.has('s') && (is_dir || self.options.has('a'))) {
            let size = match () {
                () if self.options.has('h') => human(blocks * 512),
                () if self.options.has('m') => blocks.div_ceil(2048).to_string(),
                () => blocks.div_ceil(2).to_string(),
            };
            self.lines.push(format!("{size}\t{path}\n"));
        }
        blocks
    }
}
