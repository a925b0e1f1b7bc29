//! Several rekeys at once: one wins, and nothing is lost.

use std::sync::{Arc, Mutex};

use sesame_core::{Clock as _, Result};
use sesame_vault::{KeyChoice, Rekeyed, SystemClock, Vault};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{assert_whole, environment, fill, nothing, passphrase, with};
use crate::support::{FakeTransport, FlakyStore, Home, Pause};

over_both! {
    #[tokio::test]
    of_several_rekeys_at_once_one_wins_and_nothing_is_lost,
    however_several_rekeys_take_turns_one_wins_and_nothing_is_lost;
}

/// A rekey that another process runs, stopped before one of its calls of the store.
struct Rekey {
    task: JoinHandle<Result<Rekeyed>>,
    resume: Option<oneshot::Sender<()>>,
    /// Whether it came as far as the call.
    reached: bool,
}

impl Rekey {
    /// Runs until the call, until it waits for the key file, or to the end.
    async fn stopped(home: &Home, from: &KeyChoice, to: &KeyChoice, calls: usize) -> Self {
        let store = FlakyStore::over(home.store().await);
        let pause = store.pause.clone();
        let vault = Vault::open_with(with(home, from), Arc::new(store)).await.unwrap();
        let (reached, at_call) = oneshot::channel();
        let (resume, resumed) = oneshot::channel();
        *pause.lock().unwrap() = Some(Pause { calls, reached, resume: resumed });
        let is_locked = is_locked(home);
        let to = to.clone();
        let task = tokio::spawn(async move { vault.rekey(to, &nothing).await });
        let reached = tokio::select! {
            // `Err` when it ended before.
            reached = at_call => reached.is_ok(),
            () = async { while !task.is_finished() { tokio::task::yield_now().await } } => false,
            // Somebody else has the key file: it may not come any further.
            () = SystemClock.sleep(std::time::Duration::from_millis(20)), if is_locked => false,
        };
        Self { task, resume: Some(resume), reached }
    }

    fn resume(&mut self) {
        let _ = self.resume.take().unwrap().send(());
    }
}

/// Whether a rekey is stopped between the key file and the row of its key.
fn is_locked(home: &Home) -> bool {
    let directory = std::fs::File::open(home.key_file().parent().unwrap()).unwrap();
    directory.try_lock().is_err()
}

/// Two rekeys at once, for every pair of their calls, and for each kind of key.
async fn of_several_rekeys_at_once_one_wins_and_nothing_is_lost() {
    let (file, one, other) = (KeyChoice::File, environment("1a"), environment("2b"));
    let (mut pairs, mut lost, mut in_postgresql) = (0, 0, false);
    let long = std::env::var_os("SESAME_TORTURE").is_some();
    for (round, (from, first, second)) in [
        (&file, &file, &file),
        (&file, &one, &file),
        (&file, &one, &other),
        (&one, &file, &file),
        (&one, &other, &file),
    ]
    .into_iter()
    .enumerate()
    {
        let filled = Home::new(FakeTransport::json("{}"));
        in_postgresql = filled.is_in_postgresql();
        let vault = Vault::open(with(&filled, from)).await.unwrap();
        fill(&vault).await;
        vault.close().await;
        'first: for n in 0.. {
            // Every pair of keys that Sesame makes, and of the other kinds every fifth, in each round
            // another one; in the long run all.
            let step = if long || round == 0 { 1 } else { 5 };
            for m in ((n + round) % step..).step_by(step) {
                // There each pair takes a database of its own; in one piece the second meets every step.
                if in_postgresql && m >= step {
                    break;
                }
                let m = if in_postgresql { usize::MAX } else { m };
                let when =
                    format!("{from:?} to {first:?}, stopped at {n}, and to {second:?}, stopped at {m}");
                let home = filled.twin();
                let mut a = Rekey::stopped(&home, from, first, n).await;
                if a.task.is_finished() {
                    break 'first;
                }
                // Past the switch nobody opens the vault with the former key.
                if home.store().await.keys().await.unwrap().len() > 1
                    && Vault::open(with(&home, from)).await.is_err()
                {
                    break 'first;
                }
                let mut b = Rekey::stopped(&home, from, second, m).await;
                let all_met = !b.reached;
                a.resume();
                if !is_locked(&home) {
                    while !a.task.is_finished() && !is_locked(&home) {
                        tokio::task::yield_now().await;
                    }
                }
                b.resume();
                let results = [a.task.await.unwrap(), b.task.await.unwrap()];
                let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
                let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
                assert!(!winners.is_empty(), "{when}: {errors:?}");
                assert!(
                    winners.len() < 2 || winners[0].key_id != winners[1].key_id,
                    "{when}: one key, two winners"
                );
                lost += errors.len();
                pairs += 1;
                // Whatever the last one put in place opens everything, and nothing else does.
                let keys = home.store().await.keys().await.unwrap();
                let active = hex::encode(keys[0].key_id);
                assert!(winners.iter().any(|winner| winner.key_id == active), "{when}");
                let mut opened = 0;
                for source in [&file, &one, &other] {
                    if let Ok(vault) = Vault::open(with(&home, source)).await {
                        assert_whole(&vault, &when).await;
                        vault.close().await;
                        opened += 1;
                    }
                }
                assert_eq!(opened, 1, "{when}");
                if all_met {
                    break;
                }
            }
        }
    }
    let wanted = if in_postgresql { 40 } else { 300 };
    assert!(pairs >= wanted && lost >= 40, "{pairs} pairs, {lost} lost");
}

