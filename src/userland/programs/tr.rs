//! `tr [-cds] SET1 [SET2]`, over bytes.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::sh::pattern::in_class;
use crate::userland::text::{unescape, words};

fn set(text: &str) -> Vec<u8> {
    let (bytes, _) = unescape(text, false);
    let mut out = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i..].starts_with(b"[:")
            && let Some(end) = bytes[i..].windows(2).position(|w| w == b":]")
        {
            let name = String::from_utf8_lossy(&bytes[i + 2..i + end]).into_owned();
            out.extend((0..128u8).filter(|b| in_class(&name, char::from(*b))));
            i += end + 2;
        } else if bytes.get(i + 1) == Some(&b'-') && i + 2 < bytes.len() {
            out.extend(bytes[i]..=bytes[i + 2]);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    out
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("+cCds", &[]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mut first = set(&options.rest[0]);
    if options.has('c') || options.has('C') {
        first = (0..=255).filter(|b| !first.contains(b)).collect();
    }
    let second = options.rest.get(1).map(|s| set(s)).unwrap_or_default();
    let delete = options.has('d');
    if !delete && !options.has('s') && second.is_empty() {
        return p.fail("missing operand").await;
    }
    let mut map: Vec<u8> = (0..=255).collect();
    if !delete && let Some(last) = second.last() {
        for (i, byte) in first.iter().enumerate() {
            map[usize::from(*byte)] = *second.get(i).unwrap_or(last);
        }
    }
    let squeezed = if second.is_empty() { &first } else { &second };
    let mut previous = None;
    loop {
        let part = match p.sys.read(0, 64 * 1024).await {
            Ok(part) => part,
            Err(e) => return p.fail(&format!("read error: {}", words(e))).await,
        };
        if part.is_empty() || p.broken {
            return 0;
        }
        let mut out = Vec::with_capacity(part.len());
        for byte in part {
            if delete && first.contains(&byte) {
                continue;
            }
            let mapped = map[usize::from(byte)];
            if options.has('s') && previous == Some(mapped) && squeezed.contains(&mapped) {
                continue;
            }
            previous = Some(mapped);
            out.push(mapped);
        }
        p.put(out).await;
    }
}
