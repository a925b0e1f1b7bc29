//! Reads tables out of a dump of MySQL (`mysqldump`, also with column lists, several rows in an INSERT,
//! several INSERTs, `--hex-blob`, `--compatible=ansi`), as a stream: a dump may have any size, and its
//! lines any length.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader},
    sync::Arc,
};

use jiff::tz::{Offset, TimeZone};
use sesame_core::{Error, Result};
use zeroize::Zeroizing;

use super::{
    CONVERT, Cell, MOST_COLUMNS, MOST_ROWS, RawRow,
    lexer::{Lexer, Token},
    parse_time,
    text::Utf8,
};

/// The tables of the ERP: apps by account, and tokens by account.
pub const ERP_TABLES: [&str; 2] = ["account", "erp_aliexpress_accounts"];

/// The most names of other tables that are remembered for a message.
const NAMES: usize = 20;
/// The most words that one value is made of; `_binary 'x'` has two.
const WORDS: usize = 8;

/// Reads the rows of some tables, in the order of the dump. Names of tables are compared without
/// regard to case; `erp1.account` is that of one schema. At most 1,000,000 rows, each value at most 64 KiB long; a row that cannot be read
/// is returned as one.
///
/// Where the dump says in which zone it writes TIMESTAMP columns (mysqldump does: in UTC), their values
/// come back with that zone. DATETIME columns have none. UTF-16 is read where a byte order mark says so.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the file has no rows of the tables, or more,
/// or ends inside a statement or a text: then rows are missing, nobody knows which;
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when it cannot be read.
pub fn read_sql(input: impl BufRead, tables: &[String]) -> Result<Vec<RawRow>> {
    let mut dump = Dump {
        lexer: Lexer::new(BufReader::with_capacity(1 << 16, Utf8::new(input))),
        wanted: tables,
        tables: HashMap::new(),
        rows: Vec::new(),
        met: Vec::new(),
        found: false,
        copies: false,
        schema: None,
    };
    dump.read().map_err(|error| Error::local(format!("the dump cannot be read: {error}")))??;
    if !dump.rows.is_empty() {
        return Ok(dump.rows);
    }
    if dump.copies {
        return Err(Error::usage(
            "the dump is one of PostgreSQL with its rows in COPY, which are not read here",
        )
        .with_hint("Dump them as statements: pg_dump --column-inserts --table=... DATABASE"));
    }
    if dump.found {
        return Err(Error::usage(format!("there are no rows of {} in the dump", tables.join(" or ")))
            .with_hint("Dump the tables with their rows (without --no-data), or name others with --table."));
    }
    let met = if dump.met.is_empty() {
        "It has no table at all; is it a dump of mysqldump?".to_owned()
    } else {
        format!("It has: {}. Name the right ones with --table.", dump.met.join(", "))
    };
    Err(Error::usage(format!("the dump has no table called {}", tables.join(" or "))).with_hint(met))
}

struct Dump<'a, R> {
    lexer: Lexer<R>,
    wanted: &'a [String],
    /// The wanted tables, as CREATE TABLE describes them.
    tables: HashMap<String, Table>,
    rows: Vec<RawRow>,
    /// The names of other tables.
    met: Vec<String>,
    found: bool,
    /// Rows stand in COPY, as PostgreSQL writes them.
    copies: bool,
    /// The schema that USE names.
    schema: Option<String>,
}

#[derive(Default)]
struct Table {
    columns: Arc<[String]>,
    /// Those of type TIMESTAMP.
    timestamps: Vec<String>,
}

/// What ends a value or a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Comma,
    Close,
    End,
}

