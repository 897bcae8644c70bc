//! How every list is written: Docker's table, `table TEMPLATE`, a template for
//! each row, or `json`, a line for each row.

use serde_json::{Map, Value};

use super::error::CliError;
use super::table::table;
use crate::render::template::{Template, TemplateError};

/// The columns of a list.
pub struct List<'a> {
    /// Every field of a row, with its heading.
    pub fields: &'a [(&'a str, &'a str)],
    /// The fields of the table when no format is given.
    pub usual: &'a [&'a str],
}

impl List<'_> {
    /// The text of a list. `rows` are objects with all of the fields.
    ///
    /// # Errors
    /// What is wrong with the format.
    pub fn text(&self, format: Option<&str>, rows: &[Value]) -> Result<String, CliError> {
        let format = format.unwrap_or("table").trim();
        if format == "json" {
            return Ok(rows.iter().map(|row| format!("{row}\n")).collect());
        }
        // A shell does not easily hand over a tab.
        let format = format.replace("\\t", "\t").replace("\\n", "\n");
        match format.strip_prefix("table") {
            Some("") => {
                let cells: Vec<String> = self.usual.iter().map(|f| format!("{{{{.{f}}}}}")).collect();
                self.table(&cells.join("\t"), rows)
            }
            Some(own) if own.starts_with(char::is_whitespace) => self.table(own.trim(), rows),
            _ => {
                let template = Template::parse(&format)?;
                if rows.is_empty() {
                    // A mistake shows also where nothing is listed.
                    template.heading(&self.headings())?;
                }
                rows.iter().map(|row| Ok(template.render(row)? + "\n")).collect()
            }
        }
    }

    fn table(&self, template: &str, rows: &[Value]) -> Result<String, CliError> {
        let template = Template::parse(template)?;
        let cells = |line: String| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let heading = cells(template.heading(&self.headings())?);
        let rows = rows.iter().map(|row| Ok(cells(template.render(row)?)));
        let rows = rows.collect::<Result<Vec<_>, TemplateError>>()?;
        Ok(table(&heading.iter().map(String::as_str).collect::<Vec<_>>(), &rows))
    }

    fn headings(&self) -> Value {
        self.fields.iter().map(|(f, h)| ((*f).to_owned(), Value::from(*h))).collect::<Map<_, _>>().into()
    }
}

/// One object after another: `json` is JSON, anything else a template, as
/// `inspect` takes it.
///
/// # Errors
/// What is wrong with the format.
pub fn objects(format: &str, objects: &[Value]) -> Result<String, CliError> {
    if format == "json" {
        return Ok(format!("{}\n", Value::from(objects.to_vec())));
    }
    let template = Template::parse(format)?;
    objects.iter().map(|object| Ok(template.render(object)? + "\n")).collect()
}

impl From<TemplateError> for CliError {
    fn from(e: TemplateError) -> Self {
        CliError { message: format!("cannot use --format: {e}"), hint: e.hint, status: 1 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIST: List<'_> =
        List { fields: &[("ID", "IMAGE ID"), ("Tag", "TAG"), ("Size", "SIZE")], usual: &["ID", "Tag"] };

    fn text(format: Option<&str>) -> String {
        let rows = [
            json!({"ID": "abc", "Tag": "a-long-tag", "Size": "1kB"}),
            json!({"ID": "d", "Tag": "t", "Size": "0B"}),
        ];
        LIST.text(format, &rows).unwrap_or_else(|e| e.message)
    }

    #[test]
    fn forms() {
        let usual = "IMAGE ID   TAG\nabc        a-long-tag\nd          t\n";
        assert_eq!(text(None), usual);
        assert_eq!(text(Some("table")), usual);
        assert_eq!(
            text(Some("table {{.Size}}\\t{{lower .ID}}")),
            "SIZE      IMAGE ID\n1kB       abc\n0B        d\n"
        );
        assert_eq!(text(Some("{{.ID}}\\t{{.Tag}}")), "abc\ta-long-tag\nd\tt\n");
        assert_eq!(
            text(Some("json")).lines().next(),
            Some(r#"{"ID":"abc","Size":"1kB","Tag":"a-long-tag"}"#)
        );
        assert!(text(Some("{{.Id}}")).contains("column 3"), "{}", text(Some("{{.Id}}")));
        assert!(LIST.text(Some("{{.Id}}"), &[]).is_err(), "also without rows");
    }
}
