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
