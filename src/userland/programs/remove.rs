//! `rm [-rf] FILE…`.

use crate::userland::prog::Prog;
use crate::userland::text::{base_name, join, words};
use crate::userland::{Errno, FileType, Sys};

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("rRfiv", &[("recursive", 'r'), ("force", 'f')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let force = options.has('f');
    if options.rest.is_empty() && !force {
        return p.fail("missing operand").await;
    }
    let recursive = options.has('r') || options.has('R');
    let mut status = 0;
    for path in &options.rest {
        if matches!(base_name(path), "." | ".." | "/") {
            status = p.fail(&format!("can't remove '{path}': Invalid argument")).await;
            continue;
        }
        let kind = match p.sys.lstat(path) {
            Ok(stat) => stat.kind,
            Err(Errno::ENOENT) if force => continue,
            Err(e) => {
                status = p.fail(&format!("can't remove '{path}': {}", words(e))).await;
                continue;
            }
        };
        if kind == FileType::Dir && !recursive {
            status = p.fail(&format!("'{path}' is a directory")).await;
            continue;
        }
        let mut failed = Vec::new();
        remove_tree(&p.sys, path, kind, &mut failed).await;
        for (path, e) in failed {
            status = p.fail(&format!("can't remove '{path}': {}", words(e))).await;
        }
    }
    status
}

/// Removes a file or a whole tree, as much of it as can be. With a list of its own
/// instead of recursion: a directory's turn comes again when its entries are gone.
pub async fn remove_tree<S: Sys>(sys: &S, path: &str, kind: FileType, failed: &mut Vec<(String, Errno)>) {
    let mut todo = vec![(path.to_owned(), kind, false)];
    while let Some((path, kind, again)) = todo.pop() {
        let result = match kind {
            FileType::Dir if again => sys.rmdir(&path).await,
            FileType::Dir => match sys.read_dir(&path) {
                Ok(entries) => {
                    let below = entries.iter().rev().map(|e| (join(&path, &e.name), e.kind, false));
                    let below: Vec<_> = below.collect();
                    todo.push((path, kind, true));
                    todo.extend(below);
                    continue;
                }
                Err(e) => Err(e),
            },
            _ => sys.unlink(&path).await,
        };
        if let Err(e) = result {
            failed.push((path, e));
        }
    }
}
