//! A page of sentences and tables, before anybody decides how it looks; figures as it writes them.

use crate::checks::figures;

/// A page.
pub(in crate::render) struct Page {
    pub title: String,
    pub lines: Vec<String>,
    pub sections: Vec<Section>,
}

/// A table with its title.
pub(in crate::render) struct Section {
    pub title: String,
    pub head: Vec<String>,
    /// By column: whether it holds numbers, which stand to the right.
    numbers: Vec<bool>,
    pub rows: Vec<Vec<String>>,
    pub notes: Vec<String>,
}

impl Section {
    /// An empty table. A column whose name begins with `#` holds numbers.
    pub fn new(title: impl Into<String>, head: &[&str]) -> Section {
        Section {
            title: title.into(),
            numbers: head.iter().map(|h| h.starts_with('#')).collect(),
            head: head
                .iter()
                .map(|h| h.trim_start_matches('#').to_owned())
                .collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Leaves out the columns of these names in which every row says nothing.
    pub fn slim(mut self, names: &[&str]) -> Section {
        let says = |cell: &String| cell != "0" && cell != NOTHING;
        let kept = |at: usize, name: &String| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(at));
            !names.contains(&name.as_str()) || cells.any(says)
        };
        let head = self.head.iter().enumerate();
        let kept: Vec<bool> = head.map(|(at, name)| kept(at, name)).collect();
        let strip = |row: &mut Vec<String>| {
            let mut keeps = kept.iter();
            row.retain(|_| keeps.next().is_none_or(|k| *k));
        };
        strip(&mut self.head);
        self.rows.iter_mut().for_each(strip);
        let mut keeps = kept.iter();
        self.numbers.retain(|_| keeps.next().is_none_or(|k| *k));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.notes.is_empty()
    }

    pub fn is_number(&self, column: usize) -> bool {
        self.numbers.get(column).copied().unwrap_or(false)
    }

    pub fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell_width(cell));
            }
        }
        widths
    }
}

pub(in crate::render) fn cell_width(cell: &str) -> usize {
    cell.chars().count()
}

/// What stands where a figure is not known.
pub(in crate::render) const UNKNOWN: &str = "?";

/// What stands where there is nothing to say.
pub(in crate::render) const NOTHING: &str = "-";

pub(in crate::render) fn known(value: Option<f64>, shape: fn(f64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), shape)
}

/// A delay; without bound where there is none.
pub(in crate::render) fn delay(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "no bound".to_owned(), figures::duration)
}

/// Money: whole from a hundred on, else with two decimals; nothing as `0`.
pub(in crate::render) fn money(amount: f64) -> String {
    match amount {
        0.0 => "0".to_owned(),
        small if small.abs() < 99.995 => format!("{small:.2}"),
        large if large < 0.0 => format!("-{}", figures::count(-large)),
        large => figures::count(large),
    }
}

/// A rate in calls a second.
pub(in crate::render) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        small if small < 0.01 => "<0.01".to_owned(),
        small if small < 9.995 => {
            let text = format!("{small:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        large => figures::count(large),
    }
}

/// Several names in a sentence: "`a`, `b` and 3 more".
pub(in crate::render) fn names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(4).map(|n| format!("`{n}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
