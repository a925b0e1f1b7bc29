//! Search: from a question as people ask it to APIs, best first.

use std::{collections::BTreeMap, sync::OnceLock};

use memchr::memmem::Finder;
use serde::Deserialize;
use sesame_core::nearest::nearest;

use crate::{
    record::Safety,
    words::{VERB_GROUPS, is_chinese, split, things_of},
};

/// What `words::document` says of each built-in API, a line each.
static DOCUMENTS: &str = include_str!(concat!(env!("OUT_DIR"), "/documents.txt"));
/// `data/search.toml`, as JSON.
static WORDS: &str = include_str!(concat!(env!("OUT_DIR"), "/search.json"));

/// Maximum number of words of a question that are looked at.
const MOST_WORDS: usize = 16;
/// Maximum number of characters of a question that are looked at.
const LONGEST: usize = 400;
/// How much a word counts by the field that holds it: names, titles, group, descriptions, parameters.
const FIELD_WEIGHTS: [f32; 5] = [1.0, 0.95, 0.4, 0.5, 0.25];
/// How much another word for the same counts.
const SYNONYM: f32 = 0.75;
/// How much words for what is done count: `get` is in half of all names.
const VERB: f32 = 0.45;
/// How much of a word a name or a title has at least that names it.
const NAMED: f32 = 0.6;
/// How much another word for reading counts: who asks for a list does not want one thing.
const OTHER_VERB: f32 = 0.5;
/// How much an English word counts for a Chinese one: most names are English alone.
const TRANSLATED: f32 = 0.8;
/// The part of a question, by weight, that an API has to have.
pub(crate) const LEAST: f32 = 0.5;
/// Where none has that much: how much an API has to have of what the best one has.
pub(crate) const NEARLY: f32 = 0.8;
/// How much the use of an API adds, at most.
const USE: f32 = 0.3;
/// How much a name or a title adds that says nothing but what was asked for.
const CLOSE: f32 = 0.25;
/// How much an API loses that reads where a change was asked for, or changes where something was to be read.
const OTHER_DEED: f32 = 0.15;

#[derive(Deserialize)]
struct Words {
    fill: String,
    groups: Vec<String>,
    platforms: BTreeMap<String, String>,
}

/// The group of words for doing something many times, after reading and those that change something.
const BATCH_GROUP: usize = 7;

fn words() -> &'static Words {
    static LOADED: OnceLock<Words> = OnceLock::new();
    LOADED.get_or_init(|| {
        let empty = Words { fill: String::new(), groups: Vec::new(), platforms: BTreeMap::new() };
        serde_json::from_str(WORDS).unwrap_or(empty)
    })
}

/// Documents to search, a line each.
pub(crate) struct Documents<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Documents<'a> {
    pub(crate) fn builtin() -> &'static Documents<'static> {
        static LOADED: OnceLock<Documents<'static>> = OnceLock::new();
        LOADED.get_or_init(|| Documents::new(DOCUMENTS))
    }

    pub(crate) fn new(text: &'a str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let mut starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        Self { text, starts }
    }

    /// Returns `true` if some API has a word that begins with this one.
    fn has(&self, word: &str) -> bool {
        Finder::new(&format!(" {word}")).find(self.text.as_bytes()).is_some()
    }

    /// Splits a stem into a word and a stem that stand apart elsewhere: `detailmodul`.
    fn halves<'w>(&self, word: &'w str) -> Option<(&'w str, &'w str)> {
        let whole = |part: &str| Finder::new(&format!(" {part} ")).find(self.text.as_bytes()).is_some();
        let places = 3..word.len().saturating_sub(2);
        let mut splits = places.filter_map(|at| word.split_at_checked(at));
        splits.find(|(left, right)| word.is_ascii() && whole(left) && self.has(right))
    }

    /// Calls `found` with each line that holds a word, the number of the field, and how much it counts there.
    fn each(&self, word: &str, mut found: impl FnMut(usize, usize, f32)) {
        let bytes = self.text.as_bytes();
        let chinese = word.chars().any(is_chinese);
        let mut line = 0;
        for at in Finder::new(word).find_iter(bytes) {
            // Hits come in order: look on from the last line.
            while self.starts.get(line + 1).is_some_and(|next| *next <= at) {
                line += 1;
            }
            let field = memchr::memchr_iter(b'\t', &bytes[self.starts[line]..at]).count();
            let begins = at > 0 && bytes[at - 1] == b' ';
            let rest = &bytes[at + word.len()..];
            let tail = rest.iter().take(4).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let fit = match (begins, tail) {
                _ if chinese => 1.0,
                (true, 0) => 1.0,
                // Plurals and tenses.
                (true, 1..=3) => 0.95,
                (true, _) if word.len() >= 3 => 0.7,
                // AliExpress writes names without gaps: `findproductinfolistquery`.
                (false, _) if word.len() >= 4 => 0.7,
                _ => continue,
            };
            found(line, field, fit * FIELD_WEIGHTS.get(field).copied().unwrap_or(0.1));
        }
    }
}

