//! The default API group over real sockets: what of it may be seen afterwards, and what may not.

use std::fs::{self, File};
use std::io::{Read, Write};
#[cfg(target_os = "linux")]
use std::thread;

use serde_json::{Value, json};

use crate::program::{Program, temporary};
use crate::support::{Client, tcp};

/// Asks the program; the status line, and the answer's body.
fn ask(program: &Program, head: &str, body: &str) -> (String, Value) {
    let mut tcp = tcp(program.port);
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    tcp.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("the answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("the answer has a head");
    let status = head.lines().next().expect("the head has a line").to_owned();
    (status, serde_json::from_str(body).expect("the answer is JSON"))
}

fn post(program: &Program, path: &str, input: &Value) -> (String, Value) {
    ask(program, &format!("POST /api:main/auth/{path} HTTP/1.1"), &input.to_string())
}

#[test]
fn neither_the_log_nor_the_disk_has_what_only_its_owner_may_know() {
    let log = temporary("accounts-log");
    let file = File::create(&log).expect("a file can be made");
    let program = Program::start_with("accounts", |command| {
        command.args(["--log", "debug"]).stderr(file);
    });
    let password = "open-sesame-1001";
    let thor = json!({ "name": "Thor", "email": "thor@asgard.example", "password": password });
    let (status, answer) = post(&program, "signup", &thor);
    assert_eq!(status, "HTTP/1.1 200 OK", "{answer}");
    let (_, answer) = post(&program, "login", &thor);
    let token = answer["authToken"].as_str().expect("there is a token").to_owned();
    let guess = json!({ "email": "thor@asgard.example", "password": "swordfish-1001" });
    assert_eq!(post(&program, "login", &guess).0, "HTTP/1.1 403 Forbidden");
    let me = |token: &str| {
        let head = format!("GET /api:main/auth/me HTTP/1.1\r\nAuthorization: bearer {token}");
        ask(&program, &head, "")
    };
    assert_eq!(me(&token).1["email"], "thor@asgard.example");
    assert_eq!(me(&token[..token.len() - 3]).0, "HTTP/1.1 401 Unauthorized");
    let mut client = Client::with_token(program.port, &program.hash, &token);
    assert_eq!(client.join("marvel-hq", false, false)["client"]["extras"]["name"], "Thor");

    let text = fs::read_to_string(&log).expect("the log is text");
    assert!(text.contains("somebody signed up") && text.contains("an authToken was refused"));
    let parts = token.split('.').filter(|part| part.len() > 8);
    for secret in parts.chain([password, "swordfish-1001", "thor@asgard.example", "argon2"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for name in ["settings.db", "settings.db-wal"] {
        let bytes = fs::read(program.data_dir.join(name)).expect("the store is there");
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!has(password) && !has("swordfish-1001"), "{name}");
    }
    drop(program);
}

#[cfg(target_os = "linux")]
#[test]
fn however_many_log_in_at_once_the_memory_for_their_passwords_is_that_of_a_few() {
    let program = Program::start_with("accounts-memory", |command| {
        command.args(["--auth-attempts", "0"]);
    });
    let thor = json!({ "name": "Thor", "email": "thor@asgard.example", "password": "mjolnir!" });
    assert_eq!(post(&program, "signup", &thor).0, "HTTP/1.1 200 OK");
    let statuses: Vec<_> = thread::scope(|scope| {
        let logging_in: Vec<_> =
            (0..40).map(|_| scope.spawn(|| post(&program, "login", &thor).0)).collect();
        logging_in.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    let let_in = statuses.iter().filter(|status| *status == "HTTP/1.1 200 OK").count();
    // On a busy machine some may have waited for too long.
    let sent_away = "HTTP/1.1 503 Service Unavailable";
    assert!(statuses.iter().all(|status| status == "HTTP/1.1 200 OK" || status == sent_away));
    assert!(let_in > 0, "{let_in}");
    let peak = program.peak_memory() >> 20;
    assert!(peak < 200, "4 hashes take 76 MiB, not {peak} MiB");
}
