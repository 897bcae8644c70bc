//! The texts of procfs' files.

use crate::kernel::model::kernel::RELEASE;
use crate::kernel::model::ns::{Held, NsId};
use crate::kernel::model::process::{Ctx, Gpid, Proc};
use crate::kernel::model::vfs::Loc;
use crate::kernel::model::world::{MEMORY, World, escape};
use crate::userland::Exit;

pub(super) fn top(w: &World, name: &str) -> String {
    let seconds = w.micros / 10_000;
    match name {
        "uptime" => format!("{0}.{1:02} {0}.{1:02}\n", seconds / 100, seconds % 100),
        "version" => format!("Linux version {} (the modelled kernel of glassbox)\n", RELEASE),
        "meminfo" => {
            let used = w.memory_of(0);
            let free = MEMORY.saturating_sub(used) / 1024;
            format!(
                "MemTotal:       {:>8} kB\nMemFree:        {free:>8} kB\nMemAvailable:   {free:>8} kB\n",
                MEMORY / 1024
            )
        }
        "cpuinfo" => "processor\t: 0\nmodel name\t: modelled\n\n".to_owned(),
        "interrupts" => "           CPU0       \n".to_owned(),
        "stat" => "cpu  0 0 0 0 0 0 0 0 0 0\n".to_owned(),
        "loadavg" => "0.00 0.00 0.00 1/1 1\n".to_owned(),
        "filesystems" => {
            "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\nnodev\tcgroup2\nnodev\tdevpts\nnodev\tmqueue\n\
             nodev\toverlay\n\text4\n"
                .to_owned()
        }
        _ => String::new(),
    }
}

pub(super) fn of_process(w: &World, ns: NsId, p: &Proc, name: &str, ctx: &Ctx) -> Vec<u8> {
    let pid = w.pid_in(p.pid, ns).unwrap_or(0);
    let ppid = w.pid_in(p.ppid, ns).unwrap_or(0);
    let state = match (p.exit, p.stopped) {
        (Some(_), _) => 'Z',
        (None, true) => 'T',
        (None, false) if p.pid == ctx.pid => 'R',
        _ => 'S',
    };
    let zero = |words: &[String]| words.iter().flat_map(|w| w.bytes().chain([0])).collect::<Vec<u8>>();
    let text = match name {
        "cmdline" => return if p.exit.is_some() { Vec::new() } else { zero(&p.argv) },
        "environ" => return zero(&p.env),
        "comm" => format!("{}\n", p.comm),
        "stat" => {
            let pgid = w.pid_in(p.pgid, ns).unwrap_or(0);
            let code = match p.exit {
                Some(Exit::Code(c)) => i32::from(c) << 8,
                Some(Exit::Signal(s)) => s,
                None => 0,
            };
            // The 52 fields of proc_pid_stat(5); what the model lacks is 0.
            let tty = if w.console_tty { 34816 } else { 0 };
            format!(
                "{pid} ({}) {state} {ppid} {pgid} {pgid} {tty} -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 {} {} {} \
                 18446744073709551615{} {code}\n",
                p.comm,
                p.start / 10_000,
                p.rss,
                p.rss / 4096,
                " 0".repeat(26)
            )
        }
        "status" => status(w, p, (pid, ppid, state), ns, ctx),
        "cgroup" => {
            format!("0::{}\n", w.cgroups.path(p.cgroup, w.ns.cgroup_root(ctx.ns.cgroup)))
        }
        "mountinfo" => w.mountinfo(p.ns.mnt, p.root).iter().map(|l| format!("{l}\n")).collect(),
        "mounts" => w
            .mounts
            .of(p.ns.mnt)
            .filter_map(|m| {
                let path = w.path_from(p.root, Loc { mount: m.id, node: m.root })?;
                let (source, flags) = (escape(&m.source), m.flags.text());
                let options =
                    m.sb_options.strip_prefix("rw").or(m.sb_options.strip_prefix("ro")).unwrap_or("");
                Some(format!("{source} {} {} {flags}{options} 0 0\n", escape(&path), m.fstype))
            })
            .collect(),
        "uid_map" | "gid_map" => id_map(w, p, name),
        "limits" => p.limits.iter().map(|l| format!("{:<25} {:<20} {}\n", l.kind, l.soft, l.hard)).collect(),
        "oom_score_adj" => "0\n".to_owned(),
        _ => String::new(),
    };
    text.into_bytes()
}

fn id_map(w: &World, p: &Proc, name: &str) -> String {
    match w.ns.held(p.ns.user) {
        Some(Held::User { uid, gid, .. }) => {
            let maps = if name == "uid_map" { uid } else { gid };
            maps.iter().map(|m| format!("{:>10} {:>10} {:>10}\n", m.container, m.host, m.size)).collect()
        }
        _ => String::new(),
    }
}

/// `/proc/PID/status` of a process, as its reader would see it.
pub(crate) fn status_text(w: &World, pid: Gpid, ctx: &Ctx) -> Option<String> {
    let p = w.procs.get(&pid)?;
    Some(status(
        w,
        p,
        (w.pid_in(pid, ctx.ns.pid)?, 0, if p.exit.is_some() { 'Z' } else { 'R' }),
        ctx.ns.pid,
        ctx,
    ))
}

/// `ns` is the pid namespace of the procfs that it is read through.
fn status(w: &World, p: &Proc, (pid, ppid, state): (i32, i32, char), ns: NsId, ctx: &Ctx) -> String {
    let word = match state {
        'Z' => "zombie",
        'T' => "stopped",
        'R' => "running",
        _ => "sleeping",
    };
    let user = ctx.cred.user_ns;
    let (uid, euid) = (w.ns.uid_in(user, p.cred.uid), w.ns.uid_in(user, p.cred.euid));
    let (gid, egid) = (w.ns.gid_in(user, p.cred.gid), w.ns.gid_in(user, p.cred.egid));
    let groups: Vec<String> = p.cred.groups.iter().map(|g| w.ns.gid_in(user, *g).to_string()).collect();
    // From the reader's namespace down: those above it are not shown.
    let nspid = p.pids.iter().rev().skip_while(|(at, _)| *at != ns).map(|(_, n)| n.to_string());
    let nspid: Vec<String> = nspid.collect();
    format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{state} ({word})\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{ppid}\n\
         Uid:\t{uid}\t{euid}\t{euid}\t{euid}\nGid:\t{gid}\t{egid}\t{egid}\t{egid}\nGroups:\t{} \n\
         NSpid:\t{}\nVmRSS:\t{} kB\nThreads:\t1\nSigIgn:\t{:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\n\
         CapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t{}\n",
        p.comm,
        p.umask,
        groups.join(" "),
        nspid.join("\t"),
        p.rss / 1024,
        p.ignored,
        p.cred.inheritable,
        p.cred.permitted,
        p.cred.effective,
        p.cred.bounding,
        p.cred.ambient,
        u8::from(p.cred.no_new_privs),
        if p.cred.seccomp.is_some() { 2 } else { 0 }
    )
}
