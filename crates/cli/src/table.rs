//! Tables for people: columns that line up, within the width of a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Blanks between two columns.
const GAP: usize = 2;
/// The least width of a column beside others that are kept whole.
const LEAST: usize = 4;
/// The most characters of a cell that are shown; the forms for programs have all.
const LONGEST: usize = 1_000;

/// Rows with named columns.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) header: Vec<String>,
    right: Vec<bool>,
    pub(crate) cells: Vec<Vec<String>>,
    /// A cell that is too wide is cut, not broken.
    one_line: bool,
}

impl Rows {
    /// Starts a table whose rows are one line each, however narrow the terminal is; without one, of 80
    /// columns.
    pub(crate) fn one_line<S: AsRef<str>>(columns: &[S]) -> Self {
        Self { one_line: true, ..Self::new(columns) }
    }

    /// Returns the width of a table that is printed where nobody knows the width.
    pub(crate) fn usual_width(&self) -> Option<usize> {
        self.one_line.then_some(80)
    }

    /// Starts a table. A column whose name ends in `>` is aligned to the right.
    pub(crate) fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        Self {
            header: columns.iter().map(|name| name.as_ref().trim_end_matches('>').to_owned()).collect(),
            right: columns.iter().map(|name| name.as_ref().ends_with('>')).collect(),
            cells: Vec::new(),
            one_line: false,
        }
    }

    /// Adds a row.
    pub(crate) fn push<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.cells.push(cells.into_iter().map(Into::into).collect());
    }

    /// Returns `true` if there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Lays the rows out for a terminal of this width, or as wide as they are.
    pub(crate) fn grid(&self, terminal: Option<usize>) -> String {
        let layout = Layout::new(self, terminal);
        self.cells.iter().fold(layout.header(self), |text, row| text + &layout.line(row))
    }
}

/// The widths of columns, decided by some rows; others may follow.
#[derive(Debug)]
pub(crate) struct Layout {
    widths: Vec<usize>,
    right: Vec<bool>,
    /// Whether cells are broken at the width of their column.
    breaks: bool,
    /// Whether they are cut there.
    cuts: bool,
}

