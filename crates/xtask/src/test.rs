//! Runs every test, browser tests included.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    sdk::{self, Flavour},
    setup,
    start::SERVER,
    workspace::{Workspace, files_below, run},
};

/// Runs the groups in order and stops at the first that fails.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let mut times = Vec::new();
    let mut group = |name: &'static str, run: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        println!("\n=== {name}\n");
        let started = Instant::now();
        let result = run().with_context(|| format!("the test group `{name}` failed"));
        times.push((name, started.elapsed()));
        result
    };
    let (mut browser, mut second) = (PathBuf::new(), PathBuf::new());
    group("set-up", &mut || {
        browser = setup::test_tools(workspace)?;
        second = setup::second_browser()?;
        Ok(())
    })?;
    group("SDK and server build", &mut || {
        sdk::build(workspace, Flavour::Release)?;
        run(workspace.cargo().args(["build", "--package", "server"]))
    })?;
    group("cargo test", &mut || {
        // This program is tested as it was built: with the others its packages would be built twice.
        run(workspace.cargo().args(["test", "--package", "xtask"]))?;
        run(workspace.cargo().args(["test", "--workspace", "--exclude", "xtask", "--all-features"]))
    })?;
    let files = test_files(workspace)?;
    let packaging = workspace.root.join(setup::PACKAGING);
    group("node --test", &mut || {
        let certificate = certificate(workspace)?;
        let mut node = node_test(workspace, &browser);
        node.env("FIREFOX", &second);
        node.env("XANO_TEST_CERT", certificate.join("cert.pem"));
        node.env("XANO_TEST_KEY", certificate.join("key.pem"));
        // One file at a time: a server that restarts on its port must find it free. The time is a
        // file's.
        node.args(["--test-concurrency=1", "--test-timeout=300000"]);
        run(node.args(files.iter().filter(|file| !file.starts_with(&packaging))))
    })?;
    group("npm package", &mut || {
        let files = files.iter().filter(|file| file.starts_with(&packaging));
        run(node_test(workspace, &browser).arg("--test-timeout=900000").args(files))
    })?;
    print_times(&times);
    Ok(())
}

/// A certificate for this machine's own name, made anew, in a folder with its key.
pub(crate) fn certificate(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("test-certificate");
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "server", "--example", "test_certificate", "--"]);
    run(cargo.arg(&folder))?;
    Ok(folder)
}

/// Node's test runner, and where the tests find the server and the browser.
fn node_test(workspace: &Workspace, browser: &Path) -> Command {
    let mut node = workspace.command("node");
    node.env("XANO_SERVER_BIN", workspace.target.join("debug").join(SERVER));
    node.env("CHROMIUM", browser);
    node.args(["--test", "--test-reporter=spec"]);
    node
}

/// All `*.test.js` files; Node 20 has no patterns for them.
fn test_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut files = files_below(&workspace.root.join("tests"))?;
    files.retain(|file| file.to_string_lossy().ends_with(".test.js"));
    if files.is_empty() {
        bail!("there is no *.test.js file below tests/");
    }
    Ok(files)
}

fn print_times(times: &[(&str, Duration)]) {
    println!("\nall groups passed");
    for (name, time) in times {
        println!("{name:<22} {:>6.1} s", time.as_secs_f32());
    }
}
