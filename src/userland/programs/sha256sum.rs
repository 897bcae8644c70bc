//! `sha256sum [-c] [FILE]…`.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{Errno, Sys};

async fn digest<S: Sys>(p: &mut Prog<S>, path: &str) -> Result<String, Errno> {
    let fd = p.input(path).await?;
    let mut hash = Sha256::new();
    let result = loop {
        match p.sys.read(fd, 256 * 1024).await {
            Ok(part) if part.is_empty() => break Ok(()),
            Ok(part) => hash.update(&part),
            Err(e) => break Err(e),
        }
    };
    p.done_with(fd);
    result?;
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("cbs", &[("check", 'c')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let mut status = 0;
    for file in files {
        if !options.has('c') {
            match digest(p, &file).await {
                Ok(text) => p.put(format!("{text}  {file}\n")).await,
                Err(e) => status = p.fail(&format!("can't open '{file}': {}", words(e))).await,
            }
            continue;
        }
        let Some(fd) = p.input_or_complain(&file).await else {
            status = 1;
            continue;
        };
        let list = p.read_all(fd).await.unwrap_or_default();
        p.done_with(fd);
        for line in String::from_utf8_lossy(&list).lines() {
            let Some((wanted, name)) = line.split_once("  ") else { continue };
            let good = digest(p, name).await.is_ok_and(|d| d == wanted);
            if !good {
                status = 1;
            }
            if !good || !options.has('s') {
                p.put(format!("{name}: {}\n", if good { "OK" } else { "FAILED" })).await;
            }
        }
    }
    status
}