/// A rekey of another process that makes some calls of the store whenever it is its turn.
struct Turns {
    task: JoinHandle<Result<Rekeyed>>,
    pause: Arc<Mutex<Option<Pause>>>,
    /// How it goes on, when it is stopped.
    resume: Option<oneshot::Sender<()>>,
    at_call: oneshot::Receiver<()>,
    next: Option<oneshot::Sender<()>>,
}

impl Turns {
    async fn begin(home: &Home, from: &KeyChoice, to: &KeyChoice) -> Option<Self> {
        let store = FlakyStore::over(home.store().await);
        let pause = store.pause.clone();
        // Past the switch nobody opens the vault with the former key.
        let vault = Vault::open_with(with(home, from), Arc::new(store)).await.ok()?;
        let (at_call, next) = stop_after(&pause, 0);
        let to = to.clone();
        let task = tokio::spawn(async move { vault.rekey(to, &nothing).await });
        let mut turns = Self { task, pause, resume: None, at_call, next: Some(next) };
        turns.wait(home).await;
        Some(turns)
    }

    /// Lets it make `calls` calls, or wait for whoever has the key file.
    async fn advance(&mut self, home: &Home, calls: usize) {
        if let Some(resume) = self.resume.take() {
            let (at_call, next) = stop_after(&self.pause, calls);
            (self.at_call, self.next) = (at_call, Some(next));
            let _ = resume.send(());
        }
        self.wait(home).await;
    }

    async fn wait(&mut self, home: &Home) {
        while !self.task.is_finished() {
            tokio::select! {
                reached = &mut self.at_call, if self.next.is_some() => {
                    self.resume = self.next.take().filter(|_| reached.is_ok());
                    if self.resume.is_some() {
                        return;
                    }
                }
                () = SystemClock.sleep(std::time::Duration::from_millis(30)) => {
                    if is_locked(home) {
                        return;
                    }
                }
            }
        }
    }
}

fn stop_after(pause: &Mutex<Option<Pause>>, calls: usize) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
    let ((reached, at_call), (next, resume)) = (oneshot::channel(), oneshot::channel());
    *pause.lock().unwrap() = Some(Pause { calls, reached, resume });
    (at_call, next)
}

/// Two to four rekeys with keys of any kind, whose calls of the store follow each other in any order.
async fn however_several_rekeys_take_turns_one_wins_and_nothing_is_lost() {
    let kinds = [KeyChoice::File, environment("1a"), environment("2b"), passphrase("correct horse battery")];
    let long = std::env::var_os("SESAME_TORTURE").is_some();
    let (mut lost, mut won) = (0, 0);
    for from in [&kinds[0], &kinds[1], &kinds[3]] {
        let filled = Home::new(FakeTransport::json("{}"));
        let vault = Vault::open(with(&filled, from)).await.unwrap();
        fill(&vault).await;
        vault.close().await;
        for seed in 0..if long { 300 } else { 8_u64 } {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            // xorshift
            let mut pick = |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                usize::try_from(state >> 33).unwrap() % below
            };
            let home = filled.twin();
            let mut rekeys = Vec::new();
            let mut targets = Vec::new();
            for _ in 0..2 + pick(3) {
                // A passphrase takes a second to stretch, on purpose.
                let to = &kinds[if long || pick(6) == 0 { pick(4) } else { pick(3) }];
                let Some(rekey) = Turns::begin(&home, from, to).await else { break };
                rekeys.push(rekey);
                targets.push(to);
                let turn = pick(rekeys.len());
                rekeys[turn].advance(&home, pick(12)).await;
            }
            let when = format!("seed {seed}, from {from:?} to {targets:?}");
            while rekeys.iter().any(|rekey| !rekey.task.is_finished()) {
                let turn = pick(rekeys.len());
                rekeys[turn].advance(&home, pick(4)).await;
            }
            let mut winners = Vec::new();
            for rekey in rekeys {
                match rekey.task.await.unwrap() {
                    Ok(rekeyed) => winners.push(rekeyed.key_id),
                    Err(error) => {
                        assert!(!error.message().is_empty() && error.hint().is_some(), "{when}: {error:?}");
                        lost += 1;
                    }
                }
            }
            let count = winners.len();
            winners.sort();
            winners.dedup();
            assert!(winners.len() == count, "{when}: one key, several winners");
            won += count;
            let mut opened = 0;
            for source in &kinds {
                if let Ok(vault) = Vault::open(with(&home, source)).await {
                    assert_whole(&vault, &when).await;
                    vault.close().await;
                    opened += 1;
                }
            }
            assert_eq!(opened, 1, "{when}: {winners:?}");
        }
    }
    assert!(won > 0 && lost > 0, "{won} won, {lost} lost");
}
