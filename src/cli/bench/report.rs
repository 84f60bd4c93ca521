//! Results as tables. Pure.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::cases::CASES;
use super::figures::{Figure, Spread, gain};
use super::saved::Results;

/// What there is to run.
pub(super) fn list() -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for case in CASES {
        let usual = if case.usual { "*" } else { "" };
        table.add_row([case.name, usual, case.about]);
    }
    format!("{}\n\n* run where no case is named\n", table.trim_fmt())
}

/// The median of each figure, a line for each case; the columns are those that were measured.
pub(super) fn table(results: &Results) -> String {
    let columns: Vec<Figure> = Figure::ALL
        .into_iter()
        .filter(|figure| {
            let mut runs = results.cases.iter().flat_map(|case| &case.runs);
            runs.any(|sample| sample.contains_key(figure))
        })
        .collect();
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let titles = columns.iter().map(|figure| figure.title().to_owned());
    table.set_header(["case".to_owned()].into_iter().chain(titles));
    for case in &results.cases {
        let cells = columns.iter().map(|figure| match Spread::over(&case.runs, *figure) {
            Some(spread) => number(spread.median),
            None => "-".to_owned(),
        });
        table.add_row([case.case.clone()].into_iter().chain(cells));
    }
    align(&mut table, columns.len());
    format!("{}\n", table.trim_fmt())
}

/// By how much this is better than the other, a line for each figure of each case.
pub(super) fn comparison(this: &Results, other: &Results) -> String {
    const COLUMNS: usize = 5;
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let better = "better by (spread)";
    table.set_header(["case", "figure", "this", "other", better]);
    for case in &this.cases {
        let others = other.runs(&case.case);
        for figure in Figure::ALL {
            let (Some(ours), Some(theirs)) =
                (Spread::over(&case.runs, figure), Spread::over(others, figure))
            else {
                continue;
            };
            let better = gain(&case.runs, others, figure).map_or_else(
                || "-".to_owned(),
                |gain| format!("{:.2} ({:.2}–{:.2})", gain.median, gain.least, gain.greatest),
            );
            table.add_row([
                case.case.clone(),
                figure.title().to_owned(),
                number(ours.median),
                number(theirs.median),
                better,
            ]);
        }
    }
    align(&mut table, COLUMNS - 1);
    format!("{}\n", table.trim_fmt())
}

/// Columns of numbers stand to the right.
fn align(table: &mut Table, numbers: usize) {
    for column in 1..=numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Three digits or more: 2,013,000; 147; 0.94.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 1000.0 {
        return format!("{value:.0}");
    }
    let step = 10_f64.powf(value.log10().floor() - 3.0).max(1.0);
    let digits = format!("{:.0}", (value / step).round() * step);
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::figures::Sample;

    fn results(rate: f64) -> Results {
        let mut results = Results::new("galewire".to_owned());
        results.add("pass", Sample::from([(Figure::Rate, rate), (Figure::Memory, 61.4)]));
        results.add("latency-10k", Sample::from([(Figure::P99, 426.0)]));
        results
    }

    #[test]
    fn numbers_have_about_four_digits() {
        let numbers = [0.944, 12.3, 999.4, 2_013_497.0, 1000.0, 31_557.0].map(number);
        assert_eq!(numbers, ["0.94", "12", "999", "2,013,000", "1,000", "31,560"]);
    }

    #[test]
    fn a_table_has_the_columns_that_were_measured() {
        let text = table(&results(4_000_000.0));
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(lines[0]), ["case", "messages/s", "p99", "µs", "memory", "MiB"]);
        assert_eq!(words(lines[1]), ["pass", "4,000,000", "-", "61"]);
        assert_eq!(words(lines[2]), ["latency-10k", "-", "426", "-"]);
    }

    #[test]
    fn a_comparison_says_by_how_much_this_is_better() {
        let text = comparison(&results(4e6), &results(2e6));
        let line = text.lines().nth(1).unwrap();
        assert!(line.ends_with("2.00 (2.00–2.00)"), "{text}");
        assert!(text.contains("1.00 (1.00–1.00)"), "{text}");
    }
}
