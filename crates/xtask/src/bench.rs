//! Measures the server against its peers, and the SDK against the one it replaces.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    sdk::{self, Flavour},
    setup,
    start::SERVER,
    test,
    workspace::{Workspace, run},
};

/// What of it is to be measured.
#[derive(Debug, Default, Eq, PartialEq)]
struct Parts<'a> {
    /// What the program that measures servers is told; nothing where it is not to run.
    servers: Option<Vec<&'a str>>,
    sdk: bool,
}

/// Builds what is released, and measures all of it or what is named. The tables are printed;
/// `target/bench/` gets the same as JSON.
pub(crate) fn bench(workspace: &Workspace, args: &[&str]) -> Result<()> {
    if args.contains(&"--help") {
        return run(workspace.cargo().args(["run", "--quiet", "--package", "bench", "--", "help"]));
    }
    let parts = Parts::of(args);
    let browser = setup::test_tools(workspace)?;
    sdk::build(workspace, Flavour::Release)?;
    run(workspace.cargo().args([
        "build",
        "--release",
        "--package",
        "server",
        "--package",
        "bench",
    ]))?;
    let results = workspace.target.join("bench");
    fs::create_dir_all(&results)?;
    if let Some(args) = &parts.servers {
        println!("\n=== servers\n");
        let mut bench = workspace.command(workspace.target.join("release/bench"));
        bench.args(args).arg("--json").arg(results.join("servers.json"));
        run(&mut bench).context("the servers cannot be compared")?;
    }
    if parts.sdk {
        println!("\n=== sdk\n");
        let how: &[_] =
            if args.contains(&"--quick") { &["--rounds", "1", "--messages", "5000"] } else { &[] };
        compare_sdks(workspace, how, (&browser, &results))?;
    }
    println!("\nas JSON: {}", results.display());
    Ok(())
}

impl<'a> Parts<'a> {
    /// `servers` and `sdk` are the halves; every other word is for the program that measures servers, and
    /// options alone mean both.
    fn of(args: &[&'a str]) -> Self {
        let told: Vec<&str> =
            args.iter().copied().filter(|arg| !["servers", "sdk"].contains(arg)).collect();
        let (all, scenarios) = (words(args), words(&told));
        let servers = all == 0 || scenarios > 0 || args.contains(&"servers");
        Self { servers: servers.then_some(told), sdk: all == 0 || args.contains(&"sdk") }
    }
}

/// How many of them are neither options nor options' values.
fn words(args: &[&str]) -> usize {
    let mut takes_value = false;
    let is_word = |arg: &&&str| {
        let is_value = takes_value;
        let is_option = arg.starts_with("--");
        takes_value = is_option && !["--quick", "--tiny"].contains(arg);
        !is_value && !is_option
    };
    args.iter().filter(is_word).count()
}

fn compare_sdks(
    workspace: &Workspace,
    how: &[&str],
    (browser, results): (&Path, &Path),
) -> Result<()> {
    let certificate = test::certificate(workspace)?;
    let mut node = workspace.command("node");
    node.arg("crates/bench/browser/sdk.js").args(how);
    node.arg("--json").arg(results.join("sdk.json"));
    node.env("XANO_SERVER_BIN", workspace.target.join("release").join(SERVER));
    node.env("CHROMIUM", browser);
    node.env("XANO_TEST_CERT", certificate.join("cert.pem"));
    node.env("XANO_TEST_KEY", certificate.join("key.pem"));
    run(&mut node).context("the SDKs cannot be compared")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_scenarios_are_told_apart() {
        let parts = |servers: Option<&[&'static str]>, sdk| Parts {
            servers: servers.map(<[_]>::to_vec),
            sdk,
        };
        let cases: [(&[&str], Parts<'_>); 7] = [
            (&[], parts(Some(&[]), true)),
            (&["--quick"], parts(Some(&["--quick"]), true)),
            (&["--rounds", "2"], parts(Some(&["--rounds", "2"]), true)),
            (&["sdk"], parts(None, true)),
            (&["servers", "--quick"], parts(Some(&["--quick"]), false)),
            (&["fanout", "growth"], parts(Some(&["fanout", "growth"]), false)),
            (&["fanout", "sdk"], parts(Some(&["fanout"]), true)),
        ];
        for (args, wanted) in cases {
            assert_eq!(Parts::of(args), wanted, "{args:?}");
        }
    }
}
