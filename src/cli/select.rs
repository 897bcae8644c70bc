//! Which images a list or a prune means: names, filters, and who is made from whom.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::filter::{Filters, glob};
use super::setup;
use crate::image::family::{self, Ancestry};
use crate::image::index::Listed;

/// The filters of images.
pub const KEYS: &[&str] = &["before", "dangling", "label", "label!", "reference", "since", "until"];

/// All images of the store, and what their configs say once somebody asks.
pub struct Census {
    /// One for each name, the nameless last.
    pub all: Vec<Listed>,
    configs: OnceCell<BTreeMap<String, Value>>,
}

impl Census {
    /// Reads the list; the configs wait.
    pub fn take(context: &Context) -> Result<Census, CliError> {
        Ok(Census { all: setup::images(context)?, configs: OnceCell::new() })
    }

    /// The images that fit; without `every`, those without a name that others are
    /// made from are left out.
    pub fn select(
        &self,
        context: &Context,
        filters: &Filters,
        name: Option<&str>,
        every: bool,
    ) -> Result<Vec<&Listed>, CliError> {
        let dangling = filters.boolean("dangling")?;
        let until = filters.until(Timestamp::now())?;
        let labels = filters.values("label").chain(filters.values("label!")).next().is_some();
        let nameless = self.all.iter().any(|l| l.reference.is_none());
        let parents = match nameless && (dangling.is_some() || !every) {
            true => self.parents(context)?,
            false => BTreeSet::new(),
        };
        let before = self.moments(context, filters, "before")?;
        let since = self.moments(context, filters, "since")?;
        let mut found = Vec::new();
        for listed in &self.all {
            let created: Option<Timestamp> = listed.created.as_ref().and_then(|c| c.parse().ok());
            let created = created.unwrap_or(Timestamp::UNIX_EPOCH);
            let parent = listed.reference.is_none() && parents.contains(&listed.id);
            let fits = (every || !parent)
                && dangling.is_none_or(|d| d == (listed.reference.is_none() && !parent))
                && until.is_none_or(|t| created < t)
                && before.iter().all(|(id, t)| created < *t && *id != listed.id)
                && since.iter().all(|(id, t)| created > *t && *id != listed.id)
                && name.is_none_or(|n| is_named(listed, n))
                && filters.any("reference", |pattern| is_named(listed, pattern))
                && (!labels || filters.labels(&labels_of(self.config(context, &listed.id)?)));
            if fits {
                found.push(listed);
            }
        }
        Ok(found)
    }

    /// Ids of the images that another image is made from.
    pub fn parents(&self, context: &Context) -> Result<BTreeSet<String>, CliError> {
        self.parents_of(context, &|_| true)
    }

    /// The same among the images of these ids only.
    pub fn parents_of(
        &self,
        context: &Context,
        among: &dyn Fn(&str) -> bool,
    ) -> Result<BTreeSet<String>, CliError> {
        let configs = self.configs(context)?;
        let ancestries: BTreeMap<&String, Ancestry> = configs
            .iter()
            .filter(|(id, _)| among(id))
            .map(|(id, config)| (id, family::ancestry(config)))
            .collect();
        let parent = |a: &Ancestry| ancestries.values().any(|b| a.is_before(b));
        Ok(ancestries.iter().filter(|(_, a)| parent(a)).map(|(id, _)| (*id).clone()).collect())
    }

    /// What an image was made from; `None` if it was removed since the list was read.
    pub fn ancestry(&self, context: &Context, id: &str) -> Result<Option<Ancestry>, CliError> {
        Ok(self.configs(context)?.get(id).map(family::ancestry))
    }

    /// An image's config.
    pub fn config(&self, context: &Context, id: &str) -> Result<&Value, CliError> {
        self.configs(context)?.get(id).ok_or_else(|| CliError::new(format!("no such image: {id}")))
    }

    fn configs(&self, context: &Context) -> Result<&BTreeMap<String, Value>, CliError> {
        if let Some(configs) = self.configs.get() {
            return Ok(configs);
        }
        let mut configs = BTreeMap::new();
        for listed in &self.all {
            if configs.contains_key(&listed.id) {
                continue;
            }
            match setup::config(context, &listed.id) {
                Ok(config) => drop(configs.insert(listed.id.clone(), config)),
                // Somebody else removed it since the list was read.
                Err(_) if !setup::images(context)?.iter().any(|l| l.id == listed.id) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.configs.get_or_init(|| configs))
    }

    fn moments(
        &self,
        context: &Context,
        filters: &Filters,
        key: &str,
    ) -> Result<Vec<(String, Timestamp)>, CliError> {
        let one = |wanted: &str| {
            let id = setup::image_id(context, wanted)
                .ok_or_else(|| CliError::new(format!("invalid filter {key}={wanted}: no such image")))?;
            let created = self.all.iter().find(|l| l.id == id).and_then(|l| l.created.as_ref()?.parse().ok());
            Ok((id, created.unwrap_or(Timestamp::UNIX_EPOCH)))
        };
        filters.values(key).map(one).collect()
    }
}

/// Whether one of the ways to write the image's name fits a pattern.
fn is_named(listed: &Listed, pattern: &str) -> bool {
    let Some(reference) = &listed.reference else { return false };
    let forms = [reference.familiar_name(), reference.name()];
    let full = [reference.familiar(), reference.to_string()];
    forms.iter().chain(&full).any(|form| glob(pattern, form))
}

/// The labels in an image's config.
pub fn labels_of(config: &Value) -> BTreeMap<String, String> {
    let labels = config["config"]["Labels"].as_object();
    labels
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect()
}
