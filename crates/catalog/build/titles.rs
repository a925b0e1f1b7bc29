//! Titles made of the words of names, for APIs that nobody has described yet.

use std::collections::{BTreeMap, HashMap, HashSet};

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
/// The longest word that others are made of.
const LONGEST_WORD: usize = 14;
/// Such a word is known as well as the most frequent one of the names.
const WRITTEN: u32 = 1_000;

/// Makes titles.
pub(crate) struct Titles<'a> {
    words: &'a NameWords,
    /// How often a word stands alone in the names of the catalog.
    known: HashMap<String, u32>,
    /// The words of the titles and descriptions that somebody has written.
    written: HashSet<String>,
}

impl<'a> Titles<'a> {
    /// Learns the words of all names, and of what is written.
    pub(crate) fn new<'r>(words: &'a NameWords, records: impl Iterator<Item = &'r Record>) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut written = HashSet::new();
        let mut learn = |name: &str| {
            for word in name.split(['.', '/', ':']).flat_map(safety::words).filter(|word| word.len() > 2) {
                *known.entry(word).or_default() += 1;
            }
        };
        for record in records {
            learn(&record.name);
            params(&record.params, &mut learn);
            for text in record.title.iter().chain(&record.about) {
                let is_word = |word: &&str| word.len() > 2 && word.bytes().all(|c| c.is_ascii_lowercase());
                let all = text.split([' ', ',', '-']).map(|word| word.trim_end_matches(['.', ':', ';', '?']));
                written.extend(all.filter(is_word).map(str::to_owned));
            }
        }
        known.retain(|word, count| *count > 2 && word.len() < LONGEST_WORD);
        for word in words.short.iter().chain(words.verbs.keys()).chain(words.spelled.keys()) {
            written.insert(word.clone());
        }
        Self { words, known, written }
    }

    /// Makes the title of an API.
    pub(crate) fn of(&self, record: &Record) -> String {
        let mut parts: Vec<&str> =
            record.name.split(['.', '/', ':']).filter(|part| !part.is_empty()).collect();
        if parts.len() > 2 && self.words.owners.iter().any(|owner| parts[0] == owner) {
            parts.remove(0);
        }
        // Each word, and which part of the name it is from.
        let mut words: Vec<(usize, String)> = Vec::new();
        let mut verb = None;
        for (nth, part) in parts.iter().enumerate() {
            let is_last = nth + 1 == parts.len();
            // `queryOrderPayStatus` does not pay.
            let mut is_said = false;
            for whole in safety::words(part) {
                let apart = self.apart(&whole);
                // A `consignorder` is an order.
                let is_noun = apart.len() > 1 && !is_last;
                for word in apart {
                    let again = words.last().is_some_and(|(_, last)| *last == word);
                    if again || self.words.noise.contains(&word) || (is_noun && !Self::is_subject(&word)) {
                        continue;
                    }
                    let said = self.words.verbs.get(&word).filter(|_| !is_said && !is_noun);
                    let Some(said) = said else {
                        words.push((nth, word));
                        continue;
                    };
                    is_said = part.to_lowercase().starts_with(&word);
                    // The last one says what is done; those before it are part of the subject.
                    if let Some((at, old)) = verb.replace((words.len(), (nth, word, said)))
                        && Self::is_subject(&old.1)
                    {
                        words.insert(at, (old.0, old.1));
                        verb = verb.map(|(at, new)| (at + 1, new));
                    }
                }
            }
        }
        for at in 1..words.len() {
            if self.words.adjectives.contains(&words[at].1) {
                let noun = words.iter().position(|(part, _)| *part == words[at - 1].0).unwrap_or(at - 1);
                words[noun..=at].rotate_right(1);
            }
        }
        let spelled = |(_, word): &(usize, String)| self.words.spelled.get(word).unwrap_or(word).clone();
        let said = verb.map(|(_, (.., said))| said.clone()).into_iter();
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
    /// more frequent ones. A word that names have alone is one, unless it is made of words that are written.
    fn apart(&self, word: &str) -> Vec<String> {
        let whole = || vec![word.to_owned()];
        if self.written.contains(word) || word.len() < 6 || !word.bytes().all(|c| c.is_ascii_lowercase()) {
            return whole();
        }
        // The best way to each place: cost, and where its last word starts.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; word.len() + 1];
        best[0] = Some((0.0, 0));
        for end in 1..=word.len() {
            for start in end.saturating_sub(LONGEST_WORD)..end {
                let part = &word[start..end];
                let count = if self.written.contains(part) { Some(WRITTEN) } else { self.frequent(part) };
                let (Some((cost, _)), Some(count)) = (best[start], count.filter(|_| part != word)) else {
                    continue;
                };
                let cost = cost + 10.0 - f64::from(count).ln().min(7.0);
                if best[end].is_none_or(|(old, _)| cost < old) {
                    best[end] = Some((cost, start));
                }
            }
        }
        let mut words = Vec::new();
        let mut end = word.len();
        while end > 0 {
            let Some((_, start)) = best[end] else { return whole() };
            words.push(word[start..end].to_owned());
            end = start;
        }
        words.reverse();
        let is_made = self.frequent(word).is_none() || words.iter().all(|part| self.written.contains(part));
        if is_made { words } else { whole() }
    }

    fn frequent(&self, word: &str) -> Option<u32> {
        self.known.get(word).copied()
    }
}

fn params(list: &[Param], learn: &mut impl FnMut(&str)) {
    for param in list {
        learn(&param.name);
        params(&param.children, learn);
    }
}
