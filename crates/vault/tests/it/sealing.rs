//! Sealing: only the right key opens a value, and only where it belongs.

use std::sync::Arc;

use crate::support::two_shops;
use proptest::prelude::*;
use sesame_core::ErrorKind;
use sesame_vault::{
    SystemClock,
    seal::{MasterKey, Sealer, Slot},
};
use sqlx::{Connection as _, SqliteConnection};

fn sealer(byte: u8) -> Sealer {
    Sealer::new(&MasterKey::from_slice(&[byte; 32]).unwrap(), [byte; 8], Arc::new(SystemClock))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else(
        plain in prop::collection::vec(any::<u8>(), 0..400),
        row in prop::collection::vec(any::<u8>(), 0..20),
        other_row in prop::collection::vec(any::<u8>(), 0..20),
        table in "[a-z]{0,8}",
        column in "[a-z]{0,8}",
    ) {
        let sealer = sealer(1);
        let slot = Slot { table: &table, row: &row, column: &column };
        let sealed = sealer.seal(slot, &plain);
        prop_assert_eq!(&**sealer.open(slot, &sealed).unwrap(), plain.as_slice());
        prop_assert!(plain.len() < 8 || !sealed.windows(plain.len()).any(|window| window == plain));
        prop_assert_ne!(&sealer.seal(slot, &plain), &sealed, "each sealing has its own nonce");
        if other_row != row {
            let elsewhere = sealer.open(Slot { row: &other_row, ..slot }, &sealed);
            prop_assert!(elsewhere.is_err());
        }
        // Moving a letter from the table's name to the column's is another place, too.
        let longer = format!("{table}x");
        let elsewhere = sealer.open(Slot { table: &longer, ..slot }, &sealed);
        prop_assert!(elsewhere.is_err());
        let moved = format!("x{column}");
        let elsewhere = sealer.open(Slot { column: &moved, ..slot }, &sealed);
        prop_assert!(elsewhere.is_err());
        prop_assert!(self::sealer(2).open(slot, &sealed).is_err());
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(plain in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let sealer = sealer(1);
        let slot = Slot { table: "t", row: b"r", column: "c" };
        let mut sealed = sealer.seal(slot, &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(sealer.open(slot, &sealed).is_err());
        let cut = sealed.len() - 1;
        prop_assert!(sealer.open(slot, &sealed[..cut]).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let slot = Slot { table: "t", row: b"r", column: "c" };
        let opened = sealer(1).open(slot, &bytes);
        prop_assert!(opened.is_err());
    }
}

#[test]
fn the_key_shows_nowhere() {
    let key = MasterKey::parse(&"ab".repeat(32)).unwrap();
    assert!(!format!("{key:?}").contains("ab"));
    assert!(!format!("{:?}", Sealer::new(&key, [7; 8], Arc::new(SystemClock))).contains("abab"));
}

#[tokio::test]
async fn ciphertexts_swapped_between_two_shops_or_columns_do_not_open() {
    for (statement, refresh_opens) in [
        (
            "CREATE TEMP TABLE before AS SELECT authorization_id AS id, access FROM authorizations; \
             UPDATE authorizations SET access = (SELECT before.access FROM before WHERE before.id <> authorization_id)",
            true,
        ),
        (
            "CREATE TEMP TABLE before AS SELECT authorization_id AS id, refresh FROM authorizations; \
             UPDATE authorizations SET access = x'', \
             refresh = (SELECT before.refresh FROM before WHERE before.id <> authorization_id)",
            false,
        ),
        ("UPDATE authorizations SET access = refresh", true),
        ("UPDATE authorizations SET refresh = access, access = zeroblob(80)", false),
        ("UPDATE authorizations SET access = zeroblob(80)", true),
        ("UPDATE authorizations SET access = x'', refresh = x''", false),
    ] {
        let (home, service, _open) = two_shops().await;
        let mut connection =
            SqliteConnection::connect(&format!("sqlite:{}", home.path().display())).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        let vault = home.open().await;
        for (account, seller) in [("one", "1001"), ("two", "2002")] {
            service.become_seller(seller);
            let calls = home.transport.count();
            let handle = vault.handle(account).await.unwrap();
            match vault.token_of(&handle).await {
                // With its own refresh token it gets another access token.
                Ok(token) => assert_eq!((refresh_opens, token.access.expose()), (true, &*service.access())),
                Err(error) => {
                    assert!(!refresh_opens, "{statement}: {error:?}");
                    assert_eq!(error.kind(), ErrorKind::Local, "{statement}: {error:?}");
                    assert!(error.message().contains(account), "{statement}: {error}");
                    assert!(error.hint().unwrap().contains("Nothing was changed"));
                    assert_eq!(home.transport.count(), calls, "{statement}: something was sent");
                }
            }
        }
        // The list names what it can.
        assert_eq!(vault.accounts().await.unwrap().len(), 2);
    }
}
