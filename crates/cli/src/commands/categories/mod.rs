//! `sesame categories`.

mod tree;

use serde_json::{Map, Value as Json, json, value::RawValue};
use sesame_core::{Error, ErrorKind, path};
use sesame_shop::{Fields, Shop};

use crate::{
    context::Context,
    exit::{CliError, CliResult, note},
    facets::{self, FacetRows},
    list::List,
    output::Format,
    runtime,
};

/// The most children whose names are fetched one by one.
const MOST_CHILDREN: usize = 100;
/// Children that are fetched one by one are printed in groups: the first decides how wide columns are.
const GROUP: usize = 20;

/// The commands of `categories`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CategoriesCommand {
    /// Shows the categories below one, or the top ones.
    #[command(after_help = "\
Examples:
  sesame categories get myshop
  sesame categories get alibaba-shop 21110712 --output json
  sesame categories get alibaba-shop 0 --ids

On Alibaba.com and 1688 each name is one call; --ids makes one call in all and prints ids only.
JSON: [{\"id\",\"name\",\"local_name\",\"level\",\"leaf\",\"parent\"}], all as text.")]
    Get(GetArgs),
    /// Shows the tree of categories.
    #[command(after_help = "\
Examples:
  sesame categories tree myshop
  sesame categories tree alibaba-shop 21110712 --depth 3
  sesame categories tree myshop --depth 32 --output csv > categories.csv

What was fetched once is kept below SESAME_HOME/cache, for all shops of the platform, and needs no network \
afterwards. On Alibaba.com and 1688 each category is one call: deep trees take a while, and go on where they \
were cut off.
JSON: [{\"id\",\"name\",\"local_name\",\"level\",\"leaf\",\"parent\"}], all as text.")]
    Tree(tree::TreeArgs),
    /// Finds categories by words of their names.
    #[command(after_help = "\
Examples:
  sesame categories find myshop usb cable
  sesame categories find taobao-shop 陶瓷 --output json

At least one of the words is in the name of the category, the others may be in those above it. The whole tree \
is read once, and kept as with categories tree.
JSON: [{\"id\",\"name\",\"local_name\",\"level\",\"leaf\",\"parent\",\"path\"}], all as text.")]
    Find(tree::FindArgs),
    /// Shows the attributes that products of a category have.
    #[command(after_help = "\
Examples:
  sesame categories attributes myshop 21110520
  sesame categories attributes alibaba-shop 21110712 --output json

Kept as with categories tree.
JSON: [{\"id\",\"name\",\"required\",\"values\":[{\"id\",\"name\"}],\"raw\":{..}}]; required in the platform's word.")]
    Attributes(tree::AttributesArgs),
    /// Maps a category, attribute or value of the old Alibaba.com tree to the new one.
    #[command(after_help = "\
Examples:
  sesame categories map alibaba-shop --category 21110712
  sesame categories map alibaba-shop --category 21110712 --attribute 10 \\
      --value 101

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
pub(crate) fn run(command: CategoriesCommand, context: &Context) -> CliResult {
    match command {
        CategoriesCommand::Get(args) => runtime::block_on(context, get(&args, context)),
        CategoriesCommand::Tree(args) => runtime::block_on(context, tree::tree(&args, context)),
        CategoriesCommand::Find(args) => runtime::block_on(context, tree::find(&args, context)),
        CategoriesCommand::Attributes(args) => runtime::block_on(context, tree::attributes(&args, context)),
        CategoriesCommand::Map(args) => runtime::block_on(context, map(&args, context)),
    }
}

async fn get(args: &GetArgs, context: &Context) -> CliResult {
    let names = if args.ids { 0 } else { MOST_CHILDREN };
    let mut categories = Categories::open(&args.account, &args.id, context).await?;
    let printer = context.printer(Format::Table);
    let people = printer.for_people();
    let fields = categories.fields.clone();
    let columns = &fields.facet.columns;
    let mut view = FacetRows { fields: &fields, columns, parent: Some(&args.id), shop: None };
    let titles = facets::titles(columns, printer.format());
    let mut list = List::new(printer, titles);
    let count = categories.rows.len();
    if people && count == 0 {
        note("note", &format!("category {} has no categories below it", args.id));
        return Ok(());
    }
    if names > 0 && categories.are_ids && count > names {
        note("note", &format!("{count} categories: the names of the first {names} are fetched"));
    }
    let mut nth = 0;
    loop {
        match categories.next(GROUP, names.saturating_sub(nth)).await {
            Ok(rows) if rows.is_empty() => return list.end(),
            Ok(rows) => list.page(&rows, Some(count as u64), &mut view)?,
            Err(CliError::Failed(error)) => return list.fail(error),
            Err(error) => return Err(error),
        }
        nth += GROUP;
    }
}

