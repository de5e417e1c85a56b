//! All that a change must pass besides the tests.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    count::{self, Lower},
    sdk::{self, Flavour},
    setup::{self, WASM},
    tidy,
    workspace::{Workspace, run, succeeds},
};

/// Runs the checks, cheap ones first, and stops at the first that fails.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    heading("fmt");
    run(workspace.cargo().args(["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    heading("tidy");
    tidy::tidy(workspace)?;
    heading("SDK and size");
    sdk::build(workspace, Flavour::Release)?;
    sdk::check_size(workspace)?;
    heading("clippy");
    setup::wasm_target(workspace)?;
    let clippy = |what: &[&str]| {
        run(workspace.cargo().arg("clippy").args(what).args(["--", "-D", "warnings"]))
    };
    clippy(&["--workspace", "--all-targets", "--all-features"])?;
    clippy(&["--package", "sdk", "--target", WASM])?;
    heading("instructions");
    count::count(workspace, Lower::Ask)?;
    heading("doc");
    let mut doc = workspace.cargo();
    run(doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    heading("dependencies");
    npm_audit(workspace, "")?;
    npm_audit(workspace, setup::PACKAGING)?;
    cargo_deny(workspace)
}

/// Asks about what a folder's lock file names.
fn npm_audit(workspace: &Workspace, folder: &str) -> Result<()> {
    // npm exits with an error both for findings and for a registry that does not answer.
    let mut npm = workspace.npm();
    npm.args(["audit", "--json"]).current_dir(workspace.root.join(folder));
    let audit = npm.output().context("cannot run npm")?;
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap_or_default();
    match serious_findings(&report) {
        None => println!("npm audit: left out, the registry does not answer"),
        Some(0) => println!("npm audit: nothing serious"),
        Some(count) => bail!("{count} npm packages have known serious faults; see `npm audit`"),
    }
    Ok(())
}

/// How many packages have faults rated high or critical; nothing when the report holds no answer.
fn serious_findings(report: &Value) -> Option<u64> {
    let counts = &report["metadata"]["vulnerabilities"];
    Some(counts["high"].as_u64()? + counts["critical"].as_u64()?)
}

fn cargo_deny(workspace: &Workspace) -> Result<()> {
    if !succeeds(workspace.cargo().args(["deny", "--version"])) {
        println!("cargo deny: left out, it is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    run(workspace.cargo().args([
        "deny",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}

fn heading(name: &str) {
    println!("\n=== {name}\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_audit_without_an_answer_is_no_finding() {
        assert_eq!(serious_findings(&Value::Null), None);
        assert_eq!(serious_findings(&json!({"error": {"code": "ENOAUDIT"}})), None);
    }

    #[test]
    fn an_audit_counts_what_is_serious() {
        let report = json!({"metadata": {"vulnerabilities": {"low": 4, "high": 1, "critical": 2}}});
        assert_eq!(serious_findings(&report), Some(3));
    }
}
