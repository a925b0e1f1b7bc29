//! Asks a document host, politely: one request at a time, and nothing twice.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sesame_catalog::{DocumentHost, Platform, Record};
use sesame_core::{
    Error, ErrorKind, Protocol,
    request::{HeaderValue, HttpRequest, HttpResponse, Method, header, with_query},
};
use sesame_documents::{MOST_APIS, join, read};

use super::folder::{LARGEST, private_folder};
use crate::{
    context::Context,
    exit::{CliResult, note},
    humanize,
    progress::Progress,
};

/// How often a busy host is asked for one document.
const MOST_TRIES: u32 = 5;
/// The longest pause that a host may ask for; a longer one ends the command.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// What was fetched and not finished is of use for a day.
const USEFUL: i64 = 24 * 3600;
/// The largest document of one API.
const LARGEST_DOCUMENT: usize = 8 << 20;
/// The most bytes of a state that are read back.
const LARGEST_STATE: u64 = 512 << 20;

/// Fetches one document.
pub(super) async fn fetch(context: &Context, url: &str) -> CliResult<Vec<u8>> {
    let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    Ok(get(context, url, None, limit).await?.body.to_vec())
}

/// A document host.
pub(super) struct Host {
    at: DocumentHost,
    /// Documents in the form of TOP's: the list at `metadata.json`, one at `metadata.json?name=NAME`.
    is_top: bool,
}

impl Host {
    /// Returns the host that was named, that of the sandbox in use, or the platform's.
    pub(super) fn of(platform: &Platform, given: Option<&str>, sandbox: Option<&str>) -> Result<Self, Error> {
        let sandbox =
            sandbox.map(|url| format!("{}/_sandbox/documents/{}", url.trim_end_matches('/'), platform.name));
        let known = platform.documents.clone();
        let Some(url) = given.map(str::to_owned).or(sandbox).or(known.as_ref().map(|host| host.url.clone()))
        else {
            return Err(Error::usage(format!("no document host of {} is known", platform.name))
                .with_hint("Name one: --host URL, what stands before /handler/share/apidoc/. Or read documents from files: `sesame catalog import FILE`."));
        };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Error::usage(format!("--host: {url:?} is not an address"))
                .with_hint("It begins with https://, or http:// on this machine."));
        }
        let host = known.unwrap_or_else(|| DocumentHost {
            url: String::new(),
            list: [].into(),
            document: [].into(),
            source: String::new(),
            date: String::new(),
            guess: false,
        });
        let at = DocumentHost { url: url.trim_end_matches('/').to_owned(), ..host };
        Ok(Self { at, is_top: platform.protocol == Protocol::Top })
    }

    pub(super) fn base(&self) -> &str {
        &self.at.url
    }

    fn list(&self) -> String {
        let page =
            if self.is_top { "metadata.json" } else { "handler/share/apidoc/getApiCategoryMixed.json" };
        with_query(
            &format!("{}/{page}", self.at.url),
            self.at.list.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    fn document(&self, name: &str) -> String {
        let (page, key) = if self.is_top {
            ("metadata.json", "name")
        } else {
            ("handler/share/apidoc/getApi.json", "path")
        };
        let more = self.at.document.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        with_query(&format!("{}/{page}", self.at.url), [(key, name)].into_iter().chain(more))
    }
}

/// What a walk brought.
pub(super) struct Walked {
    pub(super) records: Vec<Record>,
    pub(super) state: WalkState,
}

/// Fetches the list and every document in it.
pub(super) async fn walk(
    context: &Context,
    host: &Host,
    platform: &str,
    pause: Duration,
) -> CliResult<Walked> {
    let folder = context.settings.home.value.join("documents");
    let now = context.clock.now().as_second();
    let mut state = WalkState::open(&folder, platform, host.base(), now)?;
    if !state.fetched.is_empty() {
        note(
            "note",
            &format!("{} documents were fetched before and are not fetched again", state.fetched.len()),
        );
    }
    let mut walker = Walker { context, state: &mut state, pause, has_asked: false };
    let mut records = walker.records(&host.list(), true).await?;
    if records.len() > MOST_APIS {
        return Err(Error::usage(format!("{}: it lists more than {MOST_APIS} APIs", host.list())).into());
    }
    let names: Vec<String> = records.iter().map(|record| record.name.clone()).collect();
    let progress = Progress::new();
    for (nth, name) in names.iter().enumerate() {
        progress.work(format!("{} of {} documents", nth + 1, names.len()));
        let documents = walker.records(&host.document(name), false).await;
        let documents = documents.inspect_err(|_| {
            progress.done();
            note(
                "note",
                &format!("{nth} of {} documents are kept; the same command goes on from there", names.len()),
            );
        })?;
        // A document under another name than the list's is of that name's API.
        records.extend(documents.into_iter().map(|record| Record { name: name.clone(), ..record }));
    }
    progress.done();
    Ok(Walked { records: join(records), state })
}

struct Walker<'a> {
    context: &'a Context,
    state: &'a mut WalkState,
    pause: Duration,
    has_asked: bool,
}

