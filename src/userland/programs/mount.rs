//! `mount [-t TYPE] [-o OPTIONS] [SOURCE] TARGET`, `umount TARGET…`, `sync`.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::words;

/// Decodes the octal escapes of /proc/mounts.
pub fn unmangle(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, c)| text.replace(code, c))
}

pub async fn mount<S: Sys>(p: &mut Prog<S>) -> u8 {
    let long = [("bind", 'B'), ("rbind", 'R'), ("types", 't'), ("options", 'o')];
    let options = match p.options("t:o:rwanBR", &long).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let wanted = options.value('t').filter(|t| *t != "auto");
    if options.rest.is_empty() {
        let text = match p.read_text("/proc/mounts").await {
            Ok(text) => text,
            Err(e) => return p.fail_at("/proc/mounts", e).await,
        };
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [source, target, kind, flags, ..] = fields[..] else { continue };
            if source == "rootfs" || wanted.is_some_and(|w| w != kind) {
                continue;
            }
            p.put(format!("{} on {} type {kind} ({flags})\n", unmangle(source), unmangle(target))).await;
        }
        return 0;
    }
    let mut flags: Vec<&str> = options.values('o').collect();
    for (letter, flag) in [('r', "ro"), ('B', "bind"), ('R', "rbind")] {
        if options.has(letter) {
            flags.push(flag);
        }
    }
    let flags = flags.join(",");
    let (source, target) = match options.rest.as_slice() {
        [target] => ("none", target),
        [source, target] => (source.as_str(), target),
        _ => return p.fail("usage: mount [-t TYPE] [-o OPTIONS] SOURCE TARGET").await,
    };
    match p.sys.mount(source, target, wanted.unwrap_or(""), &flags) {
        Ok(()) => 0,
        Err(e) => {
            p.complain(&format!("mounting {source} on {target} failed: {}", words(e))).await;
            // busybox's status is the errno's last try; mount(8) says 32 for a failed mount.
            32
        }
    }
}

pub async fn umount<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("rflnd", &[]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let mut status = 0;
    for target in &options.rest {
        if let Err(e) = p.sys.umount(target) {
            status = p.fail(&format!("can't unmount {target}: {}", words(e))).await;
        }
    }
    status
}

/// `sync`.
pub async fn sync<S: Sys>(p: &mut Prog<S>) -> u8 {
    p.sys.sync();
    0
}
