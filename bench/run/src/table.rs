//! The report for a person.

use std::fmt::Write;

use load::{Cell, Work};

use crate::bounds::Outcome;
use crate::peer::Mode;
use crate::report::Report;
use crate::rounds::TOLERATED;

/// Everything measured as text; `all_bounds` also lists those that are met.
pub(crate) fn render(report: &Report, all_bounds: bool) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, report, all_bounds);
    out
}

fn write(out: &mut String, report: &Report, all_bounds: bool) -> std::fmt::Result {
    for cell in &report.cells {
        let Cell {
            work,
            size,
            connections,
            in_flight,
        } = cell.cell;
        let many = |what| {
            format!("{size} bytes{what}, {connections} connection(s), {in_flight} in flight")
        };
        let (about, unit) = match work {
            Work::Echo => (many(""), "msg"),
            Work::Json => (many(" of JSON, compressed"), "msg"),
            Work::Tls => (many(", TLS 1.3"), "msg"),
            Work::Fanout => (
                format!("{size} bytes to {connections} member(s) of a room, {in_flight} in flight"),
                "delivery",
            ),
            Work::Open => (
                format!("opening connections, {connections} at a time"),
                "open",
            ),
        };
        writeln!(out, "\n{}: {about}", cell.cell)?;
        let reference = format!("x {}", cell.reference);
        write!(
            out,
            "  {:<22} {:>15} {reference:>17} {:>16} {:>12} {:>10}",
            "server",
            format!("CPU ns/{unit}"),
            "95 %",
            format!("{unit}/s"),
            "bytes back"
        )?;
        let latency = cell.servers.iter().any(|server| server.latency.is_some());
        if latency {
            write!(out, " {:>8} {:>8}", "p50 ms", "p99 ms")?;
        }
        writeln!(out)?;
        for server in &cell.servers {
            let ratio = server.ratio;
            write!(
                out,
                "  {:<22} {:>15.0} {:>17.2} {:>16} {:>12.0} {:>10.0}",
                server.server.name,
                server.cpu_ns_per_message,
                ratio.median,
                format!("{:.2} to {:.2}", ratio.low, ratio.high),
                server.messages_per_second,
                server.bytes_per_message
            )?;
            if let Some(latency) = server.latency {
                write!(out, " {:>8.2} {:>8.2}", latency.median_ms, latency.p99_ms)?;
            }
            writeln!(out)?;
            if server.uncompressed > 0.0 {
                writeln!(
                    out,
                    "    {:.0} % of its messages were not compressed: it did less work",
                    server.uncompressed * 100.0
                )?;
            }
        }
    }
    for (mode, about) in [
        (Mode::Plain, ""),
        (Mode::Deflate, " that agreed on compression"),
    ] {
        let mut rows = report
            .idle
            .iter()
            .filter(|idle| idle.mode == mode)
            .peekable();
        if rows.peek().is_none() {
            continue;
        }
        writeln!(out, "\nresident bytes per idle connection{about}")?;
        writeln!(
            out,
            "  {:<20} {:>12} {:>12}",
            "server", "fresh", "after echo"
        )?;
        for idle in rows {
            let name = idle.server.name;
            writeln!(
                out,
                "  {name:<20} {:>12.0} {:>12.0}",
                idle.fresh, idle.after_echo
            )?;
        }
    }
    if !report.members.is_empty() {
        writeln!(out, "\nresident bytes per idle member of a room")?;
    }
    for member in &report.members {
        writeln!(out, "  {:<22} {:>12.0}", member.server.name, member.bytes)?;
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
    for (about, list) in [
        ("left out", &report.left_out),
        ("failures", &report.failures),
    ] {
        if !list.is_empty() {
            writeln!(out, "\n{about}")?;
        }
        for failure in list {
            writeln!(
                out,
                "  {} at {}: {}",
                failure.server, failure.during, failure.error
            )?;
        }
    }
    Ok(())
}
