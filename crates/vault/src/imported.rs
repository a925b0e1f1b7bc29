//! What came into a vault with an import of many shops.

use serde::Serialize;

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// The names of the apps that were added.
    pub apps: Vec<String>,
    /// The names of the accounts that were added.
    pub accounts: Vec<String>,
    /// The names of accounts that an earlier import had brought without tokens, and that have some now.
    pub completed: Vec<String>,
    /// Shops that the vault had already, and that were left as they are: the name in the file, and
    /// that in the vault.
    pub left_alone: Vec<(String, String)>,
    /// Names that were taken: the name in the file, and the one it got.
    pub renamed: Vec<(String, String)>,
    /// Accounts that were added and that a person has to authorize again, and why.
    pub needs_authorization: Vec<(String, String)>,
    /// Rows that were left out: where they stand, and why.
    pub skipped: Vec<(String, String)>,
    /// The sandbox whose shops the new accounts are, if it is one.
    pub sandbox: Option<String>,
    /// Which columns of the tables were taken for what: the field, and the columns.
    pub columns: Vec<(String, Vec<String>)>,
    /// What else people should know.
    pub notes: Vec<String>,
}

impl Imported {
    pub(crate) fn left_alone(&mut self, name: &str, stands: &str) {
        self.left_alone.push((name.to_owned(), stands.to_owned()));
    }
}
