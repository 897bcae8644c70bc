//! The check language: what a state must be like for an exercise to be done, or for
//! a hint to fit.
//!
//! In a lesson file a check is a table with one key: the check's name.
//!
//! ```toml
//! checks = [
//!   { upper_has = { name = "cow1", path = "/etc/motd", contains = "moo" } },
//!   { not = { upper_whiteout = { name = "cow1", path = "/etc/motd" } } },
//! ]
//! ```

use serde::{Deserialize, Serialize};

use super::state::{Container, Found, State, StateError, Status, Tree, same_image};
use super::text::{Id, LayerPath, Line};
use super::words::{Evidence, Place, Seen};

/// A condition on the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// There is a container of this name.
    ContainerExists {
        /// Its name.
        name: Id,
    },
    /// It is in this status.
    ContainerStatus {
        /// Its name.
        name: Id,
        /// Wanted.
        status: Status,
    },
    /// It was made from this image.
    ContainerImage {
        /// Its name.
        name: Id,
        /// Reference, with Docker's defaults.
        image: Line,
    },
    /// The store has this image.
    ImageExists {
        /// Reference, with Docker's defaults.
        image: Line,
    },
    /// Two containers stand on the very same read-only layers.
    SameLayers {
        /// One.
        name: Id,
        /// The other.
        other: Id,
    },
    /// The writable layer holds a file, directory or link here, not a whiteout.
    UpperHas {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
        /// It is a file with this text in it.
        #[serde(default)]
        contains: Option<Line>,
    },
    /// The writable layer holds a copy of the read-only layers' file: it begins with all of
    /// that file's text.
    CopiedUp {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
    },
    /// The writable layer holds nothing here, not even a whiteout.
    UpperLacks {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
    },
    /// The writable layer holds a whiteout here: deleted, as the container sees it.
    UpperWhiteout {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
    },
    /// The writable layer holds an opaque directory here.
    UpperOpaque {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
    },
    /// Some read-only layer of the image holds something here, not a whiteout.
    LayerHas {
        /// Reference, with Docker's defaults.
        image: Line,
        /// As a container would see it.
        path: LayerPath,
        /// It is a file with this text in it.
        #[serde(default)]
        contains: Option<Line>,
    },
    /// A volume of the container covers this path, and its source holds something here.
    VolumeHas {
        /// The container.
        name: Id,
        /// As the container sees it.
        path: LayerPath,
        /// It is a file with this text in it.
        #[serde(default)]
        contains: Option<Line>,
    },
    /// The other way round.
    Not(Box<Check>),
    /// At least one of these.
    Any(Vec<Check>),
    /// All of these.
    All(Vec<Check>),
}

/// The answer to a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Look<'a> {
    /// What was asked.
    pub check: &'a Check,
    /// The state is as wanted.
    pub passed: bool,
    /// What was read.
    pub evidence: Vec<Evidence>,
}

