//! Image, kernel and union.

use super::namespaces::id_maps;
use super::{Builder, rootfs};
use crate::kernel::HostFacts;
use crate::plan::op::OverlayStyle;
use crate::plan::{Actor, Op, Phase};
use crate::spec::RunSpec;

pub(super) fn layers(b: &mut Builder, spec: &RunSpec) {
    b.runtime(
        Phase::Image,
        "read-image",
        Op::ReadImage {
            reference: spec.image.reference.clone(),
            image: spec.image.id.clone(),
            manifest: spec.image.manifest.clone(),
            layers: spec.image.layers.len() as u32,
        },
    );
    for (index, layer) in (1..).zip(&spec.image.layers) {
        let dir = layer.dir.to_string_lossy().into_owned();
        if layer.unpacked {
            b.runtime(
                Phase::Image,
                &format!("use-layer-{index}"),
                Op::UseLayer {
                    index,
                    diff_id: layer.diff_id.clone(),
                    chain_id: layer.chain_id.clone(),
                    dir,
                    created_by: layer.created_by.clone(),
                },
            );
        } else {
            b.runtime(
                Phase::Image,
                &format!("unpack-layer-{index}"),
                Op::UnpackLayer {
                    index,
                    blob: layer.blob.clone(),
                    media_type: layer.media_type.clone(),
                    size: layer.size,
                    diff_id: layer.diff_id.clone(),
                    chain_id: layer.chain_id.clone(),
                    dir,
                    created_by: layer.created_by.clone(),
                },
            );
        }
    }
}

pub(super) fn kernel(b: &mut Builder, spec: &RunSpec) {
    b.runtime(Phase::Rootfs, "read-host-kernel", Op::ReadHostKernel);
    let layers = spec.image.layers.iter().map(|l| l.dir.to_string_lossy().into_owned()).collect();
    b.runtime(Phase::Rootfs, "look-for-kernel", Op::LookForKernel { layers });
}

pub(super) fn union(b: &mut Builder, spec: &RunSpec, facts: &HostFacts) {
    let dir = |name: &str| spec.dirs.container.join(name).to_string_lossy().into_owned();
    for (name, mode) in [("upper", 0o755), ("work", 0o700), ("rootfs", 0o755)] {
        b.runtime(Phase::Union, &format!("make-{name}"), Op::MakeDir { path: dir(name), mode });
    }
    // The option string has to be handed over in init's own mount namespace;
    // a detached mount is built by the runtime and belongs to no namespace yet.
    if facts.overlay == OverlayStyle::Detached {
        let (uid, gid) = id_maps(spec);
        if facts.mapped_layers && !uid.is_empty() {
            let own = spec.dirs.container.to_string_lossy().into_owned();
            b.runtime(Phase::Union, "map-layers", Op::MapLayers { layers: lower(spec), own, uid, gid });
        }
        b.add(Phase::Union, Actor::Runtime, "mount-overlay", overlay(spec, facts.overlay));
    }
}

/// The steps by which init puts the union in its place.
pub(super) fn place_union(b: &mut Builder, spec: &RunSpec, facts: &HostFacts) {
    match facts.overlay {
        OverlayStyle::Detached => {
            b.init(Phase::Mounts, "attach-rootfs", Op::AttachRootfs { target: rootfs(spec) });
        }
        OverlayStyle::Options => {
            b.init(Phase::Mounts, "mount-overlay", overlay(spec, facts.overlay));
        }
    }
}

fn lower(spec: &RunSpec) -> Vec<String> {
    spec.image.layers.iter().rev().map(|l| l.dir.to_string_lossy().into_owned()).collect()
}

fn overlay(spec: &RunSpec, style: OverlayStyle) -> Op {
    let dir = |name: &str| spec.dirs.container.join(name).to_string_lossy().into_owned();
    Op::MountOverlay {
        lower: lower(spec),
        upper: dir("upper"),
        work: dir("work"),
        style,
        target: rootfs(spec),
    }
}
