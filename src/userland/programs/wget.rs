//! `wget [-q] [-O FILE] [-T SECONDS] URL`, http only.

use super::names::resolve;
use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{Fd, OpenFlags, Sys};

/// A head longer than this is no answer of a web server.
const MAX_HEAD: usize = 64 * 1024;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options =
        match p.options("qO:T:Sc", &[("quiet", 'q'), ("output-document", 'O'), ("spider", 'S')]).await {
            Ok(options) if options.rest.len() == 1 => options,
            Ok(_) => return p.fail("usage: wget [-q] [-O FILE] [-T SECONDS] URL").await,
            Err(status) => return status,
        };
    let url = options.rest[0].clone();
    let bare = match url.split_once("://") {
        None => url.as_str(),
        Some(("http", rest)) => rest,
        Some(_) => return p.fail(&format!("not an http url: {url}")).await,
    };
    let (host_port, path) = bare.split_at(bare.find('/').unwrap_or(bare.len()));
    let path = if path.is_empty() { "/" } else { path };
    let (host, port) = host_port.split_once(':').unwrap_or((host_port, "80"));
    let Ok(port) = port.parse::<u16>() else { return p.fail(&format!("bad port '{port}'")).await };
    let address = match resolve(p, host).await {
        Ok(address) => address,
        Err(status) => return status,
    };
    let quiet = options.has('q');
    if !quiet {
        let _ = p.sys.write(2, format!("Connecting to {host_port} ({address}:{port})\n").as_bytes()).await;
    }
    let seconds = options.value('T').and_then(|t| t.parse::<u64>().ok()).unwrap_or(60);
    let connection = match p.sys.tcp_connect(address, port, seconds.saturating_mul(1000)).await {
        Ok(fd) => fd,
        Err(e) => return p.fail(&format!("can't connect to remote host ({address}): {}", words(e))).await,
    };
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {host_port}\r\nUser-Agent: box\r\nConnection: close\r\n\r\n");
    if let Err(e) = p.sys.write(connection, request.as_bytes()).await {
        return p.fail(&format!("write: {}", words(e))).await;
    }
    let (status_line, body) = match head(p, connection).await {
        Ok(parts) => parts,
        Err(status) => return status,
    };
    let code = status_line.split(' ').nth(1).unwrap_or("");
    if !code.starts_with('2') {
        return p.fail(&format!("server returned error: {status_line}")).await;
    }
    let name = match options.value('O') {
        Some(name) => name,
        None => match path.split('?').next().and_then(|p| p.rsplit('/').next()) {
            Some("") | None => "index.html",
            Some(name) => name,
        },
    };
    let output = if name == "-" {
        1
    } else {
        match p.sys.open(name, OpenFlags::CREATE, 0o666).await {
            Ok(fd) => fd,
            Err(e) => return p.fail(&format!("can't open '{name}': {}", words(e))).await,
        }
    };
    let mut part = body;
    loop {
        if let Err(e) = p.sys.write(output, &part).await {
            return p.fail(&format!("write: {}", words(e))).await;
        }
        part = match p.sys.read(connection, 64 * 1024).await {
            Ok(part) if part.is_empty() => break,
            Ok(part) => part,
            Err(e) => return p.fail(&format!("read: {}", words(e))).await,
        };
    }
    if output != 1 {
        let _ = p.sys.close(output);
        if !quiet {
            let _ = p.sys.write(2, format!("'{name}' saved\n").as_bytes()).await;
        }
    }
    0
}

/// The status line, and what of the body came with the head.
async fn head<S: Sys>(p: &mut Prog<S>, connection: Fd) -> Result<(String, Vec<u8>), u8> {
    let mut data = Vec::new();
    loop {
        if let Some(at) = data.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = data.split_off(at + 4);
            let text = String::from_utf8_lossy(&data);
            return Ok((text.lines().next().unwrap_or("").to_owned(), body));
        }
        match p.sys.read(connection, 4096).await {
            Ok(part) if !part.is_empty() && data.len() < MAX_HEAD => data.extend(part),
            Ok(_) => return Err(p.fail("error getting response").await),
            Err(e) => return Err(p.fail(&format!("read: {}", words(e))).await),
        }
    }
}
