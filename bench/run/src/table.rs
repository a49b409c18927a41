//! The report for a person.

use std::fmt::Write;

use crate::bounds::Outcome;
use crate::report::Report;

/// The share of the processors that other programs may take before the figures come with a warning.
const TOLERATED: f64 = 0.03;

/// Everything measured as text; `all_bounds` also lists those that are met.
pub(crate) fn render(report: &Report, all_bounds: bool) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, report, all_bounds);
    out
}

fn write(out: &mut String, report: &Report, all_bounds: bool) -> std::fmt::Result {
    for cell in &report.cells {
        writeln!(
            out,
            "\n{} bytes, {} connection(s), {} in flight",
            cell.cell.size, cell.cell.connections, cell.cell.in_flight
        )?;
        writeln!(
            out,
            "  {:<20} {:>12} {:>9} {:>16} {:>12}",
            "server", "CPU ns/msg", "x floor", "95 %", "msg/s"
        )?;
        for server in &cell.servers {
            let ratio = server.ratio;
            writeln!(
                out,
                "  {:<20} {:>12.0} {:>9.2} {:>16} {:>12.0}",
                server.server.name,
                server.cpu_ns_per_message,
                ratio.median,
                format!("{:.2} to {:.2}", ratio.low, ratio.high),
                server.messages_per_second
            )?;
        }
    }
    if !report.idle.is_empty() {
        writeln!(out, "\nresident bytes per idle connection")?;
        writeln!(
            out,
            "  {:<20} {:>12} {:>12}",
            "server", "fresh", "after echo"
        )?;
        for idle in &report.idle {
            let name = idle.server.name;
            writeln!(
                out,
                "  {name:<20} {:>12.0} {:>12.0}",
                idle.fresh, idle.after_echo
            )?;
        }
    }
    if report.others > TOLERATED {
        writeln!(
            out,
            "\nother programs took {:.0} % of the two processors meanwhile: do not trust these figures, least of all \
             those of one connection",
            report.others * 100.0
        )?;
    }
    let shown = |outcome: Outcome| all_bounds || outcome == Outcome::Missed;
    let mut verdicts = report
        .verdicts
        .iter()
        .filter(|v| shown(v.outcome))
        .peekable();
    if verdicts.peek().is_some() {
        writeln!(out, "\nbounds")?;
    }
    for verdict in verdicts {
        writeln!(out, "  {:<13} {}", verdict.outcome.word(), verdict.text)?;
    }
    if !report.failures.is_empty() {
        writeln!(out, "\nfailures")?;
    }
    for failure in &report.failures {
        writeln!(
            out,
            "  {} at {}: {}",
            failure.server, failure.during, failure.error
        )?;
    }
    Ok(())
}
