//! From an operation to the group that carries it out. The matches are
//! exhaustive: a new operation does not compile until it has its place here.

use std::time::Instant;

use super::cx::Cx;
use super::evidence;
use super::state::State;
use super::{
    beneath, cgroup, clone, dev, files, images, inside, layers, mounts, net, security, terminal, union, views,
};
use crate::kernel::{Applied, Failure, StepFailure, Watch};
use crate::plan::Op;
use crate::trace::Fact;

/// Carries out one operation, in the process that calls it. `true` when its
/// work was done already.
///
/// `Clone`, `Exec` and `Supervise` are not here: they are how the two processes
/// begin and end, and belong to [`super::LinuxKernel`] and [`super::init`].
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    match op {
        Op::ReadImage { .. }
        | Op::UnpackLayer { .. }
        | Op::UseLayer { .. }
        | Op::ReadHostKernel
        | Op::LookForKernel { .. }
        | Op::ReadChanges { .. } => layers::apply(op, state),
        Op::MakeDir { .. } | Op::WriteFile { .. } | Op::RecordExit { .. } | Op::RemoveContainer { .. } => {
            files::apply(op, cx, state)
        }
        Op::MapLayers { .. } => views::apply(op, cx, state),
        Op::MountOverlay { .. } | Op::AttachRootfs { .. } => union::apply(op, cx, state),
        Op::CreateCgroup { .. } | Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::JoinCgroup { .. } => {
            cgroup::apply(op, cx)
        }
        Op::CreateBridge { .. }
        | Op::WriteSysctl { .. }
        | Op::CreateNat { .. }
        | Op::AllocateAddress { .. }
        | Op::CreateVeth { .. }
        | Op::PublishPort { .. }
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. } => net::apply(op, cx),
        Op::WriteIdMaps { uid, gid } => clone::write_id_maps(uid, gid, cx),
        Op::UnshareCgroup => clone::unshare_cgroup(cx.rec),
        Op::FindInit { state: file, container, cgroup } => {
            inside::find(file, container, cgroup, cx, state).map(|()| false)
        }
        Op::JoinNamespaces { namespaces } => inside::join(namespaces, cx.rec, state).map(|()| false),
        Op::MakeMountsPrivate
        | Op::Mount { .. }
        | Op::Bind { .. }
        | Op::PivotRoot { .. }
        | Op::RemountRootReadonly
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. } => {
            beneath::forget(state);
            mounts::apply(op, cx, state)
        }
        Op::MakeNode { .. } | Op::MakeSymlink { .. } | Op::SetHostname { .. } => dev::apply(op, cx, state),
        Op::OpenTerminal => terminal::open(cx, state),
        Op::SetRlimits { .. }
        | Op::SetNoNewPrivs
        | Op::DropBounding { .. }
        | Op::SetUser { .. }
        | Op::SetCapabilities { .. }
        | Op::LoadSeccomp { .. } => security::apply(op, cx, state),
        Op::Image(op) => images::apply(op, cx, state),
        Op::Undo { of, .. } => undo(of, cx, state).map(|()| false),
        Op::Clone { .. } | Op::SpawnInside { .. } | Op::Exec { .. } | Op::Supervise { .. } | Op::LetRun => {
            Err(misplaced(op))
        }
    }
}

