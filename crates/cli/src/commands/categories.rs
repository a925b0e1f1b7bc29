//! `sesame categories get|map`.

use serde_json::{Map, Value as Json, json};
use sesame_client::Client;
use sesame_core::{Error, ErrorKind, scalar};

use crate::{
    commands::call::{Progress, warn_all},
    context::Context,
    exit::{CliResult, note},
    listings::{self, CATEGORIES, Children, at, cells, rows_at},
    output::{Format, Rows},
    runtime,
};

/// The most children whose names are fetched one by one.
const MOST_CHILDREN: usize = 100;

/// The commands of `categories`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the categories below one, or the top ones.
    #[command(after_help = "\
Examples:
  sesame categories get myshop
  sesame categories get myshop 44 --output json
  sesame categories get myshop 44 --ids

On Alibaba.com each name is one call; --ids makes one call in all and prints ids only.
JSON: [{\"id\",\"name\",\"local_name\",\"level\",\"leaf\",\"parent\"}], all as text.")]
    Get(GetArgs),
    /// Maps a category, attribute or value of the old Alibaba.com tree to the new one.
    #[command(after_help = "\
Examples:
  sesame categories map myshop --category 5093303
  sesame categories map myshop --category 5093303 --attribute 10 --value 101

JSON: {\"convert_type\",\"category\",\"attribute\",\"value\",\"result\"}")]
    Map(MapArgs),
}

/// Options of `categories get`.
#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// The account.
    account: String,
    /// The category whose children are shown; 0 is the top.
    #[arg(default_value = "0")]
    id: String,
    /// Prints ids only where names cost a call each.
    #[arg(long)]
    ids: bool,
}

/// Options of `categories map`.
#[derive(Debug, clap::Args)]
pub(crate) struct MapArgs {
    /// The account.
    account: String,
    /// The category.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64))]
    category: u64,
    /// An attribute of it.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64))]
    attribute: Option<u64>,
    /// A value of the attribute.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64), requires = "attribute")]
    value: Option<u64>,
}

/// Runs one of them.
pub(crate) fn run(command: Command, context: &Context) -> CliResult {
    runtime::block_on(context, async {
        match command {
            Command::Get(args) => get(&args, context).await,
            Command::Map(args) => map(&args, context).await,
        }
    })
}

async fn get(args: &GetArgs, context: &Context) -> CliResult {
    let client = context.client().await?;
    let handle = context.vault().await?.handle(&args.account).await?;
    let platform = handle.platform().name.clone();
    let entry = listings::of(CATEGORIES, |entry| entry.platform, &platform, "categories")?;
    let asking = Asking { client, context, account: &args.account, entry };

    let reply = asking.fetch(&args.id).await?;
    let found = if entry.platform == "alibaba" {
        asking.by_ids(&reply, args.ids).await?
    } else if entry.id.is_empty() {
        below(&reply, entry, &args.id)?
    } else {
        rows_at(&reply, entry.items)
    };
    let mut rows = Rows::new(&["id>", "name", "local name", "level>", "leaf"]);
    let mut records = Vec::with_capacity(found.len());
    for category in &found {
        let row = cells(category, entry.columns);
        let mut record: Map<String, Json> =
            row.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        record.insert("parent".to_owned(), json!(args.id));
        records.push(Json::Object(record));
        rows.push(row.into_iter().map(|(_, text)| text));
    }
    let mut printer = context.printer(Format::Table);
    if printer.for_people() && rows.is_empty() {
        note("note", &format!("category {} has no categories below it", args.id));
        return Ok(());
    }
    printer.list(&records, &rows)
}

struct Asking<'a> {
    client: &'a Client,
    context: &'a Context,
    account: &'a str,
    entry: &'static Children,
}

impl Asking<'_> {
    async fn fetch(&self, id: &str) -> CliResult<Json> {
        let mut arguments = listings::arguments(self.entry.arguments);
        if !self.entry.id.is_empty() {
            arguments.insert(self.entry.id.to_owned(), json!(id));
        }
        fetch(self.client, self.context, self.account, self.entry.api, arguments).await
    }

    /// Alibaba.com answers one category with the ids of its children: each name is one more call.
    async fn by_ids(&self, reply: &Json, ids_only: bool) -> CliResult<Vec<Json>> {
        let node = at(reply, self.entry.items).unwrap_or(&Json::Null);
        let level = node.get("level").and_then(scalar::integer);
        let ids: Vec<String> = node
            .get("child_ids")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(scalar::text)
            .collect();
        let bare = |id: &String| json!({"category_id": id, "level": level.map(|level| level + 1)});
        if ids_only {
            return Ok(ids.iter().map(bare).collect());
        }
        if ids.len() > MOST_CHILDREN {
            note(
                "note",
                &format!("{} categories: the names of the first {MOST_CHILDREN} are fetched", ids.len()),
            );
        }
        let progress = Progress::new();
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            if found.len() >= MOST_CHILDREN {
                found.push(bare(id));
                continue;
            }
            let child = self.fetch(id).await?;
            found.push(at(&child, self.entry.items).cloned().unwrap_or_else(|| bare(id)));
            progress.show(found.len() as u64, Some(ids.len() as u64));
        }
        progress.done();
        Ok(found)
    }
}

