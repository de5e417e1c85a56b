//! The rules of this repository that no other tool knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    sdk::{hash_files, hex},
    setup::PACKAGING,
    workspace::{Workspace, output},
};

/// Checks everything and reports all that is wrong at once.
pub(crate) fn tidy(workspace: &Workspace) -> Result<()> {
    let mut faults = crate_rules(&metadata(workspace)?);
    let protocol = protocol_line(workspace)?;
    let mut judge =
        |document: &str, rule: &dyn Fn(&str) -> Option<String>| match workspace.read(document) {
            Ok(text) => faults.extend(rule(&text)),
            Err(error) => faults.push(format!("{error:#}")),
        };
    judge("PROTOCOL.md", &|text| out_of_date(text, &protocol));
    judge("README.md", &|text| too_long("README.md", text, 120));
    judge("ARCHITECTURE.md", &|text| too_long("ARCHITECTURE.md", text, 200));
    for folder in ["", PACKAGING] {
        let lock = Path::new(folder).join("package-lock.json").display().to_string();
        judge(&lock, &|text| lock_addresses(&lock, text));
    }
    for file in sources(workspace)? {
        faults.extend(forbidden_text(&file, &workspace.read(&file)?));
    }
    if !faults.is_empty() {
        bail!("not tidy:\n  {}", faults.join("\n  "));
    }
    println!("tidy: all rules are kept");
    Ok(())
}

/// The whole dependency graph: all features, all platforms.
fn metadata(workspace: &Workspace) -> Result<Value> {
    let mut cargo = workspace.cargo();
    let json = output(cargo.args(["metadata", "--format-version=1", "--all-features"]))?;
    serde_json::from_str(&json).context("cargo metadata is not JSON")
}

/// Who may depend on whom; tests may use what the shipped crates may not.
fn crate_rules(metadata: &Value) -> Vec<String> {
    let graph = Graph::new(metadata);
    let mut faults = Vec::new();
    for (name, forbidden) in CRATE_RULES {
        let Some(id) = graph.ours.get(name) else {
            faults.push(format!("the crate rules name `{name}`, which is not in the workspace"));
            continue;
        };
        let reached = graph.reached_from(id);
        for package in forbidden.iter().filter(|package| reached.contains(**package)) {
            faults.push(format!("`{name}` must not depend on `{package}`, not even indirectly"));
        }
    }
    faults
}

/// The packages by id, and which each of them ships with.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    ours: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Self {
        let members: BTreeSet<_> =
            list(&metadata["workspace_members"]).filter_map(Value::as_str).collect();
        let names: BTreeMap<_, _> = list(&metadata["packages"])
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let ours = names.iter().filter(|(id, _)| members.contains(**id));
        let ours = ours.map(|(id, name)| (*name, *id)).collect();
        let edges = list(&metadata["resolve"]["nodes"])
            .filter_map(|node| Some((node["id"].as_str()?, shipped(node).collect())))
            .collect();
        Self { names, ours, edges }
    }

    /// The names of all packages below one, itself left out.
    fn reached_from(&self, id: &'a str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let next = self.edges.get(id).into_iter().flatten().copied();
            open.extend(next.filter(|id| seen.insert(*id)));
        }
        seen.iter().filter_map(|id| self.names.get(id).copied()).collect()
    }
}

