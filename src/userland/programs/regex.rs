//! Regular expressions for grep: basic and extended, POSIX XBD 9, over
//! characters. Matching follows all possibilities at once, so its time does not
//! explode.

use crate::userland::sh::pattern::in_class;

#[derive(Clone, Debug)]
enum Node {
    Any,
    Char(char),
    Set(Vec<(char, char)>, Vec<String>, bool),
    Start,
    End,
    /// `\<`, `\>`, `\b`.
    WordStart,
    WordEnd,
    Boundary,
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
}

#[derive(Clone, Debug)]
enum Step {
    Test(Node),
    Split(usize, usize),
    Jump(usize),
    Match,
}

/// A compiled expression.
pub struct Regex {
    steps: Vec<Step>,
    fold: bool,
}

/// A limit on the size of a program: `(a{255}){255}` would need more memory than it is worth.
const MAX_STEPS: usize = 100_000;
const MAX_REPEAT: u32 = 255;
const MAX_DEPTH: u32 = 100;

impl Regex {
    /// Compiles; `fold` ignores case. The error is a message.
    pub fn new(text: &str, extended: bool, fold: bool) -> Result<Regex, String> {
        let mut parser = Parser { chars: text.chars().collect(), pos: 0, extended, depth: 0 };
        let node = parser.either()?;
        if parser.pos < parser.chars.len() {
            return Err("unmatched ) or \\)".to_owned());
        }
        let mut regex = Regex { steps: Vec::new(), fold };
        regex.emit(&node)?;
        regex.steps.push(Step::Match);
        Ok(regex)
    }

    /// Literal text as an expression.
    pub fn literal(text: &str, fold: bool) -> Regex {
        let mut steps: Vec<Step> = text.chars().map(|c| Step::Test(Node::Char(c))).collect();
        steps.push(Step::Match);
        Regex { steps, fold }
    }

    fn emit(&mut self, node: &Node) -> Result<(), String> {
        if self.steps.len() > MAX_STEPS {
            return Err("regular expression too big".to_owned());
        }
        match node {
            Node::Sequence(nodes) => nodes.iter().try_for_each(|n| self.emit(n))?,
            Node::Either(nodes) => {
                let mut ends = Vec::new();
                for (i, node) in nodes.iter().enumerate() {
                    let split = self.steps.len();
                    if i + 1 < nodes.len() {
                        self.steps.push(Step::Match);
                    }
                    self.emit(node)?;
                    if i + 1 < nodes.len() {
                        ends.push(self.steps.len());
                        self.steps.push(Step::Match);
                        self.steps[split] = Step::Split(split + 1, self.steps.len());
                    }
                }
                let end = self.steps.len();
                for at in ends {
                    self.steps[at] = Step::Jump(end);
                }
            }
            Node::Repeat(node, low, high) => {
                for _ in 0..*low {
                    self.emit(node)?;
                }
                match high {
                    None => {
                        let split = self.steps.len();
                        self.steps.push(Step::Match);
                        self.emit(node)?;
                        self.steps.push(Step::Jump(split));
                        self.steps[split] = Step::Split(split + 1, self.steps.len());
                    }
                    Some(high) => {
                        let mut splits = Vec::new();
                        for _ in *low..*high {
                            splits.push(self.steps.len());
                            self.steps.push(Step::Match);
                            self.emit(node)?;
                        }
                        let end = self.steps.len();
                        for at in splits {
                            self.steps[at] = Step::Split(at + 1, end);
                        }
                    }
                }
            }
            other => self.steps.push(Step::Test(other.clone())),
        }
        Ok(())
    }

    /// The leftmost longest match from `from` on: its start and end.
    pub fn find(&self, text: &[char], from: usize) -> Option<(usize, usize)> {
        (from..=text.len()).find_map(|start| Some((start, self.longest(text, start)?)))
    }

    fn longest(&self, text: &[char], start: usize) -> Option<usize> {
        let mut seen = vec![usize::MAX; self.steps.len()];
        let mut current = Vec::new();
        let mut end = None;
        self.follow(0, text, start, &mut seen, &mut current);
        let mut at = start;
        loop {
            let mut next = Vec::new();
            for &step in &current {
                match &self.steps[step] {
                    Step::Match => end = Some(at),
                    Step::Test(node) if text.get(at).is_some_and(|c| self.accepts(node, *c)) => {
                        self.follow(step + 1, text, at + 1, &mut seen, &mut next);
                    }
                    _ => {}
                }
            }
            if next.is_empty() {
                return end;
            }
            current = next;
            at += 1;
        }
    }

