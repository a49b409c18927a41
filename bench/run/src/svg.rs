//! The chart: one row per cell and server, on a logarithmic axis with the server at 1 that the others are divided by.
//!
//! The background is transparent, and the colours of text and lines follow the scheme of the page around it.

use std::fmt::{self, Write};

use load::{Cell, Work};

use crate::peer::PEERS;
use crate::report::{CellReport, Name, Report, ServerReport};

const WIDTH: f64 = 900.0;
/// Where the axis begins and ends.
const LEFT: f64 = 190.0;
const RIGHT: f64 = WIDTH - 60.0;
const ROW: f64 = 12.0;
/// Between two cells.
const GAP: f64 = 14.0;
const LEGEND_ROW: f64 = 18.0;
const LEGEND_TOP: f64 = 58.0;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#24292f}\
    .title{font-size:15px;font-weight:600}.cell{font-weight:600}.dim,.value{fill:#6e7781}.value{font-size:9px}\
    .grid{stroke:#8c959f;stroke-opacity:.3}.one{stroke:#8c959f}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim,.value{fill:#9198a1}}";

/// The whole chart as an SVG document.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let names = names(report);
    let axis = Axis::of(report);
    let (legend, top) = legend(&names)?;
    let top = top + 2.0 * GAP;
    let height_of = |cell: &CellReport| rows(cell).count().max(1) as f64 * ROW + GAP;
    let bottom = top + report.cells.iter().map(height_of).sum::<f64>();
    let height = bottom + 12.0;

    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><style>{STYLE}</style>\
         <title>CPU time per message, relative to a bare epoll loop</title>\
         <text class=\"title\" x=\"12\" y=\"24\">CPU time per message: times that of a bare epoll loop; \
         compressed and under TLS: of telsiz</text>\
         <text class=\"dim\" x=\"12\" y=\"41\">median of the ratios within a round, rounds: {}, with 95 % interval; \
         further left is better</text>",
        report.rounds
    )?;
    out.push_str(&legend);
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let class = if tick == 1.0 { "one" } else { "grid" };
        writeln!(
            out,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text class=\"dim\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
            top - 5.0
        )?;
    }
    let mut y = top;
    for cell in &report.cells {
        let height = height_of(cell);
        label(out, cell, y + height / 2.0)?;
        for (index, server) in rows(cell).enumerate() {
            let y = y + GAP / 2.0 + (index as f64 + 0.5) * ROW;
            row(out, &axis, server, colour(server.server), y)?;
        }
        y += height;
        writeln!(
            out,
            "<line class=\"grid\" x1=\"12\" x2=\"{RIGHT}\" y1=\"{y}\" y2=\"{y}\"/>"
        )?;
    }
    out.push_str("</svg>\n");
    Ok(())
}

/// All servers of a cell but the first, which they are divided by.
fn rows(cell: &CellReport) -> impl Iterator<Item = &ServerReport> {
    cell.servers.iter().skip(1)
}

/// The servers of all cells, in the order of the first that has them.
fn names(report: &Report) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for server in report.cells.iter().flat_map(rows) {
        if !names.iter().any(|name| name.name == server.server.name) {
            names.push(server.server);
        }
    }
    names
}

fn colour(name: Name) -> &'static str {
    let peer = PEERS.iter().find(|peer| peer.name == name.name);
    peer.map_or("#868e96", |peer| peer.colour)
}

/// The legend, and where it ends.
fn legend(names: &[Name]) -> Result<(String, f64), fmt::Error> {
    let mut out = String::new();
    let (mut x, mut y) = (12.0, LEGEND_TOP);
    for name in names {
        let text = match name.version {
            Some(version) => format!("{} {version}", name.name),
            None => name.name.to_owned(),
        };
        let width = 34.0 + 6.2 * text.len() as f64;
        if x + width > WIDTH {
            x = 12.0;
            y += LEGEND_ROW;
        }
        writeln!(
            out,
            "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{text}</text>",
            x + 4.0,
            y + 5.0,
            colour(*name),
            x + 14.0,
            y + 9.0
        )?;
        x += width;
    }
    Ok((out, y + LEGEND_ROW))
}