/// The dependencies of a node that ship: not those of its tests, and not those for Emscripten, which
/// we never build for (wasm-bindgen's crates have tokio there).
fn shipped(node: &Value) -> impl Iterator<Item = &str> {
    let is_shipped = |kind: &Value| {
        let platform = kind["target"].as_str().unwrap_or_default();
        let is_ours = !platform.contains("emscripten") || platform.contains("not(");
        is_ours && kind["kind"] != "dev"
    };
    list(&node["deps"])
        .filter(move |dep| list(&dep["dep_kinds"]).any(is_shipped))
        .filter_map(|dep| dep["pkg"].as_str())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The line by which PROTOCOL.md says which sources it describes.
fn protocol_line(workspace: &Workspace) -> Result<String> {
    let mut hash = Sha256::new();
    hash_files(&mut hash, &workspace.root, &workspace.root.join("crates/protocol/src"))?;
    Ok(format!("<!-- protocol sources: sha256 {} -->", hex(&hash.finalize())))
}

fn out_of_date(text: &str, protocol_line: &str) -> Option<String> {
    let is_named = text.lines().any(|line| line.trim() == protocol_line);
    (!is_named).then(|| {
        format!(
            "crates/protocol/src has changed: bring PROTOCOL.md up to date, then put this line into \
             it in place of the old one: {protocol_line}"
        )
    })
}

fn too_long(document: &str, text: &str, limit: usize) -> Option<String> {
    let lines = text.lines().count();
    (lines > limit).then(|| format!("{document} has {lines} lines, the limit is {limit}"))
}

fn lock_addresses(lock: &str, text: &str) -> Option<String> {
    text.contains("\"resolved\": \"http").then(|| {
        format!(
            "{lock} names download addresses; delete it and run npm install there, .npmrc leaves them \
             out"
        )
    })
}

/// The files git knows or would add that are code.
fn sources(workspace: &Workspace) -> Result<Vec<String>> {
    let mut git = workspace.command("git");
    let files = output(git.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let is_code = |file: &&str| {
        let extension = file.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| CODE.contains(&extension)) || file.starts_with(".ci/")
    };
    // A file can be deleted and still be in the index.
    let is_there = |file: &&str| workspace.root.join(file).is_file();
    Ok(files.lines().filter(is_code).filter(is_there).map(str::to_owned).collect())
}

fn forbidden_text(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (words, folders, why) in FORBIDDEN {
            if !folders.is_empty() && !folders.iter().any(|folder| file.starts_with(folder)) {
                continue;
            }
            if let Some(word) = words.iter().find(|word| has_word(line, word)) {
                faults.push(format!("{file}:{}: `{word}`: {why}", number + 1));
            }
        }
    }
    faults
}

/// Whether the text stands in the line and not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |inner: Option<char>, outer: Option<char>| {
            inner.is_some_and(is_name) && outer.is_some_and(is_name)
        };
        !joins(word.chars().next(), before) && !joins(word.chars().next_back(), after)
    })
}

/// A crate of ours and what it must never ship with.
const CRATE_RULES: [(&str, &[&str]); 5] = [
    ("protocol", &["tokio", "mio", "hub", "sdk", "server"]),
    ("hub", &["tokio", "mio", "sdk", "server"]),
    ("sdk", &["tokio", "mio", "hub", "server"]),
    ("server", &["sdk"]),
    ("xtask", &["protocol", "hub", "sdk", "server"]),
];
const CODE: [&str; 12] =
    ["css", "html", "js", "lua", "mjs", "rs", "sh", "sql", "toml", "ts", "yaml", "yml"];
