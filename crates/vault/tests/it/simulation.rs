//! Half a year and more of a large vault in virtual time: the real keeper and scheduler over a store in
//! memory, against a gateway with the platforms' own rules and a share of failures.
//!
//! `./dev torture` simulates a million accounts, `SESAME_SIM_ACCOUNTS` any other number.

#![expect(clippy::cast_precision_loss, reason = "counts become means")]

mod run;

use jiff::Timestamp;
use sesame_core::{BoxFuture, Clock, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport};
use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

const START: i64 = 1_795_305_600_000;

const SECOND: i64 = 1_000;

const MINUTE: i64 = 60 * SECOND;

const HOUR: i64 = 60 * MINUTE;

const DAY: i64 = 24 * HOUR;

/// The longest that is simulated.
const DAYS: i64 = 200;

/// The outage, somewhere in the middle.
const OUTAGE: (i64, i64) = (START + 77 * DAY + 9 * HOUR, START + 77 * DAY + 10 * HOUR);

/// One call in this many fails.
const FAILS: u64 = 100;

/// The most shops of one app.
const SHOPS_AN_APP: usize = 20_000;

const WARNING_DAYS: [i64; 4] = [30, 7, 2, 1];

/// splitmix64: the same in each run.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn share(&self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Up to so many milliseconds.
    fn millis(&self, most: i64) -> i64 {
        i64::try_from(self.roll() % most.max(1).unsigned_abs()).unwrap()
    }
}

#[derive(Debug, Clone)]
struct VirtualClock(Arc<ClockState>);

#[derive(Debug)]
struct ClockState {
    /// The true time.
    millis: AtomicI64,
    /// How far the vault's clock is ahead of it.
    ahead: AtomicI64,
    dice: Dice,
}

impl VirtualClock {
    /// The true time, which is the platforms'.
    fn millis(&self) -> i64 {
        self.0.millis.load(Ordering::Relaxed)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis() + self.0.ahead.load(Ordering::Relaxed)).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.millis.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.dice.roll().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The rules by which a shop's tokens live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// 10 hours and half a year; the refresh token stays, and is postponed in its last 30 days.
    Param2,
    /// 30 days and half a year; a rotating pair whose end is fixed.
    Iop,
    /// A day and 30 days; a refresh gives both a new life.
    Top,
}

impl Rules {
    const fn access_life(self) -> i64 {
        match self {
            Self::Param2 => 10 * HOUR,
            Self::Iop => 30 * DAY,
            Self::Top => DAY,
        }
    }

    const fn refresh_life(self) -> i64 {
        match self {
            Self::Param2 => 182 * DAY,
            Self::Iop => 180 * DAY,
            Self::Top => 30 * DAY,
        }
    }

    const fn platform(self) -> &'static str {
        match self {
            Self::Param2 => "aliexpress-legacy",
            Self::Iop => "lazada",
            Self::Top => "taobao",
        }
    }
}

#[derive(Debug)]
struct Shop {
    rules: Rules,
    is_used: bool,
    access: u32,
    refresh: u32,
    access_end: i64,
    refresh_end: i64,
    /// The marks whose warning came, and how many ends.
    warned: [u8; 4],
    ended: u8,
}

/// The gateway of all platforms.
#[derive(Clone)]
struct Gateway {
    clock: VirtualClock,
    state: Arc<Mutex<State>>,
}

/// An access token that was renewed after its end.
#[derive(Debug, Clone, Copy)]
struct Late {
    shop: usize,
    ended: i64,
    renewed: i64,
}

struct State {
    shops: Vec<Shop>,
    /// Tokens given, by minute.
    minutes: Vec<u32>,
    postponed: u64,
    failed: u64,
    /// Access tokens of shops in use that had ended when the next came.
    late: Vec<Late>,
}

fn json(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status, body)
}

