//! `sesame schema get|level`: the schema of a category.

use std::io::Read;

use serde_json::json;
use sesame_core::{Error, ErrorKind, command_line::quote, path};
use sesame_shop::Fields;

use crate::{context::Context, exit::CliResult, facets, output::Format, runtime, schema_fields};

/// The largest document that is sent.
const MAX_XML: u64 = 8 << 20;

/// The commands of `schema`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SchemaCommand {
    /// Prints the whole schema of a category.
    #[command(after_help = "\
Examples:
  sesame schema get alibaba-shop --category 21110712 > schema.xml
  sesame schema get alibaba-shop --category 21110712 --fields
  sesame schema get alibaba-shop --category 21110712 -o csv > fields.csv
  sesame schema get alibaba-shop --category 21110712 --language zh --output json

Prints the document as the platform made it (XML on Alibaba.com, JSON on AliExpress).
With --fields, and with -o csv and excel, it prints one row for each field.
JSON: {\"platform\",\"category\",\"language\",\"document\"}, with --fields \
[{\"id\",\"parent\",\"name\",\"type\",\"required\",\"rules\",\"options\"}]: parent holds the ids of the fields around \
it, required is yes, no or depends (on other fields).")]
    Get(SchemaArgs),
    /// Prints the next level of a schema, after the values chosen so far.
    #[command(after_help = "\
Examples:
  sesame schema level alibaba-shop --category 21110712
  sesame schema level alibaba-shop --category 21110712 --xml @chosen.xml
  cat chosen.xml | sesame schema level alibaba-shop --category 21110712 --xml -

Without --xml an empty document asks for the first level. Output as with schema get.")]
    Level(LevelArgs),
}

/// Options of `schema get`.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// The account.
    account: String,
    /// The category; a leaf.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64))]
    category: u64,
    /// The language of the names.
    #[arg(long, default_value = "en_US")]
    language: String,
    /// Prints the fields of the schema, one a row.
    #[arg(long)]
    fields: bool,
}

/// Options of `schema level`.
#[derive(Debug, clap::Args)]
pub(crate) struct LevelArgs {
    #[command(flatten)]
    common: SchemaArgs,
    /// The document with the values chosen so far: @FILE, FILE, or - for standard input.
    #[arg(long, value_name = "@FILE")]
    xml: Option<String>,
}

/// Runs one of them.
pub(crate) fn run(command: SchemaCommand, context: &Context) -> CliResult {
    match command {
        SchemaCommand::Get(args) => runtime::block_on(context, print(&args, None, "schema", context)),
        SchemaCommand::Level(args) => {
            // Before the runtime starts: a read of standard input blocks.
            let xml = document(args.xml.as_deref())?;
            runtime::block_on(context, print(&args.common, Some(xml), "schema-level", context))
        }
    }
}

fn document(from: Option<&str>) -> CliResult<String> {
    let Some(from) = from else { return Ok("<itemSchema></itemSchema>".to_owned()) };
    let path = from.strip_prefix('@').unwrap_or(from);
    let mut xml = String::new();
    let read = if path == "-" {
        std::io::stdin().take(MAX_XML + 1).read_to_string(&mut xml)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_XML + 1).read_to_string(&mut xml))
    };
    read.map_err(|error| Error::usage(format!("cannot read --xml {path}: {error}")))?;
    if xml.len() as u64 > MAX_XML {
        return Err(Error::usage(format!("{path} is larger than {} MiB", MAX_XML >> 20)).into());
    }
    Ok(xml)
}

async fn print(args: &SchemaArgs, chosen: Option<String>, facet: &str, context: &Context) -> CliResult {
    let client = context.client().await?;
    let shop = context.shop(&args.account).await?;
    let platform = context.vault().await?.handle(&args.account).await?.platform().name.clone();
    let fields = Fields::open(&shop, facet).await?;
    let inputs = [("category", json!(args.category)), ("language", json!(args.language))]
        .into_iter()
        .chain(chosen.map(|xml| ("chosen", json!(xml))));
    let reply = facets::fetch(client, &fields.call(&shop, inputs)?).await?;
    let place = fields.facet.items.as_deref().unwrap_or_default();
    let document = path::text(facets::payload(&reply)?, place).ok_or_else(|| {
        Error::new(ErrorKind::Envelope, format!("the reply has no document at {place}")).with_hint(format!(
            "See the whole reply: sesame call {} {} ...",
            quote(&args.account),
            quote(&fields.facet.api)
        ))
    })?;
    let mut printer = context.printer(Format::Table);
    if args.fields || matches!(printer.format(), Format::Csv | Format::Excel | Format::Xlsx) {
        let fields = schema_fields::read(&document)?;
        return printer.list(&fields, &schema_fields::table(&fields));
    }
    let record = json!({"platform": platform, "category": args.category, "language": args.language, "document": document});
    printer.one(&record, |printer| printer.line(document.trim_end()))
}
