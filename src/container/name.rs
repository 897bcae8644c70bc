//! Container names: what users may choose, and what they get if they do not.

const FIRST: &[&str] = &[
    "amber", "bright", "calm", "clear", "curved", "deep", "fine", "frosted", "gentle", "green", "hollow",
    "keen", "light", "milky", "nimble", "open", "patient", "plain", "polished", "quiet", "rare", "round",
    "sharp", "silver", "smooth", "steady", "still", "tall", "thin", "vivid", "warm", "young",
];

const SECOND: &[&str] = &[
    "beaker",
    "bottle",
    "bulb",
    "crystal",
    "cupola",
    "facet",
    "flask",
    "goblet",
    "jar",
    "kiln",
    "lamp",
    "lantern",
    "lens",
    "magnifier",
    "marble",
    "mirror",
    "monocle",
    "mosaic",
    "pane",
    "pearl",
    "pitcher",
    "prism",
    "quartz",
    "retort",
    "skylight",
    "spyglass",
    "telescope",
    "tumbler",
    "vase",
    "vial",
    "window",
    "workshop",
];

/// A name from the container's id: the same id gives the same name.
pub fn from_id(id: &str, attempt: usize) -> String {
    let number = |at: usize| usize::from_str_radix(id.get(at..at + 4).unwrap_or("0"), 16).unwrap_or(0);
    let base = format!("{}_{}", FIRST[number(0) % FIRST.len()], SECOND[number(4) % SECOND.len()]);
    if attempt == 0 { base } else { format!("{base}{attempt}") }
}

/// Whether a user may choose this name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
pub fn is_valid(name: &str) -> bool {
    name.len() >= 2
        && name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_names() {
        for good in ["ab", "web-1", "A_b.c"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a", "-ab", "a b", "a/b", "é1", "../x"] {
            assert!(!is_valid(bad), "{bad}");
        }
        let id = super::super::id::deterministic(1);
        assert!(is_valid(&from_id(&id, 0)) && is_valid(&from_id(&id, 3)));
    }
}
