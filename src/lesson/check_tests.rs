use std::collections::BTreeMap;

use super::*;
use crate::lesson::text::{LANGS, Lang};

/// A state in memory: `(tree, path)` to what is there.
#[derive(Default)]
struct Fake {
    containers: Vec<Container>,
    images: BTreeMap<String, Vec<Tree>>,
    trees: BTreeMap<(String, String), Found>,
}

impl State for Fake {
    fn container(&self, name: &str) -> Result<Option<Container>, StateError> {
        Ok(self.containers.iter().find(|c| c.name == name).cloned())
    }

    fn image(&self, image: &str) -> Result<Option<Vec<Tree>>, StateError> {
        Ok(self.images.get(image).cloned())
    }

    fn look(&self, tree: &Tree, path: &LayerPath) -> Result<Found, StateError> {
        if tree.0 == "broken" {
            let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(StateError { what: format!("broken{path}"), source });
        }
        Ok(self.trees.get(&(tree.0.clone(), path.to_string())).cloned().unwrap_or(Found::Absent))
    }
}

fn file(text: &str) -> Found {
    Found::File { size: text.len() as u64, content: text.as_bytes().to_vec() }
}

fn fake() -> Fake {
    let tree = |t: &str| Tree(t.to_owned());
    let container = |name: &str, status, lowers: &[&str]| Container {
        name: name.to_owned(),
        image: "docker.io/library/box:latest".to_owned(),
        status,
        upper: tree(&format!("up-{name}")),
        lowers: lowers.iter().map(|t| tree(t)).collect(),
        volumes: vec![
            crate::lesson::Volume { source: tree("vol"), target: "/data".to_owned() },
            crate::lesson::Volume { source: tree("inner"), target: "/data/in".to_owned() },
        ],
    };
    let mut trees = BTreeMap::new();
    for (tree, path, found) in [
        ("l2", "/etc/motd", file("welcome\n")),
        ("l1", "/etc/motd", file("older\n")),
        ("l1", "/etc/gone", Found::Whiteout),
        ("l1", "/lib", Found::Symlink { target: "usr/lib".into() }),
        ("up-a", "/etc/motd", file("welcome\nmoo\n")),
        ("up-b", "/etc/motd", file("moo\n")),
        ("up-b", "/etc/passwd", Found::Whiteout),
        ("up-b", "/skel", Found::Dir { opaque: true }),
        ("up-b", "/plain", Found::Dir { opaque: false }),
        ("up-b", "/pipe", Found::Other),
        ("vol", "/note", file("kept")),
        ("inner", "/note", file("deep")),
    ] {
        trees.insert((tree.to_owned(), path.to_owned()), found);
    }
    Fake {
        containers: vec![
            container("a", Status::Exited, &["l2", "l1"]),
            container("b", Status::Running, &["l2", "l1"]),
            container("c", Status::Created, &["l1"]),
        ],
        images: BTreeMap::from([("box".to_owned(), vec![tree("l2"), tree("l1")])]),
        trees,
    }
}

fn parse(check: &str) -> Check {
    #[derive(serde::Deserialize)]
    struct One {
        check: Check,
    }
    toml::from_str::<One>(&format!("check = {{ {check} }}")).unwrap_or_else(|e| panic!("{check}: {e}")).check
}

