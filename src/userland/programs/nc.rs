//! `nc [-w SECONDS] HOST PORT`, `nc -l [-p] PORT`: TCP from and to standard
//! input and output.

use std::net::Ipv4Addr;

use super::names::resolve;
use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{Errno, Fd, Sys};

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("lp:w:nvzkN", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let port_text = options.value('p').or_else(|| options.rest.last().map(String::as_str));
    let Some(Ok(port)) = port_text.map(str::parse::<u16>) else {
        return p.fail("usage: nc [-w SECONDS] HOST PORT | nc -l -p PORT").await;
    };
    let connection = if options.has('l') {
        let listening = match p.sys.tcp_listen(Ipv4Addr::UNSPECIFIED, port) {
            Ok(fd) => fd,
            Err(e) => return p.fail(&format!("bind: {}", words(e))).await,
        };
        let accepted = p.sys.tcp_accept(listening).await;
        let _ = p.sys.close(listening);
        accepted.map(|a| a.0)
    } else {
        let [host, _] = options.rest.as_slice() else {
            return p.fail("usage: nc [-w SECONDS] HOST PORT | nc -l -p PORT").await;
        };
        let address = match resolve(p, host).await {
            Ok(address) => address,
            Err(status) => return status,
        };
        let seconds = options.value('w').and_then(|w| w.parse::<u64>().ok()).unwrap_or(75);
        let connected = p.sys.tcp_connect(address, port, seconds.saturating_mul(1000)).await;
        if let Err(e) = connected {
            return p.fail(&format!("can't connect to remote host ({address}): {}", words(e))).await;
        }
        connected
    };
    match connection {
        Ok(fd) if options.has('z') => u8::from(p.sys.close(fd).is_err()),
        Ok(fd) => match relay(p, fd).await {
            Ok(()) => 0,
            Err(e) => p.fail(&words(e)).await,
        },
        Err(e) => p.fail(&format!("accept: {}", words(e))).await,
    }
}

/// Until the other end closes; standard input is still sent to its end then,
/// unless a person would have to end it.
async fn relay<S: Sys>(p: &mut Prog<S>, connection: Fd) -> Result<(), Errno> {
    let mut watched = vec![connection, 0];
    loop {
        for fd in p.sys.poll_readable(&watched).await? {
            let data = match p.sys.read(fd, 64 * 1024).await {
                Err(Errno::ECONNRESET) if fd == connection => Vec::new(),
                other => other?,
            };
            match (fd == connection, data.is_empty()) {
                (true, true) if !watched.contains(&0) || p.sys.isatty(0) => {
                    return p.sys.close(connection);
                }
                (true, true) => watched.retain(|f| *f != connection),
                (true, false) => p.sys.write(1, &data).await?,
                (false, true) => {
                    watched.retain(|f| *f != 0);
                    if watched.is_empty() {
                        return p.sys.close(connection);
                    }
                    // The other end may be gone already, which the next read tells.
                    let _ = p.sys.shutdown_write(connection);
                }
                (false, false) => p.sys.write(connection, &data).await?,
            }
        }
    }
}
