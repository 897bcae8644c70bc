//! Whether the kernel has killed a process of the container for want of memory,
//! as its memory cgroup counts it.

use std::path::{Path, PathBuf};

use crate::kernel::linux::evidence::text_of;
use crate::plan::op::CgroupVersion;
use crate::plan::{Op, Plan};
use crate::trace::{Kind, Value};

/// The container's memory cgroup.
#[derive(Debug)]
pub struct Oom {
    version: CgroupVersion,
    dir: PathBuf,
    kills: u64,
}

impl Oom {
    /// The one that the plan makes.
    pub fn of(plan: &Plan) -> Option<Oom> {
        plan.steps.iter().find_map(|step| match &step.op {
            Op::CreateCgroup { version, controllers, path } if controllers.iter().any(|c| c == "memory") => {
                Some(Oom { version: *version, dir: PathBuf::from(path), kills: 0 })
            }
            _ => None,
        })
    }

    /// What has been killed until now is not told.
    pub fn since_now(mut self) -> Oom {
        self.grown();
        self
    }

    /// cgroups(7): the kills are in `memory.events` of version 2, and in
    /// `memory.oom_control` of version 1.
    fn file(&self) -> PathBuf {
        self.dir.join(match self.version {
            CgroupVersion::V2 => "memory.events",
            CgroupVersion::V1 => "memory.oom_control",
        })
    }

    /// The file and the count, when it has grown since it was last asked.
    pub fn grown(&mut self) -> Option<(Value, u64)> {
        let file = self.file();
        let kills = count(&file)?;
        if kills <= self.kills {
            return None;
        }
        self.kills = kills;
        Some((Value::volatile(Kind::Path, file.display()), kills))
    }

    /// The limit in bytes; `None` where there is none.
    pub fn limit(&self) -> Option<u64> {
        let name = match self.version {
            CgroupVersion::V2 => "memory.max",
            CgroupVersion::V1 => "memory.limit_in_bytes",
        };
        let text = text_of(&self.dir.join(name).to_string_lossy()).ok()?;
        // Without a limit version 1 shows the largest number of pages.
        text.trim().parse().ok().filter(|n| *n < 1 << 62)
    }
}

fn count(file: &Path) -> Option<u64> {
    let text = text_of(&file.to_string_lossy()).ok()?;
    text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok())
}
