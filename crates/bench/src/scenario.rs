//! What can be measured: each scenario under its name, with those who take part.

use anyhow::Result;

use crate::place::Share;
use crate::subject::{Role, Subject};
use crate::{connects, fanout, memory, paced, presence, resume};

/// One load, and what of it is looked at.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) roles: &'static [Role],
    pub(crate) columns: &'static [Column],
    pub(crate) run: fn(&Subject, &Effort) -> Result<Outcome>,
}

/// A figure, and how it is shown.
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) digits: usize,
}

/// What one run has shown.
pub(crate) struct Outcome {
    /// By the keys of the columns.
    pub(crate) figures: Vec<(&'static str, f64)>,
    pub(crate) share: Share,
}

/// How much is done.
pub(crate) struct Effort {
    /// How long a run measures.
    pub(crate) seconds: f64,
    /// Sizes that show only that it works.
    pub(crate) is_tiny: bool,
    /// How many connections there may be.
    pub(crate) clients: usize,
}

impl Effort {
    /// So many, or as many as can be.
    pub(crate) fn many(&self, count: usize) -> usize {
        let count = if self.is_tiny && count > 100 { (count / 50).max(10) } else { count };
        count.min(self.clients)
    }
}

impl Outcome {
    pub(crate) fn figure(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| *known == key).map(|(_, figure)| *figure)
    }
}

impl Scenario {
    /// Whether this word of the command line means it: `fanout` is also `fanout-16`.
    pub(crate) fn is_meant_by(&self, word: &str) -> bool {
        self.name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// All of them, in the order in which they run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    fanout::ONE,
    fanout::SIXTEEN,
    fanout::FIVE_THOUSAND,
    fanout::CHANNELS,
    fanout::HUGE,
    fanout::DURABLE,
    fanout::CORES,
    fanout::TLS,
    paced::LATENCY,
    paced::OVERLOAD,
    paced::NEIGHBOUR,
    paced::STALLED,
    paced::SLOW,
    memory::MEMORY,
    connects::CONNECTS,
    presence::PRESENCE,
    resume::RESUME,
];

pub(crate) const PEERS: &[Role] = &[Role::Ours, Role::Bun, Role::Ws, Role::Bare];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_word_means_a_scenario_and_its_variants() {
        let meant = |word| {
            let meant = SCENARIOS.iter().filter(|scenario| scenario.is_meant_by(word));
            meant.map(|scenario| scenario.name).collect::<Vec<_>>()
        };
        assert_eq!(meant("fanout"), ["fanout", "fanout-16", "fanout-5000"]);
        assert_eq!(meant("fanout-16"), ["fanout-16"]);
        assert!(meant("fan").is_empty());
    }

    #[test]
    fn no_two_scenarios_have_one_name() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
    }

    #[test]
    fn sizes_are_those_that_are_meant_or_what_there_is_room_for() {
        let effort = |is_tiny| Effort { seconds: 1.0, is_tiny, clients: 6_000 };
        assert_eq!([10, 5_000, 10_000].map(|count| effort(false).many(count)), [10, 5_000, 6_000]);
        assert_eq!([10, 60, 5_000].map(|count| effort(true).many(count)), [10, 60, 100]);
    }
}
