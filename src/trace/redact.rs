//! Redaction by kind: what differs from run to run gets a name, the same one
//! wherever it stands, so that two runs of one command compare byte for byte.
//!
//! A value is volatile because an event says so ([`Value::Volatile`]), never
//! because it looks like something. Names count up by kind in the order of
//! first appearance: `<container-1>`, `<digest-2>`. An operation holds its
//! addresses as addresses, so the name of one is an address that belongs to
//! nobody: 192.0.2.1, RFC 5737; that of a network 192.0.2.0.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::{Body, Event, Fact, Kind, Value};

/// Redacts a whole recording. Every value is known before the first is
/// replaced, so that a text may come before the event that declares its parts.
pub fn redact(events: &[Event]) -> serde_json::Result<Vec<Event>> {
    let mut redactor = Redactor::default();
    for event in events {
        redactor.learn(event);
    }
    events.iter().map(|e| redactor.replace(e)).collect()
}

/// Gives names to volatile values and replaces them.
#[derive(Debug, Default)]
pub struct Redactor {
    counts: BTreeMap<Kind, usize>,
    /// Addresses of networks, which are counted by themselves.
    networks: usize,
    /// Values that may stand inside texts, and their names.
    texts: HashMap<String, Name>,
    /// Values that are replaced only where they are tagged: a small number may
    /// mean anything elsewhere.
    tagged: HashMap<(Kind, String), String>,
    /// The keys of `texts` by first byte, longest first.
    index: HashMap<u8, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Name {
    kind: Kind,
    name: String,
}

impl Redactor {
    /// Learns what this event declares and redacts it: for a live stream. A
    /// value that stands in a text before any event declares it stays there;
    /// [`redact`] finds those too.
    pub fn event(&mut self, event: &Event) -> serde_json::Result<Event> {
        self.learn(event);
        self.replace(event)
    }

    /// Gives names to the volatile values of this event.
    pub fn learn(&mut self, event: &Event) {
        match &event.body {
            Body::Begin { release, names, .. } => {
                self.value(release);
                names.iter().for_each(|n| self.value(n));
            }
            Body::Planned { names, .. } => names.iter().for_each(|n| self.value(n)),
            Body::Call { call, .. } => {
                call.args.iter().for_each(|(_, v)| self.value(v));
                self.value(&call.result);
            }
            Body::Observed { facts, .. } => facts.iter().for_each(|f| self.fact(f)),
            Body::Done { filled, .. } => filled.values().for_each(|v| self.value(v)),
            Body::Life { life } => life.values().into_iter().for_each(|v| self.value(v)),
            Body::About { .. }
            | Body::Failed { .. }
            | Body::Undoing { .. }
            | Body::Undone { .. }
            | Body::End { .. } => {}
        }
    }

    fn fact(&mut self, fact: &Fact) {
        self.value(&fact.source);
        self.value(&fact.value);
    }

    fn value(&mut self, value: &Value) {
        let Value::Volatile { kind, value } = value else { return };
        if value.is_empty() || has_name(value) {
            return;
        }
        if !inside_texts(*kind, value) {
            let key = (*kind, value.clone());
            if !self.tagged.contains_key(&key) {
                let name = self.fresh(*kind);
                self.tagged.insert(key, name);
            }
            return;
        }
        if self.texts.contains_key(value) {
            return;
        }
        // `10.0.0.2/24` is the address 10.0.0.2 and something that does not vary.
        if *kind == Kind::Address
            && let Some((bare, prefix)) = value.split_once('/')
        {
            self.value(&Value::volatile(Kind::Address, bare));
            if let Some(known) = self.texts.get(bare).cloned() {
                self.insert(value.clone(), known.kind, format!("{}/{prefix}", known.name));
            }
            return;
        }
        // `/proc/4242/ns` varies by its pid only.
        if *kind == Kind::Path
            && let Some(rest) = value.strip_prefix("/proc/")
            && let pid = leading_digits(rest)
            && !pid.is_empty()
            && (rest.len() == pid.len() || rest[pid.len()..].starts_with('/'))
        {
            self.value(&Value::volatile(Kind::Pid, pid));
            if let Some(name) = self.tagged.get(&(Kind::Pid, pid.to_owned())) {
                let whole = format!("/proc/{name}{}", &rest[pid.len()..]);
                self.insert(value.clone(), Kind::Path, whole);
            }
            return;
        }
        let digits = hex_digits(value);
        let name = match digits.and_then(|d| self.same_digits(d)) {
            Some(name) => name,
            None => Name { kind: *kind, name: self.fresh_for(*kind, value) },
        };
        self.insert(value.clone(), name.kind, name.name.clone());
        if let Some(digits) = digits {
            self.insert(digits.to_owned(), name.kind, name.name.clone());
            if digits.len() > SHORT {
                self.insert(digits[..SHORT].to_owned(), name.kind, name.name);
            }
        }
    }

