//! Making files: `touch`, `mkdir`, `rmdir`, `ln`, `mknod`.

use super::owner::parse_mode;
use crate::userland::prog::Prog;
use crate::userland::text::{base_name, dir_name, join, words};
use crate::userland::{Errno, FileType, OpenFlags, Sys};

/// `touch [-c] FILE…`.
pub async fn touch<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("cam", &[("no-create", 'c')]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mut status = 0;
    for path in &options.rest {
        let mut result = p.sys.set_times(path, None).await;
        if result == Err(Errno::ENOENT) {
            if options.has('c') {
                continue;
            }
            let flags = OpenFlags { truncate: false, ..OpenFlags::CREATE };
            result = match p.sys.open(path, flags, 0o666).await {
                Ok(fd) => p.sys.close(fd),
                Err(e) => Err(e),
            };
        }
        if let Err(e) = result {
            status = p.fail_at(path, e).await;
        }
    }
    status
}

/// `mkdir [-p] [-m MODE] DIRECTORY…`.
pub async fn mkdir<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("pm:v", &[("parents", 'p'), ("mode", 'm')]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mode = match options.value('m').map(|m| parse_mode(m, 0o777, true).ok_or(m)) {
        None => None,
        Some(Ok(mode)) => Some(mode),
        Some(Err(text)) => return p.fail(&format!("invalid mode '{text}'")).await,
    };
    let mut status = 0;
    for path in &options.rest {
        let made = if options.has('p') { make_parents(&p.sys, path) } else { p.sys.mkdir(path, 0o777) };
        let result = match (made, mode) {
            (Ok(()), Some(mode)) => p.sys.chmod(path, mode).await,
            (made, _) => made,
        };
        if let Err(e) = result {
            status = p.fail(&format!("can't create directory '{path}': {}", words(e))).await;
        }
    }
    status
}

fn make_parents<S: Sys>(sys: &S, path: &str) -> Result<(), Errno> {
    let mut done = String::new();
    for part in path.split_inclusive('/') {
        done.push_str(part);
        let dir = done.trim_end_matches('/');
        if dir.is_empty() {
            continue;
        }
        match sys.mkdir(dir, 0o777) {
            Err(Errno::EEXIST) if sys.stat(dir)?.kind == FileType::Dir => {}
            Err(_) if sys.stat(dir).is_ok_and(|s| s.kind == FileType::Dir) => {}
            other => other?,
        }
    }
    Ok(())
}

/// `rmdir [-p] DIRECTORY…`.
pub async fn rmdir<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("p", &[("parents", 'p')]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mut status = 0;
    for path in &options.rest {
        let mut path = path.as_str();
        loop {
            if let Err(e) = p.sys.rmdir(path).await {
                status = p.fail(&format!("'{path}': {}", words(e))).await;
                break;
            }
            path = dir_name(path);
            if !options.has('p') || path == "." || path == "/" {
                break;
            }
        }
    }
    status
}

/// `ln [-sfn] TARGET [NAME | DIRECTORY]`.
pub async fn ln<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("sfnT", &[("symbolic", 's'), ("force", 'f')]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mut targets = options.rest.clone();
    let place = if targets.len() > 1 { targets.pop().unwrap_or_default() } else { ".".to_owned() };
    let stat = if options.has('n') { p.sys.lstat(&place) } else { p.sys.stat(&place) };
    let into = !options.has('T') && stat.is_ok_and(|s| s.kind == FileType::Dir);
    if !into && targets.len() > 1 {
        return p.fail(&format!("{place}: not a directory")).await;
    }
    let mut status = 0;
    for target in targets {
        let path = if into { join(&place, base_name(&target)) } else { place.clone() };
        if options.has('f') {
            // Nothing there is what is wanted.
            let _ = p.sys.unlink(&path).await;
        }
        let made =
            if options.has('s') { p.sys.symlink(&target, &path) } else { p.sys.link(&target, &path).await };
        if let Err(e) = made {
            status = p.fail_at(&path, e).await;
        }
    }
    status
}

/// `mknod [-m MODE] NAME {b|c} MAJOR MINOR`, `mknod NAME p`.
pub async fn mknod<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("m:", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mode = options.value('m').and_then(|m| parse_mode(m, 0o666, false));
    let number = |i: usize| options.rest.get(i).and_then(|n| n.parse::<u32>().ok());
    let kind = match options.rest.get(1).map(String::as_str) {
        Some("p") => FileType::Fifo,
        Some("c" | "u") => FileType::Char,
        Some("b") => FileType::Block,
        _ => return p.fail("usage: mknod [-m MODE] NAME TYPE [MAJOR MINOR]").await,
    };
    let (major, minor) = match (kind, number(2), number(3)) {
        (FileType::Fifo, None, None) => (0, 0),
        (FileType::Char | FileType::Block, Some(major), Some(minor)) => (major, minor),
        _ => return p.fail("MAJOR and MINOR are for devices, and needed there").await,
    };
    let path = &options.rest[0];
    let made = p.sys.mknod(path, kind, 0o666, major, minor);
    let result = match (made, mode) {
        (Ok(()), Some(mode)) => p.sys.chmod(path, mode).await,
        (made, _) => made,
    };
    match result {
        Ok(()) => 0,
        Err(e) => p.fail_at(path, e).await,
    }
}
