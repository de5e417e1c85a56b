//! The configuration file, as the program reads it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::program::{Program, Temporary, assert_fails, temporary, temporary_directory};
use crate::support::ask;

/// A folder with a configuration file; gone when dropped.
struct Folder(Temporary);

impl Folder {
    fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let folder = temporary_directory(name);
        fs::write(folder.join("xano.toml"), text).expect("a file can be written");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("xano.toml")
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
    command.args(arguments);
    command
}

fn check_file(file: &Path, arguments: &[&str]) -> Output {
    let mut command = program(&["check", "--config"]);
    command.arg(file).args(arguments).output().expect("the program starts")
}

/// The file is refused with exactly these lines, each without its path.
fn refused(name: &str, text: impl AsRef<[u8]>, expected: &[&str]) {
    let folder = Folder::with(&format!("options-{name}"), text);
    let output = check_file(&folder.file(), &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    let path = folder.file().display().to_string();
    let lines: Vec<_> = errors
        .trim_start_matches("error: ")
        .lines()
        .map(|line| line.trim().strip_prefix(&path).expect("each line names the file"))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn every_mistake_is_told_with_its_line_its_key_and_the_way_out() {
    refused(
        "mistakes",
        r#"# a comment
listne = "localhost:0"
threads = 0
log = "loud"
demo = "yes"
listen = 8787
data-dir = "data"
drain_window = "soon"
allow_origin = ["https://a.example", "https://b.example/"]
token_key = [1]
tls_cert = ["a.pem"]
colour = "red"
threads_ = 1979-05-27
[tls]
cert = "a.pem"
"#,
        &[
            ":2: listne: there is no such option; did you mean listen?",
            ":3: threads: this value is refused: 0 is not in 1..=1024",
            ":4: log: this value is refused: it must be one of error, warn, info, debug",
            ":5: demo: the value must be true or false, this is text",
            ":6: listen: the value must be text in \"quotes\", this is a whole number",
            ":7: data-dir: there is no such option; did you mean data_dir?",
            ":8: drain_window: this value is refused: a window is 0 or a whole number with s, m or h, \
             as in 30s, and at most 1h",
            ":9: allow_origin: this value is refused: an origin has no path and ends without a slash, \
             as in https://www.example.com",
            ":10: token_key: the value must be text in \"quotes\", or a list of it, this is a whole number",
            ":11: tls_cert: the value must be text in \"quotes\", this is a list",
            ":12: colour: there is no such option; `xano-realtime serve --help` lists all, and - is _ here",
            ":13: threads_: there is no such option; did you mean threads?",
            ":14: tls: the file has no sections and no tables; write each option as `name = value` before \
             the first line with [brackets]",
        ],
    );
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    refused(
        "twice",
        "demo = true\nthreads = 1\n\ndemo = false\n",
        &[":4: demo: this key is in the file already; keep one of the two"],
    );
    refused(
        "unquoted",
        "demo = true\nlisten = localhost:8787\n",
        &[":2: listen: this is no TOML: string values must be quoted, expected literal string"],
    );
    refused(
        "latin-1",
        b"demo = true\ndata_dir = \"d\xE4ta\"\n",
        &[":2: this line is not UTF-8; save the file in that encoding"],
    );
}

#[test]
fn options_that_need_each_other_are_told_where_they_stand() {
    refused(
        "alone",
        "demo = true\ntls_cert = \"cert.pem\"\n",
        &[":2: tls_cert: the following required arguments were not provided: --tls-key <FILE>"],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = temporary("options-missing").join("xano.toml");
    let path = missing.to_str().expect("the path is text");
    assert_fails(
        &check_file(&missing, &[]),
        2,
        &["error: cannot read the configuration file", path, "No such file"],
    );
    let output = program(&["token", "--table-id", "1", "--row-id", "1"])
        .env("XANO_CONFIG", &missing)
        .output()
        .expect("the program starts");
    assert_fails(&output, 2, &["cannot read the configuration file", path]);
}

#[test]
fn the_command_line_comes_before_the_environment_before_the_file() {
    let folder = Folder::with("options-order", "");
    let data_dir = |name: &str| folder.0.below(name);
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndemo = true\nthreads = 1\nlog = \"info\"\nlog_format = \"json\"\n\
         allow_origin = [\"https://a.example\"]\ndrain_window = 0\ndata_dir = \"{}\"\n",
        data_dir("file").display()
    );
    fs::write(folder.file(), text).expect("a file can be written");
    for (name, environment, argument) in [
        ("file", None, None),
        ("environment", Some("environment"), None),
        ("command-line", Some("environment-2"), Some("command-line")),
    ] {
        let mut command = program(&["--config"]);
        command.arg(folder.file()).arg("serve");
        command.envs(environment.map(|name| ("XANO_DATA_DIR", data_dir(name).to_path_buf())));
        if let Some(name) = argument {
            command.arg("--data-dir").arg(&*data_dir(name));
        }
        let program = Program::run(command, data_dir(name), |_| {});
        assert!(program.wait_for_log("\"serving\"").contains("\"threads\":1"));
        assert!(data_dir(name).join("admin-token").exists(), "{name}");
        let answer = ask(program.port, "GET /readyz");
        assert!(answer.ends_with("ready\n"), "{answer}");
        // The other commands find the same directory.
        if environment.is_none() {
            let token = self::program(&["token", "--table-id", "1", "--row-id", "1"])
                .env("XANO_CONFIG", folder.file())
                .output()
                .expect("the program starts");
            assert!(token.status.success(), "{token:?}");
        }
    }
    assert!(!data_dir("environment-2").exists());
}

#[test]
fn a_list_on_the_command_line_replaces_the_one_in_the_file() {
    let folder = Folder::with("options-list", "token_key = [\"a.pem\", \"b.pem\"]\n");
    let path = folder.file();
    assert_fails(&check_file(&path, &[]), 1, &["a.pem"]);
    assert_fails(&check_file(&path, &["--token-key", "c.pem"]), 1, &["c.pem"]);
}

#[test]
fn a_switch_in_the_file_is_off_where_the_environment_says_so() {
    let folder = Folder::with("options-switch", "demo = true\nlisten = \"127.0.0.1:0\"\n");
    let mut serve = program(&["serve", "--config"]);
    serve.arg(folder.file()).arg("--data-dir").arg(folder.0.join("data")).env("XANO_DEMO", "false");
    let mut child = serve.stdout(std::process::Stdio::piped()).spawn().expect("the program starts");
    let output = child.stdout.take().expect("the output is a pipe");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
    let is_off = lines.any(|line| line.is_ok_and(|line| line.contains("realtime is switched off")));
    child.kill().expect("the program runs");
    child.wait().expect("the program ends");
    assert!(is_off);
}

#[test]
fn what_is_right_is_said_to_be_and_nothing_is_created() {
    let folder = Folder::with("options-right", "demo = true\nthreads = 2\n");
    let data = folder.0.join("data");
    let output = check_file(&folder.file(), &["--data-dir", data.to_str().expect("it is text")]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("ok: "));
    assert!(!data.exists());
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_may_read_is_told_once_and_not_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder =
        Folder::with("options-secret", "token_key = \"store://me:hunter2@here/key.pem\"\n");
    for (mode, is_told) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).expect("it is ours");
        let errors = String::from_utf8(check_file(&folder.file(), &[]).stderr);
        let errors = errors.expect("errors are text");
        let warning = errors.lines().find(|line| line.contains("chmod o-r keeps them out"));
        assert_eq!(warning.is_some(), is_told, "{mode:o}: {errors}");
        assert!(!warning.is_some_and(|warning| warning.contains("hunter2")), "{errors}");
    }
}
