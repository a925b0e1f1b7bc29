//! Titles made of the words of names, for APIs that nobody has described yet.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::{
    record::{Param, Record},
    safety,
};

/// `data/words.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameWords {
    /// First parts of methods that name the company and not the subject.
    owners: Vec<String>,
    /// NameWords that say nothing.
    noise: Vec<String>,
    /// What an API does. Two words written as one are given with what they mean: `batchget = "get several"`.
    verbs: BTreeMap<String, String>,
    /// NameWords that stand before the noun that they follow in names: `trades.sold`.
    adjectives: Vec<String>,
    /// Short words that are known when they are written together with others.
    short: Vec<String>,
    /// How words are spelled.
    spelled: BTreeMap<String, String>,
    /// Names of parameters that say all by themselves; for `xtask`.
    #[serde(rename = "plain_params")]
    _plain_params: Vec<String>,
}

impl NameWords {
    /// Returns the first parts of methods that name the company.
    pub(crate) fn owners(&self) -> &[String] {
        &self.owners
    }
}

/// The longest title.
const LONGEST: usize = 100;

/// Makes titles.
pub(crate) struct Titles<'a> {
    words: &'a NameWords,
    /// How often a word stands alone in the names of the catalog.
    known: HashMap<String, u32>,
}

impl<'a> Titles<'a> {
    /// Learns the words of all names.
    pub(crate) fn new<'r>(words: &'a NameWords, records: impl Iterator<Item = &'r Record>) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut learn = |name: &str| {
            for word in name.split(['.', '/', ':']).flat_map(safety::words).filter(|word| word.len() > 2) {
                *known.entry(word).or_default() += 1;
            }
        };
        for record in records {
            learn(&record.name);
            params(&record.params, &mut learn);
        }
        known.retain(|word, count| *count > 2 && word.len() < 14);
        for word in words.short.iter().chain(words.verbs.keys()).chain(words.spelled.keys()) {
            known.insert(word.clone(), 1_000);
        }
        Self { words, known }
    }

    /// Makes the title of an API.
    pub(crate) fn of(&self, record: &Record) -> String {
        let mut parts: Vec<&str> =
            record.name.split(['.', '/', ':']).filter(|part| !part.is_empty()).collect();
        if parts.len() > 2 && self.words.owners.iter().any(|owner| parts[0] == owner) {
            parts.remove(0);
        }
        let mut words: Vec<String> = Vec::new();
        let mut verb = None;
        for part in &parts {
            for word in safety::words(part).iter().flat_map(|word| self.apart(word)) {
                if self.words.noise.contains(&word) || words.last() == Some(&word) {
                    continue;
                }
                if let Some(said) = self.words.verbs.get(&word) {
                    // The last one says what is done; those before it are part of the subject.
                    if let Some((at, old)) = verb.replace((words.len(), (word.clone(), said)))
                        && Self::is_subject(&old.0)
                    {
                        words.insert(at, old.0);
                        verb = verb.map(|(at, new)| (at + 1, new));
                    }
                    continue;
                }
                words.push(word);
            }
        }
        for at in 1..words.len() {
            if self.words.adjectives.contains(&words[at]) {
                words.swap(at - 1, at);
            }
        }
        let spelled = |word: &String| self.words.spelled.get(word).unwrap_or(word).clone();
        let said = verb.map(|(_, (_, said))| said.clone()).into_iter();
        let all: Vec<String> = said.chain(words.iter().map(spelled)).collect();
        let mut title = all.join(" ");
        if let Some(first) = title.get(..1).map(str::to_uppercase) {
            title.replace_range(..1, &first);
        }
        while title.len() > LONGEST {
            title.truncate(title.rfind(' ').unwrap_or(LONGEST));
        }
        title
    }

    /// Whether a verb that another one follows belongs to the subject: `list` in `category.list.update`.
    fn is_subject(verb: &str) -> bool {
        !matches!(verb, "get" | "query" | "do")
    }

    /// Takes words that are written together apart: `getpostcategorybyid`. The fewest words win, then the
    /// more frequent ones.
    fn apart(&self, word: &str) -> Vec<String> {
        if self.known.contains_key(word) || word.len() < 6 || !word.bytes().all(|c| c.is_ascii_lowercase()) {
            return vec![word.to_owned()];
        }
        // The best way to each place: cost, and where its last word starts.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; word.len() + 1];
        best[0] = Some((0.0, 0));
        for end in 1..=word.len() {
            for start in end.saturating_sub(14)..end {
                let (Some((cost, _)), Some(count)) = (best[start], self.known.get(&word[start..end])) else {
                    continue;
                };
                let cost = cost + 10.0 - f64::from(*count).ln().min(7.0);
                if best[end].is_none_or(|(old, _)| cost < old) {
                    best[end] = Some((cost, start));
                }
            }
        }
        let mut words = Vec::new();
        let mut end = word.len();
        while end > 0 {
            let Some((_, start)) = best[end] else { return vec![word.to_owned()] };
            words.push(word[start..end].to_owned());
            end = start;
        }
        words.reverse();
        words
    }
}

fn params(list: &[Param], learn: &mut impl FnMut(&str)) {
    for param in list {
        learn(&param.name);
        params(&param.children, learn);
    }
}
