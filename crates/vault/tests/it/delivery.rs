//! Events on their way out: hooks, webhooks, what happens when they fail, and never nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use crate::support::{FakeClock, FakeTransport, FlakyStore, Home, SocketTransport, reply};
use sesame_core::{
    AppSecret, BoxFuture, Clock, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport,
};
use sesame_vault::{
    Deliverer, Delivery, DeliveryOptions, Id, Location, SystemClock, Vault, Webhook,
    store::{EventRow, EventStore as _, Notes, Sink, SqlStore},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// `planted0webhook0key0of0the0tests`.
const KEY: &str = "whsec_cGxhbnRlZDB3ZWJob29rMGtleTBvZjB0aGUwdGVzdHM=";
const MINUTE: Duration = Duration::from_mins(1);

/// A vault with a number of events to deliver, one second apart.
struct Teller {
    home: Home,
    store: Arc<SqlStore>,
}

impl Teller {
    async fn with_events(count: i64) -> Self {
        let home = Home::new(FakeTransport::json("{}"));
        std::fs::create_dir_all(home.path().parent().unwrap()).unwrap();
        let store = Arc::new(SqlStore::open(&Location::Sqlite(home.path())).await.unwrap());
        let now = home.clock.now().as_millisecond();
        let events: Vec<EventRow> = (0..count)
            .map(|number| {
                let id = Id::new(&home.clock);
                EventRow {
                    id,
                    at: now + number,
                    authorization_id: Id::new(&home.clock),
                    kind: "expiring".to_owned(),
                    payload: format!(
                        r#"{{"id":"{id}","event":"expiring","number":{number},"login":"商店"}}"#
                    ),
                }
            })
            .collect();
        store.note(&Notes { audit: Vec::new(), events }).await.unwrap();
        home.clock.advance_secs(1);
        Self { home, store }
    }

    async fn vault(&self, clock: Arc<dyn Clock>, transport: Arc<dyn Transport>) -> Vault {
        let options = self.home.options().clock(clock).transport(transport);
        Vault::open_with(options, self.store.clone()).await.unwrap()
    }

    async fn deliverer(&self, transport: Arc<dyn Transport>, options: DeliveryOptions) -> Deliverer {
        Deliverer::new(self.vault(Arc::new(self.home.clock.clone()), transport).await, options).unwrap()
    }
}

fn posting(url: &str) -> DeliveryOptions {
    let mut options = DeliveryOptions::default();
    options.webhook = Some(Webhook::new(url, AppSecret::new(KEY)));
    options
}

fn running(words: &[&str]) -> DeliveryOptions {
    let mut options = DeliveryOptions::default();
    options.hook = Some(words.iter().map(OsString::from).collect());
    options
}

fn taken(deliveries: &[Delivery]) -> usize {
    deliveries.iter().filter(|delivery| delivery.error.is_none()).count()
}

fn number(payload: &str) -> i64 {
    serde_json::from_str::<serde_json::Value>(payload).unwrap()["number"].as_i64().unwrap()
}

/// A receiver that answers by a script, then with 200, and remembers which events came.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<u16>>>,
    seen: Mutex<Vec<HttpRequest>>,
    /// This event is never taken.
    poison: Option<i64>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Result<u16>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn numbers(&self) -> Vec<i64> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| number(std::str::from_utf8(&request.body).unwrap())).collect()
    }
}

impl Transport for Script {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(async move {
            let this = number(std::str::from_utf8(&request.body).unwrap());
            self.seen.lock().unwrap().push(request);
            if self.poison == Some(this) {
                return Ok(reply(400, "no"));
            }
            let answer = self.answers.lock().unwrap().pop_front();
            answer.unwrap_or(Ok(200)).map(|status| reply(status, "thanks"))
        })
    }
}

/// The other side, written from the documentation alone.
fn verify(headers: &BTreeMap<String, String>, body: &[u8], secret: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use hmac::{KeyInit as _, Mac as _};

    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", headers["webhook-id"], headers["webhook-timestamp"]).as_bytes());
    mac.update(body);
    let theirs = headers["webhook-signature"].strip_prefix("v1,").unwrap();
    STANDARD.decode(theirs).is_ok_and(|theirs| mac.verify_slice(&theirs).is_ok())
}

