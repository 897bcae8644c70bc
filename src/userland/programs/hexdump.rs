//! `hexdump [-C] [FILE]…`, always in the canonical form of `-C`.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::words;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("Cvn:", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let files = if options.rest.is_empty() { vec!["-".to_owned()] } else { options.rest.clone() };
    let mut all = Vec::new();
    let mut status = 0;
    for file in files {
        let Some(fd) = p.input_or_complain(&file).await else {
            status = 1;
            continue;
        };
        match p.read_all(fd).await {
            Ok(mut bytes) => all.append(&mut bytes),
            Err(e) => status = p.fail(&format!("{file}: {}", words(e))).await,
        }
        p.done_with(fd);
    }
    if let Some(Ok(limit)) = options.value('n').map(str::parse) {
        all.truncate(limit);
    }
    let mut last: Option<&[u8]> = None;
    let mut starred = false;
    for (i, row) in all.chunks(16).enumerate() {
        if last == Some(row) && row.len() == 16 && !options.has('v') {
            if !starred {
                p.put("*\n").await;
            }
            starred = true;
            continue;
        }
        (last, starred) = (Some(row), false);
        let mut hex = String::new();
        for j in 0..16 {
            hex.push_str(&row.get(j).map_or("   ".to_owned(), |b| format!("{b:02x} ")));
            if j == 7 {
                hex.push(' ');
            }
        }
        let text: String = row.iter().map(|b| if (32..127).contains(b) { *b as char } else { '.' }).collect();
        p.put(format!("{:08x}  {hex} |{text}|\n", i * 16)).await;
    }
    if !all.is_empty() {
        p.put(format!("{:08x}\n", all.len())).await;
    }
    status
}
