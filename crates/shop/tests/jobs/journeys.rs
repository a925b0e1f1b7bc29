//! Whole jobs, and what comes between.

use sesame_core::ErrorKind;
use sesame_shop::{Amount, JobKind, JobReport, JobRow, RowOutcome};

use crate::world::{Stage, Trouble};

fn rows(count: u64, value: i64) -> Vec<JobRow> {
    (0..count).map(|n| JobRow::sku(format!("S{n}"), value)).collect()
}

async fn done(stage: &Stage, kind: JobKind, rows: Vec<JobRow>) -> JobReport {
    stage.shop.plan(kind, rows).await.unwrap().start(&stage.jobs()).unwrap().run(|_| {}).await
}

fn all(stage: &Stage, expected: i64) -> bool {
    stage.world().skus.values().all(|sku| sku.quantity == expected)
}

#[tokio::test]
async fn stock_is_set_in_batches_and_set_back() {
    let stage = Stage::new(45).await;
    let report = done(&stage, JobKind::StockSet, rows(45, 7)).await;
    assert!(report.stopped.is_none(), "{:?}", report.stopped);
    assert_eq!((report.count("done"), all(&stage, 7)), (45, true));
    let sent = |world: &crate::world::World| (world.writes, world.largest);
    assert_eq!(sent(&stage.world()), (3, 20));

    let again = done(&stage, JobKind::StockSet, rows(45, 7)).await;
    assert_eq!((again.count("skipped"), stage.world().writes), (45, 3), "nothing is sent for what is there");

    // Somebody else changes one meanwhile: it is left alone.
    stage.world().skus.get_mut("S3").unwrap().quantity = 99;
    let undo =
        stage.shop.plan_undo(&stage.jobs(), &report.info.id).await.unwrap().start(&stage.jobs()).unwrap();
    let undo = undo.run(|_| {}).await;
    assert_eq!((undo.count("done"), undo.count("skipped")), (44, 1));
    let quantity = |name: &str| stage.world().skus[name].quantity;
    assert_eq!((quantity("S3"), quantity("S4")), (99, 10));
    let undo = stage.shop.plan_undo(&stage.jobs(), &report.info.id).await.unwrap();
    assert_eq!(undo.products(), 0, "a second undo finds nothing to do");
}

#[tokio::test]
async fn what_is_known_to_be_wrong_is_not_sent() {
    let stage = Stage::new(6).await;
    stage.world().skus.get_mut("S1").unwrap().reserved = 5;
    let rows = vec![
        JobRow::sku("S0", 3),
        JobRow::sku("S1", 4),
        JobRow::sku("nothing", 4),
        JobRow::sku("S0", 4).of("100"),
        JobRow::sku("S2", 1).of("999"),
        JobRow::sku("5005", 8).of("101"),
    ];
    let plan = stage.shop.plan(JobKind::StockSet, rows).await.unwrap();
    let outcomes: Vec<_> = plan.entries().iter().map(|entry| entry.outcome.message().1).collect();
    assert_eq!(outcomes[0], None);
    assert_eq!(outcomes[1], Some("5 are reserved for orders; the stock cannot be 4"));
    assert_eq!(outcomes[2], Some("there is no such SKU"));
    assert_eq!(outcomes[3], Some("is the same SKU as S0"));
    assert!(outcomes[4].unwrap().contains("Item not found"));
    assert_eq!(outcomes[5], None, "by the platform's id of the SKU");
    assert_eq!((plan.products(), plan.calls().unwrap().len()), (2, 1));

    for (kind, value, why) in [
        (JobKind::StockSet, "-1", "is below 0"),
        (JobKind::StockSet, "1.5", "not a whole number"),
        (JobKind::PriceSet, "0", "not above 0"),
        (JobKind::PriceSet, "-3", "not above 0"),
    ] {
        let row = JobRow::sku("S0", value.parse::<Amount>().unwrap()).line(7);
        let error = stage.shop.plan(kind, vec![row]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.message().contains("line 7: S0: ") && error.message().contains(why), "{error}");
    }
    let error =
        stage.shop.plan(JobKind::StockSet, self::rows(2, 1).into_iter().chain(self::rows(2, 2)).collect());
    assert!(error.await.unwrap_err().message().contains("S0: is there twice"));
    let row = JobRow::sku("S0", "1.505".parse::<Amount>().unwrap());
    let plan = stage.shop.plan(JobKind::PriceSet, vec![row]).await.unwrap();
    assert!(plan.entries()[0].outcome.message().1.unwrap().contains("at most 2 decimals"));
    assert_eq!(stage.world().writes, 0);
}

