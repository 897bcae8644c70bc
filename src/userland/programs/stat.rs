//! `stat [-L] [-c FORMAT] FILE…`.

use crate::userland::prog::Prog;
use crate::userland::text::{Date, Names, mode_string, raw_mode, words};
use crate::userland::{FileType, Stat, Sys};

const DEFAULT: &str = "  File: %N\n  Size: %s\tBlocks: %b\tIO Block: 4096   %F\nDevice: %Dh/%dd\tInode: %i\tLinks: %h\nAccess: (%04a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nModify: %y";

fn kind_name(stat: &Stat) -> &'static str {
    match stat.kind {
        FileType::File if stat.size == 0 => "regular empty file",
        FileType::File => "regular file",
        FileType::Dir => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Char => "character special file",
        FileType::Block => "block special file",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
    }
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("Lc:f", &[("format", 'c')]).await {
        Ok(options) if !options.rest.is_empty() => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let users = Names::users(&p.sys).await;
    let groups = Names::groups(&p.sys).await;
    let format = options.value('c').unwrap_or(DEFAULT);
    let mut status = 0;
    for path in &options.rest {
        let stat = match if options.has('L') { p.sys.stat(path) } else { p.sys.lstat(path) } {
            Ok(stat) => stat,
            Err(e) => {
                status = p.fail(&format!("can't stat '{path}': {}", words(e))).await;
                continue;
            }
        };
        let target = p.sys.read_link(path).ok();
        let line = expand(format, path, &stat, target, &users, &groups);
        p.put(format!("{line}\n")).await;
    }
    status
}

fn expand(
    format: &str,
    path: &str,
    s: &Stat,
    target: Option<String>,
    users: &Names,
    groups: &Names,
) -> String {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut width = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            width.push(digit);
        }
        let value = match chars.next() {
            Some('n') => path.to_owned(),
            Some('N') => target.as_ref().map_or_else(|| path.to_owned(), |t| format!("'{path}' -> '{t}'")),
            Some('s') => s.size.to_string(),
            Some('a') => format!("{:o}", s.mode),
            Some('A') => mode_string(s.kind, s.mode),
            Some('f') => format!("{:x}", raw_mode(s.kind, s.mode)),
            Some('F') => kind_name(s).to_owned(),
            Some('u') => s.uid.to_string(),
            Some('U') => users.name(s.uid).unwrap_or("UNKNOWN").to_owned(),
            Some('g') => s.gid.to_string(),
            Some('G') => groups.name(s.gid).unwrap_or("UNKNOWN").to_owned(),
            Some('i') => s.ino.to_string(),
            Some('h') => s.nlink.to_string(),
            Some('b') => s.blocks.to_string(),
            Some('B') => "512".to_owned(),
            Some('d') => s.dev.to_string(),
            Some('D') => format!("{:x}", s.dev),
            Some('t') => format!("{:x}", s.rdev_major),
            Some('T') => format!("{:x}", s.rdev_minor),
            Some('Y') => s.mtime.to_string(),
            Some('y') => Date::from_unix(s.mtime).format("%F %T.000000000 +0000", s.mtime, 0),
            Some('%') => "%".to_owned(),
            Some(other) => format!("%{other}"),
            None => "%".to_owned(),
        };
        let fill = if width.starts_with('0') { '0' } else { ' ' };
        let missing = width.parse::<usize>().unwrap_or(0).min(256).saturating_sub(value.len());
        out.extend(std::iter::repeat_n(fill, missing));
        out.push_str(&value);
    }
    out
}
