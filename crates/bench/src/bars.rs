//! What is to be reached: the bars as data, and whether they are.

use crate::stats::{Spread, ratios};
use crate::subject::Role;

/// One line of the last table.
pub(crate) struct Bar {
    pub(crate) scenario: &'static str,
    /// The key of one of the scenario's columns.
    pub(crate) figure: &'static str,
    pub(crate) ours: Role,
    pub(crate) against: Option<Role>,
    /// Nothing where a figure is only told.
    pub(crate) bar: Option<Want>,
    pub(crate) stretch: Option<Want>,
    /// With how many processors this can be told.
    pub(crate) processors: usize,
}

/// Of the ratio to the peer, or of the figure itself where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Want {
    AtLeast(f64),
    AtMost(f64),
}

/// What the rounds have shown of one bar.
pub(crate) struct Found {
    pub(crate) ours: Option<Spread>,
    pub(crate) peer: Option<Spread>,
    pub(crate) ratio: Option<f64>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Stretch,
    Met,
    NotMet,
    /// Too few processors.
    NotHere,
    /// One of them did not run, or failed.
    NotMeasured,
    NoBar,
}

impl Bar {
    /// Judges figures, round by round; a round that failed has none.
    pub(crate) fn judge(
        &self,
        ours: &[Option<f64>],
        peer: Option<&[Option<f64>]>,
        processors: usize,
    ) -> Found {
        let spread = |figures: &[Option<f64>]| {
            Spread::of(&figures.iter().flatten().copied().collect::<Vec<_>>())
        };
        let ratio = peer.and_then(|peer| Some(Spread::of(&ratios(ours, peer))?.median));
        let ours = spread(ours);
        let figure = if self.against.is_some() { ratio } else { ours.map(|ours| ours.median) };
        let verdict = match (self.bar, figure) {
            (None, _) => Verdict::NoBar,
            (Some(_), None) => Verdict::NotMeasured,
            (Some(_), Some(_)) if processors < self.processors => Verdict::NotHere,
            (Some(bar), Some(figure)) => match self.stretch {
                Some(stretch) if stretch.is_met_by(figure) => Verdict::Stretch,
                _ if bar.is_met_by(figure) => Verdict::Met,
                _ => Verdict::NotMet,
            },
        };
        Found { ours, peer: peer.and_then(spread), ratio, verdict }
    }
}

impl Want {
    fn is_met_by(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {bound}"),
            Self::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

impl Verdict {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Stretch => "yes, stretch too",
            Self::Met => "yes",
            Self::NotMet => "no",
            Self::NotHere => "cannot be told here",
            Self::NotMeasured => "not measured",
            Self::NoBar => "",
        }
    }
}

const fn against(scenario: &'static str, figure: &'static str, peer: Role, bar: Want) -> Bar {
    Bar { against: Some(peer), ..alone(scenario, figure, bar) }
}

const fn alone(scenario: &'static str, figure: &'static str, bar: Want) -> Bar {
    let bar = Some(bar);
    Bar { scenario, figure, ours: Role::Ours, against: None, bar, stretch: None, processors: 2 }
}

const fn told(scenario: &'static str, figure: &'static str, against: Option<Role>) -> Bar {
    Bar { against, bar: None, ..alone(scenario, figure, AtLeast(0.0)) }
}

impl Bar {
    const fn stretch(self, stretch: Want) -> Self {
        Self { stretch: Some(stretch), ..self }
    }
}

use Want::{AtLeast, AtMost};

