//! Builds the server and runs it in demo mode.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{
    sdk::{self, Flavour},
    setup,
    workspace::{Workspace, run},
};

/// Sets up, builds and becomes the server; comes back only when it cannot.
pub(crate) fn start(workspace: &Workspace, server_args: &[&str]) -> Result<()> {
    println!("[1/4] looking for what the build needs");
    setup::build_tools(workspace)?;
    println!("[2/4] building the SDK (about a minute the first time)");
    sdk::build(workspace, Flavour::Release)?;
    println!("[3/4] building the server (a few minutes the first time)");
    run(workspace.cargo().args(["build", "--package", "server", "--profile", "start"]))?;
    println!("[4/4] starting the server; Ctrl-C stops it");
    let mut server = workspace.command(workspace.target.join("start").join(SERVER));
    replace_self(server.args(["serve", "--demo"]).args(server_args))
}

/// The release build: `dist/` and the server binary that carries it.
pub(crate) fn build_release(workspace: &Workspace) -> Result<()> {
    sdk::build(workspace, Flavour::Release)?;
    run(workspace.cargo().args(["build", "--package", "server", "--release"]))?;
    println!("server: {}", workspace.target.join("release").join(SERVER).display());
    Ok(())
}

/// Signals then reach the server itself, and its exit code is the one the user sees.
#[cfg(unix)]
fn replace_self(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;

    Err(command.exec()).with_context(|| format!("cannot run {command:?}"))
}

#[cfg(not(unix))]
fn replace_self(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    std::process::exit(status.code().unwrap_or(1));
}

/// The server's program.
pub(crate) const SERVER: &str = if cfg!(windows) { "xano-realtime.exe" } else { "xano-realtime" };
