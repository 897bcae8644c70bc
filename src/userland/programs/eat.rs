//! `eat [-s SECONDS] [-k] MEBIBYTES`: takes memory, one MiB after another, and
//! touches it, to show a memory limit at work. `-s` waits after each; `-k` keeps
//! the memory until a signal comes.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::words;

const MEBIBYTE: u64 = 1 << 20;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("ks:", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let pause = options.value('s').map_or(Ok(0.0), str::parse::<f64>);
    let (Some(Ok(amount)), Ok(pause)) = (options.rest.first().map(|a| a.parse::<u64>()), pause) else {
        return p.fail("usage: eat [-s SECONDS] [-k] MEBIBYTES").await;
    };
    for done in 1..=amount {
        if let Err(e) = p.sys.grow(MEBIBYTE) {
            return p.fail(&format!("after {} MiB: {}", done - 1, words(e))).await;
        }
        p.put(format!("{done} MiB\n")).await;
        // At once: the next one may be the last that the kernel allows.
        p.flush().await;
        if pause > 0.0 {
            p.sys.sleep((pause * 1000.0) as u64).await;
        }
    }
    while options.has('k') {
        p.sys.sleep(60_000).await;
    }
    0
}
