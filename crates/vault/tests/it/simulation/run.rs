//! Half a year, step by step.

use super::{
    ClockState, DAY, DAYS, Dice, Gateway, HOUR, Late, MINUTE, OUTAGE, Rules, SECOND, SHOPS_AN_APP, START,
    Shop, State, VirtualClock, WARNING_DAYS,
};
use jiff::Timestamp;
use proptest::prelude::*;
use sesame_catalog::Catalog;
use sesame_core::{AccessToken, AppSecret, RefreshToken};
use sesame_vault::{
    Id, ImportedTokens, Keeper, KeeperOptions, KeyChoice, Location, NewApp, Vault, VaultOptions,
    store::{
        AccountStore as _, AppStore as _, DueClaim, DueEvent, EventStore as _, KeyStore as _, NewRows, Notes,
        Sink, SqlStore, TokenStore as _,
    },
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

struct Simulation {
    clock: VirtualClock,
    gateway: Gateway,
    store: Arc<SqlStore>,
    vault: Vault,
    /// Which shop an authorization is.
    shops: HashMap<Id, usize>,
    used: Vec<Id>,
    _home: tempfile::TempDir,
}

impl Simulation {
    async fn new(count: usize) -> Self {
        let clock = VirtualClock(Arc::new(ClockState {
            millis: AtomicI64::new(START),
            ahead: AtomicI64::new(0),
            dice: Dice(AtomicU64::new(7)),
        }));
        let gateway = Gateway {
            clock: clock.clone(),
            state: Arc::new(Mutex::new(State {
                shops: Vec::with_capacity(count),
                minutes: Vec::new(),
                postponed: 0,
                failed: 0,
                late: Vec::new(),
            })),
        };
        let home = tempfile::tempdir().unwrap();
        let options =
            VaultOptions::new(Location::Sqlite(home.path().join("vault.db")), Arc::new(gateway.clone()))
                .key(KeyChoice::File)
                .clock(Arc::new(clock.clone()))
                .catalog(Arc::new(Catalog::builtin()));
        // One store to seal in, and one whose rows have the ages of a vault that is long in use.
        let nursery = Arc::new(SqlStore::in_memory().await.unwrap());
        let sealing = Vault::open_with(options.clone(), nursery.clone()).await.unwrap();
        let store = Arc::new(SqlStore::in_memory().await.unwrap());
        assert!(store.set_keys(&[], &nursery.keys().await.unwrap()).await.unwrap());
        let vault = Vault::open_with(options, store.clone()).await.unwrap();
        let mut simulation =
            Self { clock, gateway, store, vault, shops: HashMap::new(), used: Vec::new(), _home: home };
        simulation.settle_in(&sealing, nursery.as_ref(), count).await;
        simulation
    }

    async fn settle_in(&mut self, sealing: &Vault, nursery: &SqlStore, count: usize) {
        for index in 0..count {
            // Two of five are of param2, two of IOP, one of TOP; of each a fifth is in use.
            let rules = [Rules::Param2, Rules::Iop, Rules::Param2, Rules::Iop, Rules::Top][index % 5];
            let app = format!("{}-{}", rules.platform(), index / SHOPS_AN_APP);
            if index % SHOPS_AN_APP < 5 && sealing.app(&app).await.is_err() {
                sealing
                    .add_app(
                        NewApp::new(
                            rules.platform(),
                            format!("{}", 1_000 + index),
                            AppSecret::new("planted0secret0of0the0simulation"),
                        )
                        .name(app.clone()),
                    )
                    .await
                    .unwrap();
                let rows =
                    NewRows { apps: vec![nursery.app(&app).await.unwrap().unwrap()], ..NewRows::default() };
                assert!(self.store.add(&rows, &Notes::default()).await.unwrap());
            }
            let tokens = ImportedTokens::default()
                .access(AccessToken::new(format!("a.{index}.0")))
                .refresh(RefreshToken::new(format!("r.{index}.0")))
                .account_name(format!("s{index}"));
            let name = sealing.import_tokens(&app, tokens).await.unwrap().0.name;
            let full = nursery.account(&name).await.unwrap().unwrap();
            nursery.remove_account(full.account.id, &Notes::default()).await.unwrap();
            self.move_in(index, rules, full.authorization, full.account).await;
        }
        nursery.forget_notes(i64::MAX).await.unwrap();
    }

    /// Gives a shop the age that one of a vault has that has long been in use.
    async fn move_in(
        &mut self,
        index: usize,
        rules: Rules,
        mut row: sesame_vault::store::AuthorizationRow,
        account: sesame_vault::store::AccountRow,
    ) {
        let dice = &self.clock.0.dice;
        let is_used = (index / 5).is_multiple_of(5);
        // How old the approval is: no prolonging is overdue yet.
        let age = match rules {
            Rules::Param2 => dice.millis(152 * DAY),
            Rules::Iop => dice.millis(180 * DAY),
            Rules::Top => dice.millis(20 * DAY),
        };
        let refresh_end = START - age + rules.refresh_life();
        let life = rules.access_life();
        // A long interval between two refreshes is more likely to be the one that is going on.
        let wait = loop {
            let wait = 0.6 + 0.36 * dice.share();
            if dice.share() < wait {
                break wait;
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "a part of a life in milliseconds")]
        let wait = (wait * life as f64) as i64;
        let access_age = if is_used { dice.millis(wait).min(age) } else { age };
        let tokens = &mut row.tokens;
        tokens.issued_at = START - access_age;
        tokens.access_expires_at = Some((START - access_age + life).min(refresh_end.max(START + HOUR)));
        tokens.refresh_expires_at = Some(if rules == Rules::Top && is_used {
            tokens.issued_at + rules.refresh_life()
        } else {
            refresh_end
        });
        tokens.warm_at = Some(tokens.issued_at + wait);
        tokens.due_at = Some(START);
        // The marks that have passed were announced in their time.
        let end = tokens.refresh_expires_at.unwrap();
        tokens.announced = (rules != Rules::Param2)
            .then(|| WARNING_DAYS.into_iter().rev().find(|mark| START >= end - mark * DAY))
            .flatten();
        row.last_used = is_used.then_some(START);
        let shop = Shop {
            rules,
            is_used,
            access: 0,
            refresh: 0,
            access_end: tokens.access_expires_at.unwrap(),
            refresh_end: end,
            warned: [0; 4],
            ended: 0,
        };
        self.gateway.state.lock().unwrap().shops.push(shop);
        self.shops.insert(row.id, index);
        if is_used {
            self.used.push(row.id);
        }
        let rows = NewRows { authorizations: vec![row], accounts: vec![account], ..NewRows::default() };
        assert!(self.store.add(&rows, &Notes::default()).await.unwrap());
    }

    async fn run(&self, jump: Option<Jump>) {
        let mut keeper = Keeper::new(self.vault.clone(), KeeperOptions::default());
        let end = START + DAYS * DAY;
        let mut day = 0;
        while self.clock.millis() < end {
            let tomorrow = START + (day + 1) * DAY;
            let tick = keeper.tick().await.unwrap();
            let now = self.clock.millis();
            let next = tick.next_due.map_or(tomorrow, Timestamp::as_millisecond);
            // A keeper sleeps a little, so that rows come in batches.
            let next = next.max(now + 5 * SECOND).min(tomorrow.max(now + 1));
            self.clock.0.millis.store(next, Ordering::Relaxed);
            if next >= tomorrow {
                day += 1;
                self.read_the_post(next).await;
                let today = self.used.iter().skip(usize::try_from(day % 5).unwrap()).step_by(5);
                let today: Vec<Id> = today.copied().collect();
                self.store.touch(&today, next).await.unwrap();
                if let Some(jump) = jump.filter(|jump| jump.day == day) {
                    if jump.by_another_keeper {
                        keeper = Keeper::new(self.vault.clone(), KeeperOptions::default());
                    }
                    self.jump(jump, &keeper).await;
                    if jump.by_another_keeper {
                        keeper = Keeper::new(self.vault.clone(), KeeperOptions::default());
                    }
                }
            }
        }
        keeper.tick().await.unwrap();
        self.read_the_post(end).await;
    }

    /// Lets a keeper work by a clock that is ahead, and then by the right one.
    async fn jump(&self, jump: Jump, keeper: &Keeper) {
        self.clock.0.ahead.store(jump.ahead, Ordering::Relaxed);
        for _ in 0..jump.ticks {
            keeper.tick().await.unwrap();
            self.clock.0.millis.fetch_add(SECOND, Ordering::Relaxed);
        }
        self.clock.0.ahead.store(0, Ordering::Relaxed);
        if jump.by_another_keeper {
            Keeper::new(self.vault.clone(), KeeperOptions::default()).tick().await.unwrap();
        } else {
            keeper.tick().await.unwrap();
        }
        let latest = self.clock.millis() + DAY;
        for full in self.store.accounts().await.unwrap() {
            let row = full.authorization;
            let due_at = row.tokens.due_at;
            assert!(
                due_at.is_some_and(|due_at| due_at <= latest) || row.exhausted.is_some(),
                "{jump:?}: {} is due {due_at:?}, now is {latest} less a day",
                full.account.name
            );
        }
    }

    async fn read_the_post(&self, now: i64) {
        loop {
            let end = i64::MAX / 2;
            let claim = DueClaim { owner: "the post", now: end, until: end, limit: u32::MAX };
            let events = self.store.claim_events(Sink::Hook, 0, claim).await.unwrap();
            if events.is_empty() {
                break;
            }
            for due in &events {
                self.store.event_taken(due.event.id, Sink::Hook).await.unwrap();
            }
            let mut state = self.gateway.state.lock().unwrap();
            for DueEvent { event, .. } in events {
                let shop = &mut state.shops[self.shops[&event.authorization_id]];
                let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
                match payload["days"].as_i64() {
                    Some(days) => {
                        let mark = WARNING_DAYS.iter().position(|mark| *mark == days).unwrap();
                        shop.warned[mark] += 1;
                    }
                    None => shop.ended += 1,
                }
            }
        }
        self.store.forget_notes(now).await.unwrap();
    }
}

/// A clock that is ahead for a moment.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// When.
    day: i64,
    /// By how many milliseconds.
    ahead: i64,
    /// How often a keeper works by it.
    ticks: u32,
    /// Whether that is a process of its own, as one from cron.
    by_another_keeper: bool,
}

