//! What is to be measured, as the command line says it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::growth::{CURVES, Curve};
use crate::scenario::{SCENARIOS, Scenario};
use crate::subject::{Programs, Subject};

pub(crate) struct Options {
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) curves: Vec<&'static Curve>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) is_tiny: bool,
    pub(crate) json: Option<PathBuf>,
    server: Option<PathBuf>,
    bun: Option<PathBuf>,
    node: PathBuf,
    others: Vec<Subject>,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Result<Self> {
        let mut options = Self {
            scenarios: Vec::new(),
            curves: Vec::new(),
            rounds: 5,
            seconds: 3.0,
            is_tiny: false,
            json: None,
            server: None,
            bun: None,
            node: "node".into(),
            others: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match *arg {
                "--quick" => (options.rounds, options.seconds) = (1, 1.0),
                "--tiny" => {
                    (options.rounds, options.seconds, options.is_tiny) = (1, 0.1, true);
                }
                "--rounds" => options.rounds = whole(arg, value()?)?,
                "--seconds" => options.seconds = whole(arg, value()?)? as f64,
                "--json" => options.json = Some(value()?.into()),
                "--server" => options.server = Some(value()?.into()),
                "--bun" => options.bun = Some(value()?.into()),
                "--node" => options.node = value()?.into(),
                "--also" => options.others.push(Subject::parse(value()?)?),
                "growth" => options.curves.extend(CURVES),
                "all" => options.scenarios.extend(SCENARIOS),
                _ => options.choose(arg)?,
            }
        }
        if options.scenarios.is_empty() && options.curves.is_empty() {
            options.scenarios.extend(SCENARIOS);
        }
        Ok(options)
    }

    fn choose(&mut self, word: &str) -> Result<()> {
        let curve = |curve: &&Curve| word.strip_prefix("growth-") == Some(curve.name);
        if let Some(curve) = CURVES.iter().find(curve) {
            self.curves.push(curve);
            return Ok(());
        }
        let before = self.scenarios.len();
        self.scenarios.extend(SCENARIOS.iter().filter(|scenario| scenario.is_meant_by(word)));
        if self.scenarios.len() == before {
            let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            bail!(
                "`{word}` is neither an option nor a scenario; there are {} and growth",
                names.join(", ")
            );
        }
        Ok(())
    }

    /// Where the programs are; says of a peer that is not there how to get it.
    pub(crate) fn programs(&mut self) -> Result<Programs> {
        let beside = env::current_exe()?.with_file_name("xano-realtime");
        let server = self.server.take().unwrap_or(beside);
        if !runs(&server) {
            bail!(
                "{} does not run: `cargo build --release -p server`, or --server FILE",
                server.display()
            );
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let bun =
            self.bun.take().into_iter().chain(packaged_bun(&root)).chain([PathBuf::from("bun")]);
        let bun = bun.into_iter().find(|bun| runs(bun));
        if bun.is_none() {
            eprintln!(
                "Bun is left out, as it is not installed: `npm ci` in tests/packaging brings it, or \
                 --bun FILE names it"
            );
        }
        let has_ws = root.join("node_modules/ws/package.json").is_file();
        let node = (has_ws && runs(&self.node)).then(|| self.node.clone());
        if node.is_none() {
            eprintln!(
                "`ws` is left out, as it is not installed: it needs Node, and `npm ci` in this folder"
            );
        }
        Ok(Programs { server, others: std::mem::take(&mut self.others), bun, node })
    }
}

/// Bun as npm unpacks it: what its package has in .bin is not the program where install scripts are off.
fn packaged_bun(root: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = root.join("tests/packaging/node_modules/@oven");
    let packages = folder.read_dir().into_iter().flatten().flatten();
    packages.map(|package| package.path().join("bin/bun"))
}

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn whole(option: &str, value: &str) -> Result<usize> {
    let number = value.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.with_context(|| format!("{option} is a whole number from 1 to 10000, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Vec<&'static str> {
        let options = Options::parse(args).expect("all is right");
        options.scenarios.iter().map(|scenario| scenario.name).collect()
    }

    #[test]
    fn without_a_name_all_is_measured_but_growth() {
        assert_eq!(names(&[]).len(), SCENARIOS.len());
        assert_eq!(names(&["--quick"]).len(), SCENARIOS.len());
        assert!(names(&["growth"]).is_empty());
        let curves = |args: &[&str]| Options::parse(args).map_or(0, |options| options.curves.len());
        assert_eq!([curves(&["growth"]), curves(&["growth-payload"]), curves(&[])], [5, 1, 0]);
    }

    #[test]
    fn names_and_options_mix() {
        let args = ["latency", "--rounds", "2", "tls", "--seconds", "7"];
        assert_eq!(names(&args), ["latency", "tls"]);
        let options = Options::parse(&args).expect("all is right");
        assert_eq!((options.rounds, options.seconds), (2, 7.0));
    }

    #[test]
    fn a_quick_look_is_one_round_of_a_second() {
        let options = Options::parse(&["--quick"]).expect("all is right");
        assert_eq!((options.rounds, options.seconds), (1, 1.0));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let cases = [
            (&["latenzy"][..], "neither an option nor a scenario"),
            (&["--rounds"], "--rounds needs a value"),
            (&["--rounds", "0"], "from 1 to 10000, not 0"),
            (&["--seconds", "x"], "from 1 to 10000, not x"),
            (&["--also", "before"], "NAME=PROGRAM"),
        ];
        for (args, told) in cases {
            let error = Options::parse(args).err().expect("it makes no sense");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
