//! `httpd [-f] [-p [ADDRESS:]PORT] [-h DIRECTORY]`: serves files over
//! HTTP/1.0, one child for each connection.

use std::net::Ipv4Addr;

use crate::userland::prog::Prog;
use crate::userland::text::{join, words};
use crate::userland::{Errno, Fd, FileType, OpenFlags, Sys};

/// A longer request is refused.
const MAX_REQUEST: usize = 16 * 1024;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("fp:h:v", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let text = options.value('p').unwrap_or("80");
    let (address, port) = text.rsplit_once(':').unwrap_or(("0.0.0.0", text));
    let (Ok(address), Ok(port)) = (address.parse::<Ipv4Addr>(), port.parse::<u16>()) else {
        return p.fail(&format!("bad address '{text}'")).await;
    };
    if let Some(dir) = options.value('h')
        && let Err(e) = p.sys.chdir(dir)
    {
        return p.fail(&format!("can't change directory to '{dir}': {}", words(e))).await;
    }
    let listening = match p.sys.tcp_listen(address, port) {
        Ok(fd) => fd,
        Err(e) => return p.fail(&format!("bind: {}", words(e))).await,
    };
    if options.has('f') {
        return serve(p, listening).await;
    }
    let (name, env) = (p.name.clone(), p.env.clone());
    let child = p.sys.fork(move |sys| async move {
        let mut p = Prog::new(sys, name, Vec::new(), env);
        serve(&mut p, listening).await
    });
    match child {
        Ok(_) => 0,
        Err(e) => p.fail_at("fork", e).await,
    }
}

async fn serve<S: Sys>(p: &mut Prog<S>, listening: Fd) -> u8 {
    loop {
        let connection = match p.sys.tcp_accept(listening).await {
            Ok((fd, ..)) => fd,
            Err(Errno::EINTR) => continue,
            Err(e) => return p.fail(&format!("accept: {}", words(e))).await,
        };
        let child = p.sys.fork(move |sys| async move {
            let _ = sys.close(listening);
            // The peer may leave at any time; there is nobody to tell.
            let _ = answer(&sys, connection).await;
            0
        });
        if let Err(e) = child {
            p.complain(&format!("fork: {}", words(e))).await;
        }
        let _ = p.sys.close(connection);
        while p.sys.reap().is_some() {}
    }
}

async fn answer<S: Sys>(sys: &S, connection: Fd) -> Result<(), Errno> {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && !request.windows(2).any(|w| w == b"\n\n") {
        let part = sys.read(connection, 4096).await?;
        if part.is_empty() || request.len() > MAX_REQUEST {
            break;
        }
        request.extend(part);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let mut line = text.lines().next().unwrap_or("").split(' ');
    let (method, target) = (line.next().unwrap_or(""), line.next().unwrap_or(""));
    let path = safe_path(target);
    let (status, body) = match path {
        _ if method != "GET" && method != "HEAD" => ("501 Not Implemented", None),
        None => ("400 Bad Request", None),
        Some(path) => match open(sys, &path).await {
            Ok(fd) => ("200 OK", Some(fd)),
            Err(Errno::EACCES) => ("403 Forbidden", None),
            Err(_) => ("404 Not Found", None),
        },
    };
    let length = match body {
        Some(fd) => sys.fstat(fd)?.size,
        None => status.len() as u64 + 1,
    };
    let head = format!("HTTP/1.0 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    sys.write(connection, head.as_bytes()).await?;
    match body {
        _ if method == "HEAD" => {}
        None => sys.write(connection, format!("{status}\n").as_bytes()).await?,
        Some(fd) => loop {
            let part = sys.read(fd, 64 * 1024).await?;
            if part.is_empty() {
                break;
            }
            sys.write(connection, &part).await?;
        },
    }
    sys.shutdown_write(connection)
}

/// A file's path below the served directory. `None`: it would leave it.
fn safe_path(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut parts = vec!["."];
    for part in path.split('/') {
        match part {
            ".." => return None,
            "" | "." => {}
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

async fn open<S: Sys>(sys: &S, path: &str) -> Result<Fd, Errno> {
    let mut path = path.to_owned();
    if sys.stat(&path)?.kind == FileType::Dir {
        path = join(&path, "index.html");
    }
    if sys.stat(&path)?.kind != FileType::File {
        return Err(Errno::EACCES);
    }
    sys.open(&path, OpenFlags::READ, 0).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_stay_inside() {
        assert_eq!(super::safe_path("/a//b?x=1").as_deref(), Some("./a/b"));
        assert_eq!(super::safe_path("/").as_deref(), Some("."));
        assert_eq!(super::safe_path("/a/../../etc"), None);
        assert_eq!(super::safe_path("etc"), None);
    }
}
