//! What Prometheus is told.

use telsiz_hub::{EngineFigures, Figures, Publishing};

pub(crate) use self::exposition::Exposition;
use self::exposition::Kind;
use self::process::Process;
use crate::connections::AppFigures;
use crate::rules::Site;
use crate::traffic::Counts;

mod exposition;
mod process;

/// All figures of a server. It asks the operating system, and may take a while.
pub(crate) fn all(site: &Site) -> Exposition {
    let mut told = Exposition::default();
    of_server(&mut told, site);
    of_apps(&mut told, site);
    of_limits(&mut told, site);
    let figures = site.rooms.hub().figures();
    of_rooms(&mut told, &figures);
    of_engine(&mut told, &figures.engine);
    if let Some(process) = Process::ask() {
        of_process(&mut told, &process);
    }
    told
}

fn of_server(told: &mut Exposition, site: &Site) {
    let version = env!("CARGO_PKG_VERSION");
    told.each(
        "telsiz_build_info",
        Kind::Gauge,
        "Which version runs; always 1.",
        &["version"],
        [([version], 1)].into_iter(),
    );
    let is_ready = site.readiness.reasons(site.rooms.hub()).is_empty();
    told.gauge(
        "telsiz_ready",
        "Whether the server can do its work, as /ready says: 1 or 0.",
        u64::from(is_ready),
    );
}