/// Finds the children of a category in a tree that came whole.
fn below(reply: &Json, entry: &Children, id: &str) -> CliResult<Vec<Json>> {
    fn find<'a>(nodes: &'a [Json], id: &str, depth: usize) -> Option<&'a Json> {
        nodes.iter().find_map(|node| {
            if node.get("category_id").and_then(scalar::text).as_deref() == Some(id) {
                return Some(node);
            }
            let children = node.get("children").and_then(Json::as_array)?;
            if depth > 32 { None } else { find(children, id, depth + 1) }
        })
    }
    let top = rows_at(reply, entry.items);
    if id == "0" {
        return Ok(top);
    }
    match find(&top, id, 0) {
        Some(node) => Ok(node.get("children").and_then(Json::as_array).cloned().unwrap_or_default()),
        None => Err(Error::usage(format!("the tree has no category {id}"))
            .with_hint("Walk down from the top: `sesame categories get ACCOUNT`.")
            .into()),
    }
}

async fn map(args: &MapArgs, context: &Context) -> CliResult {
    let client = context.client().await?;
    let handle = context.vault().await?.handle(&args.account).await?;
    let platform = handle.platform().name.clone();
    if platform != "alibaba" {
        return Err(Error::usage(format!(
            "category ids are mapped on alibaba only; {} is on {platform}",
            args.account
        ))
        .into());
    }
    // 1 category, 2 attribute, 3 attribute value: how much of the path is given.
    let convert_type = 1 + u8::from(args.attribute.is_some()) + u8::from(args.value.is_some());
    let mut arguments = Map::new();
    arguments.insert("convert_type".to_owned(), json!(convert_type));
    arguments.insert("cat_id".to_owned(), json!(args.category));
    if let Some(attribute) = args.attribute {
        arguments.insert("attribute_id".to_owned(), json!(attribute));
    }
    if let Some(value) = args.value {
        arguments.insert("attribute_value_id".to_owned(), json!(value));
    }
    let reply = fetch(client, context, &args.account, "/alibaba/icbu/category/id/mapping", arguments).await?;
    let result = mapped(&reply)?;
    let record = json!({
        "convert_type": convert_type,
        "category": args.category,
        "attribute": args.attribute,
        "value": args.value,
        "result": result,
    });
    context.printer(Format::Table).one(&record, |printer| match scalar::text(&result) {
        Some(text) => printer.line(text),
        None => printer.line(&result),
    })
}

/// Takes the new id out of the reply, or the platform's reason for having none.
fn mapped(reply: &Json) -> CliResult<Json> {
    if let Some(result) = at(reply, "result.mapping_result").filter(|result| !result.is_null()) {
        return Ok(result.clone());
    }
    let told = |name: &str| at(reply, name).and_then(scalar::text).filter(|text| !text.is_empty());
    let code = told("result.response_code").map(|code| format!(" ({code})")).unwrap_or_default();
    let reason = told("result.response_msg").unwrap_or_else(|| "the platform gives no reason".to_owned());
    Err(Error::new(ErrorKind::Business, format!("nothing was mapped: {reason}{code}"))
        .with_hint("Only ids of the old category tree can be mapped; see `sesame categories get ACCOUNT ID`.")
        .into())
}

/// Makes one call and parses its payload.
pub(crate) async fn fetch(
    client: &Client,
    context: &Context,
    account: &str,
    api: &str,
    arguments: Map<String, Json>,
) -> CliResult<Json> {
    let mut call = context.call(account, api);
    call.args = arguments;
    let outcome = client.call(&call).await?;
    warn_all(&outcome.warnings);
    Ok(outcome.reply.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_failed_says_what_the_platform_says() {
        let good = json!({"result": {"success": true, "mapping_result": "21110712"}});
        assert_eq!(mapped(&good).unwrap(), "21110712");
        let bad = json!({"result": {"success": false, "response_code": "1003", "response_msg": "no such category"}});
        let Err(crate::exit::CliError::Failed(error)) = mapped(&bad) else { panic!("a failure") };
        assert_eq!(error.message(), "nothing was mapped: no such category (1003)");
        assert!(mapped(&json!({})).is_err());
    }

    #[test]
    fn children_are_found_at_any_depth_of_a_whole_tree() {
        let entry = listings::of(CATEGORIES, |entry| entry.platform, "lazada", "categories").unwrap();
        let reply = json!({"data": [{"category_id": 1, "children": [{"category_id": 2, "children": [{"category_id": 3, "leaf": true}]}]}]});
        assert_eq!(below(&reply, entry, "0").unwrap().len(), 1);
        assert_eq!(below(&reply, entry, "2").unwrap()[0]["category_id"], 3);
        assert!(below(&reply, entry, "3").unwrap().is_empty());
        assert!(below(&reply, entry, "9").is_err());
    }
}
