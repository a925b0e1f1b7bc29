//! A user's overlays, applied on top of what is built in.

use std::collections::BTreeSet;

use sesame_core::Result;

use super::{Catalog, param2, parse_name};
use crate::{
    Platform,
    embedded::Entry,
    names::{self, Name},
    overlay::Mistake,
    platforms,
    record::Record,
    summary::{ApiSummary, bare},
    user::{self, Index, UserOverlay},
};

impl Catalog {
    /// Tries every patch now: one that does not fit should be told at the start, not in the middle.
    pub(super) fn index_user(&mut self) {
        for at in 0..self.user.len() {
            for name in self.user[at].overlay.facets.keys().cloned().collect::<Vec<_>>() {
                let file = &self.user[at];
                if let Err(error) = self.facet(&file.overlay.platform, &name) {
                    let error = error.context(file.file.display());
                    self.user[at].overlay.facets.remove(&name);
                    self.mistakes.push(error);
                }
            }
            for name in self.user[at].overlay.actions.keys().cloned().collect::<Vec<_>>() {
                let file = &self.user[at];
                if let Err(error) = self.action(&file.overlay.platform, &name) {
                    let error = error.context(file.file.display());
                    self.user[at].overlay.actions.remove(&name);
                    self.mistakes.push(error);
                }
            }
            let mut keys = Vec::new();
            let count = self.user[at].names().len();
            for nth in 0..count {
                let found = match &self.user[at].index {
                    Some(index) => Ok(index.pieces[nth].keys.clone()),
                    None => self.try_patch(at, nth).map(Vec::from_iter),
                };
                let found = found.unwrap_or_else(|error| {
                    self.mistakes.push(error);
                    // One with mistakes is read whole, to tell them.
                    self.user[at].stamp = None;
                    Vec::new()
                });
                for key in &found {
                    let place = (self.user[at].overlay.platform.clone(), key.clone());
                    self.user_index.entry(place).or_default().push((at, nth));
                }
                keys.push(found);
            }
            let file = &mut self.user[at];
            if let Some(stamp) = file.stamp.take() {
                let _ = Index::write(&file.file, stamp, &file.overlay, keys);
            }
        }
    }

    /// Applies one patch to try it, and returns the keys under which it is found.
    fn try_patch(&self, at: usize, nth: usize) -> Result<BTreeSet<String>> {
        let UserOverlay { file, overlay, .. } = &self.user[at];
        let patch = &overlay.apis[nth];
        let platform = platforms::platform(&overlay.platform)?;
        let named = |name| parse_name(platform, name).map_err(|error| error.context(file.display()));
        let name = named(&patch.name)?;
        let mut keys = BTreeSet::from([names::key(name.plain)]);
        for alias in &patch.aliases {
            keys.insert(names::key(named(alias)?.plain));
        }
        // The entry as built in, so that a patch by alias is found by the real name too.
        let entry = self.find(platform, &name);
        if let Some(entry) = entry {
            keys.insert(names::key(bare(self.tables.summary(entry).name)));
        }
        let done = match entry {
            Some(entry) => patch.apply(overlay, &mut self.tables.record(entry)?),
            // A second file may add to an API that the first one made.
            None if self.user_index.contains_key(&(platform.name.clone(), names::key(name.plain))) => Ok(()),
            None => patch.create(overlay, param2(platform)).map(drop),
        };
        done.map_err(|why| {
            user::wrong(file, &Mistake { place: None, key: format!("api[{nth}] {}", patch.name), why })
        })?;
        Ok(keys)
    }

    /// Finds the built-in entry that a user has given another name.
    pub(super) fn find_by_user_alias(&self, platform: &Platform, name: &Name<'_>) -> Option<Entry> {
        let patches = self.user_index.get(&(platform.name.clone(), names::key(name.plain)))?;
        patches.iter().find_map(|(at, nth)| {
            let theirs = parse_name(platform, self.user[*at].names().get(*nth)?).ok()?;
            self.find(platform, &theirs)
        })
    }

    /// Applies a user's patches; makes the record where only the user knows the API.
    pub(super) fn patch(
        &self,
        platform: &Platform,
        name: &Name<'_>,
        builtin: Option<&str>,
        mut record: Option<Record>,
    ) -> Result<Option<Record>> {
        if self.user_index.is_empty() {
            return Ok(record);
        }
        let mut patches: Vec<(usize, usize)> = Vec::new();
        for key in builtin.into_iter().map(str::to_owned).chain([names::key(name.plain)]) {
            patches.extend(self.user_index.get(&(platform.name.clone(), key)).into_iter().flatten());
        }
        patches.sort_unstable();
        patches.dedup();
        for (at, nth) in patches {
            let file = &self.user[at];
            let patch = file.patch(nth)?;
            let theirs = parse_name(platform, &patch.name)?;
            if let Some(record) = &record
                && (theirs.version.is_some_and(|version| version != record.version.unwrap_or(1))
                    || theirs
                        .namespace
                        .is_some_and(|namespace| record.namespace.as_deref() != Some(namespace)))
            {
                continue;
            }
            let done = match &mut record {
                Some(record) => patch.apply(&file.overlay, record),
                None => patch.create(&file.overlay, param2(platform)).map(|made| record = Some(made)),
            };
            done.map_err(|why| {
                user::wrong(&file.file, &Mistake { place: None, key: patch.name.clone(), why })
            })?;
        }
        Ok(record)
    }

    pub(super) fn add_user_summaries(&self, platform: &Platform, out: &mut Vec<ApiSummary>) {
        for file in self.user.iter().filter(|file| file.overlay.platform == platform.name) {
            for name in file.names() {
                let Ok(api) = self.api(&platform.name, name) else { continue };
                let version = if api.version > 1 { format!("@{}", api.version) } else { String::new() };
                let summary = ApiSummary {
                    platform: platform.name.clone(),
                    name: format!("{}{version}", api.name),
                    title: api.title,
                    title_zh: api.title_zh,
                    title_derived: api.title_derived,
                    group: api.group,
                    auth: api.auth,
                    safety: api.safety,
                    safety_derived: api.safety_derived,
                    presumed: false,
                };
                match out.iter_mut().find(|old| old.name == summary.name) {
                    Some(old) => *old = summary,
                    None => out.push(summary),
                }
            }
        }
    }
}
