//! docs/running.md and the files it names, held against the program.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, CommandFactory, Parser};
use serde_json::Value;
use server::config::Cli;

use crate::program::{Program, temporary_directory};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The row of the table that an option of `serve` must have.
fn row(arg: &Arg) -> String {
    let long = arg.get_long().expect("every option has a long name");
    let choices = arg.get_possible_values();
    let choices: Vec<_> = choices.iter().map(PossibleValue::get_name).collect();
    let value = match arg.get_action() {
        ArgAction::SetTrue => String::new(),
        _ if !choices.is_empty() => format!(" {}", choices.join("|")),
        _ => format!(" {}", arg.get_value_names().unwrap_or_default().join(" ")),
    };
    let environment = arg.get_env().and_then(|name| name.to_str()).expect("every option has one");
    let default = match (arg.get_action(), arg.get_default_values()) {
        (ArgAction::SetTrue, _) | (_, []) => String::new(),
        (_, values) => format!("`{}`", values[0].to_string_lossy()),
    };
    let help = arg.get_help().expect("every option is explained").to_string();
    let cell = |text: String| text.replace('|', "\\|");
    [format!("`--{long}{value}`"), format!("`{environment}`"), default, help].map(cell).join(" | ")
}

#[test]
fn the_table_has_every_option_as_help_has_it() {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").expect("it can serve");
    let options = serve.get_arguments().chain(cli.get_arguments());
    let options = options.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    let mut table = String::from("| option | environment | default | what |\n|---|---|---|---|\n");
    options.for_each(|arg| writeln!(table, "| {} |", row(arg)).expect("text has room"));
    let text = read("running.md");
    let found =
        text.split_once("<!-- options -->\n").and_then(|(_, rest)| rest.split_once("<!-- /"));
    let (found, _) = found.expect("the table is between its marks");
    assert!(found == table, "docs/running.md must have this table:\n\n{table}");
}

#[test]
fn its_configuration_files_are_right_and_their_mistakes_are_told_as_it_says() {
    let text = read("running.md");
    let folder = temporary_directory("docs");
    let check = |content: &str| {
        fs::write(folder.join("xano.toml"), content).expect("a file can be written");
        let mut program = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
        program.current_dir(&folder).args(["check", "--config", "xano.toml"]);
        let output = program.output().expect("the program starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("errors are text"))
    };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("a certificate can be made");
    fs::write(folder.join("xano.pem"), made.cert.pem()).expect("a file can be written");
    fs::write(folder.join("xano.key"), made.signing_key.serialize_pem())
        .expect("it can be written");
    let files = blocks(&text, "toml");
    assert_eq!(files.len(), 1);
    for file in files {
        let here = file.replace("/etc/ssl/certs/", "").replace("/etc/ssl/private/", "");
        assert_eq!(check(&here), (Some(0), String::new()), "{file}");
    }
    let mistakes = blocks(&text, "mistakes");
    let outputs = blocks(&text, "output");
    assert_eq!((mistakes.len(), outputs.len()), (1, 1));
    assert_eq!(check(mistakes[0]), (Some(2), outputs[0].to_owned()));
}

#[test]
fn its_line_of_the_log_is_as_the_program_writes_it() {
    let program = Program::start_with("docs-log", |command| {
        command.args(["--log-format", "json"]);
    });
    let keys = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("a line of the log is JSON");
        entry.as_object().expect("it is an object").keys().cloned().collect::<Vec<_>>()
    };
    let log = program.wait_for_log("\"serving\"");
    let text = read("running.md");
    let [line] = blocks(&text, "json")[..] else { panic!("there is one line of the log") };
    assert_eq!(keys(line), keys(log.lines().next().expect("a line was logged")));
}

/// The words of a command line; only single and double quotes are known.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words
}

#[test]
fn the_command_lines_of_the_guides_are_taken_by_the_program() {
    let (running, webflow) = (read("running.md"), read("webflow.md"));
    let blocks = [blocks(&running, "sh"), blocks(&webflow, "sh")].concat();
    let lines: Vec<_> = blocks.into_iter().flat_map(str::lines).collect();
    assert!(lines.iter().filter(|line| line.starts_with("xano-realtime ")).count() >= 7);
    for line in lines {
        let words = words(line);
        match words[0].as_str() {
            "xano-realtime" => {
                Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            other => assert!(["cp", "sqlite3", "systemctl", "umask"].contains(&other), "{line}"),
        }
    }
}

#[test]
fn its_proxies_find_the_server_pass_websockets_on_and_are_more_patient() {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").expect("it can serve");
    let default = |id: &str| {
        let arg = serve.get_arguments().find(|arg| arg.get_id() == id).expect("there is one");
        arg.get_default_values()[0].to_str().expect("defaults are text").to_owned()
    };
    let address = default("listen").replace("localhost", "127.0.0.1");
    let text = read("running.md");
    let ([nginx], [caddy]) = (&blocks(&text, "nginx")[..], &blocks(&text, "caddy")[..]) else {
        panic!("there is one example of each");
    };
    assert!(caddy.contains(&format!("reverse_proxy {address}\n")), "{caddy}");
    let directive = |name: &str| {
        let value =
            nginx.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_suffix(';'));
        value.unwrap_or_else(|| panic!("{name} is not in {nginx}")).trim().to_owned()
    };
    assert_eq!(directive("proxy_pass"), format!("http://{address}"));
    assert_eq!(directive("proxy_http_version"), "1.1");
    assert_eq!(directive("proxy_set_header Upgrade"), "$http_upgrade");
    assert_eq!(directive("proxy_set_header Connection"), "\"upgrade\"");
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().expect("it is in seconds");
    assert!(seconds(&directive("proxy_read_timeout")) > seconds(&default("idle_timeout")));
}

#[test]
fn the_systemd_unit_starts_the_program_as_it_can_be_started() {
    let unit = read("deploy/xano-realtime.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts");
    Cli::try_parse_from(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
    // The time to stop is longer than the default window and what comes behind it.
    let seconds = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let seconds: u64 = seconds.and_then(|text| text.parse().ok()).expect("it has a time to stop");
    assert!(seconds >= 5 + 7);
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return eprintln!("systemd-analyze is not on this machine: the unit is not verified");
    };
    assert!(version.status.success(), "{version:?}");
    let here = unit.replace("/usr/local/bin/xano-realtime", env!("CARGO_BIN_EXE_xano-realtime"));
    let folder = temporary_directory("unit");
    let file = folder.join("unit.service");
    fs::write(&file, here).expect("a file can be written");
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output();
    let output = output.expect("it was there a moment ago");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn the_image_sets_options_that_there_are() {
    let text = read("deploy/Dockerfile");
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").expect("it can serve");
    let known: Vec<_> = serve.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    let set = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let set: Vec<_> = set.filter(|word| word.starts_with("XANO_")).collect();
    assert_eq!(set.len(), 3);
    for name in set {
        assert!(known.contains(&name), "{name}");
    }
    assert!(text.contains("ENTRYPOINT [\"xano-realtime\"]\nCMD [\"serve\"]"));
    assert!(text.contains("RUN npm run build\n") && text.contains("\nUSER xano\n"));
}
