//! Whether a call that is told and one that strace saw are the same: name,
//! result, errno, and every argument that can be compared.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::netlink;
use super::strace::{Arg, Seen, field, integer, unescape};
use super::told::Told;

/// `Err` says in what they differ.
pub fn agree(told: &Told, seen: &Seen) -> Result<(), String> {
    if told.call.name != seen.name {
        return Err(format!("another call: {}", seen.name));
    }
    let errno = told.call.errno.map(|e| e.name());
    if errno != seen.errno {
        return Err(format!("told errno {errno:?}, seen {:?}", seen.errno));
    }
    let result = told.call.result.text();
    if integer(&result).is_none() || integer(&result) != seen.result {
        return Err(format!("told result {result}, seen {:?}", seen.result));
    }
    arguments(told, seen)
}

fn arguments(told: &Told, seen: &Seen) -> Result<(), String> {
    let arg = |name: &str| told.arg(name).unwrap_or_default();
    match seen.name.as_str() {
        "clone3" => {
            let given = seen.arg(0);
            same("flags", &arg("flags"), field(given, "flags").unwrap_or(""))?;
            same("exit_signal", &arg("exit_signal"), field(given, "exit_signal").unwrap_or(""))?;
            match told.arg("cgroup") {
                Some(fd) => {
                    same("cgroup", &fd, field(given, "cgroup").unwrap_or("").split('<').next().unwrap_or(""))
                }
                None => Ok(()),
            }
        }
        "openat2" => {
            in_order(told, seen, &["dirfd", "pathname"])?;
            let how = seen.arg(2);
            same("flags", &arg("flags"), field(how, "flags").unwrap_or(""))?;
            same("mode", &arg("mode"), field(how, "mode").unwrap_or("0"))?;
            same("resolve", &arg("resolve"), field(how, "resolve").unwrap_or("0"))
        }
        "mount_setattr" => {
            in_order(told, seen, &["dirfd", "pathname", "flags"])?;
            same("attr_set", &arg("attr_set"), field(seen.arg(3), "attr_set").unwrap_or(""))?;
            // strace remarks on a number that it has no word for.
            let propagation = field(seen.arg(3), "propagation").and_then(|p| p.split(" /*").next());
            same("propagation", &arg("propagation"), propagation.unwrap_or(""))
        }
        "write" => {
            in_order(told, seen, &["fd"])?;
            let shown = arg("buf");
            let whole = seen.args.get(1).and_then(|a| a.string.clone()).unwrap_or_default();
            // A long text is told by its beginning.
            let begins = match shown.strip_suffix('\u{fffd}') {
                Some(cut) => whole.starts_with(cut.as_bytes()),
                None => whole.starts_with(shown.as_bytes()),
            };
            if !begins || shown.is_empty() != whole.is_empty() {
                return Err(format!("told text {shown:?}"));
            }
            same("count", &arg("count"), seen.arg(2))
        }
        "execve" => {
            in_order(told, seen, &["pathname"])?;
            list("argv", &arg("argv"), seen.arg(1))?;
            list("envp", &arg("envp"), seen.arg(2))
        }
        "capset" => ["effective", "permitted", "inheritable"].iter().try_for_each(|set| {
            let bits = bits(field(seen.arg(1), set).unwrap_or(""));
            match integer(&arg(set)) {
                Some(told) if Some(told) == bits => Ok(()),
                _ => Err(format!("told {set} {}, seen {bits:x?}", arg(set))),
            }
        }),
        "seccomp" => {
            same("operation", &arg("operation"), seen.arg(0))?;
            same("flags", &arg("flags"), seen.arg(1))?;
            let length = field(seen.arg(2), "len").unwrap_or("");
            same("args", &arg("args"), &format!("{{len={length}}}"))
        }
        "bpf" => {
            same("cmd", &arg("cmd"), seen.arg(0))?;
            ["prog_type", "insn_cnt", "target_fd", "attach_bpf_fd", "attach_type", "attach_flags"]
                .iter()
                .filter_map(|name| Some((name, told.arg(name)?)))
                .try_for_each(|(name, told)| {
                    let given = field(seen.arg(1), name).unwrap_or("").split('<').next().unwrap_or("");
                    same(name, &told, given)
                })
        }
        "prlimit64" => {
            in_order(told, seen, &["pid", "resource"])?;
            ["rlim_cur", "rlim_max"].iter().try_for_each(|name| {
                let told = arg("new_limit");
                same(name, field(&told, name).unwrap_or("?"), field(seen.arg(2), name).unwrap_or(""))
            })
        }
        "rt_sigaction" => {
            same("signum", &arg("signum"), seen.arg(0))?;
            same("act", &arg("act"), field(seen.arg(1), "sa_handler").unwrap_or(""))
        }
        "rt_sigprocmask" => {
            same("how", &arg("how"), seen.arg(0))?;
            same("set", &signals(&arg("set")), &signals(seen.arg(1)))
        }
        "waitid" => {
            in_order(told, seen, &["idtype", "id"])?;
            same("options", &arg("options"), seen.arg(3))
        }
        "ioctl" => {
            in_order(told, seen, &["fd", "op"])?;
            match (arg("op").as_str(), arg("arg").as_str()) {
                ("TIOCSWINSZ", size) => {
                    let cell = |name| field(seen.arg(2), name).unwrap_or("");
                    same("arg", size, &format!("{}x{}", cell("ws_col"), cell("ws_row")))
                }
                // strace does not name these flags; O_RDWR, O_NOCTTY and O_CLOEXEC.
                ("TIOCGPTPEER", "O_RDWR|O_NOCTTY|O_CLOEXEC") => same("arg", "0x80102", seen.arg(2)),
                _ => Ok(()),
            }
        }
        "bind" => {
            let given = seen.arg(1);
            let inner =
                |open: &str| given.split(open).nth(1).and_then(|r| r.split([')', '"']).next()).unwrap_or("");
            same("addr", &arg("addr"), &format!("{}:{}", inner("inet_addr(\""), inner("htons(")))
        }
        "sendto" => request(told, seen),
        _ => {
            let names: Vec<&str> = told.call.args.iter().map(|(n, _)| n.as_str()).collect();
            in_order(told, seen, &names)
        }
    }
}