#[test]
fn checks_look_at_the_state() {
    let state = fake();
    let cases: &[(&str, bool, &str)] = &[
        ("container_exists = { name = \"a\" }", true, "container a"),
        ("container_exists = { name = \"z\" }", false, "no container z"),
        ("container_status = { name = \"b\", status = \"running\" }", true, "running"),
        ("container_status = { name = \"b\", status = \"exited\" }", false, "running"),
        ("container_image = { name = \"a\", image = \"box\" }", true, "library/box:latest"),
        ("container_image = { name = \"a\", image = \"other\" }", false, "library/box:latest"),
        ("image_exists = { image = \"box\" }", true, "2 layers"),
        ("image_exists = { image = \"none\" }", false, "no image none"),
        ("same_layers = { name = \"a\", other = \"b\" }", true, "2 are the same"),
        ("same_layers = { name = \"a\", other = \"c\" }", false, "1 are the same"),
        ("same_layers = { name = \"a\", other = \"z\" }", false, "no container z"),
        ("upper_has = { name = \"a\", path = \"/etc/motd\" }", true, "12 bytes"),
        ("upper_has = { name = \"a\", path = \"/etc/motd\", contains = \"moo\" }", true, "with \"moo\""),
        ("upper_has = { name = \"a\", path = \"/etc/motd\", contains = \"baa\" }", false, "without \"baa\""),
        ("upper_has = { name = \"a\", path = \"/none\" }", false, "nothing is there"),
        ("upper_has = { name = \"b\", path = \"/etc/passwd\" }", false, "a whiteout"),
        ("upper_has = { name = \"b\", path = \"/skel\" }", true, "opaque"),
        ("upper_has = { name = \"b\", path = \"/skel\", contains = \"x\" }", false, "opaque"),
        ("upper_has = { name = \"b\", path = \"/pipe\" }", true, "neither"),
        ("upper_has = { name = \"z\", path = \"/x\" }", false, "no container z"),
        ("copied_up = { name = \"a\", path = \"/etc/motd\" }", true, "read-only layer 2 of 2 beneath a"),
        ("copied_up = { name = \"b\", path = \"/etc/motd\" }", false, "first line \"moo\""),
        ("copied_up = { name = \"b\", path = \"/skel\" }", false, "none of its 2 layers"),
        ("upper_lacks = { name = \"a\", path = \"/none\" }", true, "nothing is there"),
        ("upper_lacks = { name = \"b\", path = \"/etc/passwd\" }", false, "a whiteout"),
        ("upper_lacks = { name = \"z\", path = \"/none\" }", false, "no container z"),
        ("upper_whiteout = { name = \"b\", path = \"/etc/passwd\" }", true, "a whiteout"),
        ("upper_whiteout = { name = \"b\", path = \"/etc/motd\" }", false, "4 bytes"),
        ("upper_opaque = { name = \"b\", path = \"/skel\" }", true, "opaque"),
        ("upper_opaque = { name = \"b\", path = \"/plain\" }", false, "a directory"),
        ("layer_has = { image = \"box\", path = \"/etc/motd\", contains = \"older\" }", true, "layer 1 of 2"),
        (
            "layer_has = { image = \"box\", path = \"/etc/motd\", contains = \"moo\" }",
            false,
            "without \"moo\"",
        ),
        ("layer_has = { image = \"box\", path = \"/lib\" }", true, "symbolic link to usr/lib"),
        ("layer_has = { image = \"box\", path = \"/etc/gone\" }", false, "a whiteout"),
        ("layer_has = { image = \"box\", path = \"/none\" }", false, "none of its 2 layers"),
        ("layer_has = { image = \"none\", path = \"/x\" }", false, "no image none"),
        ("volume_has = { name = \"a\", path = \"/data/note\", contains = \"kept\" }", true, "vol/note"),
        ("volume_has = { name = \"a\", path = \"/data/in/note\", contains = \"deep\" }", true, "inner/note"),
        ("volume_has = { name = \"a\", path = \"/data/none\" }", false, "nothing is there"),
        ("volume_has = { name = \"a\", path = \"/database\" }", false, "no volume"),
        ("volume_has = { name = \"z\", path = \"/data/note\" }", false, "no container z"),
        ("not = { container_exists = { name = \"z\" } }", true, "no container z"),
        (
            "any = [{ container_exists = { name = \"z\" } }, { container_exists = { name = \"a\" } }]",
            true,
            "no container z",
        ),
        (
            "all = [{ container_exists = { name = \"z\" } }, { container_exists = { name = \"a\" } }]",
            false,
            "container a",
        ),
        (
            "all = [{ container_exists = { name = \"b\" } }, { container_exists = { name = \"a\" } }]",
            true,
            "container b",
        ),
        (
            "any = [{ container_exists = { name = \"y\" } }, { container_exists = { name = \"z\" } }]",
            false,
            "container y",
        ),
    ];
    for (source, passed, said) in cases {
        let check = parse(source);
        let look = check.look(&state).unwrap();
        let words: Vec<_> = look.evidence.iter().map(|e| e.words(Lang::En)).collect();
        let words = words.join("; ");
        assert_eq!(look.passed, *passed, "{source}: {words}");
        assert!(words.contains(said), "{source}: {words}");
        let negated = Check::Not(Box::new(check.clone()));
        assert_eq!(negated.look(&state).unwrap().passed, !passed, "not {source}");
        for lang in LANGS {
            let wanted = check.wanted(lang);
            assert!(!wanted.contains(['{', '$']) && !wanted.starts_with("want-"), "{wanted}");
            for name in check.containers() {
                assert!(wanted.contains(name.as_str()), "{wanted}");
            }
        }
    }
}

#[test]
fn a_state_that_cannot_be_read_is_no_verdict() {
    let mut state = fake();
    state.containers[0].upper = Tree("broken".into());
    let error = parse("upper_lacks = { name = \"a\", path = \"/x\" }").look(&state).unwrap_err();
    assert!(error.to_string().starts_with("read broken/x: "), "{error}");
}

#[test]
fn a_check_is_written_as_it_is_read() {
    let check = parse("all = [{ not = { upper_has = { name = \"a\", path = \"/x\", contains = \"y\" } } }]");
    let json = serde_json::to_string(&check).unwrap();
    assert_eq!(serde_json::from_str::<Check>(&json).unwrap(), check);
}
