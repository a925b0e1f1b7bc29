//! Search over all platforms, a user's overlays included.

use super::{Catalog, parse_name};
use crate::{
    Api, Platform,
    record::{Record, Safety},
    search::{Answer, Documents, Known, LEAST, NEARLY, Question},
    summary::ApiSummary,
    words,
};

/// Which APIs a search looks at, and how many it returns.
#[derive(Debug, Clone)]
pub struct SearchFilter<'a> {
    /// Only this platform.
    pub platform: Option<&'a str>,
    /// Only this group, whatever the case.
    pub group: Option<&'a str>,
    /// Only what reads, is idempotent, or writes.
    pub safety: Option<Safety>,
    /// Only those that need an access token, or only those that do not.
    pub token: Option<bool>,
    /// Maximum number of APIs.
    pub limit: usize,
}

impl Default for SearchFilter<'_> {
    fn default() -> Self {
        Self { platform: None, group: None, safety: None, token: None, limit: 30 }
    }
}

impl SearchFilter<'_> {
    fn fits(&self, api: &ApiSummary) -> bool {
        let group =
            |wanted: &str| api.group.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(wanted));
        self.group.is_none_or(group)
            && self.safety.is_none_or(|safety| api.safety == safety)
            && self.token.is_none_or(|token| api.auth == Some(token))
    }
}

/// The score of what is named exactly as the question says.
const EXACT: f32 = 9.0;

impl Catalog {
    /// Finds the APIs that a question is about, best first: in English or Chinese, in any order of words, with
    /// typos, with other words for the same. Those that are called most go first.
    ///
    /// A name of a platform in the question counts as [`SearchFilter::platform`].
    ///
    /// ```
    /// use sesame_catalog::{Catalog, SearchFilter};
    ///
    /// let filter = SearchFilter { platform: Some("lazada"), limit: 3, ..SearchFilter::default() };
    /// let found = Catalog::builtin().search("发货", &filter);
    /// assert!(found.iter().any(|api| api.name == "/order/package/rts"));
    /// ```
    pub fn search(&self, text: &str, filter: &SearchFilter<'_>) -> Vec<ApiSummary> {
        let mut question = Question::parse(text, self.platforms().iter().map(|found| found.name.as_str()));
        let wanted = |platform: &Platform| match filter.platform {
            Some(name) => platform.name == name,
            None => question.platforms.is_empty() || question.platforms.contains(&platform.name),
        };
        let platforms: Vec<&'static Platform> =
            self.platforms().iter().filter(|found| wanted(found)).collect();
        let answers = question.answer(Documents::builtin(), |entry| self.tables.known(entry));
        let mut hits: Vec<(f32, ApiSummary)> = Vec::new();
        let seen = |least: f32| -> Vec<(&Platform, Answer)> {
            let of = |platform: &&'static Platform| {
                let (platform, chain) = (*platform, self.chain(platform));
                let enough = answers.iter().copied().filter(move |answer| answer.part >= least);
                enough
                    .filter(move |answer| self.is_visible(platform, &chain, answer.line))
                    .map(move |answer| (platform, answer))
            };
            platforms.iter().flat_map(of).collect()
        };
        let mut visible = seen(LEAST);
        if visible.is_empty() {
            visible = seen(0.0);
            let best = visible.iter().map(|(_, answer)| answer.part).fold(0.0, f32::max);
            visible.retain(|(_, answer)| answer.part >= NEARLY * best);
        }
        for platform in platforms {
            let chain = self.chain(platform);
            let exact = parse_name(platform, text).ok().and_then(|name| self.find(platform, &name));
            let exact = exact.filter(|entry| self.is_visible(platform, &chain, *entry));
            hits.extend(exact.map(|entry| (EXACT, self.summary_of(platform, entry))));
            let found =
                visible.iter().filter(|(of, found)| of.name == platform.name && exact != Some(found.line));
            hits.extend(found.map(|(_, found)| (found.score, self.summary_of(platform, found.line))));
            self.search_user(platform, &mut question, &mut hits);
        }
        hits.retain(|(_, api)| filter.fits(api));
        hits.sort_by(|(left, a), (right, b)| {
            right
                .total_cmp(left)
                .then_with(|| (a.name.len(), &a.name, &a.platform).cmp(&(b.name.len(), &b.name, &b.platform)))
        });
        hits.into_iter().map(|(_, api)| api).take(filter.limit).collect()
    }

    /// Adds what a user's overlays add and change.
    fn search_user(&self, platform: &Platform, question: &mut Question, hits: &mut Vec<(f32, ApiSummary)>) {
        let mut theirs = Vec::new();
        self.add_user_summaries(platform, &mut theirs);
        if theirs.is_empty() {
            return;
        }
        let line = |api: &ApiSummary| self.api(&platform.name, &api.name).map(document).unwrap_or_default();
        let lines: Vec<String> = theirs.iter().map(line).collect();
        hits.retain(|(_, api)| {
            api.platform != platform.name || theirs.iter().all(|own| own.name != api.name)
        });
        let known = |line: usize| Known::of(&lines[line], theirs[line].safety);
        let mut answers = question.answer(&Documents::new(&lines.join("\n")), known);
        answers.retain(|answer| answer.part >= LEAST);
        hits.extend(answers.into_iter().map(|answer| (answer.score, theirs[answer.line].clone())));
    }
}

/// Returns what a search looks through, of an API that a user describes.
fn document(api: Api) -> String {
    let mut record = Record::named(api.name);
    record.title_zh = api.title_zh;
    record.about = api.about;
    record.about_zh = api.about_zh;
    record.group = api.group;
    record.aliases = api.aliases;
    record.params = api.params;
    words::document(&record, &api.title.unwrap_or_default())
}
