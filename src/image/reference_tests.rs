use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn normal_and_familiar_forms() {
    let table = [
        ("box", "docker.io/library/box:latest", "box:latest"),
        ("box:1.2", "docker.io/library/box:1.2", "box:1.2"),
        ("me/box", "docker.io/me/box:latest", "me/box:latest"),
        ("index.docker.io/box", "docker.io/library/box:latest", "box:latest"),
        ("docker.io/library/box", "docker.io/library/box:latest", "box:latest"),
        ("localhost/box", "localhost/box:latest", "localhost/box:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
        ("host:5000/box", "host:5000/box:latest", "host:5000/box:latest"),
        ("host:5000/a/b/c:t", "host:5000/a/b/c:t", "host:5000/a/b/c:t"),
        ("[::1]:5000/box:t", "[::1]:5000/box:t", "[::1]:5000/box:t"),
        ("Host/box", "Host/box:latest", "Host/box:latest"),
        ("docker.io/a.b/box", "docker.io/a.b/box:latest", "docker.io/a.b/box:latest"),
        ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"),
    ];
    for (input, full, familiar) in table {
        let r = Reference::parse(input).unwrap_or_else(|e| panic!("{input}: {e}")).or_latest();
        assert_eq!((r.to_string().as_str(), r.familiar().as_str()), (full, familiar), "{input}");
        assert_eq!(Reference::parse(full).unwrap(), r, "the full form means the same");
    }
}

#[test]
fn a_digest_takes_no_default_tag() {
    let r = Reference::parse(&format!("box@sha256:{HEX}")).unwrap().or_latest();
    assert_eq!((r.tag(), r.digest()), (None, Some(format!("sha256:{HEX}").as_str())));
    let r = Reference::parse(&format!("box:t@sha256:{HEX}")).unwrap().or_latest();
    assert_eq!(r.to_string(), format!("docker.io/library/box:t@sha256:{HEX}"));
}

#[test]
fn refused() {
    use ReferenceError as E;
    let long_tag = format!("box:{}", "t".repeat(129));
    let upper = format!("box@sha256:{}", HEX.to_uppercase());
    let table: &[(&str, E)] = &[
        ("", E::Format),
        ("/", E::Format),
        ("a//b", E::Format),
        ("a/", E::Format),
        ("box:", E::Format),
        ("box@", E::Format),
        ("box: t", E::Format),
        ("a___b", E::Format),
        ("a..b", E::Format),
        ("a._b", E::Format),
        ("host:port/box", E::Format),
        ("[::1/box", E::Format),
        ("../../etc", E::Format),
        ("box\n", E::Format),
        (&long_tag, E::Format),
        (&upper, E::Format),
        ("Box", E::Uppercase("library/Box".into())),
        (HEX, E::LooksLikeId(HEX.into())),
        ("box@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4", E::DigestLength),
        ("box@md5:e3b0c44298fc1c149afbf4c8996fb924", E::DigestAlgorithm),
    ];
    for (input, error) in table {
        assert_eq!(Reference::parse(input).as_ref().unwrap_err(), error, "{input}");
    }
}

/// The rows were made by a program without any digest algorithm compiled in:
/// every well-formed digest says "unsupported digest algorithm" there. Such a
/// row is met when sha256 and sha512 of the right length parse, and the others
/// are refused.
#[test]
fn corpus() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora/names/image-references.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else {
        #[expect(clippy::print_stderr, reason = "a test that skips says so")]
        {
            eprintln!("skipped: {path} is absent");
        }
        return;
    };
    let mut rows = 0;
    for line in text.lines() {
        rows += 1;
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| row[name].as_str().map(str::to_owned);
        let input = field("input").unwrap();
        let parsed = Reference::parse(&input);
        match field("error").as_deref() {
            Some("unsupported digest algorithm") => match parsed {
                Ok(r) => assert!(matches!(r.digest().map(str::len), Some(71 | 135)), "{input}"),
                Err(e) => {
                    assert!(
                        matches!(e, ReferenceError::DigestAlgorithm | ReferenceError::DigestLength),
                        "{input}"
                    );
                }
            },
            Some(error) => assert_eq!(parsed.unwrap_err().to_string(), error, "{input}"),
            None => {
                let r = parsed.unwrap_or_else(|e| panic!("{input}: {e}"));
                assert_eq!(Some(r.name()), field("name"), "{input}");
                assert_eq!(Some(r.domain().to_owned()), field("domain"), "{input}");
                assert_eq!(Some(r.path().to_owned()), field("path"), "{input}");
                assert_eq!(r.tag().map(str::to_owned), field("tag"), "{input}");
                assert_eq!(Some(r.familiar()), field("familiar"), "{input}");
                assert_eq!(Some(r.or_latest().to_string()), field("defaulted"), "{input}");
            }
        }
    }
    assert!(rows > 400, "only {rows} rows");
}
