//! The table at the end of a run, and the one that is live while it runs. Pure.

use std::collections::BTreeMap;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::component::Role;
use crate::supervisor::{ComponentCounts, Totals};

use super::rates::{grouped, short, span};

/// Everything, once the run is over.
pub(super) fn final_table(totals: &Totals) -> String {
    let mut table = bare(&["component", "tasks", "emitted", "acked", "failed", "p50", "p99"]);
    for counts in &totals.components {
        let counters = &counts.counters;
        table.add_row([
            counts.component.clone(),
            counts.tasks.to_string(),
            grouped(counters.emitted),
            grouped(counters.acked),
            grouped(counters.failed),
            quantile(counts, 0.5),
            quantile(counts, 0.99),
        ]);
    }
    align(&mut table);
    table.trim_fmt()
}

/// What goes on at the moment.
pub(super) fn live_table(totals: &Totals, rates: &BTreeMap<String, f64>) -> String {
    let mut table =
        bare(&["component", "tasks", "tuples/s", "emitted", "acked", "failed", "pending", "p99"]);
    for counts in &totals.components {
        let counters = &counts.counters;
        table.add_row([
            counts.component.clone(),
            counts.tasks.to_string(),
            rates.get(&counts.component).map_or_else(|| "-".to_owned(), |rate| short(*rate)),
            grouped(counters.emitted),
            grouped(counters.acked),
            grouped(counters.failed),
            grouped(counters.pending),
            quantile(counts, 0.99),
        ]);
    }
    align(&mut table);
    table.trim_fmt()
}

/// One line for a log file.
pub(super) fn plain_line(totals: &Totals, rates: &BTreeMap<String, f64>) -> String {
    let parts = totals.components.iter().map(|counts| {
        let count = super::rates::throughput(counts);
        let rate = rates.get(&counts.component).copied().unwrap_or(0.0);
        let failed = match counts.counters.failed {
            0 => String::new(),
            failed => format!(", {} failed", grouped(failed)),
        };
        format!("{} {} ({}/s{failed})", counts.component, grouped(count), short(rate))
    });
    parts.collect::<Vec<_>>().join("  ")
}

/// A sentence about what the spouts gave out.
pub(super) fn summary(totals: &Totals, seconds: f64) -> String {
    let spouts = totals.components.iter().filter(|counts| counts.role == Role::Spout);
    let (mut acked, mut emitted, mut failed, mut replayed, mut dead) = (0, 0, 0, 0, 0);
    for counts in spouts {
        acked += counts.counters.acked;
        emitted += counts.counters.emitted;
        failed += counts.counters.failed;
        replayed += counts.counters.replayed;
        dead += counts.counters.dead_letters;
    }
    let fresh = emitted.saturating_sub(replayed);
    let rate = fresh as f64 / seconds.max(1e-3);
    let dead = match dead {
        0 => String::new(),
        dead => format!(", {} given up as dead letters", grouped(dead)),
    };
    let noun = if fresh == 1 { "message" } else { "messages" };
    format!(
        "{} {noun} in {seconds:.1} s ({}/s), {} acked, {} failed, {} replayed{dead}",
        grouped(fresh),
        short(rate),
        grouped(acked),
        grouped(failed),
        grouped(replayed),
    )
}

fn quantile(counts: &ComponentCounts, part: f64) -> String {
    counts.counters.latency.quantile(part).map_or_else(|| "-".to_owned(), span)
}

fn bare(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header.iter().copied());
    table
}

fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
