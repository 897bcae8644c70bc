//! `free [-bkmg]`.

use crate::userland::Sys;
use crate::userland::prog::Prog;

pub async fn free<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("bkmgh", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let text = match p.read_text("/proc/meminfo").await {
        Ok(text) => text,
        Err(e) => return p.fail_at("/proc/meminfo", e).await,
    };
    let kib = |name: &str| -> u64 {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let show = |kib: u64| match options.last_of("bkmgh") {
        Some('b') => (kib * 1024).to_string(),
        Some('m') => (kib >> 10).to_string(),
        Some('g') => (kib >> 20).to_string(),
        Some('h') => crate::userland::text::human(kib * 1024),
        _ => kib.to_string(),
    };
    let (total, free) = (kib("MemTotal"), kib("MemFree"));
    let cache = kib("Buffers") + kib("Cached") + kib("SReclaimable");
    p.put("              total        used        free      shared  buff/cache   available\n").await;
    let mem = [total, total.saturating_sub(free + cache), free, kib("Shmem"), cache, kib("MemAvailable")];
    let line: String = mem.iter().map(|v| format!(" {:>11}", show(*v))).collect();
    p.put(format!("Mem:   {line}\n")).await;
    let (total, free) = (kib("SwapTotal"), kib("SwapFree"));
    let line: String =
        [total, total.saturating_sub(free), free].iter().map(|v| format!(" {:>11}", show(*v))).collect();
    p.put(format!("Swap:  {line}\n")).await;
    0
}