    /// The name of an id of which one form is known already: whole or short.
    fn same_digits(&self, digits: &str) -> Option<Name> {
        let known = self.texts.get(digits).or_else(|| self.texts.get(digits.get(..SHORT)?))?;
        matches!(known.kind, Kind::Container | Kind::Image | Kind::Digest).then(|| known.clone())
    }

    fn fresh_for(&mut self, kind: Kind, value: &str) -> String {
        let address = value.parse::<Ipv4Addr>().ok().filter(|_| kind == Kind::Address);
        let Some(address) = address else { return self.fresh(kind) };
        let [_, _, _, last] = address.octets();
        if last == 0 {
            self.networks += 1;
            let [a, b, c] = NOBODYS[(self.networks - 1) % NOBODYS.len()];
            return Ipv4Addr::new(a, b, c, 0).to_string();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let [a, b, c] = NOBODYS[(*count - 1) / 254 % NOBODYS.len()];
        Ipv4Addr::new(a, b, c, ((*count - 1) % 254 + 1) as u8).to_string()
    }

    fn fresh(&mut self, kind: Kind) -> String {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        format!("<{}-{count}>", kind.name())
    }

    fn insert(&mut self, value: String, kind: Kind, name: String) {
        if self.texts.contains_key(&value) {
            return;
        }
        let same_start = self.index.entry(value.as_bytes()[0]).or_default();
        let at = same_start.partition_point(|v| v.len() >= value.len());
        same_start.insert(at, value.clone());
        self.texts.insert(value, Name { kind, name });
    }

    /// Replaces what is known by now, and sets times to 0.
    pub fn replace(&self, event: &Event) -> serde_json::Result<Event> {
        let mut event = event.clone();
        event.at = 0;
        match &mut event.body {
            Body::Call { call, .. } => call.micros = 0,
            Body::Done { micros, .. } => *micros = 0,
            _ => {}
        }
        let mut json = serde_json::to_value(&event)?;
        self.walk(&mut json);
        serde_json::from_value(json)
    }

    fn walk(&self, json: &mut serde_json::Value) {
        if let Some((kind, value)) = volatile(json) {
            let new = self.name(kind, &value);
            json["value"] = new.into();
            return;
        }
        match json {
            serde_json::Value::String(text) => {
                let new = self.text(text);
                if new != *text {
                    *text = new;
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|i| self.walk(i)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|f| self.walk(f)),
            _ => {}
        }
    }

    fn name(&self, kind: Kind, value: &str) -> String {
        if has_name(value) {
            return value.to_owned();
        }
        let known = if inside_texts(kind, value) {
            self.texts.get(value).map(|n| &n.name)
        } else {
            self.tagged.get(&(kind, value.to_owned()))
        };
        // Unknown only when an event is replaced that was never learnt.
        known.cloned().unwrap_or_else(|| self.text(value))
    }

    /// Replaces known values inside a text.
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if let Some(len) = name_at(rest) {
                out.push_str(&rest[..len]);
                at += len;
            } else if let Some((len, name)) = self.match_at(text, at) {
                out.push_str(name);
                at += len;
            } else if let Some(c) = rest.chars().next() {
                out.push(c);
                at += c.len_utf8();
            }
        }
        out
    }

