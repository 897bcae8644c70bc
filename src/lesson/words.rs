//! What a check saw and what it wanted, in words. The texts are in `messages/`.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use serde::Serialize;
use unic_langid::langid;

use super::check::Check;
use super::state::{Container, Status, Tree};
use super::text::{Lang, LayerPath, Line};

/// What was looked at, and what was there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "looked_at", rename_all = "snake_case")]
pub enum Evidence {
    /// A container's record.
    Container {
        /// Asked for.
        name: String,
        /// Its image and status, when there is one.
        found: Option<(String, Status)>,
    },
    /// The store's images.
    Image {
        /// Asked for.
        image: String,
        /// The number of its unpacked layers, when there is one.
        layers: Option<usize>,
    },
    /// The read-only layers of two containers.
    Layers {
        /// One container.
        name: String,
        /// The other.
        other: String,
        /// Layers that both stand on.
        shared: usize,
        /// Layers of the one.
        layers: usize,
        /// Layers of the other.
        others: usize,
    },
    /// A path in a tree.
    At {
        /// What the tree is.
        place: Place,
        /// Its root.
        tree: Tree,
        /// Looked at, beneath it.
        path: LayerPath,
        /// What was there.
        seen: Seen,
    },
    /// No layer of the image has anything at the path.
    NoLayer {
        /// The image.
        image: String,
        /// How many layers were looked at.
        layers: usize,
        /// The path.
        path: LayerPath,
    },
    /// No volume of the container covers the path.
    NoVolume {
        /// The container.
        name: String,
        /// The path, as the container sees it.
        path: LayerPath,
    },
}

/// What a tree is to the learner.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// A container's writable layer.
    Upper {
        /// The container.
        name: String,
    },
    /// A read-only layer that a container stands on.
    Lower {
        /// The container.
        name: String,
        /// 1 is the lowest.
        number: usize,
        /// How many the container stands on.
        of: usize,
    },
    /// A read-only layer of an image.
    Layer {
        /// Of this image.
        image: String,
        /// 1 is the lowest.
        number: usize,
        /// How many the image has.
        of: usize,
    },
    /// The source of a volume.
    Volume {
        /// The container.
        name: String,
        /// Where the container sees it.
        target: String,
    },
}

/// What was at a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Seen {
    Nothing,
    File {
        size: u64,
        /// Its first line.
        start: String,
        /// The text looked for, and whether it is there.
        text: Option<(String, bool)>,
    },
    Dir {
        opaque: bool,
    },
    Symlink {
        target: String,
    },
    Whiteout,
    Other,
}

impl Evidence {
    /// Of a container's record.
    pub(super) fn container(name: &str, found: Option<&Container>) -> Self {
        Evidence::Container { name: name.into(), found: found.map(|c| (c.image.clone(), c.status)) }
    }

    /// One sentence: what was looked at, and what was there.
    pub fn words(&self, lang: Lang) -> String {
        match self {
            Evidence::Container { name, found: None } => say(lang, "no-container", &[("name", name)]),
            Evidence::Container { name, found: Some((image, status)) } => say(
                lang,
                "container",
                &[("name", name), ("image", image), ("status", &status_words(*status, lang))],
            ),
            Evidence::Image { image, layers: None } => say(lang, "no-image", &[("image", image)]),
            Evidence::Image { image, layers: Some(n) } => {
                say(lang, "image", &[("image", image), ("layers", &n.to_string())])
            }
            Evidence::Layers { name, other, shared, layers, others } => say(
                lang,
                "layers",
                &[
                    ("name", name),
                    ("other", other),
                    ("shared", &shared.to_string()),
                    ("layers", &layers.to_string()),
                    ("others", &others.to_string()),
                ],
            ),
            Evidence::At { place, tree, path, seen } => say(
                lang,
                "at",
                &[
                    ("place", &place.words(lang)),
                    ("path", path.as_str()),
                    ("seen", &seen.words(lang)),
                    ("file", &format!("{}{path}", tree.0.trim_end_matches('/'))),
                ],
            ),
            Evidence::NoLayer { image, layers, path } => say(
                lang,
                "no-layer",
                &[("image", image), ("layers", &layers.to_string()), ("path", path.as_str())],
            ),
            Evidence::NoVolume { name, path } => {
                say(lang, "no-volume", &[("name", name), ("path", path.as_str())])
            }
        }
    }
}

