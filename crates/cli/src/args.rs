//! What may stand on the command line.

use clap::{Parser, Subcommand};

use crate::{commands, global::Global};

/// One command for Alibaba.com, AliExpress, 1688, Lazada, Daraz, Miravia, Taobao and Tmall.
///
/// Sesame signs and sends calls on the three protocols of these platforms, keeps the tokens of
/// your shops, and brings an offline sandbox to try everything without keys.
#[derive(Debug, Parser)]
#[command(
    name = "sesame",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = concat!(
        "Examples:\n",
        "  sesame demo                                  the main job on the built-in sandbox\n",
        "  sesame app add lazada --key 500123 --secret-stdin --name shop\n",
        "  sesame login shop                            authorize a shop in the browser\n",
        "  sesame products list ACCOUNT --all --output csv\n",
        "  sesame call ACCOUNT /products/get filter=all limit=20\n",
        "\n",
        "Results go to standard output, everything else to standard error. With --output json, ",
        "errors are one line of JSON on standard error:\n",
        "  {\"error\":{\"kind\",\"fault\",\"message\",\"hint\",\"code\",\"sub_code\",\"request_id\",\n",
        "            \"http_status\",\"retry_after\",\"may_have_happened\",\"refusal_id\"}}\n",
        "\n",
        "Exit codes: 0 success, 2 usage, 3 authorization needed, 4 refused by the platform, ",
        "5 network, 6 quota, 1 anything else, 130 interrupted. A command about several shops goes on when one ",
        "fails, and exits with the first of 3, 4, 2, 1, 6, 5 that a shop failed with.\n",
        "\n",
        "Environment: SESAME_HOME, SESAME_VAULT, SESAME_ENDPOINT, SESAME_OUTPUT, SESAME_TIMEOUT, ",
        "SESAME_LOG, SESAME_KEY (auto, keyring, file), SESAME_PASSPHRASE, SESAME_MASTER_KEY, NO_COLOR; ",
        "for `vault rekey` SESAME_NEW_PASSPHRASE, SESAME_NEW_MASTER_KEY; for `vault copy` ",
        "SESAME_NEW_PASSPHRASE; for `keeper --webhook` SESAME_WEBHOOK_SECRET.\n",
        "Options override the environment, which overrides SESAME_HOME/config.toml; ",
        "`sesame doctor` shows where each value came from.",
    )
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Start with `sesame demo`. `sesame COMMAND --help` has examples of every command.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the main job on the built-in sandbox; nothing to set up.
    Demo(commands::demo::DemoArgs),
    /// Runs the offline gateways: all three protocols on one port.
    Sandbox(commands::sandbox::SandboxArgs),
    /// Manages your apps: their keys, secrets and regions.
    #[command(subcommand)]
    App(commands::app::AppCommand),
    /// Authorizes a shop.
    Login(commands::login::LoginArgs),
    /// Lists the shops and the health of their tokens; names and tags them.
    #[command(visible_alias = "account")]
    Accounts(commands::accounts::AccountsArgs),
    /// Removes a shop from the vault.
    Logout(commands::logout::LogoutArgs),
    /// Prints a valid access token.
    Token(commands::token::TokenArgs),
    /// Fetches a new access token now.
    Refresh(commands::refresh::RefreshArgs),
    /// Keeps the tokens of all shops fresh, and warns before a shop must be authorized again.
    Keeper(commands::keeper::KeeperArgs),
    /// Calls any API by name.
    Call(commands::call::CallArgs),
    /// Searches and shows the catalog of APIs.
    #[command(subcommand)]
    Apis(commands::apis::ApisCommand),
    /// Imports, updates and exports the catalog of APIs.
    #[command(subcommand)]
    Catalog(commands::catalog::CatalogCommand),
    /// Writes types for the arguments and replies of APIs: Rust, TypeScript, Python.
    Codegen(commands::codegen::CodegenArgs),
    /// Signs parameters, and explains the signature.
    Sign(commands::sign::SignArgs),
    /// Explains an error code or message: what it means and what to do.
    Explain(commands::explain::ExplainArgs),
    /// Lists and shows orders, their lines and their packages.
    #[command(subcommand)]
    Orders(commands::orders::OrdersCommand),
    /// Lists and shows the products of a shop.
    #[command(subcommand)]
    Products(commands::products::ProductsCommand),
    /// Sets the stock of SKUs, or adds to it.
    #[command(subcommand)]
    Stock(commands::stock::StockCommand),
    /// Sets the prices of SKUs.
    #[command(subcommand)]
    Price(commands::stock::PriceCommand),
    /// Shows categories, and maps their ids.
    #[command(subcommand)]
    Categories(commands::categories::CategoriesCommand),
    /// Fetches the schema of a category.
    #[command(subcommand)]
    Schema(commands::schema::SchemaCommand),
    /// Lists the templates of a shop.
    #[command(subcommand)]
    Templates(commands::templates::TemplatesCommand),
    /// Asks what it costs a dropshipper to send a product.
    Freight(commands::freight::FreightArgs),
    /// Manages the vault: check, rekey, copy, import, audit.
    #[command(subcommand)]
    Vault(commands::vault::VaultCommand),
    /// Checks this machine, the settings and the route to the platforms.
    Doctor(commands::doctor::DoctorArgs),
    /// Prints completions for a shell.
    Completions(commands::completions::CompletionsArgs),
    /// Prints the reference of all commands, for docs/cli.md.
    #[command(hide = true)]
    GenerateDocs {
        /// Writes man pages into a folder instead.
        #[arg(long, value_name = "DIRECTORY")]
        man: Option<std::path::PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    /// Walks the tree; a command of the design without an example is unfinished.
    #[test]
    fn every_command_has_examples() {
        fn walk(command: &clap::Command) {
            let leaf = command.get_subcommands().next().is_none();
            if leaf && !command.is_hide_set() && command.get_name() != "help" {
                let help = command.get_after_long_help().or(command.get_after_help());
                let help = help.map(ToString::to_string).unwrap_or_default();
                assert!(
                    help.contains("Examples:") && help.contains("sesame "),
                    "`{}` has no examples",
                    command.get_name()
                );
                // A folded example is pasted without its end.
                for line in help.lines().take_while(|line| !line.is_empty()) {
                    assert!(line.chars().count() <= 80, "`{}`: {line}", command.get_name());
                }
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
