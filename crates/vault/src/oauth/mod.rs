//! The OAuth of the three families: authorize URL, callback, token calls, token replies.

pub(crate) mod authorize;
pub(crate) mod callback;
pub(crate) mod calls;
pub(crate) mod exchange;
pub(crate) mod reply;
#[cfg(test)]
mod vectors;
