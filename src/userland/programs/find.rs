//! `find [PATH]… [-name PATTERN] [-type T] [-maxdepth N] [-mindepth N] [-print0] …`.

use crate::userland::prog::Prog;
use crate::userland::sh::pattern::{Ch, matches};
use crate::userland::text::{base_name, join, words};
use crate::userland::{FileType, Sys};

enum Test {
    Name(Vec<Ch>),
    Path(Vec<Ch>),
    Type(FileType),
    Empty,
    Links(u64),
}

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let args = p.args.clone();
    let count = args.iter().take_while(|a| !a.starts_with('-') && *a != "!").count();
    let mut paths: Vec<String> = args[..count].to_vec();
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    let mut tests = Vec::new();
    let (mut min, mut max, mut end, mut negate, mut one_device) = (0, usize::MAX, "\n", false, false);
    let mut rest = args[count..].iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().cloned();
        let pattern = |text: String| text.chars().map(|c| (c, false)).collect::<Vec<Ch>>();
        let test = match arg.as_str() {
            "!" | "-not" => {
                negate = !negate;
                continue;
            }
            "-print" | "-a" => continue,
            "-print0" => {
                end = "\0";
                continue;
            }
            "-xdev" => {
                one_device = true;
                continue;
            }
            "-maxdepth" | "-mindepth" => {
                let Some(Ok(n)) = value().map(|v| v.parse()) else {
                    return p.fail(&format!("invalid number for '{arg}'")).await;
                };
                if arg == "-maxdepth" {
                    max = n;
                } else {
                    min = n;
                }
                continue;
            }
            "-empty" => Some(Test::Empty),
            "-name" => value().map(|v| Test::Name(pattern(v))),
            "-path" => value().map(|v| Test::Path(pattern(v))),
            "-links" => value().and_then(|v| v.parse().ok()).map(Test::Links),
            "-type" => match value().as_deref() {
                Some("f") => Some(Test::Type(FileType::File)),
                Some("d") => Some(Test::Type(FileType::Dir)),
                Some("l") => Some(Test::Type(FileType::Symlink)),
                Some("c") => Some(Test::Type(FileType::Char)),
                Some("b") => Some(Test::Type(FileType::Block)),
                Some("p") => Some(Test::Type(FileType::Fifo)),
                Some("s") => Some(Test::Type(FileType::Socket)),
                _ => None,
            },
            other => return p.fail(&format!("unrecognized: {other}")).await,
        };
        match test {
            Some(test) => tests.push((test, std::mem::take(&mut negate))),
            None => return p.fail(&format!("'{arg}' requires an argument")).await,
        }
    }
    let mut status = 0;
    for top in paths {
        let device = p.sys.lstat(&top).map(|s| s.dev).ok();
        let mut todo = vec![(top, 0)];
        while let Some((path, depth)) = todo.pop() {
            let stat = match p.sys.lstat(&path) {
                Ok(stat) => stat,
                Err(e) => {
                    status = p.fail_at(&path, e).await;
                    continue;
                }
            };
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let passes = |(test, negate): &(Test, bool)| {
                let yes = match test {
                    Test::Name(pattern) => matches(pattern, &chars(base_name(&path))),
                    Test::Path(pattern) => matches(pattern, &chars(&path)),
                    Test::Type(kind) => stat.kind == *kind,
                    Test::Links(n) => stat.nlink == *n,
                    Test::Empty if stat.kind == FileType::Dir => {
                        p.sys.read_dir(&path).is_ok_and(|d| d.is_empty())
                    }
                    Test::Empty => stat.kind == FileType::File && stat.size == 0,
                };
                yes != *negate
            };
            if depth >= min && tests.iter().all(passes) {
                p.put(format!("{path}{end}")).await;
            }
            if stat.kind == FileType::Dir && depth < max && !(one_device && Some(stat.dev) != device) {
                match p.sys.read_dir(&path) {
                    Ok(mut entries) => {
                        // Sorted, so that output can be compared; a stack gives the last first.
                        entries.sort_by(|a, b| b.name.cmp(&a.name));
                        todo.extend(entries.into_iter().map(|e| (join(&path, &e.name), depth + 1)));
                    }
                    Err(e) => status = p.fail(&format!("{path}: {}", words(e))).await,
                }
            }
            if p.broken {
                return 1;
            }
        }
    }
    status
}