impl Layout {
    /// Gives every column the width of its widest cell. In a terminal that is too narrow, the wide
    /// columns share what the narrow ones leave.
    pub(crate) fn new(rows: &Rows, terminal: Option<usize>) -> Self {
        let mut widths: Vec<usize> = rows.header.iter().map(|name| name.width()).collect();
        for row in &rows.cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(visible(cell).width());
            }
        }
        let gaps = GAP * widths.len().saturating_sub(1);
        if let Some(terminal) = terminal {
            // An id or a number that is cut is of no use: other columns are cut before them.
            let is_kept = |column: usize| {
                rows.one_line
                    && (rows.right[column]
                        || matches!(&*rows.header[column], "id" | "order" | "tracking" | "code" | "file"))
            };
            let mut order: Vec<usize> = (0..widths.len()).collect();
            order.sort_by_key(|column| (!is_kept(*column), widths[*column]));
            let kept = order.iter().filter(|column| is_kept(**column)).count();
            let mut room = terminal.saturating_sub(gaps);
            for (nth, column) in order.iter().enumerate() {
                let share = match kept.checked_sub(nth + 1) {
                    Some(after) => room.saturating_sub(LEAST * (order.len() - kept)) / (after + 1),
                    None => room / (order.len() - nth),
                };
                widths[*column] = widths[*column].min(share.max(1));
                room = room.saturating_sub(widths[*column]);
            }
        }
        let fits = terminal.is_some();
        Self {
            widths,
            right: rows.right.clone(),
            breaks: fits && !rows.one_line,
            cuts: fits && rows.one_line,
        }
    }

    /// Writes the names of the columns.
    pub(crate) fn header(&self, rows: &Rows) -> String {
        let names: Vec<String> = rows.header.iter().map(|name| name.to_uppercase()).collect();
        let text = self.line(&names);
        // The printer takes it away where the output shows no colors.
        text.lines().fold(String::new(), |out, line| out + "\u{1b}[1m" + line + "\u{1b}[0m\n")
    }

    /// Writes a row: a line, or more where cells are broken.
    pub(crate) fn line(&self, cells: &[String]) -> String {
        let parts: Vec<Vec<String>> = cells
            .iter()
            .zip(&self.widths)
            .map(|(cell, width)| {
                let text = visible(cell);
                match (self.breaks, self.cuts) {
                    (true, _) => broken(&text, *width),
                    (_, true) => vec![cut(text, *width)],
                    _ => vec![text],
                }
            })
            .collect();
        let mut out = String::new();
        for nth in 0..parts.iter().map(Vec::len).max().unwrap_or(1).max(1) {
            let mut line = String::new();
            for (column, part) in parts.iter().enumerate() {
                let text = part.get(nth).map_or("", String::as_str);
                let blanks = " ".repeat(self.widths[column].saturating_sub(text.width()));
                let right = self.right.get(column).copied().unwrap_or_default();
                line.push_str(if right { &blanks } else { text });
                line.push_str(if right { text } else { &blanks });
                line.push_str(&" ".repeat(GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Cells come from platforms: they must not steer the terminal, and no line is longer for one of them
/// than a person would read.
fn visible(cell: &str) -> String {
    let mut text =
        sesame_core::scalar::printable(cell.get(..cell.floor_char_boundary(4 * LONGEST)).unwrap_or(cell));
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Cuts a text to a width, with a mark where it was cut.
fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += UnicodeWidthChar::width(c).unwrap_or_default();
        if used > width {
            break;
        }
        out.push(c);
    }
    out + "…"
}

/// Breaks a text between words where possible.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        if used > 0 && used + word.trim_end().width() > width {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let wide = c.to_string().width();
            if used > 0 && used + wide > width && c != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += wide;
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(rows: &Rows, terminal: Option<usize>) -> String {
        rows.grid(terminal).replace("\u{1b}[1m", "").replace("\u{1b}[0m", "")
    }

    #[test]
    fn columns_line_up_with_wide_characters() {
        let mut rows = Rows::new(&["id", "title", "price>"]);
        rows.push(["1", "铅笔", "1.20"]);
        rows.push(["1600", "pen", "10.00"]);
        assert_eq!(plain(&rows, None), "ID    TITLE  PRICE\n1     铅笔    1.20\n1600  pen    10.00\n");
    }

    #[test]
    fn a_narrow_terminal_breaks_the_wide_columns_between_words() {
        let mut rows = Rows::new(&["id", "title"]);
        rows.push(["17", "a pencil of wood 铅笔铅笔铅笔铅笔"]);
        let grid = plain(&rows, Some(16));
        assert_eq!(grid, "ID  TITLE\n17  a pencil of\n    wood\n    铅笔铅笔铅笔\n    铅笔\n");
        assert!(plain(&rows, Some(16)).lines().all(|line| line.width() <= 16));
        assert_eq!(plain(&rows, Some(400)), plain(&rows, None));
    }

    #[test]
    fn a_row_of_one_line_is_cut_to_the_width() {
        let mut rows = Rows::one_line(&["account", "state"]);
        rows.push(["star-gift61@seller.example", "healthy"]);
        rows.push(["铅笔铅笔铅笔铅笔铅笔", "healthy"]);
        assert_eq!(
            plain(&rows, Some(20)),
            "ACCOUNT      STATE\nstar-gift6…  healthy\n铅笔铅笔铅…  healthy\n"
        );
    }

    #[test]
    fn ids_and_numbers_are_cut_after_everything_else() {
        let mut rows = Rows::one_line(&["shop", "id", "title", "price>"]);
        rows.push(["my-shop", "3000000000000000001", "铅笔铅笔铅笔铅笔铅笔铅笔", "1234.50"]);
        assert_eq!(
            plain(&rows, Some(50)).lines().nth(1).unwrap(),
            "my-shop  3000000000000000001  铅笔铅笔铅…  1234.50"
        );
        for width in [12, 20, 33, 40, 50, 80] {
            assert!(plain(&rows, Some(width)).lines().all(|line| line.width() <= width), "{width}");
        }
    }

    #[test]
    fn later_rows_keep_the_widths_of_the_first() {
        let mut rows = Rows::new(&["id", "name"]);
        rows.push(["1", "pen"]);
        let layout = Layout::new(&rows, None);
        assert_eq!(layout.line(&["2".to_owned(), "a long name".to_owned()]), "2   a long name\n");
    }

    #[test]
    fn a_cell_without_end_is_cut() {
        let mut rows = Rows::new(&["a"]);
        rows.push(["中".repeat(5_000)]);
        assert!(plain(&rows, None).lines().all(|line| line.width() <= 2 * LONGEST + 1));
    }

    #[test]
    fn cells_cannot_steer_the_terminal() {
        let mut rows = Rows::new(&["title"]);
        rows.push(["a\u{1b}[31mred\nline"]);
        assert_eq!(plain(&rows, None), "TITLE\na\\u{1b}[31mred line\n");
    }
}