/// A web server on this machine that answers with these statuses, one connection each.
async fn server(
    statuses: &'static [u16],
) -> (String, tokio::task::JoinHandle<Vec<(BTreeMap<String, String>, Vec<u8>)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?of=the-tests", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut heard = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let (head, body) = loop {
                stream.read_buf(&mut request).await.unwrap();
                let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
                let head = String::from_utf8(request[..end].to_vec()).unwrap();
                let headers: BTreeMap<String, String> = head
                    .lines()
                    .skip(1)
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect();
                let length: usize = headers["content-length"].parse().unwrap();
                if request.len() >= end + 4 + length {
                    assert!(head.starts_with("POST /hook?of=the-tests HTTP/1.1"), "{head}");
                    break (headers, request[end + 4..].to_vec());
                }
            };
            heard.push((head, body));
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        heard
    });
    (url, task)
}

#[tokio::test]
async fn a_webhook_is_signed_and_repeated_until_it_is_taken() {
    let teller = Teller::with_events(1).await;
    let (url, heard) = server(&[500, 302, 204]).await;
    let deliverer = teller.deliverer(Arc::new(SocketTransport), posting(&url)).await;
    let first = deliverer.tick().await.unwrap();
    assert!(first[0].error.as_ref().unwrap().contains("500"), "{first:?}");
    assert!(deliverer.tick().await.unwrap().is_empty(), "it rests for a minute");
    teller.home.clock.advance(MINUTE * 5 / 4);
    let second = deliverer.tick().await.unwrap();
    assert!(second[0].error.as_ref().unwrap().contains("redirects are not followed"), "{second:?}");
    teller.home.clock.advance(MINUTE * 5 / 4);
    assert!(deliverer.tick().await.unwrap().is_empty(), "the pause has grown");
    teller.home.clock.advance(MINUTE * 5 / 4);
    assert_eq!(taken(&deliverer.tick().await.unwrap()), 1);
    teller.home.clock.advance(Duration::from_hours(2));
    assert!(deliverer.tick().await.unwrap().is_empty(), "taken is taken");

    let heard = heard.await.unwrap();
    assert_eq!(heard.len(), 3);
    let ids: Vec<_> = heard.iter().map(|(headers, _)| &headers["webhook-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "the id stays the same: {ids:?}");
    for (headers, body) in &heard {
        assert!(verify(headers, body, KEY), "{headers:?}");
        assert!(!verify(headers, b"{}", KEY), "another body");
        assert!(!verify(headers, body, "whsec_YW5vdGhlcjBrZXkwb2YwdGhlMHRlc3Rz"));
        let mut later = headers.clone();
        later.insert("webhook-timestamp".into(), "1".into());
        assert!(!verify(&later, body, KEY), "another time");
        later = headers.clone();
        later.insert("webhook-id".into(), "1".into());
        assert!(!verify(&later, body, KEY), "another id");
        assert_eq!(headers["content-type"], "application/json");
        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&json["id"], &json["login"]), (&ids[0].as_str().into(), &"商店".into()));
        assert!(!format!("{headers:?}").contains("planted"));
    }
    assert_ne!(
        heard[0].0["webhook-timestamp"], heard[2].0["webhook-timestamp"],
        "each time it is signed anew"
    );
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_tried_again_for_a_week() {
    let teller = Teller::with_events(1).await;
    let silent = || Err(Error::new(ErrorKind::Timeout, "no answer"));
    let script = Script::new((0..1_000).map(|_| silent()));
    let deliverer = teller.deliverer(script.clone(), posting("https://a.example/")).await;
    let mut times = Vec::new();
    let mut gave_up = false;
    for _ in 0..(8 * 24 * 60) {
        for delivery in deliverer.tick().await.unwrap() {
            times.push(teller.home.clock.now().as_second());
            gave_up |= delivery.next_try.is_none();
        }
        teller.home.clock.advance(MINUTE);
    }
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((60..=120).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| (60..=3_660).contains(pause)), "{pauses:?}");
    assert!(pauses[10..].iter().all(|pause| *pause >= 3_540), "an hour at last: {pauses:?}");
    let days = (times[times.len() - 1] - times[0]) / 86_400;
    assert!((6..=7).contains(&days) && gave_up, "{days}, {gave_up}");
}

