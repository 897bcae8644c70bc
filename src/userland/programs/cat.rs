//! `cat [-nbu] [FILE]…`.

use crate::userland::Sys;
use crate::userland::prog::{Lines, Prog};
use crate::userland::text::words;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("nbuv", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let mut status = 0;
    let mut number = 0u64;
    for file in files {
        let Some(fd) = p.input_or_complain(&file).await else {
            status = 1;
            continue;
        };
        let result = if options.has('n') || options.has('b') {
            let mut lines = Lines::new(fd);
            loop {
                match lines.next(&p.sys).await {
                    Ok(Some(line)) => {
                        if options.has('n') || line != b"\n" {
                            number += 1;
                            p.put(format!("{number:6}\t")).await;
                        }
                        p.put(line).await;
                    }
                    Ok(None) => break Ok(()),
                    Err(e) => break Err(e),
                }
            }
        } else {
            loop {
                match p.sys.read(fd, 128 * 1024).await {
                    Ok(part) if part.is_empty() => break Ok(()),
                    Ok(part) => {
                        p.put(part).await;
                        // Each piece at once: cat shows a pipe while it fills.
                        p.flush().await;
                        if p.broken {
                            break Ok(());
                        }
                    }
                    Err(e) => break Err(e),
                }
            }
        };
        p.done_with(fd);
        if let Err(e) = result {
            p.complain(&format!("read error: {}", words(e))).await;
            status = 1;
        }
        if p.broken {
            return 1;
        }
    }
    status
}
