//! What a call needs of a token.

use std::{ops::Deref, sync::Arc};

use sesame_core::AccessToken;

/// A valid access token and the generation it belongs to. Cheap to clone; `Debug` masks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Arc<TokenParts>);

/// The parts of a [`Token`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenParts {
    /// The access token.
    pub access: AccessToken,
    /// How many times this authorization's tokens were replaced; what [`Vault::report_rejected`](crate::Vault::report_rejected) takes.
    pub generation: i64,
}

impl Token {
    pub(crate) fn new(access: AccessToken, generation: i64) -> Self {
        Self(Arc::new(TokenParts { access, generation }))
    }
}

impl Deref for Token {
    type Target = TokenParts;

    fn deref(&self) -> &TokenParts {
        &self.0
    }
}
