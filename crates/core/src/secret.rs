//! Types for secrets. Their `Debug` and `Display` show a mask; reading one takes a deliberate call.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mask::mask;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// `Debug` and `Display` print a mask; the memory is wiped on drop; comparing takes the
        /// same time whatever differs.
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Wraps the secret.
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }

            /// Returns the secret itself. Each caller of this is a place to look at in a review.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), mask(self.expose()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&mask(self.expose()))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

secret! {
    /// The secret of an app: the key of every signature.
    AppSecret
}
secret! {
    /// A token that lets an app act for a shop for some hours or days.
    AccessToken
}
secret! {
    /// A token that fetches new access tokens for some days or months.
    RefreshToken
}
secret! {
    /// The code that a seller's approval yields; good once, for 2 or 30 minutes.
    AuthCode
}