fn label(out: &mut String, cell: &CellReport, y: f64) -> fmt::Result {
    let Cell {
        work,
        size: bytes,
        connections,
        in_flight,
    } = cell.cell;
    let many = if connections == 1 { "" } else { "s" };
    let (size, about) = (
        size(bytes),
        format!("{connections} connection{many}, {in_flight} in flight"),
    );
    let (title, about) = match work {
        Work::Echo => (size, about),
        Work::Json => (format!("{size} of JSON, compressed"), about),
        Work::Tls => (format!("{size}, TLS"), about),
        Work::Fanout => (
            format!("{size} to a room"),
            format!("{connections} member{many}, {in_flight} in flight"),
        ),
        Work::Open => (
            "opening connections".into(),
            format!("{connections} at a time"),
        ),
    };
    writeln!(
        out,
        "<text class=\"cell\" x=\"12\" y=\"{:.1}\">{title}</text>\
         <text class=\"dim\" x=\"12\" y=\"{:.1}\">{about}</text>",
        y - 2.0,
        y + 12.0
    )
}

fn size(bytes: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = KIB * KIB;
    match bytes {
        0 => "0 B".into(),
        _ if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes.is_multiple_of(KIB) => format!("{} KiB", bytes / KIB),
        _ => format!("{bytes} B"),
    }
}

fn row(out: &mut String, axis: &Axis, server: &ServerReport, colour: &str, y: f64) -> fmt::Result {
    let ratio = server.ratio;
    let [low, x, high] = [ratio.low, ratio.median, ratio.high].map(|ratio| axis.x(ratio));
    writeln!(
        out,
        "<g><title>{}: {:.2} ({:.2} to {:.2})</title>\
         <line x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2.5\" \
         stroke-opacity=\".55\"/><circle cx=\"{x:.1}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>\
         <text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{:.2}</text></g>",
        server.server.name,
        ratio.median,
        ratio.low,
        ratio.high,
        high.max(x + 4.0) + 4.0,
        y + 3.0,
        ratio.median
    )
}

/// A logarithmic axis.
struct Axis {
    min: f64,
    max: f64,
}

impl Axis {
    /// Wide enough for all intervals.
    fn of(report: &Report) -> Self {
        let mut axis = Self { min: 0.8, max: 2.0 };
        for server in report.cells.iter().flat_map(rows) {
            axis.min = axis.min.min(server.ratio.low * 0.95);
            axis.max = axis.max.max(server.ratio.high * 1.05);
        }
        axis
    }

    fn x(&self, ratio: f64) -> f64 {
        LEFT + (ratio / self.min).ln() / (self.max / self.min).ln() * (RIGHT - LEFT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        const TICKS: &[f64] = &[
            0.1, 0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0,
        ];
        let range = self.min..=self.max;
        TICKS
            .iter()
            .copied()
            .filter(move |tick| range.contains(tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_axis_is_logarithmic() {
        let axis = Axis {
            min: 1.0,
            max: 100.0,
        };
        assert!((axis.x(1.0) - LEFT).abs() < 1e-9);
        assert!((axis.x(10.0) - f64::midpoint(LEFT, RIGHT)).abs() < 1e-9);
        assert!((axis.x(100.0) - RIGHT).abs() < 1e-9);
    }

    #[test]
    fn a_chart_has_a_row_for_each_server_but_the_floor() {
        let servers: &[(_, &[f64])] = &[("floor", &[1.0]), ("telsiz", &[1.04]), ("yawc", &[20.0])];
        let chart = render(&report(load::Cell::new(128, 100, 16), servers));
        assert!(chart.contains("<title>telsiz: 1.04 (1.04 to 1.04)</title>"));
        assert!(chart.contains("<title>yawc: 20.00 (20.00 to 20.00)</title>"));
        assert!(!chart.contains("<title>floor"));
        assert_eq!(
            chart.matches("<svg").count(),
            chart.matches("</svg>").count()
        );
        assert_eq!(chart.matches("<g>").count(), chart.matches("</g>").count());
    }

    #[test]
    fn sizes_have_units() {
        let sizes = [20, 128, 1024, 16_384, 1_048_576].map(size);
        assert_eq!(sizes, ["20 B", "128 B", "1 KiB", "16 KiB", "1 MiB"]);
    }
}