fn refused(rules: Rules, why: &str) -> HttpResponse {
    match rules {
        Rules::Param2 => json(
            400,
            format!(
                r#"{{"error_code":"401","error_message":"Request need user authorized","exception":"{why}"}}"#
            ),
        ),
        Rules::Iop => json(
            200,
            format!(r#"{{"type":"ISV","code":"IllegalRefreshToken","message":"{why}","request_id":"r"}}"#),
        ),
        Rules::Top => json(400, format!(r#"{{"error":"invalid_grant","error_description":"{why}"}}"#)),
    }
}

impl Gateway {
    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let now = self.clock.millis();
        let mut state = self.state.lock().unwrap();
        let body = std::str::from_utf8(&request.body).unwrap();
        let field = |name: &str| {
            body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        let mut token = field("refresh_token").split('.').skip(1);
        let index: usize = token.next().unwrap().parse().unwrap();
        let serial: u32 = token.next().unwrap().parse().unwrap();
        let rules = state.shops[index].rules;
        let postpones = request.url.contains("/postponeToken/");
        if (OUTAGE.0..OUTAGE.1).contains(&now) {
            state.failed += 1;
            return Err(Error::new(ErrorKind::Network, "connection refused"));
        }
        let dice = self.clock.0.dice.roll();
        if dice.is_multiple_of(FAILS) {
            state.failed += 1;
            return match dice / FAILS % 4 {
                0 => Err(Error::new(ErrorKind::Timeout, "no answer in 20 s").with_ambiguity(true)),
                1 => Ok(json(502, "<html>Bad Gateway</html>".to_owned())),
                2 => Ok(json(200, "<html>the system is busy</html>".to_owned())),
                _ => Ok(json(
                    200,
                    match rules {
                        Rules::Iop => {
                            r#"{"type":"ISP","code":"ServiceUnavailable","message":"busy","request_id":"r"}"#
                        }
                        Rules::Param2 => r#"{"error_code":"500","error_message":"internal error"}"#,
                        Rules::Top => {
                            r#"{"error_response":{"code":15,"msg":"Remote service error","sub_code":"isp.top-remote-service-unavailable"}}"#
                        }
                    }
                    .to_owned(),
                )),
            };
        }
        let shop = &mut state.shops[index];
        // IOP: the former refresh token lives on; what is lost on the way is not lost for good.
        let is_known = serial == shop.refresh || (rules == Rules::Iop && serial + 1 == shop.refresh);
        if !is_known || now >= shop.refresh_end {
            return Ok(refused(rules, "refresh token expired"));
        }
        let was_late =
            shop.is_used && now > shop.access_end && !(OUTAGE.0..OUTAGE.1 + HOUR).contains(&shop.access_end);
        let was = shop.access_end;
        if postpones {
            let access: u32 = field("access_token").rsplit('.').next().unwrap().parse().unwrap();
            if now >= shop.access_end || access != shop.access {
                return Ok(refused(rules, "Request need user authorized"));
            }
            if shop.refresh_end - now > 30 * DAY {
                return Ok(json(400, r#"{"error_code":"400","error_message":"not yet"}"#.to_owned()));
            }
        }
        shop.access += 1;
        shop.access_end = now + rules.access_life();
        let mut reply = String::from("{");
        let access = format!("a.{index}.{}", shop.access);
        let expires = rules.access_life() / SECOND;
        match rules {
            Rules::Param2 => {
                write!(reply, r#""aliId":"{index}","resource_owner":"s{index}","expires_in":"{expires}""#)
                    .unwrap();
                if postpones {
                    shop.refresh += 1;
                    shop.refresh_end = now + rules.refresh_life();
                    let end = Timestamp::from_millisecond(shop.refresh_end).unwrap().strftime("%Y%m%d%H%M%S");
                    write!(
                        reply,
                        r#","refresh_token":"r.{index}.{}","refresh_token_timeout":"{end}000+0000""#,
                        shop.refresh
                    )
                    .unwrap();
                }
            }
            Rules::Iop => {
                shop.refresh += 1;
                let left = (shop.refresh_end - now) / SECOND;
                write!(
                    reply,
                    r#""code":"0","request_id":"r","country":"sg","account":"s{index}","expires_in":{expires},"refresh_expires_in":"{left}","refresh_token":"r.{index}.{}","country_user_info":[{{"country":"sg","seller_id":"{index}","user_id":{index}}}]"#,
                    shop.refresh
                )
                .unwrap();
            }
            Rules::Top => {
                shop.refresh += 1;
                shop.refresh_end = now + rules.refresh_life();
                let left = rules.refresh_life() / SECOND;
                write!(
                    reply,
                    r#""token_type":"Bearer","taobao_user_id":"{index}","taobao_user_nick":"s{index}","expires_in":{expires},"re_expires_in":{left},"refresh_token":"r.{index}.{}""#,
                    shop.refresh
                )
                .unwrap();
            }
        }
        write!(reply, r#","access_token":"{access}"}}"#).unwrap();
        if was_late && state.late.len() < 1_000 {
            state.late.push(Late { shop: index, ended: was, renewed: now });
        }
        state.postponed += u64::from(postpones);
        let minute = usize::try_from((now - START) / MINUTE).unwrap();
        if minute >= state.minutes.len() {
            state.minutes.resize(minute + 1, 0);
        }
        state.minutes[minute] += 1;
        Ok(json(200, reply))
    }
}

impl Transport for Gateway {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        Box::pin(std::future::ready(self.answer(&request)))
    }
}
