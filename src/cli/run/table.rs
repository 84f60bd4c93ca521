//! The table at the end of a run, and the one that is live while it runs. Pure.

use std::collections::BTreeMap;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::component::Role;
use crate::metrics::DropReason;
use crate::supervisor::{ComponentCounts, Totals};

use super::rates::{grouped, short, span};

/// Everything, once the run is over.
pub(super) fn final_table(totals: &Totals) -> String {
    let mut table = bare(&[
        "component",
        "tasks",
        "emitted",
        "acked",
        "failed",
        "p50",
        "p99",
        "busy",
        "blocked",
    ]);
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
            percent(counts, 0),
            percent(counts, 1),
        ]);
    }
    align(&mut table);
    let dropped: String = totals.components.iter().flat_map(dropped).collect();
    format!("{}{dropped}", table.trim_fmt())
}

/// A line for each reason for which a component's tuples were dropped before full inputs.
fn dropped(counts: &ComponentCounts) -> impl Iterator<Item = String> {
    let reasons = [DropReason::DropNewest, DropReason::DropOldest, DropReason::Shed];
    reasons.into_iter().filter_map(|reason| {
        let count = counts.counters.dropped(reason);
        let (name, reason) = (&counts.component, reason.as_str());
        (count > 0).then(|| {
            format!("\n{} tuples of {name} dropped at full inputs ({reason})", grouped(count))
        })
    })
}

/// A part of its tasks' time: busy, blocked, idle.
fn percent(counts: &ComponentCounts, part: usize) -> String {
    let time = counts.counters.time();
    time.map_or_else(|| "-".to_owned(), |parts| format!("{:.0} %", parts[part] * 100.0))
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

#[cfg(test)]
mod tests {
    use crate::metrics::{FailReason, TaskCounters, TaskSnapshot};

    use super::*;

    #[test]
    fn the_last_table_says_where_the_time_went_and_what_was_dropped() {
        let counters = TaskCounters::default();
        counters.count_dropped(DropReason::DropOldest, 1234);
        counters.count_failed(FailReason::Explicit);
        let counters =
            TaskSnapshot { busy_ns: 10, blocked_ns: 89, idle_ns: 1, ..counters.snapshot() };
        let (component, role) = ("lines".to_owned(), Role::Spout);
        let counts = ComponentCounts { component, role, tasks: 1, counters, time: Vec::new() };
        let table = final_table(&Totals { components: vec![counts], rss: 0 });
        let mut lines = table.lines();
        assert!(lines.next().unwrap().ends_with("busy  blocked"), "{table}");
        assert!(lines.next().unwrap().ends_with("10 %     89 %"), "{table}");
        let dropped = "1,234 tuples of lines dropped at full inputs (drop_oldest)";
        assert_eq!(lines.next(), Some(dropped), "{table}");
    }
}