/// The decimals of prices are those of the currency, which is that of the region.
#[tokio::test]
async fn prices_have_the_decimals_of_the_currency_of_the_region() {
    for (region, refused) in [("sg", None), ("id", Some("IDR has at most 0 decimals"))] {
        let stage = Stage::in_region(1, region).await;
        let row = JobRow::sku("S0", "7.50".parse::<Amount>().unwrap());
        let plan = stage.shop.plan(JobKind::PriceSet, vec![row]).await.unwrap();
        let message = plan.entries()[0].outcome.message().1;
        assert_eq!(message.is_some(), refused.is_some(), "{region}: {message:?}");
        assert!(refused.is_none_or(|refused| message.unwrap().contains(refused)), "{message:?}");
    }
}

#[tokio::test]
async fn prices_keep_their_digits() {
    let stage = Stage::new(1).await;
    let row = JobRow::sku("S0", "1234567890.10".parse::<Amount>().unwrap());
    done(&stage, JobKind::PriceSet, vec![row]).await;
    assert_eq!(stage.world().skus["S0"].price, "1234567890.1");
}

/// Which SKU a refused call is about, and whether the others were written, is found out.
#[tokio::test]
async fn of_a_refused_call_each_row_gets_its_own_answer() {
    for is_partial in [false, true] {
        for kind in [JobKind::StockSet, JobKind::StockAdd] {
            let stage = Stage::new(20).await;
            stage.world().locked.insert("S7".to_owned());
            stage.world().is_partial = is_partial;
            let report = done(&stage, kind, rows(20, 4)).await;
            assert!(report.stopped.is_none());
            assert_eq!((report.count("done"), report.count("failed")), (19, 1), "{kind:?} {is_partial}");
            let (code, message) = report.entries[7].outcome.message();
            assert_eq!((code, message.unwrap().contains("S7 is locked")), (Some("501"), true));
            let expected = if kind == JobKind::StockSet { 4 } else { 14 };
            for (name, sku) in &stage.world().skus {
                assert_eq!(
                    sku.quantity,
                    if name == "S7" { 10 } else { expected },
                    "{name} {kind:?} {is_partial}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_lost_reply_adds_nothing_twice() {
    for (trouble, expected, word) in [
        (Trouble::Answer, 13, "done"),
        (Trouble::Call, 13, "done"),
        // The reserved stock tells of the sale: what happened is known, what did not is not sent again.
        (Trouble::AnswerAndSale, 13, "done"),
        (Trouble::CallAndSale, 10, "unknown"),
    ] {
        let stage = Stage::new(5).await;
        stage.world().trouble = vec![trouble];
        let report = done(&stage, JobKind::StockAdd, rows(5, 3)).await;
        assert!(report.stopped.is_none(), "{:?}", report.stopped);
        assert_eq!(report.count(word), 5, "{trouble:?}: {:?}", report.entries[0].outcome);
        assert!(all(&stage, expected), "{trouble:?}");
    }
    let stage = Stage::new(5).await;
    stage.world().trouble = vec![Trouble::AnswerAndSale, Trouble::CallAndSale];
    let report = done(&stage, JobKind::StockSet, rows(5, 3)).await;
    assert_eq!((report.count("done"), all(&stage, 3)), (5, true), "what is absolute is sent again");
}

/// A call that is not answered each time is divided, so that one row takes no other along.
#[tokio::test]
async fn a_row_over_which_the_platform_stumbles_fails_alone() {
    for (kind, expected) in [(JobKind::StockSet, 3), (JobKind::StockAdd, 13)] {
        let stage = Stage::new(20).await;
        stage.world().stumbles_over = Some("S7".to_owned());
        let report = done(&stage, kind, rows(20, 3)).await;
        assert!(report.stopped.is_none(), "{:?}", report.stopped);
        assert_eq!((report.count("done"), report.count("failed")), (19, 1), "{kind:?}");
        assert!(report.entries[7].outcome.message().1.unwrap().contains("without an answer"));
        for (name, sku) in &stage.world().skus {
            assert_eq!(sku.quantity, if name == "S7" { 10 } else { expected }, "{kind:?} {name}");
        }
    }
}

#[tokio::test]
async fn what_would_fail_for_all_stops_the_job_and_it_is_gone_on_with() {
    let stage = Stage::new(400).await;
    stage.world().refuse_all_after = Some(4);
    let report = done(&stage, JobKind::StockAdd, rows(400, 3)).await;
    let error = report.stopped.as_ref().unwrap();
    assert!(error.code().is_some_and(|code| code == "InsufficientPermission"), "{error:?}");
    assert_eq!((report.count("done"), report.count("pending")), (80, 320));
    let folder = stage.jobs();
    let open = |unfinished| stage.shop.last_job(&folder, &[JobKind::StockAdd], unfinished);
    assert_eq!(open(true).unwrap(), report.info);

    stage.world().refuse_all_after = None;
    let mut told = 0;
    let job = stage.shop.resume(&folder, &report.info.id).await.unwrap();
    let report = job.run(|entry| told += usize::from(entry.outcome == RowOutcome::Done)).await;
    assert_eq!((report.count("done"), told, all(&stage, 13)), (400, 320, true));
    assert_eq!(open(true), None);
    assert_eq!(open(false).unwrap(), report.info);
    assert!(stage.world().skus.values().all(|sku| sku.writes == 1));
}

#[tokio::test]
async fn a_platform_that_does_not_answer_stops_the_job() {
    let stage = Stage::new(400).await;
    stage.world().trouble = vec![Trouble::Answer; 1000];
    let report = done(&stage, JobKind::StockAdd, rows(400, 3)).await;
    assert!(report.stopped.is_some());
    assert!(report.count("pending") > 0, "not all are sent into the void");
    stage.world().trouble.clear();
    let report = stage.shop.resume(&stage.jobs(), &report.info.id).await.unwrap().run(|_| {}).await;
    let others: Vec<_> = report.entries.iter().filter(|entry| entry.outcome != RowOutcome::Done).collect();
    assert!(others.is_empty() && report.stopped.is_none(), "{:?} {others:?}", report.stopped);
    assert!(all(&stage, 13));
}

#[tokio::test]
async fn an_undo_of_an_addition_takes_away_what_was_added() {
    let stage = Stage::new(3).await;
    let report = done(&stage, JobKind::StockAdd, rows(3, -4)).await;
    assert!(all(&stage, 6));
    let undo = stage.shop.plan_undo(&stage.jobs(), &report.info.id).await.unwrap();
    undo.start(&stage.jobs()).unwrap().run(|_| {}).await;
    assert!(all(&stage, 10));
    let error = stage.shop.plan_undo(&stage.jobs(), "20260101-000000-zz").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

/// Two people add to the same SKUs: both additions count, whichever is first, and though replies are lost.
#[tokio::test]
async fn two_additions_at_once_both_count() {
    let stage = Stage::new(40).await;
    stage.world().trouble = vec![Trouble::Answer, Trouble::Call, Trouble::Answer];
    let start =
        async || stage.shop.plan(JobKind::StockAdd, rows(40, 3)).await.unwrap().start(&stage.jobs()).unwrap();
    let (one, other) = (start().await, start().await);
    let (one, other) = tokio::join!(one.run(|_| {}), other.run(|_| {}));
    for report in [one, other] {
        assert!(report.stopped.is_none(), "{:?}", report.stopped);
        assert_eq!(report.count("done"), 40);
    }
    assert!(all(&stage, 16));
}
