//! Measures the server against its peers, and the SDK against the one it replaces.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    sdk::{self, Flavour},
    setup,
    start::SERVER,
    test,
    workspace::{Workspace, run},
};

/// Builds what is released, and measures all of it or the part that is named. The tables are printed;
/// `target/bench/` gets the same as JSON.
pub(crate) fn bench(workspace: &Workspace, part: Option<&str>) -> Result<()> {
    let (servers, page) = match part {
        None => (true, true),
        Some("servers") => (true, false),
        Some("sdk") => (false, true),
        Some(other) => bail!("`{other}` cannot be measured; `servers` and `sdk` can"),
    };
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
    let released = workspace.target.join("release");
    if servers {
        println!("\n=== servers: about three minutes\n");
        let server = released.join(SERVER);
        let server = server.display();
        let bun = workspace.root.join(setup::PACKAGING).join("node_modules/.bin/bun");
        let mut bench = workspace.command(released.join("bench"));
        bench.args(["fanout", "--json"]).arg(results.join("servers.json"));
        bench.args(["--subject", &format!("xano-realtime=xano:{server}")]);
        bench.args(["--subject", &format!("in memory=xano:{server},--durability,memory")]);
        bench.args(["--subject", &format!("Bun=bun:{}", bun.display()), "--subject", "send=bare"]);
        run(&mut bench).context("the servers cannot be compared")?;
    }
    if page {
        println!("\n=== sdk: about five minutes\n");
        let certificate = test::certificate(workspace)?;
        let mut node = workspace.command("node");
        node.arg("crates/bench/browser/sdk.js").arg("--json").arg(results.join("sdk.json"));
        node.env("XANO_SERVER_BIN", released.join(SERVER)).env("CHROMIUM", browser);
        node.env("XANO_TEST_CERT", certificate.join("cert.pem"));
        node.env("XANO_TEST_KEY", certificate.join("key.pem"));
        run(&mut node).context("the SDKs cannot be compared")?;
    }
    println!("\nas JSON: {}", results.display());
    Ok(())
}
