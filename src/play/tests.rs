use super::*;

fn played(json: &str) -> Played {
    run(&Request::from_json(json).unwrap()).unwrap()
}

#[test]
fn a_run_is_told_from_begin_to_end() {
    let json = r#"{"command": ["sh", "-c", "cat; echo e >&2; exit 3"], "input": "in\n"}"#;
    let one = played(json);
    assert_eq!(
        (one.status, one.text(Stream::Stdout), one.text(Stream::Stderr)),
        (3, b"in\n".to_vec(), b"e\n".to_vec())
    );
    assert!(matches!(one.events[0].body, Body::Begin { .. }));
    assert!(matches!(one.events.last().unwrap().body, Body::End { status: 3 }));
    let written = &one.output[0];
    let before = &one.events[written.after as usize].body;
    assert!(matches!(before, Body::Life { .. }), "it came while the container lived: {before:?}");
    assert_eq!(
        serde_json::to_string(&one.events).unwrap(),
        serde_json::to_string(&played(json).events).unwrap()
    );
}

#[test]
fn a_later_run_goes_on_with_the_disk() {
    let first = played(r#"{"command": ["true"]}"#);
    let unpacks = |p: &Played| {
        p.events
            .iter()
            .filter(|e| matches!(&e.body, Body::About { step, .. } if step.0.contains("unpack")))
            .count()
    };
    let request =
        Request { disk: Some(String::from_utf8(first.disk.clone()).unwrap()), ..Request::default() };
    let second = run(&request).unwrap();
    assert_eq!((unpacks(&first), unpacks(&second)), (3, 0));
}

#[test]
fn bad_requests_are_refused_with_a_word() {
    for (json, word) in [
        ("{", "cannot read the request"),
        (r#"{"nosuch": 1}"#, "nosuch"),
        (r#"{"network": "x"}"#, "unknown network"),
        (r#"{"user": "nosuch"}"#, "nosuch"),
        (r#"{"publish": ["x"]}"#, "x"),
        (r#"{"disk": "{}"}"#, "cannot use this disk"),
    ] {
        let error = Request::from_json(json).and_then(|r| run(&r)).unwrap_err();
        assert!(error.message.contains(word), "{json}: {error}");
    }
    assert_eq!(played(r#"{"command": ["nosuch"]}"#).status, 127);
}
