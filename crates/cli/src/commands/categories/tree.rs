//! `sesame categories tree|find|attributes`: from a cache on disk.

use std::{collections::HashMap, path::PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;
use sesame_core::{Error, ErrorKind};
use sesame_shop::{Categories, Category, TOP};

use crate::{
    commands::orders::record,
    context::Context,
    exit::{CliResult, note},
    humanize,
    output::Format,
    progress::Progress,
    record::RecordRows,
};

/// The levels that are shown when nobody says how many.
const LEVELS: u64 = 2;

const TREE: [&str; 5] = ["id", "name", "level>", "leaf", "parent"];
const FOUND: [&str; 3] = ["id", "leaf", "path"];
const ATTRIBUTES: [&str; 4] = ["id", "name", "required", "values>"];

/// Options of `categories tree`.
#[derive(Debug, clap::Args)]
pub(crate) struct TreeArgs {
    /// The account.
    account: String,
    /// The category whose tree is shown; 0 is the top.
    #[arg(default_value = TOP)]
    id: String,
    /// The number of levels.
    #[arg(long, default_value_t = LEVELS, value_parser = clap::value_parser!(u64).range(1..=32))]
    depth: u64,
    /// Asks the platform again for what is in the cache.
    #[arg(long)]
    refresh: bool,
}

/// Options of `categories find`.
#[derive(Debug, clap::Args)]
pub(crate) struct FindArgs {
    /// The account.
    account: String,
    /// Words of the name.
    #[arg(required = true)]
    words: Vec<String>,
    /// The number of levels that are looked at.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=32))]
    depth: u64,
    /// Asks the platform again for what is in the cache.
    #[arg(long)]
    refresh: bool,
}

/// Options of `categories attributes`.
#[derive(Debug, clap::Args)]
pub(crate) struct AttributesArgs {
    /// The account.
    account: String,
    /// The category; a leaf.
    id: String,
    /// Asks the platform again for what is in the cache.
    #[arg(long)]
    refresh: bool,
}

/// A category, and the way to it.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    category: &'a Category,
    path: &'a str,
}

/// Where what was fetched once is kept.
fn folder(context: &Context) -> PathBuf {
    context.settings.home.value.join("cache")
}

async fn open(account: &str, refresh: bool, context: &Context) -> CliResult<Categories> {
    Ok(Categories::open(&context.shop(account).await?, &folder(context), refresh).await?)
}

/// Says how old the answer is, if no call was needed for it.
fn say_age(categories: &Categories, context: &Context) {
    if let (0, Some(at)) = (categories.calls(), categories.oldest()) {
        note(
            "note",
            &format!(
                "from the cache, fetched {}; --refresh asks again",
                humanize::ago(at, context.clock.now())
            ),
        );
    }
}

/// Prints a tree.
pub(crate) async fn tree(args: &TreeArgs, context: &Context) -> CliResult {
    let mut categories = open(&args.account, args.refresh, context).await?;
    let depth = usize::try_from(args.depth).unwrap_or(usize::MAX);
    let printer = context.printer(Format::Table);
    let mut rows = RecordRows::new(&TREE);
    let is_table = printer.format() == Format::Table;
    let mut list = rows.list(printer);
    let mut found: Vec<Category> = Vec::new();
    let progress = Progress::new();
    let walked = categories
        .walk(&args.id, depth, |level| {
            found.extend_from_slice(level);
            progress.show(found.len() as u64, None);
            Ok(())
        })
        .await;
    progress.done();
    let mut shown = Vec::with_capacity(found.len());
    let mut below: HashMap<&str, Vec<&Category>> = HashMap::new();
    for category in &found {
        below.entry(category.parent.as_str()).or_default().push(category);
    }
    // Each category before those below it, as people read a tree.
    let mut waiting: Vec<(&Category, usize)> = Vec::new();
    let push = |waiting: &mut Vec<_>, parent: &str, depth: usize| {
        waiting.extend(below.get(parent).into_iter().flatten().rev().map(|category| (*category, depth)));
    };
    push(&mut waiting, &args.id, 0);
    while let Some((category, depth)) = waiting.pop() {
        let mut category = category.clone();
        let id = category.id.clone();
        if is_table {
            category.name.insert_str(0, &"  ".repeat(depth));
        }
        shown.push(record(&category)?);
        push(&mut waiting, &id, depth + 1);
    }
    list.page(&shown, None, &mut rows)?;
    if let Err(error) = walked {
        return list.fail(error);
    }
    list.end()?;
    if shown.is_empty() {
        note("note", &format!("category {} has no categories below it", args.id));
    }
    say_age(&categories, context);
    Ok(())
}

/// Finds categories by words of their names.
pub(crate) async fn find(args: &FindArgs, context: &Context) -> CliResult {
    let mut categories = open(&args.account, args.refresh, context).await?;
    let words: Vec<String> = args.words.iter().map(|word| word.to_lowercase()).collect();
    let depth = usize::try_from(args.depth).unwrap_or(usize::MAX);
    let mut paths: HashMap<String, String> = HashMap::new();
    let mut shown: Vec<Box<RawValue>> = Vec::new();
    let progress = Progress::new();
    let walked = categories
        .walk(TOP, depth, |level| {
            for category in level {
                let name = if category.name.is_empty() { &category.local_name } else { &category.name };
                let path = match paths.get(&category.parent) {
                    Some(above) => format!("{above} > {name}"),
                    None => name.clone(),
                };
                let text = format!("{path} {} {}", category.local_name, category.id).to_lowercase();
                let own = format!("{} {} {}", category.name, category.local_name, category.id).to_lowercase();
                // One word is of the category itself, the others may be of those above it.
                if words.iter().all(|word| text.contains(word)) && words.iter().any(|word| own.contains(word))
                {
                    let found = record(&Found { category, path: &path });
                    shown.push(found.map_err(|_| Error::local("a category cannot be written"))?);
                }
                paths.insert(category.id.clone(), path);
            }
            progress.show(paths.len() as u64, None);
            Ok(())
        })
        .await;
    progress.done();
    let mut rows = RecordRows::new(&FOUND);
    let mut list = rows.list(context.printer(Format::Table));
    list.page(&shown, None, &mut rows)?;
    if let Err(error) = walked {
        return list.fail(error);
    }
    list.end()?;
    say_age(&categories, context);
    if shown.is_empty() {
        note(
            "note",
            &format!("none of {} categories has {:?} in its name", paths.len(), args.words.join(" ")),
        );
    }
    Ok(())
}

/// Prints the attributes of a category.
pub(crate) async fn attributes(args: &AttributesArgs, context: &Context) -> CliResult {
    let shop = context.shop(&args.account).await?;
    let (found, at) = shop.attributes(&args.id, &folder(context), args.refresh).await?;
    if found.is_empty() {
        return Err(Error::new(
            ErrorKind::Business,
            format!("the platform names no attributes for category {}", args.id),
        )
        .with_hint("Only leaf categories have some: see `sesame categories tree ACCOUNT`.")
        .into());
    }
    let shown = found.iter().map(record).collect::<CliResult<Vec<_>>>()?;
    let mut rows = RecordRows::new(&ATTRIBUTES);
    let mut list = rows.list(context.printer(Format::Table));
    list.page(&shown, None, &mut rows)?;
    list.end()?;
    if let Some(at) = at {
        note(
            "note",
            &format!(
                "from the cache, fetched {}; --refresh asks again",
                humanize::ago(at, context.clock.now())
            ),
        );
    }
    Ok(())
}
