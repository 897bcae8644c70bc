//! Who is made from whom. No image names its parent; but what was made from
//! another one has all of its layers and all of its history, and something more.

use serde_json::Value;

/// What an image has in common with what is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestry {
    layers: Vec<String>,
    history: Vec<(String, String, bool)>,
}

/// Reads the ancestry from an image's config.
pub fn ancestry(config: &Value) -> Ancestry {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let layers = config["rootfs"]["diff_ids"].as_array();
    let history = config["history"].as_array();
    Ancestry {
        layers: layers.into_iter().flatten().map(text).collect(),
        history: history
            .into_iter()
            .flatten()
            .map(|h| (text(&h["created"]), text(&h["created_by"]), h["empty_layer"] == true))
            .collect(),
    }
}

impl Ancestry {
    /// Lines of the history.
    pub fn len(&self) -> usize {
        self.history.len()
    }

    /// Whether the history says nothing.
    pub fn is_empty(&self) -> bool {
        self.history.is_empty()
    }

    /// Whether the other image is made from this one.
    pub fn is_before(&self, other: &Ancestry) -> bool {
        other.history.len() > self.history.len()
            && other.layers.starts_with(&self.layers)
            && other.history.starts_with(&self.history)
            && !self.history.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_of_the_same() {
        let image = |layers: &[&str], history: &[&str]| {
            let history: Vec<_> = history.iter().map(|h| json!({"created_by": h})).collect();
            ancestry(&json!({"rootfs": {"diff_ids": layers}, "history": history}))
        };
        let base = image(&["a"], &["ADD"]);
        assert!(base.is_before(&image(&["a", "b"], &["ADD", "RUN"])));
        assert!(base.is_before(&image(&["a"], &["ADD", "CMD"])), "an empty layer counts");
        for other in
            [image(&["a"], &["ADD"]), image(&["b", "c"], &["ADD", "RUN"]), image(&["a", "b"], &["X", "Y"])]
        {
            assert!(!base.is_before(&other));
        }
        assert!(!image(&[], &[]).is_before(&base), "nothing is before everything");
    }
}
