//! Push and pull, and what Docker's users see of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::images::{digest, noise, small};
use super::real::{Registry, Setup, elsewhere, unpacked};
use crate::support::Sandbox;

#[test]
#[ignore = "root"]
fn pushed_here_and_pulled_there() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let parts = small(3_000_000);
    let name = registry.load(&sandbox, &parts, "team/app:v1");
    let manifest = digest(&parts.manifest);

    let pushed = sandbox.glassbox(&["push", &name]).expect(0);
    let lines: Vec<&str> = pushed.out.lines().collect();
    assert_eq!(lines[0], format!("The push refers to repository [{}/team/app]", registry.host));
    assert_eq!(lines.iter().filter(|l| l.ends_with(": Preparing")).count(), 3, "{}", pushed.out);
    assert_eq!(lines.iter().filter(|l| l.ends_with(": Pushed")).count(), 3, "{}", pushed.out);
    assert_eq!(*lines.last().unwrap(), format!("v1: digest: {manifest} size: {}", parts.manifest.len()));
    assert_eq!(pushed.err, "");
    for layer in &parts.layers {
        assert!(registry.has(&digest(layer)));
    }
    let again = sandbox.glassbox(&["push", &name]).expect(0);
    assert_eq!(again.out.matches(": Layer already exists").count(), 3, "{}", again.out);
    assert_eq!(sandbox.glassbox(&["push", "-q", &name]).expect(0).out, format!("{name}\n"));

    let pulled = elsewhere(&sandbox, "there", &["pull", &name]).expect(0);
    let lines: Vec<&str> = pulled.out.lines().collect();
    assert_eq!(lines[0], "v1: Pulling from team/app");
    for words in ["Pulling fs layer", "Download complete", "Pull complete"] {
        assert_eq!(pulled.out.matches(words).count(), 3, "{words}: {}", pulled.out);
    }
    let last =
        [format!("Digest: {manifest}"), format!("Status: Downloaded newer image for {name}"), name.clone()];
    assert_eq!(lines[lines.len() - 3..], last);
    assert_eq!(unpacked(&sandbox, "there", "noise"), Some(noise(3_000_000, 7)));
    assert_eq!(unpacked(&sandbox, "there", "etc/name"), Some(b"glass\n".to_vec()));

    let again = elsewhere(&sandbox, "there", &["pull", &name]).expect(0);
    assert!(again.out.contains(&format!("Status: Image is up to date for {name}")), "{}", again.out);
    assert_eq!(elsewhere(&sandbox, "there", &["pull", "-q", &name]).expect(0).out, format!("{name}\n"));
    // By digest, and found by it afterwards.
    let by_digest = format!("{}/team/app@{manifest}", registry.host);
    let pulled = elsewhere(&sandbox, "third", &["pull", &by_digest]).expect(0);
    assert!(pulled.out.starts_with(&format!("{manifest}: Pulling from team/app\n")), "{}", pulled.out);
    elsewhere(&sandbox, "third", &["inspect", &by_digest]).expect(0);
}

#[test]
#[ignore = "root"]
fn all_tags_and_mounted_layers() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let first = small(0);
    registry.load(&sandbox, &first, "team/app:v1");
    registry.load(&sandbox, &first, "team/app:v2");
    let team = format!("{}/team/app", registry.host);
    let pushed = sandbox.glassbox(&["push", "-a", &team]).expect(0).out;
    assert!(pushed.contains("\nv1: digest: ") && pushed.contains("\nv2: digest: "), "{pushed}");

    let other = registry.load(&sandbox, &first, "other/app:latest");
    let pushed = sandbox.glassbox(&["push", &other]).expect(0).out;
    assert_eq!(pushed.matches(": Mounted from team/app").count(), 2, "{pushed}");

    let pulled = elsewhere(&sandbox, "there", &["pull", "-a", &team]).expect(0).out;
    assert!(pulled.contains("v1: Pulling from team/app\n") && pulled.contains("v2: Pulling from team/app\n"));
    assert_eq!(pulled.matches(": Already exists").count(), 2, "{pulled}");
    assert!(pulled.ends_with(&format!("Status: Downloaded newer image for {team}\n{team}\n")), "{pulled}");
    let images = elsewhere(&sandbox, "there", &["images"]).expect(0).out;
    assert_eq!(images.matches(&team).count(), 2, "{images}");
}

