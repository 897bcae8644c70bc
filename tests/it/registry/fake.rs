//! A registry whose answers a test writes itself.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::images::{Parts, digest};

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Repeat the body for ever.
    pub endless: bool,
}

impl Answer {
    pub fn of(content_type: &str, body: &[u8]) -> Answer {
        let headers = vec![("Content-Type".into(), content_type.into())];
        Answer { status: 200, headers, body: body.to_vec(), endless: false }
    }
}

pub struct Fake {
    pub host: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    /// What was asked with a credential.
    pub authorized: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answers: Arc<Mutex<HashMap<String, Answer>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let authorized: Arc<Mutex<Vec<String>>> = Arc::default();
        let (all, log, secrets) = (answers.clone(), asked.clone(), authorized.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, log, secrets) = (all.clone(), log.clone(), secrets.clone());
                std::thread::spawn(move || serve(&stream, &all, &log, &secrets));
            }
        });
        Fake { host, answers, asked, authorized }
    }

    pub fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// What is said to a request without a credential.
    pub fn challenge(&self, answer: Answer) {
        self.answer("401", answer);
    }

    /// Everything of an image, as an honest registry has it.
    pub fn image(&self, repository: &str, tag: &str, parts: &Parts) {
        let manifest = Answer::of("application/vnd.oci.image.manifest.v1+json", &parts.manifest);
        for name in [tag, &digest(&parts.manifest)] {
            self.answer(&format!("/v2/{repository}/manifests/{name}"), manifest.clone());
        }
        for blob in parts.layers.iter().chain([&parts.config]) {
            let answer = Answer::of("application/octet-stream", blob);
            self.answer(&format!("/v2/{repository}/blobs/{}", digest(blob)), answer);
        }
    }
}

fn serve(
    stream: &TcpStream,
    all: &Mutex<HashMap<String, Answer>>,
    log: &Mutex<Vec<String>>,
    secrets: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || !line.ends_with("\r\n") {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let head = line.starts_with("HEAD ");
        log.lock().unwrap().push(line.trim_end().trim_end_matches(" HTTP/1.1").to_owned());
        let mut known = false;
        loop {
            let mut header = String::new();
            match reader.read_line(&mut header) {
                Ok(1..) if header != "\r\n" => {
                    if header.to_ascii_lowercase().starts_with("authorization:") {
                        secrets.lock().unwrap().push(path.clone());
                        known = true;
                    }
                }
                _ => break,
            }
        }
        let all = all.lock().unwrap();
        let found = all.get("401").filter(|_| !known).or_else(|| all.get(&path)).cloned();
        drop(all);
        let answer =
            found.unwrap_or(Answer { status: 404, headers: Vec::new(), body: Vec::new(), endless: false });
        if send(stream, &answer, head).is_err() {
            return;
        }
    }
}

fn send(mut stream: &TcpStream, answer: &Answer, head: bool) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {} Test\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match answer.endless {
        true => text.push_str("Transfer-Encoding: chunked\r\n\r\n"),
        false => text.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len())),
    }
    stream.write_all(text.as_bytes())?;
    if head {
        return Ok(());
    }
    if answer.endless {
        let chunk = [format!("{:x}\r\n", answer.body.len()).as_bytes(), &answer.body, b"\r\n"].concat();
        loop {
            stream.write_all(&chunk)?;
        }
    }
    stream.write_all(&answer.body)
}
