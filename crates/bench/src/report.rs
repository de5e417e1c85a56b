//! What was found, as tables and as JSON.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::bars::{BARS, Bar, Found, Want};
use crate::place::{Place, Share};
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

    /// What the load had of its processor, in the middle of the rounds.
    fn share(&self, part: impl Fn(Share) -> f64) -> f64 {
        let shares = self.rounds.iter().flatten().map(|outcome| part(outcome.share));
        Spread::of(&shares.collect::<Vec<_>>()).map_or(0.0, |spread| spread.median)
    }

    /// Whether the load may be what was measured.
    fn is_load_busy(&self) -> bool {
        self.share(|share| share.used) > BUSY
    }

    /// Whether other programs have been in the way.
    fn is_disturbed(&self) -> bool {
        self.share(|share| share.waited) > DISTURBED
    }

    fn marks(&self) -> Vec<&'static str> {
        let mut marks = Vec::new();
        if self.is_load_busy() {
            marks.push("load generator busy");
        }
        if self.is_disturbed() {
            marks.push("disturbed by other programs");
        }
        marks
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
            let load = format!("{:.0} %", server.share(|share| share.used) * 100.0);
            let cells: Vec<_> = std::iter::once(load.as_str()).chain(server.marks()).collect();
            text += &format!(" {} |\n", cells.join(", "));
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
                Ok(Outcome { figures, share }) => {
                    let figures: serde_json::Map<_, _> = figures
                        .iter()
                        .map(|(key, figure)| ((*key).to_owned(), json!(figure)))
                        .collect();
                    json!({ "figures": figures, "load_used": share.used, "load_waited": share.waited })
                }
            });
            json!({
                "name": server.subject.name,
                "rounds": rounds.collect::<Vec<_>>(),
                "marks": server.marks(),
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
    let mut all_marks = BTreeSet::new();
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
        let marks: BTreeSet<_> =
            [Some(ours), peer].into_iter().flatten().flat_map(Server::marks).collect();
        all_marks.extend(marks.iter().copied());
        let ratio = found.ratio.filter(|ratio| ratio.is_finite());
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let want = |want: Option<Want>| want.map_or_else(String::new, Want::text);
        let name = if bar.ours == Role::Ours { "" } else { bar.ours.name() };
        let name = [bar.scenario, name].join(" ");
        text += &format!(
            "| {}: {title} | {} | {against} | {ratio} | {} | {} | {}{} |\n",
            name.trim(),
            cell(found.ours),
            want(bar.bar),
            want(bar.stretch),
            found.verdict.text(),
            marks.iter().map(|mark| format!(" {}", sign(mark))).collect::<String>(),
        );
        json.push(as_json(bar, &found, &marks));
    }
    for mark in all_marks {
        text += &format!("\n{} {mark}: {}\n", sign(mark), meaning(mark));
    }
    (text, json.into())
}

fn as_json(bar: &Bar, found: &Found, marks: &BTreeSet<&str>) -> Value {
    json!({
        "scenario": bar.scenario,
        "figure": bar.figure,
        "ours": bar.ours.name(),
        "against": bar.against.map(Role::name),
        "ours_median": found.ours.map(|ours| ours.median),
        "peer_median": found.peer.map(|peer| peer.median),
        "ratio": found.ratio,
        "bar": bar.bar.map(Want::text),
        "stretch": bar.stretch.map(Want::text),
        "met": found.verdict.text(),
        "marks": marks,
    })
}

fn sign(mark: &str) -> &'static str {
    if mark.starts_with("load") { "*" } else { "†" }
}

fn meaning(mark: &str) -> &'static str {
    if mark.starts_with("load") {
        "it used more than 90 % of its processor for one of the two, so the figure may be its own limit \
         and not the server's."
    } else {
        "for more than 3 % of the time something else ran on the load's processor, so the figure says \
         little; measure on a machine that does nothing else."
    }
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
/// From here on others may be what was measured.
const DISTURBED: f64 = 0.03;

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