impl<R: BufRead> Dump<'_, R> {
    fn read(&mut self) -> io::Result<Result<()>> {
        loop {
            let word = match self.lexer.next()? {
                // What is no dump at all is said by the caller.
                Token::End if self.found || !self.met.is_empty() => {
                    return Ok(self.lexer.open().map_or(Ok(()), |(what, line)| Err(cut_off(what, line))));
                }
                Token::End => return Ok(Ok(())),
                Token::Mark(b';') => continue,
                Token::Word(word) => word.to_ascii_uppercase(),
                _ => String::new(),
            };
            let line = self.lexer.line();
            let done = match word.as_str() {
                "CREATE" => self.create()?.map(|is_whole| (is_whole, "a CREATE TABLE")),
                "INSERT" | "REPLACE" => self.insert()?.map(|is_whole| (is_whole, "an INSERT")),
                _ => Ok((true, "")),
            };
            match done {
                Err(error) => return Ok(Err(error)),
                // A text that is not closed is what people have to look for.
                Ok((false, what)) => {
                    let (what, line) = self.lexer.open().unwrap_or((what, line));
                    return Ok(Err(cut_off(what, line)));
                }
                Ok(_) => {}
            }
            match word.as_str() {
                "CREATE" | "INSERT" | "REPLACE" => {}
                "COPY" => {
                    self.copies = true;
                    self.skip_statement()?;
                }
                "USE" => {
                    let token = self.lexer.next()?;
                    if token != Token::Mark(b';') {
                        self.schema = name_of(token);
                        self.skip_statement()?;
                    }
                }
                "SET" => self.lexer.read_set()?,
                // The bodies of triggers and procedures: they hold no rows.
                "DELIMITER" => {
                    if !self.skip_bodies()? {
                        return Ok(Err(cut_off("what follows a DELIMITER", line)));
                    }
                }
                _ => {
                    self.skip_statement()?;
                }
            }
        }
    }

    /// Tells whether the statement had an end.
    fn skip_statement(&mut self) -> io::Result<bool> {
        loop {
            match self.lexer.next()? {
                Token::Mark(b';') => return Ok(true),
                Token::End => return Ok(false),
                _ => {}
            }
        }
    }

    /// Tells whether they had an end.
    fn skip_bodies(&mut self) -> io::Result<bool> {
        let mut delimiter = self.lexer.rest_of_line()?;
        while delimiter.as_deref().is_some_and(|delimiter| delimiter != ";") {
            let Some(line) = self.lexer.rest_of_line()? else { return Ok(false) };
            let word = line.get(..9).unwrap_or_default();
            if word.eq_ignore_ascii_case("DELIMITER") {
                delimiter = line.get(9..).map(|rest| rest.trim().to_owned());
            }
        }
        Ok(true)
    }

    /// Returns the wanted table of that name, as the caller writes it.
    fn wanted(&mut self, name: &str) -> Option<String> {
        let (schema, name) = match name.rsplit_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (self.schema.as_deref(), name),
        };
        let is_it = |wanted: &&String| match wanted.split_once('.') {
            Some((of, wanted)) => {
                wanted.eq_ignore_ascii_case(name)
                    && schema.is_some_and(|schema| of.eq_ignore_ascii_case(schema))
            }
            None => wanted.eq_ignore_ascii_case(name),
        };
        let wanted = self.wanted.iter().find(is_it).cloned();
        // Where one schema is meant, a name alone does not say what there is to choose from.
        let shown = match schema.filter(|_| self.wanted.iter().any(|wanted| wanted.contains('.'))) {
            Some(schema) => format!("{schema}.{name}"),
            None => name.to_owned(),
        };
        let shown = sesame_core::scalar::printable(&shown);
        match &wanted {
            Some(_) => self.found = true,
            None if self.met.len() < NAMES && !self.met.contains(&shown) => self.met.push(shown),
            None => {}
        }
        wanted
    }

    /// Reads a name, which may be `database`.`table` and comes as `database.table`; and what follows it.
    fn table_name(&mut self, first: Token) -> io::Result<(Option<String>, Token)> {
        let mut name = name_of(first);
        let mut next = self.lexer.next()?;
        // `db`.`table`: the dot is a word of its own, or the beginning of one.
        if let Token::Word(word) = &next
            && let Some(rest) = word.strip_prefix('.')
        {
            let table = if rest.is_empty() { name_of(self.lexer.next()?) } else { Some(rest.to_owned()) };
            name = name.zip(table).map(|(schema, table)| format!("{schema}.{table}"));
            next = self.lexer.next()?;
        }
        Ok((name, next))
    }

    /// CREATE TABLE: only the names of its columns matter, and which of them are TIMESTAMPs. Tells
    /// whether it had an end.
    fn create(&mut self) -> io::Result<Result<bool>> {
        let mut token = self.lexer.next()?;
        if is(&token, "TEMPORARY") {
            token = self.lexer.next()?;
        }
        if !is(&token, "TABLE") {
            // A view or a trigger holds no rows; of them nothing is missed.
            if token != Token::Mark(b';') {
                self.skip_statement()?;
            }
            return Ok(Ok(true));
        }
        token = self.lexer.next()?;
        while ["IF", "NOT", "EXISTS"].iter().any(|word| is(&token, word)) {
            token = self.lexer.next()?;
        }
        let (name, mut token) = self.table_name(token)?;
        let wanted = name.and_then(|name| self.wanted(&name));
        let ends = token == Token::Mark(b';');
        let mut columns = Vec::new();
        let mut timestamps = Vec::new();
        if token == Token::Mark(b'(') {
            let mut depth = 1_usize;
            let mut starts = true;
            let mut named = false;
            while depth > 0 {
                token = self.lexer.next()?;
                // The type stands right behind the name.
                if std::mem::take(&mut named) && is(&token, "TIMESTAMP") {
                    timestamps.extend(columns.last().cloned());
                }
                match &token {
                    Token::End => return Ok(Ok(false)),
                    Token::Mark(b'(') => depth += 1,
                    Token::Mark(b')') => depth -= 1,
                    Token::Mark(b',') if depth == 1 => {
                        starts = true;
                        continue;
                    }
                    Token::Word(word) if starts && is_constraint(word) => {}
                    _ if starts && columns.len() < MOST_COLUMNS => {
                        columns.extend(name_of(token));
                        named = true;
                    }
                    _ => {}
                }
                starts = false;
            }
        }
        if let Some(wanted) = wanted {
            self.tables.insert(wanted.to_ascii_lowercase(), Table { columns: columns.into(), timestamps });
        }
        Ok(Ok(ends || self.skip_statement()?))
    }

    /// Tells whether it had an end: a dump that is cut off between two rows looks whole otherwise.
    fn insert(&mut self) -> io::Result<Result<bool>> {
        let mut token = self.lexer.next()?;
        while ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"]
            .iter()
            .any(|word| is(&token, word))
        {
            token = self.lexer.next()?;
        }
        let (name, mut token) = self.table_name(token)?;
        let Some(table) = name.and_then(|name| self.wanted(&name)) else {
            return Ok(Ok(token == Token::Mark(b';') || self.skip_statement()?));
        };
        let known = self.tables.get(&table.to_ascii_lowercase());
        let mut columns = known.map(|known| known.columns.clone());
        let timestamps = known.map(|known| known.timestamps.clone()).unwrap_or_default();
        if token == Token::Mark(b'(') {
            let mut listed = Vec::new();
            loop {
                match self.lexer.next()? {
                    Token::End | Token::Mark(b')') => break,
                    Token::Mark(_) => {}
                    token if listed.len() < MOST_COLUMNS => listed.extend(name_of(token)),
                    _ => {}
                }
            }
            columns = Some(listed.into());
            token = self.lexer.next()?;
        }
        if !is(&token, "VALUES") && !is(&token, "VALUE") {
            let line = self.lexer.line();
            if token != Token::Mark(b';') && !self.skip_statement()? {
                return Ok(Ok(false));
            }
            let why = "it is no list of values";
            let place = (line, 1);
            return Ok(self
                .push(place, &table, columns.unwrap_or_default(), Err(why.to_owned()))
                .map(|()| true));
        }
        let Some(columns) = columns else {
            return Ok(Err(Error::usage(format!(
                "line {}: the rows of table {table} have no names of columns",
                self.lexer.line()
            ))
            .with_hint(
                "Dump with the table's definition (without --no-create-info), or with --complete-insert.",
            )));
        };
        let is_timestamp = |column: &String| timestamps.iter().any(|name| name.eq_ignore_ascii_case(column));
        let moments: Vec<usize> = (0..columns.len()).filter(|at| is_timestamp(&columns[*at])).collect();
        let mut number = 0;
        loop {
            match self.lexer.next()? {
                Token::Mark(b'(') => {
                    number += 1;
                    let line = self.lexer.line();
                    let (mut cells, is_whole) = self.values()?;
                    if let Some(zone) = self.lexer.zone() {
                        for at in &moments {
                            cells.get_mut(*at).into_iter().for_each(|cell| set_zone(cell, zone));
                        }
                    }
                    if !is_whole {
                        return Ok(Ok(false));
                    }
                    let cells = if cells.len() == columns.len() {
                        Ok(cells)
                    } else {
                        Err(format!("it has {} values for {} columns", cells.len(), columns.len()))
                    };
                    if let Err(error) = self.push((line, number), &table, columns.clone(), cells) {
                        return Ok(Err(error));
                    }
                }
                Token::Mark(b',') => {}
                Token::Mark(b';') => return Ok(Ok(true)),
                Token::End => return Ok(Ok(false)),
                // ON DUPLICATE KEY UPDATE, AS new: nothing more of rows.
                _ => return self.skip_statement().map(Ok),
            }
        }
    }

    fn push(
        &mut self,
        (line, number): (u64, u64),
        table: &str,
        columns: Arc<[String]>,
        cells: Result<Vec<Cell>, String>,
    ) -> Result<()> {
        if self.rows.len() >= MOST_ROWS {
            return Err(Error::usage(format!("the tables have more than {MOST_ROWS} rows"))
                .with_hint("Dump them in parts: mysqldump --where=... Nothing was imported."));
        }
        // Said of rows that share their line: else the line is enough.
        let shares = self.rows.last_mut().filter(|last| number > 1 && last.line == line);
        let number = shares.map(|last| {
            last.number = Some(number - 1);
            number
        });
        self.rows.push(RawRow { line, number, table: Some(table.into()), columns, lines: None, cells });
        Ok(())
    }

    /// Reads the values of a row up to its closing bracket, and tells whether that was there.
    fn values(&mut self) -> io::Result<(Vec<Cell>, bool)> {
        let mut cells = Vec::new();
        loop {
            let (cell, after) = self.value()?;
            if cells.len() <= MOST_COLUMNS {
                cells.push(cell);
            }
            match after {
                After::Comma => {}
                After::Close => return Ok((cells, true)),
                After::End => return Ok((cells, false)),
            }
        }
    }

    fn value(&mut self) -> io::Result<(Cell, After)> {
        let mut words = Vec::new();
        let mut depth = 0_usize;
        loop {
            let token = self.lexer.next()?;
            let after = match &token {
                Token::End | Token::Text { is_closed: false, .. } => After::End,
                Token::Mark(b'(') => {
                    depth += 1;
                    After::Comma
                }
                Token::Mark(b')') if depth == 0 => return Ok((cell(words), After::Close)),
                Token::Mark(b')') => {
                    depth -= 1;
                    After::Comma
                }
                Token::Mark(b',') if depth == 0 => return Ok((cell(words), After::Comma)),
                _ => After::Comma,
            };
            if after == After::End {
                return Ok((Cell::Unreadable("the file ends within it"), After::End));
            }
            if words.len() < WORDS {
                words.push(token);
            }
        }
    }
}

