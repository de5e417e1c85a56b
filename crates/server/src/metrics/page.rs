//! The text format that Prometheus reads.

use std::fmt::{Display, Write as _};

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// Begins a metric that only counts up.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "counter", help)
    }

    /// Begins a metric that goes up and down.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "gauge", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> &mut Self {
        self.name = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        self
    }

    /// Gives the metric its value.
    pub(crate) fn value(&mut self, value: impl Display) {
        let name = self.name;
        self.line(format_args!("{name} {value}"));
    }

    /// Gives the metric a value for these labels, whose values need no escaping.
    pub(crate) fn labelled(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let (name, labels) = (self.name, labels.join(","));
        self.line(format_args!("{name}{{{labels}}} {value}"));
    }

    /// The page as it is sent.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing into memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_expects() {
        let mut page = Page::default();
        page.gauge("a", "What a is.").value(1);
        let b = page.counter("b_total", "What b is.");
        b.labelled(&[("code", "1013"), ("reason", "idle")], 2);
        b.labelled(&[("code", "1000"), ("reason", "normal")], 0);
        let expected = "# HELP a What a is.\n# TYPE a gauge\na 1\n# HELP b_total What b is.\n\
                        # TYPE b_total counter\nb_total{code=\"1013\",reason=\"idle\"} 2\n\
                        b_total{code=\"1000\",reason=\"normal\"} 0\n";
        assert_eq!(page.into_text(), expected);
    }
}