impl Place {
    fn words(&self, lang: Lang) -> String {
        match self {
            Place::Upper { name } => say(lang, "place-upper", &[("name", name)]),
            Place::Lower { name, number, of } => say(
                lang,
                "place-lower",
                &[("name", name), ("number", &number.to_string()), ("of", &of.to_string())],
            ),
            Place::Layer { image, number, of } => say(
                lang,
                "place-layer",
                &[("image", image), ("number", &number.to_string()), ("of", &of.to_string())],
            ),
            Place::Volume { name, target } => {
                say(lang, "place-volume", &[("name", name), ("target", target)])
            }
        }
    }
}

impl Seen {
    fn words(&self, lang: Lang) -> String {
        match self {
            Seen::Nothing => say(lang, "seen-nothing", &[]),
            Seen::File { size: 0, .. } => say(lang, "seen-empty", &[]),
            Seen::File { size, start, text } => {
                let file =
                    say(lang, "seen-file", &[("size", &size.to_string()), ("start", &shortened(start))]);
                match text {
                    None => file,
                    Some((text, there)) => {
                        let key = if *there { "seen-with" } else { "seen-without" };
                        say(lang, key, &[("file", &file), ("text", text)])
                    }
                }
            }
            Seen::Dir { opaque: false } => say(lang, "seen-dir", &[]),
            Seen::Dir { opaque: true } => say(lang, "seen-opaque", &[]),
            Seen::Symlink { target } => say(lang, "seen-symlink", &[("target", &shortened(target))]),
            Seen::Whiteout => say(lang, "seen-whiteout", &[]),
            Seen::Other => say(lang, "seen-other", &[]),
        }
    }
}

impl Check {
    /// What the check wants, as a phrase.
    pub fn wanted(&self, lang: Lang) -> String {
        let listed = |key, checks: &[Check]| {
            let separator = say(lang, "separator", &[]);
            let all: Vec<_> = checks.iter().map(|c| c.wanted(lang)).collect();
            say(lang, key, &[("all", &all.join(separator.as_str()))])
        };
        let with = |phrase: String, contains: &Option<Line>| match contains {
            None => phrase,
            Some(text) => say(lang, "want-text", &[("phrase", &phrase), ("text", text.as_str())]),
        };
        let upper =
            |key, name: &str, path: &LayerPath| say(lang, key, &[("name", name), ("path", path.as_str())]);
        match self {
            Check::ContainerExists { name } => say(lang, "want-container", &[("name", name.as_str())]),
            Check::ContainerStatus { name, status } => {
                say(lang, "want-status", &[("name", name.as_str()), ("status", &status_words(*status, lang))])
            }
            Check::ContainerImage { name, image } => {
                say(lang, "want-container-image", &[("name", name.as_str()), ("image", image.as_str())])
            }
            Check::ImageExists { image } => say(lang, "want-image", &[("image", image.as_str())]),
            Check::SameLayers { name, other } => {
                say(lang, "want-same-layers", &[("name", name.as_str()), ("other", other.as_str())])
            }
            Check::UpperHas { name, path, contains } => {
                with(upper("want-upper", name.as_str(), path), contains)
            }
            Check::CopiedUp { name, path } => upper("want-copied-up", name.as_str(), path),
            Check::UpperLacks { name, path } => upper("want-upper-lacks", name.as_str(), path),
            Check::UpperWhiteout { name, path } => upper("want-whiteout", name.as_str(), path),
            Check::UpperOpaque { name, path } => upper("want-opaque", name.as_str(), path),
            Check::LayerHas { image, path, contains } => {
                with(say(lang, "want-layer", &[("image", image.as_str()), ("path", path.as_str())]), contains)
            }
            Check::VolumeHas { name, path, contains } => {
                with(upper("want-volume", name.as_str(), path), contains)
            }
            Check::Not(check) => say(lang, "want-not", &[("phrase", &check.wanted(lang))]),
            Check::Any(checks) => listed("want-any", checks),
            Check::All(checks) => listed("want-all", checks),
        }
    }
}

fn status_words(status: Status, lang: Lang) -> String {
    say(lang, &format!("status-{status}"), &[])
}

/// A text of the container, fit for a line on a terminal: no control characters, not long.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| if c.is_control() { vec!['\u{fffd}'] } else { vec![c] })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

