//! Who and where: `id`, `whoami`, `hostname`, `uname`, `nproc`.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::{Names, words};

/// `id [-ugGn]`.
pub async fn id<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("ugGnr", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let (uid, euid, gid, egid, mut list) = p.sys.ids();
    let users = Names::users(&p.sys).await;
    let groups = Names::groups(&p.sys).await;
    if !list.contains(&egid) {
        list.insert(0, egid);
    }
    let show = |names: &Names, id: u32| if options.has('n') { names.show(id) } else { id.to_string() };
    let line = match options.last_of("ugG") {
        Some('u') => show(&users, if options.has('r') { uid } else { euid }),
        Some('g') => show(&groups, if options.has('r') { gid } else { egid }),
        Some(_) => list.iter().map(|g| show(&groups, *g)).collect::<Vec<_>>().join(" "),
        None => {
            let full = |names: &Names, id: u32| {
                names.name(id).map_or_else(|| id.to_string(), |n| format!("{id}({n})"))
            };
            let mut line = format!("uid={} gid={}", full(&users, uid), full(&groups, gid));
            if euid != uid {
                line.push_str(&format!(" euid={}", full(&users, euid)));
            }
            if egid != gid {
                line.push_str(&format!(" egid={}", full(&groups, egid)));
            }
            let list: Vec<String> = list.iter().map(|g| full(&groups, *g)).collect();
            line.push_str(&format!(" groups={}", list.join(",")));
            line
        }
    };
    p.put(format!("{line}\n")).await;
    0
}

/// `whoami`.
pub async fn whoami<S: Sys>(p: &mut Prog<S>) -> u8 {
    let euid = p.sys.ids().1;
    match Names::users(&p.sys).await.name(euid) {
        Some(name) => {
            p.put(format!("{name}\n")).await;
            0
        }
        None => p.fail(&format!("unknown uid {euid}")).await,
    }
}

/// `hostname [NAME]`.
pub async fn hostname<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("sfi", &[]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    if let Some(name) = options.rest.first() {
        return match p.sys.set_hostname(name) {
            Ok(()) => 0,
            Err(e) => p.fail(&format!("sethostname: {}", words(e))).await,
        };
    }
    let mut name = p.sys.hostname();
    if options.has('s') {
        name.truncate(name.find('.').unwrap_or(name.len()));
    }
    if options.has('i') {
        let hosts = p.read_text("/etc/hosts").await.unwrap_or_default();
        let Some(address) = super::names::lookup(&hosts, &name) else {
            return p.fail(&format!("{name}: unknown host")).await;
        };
        name = address.to_string();
    }
    p.put(format!("{name}\n")).await;
    0
}

/// `uname [-asnrvmo]`.
pub async fn uname<S: Sys>(p: &mut Prog<S>) -> u8 {
    let options = match p.options("asnrvmpio", &[("all", 'a')]).await {
        Ok(options) => options,
        Err(status) => return status,
    };
    let u = p.sys.uname();
    let parts = [
        ('s', u.sysname),
        ('n', u.nodename),
        ('r', u.release),
        ('v', u.version),
        ('m', u.machine),
        ('o', "Linux".to_owned()),
    ];
    let none = !parts.iter().any(|(c, _)| options.has(*c)) && !options.has('a');
    let wanted = |c: char| options.has('a') || options.has(c) || (none && c == 's');
    let line: Vec<String> = parts.into_iter().filter(|(c, _)| wanted(*c)).map(|(_, v)| v).collect();
    p.put(format!("{}\n", line.join(" "))).await;
    0
}

/// `nproc`: the processors that this process may use.
pub async fn nproc<S: Sys>(p: &mut Prog<S>) -> u8 {
    let text = match p.read_text("/proc/self/status").await {
        Ok(text) => text,
        Err(e) => return p.fail_at("/proc/self/status", e).await,
    };
    let mask = text.lines().find_map(|l| l.strip_prefix("Cpus_allowed:"));
    let count: u32 = mask.unwrap_or("1").chars().filter_map(|c| c.to_digit(16)).map(u32::count_ones).sum();
    p.put(format!("{}\n", count.max(1))).await;
    0
}