/// All of them. The figures of peers are those of the same run.
pub(crate) const BARS: &[Bar] = &[
    against("fanout", "rate", Role::Bun, AtLeast(1.0)).stretch(AtLeast(1.15)),
    against("fanout", "rate", Role::Bare, AtLeast(0.93)).stretch(AtLeast(1.05)),
    told("fanout", "rate", Some(Role::Ws)),
    against("fanout-16", "rate", Role::Bun, AtLeast(1.0)).stretch(AtLeast(1.2)),
    against("fanout-16", "rate", Role::Bare, AtLeast(0.93)).stretch(AtLeast(1.05)),
    against("fanout-5000", "rate", Role::Bun, AtLeast(1.0)).stretch(AtLeast(1.15)),
    against("fanout-5000", "rate", Role::Bare, AtLeast(0.93)).stretch(AtLeast(1.05)),
    against("channels", "rate", Role::Bun, AtLeast(1.0)).stretch(AtLeast(1.1)),
    against("channels", "rate", Role::Bare, AtLeast(0.93)).stretch(AtLeast(1.05)),
    told("huge", "rate", Some(Role::Bun)),
    against("durable", "cpu", Role::Memory, AtMost(1.3)).stretch(AtMost(1.1)),
    Bar {
        ours: Role::TwoThreads,
        processors: 3,
        ..against("cores", "rate", Role::Ours, AtLeast(1.7)).stretch(AtLeast(1.9))
    },
    Bar { ours: Role::TwoThreads, ..told("cores", "cpu", Some(Role::Ours)) },
    Bar { ours: Role::TwoThreads, ..told("cores", "balance", None) },
    Bar { ours: Role::Tls, ..against("tls", "rate", Role::Ours, AtLeast(0.5)) },
    against("latency", "p99", Role::Bun, AtMost(1.0)).stretch(AtMost(0.85)),
    alone("overload", "missing", AtMost(0.0)),
    against("overload", "p99", Role::Bun, AtMost(1.0)).stretch(AtMost(0.9)),
    alone("neighbour", "p99", AtMost(4.0)).stretch(AtMost(2.0)),
    told("neighbour", "p99", Some(Role::Bun)),
    alone("stalled", "p99", AtMost(1.0)).stretch(AtMost(0.5)),
    alone("stalled", "growth", AtMost(5.0)).stretch(AtMost(1.0)),
    told("stalled", "p99", Some(Role::Bun)),
    told("stalled", "growth", Some(Role::Bun)),
    told("slow", "p99", Some(Role::Bun)),
    alone("memory", "idle", AtMost(2.0)).stretch(AtMost(1.0)),
    alone("memory", "joined", AtMost(4.0)).stretch(AtMost(2.0)),
    told("memory", "idle", Some(Role::Bun)),
    against("connects", "cpu", Role::Bun, AtMost(1.25)).stretch(AtMost(1.0)),
    told("presence", "joins", None),
    told("presence", "server", None),
    told("resume", "seconds", None),
    told("resume", "cpu", None),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    const RATE: Bar = against("fanout", "rate", Role::Bun, AtLeast(1.0)).stretch(AtLeast(1.2));

    #[test]
    fn a_ratio_is_judged_by_its_rounds() {
        let verdict = |ours: &[Option<f64>], processors| {
            RATE.judge(ours, Some(&[Some(100.0), Some(50.0), Some(10.0)]), processors).verdict
        };
        assert_eq!(verdict(&[Some(90.0), Some(55.0), Some(11.0)], 2), Verdict::Met);
        assert_eq!(verdict(&[Some(120.0), Some(60.0), None], 2), Verdict::Stretch);
        assert_eq!(verdict(&[Some(99.0), Some(49.0), Some(99.0)], 2), Verdict::NotMet);
        assert_eq!(verdict(&[Some(99.0)], 1), Verdict::NotHere);
        assert_eq!(verdict(&[None], 2), Verdict::NotMeasured);
    }

    #[test]
    fn a_peer_that_is_not_there_leaves_a_ratio_open_but_not_a_figure() {
        assert_eq!(RATE.judge(&[Some(1.0)], None, 2).verdict, Verdict::NotMeasured);
        let alone = alone("neighbour", "p99", AtMost(4.0));
        assert_eq!(alone.judge(&[Some(4.0)], None, 2).verdict, Verdict::Met);
    }

    #[test]
    fn every_bar_is_about_a_figure_that_is_measured() {
        for bar in BARS {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == bar.scenario);
            let scenario = scenario.expect(bar.scenario);
            assert!(
                scenario.columns.iter().any(|column| column.key == bar.figure),
                "{}",
                bar.figure
            );
            let takes_part = |role: &Role| scenario.roles.contains(role);
            assert!(
                takes_part(&bar.ours) && bar.against.iter().all(takes_part),
                "{}",
                bar.scenario
            );
        }
    }
}
