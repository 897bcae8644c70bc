//! Owners in a union whose layers are seen through views: translated both ways
//! by the maps of a user namespace, kernel documentation: filesystems/idmappings.

use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::{NOBODY, inside, outside};
use crate::plan::op::IdMap;

/// The maps: what a layer stores on the left, what the kernel sees on the right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub uid: Vec<IdMap>,
    pub gid: Vec<IdMap>,
}

impl Ids {
    /// The owners that are seen of stored ones.
    pub fn seen(&self, uid: u32, gid: u32) -> (u32, u32) {
        (outside(&self.uid, uid).unwrap_or(NOBODY), outside(&self.gid, gid).unwrap_or(NOBODY))
    }

    /// The owners to store; EOVERFLOW for one that no layer can hold.
    pub fn stored(&self, uid: u32, gid: u32) -> Res<(u32, u32)> {
        let both = inside(&self.uid, uid).zip(inside(&self.gid, gid));
        both.ok_or(Errno::EOVERFLOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_go_both_ways() {
        let map = vec![IdMap { container: 0, host: 100_000, size: 1000 }];
        let ids = Ids { uid: map.clone(), gid: map };
        assert_eq!(ids.seen(0, 5), (100_000, 100_005));
        assert_eq!(ids.seen(1000, 0), (NOBODY, 100_000));
        assert_eq!(ids.stored(100_000, 100_999), Ok((0, 999)));
        assert_eq!(ids.stored(0, 100_000), Err(Errno::EOVERFLOW));
    }
}