/// The told arguments stand in the call's order.
fn in_order(told: &Told, seen: &Seen, names: &[&str]) -> Result<(), String> {
    names.iter().enumerate().try_for_each(|(n, name)| {
        let given = told.arg(name).unwrap_or_default();
        one(name, &given, seen.args.get(n).unwrap_or(&Arg::default()))
    })
}

fn one(name: &str, told: &str, seen: &Arg) -> Result<(), String> {
    match &seen.string {
        Some(bytes) if bytes == told.as_bytes() => Ok(()),
        Some(bytes) => Err(format!("told {name} {told:?}, seen {:?}", String::from_utf8_lossy(bytes))),
        None => same(name, told, &seen.text),
    }
}

/// Numbers by value, words joined by `|` as a set.
fn same(name: &str, told: &str, seen: &str) -> Result<(), String> {
    let set = |text: &str| -> BTreeSet<String> {
        text.split('|')
            .map(|w| w.trim())
            // The C library adds it, and it is 0 here.
            .filter(|w| *w != "O_LARGEFILE")
            .map(word)
            .collect()
    };
    if set(told) == set(seen) { Ok(()) } else { Err(format!("told {name} {told}, seen {seen}")) }
}

fn word(word: &str) -> String {
    if let Some(inner) = word.strip_prefix("makedev(").and_then(|w| w.strip_suffix(')')) {
        let numbers: Vec<String> = inner
            .split(',')
            .map(|n| integer(n.trim()).map_or_else(|| n.to_owned(), |n| n.to_string()))
            .collect();
        return format!("makedev({})", numbers.join(","));
    }
    let number = integer(word.strip_suffix('U').unwrap_or(word));
    number.map_or_else(|| word.replace(' ', ""), |n| n.to_string())
}

fn signals(text: &str) -> String {
    let mut names: Vec<&str> = text
        .trim_matches(['[', ']'])
        .split(' ')
        .map(|s| s.strip_prefix("SIG").unwrap_or(s))
        .map(|s| if s == "POLL" { "IO" } else { s })
        .filter(|s| !s.is_empty())
        .collect();
    names.sort_unstable();
    names.join("|")
}

fn list(name: &str, told: &str, seen: &str) -> Result<(), String> {
    let told: Vec<String> = serde_json::from_str(told).map_err(|e| format!("told {name} {told}: {e}"))?;
    let mut found = Vec::new();
    let mut rest = seen;
    while let Some(at) = rest.find('"') {
        rest = &rest[at..];
        let end = (1..rest.len())
            .find(|n| rest.as_bytes()[*n] == b'"' && !escaped(rest.as_bytes(), *n))
            .unwrap_or(rest.len() - 1);
        found.push(String::from_utf8_lossy(&unescape(&rest[..=end])).into_owned());
        rest = &rest[end + 1..];
    }
    if told == found { Ok(()) } else { Err(format!("told {name} {told:?}, seen {found:?}")) }
}

fn escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

fn bits(text: &str) -> Option<i64> {
    text.split('|').try_fold(0i64, |bits, word| match word.strip_prefix("1<<") {
        Some(name) => caps::Capability::from_str(name).ok().map(|c| bits | 1 << c.index()),
        None => integer(word).map(|n| bits | n),
    })
}

fn request(told: &Told, seen: &Seen) -> Result<(), String> {
    let request = told.arg("request").unwrap_or_default();
    let types = netlink::types(seen);
    if request == "NFNL_MSG_BATCH" {
        let told: Vec<&str> =
            told.call.args.iter().map(|(n, _)| n.as_str()).filter(|n| n.starts_with("NFT_MSG_")).collect();
        let inner: Vec<&str> =
            types.iter().map(String::as_str).filter(|t| !t.starts_with("NFNL_MSG_BATCH_")).collect();
        if told != inner {
            return Err(format!("told messages {told:?}, seen {inner:?}"));
        }
    } else if types != [request.as_str()] {
        return Err(format!("told {request}, seen {types:?}"));
    }
    if let (Some(told), Some(seen)) = (told.arg("link"), netlink::link(seen))
        && told != seen
    {
        return Err(format!("told link {told}, seen {seen}"));
    }
    let addresses = netlink::addresses(seen);
    for name in ["address", "via"] {
        if let Some(told) = told.arg(name).filter(|_| !addresses.is_empty())
            && !addresses.contains(&told.split('/').next().unwrap_or(""))
        {
            return Err(format!("told {name} {told}, seen {addresses:?}"));
        }
    }
    Ok(())
}
