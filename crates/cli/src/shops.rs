//! Which shops a command is about, and what it does with all of them at the same time.

use std::collections::{BTreeMap, HashMap};

use sesame_core::Error;
use sesame_shop::{Shop, Shops};
use sesame_vault::Account;

use crate::{
    context::Context,
    exit::{self, CliError, CliResult, note},
};

/// The most shops that a summary names.
const NAMED: usize = 5;

/// The shops that a command is about: accounts by name, or all that a filter finds.
#[derive(Debug, Default, Clone, clap::Args)]
#[group(required = true, multiple = true, args = ["account", "tag", "platform", "all_shops"])]
pub(crate) struct ShopArgs {
    /// The account, as `sesame accounts` names it, or several.
    pub(crate) account: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: ShopFlags,
}

/// Shops that are not named one by one.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ShopFlags {
    #[command(flatten)]
    pub(crate) filter: ShopFilter,
    /// All shops of the vault.
    #[arg(long, conflicts_with_all = ["tag", "platform"])]
    pub(crate) all_shops: bool,
}

/// Filters of shops.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ShopFilter {
    /// Shops with this tag; given more than once, with all of them.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Shops on this platform.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}

impl ShopFilter {
    /// Returns `true` if anything was asked for.
    pub(crate) fn is_any(&self) -> bool {
        !self.tag.is_empty() || self.platform.is_some()
    }

    /// Refuses what no shop can match: an empty list would be no answer.
    ///
    /// # Errors
    /// Usage, for a tag that cannot be one and an unknown platform.
    pub(crate) fn check(&self, context: &Context) -> CliResult {
        if let Some(tag) = self.tag.iter().find(|tag| !tag.starts_with(char::is_alphanumeric)) {
            return Err(Error::usage(format!("no tag begins as {tag:?} does"))
                .with_hint("Here the tag stands alone: sesame accounts --tag eu. The signs of +eu and -eu belong to `sesame accounts tag ACCOUNT +eu`.")
                .into());
        }
        if let Some(platform) = &self.platform {
            context.catalog()?.platform(platform)?;
        }
        Ok(())
    }

    /// Returns `true` for a shop that is meant.
    pub(crate) fn wants(&self, account: &Account) -> bool {
        self.tag.iter().all(|tag| account.tags.contains(tag))
            && self.platform.as_ref().is_none_or(|platform| *platform == account.platform)
    }

    fn words(&self) -> String {
        let tags = self.tag.iter().map(|tag| format!(" with the tag {tag}"));
        let platform = self.platform.iter().map(|platform| format!(" on {platform}"));
        tags.chain(platform).collect()
    }
}

impl ShopFlags {
    /// Returns `true` if they choose shops, so that none is named.
    pub(crate) fn is_any(&self) -> bool {
        self.all_shops || self.filter.is_any()
    }
}

impl ShopArgs {
    /// Parts the words of a command into its shops and the rest: the first word names the shops, with commas
    /// between them, unless they are chosen by an option.
    ///
    /// # Errors
    /// Usage, if no shop is said.
    pub(crate) fn and_words<'a>(words: &'a [String], flags: &ShopFlags) -> CliResult<(Self, &'a [String])> {
        if flags.is_any() {
            return Ok((Self { account: Vec::new(), flags: flags.clone() }, words));
        }
        let Some((shops, rest)) = words.split_first() else {
            return Err(Error::usage("no shop was named")
                .with_hint("Name an account, or use --tag, --platform or --all-shops.")
                .into());
        };
        let account = shops.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok((Self { account, flags: flags.clone() }, rest))
    }

    /// Finds the shops, by name or by filter, each once.
    ///
    /// A filter finds shops of the environment in use only: those of a sandbox with `--endpoint`, else those
    /// of real platforms.
    ///
    /// # Errors
    /// Usage, for names and filters that no shop has: nothing is done then.
    pub(crate) async fn choose(&self, context: &Context) -> CliResult<ChosenShops> {
        let vault = context.vault().await?;
        if !self.flags.is_any() {
            let mut accounts: Vec<Account> = Vec::new();
            for name in &self.account {
                let account = vault.account(name).await?;
                if accounts.iter().all(|known| known.id != account.id) {
                    accounts.push(account);
                }
            }
            return Ok(ChosenShops { accounts, are_many: self.account.len() > 1, are_named: true });
        }
        if let Some(name) = self.account.first() {
            return Err(Error::usage(format!(
                "{name:?} names a shop, and --tag, --platform or --all-shops choose others"
            ))
            .with_hint("Name shops, or choose them by an option.")
            .into());
        }
        let filter = &self.flags.filter;
        filter.check(context)?;
        let is_sandbox = context.environment()?.sandbox_url().is_some();
        let mut elsewhere = 0_u64;
        let listed = vault
            .accounts_where(|account| {
                let is_here = account.sandbox == is_sandbox;
                elsewhere += u64::from(filter.wants(account) && !is_here);
                filter.wants(account) && is_here
            })
            .await?;
        if let Some(notice) = listed.warning() {
            note("warning", &notice.to_string());
        }
        let (here, there) =
            if is_sandbox { ("a sandbox", "real platforms") } else { ("real platforms", "a sandbox") };
        if listed.accounts.is_empty() {
            let among = match elsewhere {
                0 => String::new(),
                _ => format!(" among those of {here}; {elsewhere} of {there} are left out"),
            };
            return Err(Error::usage(format!("there is no shop{}{among}", filter.words()))
                .with_hint("`sesame accounts` lists the shops and their tags; SESAME_ENDPOINT and --endpoint choose a sandbox.")
                .into());
        }
        if elsewhere > 0 {
            note("note", &format!("shops of {there} are left out: {elsewhere}"));
        }
        Ok(ChosenShops { accounts: listed.accounts, are_many: true, are_named: false })
    }
}

