//! Credentials: asked for, tried, kept, used, forgotten.

use std::os::unix::fs::PermissionsExt;

use super::images::small;
use super::real::{Registry, Setup};
use crate::support::{Ran, Sandbox, with_input};

/// With a configuration directory of its own.
fn docker(sandbox: &Sandbox, args: &[&str], input: &str) -> Ran {
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = sandbox.command(args);
    command.env("DOCKER_CONFIG", sandbox.path("docker")).env("PATH", path);
    with_input(&mut command, input)
}

#[test]
#[ignore = "root"]
fn with_a_password() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup { htpasswd: true, ..Setup::default() });
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let host = registry.host.as_str();

    let refused = docker(&sandbox, &["push", &name], "").expect(1).err;
    assert!(refused.contains("authentication required"), "{refused}");
    assert!(refused.contains(&format!("glassbox login {host}")), "{refused}");
    let login = ["login", "-u", "ann", "--password-stdin", host];
    let wrong = docker(&sandbox, &login, "guess\n").expect(1).err;
    assert!(wrong.contains("authentication required") && !wrong.contains("guess"), "{wrong}");
    let config = sandbox.path("docker/config.json");
    assert!(!config.exists(), "a wrong password is not kept");

    let right = docker(&sandbox, &login, "geheim\n").expect(0);
    assert_eq!(right.out, "Login Succeeded\n");
    assert!(right.err.contains("unencrypted"), "{}", right.err);
    assert_eq!(std::fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    // Once more, without a question.
    assert_eq!(docker(&sandbox, &["login", host], "").expect(0).out, "Login Succeeded\n");
    docker(&sandbox, &["push", &name], "").expect(0);
    docker(&sandbox, &["pull", &name], "").expect(0);

    let out = docker(&sandbox, &["logout", host], "").expect(0).out;
    assert_eq!(out, format!("Removing login credentials for {host}\n"));
    assert_eq!(docker(&sandbox, &["logout", host], "").expect(0).out, format!("Not logged in to {host}\n"));
    let refused = docker(&sandbox, &["pull", &name], "").expect(1).err;
    assert!(refused.contains("authentication required"), "{refused}");
    let asked = docker(&sandbox, &["login", host], "").expect(1).err;
    assert!(asked.contains("no terminal") && asked.contains("--password-stdin"), "{asked}");
}

#[test]
#[ignore = "root"]
fn with_a_credential_helper() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup { htpasswd: true, ..Setup::default() });
    let name = registry.load(&sandbox, &small(0), "app:v1");
    let host = registry.host.as_str();
    let kept = sandbox.path("kept");
    let script = format!(
        "#!/bin/sh\ncase $1 in\nstore) cat > {0} ;;\n\
         get) cat {0} 2>/dev/null || {{ echo credentials not found in native keychain; exit 1; }} ;;\n\
         erase) rm {0} ;;\nesac\n",
        kept.display()
    );
    std::fs::create_dir_all(sandbox.path("bin")).unwrap();
    std::fs::create_dir_all(sandbox.path("docker")).unwrap();
    let helper = sandbox.path("bin/docker-credential-test");
    std::fs::write(sandbox.path("script"), script).unwrap();
    // Copied by a child: no thread of this process has it open for writing.
    let copied = sandbox.inside("install").arg("-m755").arg(sandbox.path("script")).arg(&helper).status();
    assert!(copied.unwrap().success());
    let config = sandbox.path("docker/config.json");
    std::fs::write(&config, format!(r#"{{"credHelpers": {{"{host}": "test"}}, "detachKeys": "x"}}"#))
        .unwrap();

    let login = ["login", "-u", "ann", "-p", "geheim", host];
    let ran = docker(&sandbox, &login, "").expect(0);
    assert!(ran.err.contains("insecure") && !ran.err.contains("unencrypted"), "{}", ran.err);
    assert!(std::fs::read_to_string(&kept).unwrap().contains("geheim"));
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(!text.contains("geheim") && text.contains("detachKeys"), "{text}");
    docker(&sandbox, &["push", "-q", &name], "").expect(0);
    docker(&sandbox, &["logout", host], "").expect(0);
    assert!(!kept.exists());
    docker(&sandbox, &["pull", &name], "").expect(1);
}
