use super::*;
use crate::narrate::plain;

fn text(text: &str) -> Line {
    vec![Span::new(Label::Plain, text)]
}

fn wrapped(t: &str, width: usize) -> Vec<String> {
    wrap(&text(t), width).iter().map(|l| plain(l)).collect()
}

#[test]
fn wrapping() {
    assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
    assert_eq!(wrapped("one two", 7), ["one two"]);
    assert_eq!(wrapped("", 7), [""]);
    assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
    assert_eq!(wrapped("/usr/lib/x", 6), ["/usr/", "lib/x"]);
    assert_eq!(wrapped("容器，镜像", 4), ["容", "器，", "镜像"]);
    assert_eq!(wrapped("用 overlay 挂载", 10), ["用 overlay", "挂载"]);
}

#[test]
fn a_brief_line_keeps_its_result() {
    let line = vec![
        Span::new(Label::Call, "mount"),
        Span::new(Label::Plain, "("),
        Span::new(Label::Value, "/a".repeat(60)),
        Span::new(Label::Plain, ")"),
        Span::new(Label::Good, " = 0"),
    ];
    let short = plain(&shorten(&line, 40, 1).unwrap());
    assert!(text_width(&short) <= 40 && short.starts_with("mount(/a") && short.ends_with(") = 0"), "{short}");
}

#[test]
fn a_command_can_be_copied() {
    let row = Row::Command { margin: "hand".into(), text: "cmd 'a b  c' --long-option=value /x/y/z".into() };
    let lines: Vec<_> = layout(&[row], 30).iter().map(|l| plain(l)).collect();
    assert_eq!(
        lines,
        ["  hand    cmd 'a b  c' \\", "            --long-option=value \\", "            /x/y/z"]
    );
}

#[test]
fn a_table_aligns_also_with_wide_characters() {
    let rows = vec![vec![text("序号"), text("什么")], vec![text("1"), text("one two three four five six")]];
    let lines: Vec<_> = table(&rows, 24).iter().map(|l| plain(l)).collect();
    assert_eq!(lines, ["序号  什么", "1     one two three four", "      five six"]);
}

proptest::proptest! {
    #[test]
    fn wrapping_loses_nothing_but_spaces(t in "[a-z/容，。 ]{0,80}", width in 2usize..30) {
        let lines = wrapped(&t, width);
        let squeeze = |s: &str| s.replace(' ', "");
        proptest::prop_assert_eq!(squeeze(&lines.concat()), squeeze(&t));
        for line in &lines {
            proptest::prop_assert!(text_width(line) <= width.max(4), "{:?}", line);
        }
    }
}