impl Walker<'_> {
    /// Reads one document, from the state or from the host.
    async fn records(&mut self, url: &str, is_list: bool) -> CliResult<Vec<Record>> {
        if let Some(kept) = self.state.fetched.get(url) {
            return Ok(read(kept.body.as_bytes()).map_err(|error| error.context(url))?);
        }
        if std::mem::replace(&mut self.has_asked, true) && !self.pause.is_zero() {
            self.context.clock.sleep(self.pause).await;
        }
        let old = self.state.former.get(url);
        let tag = old.and_then(|old| old.etag.as_deref());
        let reply = get(self.context, url, tag, LARGEST_DOCUMENT).await?;
        let kept = match old {
            Some(old) if reply.status == 304 => old.clone(),
            _ => Kept {
                url: url.to_owned(),
                etag: reply.header(header::ETAG.as_str()).map(str::to_owned),
                body: String::from_utf8(reply.body.to_vec())
                    .map_err(|_| bad(url, "the reply is not UTF-8 text"))?,
            },
        };
        let refused = serde_json::from_str::<serde_json::Value>(&kept.body).is_ok_and(|reply| {
            reply["success"] == false && reply.get("data").is_none_or(serde_json::Value::is_null)
        });
        // A host that lists an API and has no document of it; the list itself has to be there.
        let records = if refused && !is_list {
            note("warning", &format!("{url}: the host has no document; what its list says is taken"));
            Vec::new()
        } else {
            read(kept.body.as_bytes()).map_err(|error| bad(url, error.message()))?
        };
        self.state.keep(kept)?;
        Ok(records)
    }
}

fn bad(url: &str, why: &str) -> Error {
    Error::new(ErrorKind::Platform, format!("{url}: {why}"))
        .with_hint("Open the address in a browser: is it the document host, and does it answer without a login? Nothing was changed.")
}

/// Asks once; again after the pause that a busy host names.
async fn get(context: &Context, url: &str, tag: Option<&str>, largest: usize) -> CliResult<HttpResponse> {
    let mut tries = 0;
    loop {
        let mut request = HttpRequest::new(Method::GET, url);
        request.timeout = context.settings.timeout.value;
        request.max_reply = largest;
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            request.headers.insert(header::IF_NONE_MATCH, tag);
        }
        let reply = context.transport().send(request).await.map_err(|error| error.context(url))?;
        tries += 1;
        match reply.status {
            200 => return Ok(reply),
            304 if tag.is_some() => return Ok(reply),
            429 | 503 => {
                let asked = reply.retry_after().map(Duration::from_secs);
                let wait = asked.unwrap_or(Duration::from_secs(1 << tries));
                if tries == MOST_TRIES || wait > LONGEST_WAIT {
                    let error = Error::new(
                        ErrorKind::Quota,
                        format!("{url}: the host is busy (HTTP {})", reply.status),
                    );
                    return Err(error.with_hint("Run the same command again later.").into());
                }
                note("note", &format!("the host is busy; asking again in {}", humanize::duration(wait)));
                context.clock.sleep(wait).await;
            }
            300..400 => {
                return Err(bad(url, &format!("the host sends elsewhere (HTTP {})", reply.status)).into());
            }
            status => return Err(bad(url, &format!("the host answered HTTP {status}")).into()),
        }
    }
}

/// A document that was fetched.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    url: String,
    etag: Option<String>,
    body: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    host: String,
    started: i64,
}

/// What was fetched: of an update that was not finished, and of the last one that was.
pub(super) struct WalkState {
    fetched: HashMap<String, Kept>,
    former: HashMap<String, Kept>,
    open: File,
    part: PathBuf,
    whole: PathBuf,
}

impl WalkState {
    fn open(folder: &Path, platform: &str, host: &str, now: i64) -> Result<Self, Error> {
        private_folder(folder)?;
        let part = folder.join(format!("{platform}.part.jsonl"));
        let whole = folder.join(format!("{platform}.jsonl"));
        let mut former = kept(&whole, host).map(|(_, kept)| kept).unwrap_or_default();
        let mut fetched = HashMap::new();
        let mut started = now;
        if let Some((head, kept)) = kept(&part, host) {
            if (0..USEFUL).contains(&(now - head.started)) {
                (fetched, started) = (kept, head.started);
            } else {
                former.extend(kept);
            }
        }
        // Written anew: the last line of a run that was killed may be half a line.
        let written = (|| {
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(new, "{}", serde_json::to_string(&Head { host: host.to_owned(), started })?)?;
            for one in fetched.values() {
                writeln!(new, "{}", serde_json::to_string(one)?)?;
            }
            new.persist(&part).map_err(|error| error.error)
        })();
        let open = written.map_err(|error: std::io::Error| unwritable(&part, &error))?;
        Ok(Self { fetched, former, open, part, whole })
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Error> {
        let line = serde_json::to_string(&kept).map_err(std::io::Error::from);
        let written = line.and_then(|line| self.open.write_all(format!("{line}\n").as_bytes()));
        written.map_err(|error| unwritable(&self.part, &error))?;
        self.fetched.insert(kept.url.clone(), kept);
        Ok(())
    }

    /// The next update begins anew, and asks only for what has changed since.
    pub(super) fn finish(self) -> Result<(), Error> {
        fs::rename(&self.part, &self.whole).map_err(|error| unwritable(&self.whole, &error))
    }
}

/// Reads a state of this host. What cannot be read is fetched again.
fn kept(path: &Path, host: &str) -> Option<(Head, HashMap<String, Kept>)> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > LARGEST_STATE {
        return None;
    }
    let mut lines = BufReader::new(file).lines();
    let head: Head =
        serde_json::from_str(&lines.next()?.ok()?).ok().filter(|head: &Head| head.host == host)?;
    let mut out = HashMap::new();
    for line in lines {
        let Ok(one) = serde_json::from_str::<Kept>(&line.ok()?) else { break };
        out.insert(one.url.clone(), one);
    }
    Some((head, out))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::local(format!("cannot write {}: {error}", path.display()))
}
