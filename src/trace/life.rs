//! What happens inside a container while it lives: its processes, and the files
//! that are copied up, hidden or made in its writable layer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Value;
use crate::kernel::Errno;

/// Something that happened inside the container while it lived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "life", rename_all = "snake_case")]
pub enum Life {
    /// The container's command runs.
    Started {
        /// As the host sees it.
        pid: Value,
    },
    /// The container's command ended.
    Exited {
        /// As the host saw it.
        pid: Value,
        /// Exit code, if it exited.
        code: Option<u8>,
        /// Signal name, if one killed it.
        signal: Option<String>,
    },
    /// A signal was passed on to the container's command.
    Signalled {
        /// Its name.
        signal: String,
    },
    /// A process is held before a call that can change a file of a read-only
    /// layer. Nothing has happened yet.
    Held(Box<FileChange>),
    /// A file or directory of a read-only layer was copied into the writable one.
    CopyUp(Box<FileChange>),
    /// A name of a read-only layer was hidden: a device 0/0 stands for it.
    Whiteout(Box<FileChange>),
    /// A directory was made anew over one of a read-only layer: nothing of that
    /// one is seen any more.
    Opaque(Box<FileChange>),
    /// A directory of a read-only layer was renamed: what was at `from` is now seen at `path`.
    Redirect(Box<FileChange>),
    /// Something was made that no layer has; or, with `layer`, over what that one
    /// has, which is hidden from now on.
    Created(Box<FileChange>),
    /// A process made another one.
    Forked {
        /// Who did it.
        parent: Process,
        /// The new one. It still runs its parent's program.
        child: Process,
    },
    /// A process replaced its program, execve(2).
    Executed {
        /// Which, with the name of its new program.
        process: Process,
        /// Its arguments, the program's name first, as far as they could be read.
        argv: Vec<String>,
    },
    /// A process ended. The container's command has [`Life::Exited`] besides.
    Ended {
        /// Which.
        process: Process,
        /// Exit code, if it exited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u8>,
        /// Signal name, if one killed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
    },
    /// A process lost its parent and was given another, the container's first
    /// process or a subreaper.
    Adopted {
        /// Which.
        process: Process,
        /// Who was its parent.
        former: Process,
        /// Who is now.
        parent: Process,
    },
    /// A process has ended and its parent does not ask how: it stays in the table.
    Zombie {
        /// Which.
        process: Process,
        /// Who would have to wait for it.
        parent: Process,
    },
    /// A signal was sent to the container's first process, which has no handler
    /// for it: the kernel drops it, pid_namespaces(7).
    SignalIgnored {
        /// The container's first process.
        process: Process,
        /// The signal's name.
        signal: String,
        /// Who sent it, if that is known; glassbox itself when nobody in the container did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<Process>,
    },
    /// The kernel killed a process of the container for want of memory.
    OomKilled {
        /// Which, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
        /// The memory limit of the container's cgroup in bytes, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        /// The cgroup's file that counts kills.
        source: Value,
        /// What it counts by now.
        kills: u64,
    },
    /// A system call was refused.
    Refused {
        /// Whose.
        process: Process,
        /// The call's name.
        call: String,
        /// What it returned.
        errno: Errno,
        /// Who refused it, and why.
        by: Refusal,
    },
    /// What was counted and not told one by one. `--trace=full` tells each.
    More {
        /// The kind of event: `created`, `whiteout`, `forked`….
        what: String,
        /// The name of the program that did it.
        program: String,
        /// How many besides those that were told.
        count: u64,
    },
    /// Some events were lost: the kernel's queue was full.
    Lost {
        /// The queue: `fanotify`, `process connector`.
        queue: String,
    },
    /// The writable layer as it was found on disk when the container had ended,
    /// held against what had been told while it lived.
    LayerSummary(LayerSummary),
}

/// A process in the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its number on the host.
    pub pid: Value,
    /// Its number in the container; always 1 for the first process of a pid
    /// namespace. Absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Value>,
    /// The name of its program, as `ps` shows it; empty when it is not known.
    pub program: String,
}

/// A read-only layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Supplier {
    /// The digest of its uncompressed archive, `sha256:…`.
    pub digest: Value,
    /// What made it, from the image's history; empty when that says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_by: String,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FileType {
    File,
    Directory,
    Symlink,
    Device,
    Fifo,
    Socket,
}

impl FileType {
    /// As it is serialised, and as messages select on it.
    pub fn name(self) -> &'static str {
        match self {
            FileType::File => "file",
            FileType::Directory => "directory",
            FileType::Symlink => "symlink",
            FileType::Device => "device",
            FileType::Fifo => "fifo",
            FileType::Socket => "socket",
        }
    }
}

