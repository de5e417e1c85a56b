//! What was found, as tables and as JSON.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::bars::{BARS, Bar};
use crate::place::Place;
use crate::scenario::{Column, Outcome, Scenario};
use crate::stats::{Spread, ratios};
use crate::subject::{Role, Subject};

/// All rounds of one scenario.
pub(crate) struct Results {
    pub(crate) scenario: &'static Scenario,
    pub(crate) servers: Vec<Server>,
}

/// All rounds of one of those who take part.
pub(crate) struct Server {
    pub(crate) subject: Subject,
    /// What it has shown, or why it has not.
    pub(crate) rounds: Vec<Result<Outcome, String>>,
}

impl Server {
    fn figures(&self, key: &str) -> Vec<Option<f64>> {
        let figure = |round: &Result<Outcome, String>| round.as_ref().ok()?.figure(key);
        self.rounds.iter().map(figure).collect()
    }

    fn spread(&self, key: &str) -> Option<Spread> {
        Spread::of(&self.figures(key).into_iter().flatten().collect::<Vec<_>>())
    }

    fn load(&self) -> f64 {
        let loads = self.rounds.iter().flatten().map(|outcome| outcome.load);
        Spread::of(&loads.collect::<Vec<_>>()).map_or(0.0, |spread| spread.median)
    }

    /// Whether the load may be what was measured.
    pub(crate) fn is_load_busy(&self) -> bool {
        self.load() > BUSY
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.rounds.iter().find_map(|round| round.as_ref().err()).map(String::as_str)
    }
}

impl Results {
    fn server(&self, role: Role) -> Option<&Server> {
        self.servers.iter().find(|server| server.subject.role == role)
    }

    /// The table of this scenario: all who took part, and all figures.
    pub(crate) fn table(&self) -> String {
        let Scenario { name, about, columns, .. } = self.scenario;
        let mut text = format!("\n{name}: {about}\n\n| server |");
        for Column { title, .. } in *columns {
            text += &format!(" {title} | ratio |");
        }
        text += " load |\n|---|";
        text += &"---|---|".repeat(columns.len());
        text += "---|\n";
        for server in &self.servers {
            text += &format!("| {} |", server.subject.name);
            for Column { key, digits, .. } in *columns {
                let cell = server.spread(key).map_or_else(String::new, |one| shown(one, *digits));
                // Neighbours in time are divided: what slows the machine slows both.
                let ratio = ratios(&server.figures(key), &self.servers[0].figures(key));
                let ratio = Spread::of(&ratio).filter(|ratio| ratio.median.is_finite());
                let ratio = ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median));
                text += &format!(" {cell} | {ratio} |");
            }
            let mark = if server.is_load_busy() { ", load generator busy" } else { "" };
            text += &format!(" {:.0} %{mark} |\n", server.load() * 100.0);
            if let Some(failure) = server.failure() {
                text += &format!("\n{} failed: {failure}\n\n", server.subject.name);
            }
        }
        text
    }

    fn json(&self) -> Value {
        let servers = self.servers.iter().map(|server| {
            let rounds = server.rounds.iter().map(|round| match round {
                Err(failure) => json!({ "failed": failure }),
                Ok(Outcome { figures, load }) => {
                    let figures: serde_json::Map<_, _> = figures
                        .iter()
                        .map(|(key, figure)| ((*key).to_owned(), json!(figure)))
                        .collect();
                    json!({ "figures": figures, "load": load })
                }
            });
            json!({
                "name": server.subject.name,
                "rounds": rounds.collect::<Vec<_>>(),
                "load_generator_busy": server.is_load_busy(),
            })
        });
        json!({
            "name": self.scenario.name,
            "about": self.scenario.about,
            "servers": servers.collect::<Vec<_>>(),
        })
    }
}