/// One word of a question, and what else it may be written as.
#[derive(Debug, PartialEq)]
struct Term {
    /// The words and how much each counts.
    words: Vec<(String, f32)>,
    /// How much the term counts beside others.
    weight: f32,
}

/// A question taken apart.
#[derive(Debug)]
pub(crate) struct Question {
    terms: Vec<Term>,
    /// The platforms it names; empty if it names none.
    pub(crate) platforms: Vec<String>,
    /// Whether something is to be read, or changed; `None` if it does not say.
    reads: Option<bool>,
}

impl Question {
    /// Takes a question apart. `platforms` are the names there are.
    pub(crate) fn parse<'a>(text: &str, platforms: impl Iterator<Item = &'a str>) -> Self {
        let text: String = text.chars().take(LONGEST).collect();
        let known = words();
        let mut named = Vec::new();
        let mut rest = text.to_lowercase();
        for platform in platforms {
            let more = known.platforms.get(platform).map(String::as_str).unwrap_or_default();
            for name in std::iter::once(platform).chain(more.split_whitespace()) {
                if let Some(without) = without(&rest, name) {
                    named.push(platform.to_owned());
                    rest = without;
                }
            }
        }
        // A question that is nothing but a platform's name asks for the word.
        if split(&rest).is_empty() {
            named.clear();
            rest = text;
        }
        let mut terms: Vec<Term> = Vec::new();
        let (mut reads, mut changes) = (false, false);
        for word in split(&rest).into_iter().flat_map(segment) {
            let term = term(&word);
            let of_groups =
                |range: std::ops::Range<usize>| known.groups[range].iter().any(|group| is_in(group, &word));
            reads |= of_groups(0..1);
            changes |= of_groups(1..BATCH_GROUP);
            if !is_fill(&word) && !terms.contains(&term) && terms.len() < MOST_WORDS {
                terms.push(term);
            }
        }
        Self { terms, platforms: named, reads: (reads != changes).then_some(reads) }
    }

    /// Replaces words that no API has by the nearest one, and finds words that are written with a gap elsewhere.
    fn correct(&mut self) {
        let all = Documents::builtin();
        for term in &mut self.terms {
            let word = term.words[0].0.clone();
            if let Some((left, right)) = all.halves(&word) {
                term.words.push((format!("{left} {right}"), 1.0));
            } else if term.words.len() == 1
                && !all.has(&word)
                && let Some(word) = near(&word)
            {
                *term = self::term(word);
            }
        }
    }

    /// Returns the lines that have something of the question, in no order.
    pub(crate) fn answer(
        &mut self,
        documents: &Documents<'_>,
        known: impl Fn(usize) -> Known,
    ) -> Vec<Answer> {
        let count = documents.starts.len();
        let mut scores = vec![0.0_f32; count];
        // How many things of the question the name has, and the title.
        let mut close = vec![[0_u8; 2]; count];
        let mut whole = 0.0;
        let (mut unknown, mut things) = (0, 0);
        self.correct();
        for term in &self.terms {
            let best = term.scan(documents);
            let holding = best.iter().filter(|found| found.score > 0.0).count();
            // A word that no API has says nothing of any.
            if holding == 0 && !term.words.iter().any(|(word, _)| Documents::builtin().has(word)) {
                unknown += 1;
                continue;
            }
            let is_thing = term.weight > VERB;
            things += u32::from(is_thing);
            // A rare word says more than one that half of the APIs have.
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let weight = term.weight * (1.0 + count as f32 / (1 + holding) as f32).ln();
            whole += weight;
            for ((score, close), found) in scores.iter_mut().zip(&mut close).zip(best) {
                *score += weight * found.score;
                for (count, named) in close.iter_mut().zip(found.named) {
                    *count += u8::from(is_thing && named);
                }
            }
        }
        // What is known of the question has to be more than what is not.
        if whole == 0.0 || (unknown > 0 && unknown >= things) {
            return Vec::new();
        }
        let hits = scores.into_iter().zip(close).enumerate();
        hits.filter(|(_, (score, _))| *score > 0.0)
            .map(|(line, (score, close))| {
                let known = known(line);
                let part_of = |(close, of): (u8, u8)| f32::from(close) / f32::from(of.max(1));
                let close = close.into_iter().zip(known.things).map(part_of).fold(0.0, f32::max).min(1.0);
                let is_other = self.reads.is_some_and(|reads| reads != (known.safety == Safety::Read));
                let other = if is_other { OTHER_DEED } else { 0.0 };
                let part = score / whole;
                Answer { line, part, score: part + USE * known.used + CLOSE * close - other }
            })
            .collect()
    }
}

