//! Measures servers against each other: each in turn, on one processor, under the same load.
//!
//! Times on a shared machine drift, so only figures of one run are to be compared.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

mod bare;
mod fanout;
mod reader;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::fanout::{Figures, Load};
use crate::subject::Subject;

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["bare", port] => bare::serve(port.parse().context("PORT is a number")?),
        ["fanout", options @ ..] => measure(options),
        _ => bail!("{USAGE}"),
    }
}

/// All subjects under all loads, in turn, `--rounds` times.
fn measure(options: &[&str]) -> Result<()> {
    let (mut rounds, mut seconds, mut subjects, mut json) = (5, 3, Vec::new(), None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let value = options.next().with_context(|| format!("{option} needs a value"))?;
        match *option {
            "--rounds" => rounds = value.parse().context("--rounds is a number")?,
            "--seconds" => seconds = value.parse().context("--seconds is a number")?,
            "--json" => json = Some(PathBuf::from(value)),
            "--subject" => subjects.push(Subject::parse(value)?),
            _ => bail!("{option} is no option\n{USAGE}"),
        }
    }
    if subjects.is_empty() {
        bail!("name at least one --subject\n{USAGE}");
    }
    let mut report = Vec::new();
    for load in LOADS {
        let mut figures: Vec<Vec<Figures>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 1..=rounds {
            for (subject, figures) in subjects.iter().zip(&mut figures) {
                eprint!("\r{load}: round {round} of {rounds}, {:<24}", subject.name);
                let running = subject.start()?;
                let one = fanout::run(&running, load, seconds)
                    .with_context(|| format!("{} under {load}", subject.name))?;
                figures.push(one);
            }
        }
        eprint!("\r{:<72}\r", "");
        print(load, &subjects, &figures);
        report.push(as_json(load, &subjects, &figures));
    }
    if let Some(file) = json {
        let report = json!({ "rounds": rounds, "seconds": seconds, "loads": report });
        fs::write(&file, format!("{report:#}\n")).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn print(load: &Load, subjects: &[Subject], figures: &[Vec<Figures>]) {
    println!("\n{load}\n");
    println!(
        "| server | deliveries/s, median (spread) | ratio to the first | server CPU s per 1 M |"
    );
    println!("|---|---|---|---|");
    let first: Vec<f64> = figures[0].iter().map(|figures| figures.rate).collect();
    for (subject, figures) in subjects.iter().zip(figures) {
        let rates: Vec<f64> = figures.iter().map(|figures| figures.rate).collect();
        // Neighbours in time are divided: what slows the machine slows both.
        let ratios: Vec<f64> = rates.iter().zip(&first).map(|(rate, first)| rate / first).collect();
        let cpu: Vec<f64> = figures.iter().map(|figures| figures.cpu_per_million).collect();
        let (rate, low, high) = spread(rates);
        println!(
            "| {} | {rate:.0} ({low:.0}–{high:.0}) | {:.2} | {:.2} |",
            subject.name,
            spread(ratios).0,
            spread(cpu).0
        );
    }
}

/// What was measured, round by round.
fn as_json(load: &Load, subjects: &[Subject], figures: &[Vec<Figures>]) -> Value {
    let servers = subjects.iter().zip(figures).map(|(subject, figures)| {
        let rates: Vec<f64> = figures.iter().map(|figures| figures.rate).collect();
        let cpu: Vec<f64> = figures.iter().map(|figures| figures.cpu_per_million).collect();
        json!({
            "name": subject.name,
            "deliveries_per_second": rates,
            "cpu_seconds_per_million": cpu,
        })
    });
    json!({ "load": load.to_string(), "servers": servers.collect::<Vec<_>>() })
}

/// Median, minimum and maximum.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}

const LOADS: &[Load] = &[
    Load { subscribers: 1_000, under_way: 1, acked: false },
    Load { subscribers: 1_000, under_way: 16, acked: false },
    Load { subscribers: 1_000, under_way: 16, acked: true },
    Load { subscribers: 5_000, under_way: 1, acked: false },
];

const USAGE: &str = "\
usage: bench fanout [--rounds N] [--seconds N] [--json FILE] --subject NAME=KIND:PROGRAM[,ARGUMENT…]…
       bench bare PORT

KIND is `xano` (this server's program), `bun` (Bun's program) or `bare` (no program: one send() per
reader). Servers run on processor 0, the load on processor 1.";
