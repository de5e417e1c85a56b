//! Measures servers against each other: each in turn, on one processor, under the same load.
//!
//! Times on a shared machine drift, so only figures of one run are to be compared.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

mod bare;
mod bars;
mod connects;
mod crowd;
mod fanout;
mod growth;
mod measure;
mod memory;
mod options;
mod paced;
mod place;
mod presence;
mod reader;
mod report;
mod resume;
mod scenario;
mod speech;
mod stats;
mod subject;
mod tls;
mod wire;

use std::env;
use std::process::ExitCode;

use anyhow::Result;

use crate::options::Options;
use crate::scenario::SCENARIOS;

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nbench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["bare"] => bare::serve(),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            for scenario in SCENARIOS {
                println!("  {:<12} {}", scenario.name, scenario.about);
            }
            println!(
                "  {:<12} what a delivery costs, and what is kept, from few to many:",
                "growth"
            );
            for curve in growth::CURVES {
                println!("  growth-{:<12} {}", curve.name, curve.about);
            }
            Ok(())
        }
        _ => {
            // What makes no sense is told before anything is started.
            let options = Options::parse(&args)?;
            let place = place::enter()?;
            measure::measure(options, &place)
        }
    }
}

const USAGE: &str = "\
usage: bench [SCENARIO…] [--quick] [--rounds N] [--seconds N] [--json FILE]
             [--server FILE] [--bun FILE] [--node FILE] [--also NAME=FILE[,ARGUMENT…]]

Servers run on the first processor, the load on the last one, both in a network of their own where that is
allowed. --also is another build of the server, to be compared with this one. --tiny is as --quick, with
sizes that show only that it works. Without a name all scenarios are measured but growth:

";
