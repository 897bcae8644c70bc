//! `ls [-1aAdlRinhtrFS] [FILE]…`.

use std::cmp::Reverse;

use crate::userland::prog::{Options, Prog};
use crate::userland::text::{Date, Names, human, join, mode_string, words};
use crate::userland::{FileType, Stat, Sys};

/// Half a year: older files show the year instead of the time.
const RECENT: i64 = 365 * 86_400 / 2;

struct Entry {
    shown: String,
    path: String,
    stat: Stat,
}

struct Look {
    options: Options,
    users: Names,
    groups: Names,
    now: i64,
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("1aAdlRinhtrFpSLC", &[("color", 'C'), ("all", 'a')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let long = options.has('l') || options.has('n');
    let (users, groups) = if long && !options.has('n') {
        (Names::users(&p.sys).await, Names::groups(&p.sys).await)
    } else {
        (Names::default(), Names::default())
    };
    let mut operands = options.rest.clone();
    if operands.is_empty() {
        operands.push(".".to_owned());
    }
    let look = Look { options, users, groups, now: p.sys.now().0 };
    let mut status = 0;
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for path in operands {
        // A link to a directory is followed, unless the link itself is to be shown.
        let follow = !long && !look.options.has('d');
        let stat = if follow || path.ends_with('/') || look.options.has('L') {
            p.sys.stat(&path).or_else(|_| p.sys.lstat(&path))
        } else {
            p.sys.lstat(&path)
        };
        match stat {
            Ok(stat) => {
                let entry = Entry { shown: path.clone(), path, stat };
                if entry.stat.kind == FileType::Dir && !look.options.has('d') {
                    dirs.push(entry);
                } else {
                    files.push(entry);
                }
            }
            Err(e) => status = p.fail_at(&path, e).await,
        }
    }
    look.sort(&mut files);
    look.sort(&mut dirs);
    let headed = look.options.has('R') || dirs.len() + files.len() > 1;
    let mut first = files.is_empty();
    if !files.is_empty() {
        look.show(p, &files, false).await;
    }
    dirs.reverse();
    while let Some(dir) = dirs.pop() {
        if headed {
            p.put(format!("{}{}:\n", if first { "" } else { "\n" }, dir.shown)).await;
        }
        first = false;
        let (entries, failed) = look.read(p, &dir.path).await;
        if failed {
            status = 1;
        }
        look.show(p, &entries, true).await;
        if look.options.has('R') {
            let inner = entries
                .into_iter()
                .filter(|e| e.stat.kind == FileType::Dir && e.shown != "." && e.shown != "..")
                .map(|e| Entry { shown: e.path.clone(), ..e });
            dirs.extend(inner.collect::<Vec<_>>().into_iter().rev());
        }
        if p.broken {
            break;
        }
    }
    status
}

impl Look {
    fn sort(&self, entries: &mut [Entry]) {
        if self.options.has('t') {
            entries.sort_by(|a, b| (Reverse(a.stat.mtime), &a.shown).cmp(&(Reverse(b.stat.mtime), &b.shown)));
        } else if self.options.has('S') {
            entries.sort_by(|a, b| (Reverse(a.stat.size), &a.shown).cmp(&(Reverse(b.stat.size), &b.shown)));
        } else {
            entries.sort_by(|a, b| a.shown.cmp(&b.shown));
        }
        if self.options.has('r') {
            entries.reverse();
        }
    }

    async fn read<S: Sys>(&self, p: &mut Prog<S>, dir: &str) -> (Vec<Entry>, bool) {
        let mut names: Vec<String> = match p.sys.read_dir(dir) {
            Ok(entries) => entries.into_iter().map(|e| e.name).collect(),
            Err(e) => {
                p.complain(&format!("can't open '{dir}': {}", words(e))).await;
                return (Vec::new(), true);
            }
        };
        if !self.options.has('a') && !self.options.has('A') {
            names.retain(|n| !n.starts_with('.'));
        }
        if self.options.has('a') {
            names.extend([".".to_owned(), "..".to_owned()]);
        }
        let mut entries = Vec::new();
        let mut failed = false;
        for shown in names {
            let path = join(dir, &shown);
            match p.sys.lstat(&path) {
                Ok(stat) => entries.push(Entry { shown, path, stat }),
                Err(e) => {
                    p.fail_at(&path, e).await;
                    failed = true;
                }
            }
        }
        self.sort(&mut entries);
        (entries, failed)
    }

    async fn show<S: Sys>(&self, p: &mut Prog<S>, entries: &[Entry], total: bool) {
        let o = &self.options;
        if !(o.has('l') || o.has('n')) {
            for entry in entries {
                let inode = if o.has('i') { format!("{:7} ", entry.stat.ino) } else { String::new() };
                p.put(format!("{inode}{}{}\n", entry.shown, self.mark(&entry.stat))).await;
            }
            return;
        }
        if total {
            let blocks: u64 = entries.iter().map(|e| e.stat.blocks).sum::<u64>() / 2;
            let shown = if o.has('h') { human(blocks * 1024) } else { blocks.to_string() };
            p.put(format!("total {shown}\n")).await;
        }
        for entry in entries {
            let s = &entry.stat;
            let size = match s.kind {
                FileType::Char | FileType::Block => format!("{:4}, {:3}", s.rdev_major, s.rdev_minor),
                _ if o.has('h') => format!("{:>9}", human(s.size)),
                _ => format!("{:9}", s.size),
            };
            let inode = if o.has('i') { format!("{:7} ", s.ino) } else { String::new() };
            let target = match s.kind {
                FileType::Symlink => {
                    p.sys.read_link(&entry.path).map(|t| format!(" -> {t}")).unwrap_or_default()
                }
                _ => String::new(),
            };
            p.put(format!(
                "{inode}{}{:5} {:8} {:8} {size} {} {}{}{target}\n",
                mode_string(s.kind, s.mode),
                s.nlink,
                self.users.show(s.uid),
                self.groups.show(s.gid),
                self.time(s.mtime),
                entry.shown,
                self.mark(s),
            ))
            .await;
        }
    }

    fn mark(&self, stat: &Stat) -> &'static str {
        let all = self.options.has('F');
        match stat.kind {
            FileType::Dir if all || self.options.has('p') => "/",
            FileType::Symlink if all && !self.options.has('l') => "@",
            FileType::Fifo if all => "|",
            FileType::Socket if all => "=",
            FileType::File if all && stat.mode & 0o111 != 0 => "*",
            _ => "",
        }
    }

    fn time(&self, mtime: i64) -> String {
        let date = Date::from_unix(mtime);
        let age = self.now - mtime;
        let recent = (-15 * 60..RECENT).contains(&age);
        date.format(if recent { "%b %e %H:%M" } else { "%b %e  %Y" }, mtime, 0)
    }
}
