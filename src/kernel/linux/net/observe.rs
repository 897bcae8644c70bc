//! The network as it is now, for `inspect`: links, addresses, routes, rules and
//! leases, of the host's namespace or of a process's.

use std::fs::File;
use std::path::Path;

use super::evidence::{GETLINK, GETROUTE, GETRULE, addresses, fact, shown_state};
use super::lease;
use super::link::{self, Link};
use super::nft::{self, Rule, text};
use super::route::{self, Route};
use super::socket::{Family, Netlink, Refused};
use super::state;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Slots};
use crate::network::names::show_mac;
use crate::plan::op::Slot;
use crate::trace::{Fact, Kind, Value};

/// Everything about the network of the plan that was begun: the container's
/// namespace (keys begin with `container:`), then the host's, rules and leases.
/// What cannot be read is left out.
pub fn network(slots: &Slots) -> Vec<Fact> {
    let init = slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok());
    let mut facts = init.and_then(|pid| of_process(pid).ok()).unwrap_or_default();
    for f in &mut facts {
        f.key = format!("container: {}", f.key);
    }
    facts.extend(here().unwrap_or_default());
    facts.extend(state::table().and_then(|t| rules(&t).ok()).unwrap_or_default());
    facts.extend(state::place().and_then(|p| leases(p.leases()).ok()).unwrap_or_default());
    facts
}

/// Links, addresses and routes of the calling thread's network namespace.
pub fn here() -> Result<Vec<Fact>, Errno> {
    Ok(read_here()?)
}

fn read_here() -> Result<Vec<Fact>, Refused> {
    let rec = &mut Recorder::off();
    let nl = &mut Netlink::open(Family::Route, rec)?;
    let links = link::all(nl, rec)?;
    let all = link::addresses(nl, rec)?;
    let mut facts = Vec::new();
    for l in &links {
        facts.push(fact(GETLINK, format!("link {}", l.name), shown_link(l, &links)));
        if !l.loopback {
            facts.push(fact(
                GETLINK,
                format!("mac of {}", l.name),
                Value::volatile(Kind::Mac, show_mac(&l.mac)),
            ));
        }
        facts.extend(addresses(l, &all));
    }
    facts.extend(routes(&route::all(nl, rec)?, &links));
    Ok(facts)
}

fn shown_link(l: &Link, links: &[Link]) -> String {
    let kind = match (l.loopback, l.kind.as_str()) {
        (true, _) => "loopback",
        (false, "") => "device",
        (false, kind) => kind,
    };
    let master = links.iter().find(|m| Some(m.index) == l.master);
    let port = master.map(|m| format!(", port of {}", m.name)).unwrap_or_default();
    format!("{kind}, {}{port}", shown_state(l))
}

/// Routes as ip-route(8) writes them.
pub(super) fn routes(routes: &[Route], links: &[Link]) -> Vec<Fact> {
    let shown = |r: &Route| {
        let key = match r.destination {
            Some((to, prefix)) => format!("route {to}/{prefix}"),
            None => "route default".to_owned(),
        };
        let via = r.gateway.map(|g| format!("via {g} ")).unwrap_or_default();
        let dev = links.iter().find(|l| l.index == r.index).map_or("?", |l| &l.name);
        let src = r.source.map(|s| format!(" src {s}")).unwrap_or_default();
        fact(GETROUTE, key, format!("{via}dev {dev}{src}"))
    };
    routes.iter().map(shown).collect()
}

/// The same of a process's network namespace. A thread of its own enters it and
/// ends; the caller stays where it is.
pub fn of_process(pid: i32) -> Result<Vec<Fact>, Errno> {
    in_namespace(pid, here)?
}

/// Runs something in a process's network namespace, on a thread of its own.
pub fn in_namespace<T: Send>(pid: i32, work: impl FnOnce() -> T + Send) -> Result<T, Errno> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        });
        thread.join().unwrap_or(Err(Errno::ECHILD))
    })
}

/// One rule as a fact.
pub(super) fn rule(table: &str, r: &Rule) -> Fact {
    fact(GETRULE, format!("table ip {table} chain {}", r.chain), text::rule(&r.exprs))
}

/// The rules of a table, by chain and in order, with their comments.
pub fn rules(table: &str) -> Result<Vec<Fact>, Errno> {
    let rec = &mut Recorder::off();
    let nl = &mut Netlink::open(Family::Netfilter, rec)?;
    let rules = nft::rules(nl, rec, table)?;
    let shown = |r: &Rule| {
        let mut shown = rule(table, r);
        if !r.comment.is_empty() {
            shown.value = format!("{} comment \"{}\"", text::rule(&r.exprs), r.comment).into();
        }
        shown
    };
    Ok(rules.iter().map(shown).collect())
}

/// The leases of a network, by address.
pub fn leases(directory: &Path) -> Result<Vec<Fact>, Errno> {
    let source = || Value::volatile(Kind::Path, directory.display());
    let shown = |l: lease::Lease| {
        fact(source(), format!("lease {}", l.address), Value::volatile(Kind::Container, l.container))
    };
    Ok(lease::all(directory)?.into_iter().map(shown).collect())
}
