//! `ping [-c COUNT] [-W SECONDS] [-i SECONDS] [-q] HOST`.

use super::names::resolve;
use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{Errno, Sys};

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("c:W:w:i:q4", &[]).await {
        Ok(options) if options.rest.len() == 1 => options,
        Ok(_) => return p.fail("usage: ping [-c COUNT] [-W SECONDS] [-i SECONDS] HOST").await,
        Err(status) => return status,
    };
    let number = |c: char, default: f64| options.value(c).map_or(Ok(default), str::parse::<f64>);
    let (Ok(count), Ok(wait), Ok(interval)) = (number('c', 0.0), number('W', 10.0), number('i', 1.0)) else {
        return p.fail("invalid number").await;
    };
    let host = &options.rest[0];
    let address = match resolve(p, host).await {
        Ok(address) => address,
        Err(status) => return status,
    };
    let quiet = options.has('q');
    p.put(format!("PING {host} ({address}): 56 data bytes\n")).await;
    p.flush().await;
    let mut times: Vec<u64> = Vec::new();
    let (mut sent, mut seq) = (0u64, 0u16);
    while !p.broken {
        let result = p.sys.ping(address, seq, (wait * 1000.0) as u64).await;
        match result {
            Ok(micros) => {
                times.push(micros);
                if !quiet {
                    let time = format!("{}.{:03}", micros / 1000, micros % 1000);
                    p.put(format!("64 bytes from {address}: seq={seq} time={time} ms\n")).await;
                }
            }
            Err(Errno::ETIMEDOUT | Errno::EHOSTUNREACH) => {}
            Err(e) => return p.fail(&format!("sendto: {}", words(e))).await,
        }
        p.flush().await;
        sent += 1;
        seq = seq.wrapping_add(1);
        if count > 0.0 && sent >= count as u64 {
            break;
        }
        if result.is_ok() {
            p.sys.sleep((interval * 1000.0) as u64).await;
        }
    }
    let received = times.len() as u64;
    let lost = (sent - received) * 100 / sent.max(1);
    p.put(format!(
        "\n--- {host} ping statistics ---\n{sent} packets transmitted, {received} packets received, {lost}% packet loss\n"
    ))
    .await;
    if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
        let ms = |micros: u64| format!("{}.{:03}", micros / 1000, micros % 1000);
        let mean = times.iter().sum::<u64>() / received;
        p.put(format!("round-trip min/avg/max = {}/{}/{} ms\n", ms(*min), ms(mean), ms(*max))).await;
    }
    u8::from(received == 0)
}
