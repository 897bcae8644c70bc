//! `cp [-rRapdf] SOURCE… DEST`, `mv [-fn] SOURCE… DEST`.

use super::remove::remove_tree;
use crate::userland::prog::Prog;
use crate::userland::text::{base_name, join, words};
use crate::userland::{Errno, FileType, OpenFlags, Stat, Sys, SysResult};

/// What a copy keeps.
#[derive(Clone, Copy)]
struct Keep {
    recursive: bool,
    /// Links stay links.
    links: bool,
    /// Owner, mode and times.
    attributes: bool,
    force: bool,
}

/// Sources, and for each where it goes; or the status of a complaint.
async fn plan<S: Sys>(p: &mut Prog<S>, mut names: Vec<String>) -> Result<Vec<(String, String)>, u8> {
    if names.len() < 2 {
        return Err(p.fail("missing operand").await);
    }
    let dest = names.pop().unwrap_or_default();
    let into = p.sys.stat(&dest).is_ok_and(|s| s.kind == FileType::Dir);
    if !into && names.len() > 1 {
        return Err(p.fail(&format!("target '{dest}' is not a directory")).await);
    }
    let to = |from: &String| if into { join(&dest, base_name(from)) } else { dest.clone() };
    Ok(names.iter().map(|from| (from.clone(), to(from))).collect())
}

pub async fn cp<S: Sys>(p: &mut Prog<S>) -> u8 {
    let long = [("recursive", 'r'), ("archive", 'a'), ("force", 'f')];
    let options = match p.options("rRapdPLf", &long).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let archive = options.has('a');
    let recursive = archive || options.has('r') || options.has('R');
    let keep = Keep {
        recursive,
        links: (recursive || options.has('d') || options.has('P')) && !options.has('L'),
        attributes: archive || options.has('p'),
        force: options.has('f'),
    };
    let jobs = match plan(p, options.rest).await {
        Ok(jobs) => jobs,
        Err(status) => return status,
    };
    let mut status = 0;
    for (from, to) in jobs {
        status |= copy(p, from, to, keep).await;
    }
    status
}

/// Copies a file or a tree, with a list of its own instead of recursion: a
/// directory's attributes are set when its entries are there.
async fn copy<S: Sys>(p: &mut Prog<S>, from: String, to: String, keep: Keep) -> u8 {
    let mut status = 0;
    let mut todo = vec![(from, to)];
    let mut dirs: Vec<(String, Stat)> = Vec::new();
    while let Some((from, to)) = todo.pop() {
        let stat = match if keep.links { p.sys.lstat(&from) } else { p.sys.stat(&from) } {
            Ok(stat) => stat,
            Err(e) => {
                status = p.fail(&format!("can't stat '{from}': {}", words(e))).await;
                continue;
            }
        };
        if p.sys.stat(&to).is_ok_and(|t| (t.dev, t.ino) == (stat.dev, stat.ino))
            && stat.kind != FileType::Symlink
        {
            status = p.fail(&format!("'{from}' and '{to}' are the same file")).await;
            continue;
        }
        if stat.kind == FileType::Dir {
            if !keep.recursive {
                status = p.fail(&format!("omitting directory '{from}'")).await;
                continue;
            }
            if format!("{to}/").starts_with(&format!("{from}/")) {
                status = p.fail(&format!("recursion detected, omitting directory '{from}'")).await;
                continue;
            }
            let made = match p.sys.mkdir(&to, stat.mode | 0o700) {
                Err(Errno::EEXIST) if p.sys.stat(&to).is_ok_and(|s| s.kind == FileType::Dir) => Ok(()),
                other => other,
            };
            match made.and_then(|()| p.sys.read_dir(&from)) {
                Ok(entries) => {
                    todo.extend(entries.iter().map(|e| (join(&from, &e.name), join(&to, &e.name))));
                    dirs.push((to, stat));
                }
                Err(e) => status = p.fail(&format!("can't create directory '{to}': {}", words(e))).await,
            }
            continue;
        }
        if let Err(e) = copy_one(&p.sys, &from, &to, &stat, keep).await {
            status = p.fail(&format!("can't create '{to}': {}", words(e))).await;
        }
    }
    for (path, stat) in dirs.into_iter().rev() {
        if keep.attributes && set_attributes(&p.sys, &path, &stat).await.is_err() {
            status = p.fail(&format!("can't preserve attributes of '{path}'")).await;
        }
    }
    status
}