#[tokio::test]
async fn events_keep_their_order_and_one_that_is_refused_does_not_stop_the_rest() {
    let teller = Teller::with_events(5).await;
    // The second is refused once: the rest waits for it.
    let script = Script::new([Ok(200), Ok(503)]);
    let deliverer = teller.deliverer(script.clone(), posting("https://a.example/")).await;
    deliverer.tick().await.unwrap();
    teller.home.clock.advance(MINUTE * 5 / 4);
    deliverer.tick().await.unwrap();
    assert_eq!(script.numbers(), [0, 1, 1, 2, 3, 4]);

    // It is refused whenever it comes: the rest goes before it.
    let teller = Teller::with_events(5).await;
    let script = Arc::new(Script { poison: Some(1), ..Script::default() });
    let deliverer = teller.deliverer(script.clone(), posting("https://a.example/")).await;
    for _ in 0..6 {
        deliverer.tick().await.unwrap();
        teller.home.clock.advance(MINUTE * 5 / 4);
    }
    let numbers = script.numbers();
    assert_eq!(numbers[..3], [0, 1, 1], "{numbers:?}");
    assert!(
        [2, 3, 4].iter().all(|one| numbers.iter().filter(|seen| *seen == one).count() == 1),
        "{numbers:?}"
    );
}

