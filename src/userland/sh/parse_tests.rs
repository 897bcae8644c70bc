use super::*;

fn parse(text: &str) -> Result<List, Syntax> {
    Parser::new(text, true).all()
}

fn only(text: &str) -> Command {
    let list = parse(text).unwrap();
    assert_eq!(list.len(), 1, "{text}");
    list[0].list.first.stages[0].command.clone()
}

#[test]
fn lists_and_pipelines() {
    let list = parse("a && b || c | d & e; ! f\n").unwrap();
    assert_eq!(list.len(), 3);
    assert!(list[0].background && !list[1].background);
    assert_eq!(list[0].list.rest.iter().map(|(and, _)| *and).collect::<Vec<_>>(), [true, false]);
    assert_eq!(list[0].list.rest[1].1.stages.len(), 2);
    assert!(list[2].list.first.negated);
}

#[test]
fn words_keep_what_was_quoted() {
    let Command::Simple { words, assigns } = only(r#"x=1 echo a'b c'"d$e"\f"#) else { panic!() };
    assert_eq!(assigns, [("x".to_owned(), vec![Part::Text("1".into(), false)])]);
    let texts: Vec<_> = words[1]
        .iter()
        .map(|p| match p {
            Part::Text(t, q) => (t.as_str(), *q),
            Part::Param(p, q) => (p.name.as_str(), *q),
            _ => panic!(),
        })
        .collect();
    assert_eq!(texts, [("a", false), ("b c", true), ("d", true), ("e", true), ("f", true)]);
}

#[test]
fn compound_commands() {
    for text in [
        "if a; then b; elif c; then d; else e; fi",
        "while a; do b; done >x",
        "until a\ndo\nb\ndone",
        "for i in 1 2 3; do echo $i; done",
        "for i do echo; done",
        "case $x in a|b) c;; (d) ;; *) e; esac",
        "{ a; b; } 2>&1",
        "(a; b)",
        "f() { a; }",
        "f ( )\n(a)",
    ] {
        only(text);
    }
}

#[test]
fn here_documents_are_read_after_their_line() {
    let list = parse("cat <<A <<-'B'; echo x\nfirst $v\nA\n\tsecond $v\n\tB\necho y\n").unwrap();
    assert_eq!(list.len(), 3);
    let redirs = &list[0].list.first.stages[0].redirs;
    let RedirOp::Here(a) = &redirs[0].op else { panic!() };
    assert_eq!(a.borrow().len(), 3);
    let RedirOp::Here(b) = &redirs[1].op else { panic!() };
    assert_eq!(*b.borrow(), [Part::Text("second $v\n".into(), true)]);
}

#[test]
fn redirections() {
    let list = parse("a 2>&1 >>x <y 3<>z >|w 4<&-").unwrap();
    let fds: Vec<_> = list[0].list.first.stages[0].redirs.iter().map(|r| r.fd).collect();
    assert_eq!(fds, [2, 1, 0, 3, 1, 4]);
}

#[test]
fn unfinished_text_asks_for_more() {
    for text in
        ["if a", "a &&", "a |", "echo 'x", "echo \"x", "echo $(", "{ a;", "cat <<E\nx\n", "a \\\n", "f()"]
    {
        let mut parser = Parser::new(text, false);
        let result = parser.next_line();
        assert_eq!(result, Err(Syntax::Incomplete), "{text:?}");
    }
}

#[test]
fn wrong_text_is_told() {
    for (text, what) in [
        (")", "unexpected \")\""),
        ("a; ; b", "unexpected \";\""),
        ("a | ; b", "unexpected \";\""),
        ("fi", "unexpected \"fi\""),
        ("if a; then fi", "unexpected \"fi\""),
        ("a >", "unexpected end of file"),
        ("a &&& b", "unexpected \"&\""),
        ("echo ${x!}", "bad substitution"),
        ("()", "unexpected \")\""),
        ("for 1 in a; do b; done", "bad for loop variable"),
        ("case x in a b) c;; esac", "unexpected \"b\""),
    ] {
        match parse(text) {
            Err(Syntax::Message(m)) => assert!(m.contains(what), "{text:?}: {m}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let text = "(".repeat(5000);
    assert!(matches!(parse(&text), Err(Syntax::Message(_))));
}
