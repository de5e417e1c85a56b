//! Installs what is missing, says what and why, and does nothing the second time.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::workspace::{Workspace, output, run, succeeds};

/// The platform the SDK is compiled for.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// What building the SDK and the server needs.
pub(crate) fn build_tools(workspace: &Workspace) -> Result<()> {
    wasm_target(workspace)?;
    rust_source(workspace)?;
    node_packages(workspace)
}

/// What the tests and measurements need on top; answers with the browser's program.
pub(crate) fn test_tools(workspace: &Workspace) -> Result<PathBuf> {
    build_tools(workspace)?;
    install(workspace, PACKAGING, "the bundlers and runtimes that the npm package is tried with")?;
    browser(&CHROMIUM)
}

/// The browser that a few tests drive besides; answers with its program.
pub(crate) fn second_browser() -> Result<PathBuf> {
    browser(&FIREFOX)
}

/// The standard library for WebAssembly, compiled.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    let mut rustc = workspace.command("rustc");
    let folder = output(rustc.args(["--print", "target-libdir", "--target", WASM]))?;
    // rustc prints the folder's name also when there is no such folder.
    let is_there = fs::read_dir(folder.trim()).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    });
    if is_there {
        return Ok(());
    }
    rustup(workspace, &["target", "add", WASM], "the SDK is compiled to WebAssembly")
}

/// The standard library's source, which the SDK compiles for size.
fn rust_source(workspace: &Workspace) -> Result<()> {
    let mut rustc = workspace.command("rustc");
    let sysroot = output(rustc.args(["--print", "sysroot"]))?;
    let library = PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    if library.is_file() {
        return Ok(());
    }
    let why = "the SDK compiles the standard library for size";
    rustup(workspace, &["component", "add", "rust-src"], why)
}

fn rustup(workspace: &Workspace, args: &[&str], why: &str) -> Result<()> {
    println!("setup: rustup {} ({why})", args.join(" "));
    run(workspace.command("rustup").args(args)).with_context(|| {
        let args = args.join(" ");
        format!(
            "`rustup {args}` is needed because {why}; install rustup, or see CONTRIBUTING.md for a \
             toolchain without it"
        )
    })
}

fn node_packages(workspace: &Workspace) -> Result<()> {
    let version = output(workspace.command("node").arg("--version"))
        .with_context(|| format!("Node {NODE_VERSION} or newer must be on the PATH"))?;
    let major =
        version.trim().trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_VERSION) {
        bail!("Node {NODE_VERSION} or newer is needed, this is {}", version.trim());
    }
    install(workspace, "", "the bundler, wasm-opt and what the browser tests use")
}

/// Installs what a folder's lock file asks for, unless it is there.
fn install(workspace: &Workspace, folder: &str, what: &str) -> Result<()> {
    let folder = workspace.root.join(folder);
    let lock = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).with_context(|| format!("no {}", lock.display()))?;
    let wanted: Value =
        serde_json::from_str(&wanted).with_context(|| format!("{} is not JSON", lock.display()))?;
    // npm keeps a lock file of what it has really installed.
    let installed = fs::read_to_string(folder.join("node_modules/.package-lock.json"));
    let installed = installed.ok().and_then(|text| serde_json::from_str(&text).ok());
    if installed.is_some_and(|installed| satisfies(&installed, &wanted)) {
        return Ok(());
    }
    println!("setup: npm ci in {} ({what})", folder.display());
    run(workspace.npm().args(["ci", "--no-audit"]).current_dir(&folder))
        .context("npm could not install the dev tools")
}

/// Whether every package the lock file asks for is installed, except those for other platforms.
fn satisfies(installed: &Value, wanted: &Value) -> bool {
    let Some(wanted) = wanted["packages"].as_object() else { return false };
    wanted.iter().filter(|(path, _)| !path.is_empty()).all(|(path, package)| {
        match installed["packages"].get(path) {
            Some(found) => found["version"] == package["version"],
            None => package["optional"] == true,
        }
    })
}

/// What counts instructions.
pub(crate) fn valgrind() -> Result<()> {
    let is_there = || succeeds(Command::new("valgrind").arg("--version"));
    if !is_there() {
        apt_install(&["valgrind"], "instruction counts").context(NO_VALGRIND)?;
        if !is_there() {
            bail!(NO_VALGRIND);
        }
    }
    Ok(())
}

/// A browser that tests drive.
struct Browser {
    /// What in the environment may name its program.
    variable: &'static str,
    /// What its program is called on the `PATH`.
    programs: &'static [&'static str],
    /// What Debian's packages are called.
    packages: &'static [&'static str],
    /// What to say where there is none.
    missing: &'static str,
}

/// Finds or installs a browser.
fn browser(browser: &Browser) -> Result<PathBuf> {
    if let Some(program) = find_browser(browser) {
        return Ok(program);
    }
    apt_install(browser.packages, "the browser tests").context(browser.missing)?;
    find_browser(browser).context(browser.missing)
}

/// Installs Debian packages, as root or by `sudo` where that asks for no password.
fn apt_install(packages: &[&str], why: &str) -> Result<()> {
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let as_root: &[&str] = if is_root {
        &[]
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        &["sudo", "-n"]
    } else {
        bail!("only root can install packages");
    };
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!("there is no apt-get");
    }
    println!("setup: apt-get install {} ({why})", packages.join(" "));
    let apt = |args: &[&str]| {
        let words = [as_root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], args].concat();
        run(Command::new(words[0]).args(&words[1..]))
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
}

fn find_browser(browser: &Browser) -> Option<PathBuf> {
    let asked_for =
        env::var_os(browser.variable).filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let on_path = browser
        .programs
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    asked_for.into_iter().chain(on_path).find(|program| program.is_file())
}

/// The tests of the npm package, whose tools are many and large, so not among the workspace's own.
pub(crate) const PACKAGING: &str = "tests/packaging";
const NODE_VERSION: u32 = 20;
const CHROMIUM: Browser = Browser {
    variable: "CHROMIUM",
    programs: &["chromium", "chromium-browser", "google-chrome"],
    packages: &["chromium", "fonts-liberation", "fonts-noto-color-emoji"],
    missing: "the browser tests need Chromium or Chrome and this machine has neither: install one and \
              put it on the PATH, or name its program in CHROMIUM",
};
const FIREFOX: Browser = Browser {
    variable: "FIREFOX",
    programs: &["firefox-esr", "firefox"],
    packages: &["firefox-esr"],
    missing: "a few browser tests need Firefox and this machine has none: install it and put it on the \
              PATH, or name its program in FIREFOX",
};
const NO_VALGRIND: &str = "the instruction counts need valgrind and this machine has none: install it \
                            and put it on the PATH";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packages_of_other_platforms_need_not_be_installed() {
        let wanted = json!({"packages": {
            "": {"name": "workspace"},
            "node_modules/a": {"version": "1.0.0"},
            "node_modules/a-windows": {"version": "1.0.0", "optional": true},
        }});
        assert!(satisfies(&json!({"packages": {"node_modules/a": {"version": "1.0.0"}}}), &wanted));
    }

    #[test]
    fn a_missing_or_older_package_must_be_installed() {
        let wanted = json!({"packages": {"node_modules/a": {"version": "1.1.0"}}});
        assert!(!satisfies(&json!({"packages": {}}), &wanted));
        let older = json!({"packages": {"node_modules/a": {"version": "1.0.0"}}});
        assert!(!satisfies(&older, &wanted));
    }
}