/// The last table: every bar of what was measured.
pub(crate) fn bars(all: &[Results], place: &Place) -> (String, Value) {
    let mut text =
        "\n| what | ours, median (spread) | peer | ratio | bar | stretch | met? |\n".to_owned();
    text += "|---|---|---|---|---|---|---|\n";
    let mut json = Vec::new();
    let mut is_busy = false;
    for bar in BARS {
        let Some(results) = all.iter().find(|results| results.scenario.name == bar.scenario) else {
            continue;
        };
        let Some(ours) = results.server(bar.ours) else { continue };
        let peer = bar.against.and_then(|role| results.server(role));
        let found = bar.judge(
            &ours.figures(bar.figure),
            peer.map(|peer| peer.figures(bar.figure)).as_deref(),
            place.processors,
        );
        let column = results.scenario.columns.iter().find(|column| column.key == bar.figure);
        let (title, digits) = column.map_or(("", 2), |column| (column.title, column.digits));
        let cell =
            |spread: Option<Spread>| spread.map_or_else(String::new, |one| shown(one, digits));
        let against = bar.against.map_or_else(String::new, |role| match found.peer {
            Some(peer) => format!("{} {}", role.name(), shown(peer, digits)),
            None => format!("{}: not measured", role.name()),
        });
        let busy = ours.is_load_busy() || peer.is_some_and(Server::is_load_busy);
        is_busy |= busy;
        let ratio = found.ratio.filter(|ratio| ratio.is_finite());
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let want = |want: Option<crate::bars::Want>| {
            want.map_or_else(String::new, crate::bars::Want::text)
        };
        let name = if bar.ours == Role::Ours { "" } else { bar.ours.name() };
        let name = [bar.scenario, name].join(" ");
        text += &format!(
            "| {}: {title} | {} | {against} | {ratio} | {} | {} | {}{} |\n",
            name.trim(),
            cell(found.ours),
            want(bar.bar),
            want(bar.stretch),
            found.verdict.text(),
            if busy { " *" } else { "" },
        );
        json.push(as_json(bar, &found, busy));
    }
    if is_busy {
        text += "\n* load generator busy: it used more than 90 % of its processor for one of the two, so \
                 the figure may be its own limit and not the server's.\n";
    }
    (text, json.into())
}

fn as_json(bar: &Bar, found: &crate::bars::Found, busy: bool) -> Value {
    json!({
        "scenario": bar.scenario,
        "figure": bar.figure,
        "ours": bar.ours.name(),
        "against": bar.against.map(Role::name),
        "ours_median": found.ours.map(|ours| ours.median),
        "peer_median": found.peer.map(|peer| peer.median),
        "ratio": found.ratio,
        "bar": bar.bar.map(crate::bars::Want::text),
        "stretch": bar.stretch.map(crate::bars::Want::text),
        "met": found.verdict.text(),
        "load_generator_busy": busy,
    })
}

/// Where and when it was measured.
pub(crate) fn machine(place: &Place) -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "processor": cpu.map_or("unknown", |(_, name)| name),
        "processors": place.processors,
        "kernel": kernel.trim(),
        "congestion_control": place.congestion_control,
        "open_files": place.files,
        "commit": said("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        "date": said("date", &["--utc", "+%Y-%m-%dT%H:%M:%SZ"]),
        "caveats": place.caveats(),
    })
}

/// What a program prints, at the top of the checkout.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

pub(crate) fn json(all: &[Results], head: Value, bars: Value) -> Value {
    let mut report = head;
    report["scenarios"] = all.iter().map(Results::json).collect();
    report["bars"] = bars;
    report
}

/// Median and spread, with commas between thousands.
fn shown(Spread { median, low, high }: Spread, digits: usize) -> String {
    if low == high {
        return number(median, digits);
    }
    format!("{} ({}–{})", number(median, digits), number(low, digits), number(high, digits))
}

pub(crate) fn number(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut with_commas = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if left % 3 == 0 && index > 0 && !with_commas.ends_with('-') {
            with_commas.push(',');
        }
        with_commas.push(digit);
    }
    with_commas + fraction
}

/// From here on the load may be slower than what it measures.
const BUSY: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(number(1_234_567.4, 0), "1,234,567");
        assert_eq!(number(-123_456.0, 0), "-123,456");
        assert_eq!(number(999.5, 2), "999.50");
    }

    #[test]
    fn a_spread_is_shown_where_there_is_one() {
        let spread = |low| Spread { median: 2.0, low, high: 2.0 };
        assert_eq!(shown(spread(1.0), 1), "2.0 (1.0–2.0)");
        assert_eq!(shown(spread(2.0), 1), "2.0");
    }
}
