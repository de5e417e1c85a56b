//! All of it in turn, with a word on what is going on.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::growth;
use crate::options::Options;
use crate::place::Place;
use crate::report::{self, Results, Server};
use crate::scenario::{Effort, Scenario};
use crate::subject::{Programs, Role, Subject};

/// How far it is.
struct Progress {
    start: Instant,
    done: usize,
    all: usize,
}

pub(crate) fn measure(mut options: Options, place: &Place) -> Result<()> {
    let programs = options.programs()?;
    for caveat in place.caveats() {
        eprintln!("note: {caveat}");
    }
    let effort =
        Effort { seconds: options.seconds, is_tiny: options.is_tiny, clients: place.clients() };
    if place.clients() < MOST_CLIENTS {
        eprintln!(
            "note: {} files may be open in a process, which is less than {MOST_CLIENTS} clients need; \
             `ulimit -n` as root, or the system's limits, give more",
            place.files
        );
    }
    let mut head =
        json!({ "rounds": options.rounds, "seconds": options.seconds, "tiny": options.is_tiny });
    head["machine"] = report::machine(place);
    let fact = |name: &str| head["machine"][name].as_str().unwrap_or_default();
    println!(
        "{}: {} × {}, Linux {}, TCP {}, commit {}; rounds: {}, of {} s each\n",
        fact("date"),
        place.processors,
        fact("processor"),
        fact("kernel"),
        fact("congestion_control"),
        fact("commit"),
        options.rounds,
        options.seconds
    );
    if !options.curves.is_empty() {
        head["growth"] = growth::measure(&options.curves, &programs, &effort)?;
    }
    let results = scenarios(&options, &programs, &effort)?;
    let (table, bars) = report::bars(&results, place);
    if !results.is_empty() {
        println!("{table}");
    }
    let report = report::json(&results, head, bars);
    if let Some(file) = &options.json {
        fs::write(file, format!("{report:#}\n")).with_context(|| file.display().to_string())?;
    }
    let ours = results.iter().flat_map(|results| &results.servers);
    let failed = ours.filter(|server| server.subject.role.is_xano()).find_map(Server::failure);
    match failed {
        Some(failure) => bail!("this server failed: {failure}"),
        None => Ok(()),
    }
}

fn scenarios(options: &Options, programs: &Programs, effort: &Effort) -> Result<Vec<Results>> {
    let mut progress = Progress { start: Instant::now(), done: 0, all: 0 };
    let mut all = Vec::new();
    for scenario in &options.scenarios {
        let subjects = programs.subjects(scenario.roles)?;
        progress.all += subjects.len() * options.rounds;
        all.push((*scenario, subjects));
    }
    let measure = |(scenario, subjects)| {
        let results = one(scenario, subjects, (effort, options.rounds), &mut progress);
        println!("{}", results.table());
        results
    };
    Ok(all.into_iter().map(measure).collect())
}

/// One scenario: in each round everybody in turn.
fn one(
    scenario: &'static Scenario,
    subjects: Vec<Subject>,
    (effort, rounds): (&Effort, usize),
    progress: &mut Progress,
) -> Results {
    let start = |subject| Server { subject, rounds: Vec::new() };
    let mut servers: Vec<Server> = subjects.into_iter().map(start).collect();
    for round in 0..rounds {
        for turn in 0..servers.len() {
            // Who begins changes, as the first may find the machine another than the second.
            let count = servers.len();
            let server = &mut servers[(turn + round) % count];
            let name = &server.subject.name;
            progress.tell(&format!("{}: round {} of {rounds}, {name}", scenario.name, round + 1));
            let outcome = (scenario.run)(&server.subject, effort);
            server.rounds.push(outcome.map_err(|error| format!("{error:#}")));
            progress.done += 1;
        }
    }
    eprint!("\r{:<78}\r", "");
    servers.sort_by_key(|server| server.subject.role != Role::Ours);
    Results { scenario, servers }
}

impl Progress {
    fn tell(&self, what: &str) {
        let left = match self.done {
            0 => String::new(),
            done => {
                let each = self.start.elapsed().as_secs_f64() / done as f64;
                format!(", about {:.0} s left", each * (self.all - done) as f64)
            }
        };
        let what = format!("[{}/{}] {what}{left}", self.done + 1, self.all);
        eprint!("\r{what:<78}");
    }
}

/// What the largest scenarios need.
const MOST_CLIENTS: usize = 15_000;