#[test]
#[ignore = "root"]
fn a_run_fetches_what_is_missing() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let busybox = std::fs::read("/bin/busybox").expect("the Debian package busybox-static is needed");
    let image = |text: &str| {
        let files: [(&str, &[u8]); 2] = [("bin/cat", &busybox), ("version", text.as_bytes())];
        super::images::Parts::new(&[super::images::tar_of(&files)], super::images::architecture())
    };
    let name = registry.load(&sandbox, &image("one\n"), "app:latest");
    sandbox.glassbox(&["push", &name]).expect(0);
    let run = |args: &[&str]| {
        let command = ["run", "--rm", "--network", "none"];
        let end = [name.as_str(), "cat", "/version"];
        elsewhere(&sandbox, "there", &[&command[..], args, &end[..]].concat())
    };
    let never = run(&["--pull", "never"]).expect(125);
    assert!(never.err.contains("no such image"), "{}", never.err);
    let told = elsewhere(
        &sandbox,
        "told",
        &["--lang", "en", "run", "--rm", "--network", "none", "--trace", &name, "cat", "/version"],
    );
    let told = told.expect(0).err.split_whitespace().collect::<Vec<_>>().join(" ");
    let (pulled, ran) = told.split_once("The exit status of").expect("two stories");
    for words in ["image.ask-registry", "Take in layer 1 of 1", "image.name-images"] {
        assert!(pulled.contains(words) && !ran.contains(words), "{words}: {told}");
    }
    assert!(ran.contains("exec.exec"), "{told}");
    // One recording has both.
    let file = sandbox.path("run.jsonl");
    let file = file.to_str().unwrap();
    let record = ["run", "--rm", "--network", "none", "--trace-file", file, &name, "cat", "/version"];
    elsewhere(&sandbox, "recorded", &record).expect(0);
    sandbox.glassbox(&["trace", "check", file]).expect(0);
    let replayed = sandbox.glassbox(&["--lang", "en", "replay", file]).expect(0).out;
    for words in ["image.take-layer-1", "image.name-images", "exec.exec", "The command's exit status is 0."] {
        assert!(replayed.contains(words), "{words}: {replayed}");
    }
    let first = run(&[]).expect(0);
    assert_eq!(first.out, "one\n");
    assert!(first.err.starts_with(&format!("Unable to find image '{name}' locally\n")), "{}", first.err);
    assert!(first.err.contains(&format!("Status: Downloaded newer image for {name}")), "{}", first.err);
    assert_eq!(run(&[]).expect(0).err, "");

    registry.load(&sandbox, &image("two\n"), "app:latest");
    sandbox.glassbox(&["push", &name]).expect(0);
    assert_eq!(run(&[]).expect(0).out, "one\n", "what is here is used");
    assert_eq!(run(&["--pull", "always"]).expect(0).out, "two\n");
    assert_eq!(run(&["--pull", "never"]).expect(0).out, "two\n");
}

#[test]
#[ignore = "root"]
fn what_is_not_there() {
    let sandbox = Sandbox::root();
    let registry = Registry::start(&sandbox, &Setup::default());
    let name = registry.load(&sandbox, &small(0), "app:v1");
    sandbox.glassbox(&["push", &name]).expect(0);
    let host = &registry.host;
    for (args, words) in [
        (vec!["pull".to_owned(), format!("{host}/app:v2")], "not found: manifest unknown"),
        (vec!["pull".into(), format!("{host}/none")], "not found"),
        (vec!["pull".into(), "-a".into(), format!("{host}/none")], "not found"),
        (vec!["pull".into(), "-a".into(), name.clone()], "--all-tags"),
        (vec!["pull".into(), "UPPER".into()], "lowercase"),
        (vec!["pull".into(), "--platform".into(), "linux/s390x".into(), name.clone()], "linux/s390x"),
        (vec!["pull".into(), "--platform".into(), "no/such/thing/at/all".into(), name.clone()], "--platform"),
        (vec!["push".into(), format!("{host}/none")], "no such image"),
        (vec!["push".into(), "-a".into(), format!("{host}/none")], "does not exist locally"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = sandbox.glassbox(&args).expect(1);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    }
}

#[test]
#[ignore = "root"]
fn a_download_that_breaks_goes_on() {
    // In the host's network: the proxy is a thread of this process.
    let sandbox = Sandbox::plain();
    let registry = Registry::start(&sandbox, &Setup::default());
    let name = registry.load(&sandbox, &small(8_000_000), "app:v1");
    sandbox.glassbox(&["push", &name]).expect(0);
    let proxy = Cutter::start(registry.host.clone(), 1_500_000, 4);
    let pulled = elsewhere(&sandbox, "there", &["pull", &format!("{}/app:v1", proxy.host)]).expect(0);
    assert!(pulled.out.contains("Status: Downloaded newer image"), "{}", pulled.out);
    assert_eq!(unpacked(&sandbox, "there", "noise"), Some(noise(8_000_000, 7)));
    assert_eq!(proxy.cut.load(Ordering::SeqCst), 4, "it was cut as often as it could be");
    // 8 MB came once, and a little more: not five times.
    let passed = proxy.passed.load(Ordering::SeqCst);
    assert!(passed < 10_000_000, "{passed} bytes");
}

/// Passes on to a registry, and cuts long answers.
struct Cutter {
    host: String,
    cut: Arc<AtomicUsize>,
    passed: Arc<AtomicUsize>,
}

impl Cutter {
    fn start(registry: String, after: usize, times: usize) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (cut, passed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (cut.clone(), passed.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&registry) else { return };
                let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut up_from, &mut up_to);
                    let _ = up_to.shutdown(Shutdown::Write);
                });
                let counts = (counts.0.clone(), counts.1.clone());
                std::thread::spawn(move || down(&server, &client, after, times, &counts));
            }
        });
        Cutter { host, cut, passed }
    }
}

fn down(
    mut server: &TcpStream,
    mut client: &TcpStream,
    after: usize,
    times: usize,
    (cut, passed): &(Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let (mut buffer, mut through) = (vec![0; 64 * 1024], 0);
    while let Ok(n @ 1..) = server.read(&mut buffer) {
        through += n;
        passed.fetch_add(n, Ordering::SeqCst);
        if client.write_all(&buffer[..n]).is_err() {
            break;
        }
        if through >= after
            && cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |c| (c < times).then_some(c + 1)).is_ok()
        {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
