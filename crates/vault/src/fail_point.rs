//! Points at which a test can stop this process, so that it is killed at the very instant it is after.
//!
//! Written here and not taken from the crate `fail`: that one brings a third version each of rand,
//! rand_chacha and rand_core, for random actions that nothing here uses. Without the feature
//! `failpoints`, a point is nothing at all.

/// `fail_point!("name")` is reached when it is passed; `fail_point!("name", future)` awaits the future
/// and is reached whenever that has to wait.
macro_rules! fail_point {
    ($name:literal) => {{
        #[cfg(feature = "failpoints")]
        $crate::fail_point::reach($name);
    }};
    ($name:literal, $future:expr) => {{
        #[cfg(feature = "failpoints")]
        let outcome = $crate::fail_point::waiting($name, $future).await;
        #[cfg(not(feature = "failpoints"))]
        let outcome = $future.await;
        outcome
    }};
}
pub(crate) use fail_point;

#[cfg(feature = "failpoints")]
mod hook {
    use std::{future::poll_fn, pin::pin, sync::OnceLock};

    type FailPointHook = Box<dyn Fn(&'static str) + Send + Sync>;

    static HOOK: OnceLock<FailPointHook> = OnceLock::new();

    /// Has a function called with the name of every point that is reached, in the thread that reaches
    /// it. The first function given stays; only tests have one.
    pub fn on_fail_point(hook: impl Fn(&'static str) + Send + Sync + 'static) {
        let _ = HOOK.set(Box::new(hook));
    }

    pub(crate) fn reach(name: &'static str) {
        if let Some(hook) = HOOK.get() {
            hook(name);
        }
    }

    pub(crate) async fn waiting<F: Future>(name: &'static str, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let outcome = future.as_mut().poll(context);
            if outcome.is_pending() {
                reach(name);
            }
            outcome
        })
        .await
    }
}

#[cfg(feature = "failpoints")]
pub use hook::on_fail_point;
#[cfg(feature = "failpoints")]
pub(crate) use hook::{reach, waiting};