/// A change of the container's tree, with the layers that have to do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Who did it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The system call, if it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The path as the container has it.
    pub path: String,
    /// What the path stood for (whiteout, held) or stands for.
    pub what: FileType,
    /// Bytes of the layer's file; only for a regular one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes of the copy when glassbox looked at it: the process may have written
    /// to it by then. Only for a regular file that was copied up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<Value>,
    /// The layer that supplied it, and holds it still. Absent for what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Supplier>,
    /// Layers below that hold the same path, hidden before and after, uppermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Supplier>,
    /// Where a renamed directory was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Who refused a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Refusal {
    /// The filter of system calls.
    Seccomp {
        /// Capabilities with any of which the filter would let it pass.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unless: Vec<String>,
        /// The filter lets it pass with other arguments.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        arguments: bool,
    },
    /// The kernel, because the process lacks a capability.
    Capability {
        /// Its name, such as `CAP_NET_RAW`.
        name: String,
    },
}

/// What stands in the writable layer, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerSummary {
    /// Things that no read-only layer has.
    pub created: u64,
    /// Regular files copied up.
    pub copied: u64,
    /// Bytes of those copies as they stand now.
    pub copied_bytes: u64,
    /// Directories copied up, without their contents: the way to something changed.
    pub directories: u64,
    /// Names hidden by a whiteout.
    pub whiteouts: u64,
    /// Opaque directories.
    pub opaque: u64,
    /// Directories with a redirect.
    pub redirects: u64,
    /// Of all these, those that no event had told of: found only now.
    pub unseen: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen_paths: Vec<String>,
    /// Told of while the container lived, and gone or replaced since.
    pub gone: u64,
}

impl Life {
    /// The values that may be volatile, in the order of the fields.
    pub fn values(&self) -> Vec<&Value> {
        match self {
            Life::Started { pid } | Life::Exited { pid, .. } => vec![pid],
            Life::Held(c)
            | Life::CopyUp(c)
            | Life::Whiteout(c)
            | Life::Opaque(c)
            | Life::Redirect(c)
            | Life::Created(c) => c.values(),
            Life::Forked { parent, child } => [parent.values(), child.values()].concat(),
            Life::Executed { process, .. } | Life::Ended { process, .. } | Life::Refused { process, .. } => {
                process.values()
            }
            Life::Adopted { process, former, parent } => {
                [process.values(), former.values(), parent.values()].concat()
            }
            Life::Zombie { process, parent } => [process.values(), parent.values()].concat(),
            Life::SignalIgnored { process, sender, .. } => {
                process.values().into_iter().chain(sender.iter().flat_map(Process::values)).collect()
            }
            Life::OomKilled { process, source, .. } => {
                process.iter().flat_map(Process::values).chain([source]).collect()
            }
            Life::Signalled { .. } | Life::More { .. } | Life::Lost { .. } | Life::LayerSummary(_) => vec![],
        }
    }

    /// The event's kind, as it is serialised.
    pub fn name(&self) -> &'static str {
        match self {
            Life::Started { .. } => "started",
            Life::Exited { .. } => "exited",
            Life::Signalled { .. } => "signalled",
            Life::Held(_) => "held",
            Life::CopyUp(_) => "copy_up",
            Life::Whiteout(_) => "whiteout",
            Life::Opaque(_) => "opaque",
            Life::Redirect(_) => "redirect",
            Life::Created(_) => "created",
            Life::Forked { .. } => "forked",
            Life::Executed { .. } => "executed",
            Life::Ended { .. } => "ended",
            Life::Adopted { .. } => "adopted",
            Life::Zombie { .. } => "zombie",
            Life::SignalIgnored { .. } => "signal_ignored",
            Life::OomKilled { .. } => "oom_killed",
            Life::Refused { .. } => "refused",
            Life::More { .. } => "more",
            Life::Lost { .. } => "lost",
            Life::LayerSummary(_) => "layer_summary",
        }
    }
}

impl Process {
    fn values(&self) -> Vec<&Value> {
        std::iter::once(&self.pid).chain(&self.inside).collect()
    }
}

impl FileChange {
    fn values(&self) -> Vec<&Value> {
        let process = self.process.iter().flat_map(Process::values);
        let layers = self.layer.iter().chain(&self.hidden).map(|l| &l.digest);
        process.chain(&self.stands).chain(layers).collect()
    }
}
