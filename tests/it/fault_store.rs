//! Stores and receipts that are not as they should be.

use std::fs;
use std::path::PathBuf;

use crate::support::{Ran, Sandbox};

fn receipts(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("run").join(sandbox.key().unwrap()).join("receipts")
}

/// A run that was killed where it has a cgroup and a process, and its receipt's plan.
fn killed(sandbox: &Sandbox) -> PathBuf {
    sandbox
        .glassbox(&["run", "--network", "none", "--kill-at", "union.make-work", "box", "true"])
        .expect(137);
    let id = sandbox.host().receipts.pop_first().unwrap();
    receipts(sandbox).join(id).join("plan.json")
}

#[test]
#[ignore = "root"]
fn a_damaged_receipt_is_named_once() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    for keep in [0, 1, 300] {
        let plan = killed(&sandbox);
        let text = fs::read(&plan).unwrap();
        fs::write(&plan, &text[..keep]).unwrap();
        let said = sandbox.glassbox(&["ps"]).expect(0).err;
        assert!(said.contains("the receipt of container") && said.contains("damaged"), "{said}");
        assert_eq!(sandbox.glassbox(&["ps"]).expect(0).err, "");
        sandbox.wait_for_host(&before, "a damaged receipt");
    }
}

#[test]
#[ignore = "root"]
fn a_receipt_without_a_plan_has_nothing_to_undo() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    for name in ["new-aaaa-0", "bbbb"] {
        fs::create_dir(receipts(&sandbox).join(name)).unwrap();
        assert_eq!(sandbox.glassbox(&["ps"]).expect(0).err, "");
        sandbox.wait_for_host(&before, name);
    }
    // What a removal or a start that was cut off left of a container.
    fs::create_dir_all(sandbox.store().join("containers/cccc/upper/deep")).unwrap();
    sandbox.glassbox(&["ps"]).expect(0);
    sandbox.wait_for_host(&before, "a directory without a record");
}

#[test]
#[ignore = "root"]
fn a_receipt_of_a_newer_glassbox_is_left_alone() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    let plan = killed(&sandbox);
    let text = fs::read_to_string(&plan).unwrap();
    let newer = text.replacen("\"version\":1", "\"version\":99", 1);
    assert_ne!(text, newer);
    fs::write(&plan, &newer).unwrap();
    let during = sandbox.host();
    for command in [&["ps"][..], &["run", "--rm", "--network", "none", "box", "true"]] {
        let said = sandbox.glassbox(command).expect(0).err;
        assert!(said.contains("newer glassbox") && said.contains("99"), "{said}");
        sandbox.wait_for_host(&during, "a newer receipt");
    }
    assert!(sandbox.glassbox(&["system", "repair"]).expect(1).out.contains("newer glassbox"));
    assert_eq!(fs::read_to_string(&plan).unwrap(), newer);
    fs::write(&plan, &text).unwrap();
    sandbox.glassbox(&["system", "repair"]).expect(0);
    sandbox.wait_for_host(&before, "the newer glassbox has repaired");
}

#[test]
#[ignore = "root"]
fn a_reboot_takes_the_run_time_directory() {
    let sandbox = Sandbox::root();
    let ran = ["run", "--network", "none", "--kill-at", "life.supervise", "box", "sh", "-c", "sleep 1000"];
    sandbox.glassbox(&ran).expect(137);
    // All that a reboot would take: processes, cgroups, and /run.
    sandbox.glassbox(&["ps"]).expect(0);
    let list = fs::read_dir(sandbox.store().join("containers")).unwrap().next().unwrap().unwrap();
    let record = list.path().join("record.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"exited\"", "\"created\"").replace("\"exit_code\":137,", "")).unwrap();
    fs::remove_dir_all(sandbox.path("run")).unwrap();
    let list = sandbox.glassbox(&["ps", "-a"]).expect(0).out;
    assert!(list.contains("Exited (137)"), "{list}");
}

/// Runs a shell script as root in a mount namespace of its own; `$G` is
/// glassbox with its store in `$S`.
fn in_own_mounts(sandbox: &Sandbox, script: &str) -> Ran {
    let store = sandbox.store();
    let text = format!(
        "S={s}; R={r}; G='{g} --root {s} --run-root {r}'\n{script}",
        s = store.display(),
        r = sandbox.path("run").display(),
        g = crate::support::GLASSBOX,
    );
    sandbox.inside("unshare").args(["-m", "sh", "-c", &text]).output().unwrap().into()
}

