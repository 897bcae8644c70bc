//! Arithmetic expansion: C's integer expressions over 64 bits, POSIX.1-2024
//! XCU 2.6.4.

/// The variables that an expression reads and sets.
pub trait Variables {
    /// The value, if set.
    fn get(&self, name: &str) -> Option<String>;
    /// Sets one; the error is a message.
    fn set(&mut self, name: &str, value: String) -> Result<(), String>;
}

/// Evaluates an expression. The error is a message.
pub fn evaluate<V: Variables>(text: &str, variables: &mut V) -> Result<i64, String> {
    let mut e = Evaluator { text: text.as_bytes(), pos: 0, variables, depth: 0, skip: 0 };
    if e.peek().is_none() {
        return Ok(0);
    }
    let value = e.comma()?;
    match e.peek() {
        None => Ok(value),
        Some(_) => Err("arithmetic syntax error".to_owned()),
    }
}

struct Evaluator<'a, V> {
    text: &'a [u8],
    pos: usize,
    variables: &'a mut V,
    depth: u32,
    /// Above zero in a branch that is not taken: nothing is set there.
    skip: u32,
}

/// Binary operators by binding strength, weakest first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];
const ASSIGN: [&str; 11] = ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="];

impl<V: Variables> Evaluator<'_, V> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.pos).is_some_and(u8::is_ascii_whitespace) {
            self.pos += 1;
        }
        self.text.get(self.pos).copied()
    }

    fn starts(&mut self, op: &str) -> bool {
        self.peek();
        self.text[self.pos..].starts_with(op.as_bytes())
    }

    fn eat(&mut self, op: &str) -> bool {
        let yes = self.starts(op);
        self.pos += if yes { op.len() } else { 0 };
        yes
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.assignment()?;
        while self.eat(",") {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn name(&mut self) -> Option<String> {
        let first = self.peek()?;
        if !(first == b'_' || first.is_ascii_alphabetic()) {
            return None;
        }
        let rest = &self.text[self.pos..];
        let length = rest.iter().take_while(|b| **b == b'_' || b.is_ascii_alphanumeric()).count();
        self.pos += length;
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn assignment(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("arithmetic expression nested too deeply".to_owned());
        }
        let start = self.pos;
        let value = match self.name() {
            Some(name) => {
                let op = ASSIGN.into_iter().find(|op| self.starts(op) && !(*op == "=" && self.starts("==")));
                match op {
                    None => {
                        self.pos = start;
                        self.ternary()?
                    }
                    Some(op) => {
                        self.pos += op.len();
                        let right = self.assignment()?;
                        let value = match op.strip_suffix('=').unwrap_or("") {
                            "" => right,
                            op => {
                                let left = self.read(&name)?;
                                self.apply(op, left, right)?
                            }
                        };
                        self.write(&name, value)?;
                        value
                    }
                }
            }
            None => self.ternary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let first = self.skipping(condition == 0, Self::comma)?;
        if !self.eat(":") {
            return Err("arithmetic syntax error".to_owned());
        }
        let second = self.skipping(condition != 0, Self::assignment)?;
        Ok(if condition != 0 { first } else { second })
    }

    fn skipping(
        &mut self,
        skip: bool,
        parse: impl FnOnce(&mut Self) -> Result<i64, String>,
    ) -> Result<i64, String> {
        self.skip += u32::from(skip);
        let value = parse(self);
        self.skip -= u32::from(skip);
        value
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(ops) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let Some(op) = ops.iter().find(|op| self.starts(op) && self.whole(op)) else { return Ok(left) };
            self.pos += op.len();
            left = match *op {
                "||" => {
                    let right = self.skipping(left != 0, |e| e.binary(level + 1))?;
                    i64::from(left != 0 || right != 0)
                }
                "&&" => {
                    let right = self.skipping(left == 0, |e| e.binary(level + 1))?;
                    i64::from(left != 0 && right != 0)
                }
                op => {
                    let right = self.binary(level + 1)?;
                    self.apply(op, left, right)?
                }
            };
        }
    }

    /// The operator here is not the start of a longer one.
    fn whole(&self, op: &str) -> bool {
        let next = self.text.get(self.pos + op.len()).copied();
        match op {
            "|" | "&" => next != Some(op.as_bytes()[0]) && next != Some(b'='),
            "<" | ">" => next != Some(op.as_bytes()[0]),
            "^" | "+" | "-" | "*" | "/" | "%" | "<<" | ">>" => next != Some(b'='),
            _ => true,
        }
    }

    fn apply(&self, op: &str, a: i64, b: i64) -> Result<i64, String> {
        Ok(match op {
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<<" => a.wrapping_shl(b as u32),
            ">>" => a.wrapping_shr(b as u32),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            _ if b == 0 && self.skip > 0 => 0,
            _ if b == 0 => return Err("divide by zero".to_owned()),
            "/" => a.wrapping_div(b),
            _ => a.wrapping_rem(b),
        })
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("arithmetic expression nested too deeply".to_owned());
        }
        let value = if self.eat("++") || self.eat("--") {
            let step = if self.text[self.pos - 1] == b'+' { 1 } else { -1 };
            let name = self.name().ok_or("arithmetic syntax error")?;
            let value = self.read(&name)?.wrapping_add(step);
            self.write(&name, value)?;
            value
        } else if self.eat("!") {
            i64::from(self.unary()? == 0)
        } else if self.eat("~") {
            !self.unary()?
        } else if self.eat("-") {
            self.unary()?.wrapping_neg()
        } else if self.eat("+") {
            self.unary()?
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<i64, String> {
        if self.eat("(") {
            let value = self.comma()?;
            return if self.eat(")") { Ok(value) } else { Err("arithmetic syntax error".to_owned()) };
        }
        if let Some(name) = self.name() {
            let value = self.read(&name)?;
            for (op, step) in [("++", 1), ("--", -1)] {
                if self.eat(op) {
                    self.write(&name, value.wrapping_add(step))?;
                }
            }
            return Ok(value);
        }
        self.peek();
        let rest = &self.text[self.pos..];
        let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let digits = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.pos += length;
        number(&digits).ok_or_else(|| "arithmetic syntax error".to_owned())
    }

    fn read(&mut self, name: &str) -> Result<i64, String> {
        let Some(text) = self.variables.get(name) else { return Ok(0) };
        let text = text.trim();
        if text.is_empty() {
            return Ok(0);
        }
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
        let value = number(digits.strip_prefix('+').unwrap_or(digits))
            .ok_or_else(|| format!("Illegal number: {text}"))?;
        Ok(if negative { value.wrapping_neg() } else { value })
    }

    fn write(&mut self, name: &str, value: i64) -> Result<(), String> {
        if self.skip > 0 {
            return Ok(());
        }
        self.variables.set(name, value.to_string())
    }
}

fn number(digits: &str) -> Option<i64> {
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    impl Variables for BTreeMap<String, String> {
        fn get(&self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).cloned()
        }
        fn set(&mut self, name: &str, value: String) -> Result<(), String> {
            self.insert(name.to_owned(), value);
            Ok(())
        }
    }

    #[test]
    fn table() {
        for (text, expected) in [
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("-7 / 2", -3),
            ("-7 % 3", -1),
            ("2 << 3 | 1", 17),
            ("1 < 2 && 3 >= 3", 1),
            ("1 ? 2 : 3", 2),
            ("0x10 + 010", 24),
            ("x = 5, x += 2, x * 10", 70),
            ("x++ + ++x", 2),
            ("!0 + ~0", 0),
            ("0 && (y = 9), y", 0),
            ("1 || 1 / 0", 1),
            ("5 == 5 != 0", 1),
            ("6 & 3 ^ 1", 3),
            ("", 0),
            ("9223372036854775807 + 1", i64::MIN),
        ] {
            assert_eq!(evaluate(text, &mut BTreeMap::new()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors() {
        for text in ["1 +", "1 / 0", "(1", "1 2", "09", "a b", "1 ? 2", "&", "$"] {
            assert!(evaluate(text, &mut BTreeMap::new()).is_err(), "{text}");
        }
        assert!(evaluate(&"(".repeat(100_000), &mut BTreeMap::new()).is_err());
        assert!(evaluate(&"-".repeat(100_001), &mut BTreeMap::new()).is_err());
    }
}
