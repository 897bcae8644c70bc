use serde_json::json;

use super::*;

fn data() -> Value {
    json!({
        "ID": "abcdef", "Name": "/quick fox", "Size": 3, "Empty": "", "None": null, "Yes": true,
        "Args": ["-c", "ls"],
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": null},
        "Config": {"Labels": {"a.b": "c", "plain": "p"}, "Env": ["A=1", "B=2"]},
        "Mounts": [],
    })
}

fn show(template: &str) -> String {
    Template::parse(template).and_then(|t| t.render(&data())).unwrap_or_else(|e| panic!("{template}: {e}"))
}

#[test]
fn what_people_write() {
    let table = [
        ("plain", "plain"),
        ("{{.ID}} {{ .Size }}", "abcdef 3"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{json .Config}}", r#"{"Env":["A=1","B=2"],"Labels":{"a.b":"c","plain":"p"}}"#),
        ("{{.Config.Env | json}}", r#"["A=1","B=2"]"#),
        ("{{index .Config.Labels \"a.b\"}}", "c"),
        ("{{index .Config.Labels \"none\"}}", "<no value>"),
        ("{{.Config.Labels.plain}}{{.Config.Labels.none}}", "p<no value>"),
        ("{{index .Args 1}}{{index .Config.Env 0}}", "lsA=1"),
        ("{{range .Args}}<{{.}}>{{end}}", "<-c><ls>"),
        ("{{range .Mounts}}x{{else}}none{{end}}", "none"),
        ("{{range $i, $a := .Args}}{{if $i}}, {{end}}{{$i}}={{$a}}{{end}}", "0=-c, 1=ls"),
        (
            "{{range $p, $conf := .Ports}}{{$p}} -> {{with $conf}}{{(index . 0).HostPort}}{{else}}-{{end}};{{end}}",
            "443/tcp -> -;80/tcp -> 8080;",
        ),
        ("{{(index (index .Ports \"80/tcp\") 0).HostIp}}", "0.0.0.0"),
        ("{{join .Args \"+\"}}", "-c+ls"),
        ("{{split .Name \" \"}} {{index (split .Name \" \") 1}}", "[/quick fox] fox"),
        ("{{upper .ID}}{{.ID | lower}}{{title \"a bc\"}}", "ABCDEFabcdefA Bc"),
        ("{{truncate .ID 3}}{{slice .ID 4}}{{slice .ID 0 1}}", "abcefa"),
        ("{{pad .ID 1 2}}|{{pad .Empty 1 1}}|", " abcdef  ||"),
        ("{{println .ID .Size}}", "abcdef 3\n"),
        ("{{printf \"%-8s|%4d|%.3s|%q\" .ID .Size .ID .ID}}", "abcdef  |   3|abc|\"abcdef\""),
        ("{{if .Empty}}a{{else if .Yes}}b{{else}}c{{end}}", "b"),
        ("{{if and .Yes (eq .Size 3)}}y{{end}}{{if or .Empty .None}}n{{end}}", "y"),
        ("{{if not .Empty}}y{{end}}{{if ne .ID \"x\" | not}}n{{end}}", "y"),
        ("{{lt 1 2}} {{ge \"b\" \"a\"}} {{eq .ID \"x\" \"abcdef\"}} {{len .Args}}", "true true true 2"),
        ("{{with .Config}}{{.Env}}{{$.ID}}{{end}}", "[A=1 B=2]abcdef"),
        ("{{$x := .ID}}{{$x}}{{with $y := .Size}}{{$y}}{{end}}", "abcdef3"),
        ("a {{- .Size -}} b{{/* no */}}{{- /* no */ -}} c", "a3bc"),
        ("{{\"}}\"}}{{`raw\\n`}}{{\"\\t\"}}", "}}raw\\n\t"),
        ("{{.None}} {{.None.Deeper}} {{.Args}}", "<no value> <no value> [-c ls]"),
        ("{{.Config.Labels}}{{true}}{{-3}}", "map[a.b:c plain:p]true-3"),
        (
            "{{replace .Name \"/\" \"\"}} {{contains .ID \"cd\"}} {{hasPrefix .ID \"b\"}}",
            "quick fox true false",
        ),
    ];
    for (template, want) in table {
        assert_eq!(show(template), want, "{template}");
    }
}

#[test]
fn a_method_with_an_argument_looks_up() {
    let template = Template::parse("{{.Label \"a.b\"}}-{{.Label \"x\"}}").unwrap();
    for row in [json!({"Labels": {"a.b": "c"}}), json!({"Labels": "z=1,a.b=c"})] {
        assert_eq!(template.render(&row).unwrap(), "c-");
    }
}

#[test]
fn headings() {
    let head = json!({"ID": "CONTAINER ID", "Labels": "LABELS", "Names": "NAMES", "Config": "CONFIG"});
    let text = |t: &str| Template::parse(t).unwrap().heading(&head).unwrap();
    assert_eq!(text("{{upper .ID}}\t{{json .Names}}"), "CONTAINER ID\tNAMES");
    assert_eq!(text("{{.Label \"com.x\"}}"), "com.x");
    assert_eq!(text("{{truncate .ID 4}} {{range .Names}}x{{end}}{{.Config.Deep}}"), "CONTAINER ID CONFIG");
}

#[test]
fn errors_point_at_the_place() {
    let table = [
        ("{{.ID", "unclosed action", "{{"),
        ("x {{.Nope}}", "there is no field .Nope here", ".Nope"),
        ("{{.Id}}", "there is no field .Id here", ".Id"),
        ("{{.ID.X}}", "a text has no field .X", ".X"),
        ("{{nope .ID}}", "there is no function \"nope\"", "nope"),
        ("{{ID}}", "there is no function \"ID\"", "ID"),
        ("{{if .ID}}x", "this {{if}} has no end", "{{if .ID}}"),
        ("{{end}}", "unexpected {{end}}", "{{end}}"),
        ("{{}}", "missing value in an action", "{{}}"),
        ("{{.ID | }}", "missing value in an action", "|"),
        ("{{.ID | .Size}}", "only a function can stand behind a pipe", ".Size"),
        ("{{range .ID}}{{end}}", "range goes over a list or an object; this is a text", ".ID"),
        ("{{index .Args 7}}", "index 7 is out of range: the list has 2", "index"),
        ("{{join .ID \",\"}}", "argument 1 of join is a text, not a list", "join"),
        ("{{truncate .ID}}", "truncate takes another number of arguments than 1", "truncate"),
        ("{{.ID 3}}", "this is no function and takes no arguments", ".ID"),
        ("{{$x}}", "undefined variable $x", "$x"),
        ("{{(.ID}}", "unclosed parenthesis", "("),
        ("{{'a'}}", "a text stands in double quotes", "'"),
        ("{{\"a}}", "unterminated quoted text", "\"a}}"),
        ("{{.ID ? .Size}}", "unexpected '?' in an action", "?"),
        ("{{define \"x\"}}", "define is not supported", "define"),
        ("{{else}}", "unexpected {{else}}", "{{else}}"),
        ("{{lt .ID 3}}", "a text and a number have no order", "lt"),
    ];
    for (template, reason, place) in table {
        let error = Template::parse(template).and_then(|t| t.render(&data())).unwrap_err();
        assert_eq!((error.reason.as_str(), &template[error.span.clone()]), (reason, place), "{template}");
    }
    let error = Template::parse("{{.ID}}\n{{.Siz}}").unwrap().render(&data()).unwrap_err();
    assert_eq!(error.to_string(), "template, column 3: there is no field .Siz here\n  {{.Siz}}\n    ^^^^");
    assert_eq!(error.hint.as_deref(), Some("did you mean .Size?"));
}

#[test]
fn depth_is_bounded() {
    for deep in ["{{if .ID}}".repeat(5000), format!("{{{{{}", "(".repeat(5000))] {
        assert!(Template::parse(&deep).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_template_panics(text in r#"(\{\{|\}\}|\.ID|\.Args| |if|range|end|else|\||\(|\)|"|`|\$x|:=|index|json|-|é|,|1)*"#) {
        if let Ok(template) = Template::parse(&text) {
            if let Err(e) = template.render(&data()) { let _ = e.to_string(); }
            let _ = template.heading(&json!({"ID": "X"}));
        } else if let Err(e) = Template::parse(&text) { let _ = e.to_string(); }
    }
}