/// What is known of a line besides its words.
pub(crate) struct Known {
    /// How often the API is called: 1 the most.
    pub(crate) used: f32,
    pub(crate) safety: Safety,
    /// How many things its name speaks of, and its title.
    pub(crate) things: [u8; 2],
}

impl Known {
    /// Of a line that nobody has counted.
    pub(crate) fn of(line: &str, safety: Safety) -> Self {
        let deeds = &words().groups[..VERB_GROUPS];
        let says_nothing = |word: &str| is_fill(word) || deeds.iter().any(|group| is_in(group, word));
        Self { used: 0.0, safety, things: things_of(line, says_nothing) }
    }
}

/// A line that has something of a question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) line: usize,
    /// The part of the question, by weight, that it has.
    pub(crate) part: f32,
    /// What it is ranked by.
    pub(crate) score: f32,
}

/// What a line has of a term.
#[derive(Clone, Copy, Default)]
struct Found {
    score: f32,
    /// Whether the name has it, and the title.
    named: [bool; 2],
}

impl Term {
    /// Returns how much each line has of it.
    fn scan(&self, documents: &Documents<'_>) -> Vec<Found> {
        let mut best = vec![Found::default(); documents.starts.len()];
        for (word, weight) in &self.words {
            documents.each(word, |line, field, fit| {
                let score = fit * weight;
                let found = &mut best[line];
                found.score = found.score.max(score);
                if let Some(named) = found.named.get_mut(field) {
                    *named |= score >= NAMED;
                }
            });
        }
        best
    }
}

/// Returns the text without a word, if it holds that word.
fn without(text: &str, word: &str) -> Option<String> {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '/'));
    let chinese = word.chars().any(is_chinese);
    let (at, _) = text.match_indices(word).find(|(at, _)| {
        chinese || (apart(text[..*at].chars().next_back()) && apart(text[at + word.len()..].chars().next()))
    })?;
    Some(format!("{} {}", &text[..at], &text[at + word.len()..]))
}

fn is_fill(word: &str) -> bool {
    is_in(&words().fill, word)
}