    fn match_at(&self, text: &str, at: usize) -> Option<(usize, &str)> {
        let rest = &text[at..];
        for value in self.index.get(&rest.as_bytes()[0]).into_iter().flatten() {
            if rest.starts_with(value.as_str()) {
                let name = self.texts.get(value)?;
                if stands_alone(name.kind, text, at, value) {
                    return Some((value.len(), &name.name));
                }
            }
        }
        let pid = text[..at].ends_with("/proc/").then(|| leading_digits(rest)).filter(|d| !d.is_empty())?;
        let name = self.tagged.get(&(Kind::Pid, pid.to_owned()))?;
        Some((pid.len(), name))
    }
}

/// A redacted text without the numbers of its names: `<pid>` for `<pid-7>`, and
/// `<address>` for an address that belongs to nobody. Two recordings of which one
/// has more values of a kind compare by these.
pub fn unnumbered(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let free = !text[..at].ends_with(|c: char| c.is_ascii_digit() || c == '.');
        if let Some(len) = name_at(rest) {
            let kind = rest[..len].rsplit_once('-').map_or(rest, |(kind, _)| kind);
            out.push_str(kind);
            out.push('>');
            at += len;
        } else if let Some(len) = nobodys_at(rest).filter(|_| free) {
            out.push_str(if rest[..len].ends_with(".0") { "<network>" } else { "<address>" });
            at += len;
        } else if let Some(c) = rest.chars().next() {
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// The length of an address for documentation at the start of this text.
fn nobodys_at(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let address = text[..end].trim_end_matches('.');
    let [a, b, c, _] = address.parse::<Ipv4Addr>().ok()?.octets();
    NOBODYS.contains(&[a, b, c]).then_some(address.len())
}

/// The networks for documentation, RFC 5737.
const NOBODYS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];

/// Digits of the short form of an id.
const SHORT: usize = 12;

/// Whether a value of this kind is looked for inside texts.
fn inside_texts(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Container | Kind::Image | Kind::Digest => value.len() >= SHORT,
        Kind::Address | Kind::Mac | Kind::Link | Kind::Path | Kind::Release | Kind::Host => value.len() >= 3,
        // `4026531840`, `net:[4026531840]`: long enough to mean one thing only.
        Kind::Namespace => value.len() >= 8,
        Kind::Pid
        | Kind::Time
        | Kind::Duration
        | Kind::Inode
        | Kind::Index
        | Kind::Mount
        | Kind::Port
        | Kind::Bytes
        | Kind::Fd
        | Kind::Device
        | Kind::Other => false,
    }
}

/// The hexadecimal digits of an id or a digest.
fn hex_digits(value: &str) -> Option<&str> {
    let digits = value.rsplit_once(':').map_or(value, |(_, d)| d);
    let hex = digits.len() >= SHORT && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then_some(digits)
}

fn leading_digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

/// Whether the value at this place is a word of its own and not part of a
/// longer one.
fn stands_alone(kind: Kind, text: &str, at: usize, value: &str) -> bool {
    let before = text[..at].chars().next_back();
    let mut after = text[at + value.len()..].chars();
    let (next, second) = (after.next(), after.next());
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    // A dot that ends a sentence is not part of the value.
    let dotted = next == Some('.') && word(second);
    if word(before) || word(next) {
        return false;
    }
    match kind {
        Kind::Path => {
            let inner = |c: Option<char>| matches!(c, Some('-' | '.' | '/' | '~' | '>'));
            !inner(before) && next != Some('-') && !dotted
        }
        Kind::Address | Kind::Release => before != Some('.') && next != Some('-') && !dotted,
        Kind::Mac => before != Some(':') && next != Some(':'),
        // Dots stand between words, as in `net.ipv4.conf.LINK.route_localnet`; only
        // that of a VLAN, `LINK.100`, is part of a name.
        Kind::Link => {
            let vlan = text[at + value.len()..].strip_prefix('.').is_some_and(|rest| {
                let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                end > 0 && rest[..end].bytes().all(|b| b.is_ascii_digit())
            });
            // In a path it is a link only where links stand: a table of rules may be
            // called `glassbox`, as the store's directory is.
            let place = ["/conf/", "/neigh/", "/net/", "/networks/"];
            let placed = before != Some('/') || place.iter().any(|p| text[..at].ends_with(p));
            before != Some('-') && next != Some('-') && !vlan && placed
        }
        Kind::Host => {
            let inner = |c: Option<char>| matches!(c, Some('-' | '.'));
            !inner(before) && next != Some('-') && !dotted
        }
        _ => true,
    }
}

/// A volatile value in its serialised form.
fn volatile(json: &serde_json::Value) -> Option<(Kind, String)> {
    let fields = json.as_object().filter(|f| f.len() == 2)?;
    let kind = serde_json::from_value(fields.get("kind")?.clone()).ok()?;
    Some((kind, fields.get("value")?.as_str()?.to_owned()))
}

/// The length of a redacted name (`<pid-1>`) at the start of this text.
fn name_at(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('<')?;
    let (kind, rest) = inner.split_once('-')?;
    let digits = leading_digits(rest);
    let known = !digits.is_empty() && rest[digits.len()..].starts_with('>');
    let known = known && serde_json::from_value::<Kind>(kind.into()).is_ok();
    known.then(|| 1 + kind.len() + 1 + digits.len() + 1)
}

fn has_name(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| name_at(&text[at..]).is_some())
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "redact_property_tests.rs"]
mod property_tests;