/// Words, the folders they are forbidden in (none: everywhere), and why. The words are cut in two
/// here, since this file is checked like any other.
const FORBIDDEN: [(&[&str], &[&str], &str); 3] = [
    (
        &[
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("XX", "X"),
            concat!("to", "do!"),
            concat!("unimpl", "emented!"),
        ],
        &[],
        "file an issue, or do it now",
    ),
    (
        &[
            concat!("#[ign", "ore"),
            concat!("test.", "skip"),
            concat!("test.", "only"),
            concat!("it.", "skip"),
            concat!("it.", "only"),
            concat!("describe.", "skip"),
            concat!("describe.", "only"),
        ],
        &[],
        "every test runs, always",
    ),
    (
        &[
            concat!("inner", "HTML"),
            concat!("outer", "HTML"),
            concat!("insertAdjacent", "HTML"),
            concat!("document.", "write"),
        ],
        &["www/", "crates/sdk/js/"],
        "text of others becomes markup; use textContent",
    ),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dep(package: &str, kind: Option<&str>) -> Value {
        json!({"pkg": package, "dep_kinds": [{"kind": kind, "target": null}]})
    }

    /// Our five crates, where `hub` has the dependencies given, and `net` brings tokio.
    fn workspace_where_hub_has(deps: &[Value]) -> Value {
        let ours = ["protocol", "hub", "sdk", "server", "xtask"];
        let package = |name: &str| json!({"id": name, "name": name});
        json!({
            "workspace_members": ours,
            "packages": ours.iter().chain(&["net", "tokio"]).map(|name| package(name)).collect::<Vec<_>>(),
            "resolve": {"nodes": [
                {"id": "hub", "deps": deps},
                {"id": "net", "deps": [dep("tokio", None)]},
            ]},
        })
    }

    #[test]
    fn allowed_dependencies_are_no_fault() {
        let metadata = workspace_where_hub_has(&[dep("protocol", None)]);
        assert_eq!(crate_rules(&metadata), Vec::<String>::new());
    }

    #[test]
    fn an_indirect_dependency_is_found() {
        let faults = crate_rules(&workspace_where_hub_has(&[dep("net", None)]));
        assert_eq!(faults, ["`hub` must not depend on `tokio`, not even indirectly"]);
    }

    #[test]
    fn tests_may_use_more() {
        let metadata = workspace_where_hub_has(&[dep("net", Some("dev"))]);
        assert_eq!(crate_rules(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_platform_we_never_build_for_does_not_count() {
        let on = |platform: &str| {
            let kinds = json!([{"kind": null, "target": platform}]);
            workspace_where_hub_has(&[json!({"pkg": "net", "dep_kinds": kinds})])
        };
        assert_eq!(crate_rules(&on("cfg(target_os = \"emscripten\")")).len(), 0);
        assert_eq!(crate_rules(&on("cfg(not(target_os = \"emscripten\"))")).len(), 1);
        assert_eq!(crate_rules(&on("cfg(unix)")).len(), 1);
    }

    #[test]
    fn a_rule_for_a_crate_that_is_gone_is_a_fault() {
        let faults = crate_rules(&json!({"workspace_members": [], "packages": []}));
        assert_eq!(faults.len(), CRATE_RULES.len());
    }

    #[test]
    fn forbidden_words_are_found_with_their_line() {
        let line = format!("fn a() {{}}\n// {}: later", FORBIDDEN[0].0[0]);
        let faults = forbidden_text("a.rs", &line);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("a.rs:2: "));
    }

    #[test]
    fn a_part_of_a_longer_name_is_not_the_word() {
        assert!(!has_word("mktemp /tmp/aXXXXXX", FORBIDDEN[0].0[2]));
        assert!(!has_word("unit.onlyOnce()", FORBIDDEN[1].0[4]));
        assert!(has_word(&format!("{}(\"a\", …)", FORBIDDEN[1].0[2]), FORBIDDEN[1].0[2]));
    }

    #[test]
    fn markup_from_text_is_forbidden_in_pages_only() {
        let line = format!("list.{} = text", FORBIDDEN[2].0[0]);
        assert_eq!(forbidden_text("www/demo/demo.js", &line).len(), 1);
        assert_eq!(forbidden_text("tests/e2e/page.test.js", &line).len(), 0);
    }

    #[test]
    fn a_change_of_the_protocol_asks_for_its_document() {
        let line = "<!-- protocol sources: sha256 12ab -->";
        assert_eq!(out_of_date(&format!("# Protocol\n\n{line}\n"), line), None);
        assert!(out_of_date("<!-- protocol sources: sha256 34cd -->", line).is_some());
    }

    #[test]
    fn long_documents_are_a_fault() {
        assert_eq!(too_long("README.md", "a\nb\n", 2), None);
        assert!(too_long("README.md", "a\nb\nc\n", 2).is_some());
    }

    #[test]
    fn a_lock_file_names_no_addresses() {
        assert!(lock_addresses("a", r#"{"version": "1.0.0"}"#).is_none());
        assert!(lock_addresses("a", r#"{"resolved": "https://example.org/a.tgz"}"#).is_some());
    }
}