/// Takes one operation back. What init made in its namespaces goes with them:
/// for those there is nothing to do.
pub fn undo(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<(), Failure> {
    match op {
        Op::MakeDir { .. } | Op::WriteFile { .. } => files::undo(op, cx, state),
        Op::MapLayers { .. } => {
            state.views = views::Views::default();
            Ok(())
        }
        Op::MountOverlay { .. } => {
            union::undo(op, state);
            Ok(())
        }
        Op::CreateCgroup { .. } | Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::JoinCgroup { .. } => {
            cgroup::undo(op, cx)
        }
        Op::CreateBridge { .. }
        | Op::WriteSysctl { .. }
        | Op::CreateNat { .. }
        | Op::AllocateAddress { .. }
        | Op::CreateVeth { .. }
        | Op::PublishPort { .. }
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. } => net::undo(op, cx),
        // The layers belong to the image, which stays.
        Op::ReadImage { .. } | Op::UnpackLayer { .. } | Op::UseLayer { .. } => Ok(()),
        Op::ReadHostKernel | Op::LookForKernel { .. } | Op::ReadChanges { .. } => Ok(()),
        // Let go of at the end of the plan.
        Op::FindInit { .. } => Ok(()),
        // Gone with the process, which the undo of `Clone` or `SpawnInside` kills.
        Op::Clone { .. }
        | Op::SpawnInside { .. }
        | Op::JoinNamespaces { .. }
        | Op::LetRun
        | Op::AttachRootfs { .. }
        | Op::WriteIdMaps { .. }
        | Op::UnshareCgroup
        | Op::MakeMountsPrivate
        | Op::Mount { .. }
        | Op::Bind { .. }
        | Op::MakeNode { .. }
        | Op::MakeSymlink { .. }
        | Op::PivotRoot { .. }
        | Op::RemountRootReadonly
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. }
        | Op::SetHostname { .. }
        | Op::OpenTerminal
        | Op::SetRlimits { .. }
        | Op::SetNoNewPrivs
        | Op::DropBounding { .. }
        | Op::SetUser { .. }
        | Op::SetCapabilities { .. }
        | Op::LoadSeccomp { .. }
        | Op::Exec { .. }
        | Op::Supervise { .. } => Ok(()),
        Op::Image(op) => images::undo(op, cx, state),
        // What was said and what was removed is not taken back.
        Op::RecordExit { .. } | Op::RemoveContainer { .. } | Op::Undo { .. } => Ok(()),
    }
}

/// Carries out one operation with what is asked for read around it.
pub fn watched(op: &Op, cx: &mut Cx<'_>, state: &mut State, watch: Watch) -> Result<Applied, StepFailure> {
    if watch == Watch::Off {
        return Ok(Applied { unchanged: apply(op, cx, state)?, ..Applied::default() });
    }
    let before = if watch == Watch::BeforeAndAfter { facts(op, cx, state) } else { Vec::new() };
    let start = Instant::now();
    let done = apply(op, cx, state);
    let micros = start.elapsed().as_micros() as u64;
    let calls = cx.rec.take();
    match done {
        Ok(unchanged) => {
            // Where there was nothing to hide there is no mount to read back.
            let nothing = unchanged && matches!(op, Op::MaskPath { .. } | Op::ReadonlyPath { .. });
            let after = if nothing { Vec::new() } else { facts(op, cx, state) };
            Ok(Applied { before, calls, after, micros, unchanged, said: None })
        }
        Err(failure) => Err(StepFailure {
            step: None,
            failure,
            applied: Applied { before, calls, micros, ..Applied::default() },
        }),
    }
}

/// What the kernel says now of the thing that an operation is about.
pub fn facts(op: &Op, cx: &Cx<'_>, state: &State) -> Vec<Fact> {
    if state.inside {
        // The runtime looks from outside: nothing in a container that runs can be trusted.
        return Vec::new();
    }
    match op {
        Op::CreateCgroup { .. } | Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::JoinCgroup { .. } => {
            cgroup::evidence(op, cx)
        }
        Op::CreateBridge { .. }
        | Op::WriteSysctl { .. }
        | Op::CreateNat { .. }
        | Op::AllocateAddress { .. }
        | Op::CreateVeth { .. }
        | Op::PublishPort { .. }
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. } => net::evidence(op, cx),
        Op::Image(op) => images::evidence(op, state),
        // With the process go the namespaces that were read through it.
        Op::Undo { of, .. } if matches!(**of, Op::Clone { .. }) => Vec::new(),
        Op::Undo { of, .. } => facts(of, cx, state),
        _ => evidence::of(op, cx, state),
    }
}

/// A plan gave an operation to an actor that cannot carry it out.
pub fn misplaced(op: &Op) -> Failure {
    Failure::new(format!("carry out {}: the plan has it in the wrong place", op.name()), None)
}