/// The shops that were asked for, at least one.
#[derive(Debug)]
pub(crate) struct ChosenShops {
    accounts: Vec<Account>,
    are_many: bool,
    are_named: bool,
}

impl ChosenShops {
    /// Returns the accounts.
    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Returns `true` if more than one was asked for, even if only one was found: rows say then which shop
    /// they are of.
    pub(crate) fn are_many(&self) -> bool {
        self.are_many
    }

    /// Leaves out the shops on platforms that do not have what is wanted of them, and says so, if a filter
    /// found them.
    ///
    /// # Errors
    /// What `check` says about a platform, for a shop that was named, and if no shop is left.
    pub(crate) fn that_have(mut self, check: impl Fn(&str) -> Result<(), Error>) -> CliResult<Self> {
        let mut without: BTreeMap<String, Error> = BTreeMap::new();
        self.accounts.retain(|account| match check(&account.platform) {
            Ok(()) => true,
            Err(error) => {
                without.entry(account.platform.clone()).or_insert(error);
                false
            }
        });
        if self.are_named || self.accounts.is_empty() {
            return without.into_values().next().map_or(Ok(self), |error| Err(error.into()));
        }
        for error in without.values() {
            note("note", &format!("shops are left out: {}", error.message()));
        }
        Ok(self)
    }

    /// Prints a line about a shop.
    pub(crate) fn note(&self, kind: &str, shop: &str, text: &str) {
        if self.are_many { note(kind, &format!("{shop}: {text}")) } else { note(kind, text) }
    }

    /// Prints the warnings of a call.
    pub(crate) fn warn_all(&self, shop: &str, warnings: &[String]) {
        for warning in warnings {
            self.note("warning", shop, warning);
        }
    }

    /// Does a piece of work for each shop, for up to [`sesame_shop::AT_ONCE`] at the same time.
    ///
    /// A shop that fails is a line on standard error, and the others go on.
    ///
    /// # Errors
    /// [`CliError::Status`] if some failed, with the code that counts most ([`exit::weightiest`]). The error
    /// itself if only one shop was asked for. What concerns all shops ends them all: standard output that
    /// cannot be written.
    pub(crate) async fn each<'a, F: Future<Output = CliResult>>(
        &'a self,
        context: &Context,
        mut work: impl FnMut(&'a Account) -> F,
    ) -> CliResult {
        if let ([account], false) = (self.accounts.as_slice(), self.are_many) {
            return work(account).await;
        }
        let accounts: HashMap<&str, &Account> =
            self.accounts.iter().map(|account| (account.name.as_str(), account)).collect();
        let shops = Shops::new(context.client().await?, self.accounts.iter().map(|account| &account.name));
        let mut results = shops.each(|shop| work(accounts[shop.account()]));
        let (mut failed, mut codes) = (Vec::new(), Vec::new());
        while let Some((shop, result)) = results.next().await {
            let Err(stop) = result else { continue };
            codes.push(stop.code());
            match stop {
                CliError::Failed(error) | CliError::Incomplete(error, _) => {
                    exit::report_of_shop(shop.account(), &error);
                }
                CliError::Status(_) => {}
                CliError::Output(_) | CliError::ReaderGone => return Err(stop),
            }
            failed.push(shop);
        }
        let Some(code) = exit::weightiest(codes) else { return Ok(()) };
        // Programs were told of each.
        if self.accounts.len() > 1 && !exit::speaks_json() {
            let more = if failed.len() > NAMED { ", ..." } else { "" };
            let names: Vec<&str> = failed.iter().take(NAMED).map(Shop::account).collect();
            let (failed, all) = (failed.len(), self.accounts.len());
            note("warning", &format!("{failed} of {all} shops failed: {}{more}", names.join(", ")));
        }
        Err(CliError::Status(code))
    }
}
