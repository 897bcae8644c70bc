//! Two states beside each other: what came, what went, what is different.

use serde::Serialize;

use super::{Picture, ProcessState, State, What};

/// The part of the picture that an item belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Topic {
    Steps,
    Layers,
    Namespaces,
    Mounts,
    Network,
    Cgroup,
    Processes,
}

impl Topic {
    /// Every topic, in the order of the picture.
    pub const ALL: [Topic; 7] = [
        Topic::Steps,
        Topic::Layers,
        Topic::Namespaces,
        Topic::Mounts,
        Topic::Network,
        Topic::Cgroup,
        Topic::Processes,
    ];

    /// As message files call it.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Steps => "steps",
            Topic::Layers => "layers",
            Topic::Namespaces => "namespaces",
            Topic::Mounts => "mounts",
            Topic::Network => "network",
            Topic::Cgroup => "cgroup",
            Topic::Processes => "processes",
        }
    }
}

/// One thing that is so in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Where it belongs.
    pub topic: Topic,
    /// What it is of; unique within the topic.
    pub key: String,
    /// How it is.
    pub value: String,
}

/// What is not the same in two states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where it belongs.
    pub topic: Topic,
    /// What it is of.
    pub key: String,
    /// How it is in the first; `None`: it is not there.
    pub before: Option<String>,
    /// How it is in the second.
    pub after: Option<String>,
}

/// What is different in `after`, by topic, in the order of the picture.
pub fn compare(before: &Picture, after: &Picture) -> Vec<Change> {
    let (old, new) = (before.items(), after.items());
    let same = |a: &Item, b: &Item| a.topic == b.topic && a.key == b.key;
    let mut changes: Vec<Change> = Vec::new();
    for item in &new {
        let was = old.iter().find(|o| same(o, item));
        if was.is_none_or(|w| w.value != item.value) {
            changes.push(Change {
                topic: item.topic,
                key: item.key.clone(),
                before: was.map(|w| w.value.clone()),
                after: Some(item.value.clone()),
            });
        }
    }
    for item in old.iter().filter(|o| !new.iter().any(|n| same(n, o))) {
        changes.push(Change {
            topic: item.topic,
            key: item.key.clone(),
            before: Some(item.value.clone()),
            after: None,
        });
    }
    changes.sort_by_key(|c| c.topic);
    changes
}

impl Picture {
    /// The state as a list: topic by topic, what is so.
    pub fn items(&self) -> Vec<Item> {
        let mut items = Items(Vec::new());
        self.step_items(&mut items);
        self.layer_items(&mut items);
        self.namespace_items(&mut items);
        self.network_items(&mut items);
        self.cgroup_items(&mut items);
        self.process_items(&mut items);
        items.0
    }

    fn step_items(&self, items: &mut Items) {
        for view in self.progress.steps.iter().filter(|s| s.state != State::Ahead) {
            let state = match view.state {
                State::Ahead => continue,
                State::About => "about to",
                State::Done if view.unchanged => "done, nothing changed",
                State::Done => "done",
                State::Failed => "failed",
                State::Undoing => "undoing",
                State::Undone => "undone",
                State::NotUndone => "not undone",
            };
            items.add(Topic::Steps, &view.step.id.0, state);
        }
    }

    fn layer_items(&self, items: &mut Items) {
        for layer in &self.layers.read_only {
            items.add(Topic::Layers, format!("layer {}", layer.index), &layer.chain_id);
        }
        if let Some(writable) = &self.layers.writable {
            let state = if writable.removed { "removed" } else { &writable.dir };
            items.add(Topic::Layers, "writable layer", state);
            for entry in &writable.entries {
                let what = match entry.what {
                    What::Added => "added",
                    What::Copied => "copied up",
                    What::Whiteout => "whiteout",
                    What::Opaque => "opaque",
                    What::Redirect => "redirect",
                };
                items.add(Topic::Layers, &entry.path, what);
            }
        }
        if let Some(union) = &self.layers.union {
            let state = match (union.root, union.attached) {
                (true, _) => "the root /",
                (false, true) => "attached",
                (false, false) => "mounted, not attached",
            };
            items.add(Topic::Layers, "union", state);
        }
    }

    fn namespace_items(&self, items: &mut Items) {
        for one in &self.namespaces.all {
            let inode = one.inside.as_ref().map_or_else(String::new, |v| format!(" {v}"));
            let state = match (one.own, self.namespaces.ended) {
                (true, false) => format!("own{inode}"),
                (true, true) => format!("ended{inode}"),
                (false, _) => format!("shared with the host{inode}"),
            };
            items.add(Topic::Namespaces, one.ns.name(), state);
        }
        if let Some(name) = &self.namespaces.hostname {
            items.add(Topic::Namespaces, "host name", name);
        }
        if !self.mounts.ended {
            for mount in &self.mounts.points {
                let state = format!("{} {}", mount.source, mount.options.join(","));
                items.add(Topic::Mounts, &mount.target, state);
            }
        }
    }

    fn network_items(&self, items: &mut Items) {
        let network = &self.network;
        if let Some(bridge) = &network.bridge {
            items.add(Topic::Network, format!("bridge {}", bridge.name), &bridge.address);
        }
        if let Some(veth) = &network.veth {
            let ends = format!("{} – {} {}", veth.host, veth.peer, veth.mac);
            items.add(Topic::Network, "veth", ends);
        }
        if let Some(lease) = &network.lease {
            items.add(Topic::Network, "address reserved", lease.text());
        }
        if let Some((link, address)) = &network.address {
            items.add(Topic::Network, format!("address of {link}"), address.text());
        }
        for (link, state) in &network.up {
            items.add(Topic::Network, format!("link {link}"), state);
        }
        for (to, way) in &network.routes {
            items.add(Topic::Network, format!("route {to}"), way);
        }
        for rule in &network.rules {
            items.add(Topic::Network, format!("{} {}", rule.chain, rule.text), "rule");
        }
        for port in &network.ports {
            let key = format!("port {}:{}/{}", port.host_ip, port.host_port, port.protocol.name());
            items.add(Topic::Network, key, port.container_port.to_string());
        }
    }

    fn cgroup_items(&self, items: &mut Items) {
        for group in &self.cgroup.groups {
            let key = format!("group {}", group.controllers.join(","));
            items.add(Topic::Cgroup, key, &group.path);
        }
        for limit in &self.cgroup.limits {
            items.add(Topic::Cgroup, &limit.file, &limit.value);
        }
        for (key, value) in &self.cgroup.usage {
            items.add(Topic::Cgroup, key, value.text());
        }
    }

    fn process_items(&self, items: &mut Items) {
        for process in &self.processes.all {
            let inside = process.inside.as_ref().map_or_else(String::new, |p| format!("{p} inside, "));
            let state = match &process.state {
                ProcessState::Preparing => "preparing".to_owned(),
                ProcessState::Running => "runs".to_owned(),
                ProcessState::Zombie => "zombie".to_owned(),
                ProcessState::Exited(code) => format!("exited with {code}"),
                ProcessState::Killed(signal) => format!("killed by {signal}"),
                ProcessState::Ended => "ended".to_owned(),
            };
            let value = format!("{inside}{}, {state}", process.program);
            items.add(Topic::Processes, format!("pid {}", process.outside), value);
        }
    }
}

struct Items(Vec<Item>);

impl Items {
    fn add(&mut self, topic: Topic, key: impl Into<String>, value: impl Into<String>) {
        self.0.push(Item { topic, key: key.into(), value: value.into() });
    }
}
