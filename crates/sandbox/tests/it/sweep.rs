//! Every entry of the catalog, on every platform: its example runs as printed, right arguments are taken,
//! wrong ones refused with the right words, lists end.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Map, Value as Json, value::RawValue};
use sesame_catalog::{Api, ApiSummary, PagingStyle, Param, Safety, Type};
use sesame_core::{Protocol, path, scalar};
use sesame_sandbox::ReplySource;

use crate::{
    support::{Bench, CATALOG},
    sweep_calls::{Caller, Connection, Fresh, Outcome},
    sweep_wrong::{Wrong, wrong_arguments},
};

/// How many entries are asked at a time.
const TASKS: usize = 4;
/// No list has more pages of ten rows.
const MOST_PAGES: usize = 12;

/// What a part of the sweep counted and found.
#[derive(Default)]
struct Findings {
    counts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Findings {
    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn wrong(&mut self, what: &str, api: &Api, text: &str) {
        self.count(format!("FAILED {what}"));
        self.wrong.push(format!("{what}: {} {}: {text:.600}", api.platform, api.name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_entry_of_the_catalog_behaves() {
    let bench = Bench::start().await;
    let mut all: Vec<(Arc<Caller>, ApiSummary)> = Vec::new();
    for platform in CATALOG.platforms() {
        let caller = Arc::new(Caller::login(&bench, &platform.name).await);
        all.extend(CATALOG.list(&platform.name).into_iter().map(|api| (Arc::clone(&caller), api)));
    }
    let (all, next) = (Arc::new(all), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (all, next) = (Arc::clone(&all), Arc::clone(&next));
            let mut connection = Connection::new(&bench.host);
            tokio::spawn(async move {
                let mut findings = Findings::default();
                while let Some((caller, summary)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let api = CATALOG.api(&summary.platform, &summary.name).unwrap();
                    assert!(api.known, "{} {} does not load", summary.platform, summary.name);
                    entry(&mut connection, caller, &api, &mut findings).await;
                }
                findings
            })
        })
        .collect();
    let mut findings = Findings::default();
    for task in tasks {
        let some = task.await.unwrap();
        some.counts.into_iter().for_each(|(what, count)| *findings.counts.entry(what).or_default() += count);
        findings.wrong.extend(some.wrong);
    }
    // With --nocapture, or when it fails.
    println!("{:#?}", findings.counts);
    findings.wrong.sort();
    let wrong = &findings.wrong;
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
    let count = |what: &str| findings.counts.get(what).copied().unwrap_or(0);
    assert_eq!(count("entries"), all.len());
    assert_eq!(count("examples that run") + count("token calls"), all.len());
    // What the world answers needs no sample.
    assert!(count("world") + count("documented") >= 1_517);
    // What facts allow: from below, so that data may grow.
    for (what, least) in [
        ("entries", 7_400),
        ("world", 260),
        ("refused Missing", 4_900),
        ("refused MissingInside", 1_600),
        ("refused Kind", 2_700),
        ("refused KindInside", 1_900),
        ("refused NotListed", 700),
        ("refused TooLong", 130),
        ("refused TooLarge", 13),
        ("refused BrokenJson", 2_900),
        ("refused BrokenXml", 50),
        ("refused OtherRoot", 50),
        ("lists that end", 838),
        ("ids that come back", 534),
    ] {
        assert!(count(what) >= least, "{what}: {} of at least {least}", count(what));
    }
    let sets = ["full sets that are taken", "full sets that the world refuses", "token calls"];
    assert_eq!(sets.into_iter().map(count).sum::<usize>(), all.len());
    for (what, most) in [
        ("full sets that the world refuses", 26),
        ("refused by the world", 58),
        ("lists without rows", 9),
        ("paged, rows unknown", 62),
    ] {
        assert!(count(what) <= most, "{what}: {} of at most {most}", count(what));
    }
}

async fn entry(connection: &mut Connection, caller: &Caller, api: &Api, findings: &mut Findings) {
    findings.count("entries");
    let source = ReplySource::of(caller.platform, api);
    findings.count(source.as_str());

    // The code of a login, a refresh token: no example has one that the sandbox issued.
    if ["/auth/token", "auth.token", "oauth2"].iter().any(|part| api.name.contains(part)) {
        return findings.count("token calls");
    }
    let example = api.example_arguments();
    // What changes the world runs in one of its own, or another call finds it changed.
    let changes = source == ReplySource::World && api.safety != Safety::Read;
    let (mut first, mut second) = (None, None);
    if changes {
        first = Some(Fresh::start(&caller.platform.name).await);
        second = Some(Fresh::start(&caller.platform.name).await);
    }
    let outcome = match &mut first {
        Some(fresh) => fresh.connection.call(&fresh.caller, api, &example).await,
        None => connection.call(caller, api, &example).await,
    };
    let (connection, caller) = match &mut second {
        Some(fresh) => (&mut fresh.connection, &fresh.caller),
        None => (connection, caller),
    };
    match outcome.reply {
        Ok(_) if outcome.source.as_deref() != Some(source.as_str()) => {
            findings.wrong("source", api, &format!("{source:?}, said to be {:?}", outcome.source));
        }
        Ok(_) => findings.count("examples that run"),
        Err(error) => findings.wrong("example", api, &shown(&error, &outcome.body, &example)),
    }

    let mut right = api.skeleton();
    if source == ReplySource::World {
        // The world has what the example names.
        right.extend(example.clone());
    }
    let outcome = connection.call(caller, api, &right).await;
    let accepted = outcome.reply.is_ok();
    match outcome.reply {
        Ok(_) => findings.count("full sets that are taken"),
        // The world does not have what an invented id asks for, and some arguments exclude each other.
        Err(_) if source == ReplySource::World => findings.count("full sets that the world refuses"),
        Err(error) => findings.wrong("full set", api, &shown(&error, &outcome.body, &right)),
    }

    // What the world refuses for its invented ids is made wrong from the example, which runs.
    let base = if accepted { Some(&right) } else { Some(&example).filter(|_| source == ReplySource::World) };
    if let Some(base) = base {
        for (wrong, place, args) in wrong_arguments(api, base) {
            let outcome = connection.call(caller, api, &args).await;
            let missing = matches!(wrong, Wrong::Missing | Wrong::MissingInside);
            match outcome.reply {
                Ok(_) => {
                    findings.wrong("accepted", api, &format!("{wrong:?} {place} in {}", Json::Object(args)));
                }
                Err(_) if refused_rightly(caller, &outcome, missing, &place) => {
                    findings.count(format!("refused {wrong:?}"));
                }
                // The services of the world have codes of their own.
                Err(_) if source == ReplySource::World => {
                    findings.count("refused by the world");
                    findings.count(format!("refused {wrong:?}"));
                }
                Err(error) => findings.wrong(
                    "refusal",
                    api,
                    &format!("{wrong:?} {place}: {}", shown(&error, &outcome.body, &args)),
                ),
            }
        }
    }
    if accepted && (source != ReplySource::World || api.safety == Safety::Read) {
        echo(connection, caller, api, right.clone(), findings).await;
    }
    // A page inside an object needs what else that object needs.
    let inside = api.paging.as_ref().is_some_and(|paging| paging.index.contains('.'));
    pages(connection, caller, api, if inside && accepted { &right } else { &example }, findings).await;
}

/// Asks with an invented id, else with one of the shop, which comes back wherever the reply has its name.
async fn echo(
    connection: &mut Connection,
    caller: &Caller,
    api: &Api,
    mut args: Map<String, Json>,
    findings: &mut Findings,
) {
    let paged = |name: &str| api.paging.as_ref().is_some_and(|rule| rule.index == name);
    let is_id = |param: &&Param| {
        param.name.ends_with("_id")
            // Every reply has one of its own.
            && param.name != "request_id"
            && !param.list
            && param.values.is_empty()
            && param.max_len.is_none_or(|most| most > 8)
            && param.max.is_none()
            && param.min.is_none()
            && matches!(param.kind, Type::String | Type::Integer)
            && !paged(&param.name)
    };
    let Some(param) = api.callers().find(is_id) else { return };
    let mut accepted = None;
    for id in [&["87654321".to_owned()], caller.ids.as_slice()].concat() {
        args.insert(param.name.clone(), id.clone().into());
        if let Ok(reply) = connection.call(caller, api, &args).await.reply {
            accepted = Some((id, reply));
            break;
        }
    }
    // Categories, refunds and the like have ids that `ids` does not hold.
    let is_world = ReplySource::of(caller.platform, api) == ReplySource::World;
    let Some((id, reply)) = accepted else {
        if !is_world {
            findings.wrong("echo", api, &format!("refused {}", param.name));
        }
        return;
    };
    if id != "87654321" {
        findings.count("ids that only the shop has");
    }
    let (mut same, mut other) = (0, 0);
    named(
        &serde_json::from_str(reply.payload()).unwrap(),
        &param.name,
        &mut |value| match scalar::text(value) {
            Some(text) if text == id => same += 1,
            Some(text) if value.is_string() || text.bytes().all(|byte| byte.is_ascii_digit()) => other += 1,
            _ => {}
        },
    );
    if other > 0 && !is_world {
        findings.wrong("echo", api, &format!("{}: {other} others in {:.300}", param.name, reply.payload()));
    } else if same > 0 {
        findings.count("ids that come back");
    }
}

/// Visits the members of a name, at any depth.
fn named(value: &Json, name: &str, visit: &mut dyn FnMut(&Json)) {
    match value {
        Json::Object(members) => {
            for (key, member) in members {
                if key == name {
                    visit(member);
                }
                named(member, name, visit);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| named(item, name, visit)),
        _ => {}
    }
}

fn shown(error: &sesame_core::Error, body: &[u8], args: &Map<String, Json>) -> String {
    let args = Json::Object(args.clone()).to_string();
    format!("{error}: {:.250} after {args}", String::from_utf8_lossy(body))
}

/// Returns `true` if the gateway refused with its own code for this, and named the place.
fn refused_rightly(caller: &Caller, outcome: &Outcome, missing: bool, place: &str) -> bool {
    let code = match (caller.platform.protocol, missing) {
        (Protocol::Iop, true) => "\"MissingParameter\"",
        (Protocol::Iop, false) => "\"InvalidParameter\"",
        (Protocol::Top, true) => "\"code\":40",
        (Protocol::Top, false) => "\"code\":41",
        (Protocol::Param2, true) => "\"gw.ParamMissing\"",
        (Protocol::Param2, false) => "\"400\"",
    };
    let body = String::from_utf8_lossy(&outcome.body);
    body.contains(code) && body.contains(place)
}

/// Reads a list to its end, and finds as many different rows as it says it has.
async fn pages(
    connection: &mut Connection,
    caller: &Caller,
    api: &Api,
    example: &Map<String, Json>,
    findings: &mut Findings,
) {
    let Some(rule) = api.paging.clone() else { return };
    findings.count("paged");
    let Some(items) = &rule.items else { return findings.count("paged, rows unknown") };
    let mut args = example.clone();
    if let Some(size) = &rule.size {
        path::set(&mut args, size, rule.max_size.unwrap_or(10).min(10).into()).unwrap();
    }
    let first = rule.first.unwrap_or(u64::from(rule.style == PagingStyle::Page));
    let mut index = first;
    let (mut seen, mut rows, mut total) = (HashSet::new(), 0, None);
    for _ in 0..MOST_PAGES {
        if rule.style != PagingStyle::Cursor && path::set(&mut args, &rule.index, index.into()).is_err() {
            return findings.wrong("pages", api, "the example has no room for the page");
        }
        let Outcome { reply, body, .. } = connection.call(caller, api, &args).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return findings.wrong("pages", api, &shown(&error, &body, &args)),
        };
        let payload: &RawValue = serde_json::from_str(reply.payload()).unwrap();
        let Some(page) = path::rows(payload, items) else {
            return findings.wrong("pages", api, &format!("no rows at {items}: {}", payload.get()));
        };
        total = rule.total.as_deref().and_then(|place| path::unsigned(payload, place)).or(total);
        let end = page.is_empty()
            || rule.has_next.as_deref().and_then(|place| path::boolean(payload, place)) == Some(false);
        rows += page.len() as u64;
        seen.extend(page.iter().map(|row| row.get().to_owned()));
        let next = rule.next.as_deref().and_then(|place| path::text(payload, place)).unwrap_or_default();
        let ends = match rule.style {
            PagingStyle::Cursor => next.is_empty() || next == "0",
            _ => total.is_some_and(|total| rows >= total),
        };
        if end || ends {
            if seen.len() as u64 != rows || total.is_some_and(|total| total != rows) {
                let text = format!("{rows} rows, {} different, {total:?} told", seen.len());
                return findings.wrong("pages", api, &text);
            }
            findings.count(if rows == 0 { "lists without rows" } else { "lists that end" });
            return;
        }
        match rule.style {
            PagingStyle::Page => index += 1,
            PagingStyle::Offset => index += page.len() as u64,
            PagingStyle::Cursor => {
                if path::set(&mut args, &rule.index, next.into_owned().into()).is_err() {
                    return findings.wrong("pages", api, "the example has no room for the cursor");
                }
            }
        }
    }
    findings.wrong("pages", api, &format!("no end: {rows} rows, {} different, {total:?} told", seen.len()));
}