/// The categories below one.
pub(crate) struct Categories<'a> {
    context: &'a Context,
    shop: Shop,
    /// How they are read.
    pub(crate) fields: Fields,
    /// Those that are still to come: rows, or their ids alone.
    rows: std::vec::IntoIter<Box<RawValue>>,
    are_ids: bool,
    level: Option<u64>,
}

impl<'a> Categories<'a> {
    /// Fetches the category, and with it its children or their ids.
    ///
    /// # Errors
    /// Usage, for a platform without categories, and for a category that its tree does not have.
    pub(crate) async fn open(account: &str, id: &str, context: &'a Context) -> CliResult<Self> {
        let shop = context.shop(account).await?;
        let fields = Fields::open(&shop, "categories").await?;
        let mut found =
            Self { context, shop, fields, rows: Vec::new().into_iter(), are_ids: false, level: None };
        let (facet, items) = (&found.fields.facet, found.fields.facet.items.as_deref().unwrap_or_default());
        let reply = found.fetch(json!(id)).await?;
        let payload = facets::payload(&reply)?;
        let top = path::rows(payload, items).unwrap_or_default();
        let rows = if let Some(child_ids) = &facet.child_ids {
            found.are_ids = true;
            let node = top.first().copied();
            found.level = node.and_then(|node| found.fields.get(node, "level").parse().ok());
            node.and_then(|node| path::rows(node, child_ids)).unwrap_or_default()
        } else if let Some(children) = &facet.children {
            below(top, &found.fields, children, id)?
        } else {
            top
        };
        found.rows = rows.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>().into_iter();
        Ok(found)
    }

    /// Returns how many are still to come.
    pub(crate) fn left(&self) -> usize {
        self.rows.len()
    }

    /// Returns the next ones. Of those that are known by their ids the first `names` are fetched.
    ///
    /// # Errors
    /// As the calls.
    pub(crate) async fn next(&mut self, count: usize, names: usize) -> CliResult<Vec<Box<RawValue>>> {
        let mut out = Vec::new();
        while out.len() < count
            && let Some(row) = self.rows.next()
        {
            if !self.are_ids {
                out.push(row);
            } else if out.len() >= names {
                out.push(self.bare(&row)?);
            } else {
                let reply = self.fetch(serde_json::from_str(row.get()).unwrap_or_default()).await?;
                let items = self.fields.facet.items.as_deref().unwrap_or_default();
                let found = path::rows(facets::payload(&reply)?, items).unwrap_or_default();
                out.push(match found.first() {
                    Some(found) => (*found).to_owned(),
                    None => self.bare(&row)?,
                });
            }
        }
        Ok(out)
    }

    async fn fetch(&self, id: Json) -> CliResult<sesame_core::envelope::Reply> {
        let call = self.fields.call(&self.shop, [("id", id)])?;
        facets::fetch(self.context.client().await?, &call).await
    }

    /// Makes a row of an id: what is known without a call.
    fn bare(&self, id: &RawValue) -> CliResult<Box<RawValue>> {
        let id: Json = serde_json::from_str(id.get()).unwrap_or_default();
        let level = self.level.map_or(Json::Null, |level| json!(level + 1));
        let mut row = Map::new();
        for (name, value) in [("id", id), ("level", level)] {
            let column = self.fields.facet.columns.iter().find(|column| column.name == name);
            if let Some(place) = column.and_then(|column| column.paths.first()) {
                path::set(&mut row, place, value)?;
            }
        }
        let text = Json::Object(row).to_string();
        RawValue::from_string(text).map_err(|error| Error::local(format!("a row of an id: {error}")).into())
    }
}