impl Check {
    /// Asks the state.
    pub fn look<'a>(&'a self, state: &dyn State) -> Result<Look<'a>, StateError> {
        let (passed, evidence) = self.ask(state)?;
        Ok(Look { check: self, passed, evidence })
    }

    fn ask(&self, state: &dyn State) -> Result<(bool, Vec<Evidence>), StateError> {
        let one = |(passed, evidence)| Ok((passed, vec![evidence]));
        match self {
            Check::ContainerExists { name } => one(container(state, name, |_| true)?),
            Check::ContainerStatus { name, status } => one(container(state, name, |c| c.status == *status)?),
            Check::ContainerImage { name, image } => {
                one(container(state, name, |c| same_image(&c.image, image.as_str()))?)
            }
            Check::ImageExists { image } => {
                let layers = state.image(image.as_str())?.map(|l| l.len());
                let evidence = Evidence::Image { image: image.as_str().into(), layers };
                one((layers.is_some(), evidence))
            }
            Check::SameLayers { name, other } => same_layers(state, name, other),
            Check::UpperHas { name, path, contains } => {
                one(upper(state, name, path, contains.as_ref(), |seen| has(seen, contains.as_ref()))?)
            }
            Check::CopiedUp { name, path } => copied_up(state, name, path),
            Check::UpperLacks { name, path } => {
                one(upper(state, name, path, None, |seen| matches!(seen, Seen::Nothing))?)
            }
            Check::UpperWhiteout { name, path } => {
                one(upper(state, name, path, None, |seen| matches!(seen, Seen::Whiteout))?)
            }
            Check::UpperOpaque { name, path } => {
                one(upper(state, name, path, None, |seen| matches!(seen, Seen::Dir { opaque: true }))?)
            }
            Check::LayerHas { image, path, contains } => layer(state, image, path, contains.as_ref()),
            Check::VolumeHas { name, path, contains } => one(volume(state, name, path, contains.as_ref())?),
            Check::Not(check) => check.ask(state).map(|(passed, evidence)| (!passed, evidence)),
            Check::Any(checks) => each(checks, state, |all| all.contains(&true)),
            Check::All(checks) => each(checks, state, |all| !all.contains(&false)),
        }
    }

    /// The names of the containers that it asks for.
    pub fn containers(&self) -> Vec<&Id> {
        match self {
            Check::ContainerExists { name }
            | Check::ContainerStatus { name, .. }
            | Check::ContainerImage { name, .. }
            | Check::UpperHas { name, .. }
            | Check::CopiedUp { name, .. }
            | Check::UpperLacks { name, .. }
            | Check::UpperWhiteout { name, .. }
            | Check::UpperOpaque { name, .. }
            | Check::VolumeHas { name, .. } => vec![name],
            Check::SameLayers { name, other } => vec![name, other],
            Check::ImageExists { .. } | Check::LayerHas { .. } => Vec::new(),
            Check::Not(check) => check.containers(),
            Check::Any(checks) | Check::All(checks) => checks.iter().flat_map(Check::containers).collect(),
        }
    }
}

fn each(
    checks: &[Check],
    state: &dyn State,
    verdict: impl Fn(&[bool]) -> bool,
) -> Result<(bool, Vec<Evidence>), StateError> {
    let mut passed = Vec::new();
    let mut evidence = Vec::new();
    for check in checks {
        let (one, said) = check.ask(state)?;
        passed.push(one);
        evidence.extend(said);
    }
    Ok((verdict(&passed), evidence))
}

/// Something there; a file with the text, if one is asked for.
fn has(seen: &Seen, contains: Option<&Line>) -> bool {
    match (seen, contains) {
        (Seen::Nothing | Seen::Whiteout, _) => false,
        (Seen::File { text, .. }, Some(_)) => text.as_ref().is_some_and(|(_, there)| *there),
        (_, Some(_)) => false,
        (_, None) => true,
    }
}

fn container(
    state: &dyn State,
    name: &Id,
    wanted: impl Fn(&Container) -> bool,
) -> Result<(bool, Evidence), StateError> {
    let found = state.container(name.as_str())?;
    let passed = found.as_ref().is_some_and(wanted);
    Ok((passed, Evidence::container(name.as_str(), found.as_ref())))
}

fn same_layers(state: &dyn State, name: &Id, other: &Id) -> Result<(bool, Vec<Evidence>), StateError> {
    let one = state.container(name.as_str())?;
    let two = state.container(other.as_str())?;
    match (one, two) {
        (Some(one), Some(two)) => {
            let same = one.lowers == two.lowers;
            let evidence = Evidence::Layers {
                name: one.name,
                other: two.name,
                shared: one.lowers.iter().filter(|l| two.lowers.contains(l)).count(),
                layers: one.lowers.len(),
                others: two.lowers.len(),
            };
            Ok((same, vec![evidence]))
        }
        (one, two) => Ok((
            false,
            vec![
                Evidence::container(name.as_str(), one.as_ref()),
                Evidence::container(other.as_str(), two.as_ref()),
            ],
        )),
    }
}

fn seen(
    state: &dyn State,
    tree: &Tree,
    path: &LayerPath,
    contains: Option<&Line>,
) -> Result<Seen, StateError> {
    Ok(in_words(state.look(tree, path)?, contains))
}

fn in_words(found: Found, contains: Option<&Line>) -> Seen {
    match found {
        Found::Absent => Seen::Nothing,
        Found::Dir { opaque } => Seen::Dir { opaque },
        Found::Symlink { target } => Seen::Symlink { target },
        Found::Whiteout => Seen::Whiteout,
        Found::Other => Seen::Other,
        Found::File { size, content } => {
            let content = String::from_utf8_lossy(&content);
            Seen::File {
                size,
                start: content.lines().next().unwrap_or_default().to_owned(),
                text: contains.map(|t| (t.as_str().to_owned(), content.contains(t.as_str()))),
            }
        }
    }
}