    /// Adds all steps that are reached without a character.
    fn follow(&self, from: usize, text: &[char], at: usize, seen: &mut [usize], list: &mut Vec<usize>) {
        let word =
            |i: Option<usize>| i.and_then(|i| text.get(i)).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        let mut todo = vec![from];
        while let Some(step) = todo.pop() {
            if std::mem::replace(&mut seen[step], at) == at {
                continue;
            }
            let (before, after) = (word(at.checked_sub(1)), word(Some(at)));
            let passes = match &self.steps[step] {
                Step::Jump(to) => {
                    todo.push(*to);
                    continue;
                }
                Step::Split(a, b) => {
                    todo.extend([*b, *a]);
                    continue;
                }
                Step::Test(Node::Start) => at == 0,
                Step::Test(Node::End) => at == text.len(),
                Step::Test(Node::WordStart) => !before && after,
                Step::Test(Node::WordEnd) => before && !after,
                Step::Test(Node::Boundary) => before != after,
                _ => {
                    list.push(step);
                    continue;
                }
            };
            if passes {
                todo.push(step + 1);
            }
        }
    }

    fn accepts(&self, node: &Node, c: char) -> bool {
        let one = |c: char| match node {
            Node::Any => true,
            Node::Char(wanted) => *wanted == c,
            Node::Set(ranges, classes, negated) => {
                let hit = ranges.iter().any(|(a, b)| (*a..=*b).contains(&c))
                    || classes.iter().any(|n| in_class(n, c));
                hit != *negated
            }
            _ => false,
        };
        if !self.fold {
            return one(c);
        }
        let mut cases = c.to_lowercase().chain(c.to_uppercase());
        match node {
            Node::Set(_, _, true) => cases.all(one),
            _ => cases.any(one),
        }
    }
}

