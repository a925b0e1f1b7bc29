//! Records with whole names.

use sesame_catalog::{Api, Record};

/// Returns what the catalog knows of an API. What it derived (title, safety) is left out.
pub fn record_of(api: &Api) -> Record {
    let version = if api.version > 1 { format!("@{}", api.version) } else { String::new() };
    Record {
        title: api.title.clone().filter(|_| !api.title_derived),
        title_zh: api.title_zh.clone(),
        about: api.about.clone(),
        about_zh: api.about_zh.clone(),
        group: api.group.clone(),
        aliases: api.aliases.clone(),
        http: api.http,
        auth: api.auth,
        signed: api.signed,
        safety: Some(api.safety).filter(|_| !api.safety_derived),
        params: api.params.clone(),
        response: api.response.clone(),
        paging: api.paging.clone(),
        errors: api.errors.clone(),
        example: api.example.clone(),
        reply: api.reply.clone(),
        dates: api.dates.clone(),
        quota: api.quota.clone(),
        notes: api.notes.clone(),
        source: api.source.clone(),
        ..Record::named(format!("{}{version}", api.name))
    }
}

/// Joins namespace, name and version of a line of a base file.
#[must_use]
pub fn with_whole_name(mut record: Record) -> Record {
    if let Some(namespace) = record.namespace.take() {
        record.name = format!("{namespace}:{}", record.name);
    }
    if let Some(version) = record.version.take().filter(|version| *version > 1) {
        record.name = format!("{}@{version}", record.name);
    }
    record
}

/// Joins what a list and a document say of one API. The order of the first mention stays.
pub fn join(records: Vec<Record>) -> Vec<Record> {
    let mut places = std::collections::HashMap::new();
    let mut out: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        let at = *places.entry(record.name.clone()).or_insert(out.len());
        let Some(old) = out.get_mut(at) else {
            out.push(record);
            continue;
        };
        old.title = record.title.or(old.title.take());
        old.title_zh = record.title_zh.or(old.title_zh.take());
        old.about = record.about.or(old.about.take());
        old.about_zh = record.about_zh.or(old.about_zh.take());
        old.group = record.group.or(old.group.take());
        old.http = record.http.or(old.http);
        old.auth = record.auth.or(old.auth);
        old.reply = record.reply.or(old.reply.take());
        if !record.params.is_empty() {
            old.params = record.params;
        }
        if !record.response.is_empty() {
            old.response = record.response;
        }
        if !record.errors.is_empty() {
            old.errors = record.errors;
        }
        let new = record.aliases.into_iter().filter(|alias| !old.aliases.contains(alias)).collect::<Vec<_>>();
        old.aliases.extend(new);
    }
    out
}
