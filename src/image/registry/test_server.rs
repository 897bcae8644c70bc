//! A server on loopback that answers what a test tells it to, also wrongly.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What to answer.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Close after so many bytes of the body.
    cut: Option<usize>,
    /// Repeat the body until nobody reads any more.
    endless: bool,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Reply { status, headers: Vec::new(), body: Vec::new(), cut: None, endless: false }
    }

    /// Close the connection without a word.
    pub fn none() -> Self {
        Reply::new(0)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn cut(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }
}

pub struct TestServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    over: Arc<AtomicBool>,
}

impl TestServer {
    /// The handler gets the request and how many came before it.
    pub fn start(handler: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (log, end, handler) = (seen.clone(), over.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (log, handler) = (log.clone(), handler.clone());
                if let Ok(stream) = stream {
                    std::thread::spawn(move || serve(&stream, &log, &*handler));
                }
            }
        });
        TestServer { address, seen, over }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The requests so far, without the look for TLS, which never gets here.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `GET /v2/…` lines.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|s| format!("{} {}", s.method, s.path)).collect()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Seen>>, handler: &dyn Fn(&Seen, usize) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = request(&mut reader) {
        let before = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let reply = handler(&request, before);
        if answer(stream, &reply, request.method == "HEAD").is_none() {
            return;
        }
    }
}

/// `None` at the end, and for what is not HTTP.
fn request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { method, path, headers, body })
}

/// `None` when the connection is over.
fn answer(mut stream: &TcpStream, reply: &Reply, head: bool) -> Option<()> {
    if reply.status == 0 {
        return None;
    }
    let mut text = format!("HTTP/1.1 {} Test\r\n", reply.status);
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let has_length = reply.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    match (reply.endless, has_length) {
        (true, _) => text.push_str("transfer-encoding: chunked\r\n"),
        (false, false) => text.push_str(&format!("content-length: {}\r\n", reply.body.len())),
        (false, true) => {}
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).ok()?;
    if head {
        return Some(());
    }
    if reply.endless {
        let chunk = [format!("{:x}\r\n", reply.body.len()).as_bytes(), &reply.body, b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
        return None;
    }
    match reply.cut {
        Some(bytes) => {
            stream.write_all(&reply.body[..bytes]).ok()?;
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        None => stream.write_all(&reply.body).ok(),
    }
}
