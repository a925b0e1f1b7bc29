//! The platforms' time APIs, which need no shop.

use sesame_core::time::{compact, top_timestamp};

use super::{Answer, WorldCall};

/// Answers a time API; `None` for all others.
pub(super) fn answer(call: &WorldCall<'_>) -> Option<Answer> {
    Some(Answer::Payload(match (call.platform, call.api) {
        ("1688" | "aliexpress-legacy", "system:currentTime") => format!("\"{}\"", compact(call.now, 8)),
        ("1688" | "aliexpress-legacy", "system:currentTimeMillis") => call.now.as_millisecond().to_string(),
        ("taobao" | "alibaba" | "aliexpress", "taobao.time.get") => {
            format!("{{\"time\":\"{}\"}}", top_timestamp(call.now))
        }
        _ => return None,
    }))
}
