//! Every scenario runs, in sizes that show only that it works: against this server and those peers that
//! are installed wherever tests run.

// Nowhere else can it tell what a process has used.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_scenario_measures_every_server() {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let server = bench.with_file_name("xano-realtime");
    assert!(server.is_file(), "no {}: `cargo build -p server` makes it", server.display());
    let folder = tempfile::tempdir().expect("a folder for the report");
    let report = folder.path().join("report.json");
    let output = Command::new(bench)
        .args(["all", "growth", "--tiny", "--server"])
        .arg(&server)
        .arg("--json")
        .arg(&report)
        .output()
        .expect("it can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let report = fs::read_to_string(report).expect("it has written a report");
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");

    let scenarios = report["scenarios"].as_array().expect("scenarios");
    assert!(scenarios.len() >= 17, "{report:#}");
    for scenario in scenarios {
        let servers = scenario["servers"].as_array().expect("servers");
        let names: Vec<_> = servers.iter().filter_map(|server| server["name"].as_str()).collect();
        assert!(names.contains(&"xano-realtime"), "{scenario:#}");
        // Those who are not there are named, and never left out in silence.
        assert!(
            names.contains(&"Bun") || names.len() < 3 || told.contains("Bun is left out"),
            "{told}"
        );
        for server in servers {
            let figures = server["rounds"][0]["figures"].as_object();
            let figures = figures.unwrap_or_else(|| panic!("no figures: {scenario:#}"));
            let is_number = |figure: &Value| figure.as_f64().is_some_and(f64::is_finite);
            assert!(!figures.is_empty() && figures.values().all(is_number), "{scenario:#}");
        }
    }
    let missing = scenarios.iter().find(|scenario| scenario["name"] == "overload");
    let missing = &missing.expect("overload")["servers"][0]["rounds"][0]["figures"]["missing"];
    assert_eq!(missing.as_f64(), Some(0.0), "all has come");

    let growth = report["growth"].as_array().expect("curves");
    assert_eq!(growth.len(), 5);
    for curve in growth {
        assert!(curve["points"].as_array().is_some_and(|points| points.len() >= 3), "{curve:#}");
    }
    for fact in ["processor", "kernel", "commit", "date"] {
        assert!(report["machine"][fact].is_string(), "{fact}");
    }
}