fn cut_off(what: &str, line: u64) -> Error {
    let hint = if what == "an INSERT" {
        "A dump that was cut off between two rows looks like this: dump the tables again. If the file is written by hand and whole, add the ; that ends its last statement. Nothing was imported.".to_owned()
    } else {
        format!(
            "Is it whole, and in UTF-8? If it is in another encoding, {CONVERT}; else dump the tables again. Nothing was imported."
        )
    };
    Error::usage(format!("the dump ends inside {what} that began on line {line}")).with_hint(hint)
}

/// Puts the zone of the dump to a time in it.
fn set_zone(cell: &mut Cell, zone: &str) {
    let Cell::Text(text) = &cell else { return };
    let Some(zone) = time_zone(zone) else {
        *cell = Cell::Unreadable("it is in a time zone that is not known here");
        return;
    };
    let text = str::from_utf8(text).unwrap_or_default();
    if let Some(at) = parse_time(text, &zone) {
        *cell = Cell::Text(Zeroizing::new(at.to_string().into_bytes()));
    }
}

/// Reads a zone as MySQL names it: `+08:00`, `Asia/Shanghai`.
fn time_zone(text: &str) -> Option<TimeZone> {
    let offset = text.strip_prefix(['+', '-']).and_then(|rest| {
        let (hours, minutes) = rest.split_once(':')?;
        let number = |text: &str| text.parse::<u8>().ok().map(i32::from);
        let seconds = 3_600 * number(hours)? + 60 * number(minutes)?;
        Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()
    });
    offset.map(TimeZone::fixed).or_else(|| TimeZone::get(text).ok())
}

