//! A tree and the data to text.

use std::ops::Range;

use serde_json::Value;

use super::parse::{Base, Command, Node, Operand, Pipeline};
use super::value::{kind, show, truth};
use super::{Wrong, functions};

/// A template that writes more than this is a mistake.
const MAX_OUTPUT: usize = 256 << 20;

/// Fills in the nodes.
pub fn render(nodes: &[Node], data: &Value, heading: bool) -> Result<String, Wrong> {
    let mut run = Run { out: String::new(), variables: vec![(String::new(), data.clone())], heading };
    run.nodes(nodes, data)?;
    Ok(run.out)
}

struct Run {
    out: String,
    variables: Vec<(String, Value)>,
    heading: bool,
}

impl Run {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), Wrong> {
        for node in nodes {
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Output(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        self.out.push_str(&show(&value));
                        if self.out.len() > MAX_OUTPUT {
                            return Err(Wrong::new(pipeline.span.clone(), "the output is too large"));
                        }
                    }
                }
                Node::If { branches, otherwise } => self.conditional(branches, otherwise, dot)?,
                Node::With { value, body, otherwise } => {
                    let mark = self.variables.len();
                    let value = self.pipeline(value, dot)?;
                    match truth(&value) {
                        true => self.nodes(body, &value)?,
                        false => self.nodes(otherwise, dot)?,
                    }
                    self.variables.truncate(mark);
                }
                Node::Range { value, body, otherwise } => self.range(value, body, otherwise, dot)?,
            }
        }
        Ok(())
    }

    fn conditional(
        &mut self,
        branches: &[(Pipeline, Vec<Node>)],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), Wrong> {
        let mark = self.variables.len();
        for (condition, body) in branches {
            if truth(&self.pipeline(condition, dot)?) {
                self.nodes(body, dot)?;
                self.variables.truncate(mark);
                return Ok(());
            }
        }
        self.nodes(otherwise, dot)?;
        self.variables.truncate(mark);
        Ok(())
    }

    fn range(
        &mut self,
        value: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), Wrong> {
        let mark = self.variables.len();
        let names = &value.variables;
        let over = self.pipeline(&Pipeline { variables: Vec::new(), ..value.clone() }, dot)?;
        let items: Vec<(Value, Value)> = match over {
            Value::Null => Vec::new(),
            Value::Array(items) => items.into_iter().enumerate().map(|(i, v)| (Value::from(i), v)).collect(),
            Value::Object(map) => map.into_iter().map(|(k, v)| (Value::from(k), v)).collect(),
            // In the heading of a table every value is a word.
            Value::String(_) if self.heading => Vec::new(),
            other => {
                return Err(Wrong::new(
                    value.span.clone(),
                    format!("range goes over a list or an object; this is {}", kind(&other)),
                ));
            }
        };
        if items.is_empty() {
            self.nodes(otherwise, dot)?;
        }
        for (key, item) in &items {
            match &names[..] {
                [one] => self.variables.push((one.clone(), item.clone())),
                [first, second] => {
                    self.variables.push((first.clone(), key.clone()));
                    self.variables.push((second.clone(), item.clone()));
                }
                _ => {}
            }
            self.nodes(body, item)?;
            self.variables.truncate(mark);
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Wrong> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot)?);
        }
        let value = value.unwrap_or_default();
        if let [name] = &pipeline.variables[..] {
            self.variables.push((name.clone(), value.clone()));
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, piped: Option<Value>, dot: &Value) -> Result<Value, Wrong> {
        let (first, rest) = command.operands.split_first().expect("the parser makes no empty command");
        let mut args = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            args.push(self.operand(operand, dot)?);
        }
        args.extend(piped);
        if let Base::Function(name) = &first.base {
            let value = functions::call(name, &args, &first.span, self.heading)?;
            return fields(value, &first.fields, self.heading);
        }
        if let (Some(((last, span), path)), [Value::String(key)]) = (first.fields.split_last(), &args[..])
            && last == "Label"
        {
            let head = Operand { fields: path.to_vec(), ..first.clone() };
            return self.label(&head, span, key, dot);
        }
        let value = self.operand(first, dot)?;
        match args.is_empty() {
            true => Ok(value),
            false => Err(Wrong::new(first.span.clone(), "this is no function and takes no arguments")),
        }
    }

    /// `.Label "name"`: the value of one label, from the object or the text `.Labels`.
    fn label(&mut self, head: &Operand, span: &Range<usize>, key: &str, dot: &Value) -> Result<Value, Wrong> {
        if self.heading {
            return Ok(Value::from(key));
        }
        let labels = fields(self.operand(head, dot)?, &[("Labels".to_owned(), span.clone())], false)?;
        Ok(Value::from(match &labels {
            Value::Object(map) => map.get(key).map(show).unwrap_or_default(),
            Value::String(text) => {
                let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
                pairs.filter(|(k, _)| *k == key).map(|(_, v)| v.to_owned()).next().unwrap_or_default()
            }
            _ => String::new(),
        }))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Wrong> {
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) => match self.variables.iter().rev().find(|(n, _)| n == name) {
                Some((_, value)) => value.clone(),
                None => {
                    return Err(Wrong::new(operand.span.clone(), format!("undefined variable ${name}")));
                }
            },
            Base::Constant(value) => value.clone(),
            Base::Function(name) => functions::call(name, &[], &operand.span, self.heading)?,
            Base::Pipeline(inner) => self.pipeline(inner, dot)?,
        };
        fields(base, &operand.fields, self.heading)
    }
}

fn fields(mut value: Value, path: &[(String, Range<usize>)], heading: bool) -> Result<Value, Wrong> {
    for (name, span) in path {
        value = match value {
            Value::Object(mut map) => match map.remove(name) {
                Some(value) => value,
                // Keys that are data, such as names of labels.
                None if !name.starts_with(|c: char| c.is_uppercase()) => Value::Null,
                None if map.keys().any(|k| !k.starts_with(|c: char| c.is_uppercase())) => Value::Null,
                None => {
                    let known: Vec<&str> = map.keys().map(String::as_str).collect();
                    return Err(Wrong::new(span.clone(), format!("there is no field .{name} here"))
                        .hint(suggest(name, &known)));
                }
            },
            Value::Null => Value::Null,
            word @ Value::String(_) if heading => word,
            other => {
                return Err(Wrong::new(span.clone(), format!("{} has no field .{name}", kind(&other))));
            }
        };
    }
    Ok(value)
}

fn suggest(name: &str, known: &[&str]) -> String {
    let lower = name.to_lowercase();
    let near = known.iter().find(|k| {
        let k = k.to_lowercase();
        k == lower || k.starts_with(&lower) || lower.starts_with(&k) || k.trim_end_matches('s') == lower
    });
    match near {
        Some(near) => format!("did you mean .{near}?"),
        None if known.is_empty() => "it is empty".to_owned(),
        None => format!("there are .{}", known.join(", .")),
    }
}