fn bundle(lang: Lang) -> &'static FluentBundle<FluentResource> {
    static BUNDLES: [OnceLock<FluentBundle<FluentResource>>; 2] = [OnceLock::new(), OnceLock::new()];
    let (slot, id, source) = match lang {
        Lang::En => (&BUNDLES[0], langid!("en"), include_str!("messages/en.ftl")),
        Lang::ZhCn => (&BUNDLES[1], langid!("zh-CN"), include_str!("messages/zh-CN.ftl")),
    };
    slot.get_or_init(|| {
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        bundle.set_use_isolating(false);
        // A message that does not parse is left out and shows as its key; a test keeps
        // such a file from being built.
        let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(source.to_owned());
        bundle.add_resource_overriding(resource);
        bundle
    })
}

/// One message of this room.
pub(crate) fn say(lang: Lang, key: &str, args: &[(&str, &str)]) -> String {
    let bundle = bundle(lang);
    let Some(pattern) = bundle.get_message(key).and_then(|m| m.value()) else {
        return key.to_owned();
    };
    let mut values = FluentArgs::new();
    for (name, value) in args {
        values.set(*name, *value);
    }
    bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::text::LANGS;

    fn keys(source: &str) -> Vec<String> {
        FluentResource::try_new(source.to_owned()).expect("the messages parse");
        let mut keys: Vec<_> =
            source.lines().filter_map(|l| l.split_once(" = ")).map(|(key, _)| key.to_owned()).collect();
        keys.sort();
        keys
    }

    #[test]
    fn both_languages_have_the_same_messages() {
        let (en, zh) = (keys(include_str!("messages/en.ftl")), keys(include_str!("messages/zh-CN.ftl")));
        assert_eq!(en, zh);
        assert!(en.windows(2).all(|w| w[0] != w[1]), "a message is there twice");
    }

    #[test]
    fn every_evidence_has_words_with_all_its_values() {
        let path = || LayerPath::try_from("/etc/motd".to_owned()).unwrap();
        let at = |seen| Evidence::At {
            place: Place::Upper { name: "cow1".into() },
            tree: Tree("/store/upper".into()),
            path: path(),
            seen,
        };
        let file = |text| Seen::File { size: 7, start: "moo \u{1b}[31m".into(), text };
        let all = vec![
            Evidence::Container { name: "cow1".into(), found: None },
            Evidence::Container { name: "cow1".into(), found: Some(("box".into(), Status::Paused)) },
            Evidence::Image { image: "box".into(), layers: None },
            Evidence::Image { image: "box".into(), layers: Some(3) },
            Evidence::Layers { name: "cow1".into(), other: "cow2".into(), shared: 1, layers: 2, others: 4 },
            at(Seen::Nothing),
            at(file(None)),
            at(file(Some(("moo".into(), true)))),
            at(file(Some(("baa".into(), false)))),
            at(Seen::File { size: 0, start: String::new(), text: None }),
            at(Seen::Dir { opaque: false }),
            at(Seen::Dir { opaque: true }),
            at(Seen::Symlink { target: "/there".into() }),
            at(Seen::Whiteout),
            at(Seen::Other),
            Evidence::At {
                place: Place::Layer { image: "box".into(), number: 1, of: 3 },
                tree: Tree("/l".into()),
                path: path(),
                seen: Seen::Nothing,
            },
            Evidence::At {
                place: Place::Lower { name: "cow1".into(), number: 1, of: 3 },
                tree: Tree("/l".into()),
                path: path(),
                seen: Seen::Nothing,
            },
            Evidence::At {
                place: Place::Volume { name: "cow5".into(), target: "/data".into() },
                tree: Tree("/v".into()),
                path: path(),
                seen: Seen::Nothing,
            },
            Evidence::NoLayer { image: "box".into(), layers: 3, path: path() },
            Evidence::NoVolume { name: "cow5".into(), path: path() },
        ];
        for lang in LANGS {
            let words: Vec<_> = all.iter().map(|e| e.words(lang)).collect();
            for (one, evidence) in words.iter().zip(&all) {
                assert!(!one.contains(['{', '$', '\u{1b}']), "{one}");
                assert!(one.contains(' ') || lang == Lang::ZhCn, "a bare key: {one}");
                if let Evidence::At { tree, .. } = evidence {
                    assert!(one.contains(&tree.0), "the path looked at is told: {one}");
                }
            }
            let mut unique = words.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), words.len(), "two different findings read alike");
        }
    }
}
