//! `rm [-rf] FILE…`.

use crate::userland::prog::Prog;
use crate::userland::text::{base_name, join, words};
use crate::userland::{Errno, FileType, Sys, SysResult};

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
        remove_tree(&p.sys, path, kind, &mut failed);
        for (path, e) in failed {
            status = p.fail(&format!("can't remove '{path}': {}", words(e))).await;
        }
    }
    status
}

/// Removes a file or a whole tree, as much of it as can be.
pub fn remove_tree<S: Sys>(sys: &S, path: &str, kind: FileType, failed: &mut Vec<(String, Errno)>) {
    let result: SysResult<()> = if kind == FileType::Dir {
        match sys.read_dir(path) {
            Ok(entries) => {
                for entry in entries {
                    remove_tree(sys, &join(path, &entry.name), entry.kind, failed);
                }
                sys.rmdir(path)
            }
            Err(e) => Err(e),
        }
    } else {
        sys.unlink(path)
    };
    if let Err(e) = result {
        failed.push((path.to_owned(), e));
    }
}