/// Finds the children of a category in a tree that came whole.
fn below<'a>(
    top: Vec<&'a RawValue>,
    fields: &Fields,
    children: &str,
    id: &str,
) -> CliResult<Vec<&'a RawValue>> {
    if id == "0" {
        return Ok(top);
    }
    let mut level = top;
    // A tree of categories has some ten levels.
    for _ in 0..32 {
        let node = level.iter().find(|node| fields.get(node, "id") == id);
        if let Some(node) = node {
            return Ok(path::rows(node, children).unwrap_or_default());
        }
        level = level.into_iter().flat_map(|node| path::rows(node, children).unwrap_or_default()).collect();
    }
    Err(Error::usage(format!("the tree has no category {id}"))
        .with_hint("Walk down from the top: `sesame categories get ACCOUNT`.")
        .into())
}

async fn map(args: &MapArgs, context: &Context) -> CliResult {
    let client = context.client().await?;
    let shop = context.shop(&args.account).await?;
    let fields = Fields::open(&shop, "category-map").await?;
    // 1 category, 2 attribute, 3 attribute value: how much of the path is given.
    let kind = 1 + u8::from(args.attribute.is_some()) + u8::from(args.value.is_some());
    let inputs = [
        ("kind", Some(json!(kind))),
        ("category", Some(json!(args.category))),
        ("attribute", args.attribute.map(|id| json!(id))),
        ("value", args.value.map(|id| json!(id))),
    ];
    let inputs = inputs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let reply = facets::fetch(client, &fields.call(&shop, inputs)?).await?;
    let result = mapped(facets::payload(&reply)?, &fields)?;
    let record = json!({
        "convert_type": kind,
        "category": args.category,
        "attribute": args.attribute,
        "value": args.value,
        "result": result,
    });
    context.printer(Format::Table).one(&record, |printer| printer.line(&result))
}

/// Takes the new id out of the reply, or the platform's reason for having none.
fn mapped(reply: &RawValue, fields: &Fields) -> CliResult<String> {
    let text = |name: &str| Some(fields.get(reply, name)).filter(|text| !text.is_empty());
    if let Some(result) = text("result") {
        return Ok(result);
    }
    let code = text("code").map(|code| format!(" ({code})")).unwrap_or_default();
    let reason = text("message").unwrap_or_else(|| "the platform gives no reason".to_owned());
    Err(Error::new(ErrorKind::Business, format!("nothing was mapped: {reason}{code}"))
        .with_hint("Only ids of the old category tree can be mapped; see `sesame categories get ACCOUNT ID`.")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(platform: &str, name: &str) -> Fields {
        let facet = sesame_catalog::Catalog::builtin().facet(platform, name).unwrap();
        Fields::new(facet, jiff::tz::TimeZone::UTC)
    }

    fn raw(json: &Json) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).unwrap()
    }

    #[test]
    fn a_mapping_that_failed_says_what_the_platform_says() {
        let fields = fields("alibaba", "category-map");
        let good = raw(&json!({"result": {"success": true, "mapping_result": "21110712"}}));
        assert_eq!(mapped(&good, &fields).unwrap(), "21110712");
        let bad = raw(
            &json!({"result": {"success": false, "response_code": "1003", "response_msg": "no such category"}}),
        );
        let Err(CliError::Failed(error)) = mapped(&bad, &fields) else { panic!("a failure") };
        assert_eq!(error.message(), "nothing was mapped: no such category (1003)");
        assert!(mapped(&raw(&json!({})), &fields).is_err());
    }

    #[test]
    fn children_are_found_at_any_depth_of_a_whole_tree() {
        let fields = fields("lazada", "categories");
        let reply = raw(
            &json!({"data": [{"category_id": 1, "children": [{"category_id": 2, "children": [{"category_id": 3, "leaf": true}]}]}]}),
        );
        let found = |id: &str| below(path::rows(&reply, "data").unwrap(), &fields, "children", id);
        assert_eq!(found("0").unwrap().len(), 1);
        assert_eq!(path::unsigned(found("2").unwrap()[0], "category_id"), Some(3));
        assert!(found("3").unwrap().is_empty());
        assert!(found("9").is_err());
    }
}
