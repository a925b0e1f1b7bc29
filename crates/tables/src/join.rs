//! Rows of one table or of several become shops: by the account's name.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use sesame_core::{Error, Result, scalar::printable};
use zeroize::Zeroizing;

use crate::{CONVERT, Cell, Field, Mapping, RawRow};

/// The longest column that is taken for a name when columns are listed.
const LONGEST_NAME: usize = 32;

/// A shop as the tables have it. No `Debug`: it holds secrets.
pub struct Shop {
    /// Where it stands, for people.
    pub place: String,
    /// The account's name.
    pub name: String,
    values: HashMap<Field, Value>,
}

struct Value {
    text: Zeroizing<String>,
    rank: usize,
    column: String,
}

impl Shop {
    /// Returns the value of a field.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(|value| value.text.as_str())
    }

    /// Returns the name of a field's column.
    pub fn column(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(|value| value.column.as_str())
    }

    fn has_any(&self, fields: &[Field]) -> bool {
        fields.iter().any(|field| self.values.contains_key(field))
    }
}

/// What the rows came to.
#[derive(Default)]
pub struct Joined {
    /// The shops, in the order of their first rows.
    pub shops: Vec<Shop>,
    /// Rows that cannot be read: where, and why.
    pub bad: Vec<(String, String)>,
    /// Rows that name an account and neither an app nor a token.
    pub empty: usize,
}

/// Joins rows by account; without regard to case, as MySQL compares names.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a mapping to columns that are not there,
/// and for a table without a column of accounts.
pub fn join(rows: &[RawRow], mapping: &Mapping) -> Result<Joined> {
    check_columns(rows, mapping)?;
    let mut joined = Joined::default();
    let mut shops: Vec<Shop> = Vec::new();
    let mut seats: HashMap<String, (usize, HashSet<Option<&str>>)> = HashMap::new();
    for row in rows {
        let place = place(row);
        let shop = match read(row, mapping, &place) {
            Ok(shop) => shop,
            Err(why) => {
                joined.bad.push((place, why));
                continue;
            }
        };
        match seats.entry(shop.name.to_lowercase()) {
            Entry::Vacant(seat) => {
                seat.insert((shops.len(), HashSet::from([row.table.as_deref()])));
                shops.push(shop);
            }
            Entry::Occupied(mut seat) => {
                let (at, tables) = seat.get_mut();
                let known = &mut shops[*at];
                if !tables.insert(row.table.as_deref()) {
                    let why = format!("account {:?} stands there already ({})", known.name, known.place);
                    joined.bad.push((place, why));
                    continue;
                }
                if let Err(field) = merge(known, shop) {
                    let why = format!("it has another {field} than {}", known.place);
                    joined.bad.push((place, why));
                }
            }
        }
    }
    let fields = [Field::AppKey, Field::AppSecret, Field::AccessToken, Field::RefreshToken, Field::Identity];
    let all = shops.len();
    shops.retain(|shop| shop.has_any(&fields));
    joined.empty = all - shops.len();
    joined.shops = shops;
    Ok(joined)
}

fn check_columns(rows: &[RawRow], mapping: &Mapping) -> Result<()> {
    let mut kinds: Vec<&RawRow> = Vec::new();
    for row in rows {
        if !kinds.iter().any(|known| known.columns == row.columns && known.table == row.table) {
            kinds.push(row);
        }
        if kinds.len() > 64 {
            break;
        }
    }
    for row in &kinds {
        // In a file without names its first row stands in their place, tokens and all.
        if row.table.is_none() && !mapping.knows_any(&row.columns) {
            return Err(no_names(row.columns.len()));
        }
    }
    let all = || kinds.iter().map(|row| names(row)).collect::<Vec<_>>().join("; ");
    for (field, column) in mapping.chosen() {
        let is_there =
            kinds.iter().any(|row| row.columns.iter().any(|name| name.eq_ignore_ascii_case(column)));
        if !is_there && !rows.is_empty() {
            return Err(Error::usage(format!("there is no column {column:?} to take {field} from"))
                .hint(format!("The columns are: {}. Nothing was imported.", all())));
        }
    }
    for row in &kinds {
        if row.cells.is_ok() && mapping.column(Field::Account, &row.columns).is_none() {
            let table =
                row.table.as_deref().map_or_else(|| "the file".to_owned(), |table| format!("table {table}"));
            return Err(Error::usage(format!("{table} has no column that names the accounts")).hint(
                format!("Say which one it is: --map account=COLUMN. The columns are: {}.", names(row)),
            ));
        }
    }
    Ok(())
}

fn no_names(columns: usize) -> Error {
    Error::usage(format!(
        "the first line of the file names no column that is known here (it has {columns} of them, not shown: they may be secrets)"
    ))
    .hint(
        "The first line has to name the columns: account,app_key,app_secret,access_token,refresh_token,... Put it there, or say with --map FIELD=COLUMN,... what its names mean. Nothing was imported.",
    )
}