fn copied_up(state: &dyn State, name: &Id, path: &LayerPath) -> Result<(bool, Vec<Evidence>), StateError> {
    let Some(container) = state.container(name.as_str())? else {
        return Ok((false, vec![Evidence::container(name.as_str(), None)]));
    };
    let name = &container.name;
    let above = state.look(&container.upper, path)?;
    let mut below = None;
    for (down, tree) in container.lowers.iter().enumerate() {
        let found = state.look(tree, path)?;
        if found != Found::Absent {
            let number = container.lowers.len() - down;
            below =
                Some((Place::Lower { name: name.clone(), number, of: container.lowers.len() }, tree, found));
            break;
        }
    }
    let copied = match (&above, &below) {
        (Found::File { content: above, .. }, Some((_, _, Found::File { content: below, .. }))) => {
            above.starts_with(below)
        }
        _ => false,
    };
    let at = |place, tree: &Tree, found| Evidence::At {
        place,
        tree: tree.clone(),
        path: path.clone(),
        seen: in_words(found, None),
    };
    let mut evidence = vec![at(Place::Upper { name: name.clone() }, &container.upper, above)];
    evidence.push(match below {
        Some((place, tree, found)) => at(place, tree, found),
        None => Evidence::NoLayer {
            image: container.image.clone(),
            layers: container.lowers.len(),
            path: path.clone(),
        },
    });
    Ok((copied, evidence))
}

fn upper(
    state: &dyn State,
    name: &Id,
    path: &LayerPath,
    contains: Option<&Line>,
    wanted: impl Fn(&Seen) -> bool,
) -> Result<(bool, Evidence), StateError> {
    let Some(container) = state.container(name.as_str())? else {
        return Ok((false, Evidence::container(name.as_str(), None)));
    };
    let seen = seen(state, &container.upper, path, contains)?;
    let passed = wanted(&seen);
    let place = Place::Upper { name: container.name };
    Ok((passed, Evidence::At { place, tree: container.upper, path: path.clone(), seen }))
}

fn layer(
    state: &dyn State,
    image: &Line,
    path: &LayerPath,
    contains: Option<&Line>,
) -> Result<(bool, Vec<Evidence>), StateError> {
    let Some(layers) = state.image(image.as_str())? else {
        return Ok((false, vec![Evidence::Image { image: image.as_str().into(), layers: None }]));
    };
    let count = layers.len();
    let mut shown = Vec::new();
    let mut passed = false;
    for (down, tree) in layers.into_iter().enumerate() {
        let seen = seen(state, &tree, path, contains)?;
        passed |= has(&seen, contains);
        if !matches!(seen, Seen::Nothing) {
            let place = Place::Layer { image: image.as_str().into(), number: count - down, of: count };
            shown.push(Evidence::At { place, tree, path: path.clone(), seen });
        }
    }
    if shown.is_empty() {
        shown.push(Evidence::NoLayer { image: image.as_str().into(), layers: count, path: path.clone() });
    }
    Ok((passed, shown))
}

fn volume(
    state: &dyn State,
    name: &Id,
    path: &LayerPath,
    contains: Option<&Line>,
) -> Result<(bool, Evidence), StateError> {
    let Some(container) = state.container(name.as_str())? else {
        return Ok((false, Evidence::container(name.as_str(), None)));
    };
    // The innermost mount is the one that the path shows.
    let covering = container
        .volumes
        .iter()
        .filter_map(|v| Some((v, path.as_str().strip_prefix(v.target.trim_end_matches('/'))?)))
        .filter(|(_, rest)| rest.starts_with('/'))
        .max_by_key(|(v, _)| v.target.len());
    let Some((volume, rest)) = covering else {
        return Ok((false, Evidence::NoVolume { name: container.name, path: path.clone() }));
    };
    let Ok(within) = LayerPath::try_from(rest.to_owned()) else {
        return Ok((false, Evidence::NoVolume { name: container.name, path: path.clone() }));
    };
    let seen = seen(state, &volume.source, &within, contains)?;
    let passed = has(&seen, contains);
    let place = Place::Volume { name: container.name.clone(), target: volume.target.clone() };
    Ok((passed, Evidence::At { place, tree: volume.source.clone(), path: within, seen }))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
