//! Figures in the text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

use telsiz_hub::Distribution;

/// Figures in the text format of Prometheus.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// How often something took how long.
    Histogram,
}

impl Kind {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Exposition {
    /// What Prometheus reads.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// A figure that only rises.
    pub(super) fn counter(&mut self, name: &'static str, about: &'static str, value: impl Display) {
        self.begin(name, Kind::Counter, about);
        self.sample(name, &[], [], value);
    }

    /// A figure that rises and falls.
    pub(super) fn gauge(&mut self, name: &'static str, about: &'static str, value: impl Display) {
        self.begin(name, Kind::Gauge, about);
        self.sample(name, &[], [], value);
    }

    /// Figures that are told apart by labels. What these may be is known beforehand: none has to be
    /// escaped.
    pub(super) fn each<'v, const N: usize>(
        &mut self,
        name: &'static str,
        kind: Kind,
        about: &'static str,
        labels: &[&str; N],
        samples: impl Iterator<Item = ([&'v str; N], u64)>,
    ) {
        self.begin(name, kind, about);
        for (values, value) in samples {
            self.sample(name, labels, values, value);
        }
    }

    /// How often something took how long.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        about: &'static str,
        distribution: &Distribution,
    ) {
        self.begin(name, Kind::Histogram, about);
        let bounds = Distribution::BOUNDS.iter();
        let bounds = bounds.map(|micros| (*micros as f64 / 1e6).to_string());
        let mut count = 0;
        let bucket = format!("{name}_bucket");
        for (bound, more) in bounds.chain(["+Inf".into()]).zip(distribution.counts) {
            count += more;
            self.sample(&bucket, &["le"], [bound.as_str()], count);
        }
        let sum = distribution.sum.as_secs_f64();
        self.sample(&format!("{name}_sum"), &[], [], sum);
        self.sample(&format!("{name}_count"), &[], [], count);
    }

    fn begin(&mut self, name: &'static str, kind: Kind, about: &'static str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {about}");
        let _ = writeln!(self.0, "# TYPE {name} {}", kind.name());
    }

    fn sample<const N: usize>(
        &mut self,
        name: &str,
        labels: &[&str; N],
        values: [&str; N],
        value: impl Display,
    ) {
        self.0.push_str(name);
        for (index, (label, of)) in labels.iter().zip(values).enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{of}\"");
        }
        let end = if N == 0 { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_with_labels_and_without_read_so() {
        let mut exposition = Exposition::default();
        exposition.gauge("a", "Some.", 3);
        let samples = [(["x", "y"], 1), (["z", "y"], 2)];
        exposition.each(
            "b_total",
            Kind::Counter,
            "More.",
            &["p", "q"],
            samples.into_iter(),
        );
        let expected = "# HELP a Some.\n# TYPE a gauge\na 3\n\
                        # HELP b_total More.\n# TYPE b_total counter\n\
                        b_total{p=\"x\",q=\"y\"} 1\nb_total{p=\"z\",q=\"y\"} 2\n";
        assert_eq!(exposition.into_text(), expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let mut distribution = Distribution::default();
        distribution.counts[0] = 2;
        distribution.counts[3] = 5;
        distribution.counts[16] = 1;
        distribution.sum = Duration::from_millis(1_500);
        let mut exposition = Exposition::default();
        exposition.histogram("h_seconds", "Times.", &distribution);
        let text = exposition.into_text();
        for line in [
            "h_seconds_bucket{le=\"0.0001\"} 2",
            "h_seconds_bucket{le=\"0.0005\"} 2",
            "h_seconds_bucket{le=\"0.001\"} 7",
            "h_seconds_bucket{le=\"10\"} 7",
            "h_seconds_bucket{le=\"+Inf\"} 8",
            "h_seconds_sum 1.5",
            "h_seconds_count 8",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