/// The names of the columns, for people. What does not look like a name may be a value: it is counted.
fn names(row: &RawRow) -> String {
    let mut shown: Vec<String> =
        row.columns.iter().filter(|name| looks_like_a_name(name)).map(|name| printable(name)).collect();
    let others = row.columns.len() - shown.len();
    if others > 0 {
        shown.push(format!("{others} that do not look like names"));
    }
    shown.join(", ")
}

/// Tells names from tokens and keys: short words that begin with a letter and have hardly a digit.
fn looks_like_a_name(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-');
    text.starts_with(char::is_alphabetic)
        && text.chars().count() <= LONGEST_NAME
        && text.chars().all(is_word)
        && text.chars().filter(char::is_ascii_digit).count() <= 2
}

fn place(row: &RawRow) -> String {
    match &row.table {
        Some(table) => format!("line {} (table {table})", row.line),
        None => format!("line {}", row.line),
    }
}

/// Reads one row. The reason that comes back quotes no value: it may be a secret.
fn read(row: &RawRow, mapping: &Mapping, place: &str) -> Result<Shop, String> {
    let cells = row.cells.as_ref().map_err(Clone::clone)?;
    let mut values = HashMap::new();
    for field in Field::ALL {
        let Some((at, rank)) = mapping.column(field, &row.columns) else { continue };
        let column = printable(&row.columns[at]);
        let text = match cells.get(at) {
            None | Some(Cell::Null) => continue,
            Some(Cell::Unreadable(why)) => return Err(format!("column {column}: {why}")),
            Some(Cell::Text(bytes)) => std::str::from_utf8(bytes)
                .map_err(|_| format!("column {column} is not UTF-8 text; {CONVERT}"))?
                .trim(),
        };
        if stands_for_none(field, text) {
            continue;
        }
        let text = match field {
            Field::Identity | Field::AppKey => {
                mended(text).map_err(|why| format!("column {column}: {why}"))?
            }
            _ => text,
        };
        if !text.is_empty() {
            values.insert(field, Value { text: Zeroizing::new(text.to_owned()), rank, column });
        }
    }
    let name = values.get(&Field::Account).ok_or("there is no account name in it")?.text.to_string();
    Ok(Shop { place: place.to_owned(), name, values })
}

/// Words that programs write where there is no value. A shop may be called like one of them.
fn stands_for_none(field: Field, text: &str) -> bool {
    const WORDS: [&str; 4] = ["none", "null", "nan", "undefined"];
    !matches!(field, Field::Account | Field::Login)
        && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Takes off what a spreadsheet put to a number. `Err` for a number that lost digits there: it would be
/// another shop's, or another app's.
fn mended(text: &str) -> Result<&str, &'static str> {
    const LOST: &str = "it lost digits: a program wrote the number as a fraction. Format the column as text there, and save the file anew";
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // 2.20001E+11
    if let Some((number, power)) = text.split_once(['e', 'E']) {
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let unsigned = power.trim_start_matches(['+', '-']);
        let is_fraction = number.contains('.') || power != unsigned;
        if is_fraction && all_digits(whole) && all_digits(part) && all_digits(unsigned) {
            return Err(LOST);
        }
    }
    // 220001.0: exact as long as a fraction holds all digits.
    match text.split_once('.') {
        Some((whole, zeros))
            if all_digits(whole) && all_digits(zeros) && zeros.bytes().all(|byte| byte == b'0') =>
        {
            if whole.len() > 15 { Err(LOST) } else { Ok(whole) }
        }
        _ => Ok(text),
    }
}

/// Adds what another table says of a shop. `Err` names the first field on which they disagree; then
/// nothing is added.
fn merge(shop: &mut Shop, other: Shop) -> Result<(), Field> {
    let disagrees = |field: &Field| match (shop.values.get(field), other.values.get(field)) {
        (Some(ours), Some(theirs)) => ours.text != theirs.text && ours.rank == theirs.rank,
        _ => false,
    };
    // By the account they were joined, without regard to case.
    if let Some(field) = Field::ALL.into_iter().filter(|field| *field != Field::Account).find(disagrees) {
        return Err(field);
    }
    for (field, value) in other.values {
        match shop.values.entry(field) {
            Entry::Vacant(seat) => {
                seat.insert(value);
            }
            // A column that only looks like it (`userid` beside `aliId`) gives way.
            Entry::Occupied(mut seat) if field != Field::Account && value.rank < seat.get().rank => {
                seat.insert(value);
            }
            Entry::Occupied(_) => {}
        }
    }
    shop.place = format!("{} and {}", shop.place, other.place);
    Ok(())
}
