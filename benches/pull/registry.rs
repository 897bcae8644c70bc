//! Debian's `docker-registry`, with its data in a directory that goes away.

use std::error::Error;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Registry {
    child: Child,
    pub host: String,
}

impl Registry {
    /// `None` if it is not installed.
    pub fn start(dir: &Path) -> Result<Option<Registry>, Box<dyn Error>> {
        let config = dir.join("registry.yml");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n",
                dir.join("registry").display()
            ),
        )?;
        let spawned = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            child => child?,
        };
        let mut log = BufReader::new(child.stderr.take().ok_or("no log")?);
        let mut registry = Registry { child, host: String::new() };
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.split_once("listening on ") {
                registry.host = rest.split(['"', ',']).next().unwrap_or_default().to_owned();
                // What it says from now on is read and dropped.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Ok(Some(registry));
            }
            line.clear();
        }
        Err("docker-registry ended at once".into())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