/// What is told of each app.
type OfApp = (
    &'static str,
    Kind,
    &'static str,
    fn(&AppFigures<'_>, Counts) -> u64,
);

const OF_APPS: [OfApp; 6] = [
    (
        "telsiz_connections",
        Kind::Gauge,
        "Open WebSockets.",
        |app, _| app.open as u64,
    ),
    (
        "telsiz_connections_accepted_total",
        Kind::Counter,
        "WebSockets that were accepted.",
        |app, _| app.accepted,
    ),
    (
        "telsiz_messages_received_total",
        Kind::Counter,
        "Messages that clients sent.",
        |_, counts| counts.received,
    ),
    (
        "telsiz_received_bytes_total",
        Kind::Counter,
        "Bytes of the messages that clients sent, without frames and compression.",
        |_, counts| counts.received_bytes,
    ),
    (
        "telsiz_messages_sent_total",
        Kind::Counter,
        "Messages that went out to clients.",
        |_, counts| counts.sent,
    ),
    (
        "telsiz_sent_bytes_total",
        Kind::Counter,
        "Bytes of the messages that went out to clients, without frames and compression.",
        |_, counts| counts.sent_bytes,
    ),
];

fn of_apps(told: &mut Exposition, site: &Site) {
    let apps = site.connections.by_app();
    let apps: Vec<_> = apps.map(|app| (app, app.traffic.counts())).collect();
    for (name, kind, about, read) in OF_APPS {
        let samples = apps
            .iter()
            .map(|(app, counts)| ([app.app], read(app, *counts)));
        told.each(name, kind, about, &["app"], samples);
    }
    let slow = apps.iter().flat_map(|(app, _)| {
        let counts = app.traffic.slow_counts();
        counts.map(|(cause, count)| ([app.app, cause], count))
    });
    told.each(
        "telsiz_slow_consumers_total",
        Kind::Counter,
        "Connections that were closed because they read too slowly.",
        &["app", "cause"],
        slow,
    );
}

fn of_limits(told: &mut Exposition, site: &Site) {
    let connections = &site.connections;
    told.each(
        "telsiz_handshakes_refused_total",
        Kind::Counter,
        "Connections that became no WebSocket, but those that hit a limit.",
        &["reason"],
        connections
            .refused()
            .counts()
            .map(|(reason, count)| ([reason], count)),
    );
    told.each(
        "telsiz_close_codes_total",
        Kind::Counter,
        "How WebSockets ended: the codes of Close frames; none if there was no such frame.",
        &["direction", "code"],
        connections.closes().counts(),
    );
    let hit = connections.limits_hit().counts();
    told.each(
        "telsiz_limits_hit_total",
        Kind::Counter,
        "Limits that clients hit.",
        &["limit"],
        hit.map(|(limit, count)| ([limit.name()], count)),
    );
}

fn of_rooms(told: &mut Exposition, figures: &Figures) {
    told.gauge("telsiz_rooms", "Rooms that somebody is in.", figures.rooms);
    told.gauge(
        "telsiz_room_members",
        "Connections in rooms, counted in each.",
        figures.members,
    );
    let publishing = Publishing::ALL.map(|outcome| match outcome {
        Publishing::Stored => "stored",
        Publishing::Repeated => "repeated",
        Publishing::Forbidden => "forbidden",
        Publishing::TooLarge => "too_large",
        Publishing::Busy => "busy",
        Publishing::Failed => "failed",
    });
    told.each(
        "telsiz_publications_total",
        Kind::Counter,
        "What became of what was to be published in rooms.",
        &["outcome"],
        publishing
            .map(|outcome| [outcome])
            .into_iter()
            .zip(figures.publishing),
    );
    told.histogram(
        "telsiz_delivery_lag_seconds",
        "Time from when a publication was stored until a worker had delivered it to all its members, at most.",
        &figures.delivery,
    );
    told.counter(
        "telsiz_publications_read_again_total",
        "Publications that workers read from logs, because they did not keep up.",
        figures.read_again,
    );
    told.gauge(
        "telsiz_delivery_queue_bytes",
        "What waits to be delivered to members of rooms.",
        figures.waiting,
    );
    told.gauge(
        "telsiz_delivery_queue_age_seconds",
        "For how long the oldest of that has waited.",
        figures.oldest.as_secs_f64(),
    );
}

fn of_engine(told: &mut Exposition, engine: &EngineFigures) {
    told.gauge(
        "telsiz_engine_queue_length",
        "Publications that wait to be stored.",
        engine.queue,
    );
    told.gauge(
        "telsiz_engine_queue_limit",
        "Publications that may wait to be stored; 0 where none has to.",
        engine.queue_limit,
    );
    told.counter(
        "telsiz_engine_commits_total",
        "Commits of publications to the disk.",
        engine.commits,
    );
    told.counter(
        "telsiz_engine_publications_total",
        "Publications that were stored; with a commit there are usually many.",
        engine.stored,
    );
    told.counter(
        "telsiz_engine_failures_total",
        "Commits that failed.",
        engine.failed,
    );
    told.histogram(
        "telsiz_publish_durable_seconds",
        "Time until a publication was stored as durably as was asked for.",
        &engine.durable,
    );
}

fn of_process(told: &mut Exposition, process: &Process) {
    told.gauge(
        "process_resident_memory_bytes",
        "Memory of the process.",
        process.resident,
    );
    told.counter(
        "process_cpu_seconds_total",
        "Time that processors worked for the process.",
        process.cpu,
    );
    told.gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        process.started,
    );
    if let Some(files) = process.files {
        told.gauge(
            "process_open_fds",
            "Files and sockets that are open.",
            files,
        );
    }
    if let Some(limit) = process.files_limit {
        told.gauge(
            "process_max_fds",
            "Files and sockets that may be open.",
            limit,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use super::*;
    use crate::testing;

    fn docs(name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        root.join("../../docs").join(name)
    }

    /// What is told of figures that share a name.
    struct Family {
        name: String,
        about: String,
        kind: String,
        labels: Vec<String>,
    }

    /// What is told, read from the exposition.
    fn families() -> Vec<Family> {
        let told = all(&testing::site()).into_text();
        let (mut families, mut lines) = (Vec::new(), told.lines());
        while let Some(line) = lines.next() {
            let Some(about) = line.strip_prefix("# HELP ") else {
                continue;
            };
            let (name, about) = about.split_once(' ').expect("a text");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let (of, kind) = kind.and_then(|kind| kind.split_once(' ')).expect("a kind");
            assert_eq!(of, name);
            let sample = lines.next().expect("a sample");
            let labels = sample.split_once('{').map_or("", |(_, labels)| labels);
            let labels = labels
                .split(['{', ','])
                .filter_map(|label| label.split_once('='));
            families.push(Family {
                name: name.to_owned(),
                about: about.to_owned(),
                kind: kind.to_owned(),
                labels: labels
                    .map(|(label, _)| label.to_owned())
                    .filter(|label| label != "le")
                    .collect(),
            });
        }
        families
    }

    /// The page about the figures.
    fn page() -> String {
        let mut page = "# Figures\n\n\
            `GET /metrics` tells these, in the text format of Prometheus. \
            [grafana.json](grafana.json) is a dashboard for them.\n\n\
            | name | kind | labels | what it tells |\n| --- | --- | --- | --- |\n"
            .to_owned();
        for family in families() {
            let Family {
                name, about, kind, ..
            } = &family;
            let labels = family.labels.join(", ");
            let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {about} |");
        }
        page.push_str(
            "\nNothing is told of single rooms, users or connections: there may be any number of them. \
             `GET /api/connections` lists connections.\n\n\
             What counts here is what apps say and hear. A message to a thousand connections is a \
             thousand messages that were sent. The delivery lag is taken once for all that a worker \
             delivers together, of the oldest of it. Times in memory (`--memory`) are 0: what is \
             published there is stored at once.\n",
        );
        page
    }

    #[tokio::test]
    async fn the_page_about_figures_says_what_there_is() {
        let (path, page) = (docs("metrics.md"), page());
        if env::var_os("TELSIZ_RENEW").is_some() {
            fs::write(&path, &page).expect("written");
        }
        let known = fs::read_to_string(&path).expect("docs/metrics.md");
        assert_eq!(
            known, page,
            "renew it with TELSIZ_RENEW=1 cargo test -p telsiz-server the_page_about_figures"
        );
    }

    #[tokio::test]
    async fn names_follow_the_habits_of_prometheus() {
        let mut names = BTreeSet::new();
        for Family {
            name, about, kind, ..
        } in families()
        {
            assert!(names.insert(name.clone()), "{name} comes twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            let is_ours = name.starts_with("telsiz_") || name.starts_with("process_");
            assert!(is_ours && about.ends_with('.'), "{name}");
            assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        }
        assert!(names.len() > 25, "{names:?}");
    }

    #[tokio::test]
    async fn the_dashboard_shows_what_there_is() {
        let text = fs::read_to_string(docs("grafana.json")).expect("docs/grafana.json");
        let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let told = all(&testing::site()).into_text();
        let samples: BTreeSet<_> = told
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut shown = BTreeSet::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().expect("a query");
                let words = query.split(|letter| !is_part(letter));
                let names = words
                    .filter(|word| word.starts_with("telsiz_") || word.starts_with("process_"));
                shown.extend(names.map(str::to_owned));
            }
        }
        for name in &shown {
            assert!(samples.contains(&**name), "{name} is not told");
        }
        assert!(shown.len() > 20, "{shown:?}");
    }
}
