//! Rows of one table or of several become shops: by the account's name.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};

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
    line: Option<u64>,
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

    /// Says for people where it stands, with its name where several rows may stand in one line.
    pub fn place_and_name(&self) -> String {
        with_name(&self.place, &self.name)
    }

    /// Says for people where the value of a field stands: `column tok`, `ACCESS_TOKEN (line 7)`.
    pub fn spot(&self, field: Field) -> String {
        self.values.get(&field).map_or_else(String::new, |value| spot(&value.column, value.line))
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
    /// Shops without tokens that may have some in a row that cannot be read: where, and why. They are
    /// none of `shops`.
    pub doubtful: Vec<(String, String)>,
    /// Which columns were taken for what.
    pub columns: Vec<(Field, Vec<String>)>,
    /// Rows that name an account and neither an app nor a token.
    pub empty: usize,
}

/// Joins rows by account; without regard to case, as MySQL compares names.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a mapping to columns that are not there,
/// and for a table without a column of accounts.
pub fn join(rows: &[RawRow], mapping: &Mapping) -> Result<Joined> {
    let mut joined = Joined { columns: check_columns(rows, mapping)?, ..Joined::default() };
    // Of rows that cannot be read: the accounts of some, and the tables of the others.
    let mut spoilt: HashMap<String, String> = HashMap::new();
    let mut tables: BTreeSet<Option<&str>> = BTreeSet::new();
    let mut shops: Vec<Shop> = Vec::new();
    let mut seats: HashMap<String, (usize, HashSet<Option<&str>>)> = HashMap::new();
    for row in rows {
        let place = place(row);
        let shop = match read(row, mapping, &place) {
            Ok(shop) => shop,
            Err(why) => {
                let place = match account_of(row, mapping) {
                    Some(name) => {
                        spoilt.entry(name.to_lowercase()).or_insert_with(|| place.clone());
                        with_name(&place, &name)
                    }
                    None => place,
                };
                if row.cells.is_err() {
                    tables.insert(row.table.as_deref());
                }
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
                    spoilt.entry(known.name.to_lowercase()).or_insert_with(|| place.clone());
                    joined.bad.push((with_name(&place, &known.name), why));
                }
            }
        }
    }
    let fields = [Field::AppKey, Field::AppSecret, Field::AccessToken, Field::RefreshToken, Field::Identity];
    let all = shops.len();
    shops.retain(|shop| shop.has_any(&fields));
    joined.empty = all - shops.len();
    for shop in shops {
        let name = shop.name.to_lowercase();
        let seen = seats.get(&name).map(|(_, tables)| tables);
        let unseen = || tables.iter().find(|table| seen.is_some_and(|seen| !seen.contains(*table)));
        let why = if shop.has_any(&[Field::AccessToken, Field::RefreshToken]) {
            None
        } else if let Some(place) = spoilt.get(&name) {
            Some(format!("a row of it cannot be read ({place}), and no other one has a token"))
        } else {
            unseen().map(|table| {
                let of = table.map_or_else(String::new, |table| format!(" of table {table}"));
                format!(
                    "there is no row with a token for it; its row may be among those{of} that cannot be read"
                )
            })
        };
        match why {
            Some(why) => joined.doubtful.push((shop.place_and_name(), why)),
            None => joined.shops.push(shop),
        }
    }
    Ok(joined)
}

/// The account that a row is of, where that much of it can be read.
fn account_of(row: &RawRow, mapping: &Mapping) -> Option<String> {
    let (at, _) = mapping.column(Field::Account, &row.columns)?;
    let Some(Cell::Text(bytes)) = row.cells.as_ref().ok()?.get(at) else { return None };
    let name = str::from_utf8(bytes).ok()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Says which column is taken for which field.
fn check_columns(rows: &[RawRow], mapping: &Mapping) -> Result<Vec<(Field, Vec<String>)>> {
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
                .with_hint(format!("The columns are: {}. Nothing was imported.", all())));
        }
    }
    for row in &kinds {
        if row.cells.is_ok() && mapping.column(Field::Account, &row.columns).is_none() {
            let table =
                row.table.as_deref().map_or_else(|| "the file".to_owned(), |table| format!("table {table}"));
            return Err(Error::usage(format!("{table} has no column that names the accounts")).with_hint(
                format!("Say which one it is: --map account=COLUMN. The columns are: {}.", names(row)),
            ));
        }
    }
    let taken = Field::ALL.into_iter().map(|field| {
        let mut columns: Vec<String> = Vec::new();
        for row in &kinds {
            let Some((at, _)) = mapping.column(field, &row.columns) else { continue };
            let column = printable(&row.columns[at]);
            let column = row.table.as_deref().map_or(column.clone(), |table| format!("{table}.{column}"));
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        (field, columns)
    });
    Ok(taken.filter(|(_, columns)| !columns.is_empty()).collect())
}

fn no_names(columns: usize) -> Error {
    Error::usage(format!(
        "the first line of the file names no column that is known here (it has {columns} of them, not shown: they may be secrets)"
    ))
    .with_hint(
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
    let line = match (row.line, row.number) {
        (0, _) => "the file".to_owned(),
        (line, None) => format!("line {line}"),
        (line, Some(number)) => format!("line {line}, row {number}"),
    };
    match &row.table {
        Some(table) => format!("{line} (table {table})"),
        None => line,
    }
}

/// In CSV and `.env` files the line says enough.
fn with_name(place: &str, name: &str) -> String {
    if place.contains("(table ") { format!("{place}, account {name:?}") } else { place.to_owned() }
}

fn spot(column: &str, line: Option<u64>) -> String {
    line.map_or_else(|| format!("column {column}"), |line| format!("{column} (line {line})"))
}

/// Reads one row. The reason that comes back quotes no value: it may be a secret.
fn read(row: &RawRow, mapping: &Mapping, place: &str) -> Result<Shop, String> {
    let cells = row.cells.as_ref().map_err(Clone::clone)?;
    let mut values = HashMap::new();
    for field in Field::ALL {
        let Some((at, rank)) = mapping.column(field, &row.columns) else { continue };
        let column = printable(&row.columns[at]);
        let line = row.lines.as_ref().and_then(|lines| lines.get(at).copied()).filter(|line| *line > 0);
        let spot = || spot(&column, line);
        let text = match cells.get(at) {
            None | Some(Cell::Null) => continue,
            Some(Cell::Unreadable(why)) => return Err(format!("{}: {why}", spot())),
            Some(Cell::Text(bytes)) => std::str::from_utf8(bytes)
                .map_err(|_| format!("{} is not UTF-8 text; {CONVERT}", spot()))?
                .trim(),
        };
        if stands_for_none(field, text) {
            continue;
        }
        let text = match field {
            Field::Identity | Field::AppKey => mended(text).map_err(|why| format!("{}: {why}", spot()))?,
            _ => text,
        };
        if !text.is_empty() {
            values.insert(field, Value { text: Zeroizing::new(text.to_owned()), rank, column, line });
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
