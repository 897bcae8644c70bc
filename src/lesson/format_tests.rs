use super::*;
use crate::lesson::text::Lang;

const GOOD: &str = r#"id = "small"
minutes = 5
tier = "model"
containers = ["one"]
objectives = []
title = { en = "Small", zh-CN = "小" }
prompt = { en = "Do it.", zh-CN = "做。" }

[[exercises]]
id = "only"
title = { en = "Only", zh-CN = "唯一" }
prompt = { en = "Run.", zh-CN = "运行。" }
checks = [{ container_exists = { name = "one" } }]
hints = [
  { when = { not = { container_exists = { name = "one" } } }, text = { en = "Run it.", zh-CN = "运行它。" } },
  { text = { en = "Look.", zh-CN = "看。" } },
]
"#;

#[test]
fn a_lesson_is_read() {
    let lesson = Lesson::parse("x", GOOD).unwrap();
    assert_eq!(lesson.id.as_str(), "small");
    assert_eq!(lesson.title.get(Lang::ZhCn), "小");
    assert_eq!(lesson.tier, Tier::Model);
    assert_eq!(lesson.exercise("only").unwrap().hints.len(), 2);
    assert_eq!(lesson.solution(0).unwrap(), "solutions/01-only.sh");
    assert_eq!(lesson.solution(1), None);
    assert!(lesson.recordings.is_empty());
}

/// Each change to the good lesson, the line that the error must name, and a part of what
/// it must say.
#[test]
fn faults_are_told_with_their_line() {
    let cases: &[(&str, &str, usize, &str)] = &[
        ("minutes = 5", "minutes = five", 2, ""),
        ("minutes = 5", "minutes = 0", 2, "at least a minute"),
        ("minutes = 5", "minutes = 5\nspeed = 1", 3, "unknown field `speed`"),
        ("tier = \"model\"", "tier = \"moon\"", 3, "`moon`"),
        ("\"one\"]", "\"One\"]", 4, "`One` is no name"),
        ("en = \"Small\", ", "", 6, "missing field `en`"),
        ("zh-CN = \"做。\"", "zh-CN = \" \"", 7, "empty"),
        ("id = \"only\"\n", "", 9, "missing field `id`"),
        ("checks = [{ container_exists", "checks = [{ container_flies", 13, "container_flies"),
        (
            "checks = [{ container_exists = { name",
            "checks = [{ container_exists = { nam",
            13,
            "nam, available",
        ),
        (
            "checks = [{ container_exists = { name = \"one\" } }]",
            "checks = [\n  { upper_has = { name = \"one\", path = \"motd\" } },\n]",
            14,
            "`motd` is not a plain absolute path",
        ),
        ("checks = [{ container_exists = { name = \"one\" } }]", "checks = []", 9, "checks nothing"),
        (
            "checks = [{ container_exists = { name = \"one\" } }]",
            "checks = [{ any = [] }]",
            9,
            "`any` of nothing",
        ),
        (
            "checks = [{ container_exists = { name = \"one\" }",
            "checks = [{ container_exists = { name = \"two\" }",
            9,
            "`two`",
        ),
        ("when = { not = { container_exists = { name = \"one\" } } }, ", "", 9, "hides those after it"),
        ("  { text = { en = \"Look.\", zh-CN = \"看。\" } },\n", "", 9, "no `when`"),
    ];
    for (from, to, line, what) in cases {
        assert!(GOOD.contains(from), "{from}");
        let source = GOOD.replacen(from, to, 1);
        match Lesson::parse("some.toml", &source) {
            Ok(_) => panic!("was read although `{from}` became `{to}`"),
            Err(e) => {
                assert_eq!(e.line, *line, "{from} -> {to}: {e}");
                assert!(e.what.contains(what), "{from} -> {to}: {e}");
                assert!(e.to_string().starts_with("read some.toml, line "), "{e}");
                assert!(!e.what.contains('\n'), "{e}");
            }
        }
    }
}

#[test]
fn doubles_are_told() {
    let exercise = &GOOD[GOOD.find("[[exercises]]").unwrap()..];
    let e = Lesson::parse("x", &format!("{GOOD}{exercise}")).unwrap_err();
    assert!(e.what.contains("`only` is there twice"), "{e}");
    assert_eq!(e.line, GOOD.lines().count() + 1);

    let recording = "[[recordings]]\nid = \"r\"\ntitle = { en = \"R\", zh-CN = \"录\" }\nrun = [\"box\"]\n";
    assert!(Lesson::parse("x", &format!("{GOOD}{recording}")).is_ok());
    let e = Lesson::parse("x", &format!("{GOOD}{recording}{recording}")).unwrap_err();
    assert!(e.what.contains("`r` is there twice"), "{e}");
}

#[test]
fn positions_count_characters() {
    assert_eq!(position("ab\n写c", 0), (1, 1));
    assert_eq!(position("ab\n写c", 3), (2, 1));
    assert_eq!(position("ab\n写c", 6), (2, 2));
    assert_eq!(position("ab", 99), (1, 3));
}