struct Parser {
    chars: Vec<char>,
    pos: usize,
    extended: bool,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.pos).copied()
    }

    /// Reads an operator that is bare in extended and escaped in basic expressions.
    fn operator(&mut self, c: char) -> bool {
        if self.extended {
            let yes = self.peek() == Some(c);
            self.pos += usize::from(yes);
            return yes;
        }
        let yes = self.peek() == Some('\\') && self.chars.get(self.pos + 1) == Some(&c);
        self.pos += if yes { 2 } else { 0 };
        yes
    }

    fn at_operator(&mut self, c: char) -> bool {
        let before = self.pos;
        let yes = self.operator(c);
        self.pos = before;
        yes
    }

    fn either(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("regular expression nested too deeply".to_owned());
        }
        let mut nodes = vec![self.sequence()?];
        while self.operator('|') {
            nodes.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Either(nodes) })
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut nodes = Vec::new();
        while self.peek().is_some() && !self.at_operator('|') && !(self.depth > 1 && self.at_operator(')')) {
            let node = self.atom(nodes.is_empty())?;
            let node = self.repeats(node)?;
            nodes.push(node);
        }
        Ok(Node::Sequence(nodes))
    }

    fn repeats(&mut self, mut node: Node) -> Result<Node, String> {
        loop {
            let (low, high) = if self.peek() == Some('*') && !matches!(node, Node::Start) {
                self.pos += 1;
                (0, None)
            } else if self.operator('+') {
                (1, None)
            } else if self.operator('?') {
                (0, Some(1))
            } else if self.operator('{') {
                self.bounds()?
            } else {
                return Ok(node);
            };
            node = Node::Repeat(Box::new(node), low, high);
        }
    }

    fn bounds(&mut self) -> Result<(u32, Option<u32>), String> {
        let mut number = || {
            let digits: String = self.chars[self.pos..].iter().take_while(|c| c.is_ascii_digit()).collect();
            self.pos += digits.len();
            digits.parse::<u32>().ok()
        };
        let low = number();
        let mut high = low;
        if self.peek() == Some(',') {
            self.pos += 1;
            let digits: String = self.chars[self.pos..].iter().take_while(|c| c.is_ascii_digit()).collect();
            self.pos += digits.len();
            high = digits.parse().ok();
        }
        let low = low.unwrap_or(0);
        if !self.operator('}') || low > MAX_REPEAT || high.is_some_and(|h| h > MAX_REPEAT || h < low) {
            return Err("invalid contents of {}".to_owned());
        }
        Ok((low, high))
    }

    fn atom(&mut self, first: bool) -> Result<Node, String> {
        if self.operator('(') {
            let node = self.either()?;
            return if self.operator(')') { Ok(node) } else { Err("unmatched ( or \\(".to_owned()) };
        }
        let c = self.peek().unwrap_or('\\');
        self.pos += 1;
        Ok(match c {
            '.' => Node::Any,
            '[' => self.set()?,
            '^' if self.extended || first => Node::Start,
            '$' if self.extended
                || self.peek().is_none()
                || self.at_operator(')')
                || self.at_operator('|') =>
            {
                Node::End
            }
            '\\' => {
                let c = self.peek().ok_or("trailing backslash")?;
                self.pos += 1;
                let class = |name: &str, negated| Node::Set(vec![('_', '_')], vec![name.to_owned()], negated);
                match c {
                    '<' => Node::WordStart,
                    '>' => Node::WordEnd,
                    'b' => Node::Boundary,
                    'w' => class("alnum", false),
                    'W' => class("alnum", true),
                    's' => Node::Set(Vec::new(), vec!["space".to_owned()], false),
                    'S' => Node::Set(Vec::new(), vec!["space".to_owned()], true),
                    '1'..='9' => return Err("back references are not supported".to_owned()),
                    c => Node::Char(c),
                }
            }
            c => Node::Char(c),
        })
    }

    fn set(&mut self) -> Result<Node, String> {
        let unclosed = || "unmatched [".to_owned();
        let negated = self.peek() == Some('^');
        self.pos += usize::from(negated);
        let first = self.pos;
        let (mut ranges, mut classes) = (Vec::new(), Vec::new());
        loop {
            let c = self.peek().ok_or_else(unclosed)?;
            if c == ']' && self.pos > first {
                self.pos += 1;
                return Ok(Node::Set(ranges, classes, negated));
            }
            self.pos += 1;
            if c == '[' && self.peek() == Some(':') {
                let name: String = self.chars[self.pos + 1..].iter().take_while(|c| **c != ':').collect();
                self.pos += name.chars().count() + 3;
                classes.push(name);
                continue;
            }
            let high = self.chars.get(self.pos + 1).copied().filter(|h| *h != ']');
            match high {
                Some(high) if self.peek() == Some('-') => {
                    self.pos += 2;
                    ranges.push((c, high));
                }
                _ => ranges.push((c, c)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (regex, extended, text, expected) in [
            ("b.d", false, "abcd", Some((1, 4))),
            ("^a*$", false, "aaa", Some((0, 3))),
            ("^a*$", false, "aab", None),
            ("a+", false, "a+", Some((0, 2))),
            ("a\\+", false, "caa", Some((1, 3))),
            ("a+|b{2}", true, "xbb", Some((1, 3))),
            ("(ab)+c?", true, "ababc", Some((0, 5))),
            ("[^0-9]", true, "12x", Some((2, 3))),
            ("[[:upper:]][]x]", true, "aB]", Some((1, 3))),
            ("\\<to\\>", false, "into to", Some((5, 7))),
            ("*a", false, "*a", Some((0, 2))),
            ("a\\|b", false, "b", Some((0, 1))),
            ("x*", true, "", Some((0, 0))),
            ("(a|ab)(c|bcd)", true, "abcd", Some((0, 4))),
            ("a{2,3}", true, "aaaa", Some((0, 3))),
            ("\\(a\\)\\(b\\)", false, "ab", Some((0, 2))),
        ] {
            let text: Vec<char> = text.chars().collect();
            assert_eq!(Regex::new(regex, extended, false).unwrap().find(&text, 0), expected, "{regex}");
        }
    }

    #[test]
    fn folding_and_errors() {
        let text: Vec<char> = "ABC".chars().collect();
        assert!(Regex::new("b", false, true).unwrap().find(&text, 0).is_some());
        for bad in ["(", "[a", "a{2", "a{3,2}", "\\", "a{999}", "((a{255}){255}){255}", "["] {
            assert!(Regex::new(bad, true, false).is_err(), "{bad}");
        }
        assert!(Regex::new(&"(".repeat(10_000), true, false).is_err());
    }

    #[test]
    fn no_explosion() {
        let text: Vec<char> = "a".repeat(200).chars().collect();
        assert_eq!(Regex::new("(a*)*b", true, false).unwrap().find(&text, 0), None);
    }
}
