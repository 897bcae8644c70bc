//! Each step fails once, and glassbox is killed before each step once: nothing is left
//! of the command, and the container goes on.

use serde_json::Value;

use super::Running;
use crate::support::Sandbox;

fn steps(container: &Running<'_>, options: &[&str]) -> Vec<String> {
    let of_plan: Vec<&str> = options.iter().copied().filter(|o| *o != "--trace").collect();
    let args = [&["plan", "exec", "--format", "json"], &of_plan[..], &["one", "sleep", "2000"]].concat();
    let plan: Value = serde_json::from_str(&container.sandbox.glassbox(&args).expect(0).out).unwrap();
    let id = |s: &Value| s["id"].as_str().unwrap().to_owned();
    plan["steps"].as_array().unwrap().iter().map(id).collect()
}

fn every_step(run: &[&str], options: &[&str]) {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, run);
    let before = sandbox.host();
    let steps = steps(&container, options);
    assert!(steps.len() > 6, "{steps:?}");
    for step in &steps {
        for how in ["--fail", "--kill-at"] {
            let ran = container.exec(&[options, &[how, step]].concat(), &["sleep", "2000"]);
            if how == "--fail" {
                assert_eq!(ran.status, 125, "{step}: {}", ran.err);
                assert!(ran.err.contains("EIO") && ran.err.contains(step.as_str()), "{step}: {}", ran.err);
            } else {
                assert_eq!(ran.status, 137, "{step}: {}", ran.err);
            }
            // Any next command undoes it; this one runs in the container.
            container.wait_for(&["sleep 1000"]);
            sandbox.wait_for_host(&before, &format!("{how} {step}"));
        }
    }
    assert_eq!(container.kill(), 137);
}

#[test]
#[ignore = "root"]
fn a_fault_at_every_step_leaves_the_container_as_it_was() {
    std::thread::scope(|s| {
        s.spawn(|| every_step(&[], &["-t"]));
        s.spawn(|| every_step(&["--security-opt", "no-new-privileges"], &["-d", "-u", "1000:1000"]));
        s.spawn(|| every_step(&["--userns", "100000:65536"], &["-i"]));
        s.spawn(|| every_step(&[], &["--trace"]));
    });
}

#[test]
#[ignore = "root"]
fn a_command_that_outlived_its_glassbox_is_found_by_its_birth() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    // By now it no longer dies with glassbox, which has not let go of it yet.
    container.exec(&["-d", "--kill-at", "life.let-run"], &["sleep", "2000"]).expect(137);
    let ran = sandbox.glassbox(&["system", "repair"]).expect(0);
    assert!(ran.out.contains("it was a command in a container"), "{}", ran.out);
    container.wait_for(&["sleep 1000"]);
    assert_eq!(sandbox.glassbox(&["system", "repair"]).expect(0).out, "nothing to repair\n");
}