fn is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word))
}

/// A name in backquotes, in double quotes (ANSI), or bare.
fn name_of(token: Token) -> Option<String> {
    match token {
        Token::Word(name) | Token::Name(name) => Some(name),
        Token::Text { bytes, is_double: true, .. } => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

/// What may stand in a table's definition in the place of a column.
fn is_constraint(word: &str) -> bool {
    const WORDS: [&str; 9] =
        ["PRIMARY", "KEY", "UNIQUE", "INDEX", "CONSTRAINT", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK"];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn cell(mut words: Vec<Token>) -> Cell {
    const EXPRESSION: &str = "it is an expression and no plain value";
    if words.is_empty() {
        return Cell::Unreadable("it is empty");
    }
    if words.iter().any(|word| matches!(word, Token::Text { is_too_long: true, .. })) {
        return Cell::Unreadable("it is longer than 64 KiB");
    }
    match words.as_mut_slice() {
        [Token::Text { bytes, .. }] => Cell::Text(std::mem::take(bytes)),
        [Token::Word(word)] => bare(word),
        // _binary 'x', _utf8mb4 'x', N'x'
        [Token::Word(word), Token::Text { bytes, .. }]
            if word.starts_with('_') || word.eq_ignore_ascii_case("N") =>
        {
            Cell::Text(std::mem::take(bytes))
        }
        [Token::Word(word), Token::Text { bytes, .. }] if word.eq_ignore_ascii_case("X") => {
            hexadecimal(bytes)
        }
        [Token::Word(introducer), Token::Word(word)] if introducer.starts_with('_') => bare(word),
        [Token::Mark(sign @ (b'-' | b'+')), Token::Word(word)] if is_number(word) => {
            Cell::Text(Zeroizing::new(format!("{}{word}", char::from(*sign)).into_bytes()))
        }
        _ => Cell::Unreadable(EXPRESSION),
    }
}

fn bare(word: &str) -> Cell {
    if word.eq_ignore_ascii_case("NULL") {
        return Cell::Null;
    }
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return hexadecimal(digits.as_bytes());
    }
    let text = match word {
        word if word.eq_ignore_ascii_case("TRUE") => "1",
        word if word.eq_ignore_ascii_case("FALSE") => "0",
        word if is_number(word) => word,
        _ => return Cell::Unreadable("it is an expression and no plain value"),
    };
    Cell::Text(Zeroizing::new(text.as_bytes().to_vec()))
}

fn is_number(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E'))
}

fn hexadecimal(digits: &[u8]) -> Cell {
    hex::decode(digits).map_or(Cell::Unreadable("its hexadecimal digits do not read"), |bytes| {
        Cell::Text(Zeroizing::new(bytes))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn erp() -> Vec<String> {
        ERP_TABLES.map(str::to_owned).to_vec()
    }

    fn text(cell: &Cell) -> Option<String> {
        match cell {
            Cell::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Cell::Null => None,
            Cell::Unreadable(why) => Some(format!("!{why}")),
        }
    }

    fn read(dump: &str) -> Vec<(u64, Vec<Option<String>>)> {
        let rows = read_sql(dump.as_bytes(), &erp()).unwrap();
        let cells = |row: &RawRow| match &row.cells {
            Ok(cells) => cells.iter().map(text).collect(),
            Err(why) => vec![Some(format!("!!{why}"))],
        };
        rows.iter().map(|row| (row.line, cells(row))).collect()
    }

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect()
    }

    #[test]
    fn what_mysqldump_writes_is_read() {
        let dump = "-- MySQL dump 10.13  Distrib 8.0.36\n--\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS `account`;\n\
            CREATE TABLE `account` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `account` varchar(64) DEFAULT 'a,b)',\n  `appkey` decimal(10,2),\n \
            `appsecret` enum('x','y') COMMENT 'it''s; a (secret)',\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`account`,`appkey`)\n) ENGINE=InnoDB;\n\
            LOCK TABLES `account` WRITE;\n/*!40000 ALTER TABLE `account` DISABLE KEYS */;\n\
            INSERT INTO `account` VALUES (1,'shop\\'1','12','it''s'),(2,'a\\\\b',-5,NULL),\n(3,'l1\\nl2\\0\\Z\\%',1.5,_binary 'bin');\n\
            INSERT INTO `other` VALUES (1,'account');\nUNLOCK TABLES;\n\
            insert ignore into db.account (appkey, `account`) values (0x6162,X'63'),(NOW(),'x') ON DUPLICATE KEY UPDATE a=1;\n\
            REPLACE INTO `db`.`account` (account) VALUE ('r');\n# a comment; INSERT INTO account VALUES (9)\n";
        let lines = read(dump);
        let values: Vec<_> = lines.iter().map(|(_, values)| values.clone()).collect();
        assert_eq!(
            values,
            [
                some(&["1", "shop'1", "12", "it's"]),
                some(&["2", "a\\b", "-5", "NULL"]),
                some(&["3", "l1\nl2\0\u{1a}%", "1.5", "bin"]),
                some(&["ab", "c"]),
                some(&["!it is an expression and no plain value", "x"]),
                some(&["r"]),
            ]
        );
        assert_eq!(lines[0].0, 15);
        assert_eq!(lines[2].0, 16);
        let rows = read_sql(dump.as_bytes(), &erp()).unwrap();
        assert_eq!(*rows[0].columns, ["id", "account", "appkey", "appsecret"].map(str::to_owned));
        assert_eq!(*rows[3].columns, ["appkey", "account"].map(str::to_owned));
    }

    #[test]
    fn bodies_of_triggers_and_ansi_dumps() {
        let dump = "CREATE TABLE \"account\" (\"account\" varchar(9), \"appkey\" int);\nDELIMITER ;;\n\
            CREATE TRIGGER t BEFORE INSERT ON account FOR EACH ROW BEGIN\n INSERT INTO account VALUES (NEW.x, 1);\nEND ;;\nDELIMITER ;\n\
            INSERT INTO \"account\" VALUES (\"a\"\"b\", 7);";
        assert_eq!(read(dump), [(7, some(&["a\"b", "7"]))]);
    }

    #[test]
    fn rows_that_cannot_be_read_are_returned_as_such() {
        let dump = "INSERT INTO account (a,b) VALUES (1),(1,2,3);\n";
        let rows = read(dump);
        assert_eq!(rows[0].1, some(&["!!it has 1 values for 2 columns"]));
        assert_eq!(rows[1].1, some(&["!!it has 3 values for 2 columns"]));
        let long = format!("INSERT INTO account (a) VALUES ('{}');", "x".repeat(70_000));
        assert_eq!(read(&long)[0].1, some(&["!it is longer than 64 KiB"]));
        let error = read_sql(b"INSERT INTO account VALUES (1);".as_slice(), &erp()).unwrap_err();
        assert!(error.message().contains("no names of columns"), "{error}");
        let error = read_sql(b"INSERT INTO `accounts` VALUES (1);".as_slice(), &erp()).unwrap_err();
        assert!(error.hint().unwrap().contains("accounts"), "{error:?}");
        let error = read_sql(b"\x1f\x8b\x08binary".as_slice(), &erp()).unwrap_err();
        assert!(error.hint().unwrap().contains("mysqldump"), "{error:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_sql(bytes.as_slice(), &erp());
        }

        #[test]
        fn any_pieces_of_dumps_are_read_without_a_panic(pieces in prop::collection::vec(prop::sample::select(vec![
            "INSERT INTO ", "account", "`account`", " (", ")", ",", "VALUES ", "'", "\\", "\"", "`", ";", "\n", "/*", "*/",
            "-- ", "#", "CREATE TABLE ", "DELIMITER ;;\n", "DELIMITER ;\n", "NULL", "0x4", "_binary ", "-1", "x", ".", "é",
        ]), 0..60)) {
            let _ = read_sql(pieces.concat().as_bytes(), &erp());
        }

        #[test]
        fn any_value_that_is_escaped_comes_back(values in prop::collection::vec(any::<Vec<u8>>(), 1..5)) {
            let mut dump = b"INSERT INTO account (".to_vec();
            let names: Vec<String> = (0..values.len()).map(|number| format!("c{number}")).collect();
            dump.extend(names.join(",").as_bytes());
            dump.extend(b") VALUES (");
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    dump.push(b',');
                }
                dump.push(b'\'');
                for byte in value {
                    match byte {
                        0 => dump.extend(b"\\0"),
                        b'\n' => dump.extend(b"\\n"),
                        b'\'' | b'"' | b'\\' => dump.extend([b'\\', *byte]),
                        byte => dump.push(*byte),
                    }
                }
                dump.push(b'\'');
            }
            dump.extend(b");");
            let rows = read_sql(dump.as_slice(), &erp()).unwrap();
            let cells = rows[0].cells.as_ref().unwrap();
            let expected: Vec<Cell> = values.into_iter().map(|value| Cell::Text(Zeroizing::new(value))).collect();
            prop_assert_eq!(cells, &expected);
        }
    }
}