fn accounts() -> usize {
    let given = std::env::var("SESAME_SIM_ACCOUNTS").ok().map(|text| text.parse().unwrap());
    let torture = std::env::var_os("SESAME_TORTURE").is_some();
    given.unwrap_or(if torture { 1_000_000 } else { 200 })
}

/// Checks how each shop fared. After a jump shops are looked at up to a day later, and some warnings come
/// again. Returns how many were warned of a postponement that succeeded after all.
fn check_shops(state: &State, jump: Option<Jump>) -> usize {
    let end = START + DAYS * DAY;
    // Nothing ended that could have been prolonged. A shop is looked at within a day after the clock is
    // right again, and calls that fail are repeated within the hour.
    let is_excused = |late: &Late| {
        jump.is_some_and(|jump| {
            let begun = START + jump.day * DAY;
            let looked_at = begun + i64::from(jump.ticks) * SECOND + DAY;
            (begun - HOUR..=looked_at).contains(&late.ended) && late.renewed <= looked_at + HOUR
        })
    };
    let late = state.late.iter().filter(|late| !is_excused(late));
    let late: Vec<_> = late.map(|late| (late, state.shops[late.shop].rules)).collect();
    assert!(late.is_empty(), "{jump:?}: access tokens of shops in use were renewed late: {late:?}");
    let mut refused = 0;
    for (index, shop) in state.shops.iter().enumerate() {
        let is_over = shop.refresh_end <= end;
        assert!(!is_over || shop.rules == Rules::Iop, "shop {index} ended: {shop:?}");
        assert!(!shop.is_used || is_over || shop.access_end > end, "shop {index} is cold: {shop:?}");
        // Every end was announced at all four marks, once each, and no end that did not come.
        for (mark, warned) in WARNING_DAYS.iter().zip(shop.warned) {
            let due = shop.refresh_end - mark * DAY;
            let expected = shop.rules == Rules::Iop && due > START && due <= end;
            let is_close = (due - end).abs() < HOUR || (due - START).abs() < HOUR;
            // A postponement that was refused for no reason is warned of, too, before it succeeds: once
            // for each refresh token.
            let was_refused = shop.rules == Rules::Param2
                && *mark == 30
                && (1..=shop.refresh + 1).contains(&u32::from(warned));
            refused += usize::from(was_refused);
            let expected = u8::from(expected);
            let is_right = if jump.is_some() { warned >= expected } else { warned == expected };
            assert!(is_right || is_close || was_refused, "shop {index}, mark {mark}: {shop:?}");
        }
        // The platform is asked a minute after the end, and again if that fails.
        let is_asked = is_over && end - shop.refresh_end < HOUR && shop.ended == 0;
        assert!(shop.ended == u8::from(is_over) || is_asked, "shop {index}: {shop:?}");
    }
    refused
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if std::env::var_os("SESAME_TORTURE").is_some() { 200 } else { 6 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// After any jump of the clock and back each shop is looked at within a day, prolonged as without the
    /// jump, and warned of: `half_a_year_of_a_large_vault` is the control.
    #[test]
    fn a_clock_that_jumps_ahead_and_back_loses_no_shop(
        day in 1..190_i64,
        ahead in prop_oneof![HOUR..DAY, DAY..300 * DAY, Just(5 * 365 * DAY), 300 * DAY..50 * 365 * DAY],
        ticks in 1..4_u32,
        by_another_keeper: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(after(Jump { day, ahead, ticks, by_another_keeper }));
    }
}

/// Runs half a year in which the clock jumps once, and checks how the shops fared.
async fn after(jump: Jump) {
    let simulation = Simulation::new(50).await;
    simulation.run(Some(jump)).await;
    check_shops(&simulation.gateway.state.lock().unwrap(), Some(jump));
}

/// Tokens of a day that come while the clock is ahead end exactly a day after the jump, while the row says
/// two hours later.
#[tokio::test]
async fn a_token_of_a_day_that_came_during_a_jump_is_renewed_within_a_day() {
    after(Jump { day: 154, ahead: 7_251_234, ticks: 2, by_another_keeper: true }).await;
}

#[tokio::test]
async fn half_a_year_of_a_large_vault() {
    let count = accounts();
    let begun = Instant::now();
    let simulation = Simulation::new(count).await;
    let made = begun.elapsed();
    simulation.run(None).await;
    let took = begun.elapsed().saturating_sub(made);
    let state = simulation.gateway.state.lock().unwrap();
    let refused = check_shops(&state, None);
    let param2 = state.shops.iter().filter(|shop| shop.rules == Rules::Param2).count();
    assert!(refused * 50 <= param2, "{refused} of {param2} were warned for nothing");
    assert!(state.postponed >= u64::try_from(param2).unwrap(), "{} postponements", state.postponed);

    // The work is spread: the busiest minute, or with few accounts the busiest span of as many calls as
    // a bound by chance makes sense for.
    let total: u64 = state.minutes.iter().map(|calls| u64::from(*calls)).sum();
    let a_minute = total as f64 / state.minutes.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    let span = (10.0 / a_minute).ceil().max(1.0) as usize;
    let outage = usize::try_from((OUTAGE.0 - START) / MINUTE).unwrap();
    let quiet = outage.saturating_sub(span)..outage + 120 + span;
    let spans: Vec<u64> = state
        .minutes
        .chunks_exact(span)
        .enumerate()
        .filter(|(at, _)| !quiet.contains(&(at * span)))
        .map(|(_, minutes)| minutes.iter().map(|calls| u64::from(*calls)).sum())
        .collect();
    let mean = spans.iter().sum::<u64>() as f64 / spans.len() as f64;
    let busiest = spans.iter().copied().max().unwrap() as f64;
    let bound = (1.5 * mean).max(mean + 6.0 * mean.sqrt());
    println!(
        "{count} accounts, {DAYS} days: {total} calls ({} postponements, {} failures) in {took:.1?} after {made:.1?} of \
         preparation; {span} min: mean {mean:.1}, busiest {busiest}, bound {bound:.1}",
        state.postponed, state.failed
    );
    assert!(busiest <= bound, "busiest {busiest} of mean {mean}");
}
