//! A token service with the rules of IOP: pairs rotate, the end of the refresh token is fixed.

use std::sync::{Arc, Mutex};

use sesame_core::{Clock as _, HttpResponse, Result};

use super::{FakeClock, FakeTransport, START, Seen, reply};

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Dies,
    Lives,
}

/// The service. Clones are one service.
#[derive(Clone)]
pub struct IopService(Arc<Mutex<State>>);

struct State {
    policy: Policy,
    clock: FakeClock,
    number: u64,
    refreshes: usize,
    life: u64,
    refresh_end: i64,
    seller: String,
}

pub fn access(number: u64) -> String {
    format!("50000planted0access0{number:04}0token")
}

pub fn refresh(number: u64) -> String {
    format!("50001planted0refresh0{number:04}0token")
}

impl IopService {
    pub fn new(policy: Policy, clock: &FakeClock) -> Self {
        Self(Arc::new(Mutex::new(State {
            policy,
            clock: clock.clone(),
            number: 0,
            refreshes: 0,
            life: 2_592_000,
            refresh_end: START / 1_000 + 15_552_000,
            seller: "1001".to_owned(),
        })))
    }

    pub fn transport(&self) -> FakeTransport {
        let service = self.clone();
        FakeTransport::new(move |seen| service.answer(seen))
    }

    pub fn refreshes(&self) -> usize {
        self.0.lock().unwrap().refreshes
    }

    pub fn access(&self) -> String {
        access(self.0.lock().unwrap().number)
    }

    /// Gives the refresh tokens of the next approval this end.
    pub fn approve_until(&self, second: i64) {
        self.0.lock().unwrap().refresh_end = second;
    }

    pub fn become_seller(&self, id: &str) {
        id.clone_into(&mut self.0.lock().unwrap().seller);
    }

    #[expect(clippy::unnecessary_wraps, reason = "the form of every handler")]
    pub fn answer(&self, seen: &Seen) -> Result<HttpResponse> {
        let mut state = self.0.lock().unwrap();
        if seen.url.ends_with("/auth/token/create") {
            state.number += 1;
        } else {
            assert!(seen.url.ends_with("/auth/token/refresh"), "{}", seen.url);
            let given = &seen.form["refresh_token"];
            let known = match state.policy {
                Policy::Dies => *given == refresh(state.number),
                Policy::Lives => (1..=state.number).any(|number| *given == refresh(number)),
            };
            let known = known && state.clock.now().as_second() < state.refresh_end;
            if !known {
                return Ok(reply(
                    200,
                    format!(
                        r#"{{"type":"ISV","code":"IllegalRefreshToken","message":"The specified refresh token {given} is invalid or expired","request_id":"r1"}}"#
                    ),
                ));
            }
            state.number += 1;
            state.refreshes += 1;
        }
        let left = state.refresh_end - state.clock.now().as_second();
        Ok(reply(
            200,
            format!(
                r#"{{"access_token":"{}","refresh_token":"{}","country":"sg","account":"seller@example.com","account_platform":"seller_center","expires_in":"{}","refresh_expires_in":"{left}","country_user_info":[{{"country":"SG","user_id":"1","seller_id":"{}","short_code":"SG1"}}],"code":"0","request_id":"r2"}}"#,
                access(state.number),
                refresh(state.number),
                state.life,
                state.seller,
            ),
        ))
    }
}
