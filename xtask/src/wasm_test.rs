//! Whole runs of the model in WebAssembly under Node, beside the same runs here: the
//! recordings must be the same byte for byte, and so must what the containers wrote.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use glassbox::kernel::model::Stream;
use glassbox::play::{self, Played, Request};
use glassbox::trace::redact::redact;
use serde_json::{Value, json};

use super::wasm;

/// What is run: requests as the module takes them; `goes_on` has the disk of the one before.
fn requests() -> Vec<Value> {
    let sh = |script: &str| json!(["sh", "-c", script]);
    vec![
        json!({"command": sh("echo hi >> /etc/motd; rm /etc/shells; ls /; mv /home /h; exit 3"), "watch": "before_and_after"}),
        json!({"command": sh("ls /var/lib; cat; id"), "input": "typed\n", "user": "box", "network": "none", "goes_on": true}),
        json!({"command": sh("eat 64 > /dev/null; echo $?; sleep 1 & wait; ping -c 1 10.189.0.1"), "memory": 16 << 20, "publish": ["8080:80"]}),
        json!({"command": sh("id; cat /proc/self/uid_map"), "userns": [100_000, 65_536], "rm": true}),
        json!({"command": ["nosuch"]}),
        json!({"network": "nowhere"}),
    ]
}

/// Compiles the module, runs every request there and here, and compares.
pub fn run(project: &Path) -> Result<()> {
    let Some(module) = wasm::build(project)? else {
        println!("skipped: no compiler for wasm32 can be had here");
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let list = dir.path().join("requests");
    let requests = requests();
    let lines: Vec<String> = requests.iter().map(Value::to_string).collect();
    std::fs::write(&list, lines.join("\n"))?;
    let node = Command::new("node").arg(project.join("wasm/test.mjs")).arg(&module).arg(&list).output();
    let node = node.context("failed to run node: it is Debian's package nodejs")?;
    ensure!(
        node.status.success(),
        "node ended with {}: {}",
        node.status,
        String::from_utf8_lossy(&node.stderr)
    );
    let told = String::from_utf8(node.stdout)?;
    let told: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(told.len() == requests.len(), "{} of {} requests were answered", told.len(), requests.len());
    let mut disk = None;
    let mut events = 0;
    for (request, there) in requests.iter().zip(&told) {
        let here = here(request, &mut disk)?;
        compare(request, &here, there)?;
        events += here["recording"].as_str().map_or(0, |r| r.lines().count());
    }
    println!("{} runs, {events} events: the same in WebAssembly under Node as here", told.len());
    Ok(())
}

/// What this host's build of the model makes of a request.
fn here(request: &Value, disk: &mut Option<String>) -> Result<Value> {
    let mut request = request.clone();
    let goes_on = request.as_object_mut().and_then(|r| r.remove("goes_on")).is_some();
    let mut wanted = match Request::from_json(&request.to_string()) {
        Ok(wanted) => wanted,
        Err(error) => bail!("{request}: {error}"),
    };
    wanted.disk = disk.clone().filter(|_| goes_on);
    Ok(match play::run(&wanted) {
        Ok(played) => {
            let told = told(&played)?;
            *disk = Some(String::from_utf8(played.disk)?);
            told
        }
        Err(error) => json!({"error": error.message, "hint": error.hint}),
    })
}

fn told(played: &Played) -> Result<Value> {
    let mut recording = String::new();
    for event in &played.events {
        recording.push_str(&serde_json::to_string(event)?);
        recording.push('\n');
    }
    // Deterministic runs need no redaction; redacted they must be the same all the more.
    ensure!(redact(&redact(&played.events)?)? == redact(&played.events)?, "redacted twice is not the same");
    let output: Vec<Value> = played
        .output
        .iter()
        .map(|w| {
            let stream = if w.stream == Stream::Stdout { "stdout" } else { "stderr" };
            json!({"after": w.after, "stream": stream, "text": String::from_utf8_lossy(&w.bytes)})
        })
        .collect();
    Ok(json!({"status": played.status, "recording": recording, "output": output}))
}

/// Where a line begins to differ from another, as much as somebody reads.
fn apart(a: &str, b: &str) -> String {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    String::from_utf8_lossy(&a.as_bytes()[same.saturating_sub(80).min(a.len())..]).chars().take(300).collect()
}

fn compare(request: &Value, here: &Value, there: &Value) -> Result<()> {
    let lines =
        |of: &Value| of["recording"].as_str().map(|r| r.lines().map(str::to_owned).collect::<Vec<_>>());
    if let (Some(a), Some(b)) = (lines(here), lines(there)) {
        for (a, b) in a.iter().zip(&b) {
            ensure!(a == b, "{request}\n  here  …{}\n  there …{}", apart(a, b), apart(b, a));
        }
        ensure!(a.len() == b.len(), "{request}: {} events here, {} there", a.len(), b.len());
    }
    let (here, there) = (here.to_string(), there.to_string());
    ensure!(here == there, "{request}\n  here  …{}\n  there …{}", apart(&here, &there), apart(&there, &here));
    Ok(())
}
