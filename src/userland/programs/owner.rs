//! `chmod [-R] MODE FILE…`, `chown [-Rh] OWNER[:GROUP] FILE…`.

use crate::userland::prog::Prog;
use crate::userland::text::{Names, join, words};
use crate::userland::{FileType, Stat, Sys};

/// A mode from octal digits or `u=rwx,go-w`, over what it was.
pub fn parse_mode(text: &str, before: u32, is_dir: bool) -> Option<u32> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    }
    let mut mode = before;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let mut who = 0;
        for c in clause[..at].chars() {
            who |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        if who == 0 {
            who = 0o7777;
        }
        let op = clause[at..].chars().next()?;
        let mut bits = 0;
        for c in clause[at + 1..].chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_dir || before & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => (before >> 6 & 7) * 0o111,
                'g' => (before >> 3 & 7) * 0o111,
                'o' => (before & 7) * 0o111,
                _ => return None,
            };
        }
        // The sticky bit belongs to all, not to "others".
        let bits = bits & (who | if bits & 0o1000 != 0 { 0o1000 } else { 0 });
        mode = match op {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => mode & !(who & 0o777) | bits,
        };
    }
    Some(mode)
}

/// The operands, with everything below them when `recursive`.
fn tree<S: Sys>(
    sys: &S,
    paths: &[String],
    recursive: bool,
) -> Vec<(String, Result<Stat, crate::kernel::Errno>)> {
    let mut all = Vec::new();
    let mut todo: Vec<String> = paths.iter().rev().cloned().collect();
    while let Some(path) = todo.pop() {
        let stat = sys.lstat(&path);
        if recursive && stat.as_ref().is_ok_and(|s| s.kind == FileType::Dir) {
            let entries = sys.read_dir(&path).unwrap_or_default();
            todo.extend(entries.iter().map(|e| join(&path, &e.name)));
        }
        all.push((path, stat));
    }
    all
}

pub async fn chmod<S: Sys>(p: &mut Prog<S>) -> u8 {
    // `-w` is a mode, not an option.
    let recursive = p.args.iter().any(|a| a == "-R");
    let args: Vec<String> = p.args.iter().filter(|a| *a != "-R" && *a != "--").cloned().collect();
    let [text, paths @ ..] = args.as_slice() else { return p.fail("missing operand").await };
    if paths.is_empty() {
        return p.fail("missing operand").await;
    }
    let mut status = 0;
    for (path, stat) in tree(&p.sys, paths, recursive) {
        let stat = match stat {
            Ok(stat) if stat.kind == FileType::Symlink && recursive => continue,
            Ok(stat) if stat.kind == FileType::Symlink => p.sys.stat(&path),
            other => other,
        };
        let result = match stat {
            Ok(stat) => match parse_mode(text, stat.mode, stat.kind == FileType::Dir) {
                Some(mode) => p.sys.chmod(&path, mode).await,
                None => return p.fail(&format!("invalid mode '{text}'")).await,
            },
            Err(e) => Err(e),
        };
        if let Err(e) = result {
            status = p.fail_at(&path, e).await;
        }
    }
    status
}

pub async fn chown<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("Rh", &[("recursive", 'R')]).await {
        Ok(options) if options.rest.len() > 1 => options,
        Ok(_) => return p.fail("missing operand").await,
        Err(status) => return status,
    };
    let text = &options.rest[0];
    let (user, group) = text.split_once(':').map_or((text.as_str(), None), |(u, g)| (u, Some(g)));
    let users = Names::users(&p.sys).await;
    let groups = Names::groups(&p.sys).await;
    let uid = users.id(user);
    let gid = group.filter(|g| !g.is_empty()).map(|g| groups.id(g));
    if uid.is_none() && !user.is_empty() {
        return p.fail(&format!("unknown user {user}")).await;
    }
    if gid == Some(None) {
        return p.fail(&format!("unknown group {}", group.unwrap_or_default())).await;
    }
    let mut status = 0;
    for (path, stat) in tree(&p.sys, &options.rest[1..], options.has('R')) {
        let nofollow = options.has('h') || options.has('R');
        let stat = if nofollow { stat } else { p.sys.stat(&path) };
        let result = match stat {
            Ok(stat) => {
                let (uid, gid) = (uid.unwrap_or(stat.uid), gid.flatten().unwrap_or(stat.gid));
                p.sys.chown(&path, uid, gid, nofollow).await
            }
            Err(e) => Err(e),
        };
        if let Err(e) = result {
            status = p.fail(&format!("{path}: {}", words(e))).await;
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::parse_mode;

    #[test]
    fn modes() {
        for (text, before, expected) in [
            ("755", 0, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("+x", 0o644, Some(0o755)),
            ("go-rwx", 0o777, Some(0o700)),
            ("a=r", 0o777, Some(0o444)),
            ("u=rw,g=r,o=", 0o777, Some(0o640)),
            ("u+s", 0o755, Some(0o4755)),
            ("+t", 0o777, Some(0o1777)),
            ("g=u", 0o700, Some(0o770)),
            ("-w", 0o666, Some(0o444)),
            ("a+X", 0o644, Some(0o644)),
            ("zz", 0, None),
            ("99", 0, None),
        ] {
            assert_eq!(parse_mode(text, before, false), expected, "{text}");
        }
    }
}
