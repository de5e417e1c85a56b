//! What the server counts, as Prometheus reads it and as its page tells.

use std::collections::BTreeSet;

use hub::{ChannelSettings, Limit};
use protocol::ErrorCode;

use crate::program::Program;
use crate::support::{Server, config, get, open, send};

const PAGE: &str = include_str!("../../../../docs/metrics.md");

#[test]
fn the_page_has_a_row_for_every_metric_with_its_type_and_labels_and_for_no_other() {
    let server = Server::start(vec![open("room")]);
    // Statuses are told once they were given.
    get(server.port, "/healthz", "");
    let (head, body) = get(server.port, "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let told: BTreeSet<_> = PAGE.lines().filter_map(row).collect();
    let shown: BTreeSet<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').expect("a name and a type");
            assert!(body.contains(&format!("# HELP {name} ")), "{name} has a text");
            let sample = body.lines().find_map(|line| {
                line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))
            });
            (name.to_owned(), kind.to_owned(), labels(sample.expect("every metric has a value")))
        })
        .collect();
    assert_eq!(told, shown);
}

/// Name, type and labels of a metric as its row in the page has them.
fn row(line: &str) -> Option<(String, String, Vec<String>)> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let name = cells.next()?.trim_end_matches('`').to_owned();
    let kind = cells.next()?.to_owned();
    let labels = cells.next()?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name, kind, labels))
}

/// The labels of `{code="1013",reason="idle"} 0`.
fn labels(sample: &str) -> Vec<String> {
    let Some(inner) = sample.strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
        return Vec::new();
    };
    inner.split(',').map(|label| label.split('=').next().expect("a label").to_owned()).collect()
}

#[test]
fn what_happens_is_counted() {
    let server = Server::start(vec![open("room")]);
    let mut members: Vec<_> = (0..3).map(|_| server.member("room")).collect();
    for n in 0..5 {
        members[0].say("room", &n.to_string());
        members.iter_mut().for_each(|member| drop(member.read("message")));
    }
    members[1].say("elsewhere", "1");
    members[1].read("error");
    for (name, expected) in [
        ("xano_connections", 3),
        ("xano_connections_opened_total", 3),
        ("xano_handshakes_total{outcome=\"accepted\"}", 3),
        ("xano_http_responses_total{status=\"101\"}", 3),
        ("xano_received_frames_total", 9),
        ("xano_messages_total", 5),
        ("xano_joins_total", 3),
        ("xano_deliveries_total", 15),
        ("xano_errors_total{code=\"not_joined\"}", 1),
        ("xano_channels", 1),
        ("xano_idle_channels", 0),
        ("xano_members", 3),
        ("xano_queue_events", 0),
        ("xano_held_connections", 0),
    ] {
        server.await_metric(name, expected);
    }
    assert!(server.metric("xano_kept_bytes") > 5 * 100);
    assert!(server.metric("xano_received_bytes_total") > 9 * 40);
    let sent = server.metric("xano_sent_bytes_total");
    assert!((15 * 150..20_000).contains(&sent), "{sent}");
    drop(members);
    server.await_metric("xano_connections", 0);
    server.await_metric("xano_idle_channels", 1);
    server.await_metric("xano_members", 0);
}

#[test]
fn metrics_are_for_the_administrator_unless_the_operator_says_otherwise() {
    let program = Program::start("metrics");
    let (refused, text) = get(program.port, "/metrics", "");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(text.contains("--metrics-public"), "{text}");
    let wrong = get(program.port, "/metrics", "Authorization: Bearer wrong\r\n").0;
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    let file = program.data_dir.join("admin-token");
    let token = std::fs::read_to_string(file).expect("the data directory has the admin token");
    let right =
        get(program.port, "/metrics", &format!("Authorization: Bearer {}\r\n", token.trim()));
    assert!(right.0.starts_with("HTTP/1.1 200 ") && right.1.contains("xano_connections 0"));
    // A scraper need not be an administrator.
    for (scope, expected) in [("read", "HTTP/1.1 200 "), ("publish", "HTTP/1.1 401 ")] {
        let more =
            format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
        let body = format!(r#"{{"name":"scraper","scopes":["{scope}"]}}"#);
        let what = "POST /api:meta/workspace/1/realtime/token";
        let (head, made) = send(program.port, what, &more, &body);
        let made: serde_json::Value = serde_json::from_str(&made).expect("the answer is JSON");
        let token = made["token"].as_str().unwrap_or_else(|| panic!("{head} {made}"));
        let answer = get(program.port, "/metrics", &format!("Authorization: Bearer {token}\r\n"));
        assert!(answer.0.starts_with(expected), "{scope}: {}", answer.0);
    }

    let mut closed = config();
    closed.limits.metrics_public = false;
    let settings =
        hub::Settings::new(crate::support::HASH.to_owned(), Vec::<ChannelSettings>::new());
    let server = Server::serving(closed, settings, server::NodeOptions::default());
    let nobody = get(server.port, "/metrics", "Authorization: Bearer \r\n").0;
    assert!(nobody.starts_with("HTTP/1.1 401 "), "without an administrator nobody may: {nobody}");
}

#[test]
fn every_code_and_every_limit_has_its_counter_from_the_beginning() {
    let server = Server::start(Vec::new());
    for limit in Limit::ALL {
        assert_eq!(server.reached(limit.name()), 0, "{limit:?}");
    }
    for code in ["rate_limited", "overloaded", "malformed_frame", "invalid_token"] {
        assert_eq!(server.metric(&format!("xano_errors_total{{code=\"{code}\"}}")), 0);
    }
    let (_, page) = get(server.port, "/metrics", "");
    let codes = page.lines().filter(|line| line.starts_with("xano_errors_total{")).count();
    assert_eq!(codes, ErrorCode::ALL.len() - 3, "three are made by the SDK alone");
}