/// What a command in a failing store leaves: nothing in the run-time directory
/// and no container.
const LEFT: &str = "ls $R/*/receipts $R/*/networks/*/leases $S/containers 2>/dev/null | grep -v : | grep .";

fn fails_cleanly(sandbox: &Sandbox, prepare: &str, words: &[&str]) {
    let script = format!(
        "{prepare}\n$G run --network none box sh -c 'echo ran'; echo status $?; {LEFT} && echo left; true"
    );
    let ran = in_own_mounts(sandbox, &script).expect(0);
    assert_eq!(ran.out, "status 125\n", "{}", ran.err);
    assert!(words.iter().all(|w| ran.err.contains(w)), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn a_read_only_store_is_refused_in_words() {
    let sandbox = Sandbox::root();
    fails_cleanly(
        &sandbox,
        "mkdir -p $S; mount -t tmpfs -o ro none $S",
        &["read-only file system (EROFS)", "store"],
    );
    // Read-only only now: the image is there.
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    fails_cleanly(
        &sandbox,
        "mount --bind $S $S; mount -o remount,ro,bind $S",
        &["read-only file system (EROFS)", "store"],
    );
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
}

#[test]
#[ignore = "root"]
fn a_store_on_an_overlay_is_refused_in_words() {
    let sandbox = Sandbox::root();
    fails_cleanly(
        &sandbox,
        "T=$S.t; mkdir -p $S $T; mount -t tmpfs none $T; mkdir $T/l $T/u $T/w; \
         mount -t overlay -o lowerdir=$T/l,upperdir=$T/u,workdir=$T/w none $S",
        &["overlay", "--root"],
    );
}

#[test]
#[ignore = "root"]
fn a_full_store_is_named_and_nothing_is_left() {
    let sandbox = Sandbox::root();
    let fill = "dd if=/dev/zero of=$S/fill bs=64k 2>/dev/null; dd if=/dev/zero of=$S/fill2 bs=1 2>/dev/null";
    fails_cleanly(
        &sandbox,
        &format!("mkdir -p $S; mount -t tmpfs -o size=1m none $S; {fill}"),
        &["no space left on device (ENOSPC)"],
    );
    // Full once the image is there; with room again it goes on.
    let script = format!(
        "mkdir -p $S; mount -t tmpfs -o size=900m none $S\n\
         $G run --rm --network none box true || exit 3\n\
         mount -o remount,size=$(du -sk $S | cut -f1)k $S; {fill}\n\
         $G run --network none box true; echo status $?; {LEFT} && echo left\n\
         rm $S/fill*; mount -o remount,size=900m $S\n\
         $G run --rm --network none box echo again"
    );
    let ran = in_own_mounts(&sandbox, &script).expect(0);
    assert_eq!(ran.out, "status 125\nagain\n", "{}", ran.err);
    assert!(ran.err.contains("ENOSPC"), "{}", ran.err);
}

#[test]
#[ignore = "root"]
fn a_trace_that_cannot_be_written_stops_the_run() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    let full = ["run", "--trace-file", "/dev/full", "box", "true"];
    let ran = sandbox.glassbox(&full).expect(125);
    assert!(ran.err.contains("write the trace"), "{}", ran.err);
    sandbox.wait_for_host(&before, "/dev/full");
    // Full in the middle, at different places.
    let whole = sandbox.path("trace");
    let file = whole.to_str().unwrap();
    sandbox.glassbox(&["run", "--rm", "--trace-file", file, "box", "true"]).expect(0);
    let kibibytes = fs::metadata(&whole).unwrap().len() / 1024;
    for size in [kibibytes / 4, kibibytes / 2, kibibytes * 3 / 4] {
        let script = format!(
            "T=$S.t; mkdir -p $T; mount -t tmpfs -o size={size}k none $T\n\
             $G run --name full --trace-file $T/trace box true; echo status $?"
        );
        let ran = in_own_mounts(&sandbox, &script).expect(0);
        assert_eq!(ran.out, "status 125\n", "{size}: {}", ran.err);
        assert!(ran.err.contains("write the trace: no space left on device (ENOSPC)"), "{}", ran.err);
        // Its command may have begun: then the container stays.
        sandbox.glassbox(&["rm", "-f", "full"]);
        sandbox.wait_for_host(&before, "a full trace");
    }
}