#[tokio::test]
async fn what_was_sent_by_a_process_that_died_is_sent_again() {
    let teller = Teller::with_events(1).await;
    let receiver = FakeTransport::json("{}");
    receiver.close_gate();
    let deliverer = teller.deliverer(Arc::new(receiver.clone()), posting("https://a.example/")).await;
    let dying = tokio::spawn(async move { deliverer.tick().await });
    receiver.arrivals(1).await;
    // It was received; the sender dies before it can mark it.
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    receiver.open_gate();

    let other = teller.deliverer(Arc::new(receiver.clone()), posting("https://a.example/")).await;
    assert!(other.tick().await.unwrap().is_empty(), "it may still be under way");
    teller.home.clock.advance(MINUTE);
    assert_eq!(taken(&other.tick().await.unwrap()), 1);
    assert_eq!(receiver.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliverers_share_the_events() {
    let teller = Teller::with_events(60).await;
    let script = Script::new([]);
    let one = teller.deliverer(script.clone(), posting("https://a.example/")).await;
    let other = teller.deliverer(script.clone(), posting("https://a.example/")).await;
    let (first, second) = tokio::join!(one.tick(), other.tick());
    assert_eq!(taken(&first.unwrap()) + taken(&second.unwrap()), 60);
    let mut numbers = script.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn what_was_taken_while_the_store_was_away_is_not_sent_twice() {
    let teller = Teller::with_events(2).await;
    let script = Script::new([]);
    let store = FlakyStore::new(SqlStore::open(&Location::Sqlite(teller.home.path())).await.unwrap());
    let fail = store.fail_taken.clone();
    let options = teller.home.options().transport(script.clone());
    let vault = Vault::open_with(options, Arc::new(store)).await.unwrap();
    let deliverer = Deliverer::new(vault, posting("https://a.example/")).unwrap();
    fail.store(2, Ordering::SeqCst);
    assert_eq!(taken(&deliverer.tick().await.unwrap()), 1);
    assert!(deliverer.tick().await.is_err(), "still away: nothing more is sent");
    // Long after its claim has ended.
    teller.home.clock.advance(MINUTE * 10);
    assert_eq!(taken(&deliverer.tick().await.unwrap()), 1);
    assert_eq!(script.numbers(), [0, 1]);
}

#[tokio::test]
async fn it_stops_when_told_and_finishes_what_is_under_way() {
    let teller = Teller::with_events(3).await;
    let receiver = FakeTransport::json("{}");
    receiver.close_gate();
    let deliverer = teller.deliverer(Arc::new(receiver.clone()), posting("https://a.example/")).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let mut taken = 0;
        let stop = async {
            let _ = stopped.await;
        };
        deliverer.run(stop, |delivery| taken += usize::from(delivery.error.is_none())).await;
        taken
    });
    receiver.arrivals(1).await;
    stop.send(()).unwrap();
    // The word is heard before the answer comes.
    tokio::task::yield_now().await;
    receiver.open_gate();
    assert_eq!(task.await.unwrap(), 1);
    assert_eq!(receiver.count(), 1, "nothing new was begun");
}

#[cfg(unix)]
mod hooks {
    use std::{os::unix::fs::symlink, path::Path};

    use super::*;

    /// A script for `sh`. It is read, not executed: what was written this moment may still be open in
    /// a process that another test starts, and could not be executed then.
    fn script(folder: &Path, text: &str) -> String {
        let path = folder.join("hook.sh");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_hook_reads_the_event_and_its_arguments_as_they_are() {
        let teller = Teller::with_events(2).await;
        let folder = tempfile::tempdir().unwrap();
        let hook = script(
            folder.path(),
            "cat >> \"$1\"; printf '%s\\n' \"$2\" >> \"$1\"; head -c 300000 /dev/zero\n",
        );
        let out = folder.path().join("what it heard");
        let vault =
            teller.vault(Arc::new(SystemAt(teller.home.clock.clone())), Arc::new(SocketTransport)).await;
        let words = ["sh", hook.as_str(), out.to_str().unwrap(), "$HOME; 'a  b' *"];
        let deliverer = Deliverer::new(vault, running(&words)).unwrap();
        let deliveries = deliverer.tick().await.unwrap();
        assert_eq!(taken(&deliveries), 2, "{deliveries:?}");
        let heard = std::fs::read_to_string(&out).unwrap();
        let lines: Vec<&str> = heard.lines().collect();
        assert_eq!(
            (lines.len(), lines[1], lines[3]),
            (4, words[3], words[3]),
            "no shell has seen it: {heard}"
        );
        assert_eq!((number(lines[0]), number(lines[2])), (0, 1));
        assert_eq!(lines[0], deliveries[0].payload);
        assert!(deliverer.tick().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_killed_with_all_it_started() {
        let teller = Teller::with_events(1).await;
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let hook = script(folder.path(), "sleep 1000 & echo $! > \"$1\"; echo $$ >> \"$1\"; cat; wait\n");
        let mut options = running(&["sh", &hook, pids.to_str().unwrap()]);
        options.hook_timeout = Duration::from_secs(2);
        let vault =
            teller.vault(Arc::new(SystemAt(teller.home.clock.clone())), Arc::new(SocketTransport)).await;
        let deliverer = Deliverer::new(vault, options).unwrap();
        let deliveries = deliverer.tick().await.unwrap();
        let why = deliveries[0].error.as_ref().unwrap();
        assert!(why.contains("was killed") && deliveries[0].next_try.is_some(), "{why}");
        for pid in std::fs::read_to_string(&pids).unwrap().lines() {
            let mut tries = 0;
            while is_running(pid) {
                tries += 1;
                assert!(tries < 200, "process {pid} of the hook still runs");
                SystemClock.sleep(Duration::from_millis(20)).await;
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn is_running(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_running(pid: &str) -> bool {
        std::process::Command::new("kill").args(["-0", pid]).status().unwrap().success()
    }

    #[tokio::test]
    async fn a_hook_that_fails_holds_up_no_webhook_and_may_come_back() {
        let teller = Teller::with_events(2).await;
        let folder = tempfile::tempdir().unwrap();
        let hook = folder.path().join("hook");
        symlink("/bin/false", &hook).unwrap();
        let receiver = Script::new([]);
        let mut options = posting("https://a.example/");
        options.hook = Some(vec![hook.clone().into_os_string()]);
        let clock = teller.home.clock.clone().manual();
        let vault = teller.vault(Arc::new(clock.clone()), receiver.clone()).await;
        let deliverer = Deliverer::new(vault, options.clone()).unwrap();
        let deliveries = deliverer.tick().await.unwrap();
        assert_eq!(taken(&deliveries), 2, "the webhook takes both: {deliveries:?}");
        let failed = deliveries.iter().find(|delivery| delivery.sink == Sink::Hook).unwrap();
        assert!(failed.error.as_ref().unwrap().contains("exit status: 1"), "{failed:?}");

        // It is gone: an error at start, a reason to wait at run time.
        std::fs::remove_file(&hook).unwrap();
        let other = teller.vault(Arc::new(clock.clone()), receiver.clone()).await;
        assert_eq!(Deliverer::new(other, options).unwrap_err().kind(), ErrorKind::Usage);
        clock.advance(MINUTE * 5 / 4);
        let deliveries = deliverer.tick().await.unwrap();
        assert!(deliveries[0].error.as_ref().unwrap().contains("cannot be started"), "{deliveries:?}");
        symlink("/bin/true", &hook).unwrap();
        clock.advance(MINUTE * 3);
        assert_eq!(taken(&deliverer.tick().await.unwrap()), 2);
        assert_eq!(receiver.numbers(), [0, 1], "and the webhook is not asked again");
    }

    /// Sleeps in real time, tells the time of the test: hooks are real processes.
    #[derive(Debug)]
    struct SystemAt(FakeClock);

    impl Clock for SystemAt {
        fn now(&self) -> jiff::Timestamp {
            self.0.now()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            SystemClock.sleep(duration)
        }

        fn random(&self, buffer: &mut [u8]) {
            self.0.random(buffer);
        }
    }
}
