//! Values that every other module uses: ids, names, tokens, identities of shops, warnings.

mod advice;
mod id;
pub(crate) mod identity;
mod in_flight;
pub(crate) mod name;
pub(crate) mod tags;
mod token;
mod warning;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use advice::{needs_reauthorization, reauthorize};
pub use id::{AccountId, Id};
pub(crate) use in_flight::{InFlight, InFlightGuard};
pub use token::Token;
pub use warning::Warning;
pub(crate) use warning::{Warnings, warn_once};

/// Writes the setters of an options type: `field: type of the argument = what the field becomes`.
macro_rules! setters {
    ($options:ty { $($(#[$about:meta])* $field:ident: $argument:ty = $value:expr,)+ }) => {
        impl $options {
            $($(#[$about])*
            #[must_use]
            pub fn $field(mut self, $field: $argument) -> Self {
                self.$field = $value;
                self
            })+
        }
    };
}
pub(crate) use setters;

/// Locks a mutex whose value is whole at any time: each holder does one insertion or one look-up.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts a duration to milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