async fn copy_one<S: Sys>(sys: &S, from: &str, to: &str, stat: &Stat, keep: Keep) -> SysResult<()> {
    match stat.kind {
        FileType::Symlink => {
            let target = sys.read_link(from)?;
            match sys.symlink(&target, to) {
                Err(Errno::EEXIST) => {
                    sys.unlink(to).await?;
                    sys.symlink(&target, to)?;
                }
                other => other?,
            }
            if keep.attributes {
                sys.chown(to, stat.uid, stat.gid, true).await?;
            }
            return Ok(());
        }
        FileType::File => copy_data(sys, from, to, stat.mode & 0o777, keep.force).await?,
        _ if !keep.recursive => copy_data(sys, from, to, stat.mode & 0o777, keep.force).await?,
        FileType::Socket => return Err(Errno::EOPNOTSUPP),
        kind => sys.mknod(to, kind, stat.mode, stat.rdev_major, stat.rdev_minor)?,
    }
    if keep.attributes { set_attributes(sys, to, stat).await } else { Ok(()) }
}

async fn copy_data<S: Sys>(sys: &S, from: &str, to: &str, mode: u32, force: bool) -> SysResult<()> {
    let input = sys.open(from, OpenFlags::READ, 0).await?;
    let output = match sys.open(to, OpenFlags::CREATE, mode).await {
        Err(_) if force && sys.unlink(to).await.is_ok() => sys.open(to, OpenFlags::CREATE, mode).await,
        other => other,
    };
    let result = match output {
        Ok(output) => {
            let result = loop {
                match sys.read(input, 256 * 1024).await {
                    Ok(part) if part.is_empty() => break Ok(()),
                    Ok(part) => {
                        if let Err(e) = sys.write(output, &part).await {
                            break Err(e);
                        }
                    }
                    Err(e) => break Err(e),
                }
            };
            result.and(sys.close(output))
        }
        Err(e) => Err(e),
    };
    let _ = sys.close(input);
    result
}

async fn set_attributes<S: Sys>(sys: &S, path: &str, stat: &Stat) -> SysResult<()> {
    // Only root may give files away; cp -p goes on without it.
    match sys.chown(path, stat.uid, stat.gid, false).await {
        Ok(()) | Err(Errno::EPERM) => {}
        Err(e) => return Err(e),
    }
    sys.chmod(path, stat.mode).await?;
    sys.set_times(path, Some(stat.mtime)).await
}

pub async fn mv<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("fniT", &[("force", 'f')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let never = options.has('n');
    let jobs = match plan(p, options.rest).await {
        Ok(jobs) => jobs,
        Err(status) => return status,
    };
    let mut status = 0;
    for (from, to) in jobs {
        if never && p.sys.lstat(&to).is_ok() {
            continue;
        }
        match p.sys.rename(&from, &to).await {
            Ok(()) => {}
            Err(Errno::EXDEV) => {
                let keep = Keep { recursive: true, links: true, attributes: true, force: true };
                let failed = copy(p, from.clone(), to, keep).await;
                if failed == 0
                    && let Ok(stat) = p.sys.lstat(&from)
                {
                    let mut left = Vec::new();
                    remove_tree(&p.sys, &from, stat.kind, &mut left).await;
                    for (path, e) in left {
                        status = p.fail(&format!("can't remove '{path}': {}", words(e))).await;
                    }
                }
                status |= failed;
            }
            Err(e) => status = p.fail(&format!("can't rename '{from}': {}", words(e))).await,
        }
    }
    status
}
