//! `date [-u] [-d @SECONDS] [+FORMAT]`, in UTC.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::Date;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("ud:R", &[("utc", 'u'), ("date", 'd')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let (seconds, nanos) = match options.value('d') {
        None => p.sys.now(),
        Some(text) => match text.strip_prefix('@').and_then(|s| s.parse().ok()) {
            Some(seconds) => (seconds, 0),
            None => return p.fail(&format!("invalid date '{text}'")).await,
        },
    };
    let format = match options.rest.first() {
        Some(text) if text.starts_with('+') => &text[1..],
        Some(text) => return p.fail(&format!("invalid date '{text}'")).await,
        None if options.has('R') => "%a, %d %b %Y %H:%M:%S %z",
        None => "%a %b %e %H:%M:%S %Z %Y",
    };
    p.put(format!("{}\n", Date::from_unix(seconds).format(format, seconds, nanos))).await;
    0
}