/// Returns `true` if a word is one of a group, or the plural or the past of one.
fn is_in(group: &str, word: &str) -> bool {
    group.split_whitespace().any(|member| member == word)
}

/// Parts a run of Chinese at the words that are known; what is between them is parted into pairs.
fn segment(word: String) -> Vec<String> {
    if !word.chars().all(is_chinese) {
        return vec![word];
    }
    let known = || words().groups.iter().flat_map(|group| group.split_whitespace());
    let fill = || words().fill.split_whitespace();
    let mut out = Vec::new();
    let mut unknown = String::new();
    let mut rest = word.as_str();
    while let Some(first) = rest.chars().next() {
        let longest =
            known().chain(fill()).filter(|word| rest.starts_with(*word)).max_by_key(|word| word.len());
        if let Some(word) = longest {
            pairs(&mut out, &std::mem::take(&mut unknown));
            out.push(word.to_owned());
            rest = &rest[word.len()..];
        } else {
            unknown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    pairs(&mut out, &unknown);
    out
}

fn pairs(out: &mut Vec<String>, run: &str) {
    let characters: Vec<char> = run.chars().collect();
    match characters.as_slice() {
        [] => {}
        [only] => out.push(only.to_string()),
        more => out.extend(more.windows(2).map(|pair| pair.iter().collect())),
    }
}

/// Makes the term of a word: the word, its stem, and what means the same.
fn term(word: &str) -> Term {
    let stem = stem(word);
    let mut out = Term { words: vec![(stem.to_owned(), 1.0)], weight: 1.0 };
    for (nth, group) in words().groups.iter().enumerate() {
        let members = || group.split_whitespace();
        if !members().any(|member| member == word || self::stem(member) == stem) {
            continue;
        }
        if nth < VERB_GROUPS {
            out.weight = VERB;
        }
        let weight = match nth {
            _ if word.chars().any(is_chinese) => TRANSLATED,
            0 => OTHER_VERB,
            _ => SYNONYM,
        };
        for member in members().map(self::stem) {
            if !out.words.iter().any(|(old, _)| old == member) {
                out.words.push((member.to_owned(), weight));
            }
        }
    }
    out
}

/// Cuts the endings of plurals and tenses, so that `orders` finds `order` and `getOrders`.
fn stem(word: &str) -> &str {
    if !word.is_ascii() || word.len() < 5 {
        return match word.strip_suffix('s') {
            Some(rest) if word.is_ascii() && word.len() == 4 && !rest.ends_with(['s', 'u', 'i']) => rest,
            _ => word,
        };
    }
    for (ending, least) in [("ies", 3), ("ing", 4), ("ed", 4), ("es", 4), ("s", 3), ("e", 4), ("y", 4)] {
        if let Some(rest) = word.strip_suffix(ending)
            && rest.len() >= least
            // A `listing` is a product, and `list` is in the names of a third of all APIs.
            && !(ending == "ing" && rest == "list")
            && !(ending == "s" && rest.ends_with(['s', 'u', 'i']))
        {
            // `shipping` is `ship`.
            let mut last = rest.bytes().rev();
            let doubled = last.next() == last.next() && matches!(ending, "ing" | "ed");
            return if doubled { &rest[..rest.len() - 1] } else { rest };
        }
    }
    word
}

/// Returns the word of the built-in documents that is nearest to a mistyped one.
fn near(word: &str) -> Option<&'static str> {
    if word.len() < 4 || !word.is_ascii() {
        return None;
    }
    let groups = words().groups.iter().flat_map(|group| group.split_whitespace());
    let names = Documents::builtin().text.lines().filter_map(|line| line.split('\t').next());
    let mut all: Vec<&str> = groups.chain(names.flat_map(str::split_whitespace)).collect();
    all.retain(|other| other.is_ascii() && other.len() >= 4 && other.len().abs_diff(word.len()) <= 2);
    all.sort_unstable();
    all.dedup();
    nearest(word, all)
}
