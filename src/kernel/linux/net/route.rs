//! IPv4 routes through rtnetlink(7).

use std::net::Ipv4Addr;

use super::socket::{About, Answer, NLM_F_CREATE, NLM_F_EXCL, Netlink, Refused};
use super::wire;
use crate::kernel::linux::recorder::Recorder;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RTN_UNICAST: u8 = 1;
const AF_INET: u8 = 2;

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `None` is the default route.
    pub destination: Option<(Ipv4Addr, u8)>,
    /// Next hop.
    pub gateway: Option<Ipv4Addr>,
    /// The link's index.
    pub index: u32,
    /// Address that packets leave with.
    pub source: Option<Ipv4Addr>,
}

fn parse(answer: &Answer) -> Option<Route> {
    let body = &answer.body;
    if *body.get(4)? != RT_TABLE_MAIN || *body.get(7)? != RTN_UNICAST {
        return None;
    }
    let attrs = body.get(12..)?;
    let ip = |kind| wire::find(attrs, kind).and_then(|d| <[u8; 4]>::try_from(d).ok()).map(Ipv4Addr::from);
    Some(Route {
        destination: ip(RTA_DST).map(|to| (to, body[1])),
        gateway: ip(RTA_GATEWAY),
        index: wire::find(attrs, RTA_OIF).and_then(|d| wire::u32_at(d, 0)).unwrap_or(0),
        source: ip(RTA_PREFSRC),
    })
}

/// The unicast routes of the main table, the default route first.
pub fn all(nl: &mut Netlink, rec: &mut Recorder) -> Result<Vec<Route>, Refused> {
    let about = About {
        request: "RTM_GETROUTE",
        args: &|| vec![("family", "AF_INET".into()), ("flags", "NLM_F_DUMP".into())],
    };
    let answers =
        nl.dump(rec, about, RTM_GETROUTE, |w| w.raw(&[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))?;
    let mut routes: Vec<Route> = answers.iter().filter_map(parse).collect();
    routes.sort_by_key(|r| r.destination);
    Ok(routes)
}

/// Adds the default route; the kernel finds the link that leads to the gateway.
pub fn add_default(nl: &mut Netlink, rec: &mut Recorder, via: Ipv4Addr) -> Result<(), Refused> {
    let args = || {
        vec![
            ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
            ("destination", "default".into()),
            ("via", via.to_string().into()),
        ]
    };
    let about = About { request: "RTM_NEWROUTE", args: &args };
    nl.change(rec, about, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, |w| {
        w.raw(&[AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0]);
        w.attr(RTA_GATEWAY, &via.octets());
    })
}
