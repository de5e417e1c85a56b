//! Who gets a token, and what those who do not can learn.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body;
use axum::extract::Request;
use axum::http::StatusCode;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use super::*;
use crate::auth::{ForeignIssuers, SigningKey};

const KEY: SigningKey = SigningKey::from_random([3; 32]);
const OPTIONS: AccountOptions = AccountOptions {
    attempts: 0,
    sign_up: SignUpPolicy::Open,
    token_lifetime: Duration::from_secs(60),
};

/// The accounts of a new store, whose passwords cost little.
fn accounts(options: AccountOptions) -> Accounts {
    let verifier = Verifier::new(Arc::new(KEY.into()), ForeignIssuers::default());
    let verifier = Arc::new(verifier.expect("there are no others"));
    with_passwords(Arc::new(Store::in_memory()), verifier, options, Passwords::costing(64, 1))
}

fn with_passwords(
    store: Arc<Store>,
    verifier: Arc<Verifier>,
    options: AccountOptions,
    passwords: Passwords,
) -> Accounts {
    let attempts = Mutex::new(Attempts::new(options.attempts));
    let parts = Parts { store, keys: Arc::new(KEY.into()), verifier, options, attempts, passwords };
    Accounts { parts: Arc::new(parts) }
}

/// Asks as somebody at `address`; the status, the answer, and how long to wait.
async fn ask_from(
    address: &str,
    accounts: &Accounts,
    path: &str,
    input: &str,
) -> (StatusCode, Value, Option<String>) {
    let peer = PeerAddress::from(address.parse::<IpAddr>().expect("it is an address"));
    let request = Request::post(path)
        .header("content-type", "application/json")
        .extension(peer)
        .body(body::Body::from(input.to_owned()))
        .expect("it is a request");
    let router = TowerToHyperService::new(router(accounts.clone()));
    let response = router.call(request).await.expect("a router answers");
    let status = response.status();
    let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let wait = wait.map(str::to_owned);
    let bytes = body::to_bytes(response.into_body(), 1 << 20).await.expect("the answer is whole");
    (status, serde_json::from_slice(&bytes).expect("answers are JSON"), wait)
}

async fn ask(accounts: &Accounts, path: &str, input: &Value) -> (StatusCode, Value) {
    let (status, answer, _) = ask_from("192.0.2.1", accounts, path, &input.to_string()).await;
    (status, answer)
}

fn thor() -> Value {
    json!({ "name": "Thor", "email": "thor@asgard.example", "password": "mjolnir!" })
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_the_same_answer_and_the_same_work() {
    let accounts = accounts(OPTIONS);
    assert_eq!(ask(&accounts, "/signup", &thor()).await.0, StatusCode::OK);
    accounts.parts.passwords.computed();
    let mut answers = Vec::new();
    for email in ["thor@asgard.example", "loki@asgard.example"] {
        let input = json!({ "email": email, "password": "wrong password" });
        answers.push(ask(&accounts, "/login", &input).await);
        assert_eq!(accounts.parts.passwords.computed(), [(64, 1)], "{email}");
    }
    let refused = json!({ "code": "ERROR_CODE_ACCESS_DENIED", "message": "Invalid Credentials." });
    assert_eq!(
        answers,
        [(StatusCode::FORBIDDEN, refused.clone()), (StatusCode::FORBIDDEN, refused)]
    );
}

#[tokio::test]
async fn an_address_is_one_address_however_it_is_written() {
    let accounts = accounts(OPTIONS);
    let sign_up = |email: &str| {
        let mut input = thor();
        input["email"] = email.into();
        let accounts = accounts.clone();
        async move { ask(&accounts, "/signup", &input).await }
    };
    assert_eq!(sign_up(" Thór@Asgard.example ").await.0, StatusCode::OK);
    // The second has its accent as a character of its own.
    for same in ["thór@asgard.example", "tho\u{301}r@asgard.example", "THÓR@ASGARD.EXAMPLE\n"] {
        let (status, answer) = sign_up(same).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{same}");
        assert_eq!(answer["message"], "This account is already in use.");
        let input = json!({ "email": same, "password": "mjolnir!" });
        assert_eq!(ask(&accounts, "/login", &input).await.0, StatusCode::OK, "{same}");
    }
    assert_eq!(sign_up("thor@asgard.example").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_password_is_one_password_from_any_keyboard() {
    let accounts = accounts(OPTIONS);
    let mut input = thor();
    input["password"] = "mj\u{f6}lnir!".into();
    assert_eq!(ask(&accounts, "/signup", &input).await.0, StatusCode::OK);
    for (password, expected) in [
        ("mjo\u{308}lnir!", StatusCode::OK),
        ("Mj\u{f6}lnir!", StatusCode::FORBIDDEN),
        (" mj\u{f6}lnir!", StatusCode::FORBIDDEN),
    ] {
        let input = json!({ "email": "thor@asgard.example", "password": password });
        assert_eq!(ask(&accounts, "/login", &input).await.0, expected, "{password}");
    }
}

async fn check_input(accounts: &Accounts, changes: Value, param: &str, words: &str) {
    let mut input = thor();
    for (name, value) in changes.as_object().expect("changes are an object") {
        input[name] = value.clone();
    }
    let (status, answer) = ask(accounts, "/signup", &input).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{input}");
    assert_eq!(answer["code"], "ERROR_CODE_INPUT_ERROR");
    assert_eq!((&answer["param"], &answer["payload"]), (&json!(param), &json!({ "param": param })));
    assert!(answer["message"].as_str().expect("it is text").contains(words), "{answer}");
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named() {
    let accounts = accounts(OPTIONS);
    for param in ["name", "email", "password"] {
        check_input(&accounts, json!({ param: null }), param, &format!("Missing param: {param}"))
            .await;
        check_input(&accounts, json!({ param: 12345678 }), param, "must be text").await;
        check_input(&accounts, json!({ param: "" }), param, param).await;
    }
    for wrong in [" ", "a\u{0}b", "two\nlines", &"x".repeat(101)] {
        check_input(&accounts, json!({ "name": wrong }), "name", "1 to 100 characters").await;
    }
    for wrong in ["thor", "@b", "a@", "a@b@c", "a b@c.d", "a@b .c", "a@.b", "a@b.", "a\u{1}@b"] {
        check_input(&accounts, json!({ "email": wrong }), "email", "must be an address").await;
    }
    let long = format!("{}@asgard.example", "x".repeat(250));
    check_input(&accounts, json!({ "email": long }), "email", "254 bytes").await;
    for wrong in ["1234567".to_owned(), "x".repeat(129)] {
        check_input(&accounts, json!({ "password": wrong }), "password", "8 to 128").await;
    }
    assert_eq!(accounts.parts.passwords.computed(), [], "nothing of this is worth a hash");
}

#[tokio::test]
async fn what_is_as_long_as_it_may_be_is_taken() {
    let accounts = accounts(OPTIONS);
    let name: String = "\u{1f528}".repeat(100);
    let password = "\u{1f528}".repeat(128);
    let email = format!("{}@asgard.example", "x".repeat(239));
    let input = json!({ "name": name, "email": email, "password": password, "more": 1 });
    let (status, answer) = ask(&accounts, "/signup", &input).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let token = answer["authToken"].as_str().expect("there is a token");
    let user = accounts.bearer(token).await.expect("the token is good");
    assert_eq!((user.name, user.email), (name, email));
}

#[tokio::test]
async fn what_is_no_json_is_told_and_what_is_too_much_is_not_read() {
    let accounts = accounts(OPTIONS);
    let long = json!({ "password": "x".repeat(MAX_BODY) }).to_string();
    let in_order = r#"["Thor", "thor@asgard.example", "by my hammer"]"#;
    for input in ["", "{", "[1]", "\"text\"", in_order, &long] {
        let (status, answer, _) = ask_from("192.0.2.1", &accounts, "/signup", input).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(answer["code"], "ERROR_CODE_INPUT_ERROR");
        assert!(answer.get("param").is_none() && answer.get("payload").is_none(), "{answer}");
    }
}

/// A request's body that never comes.
struct Never;

impl hyper::body::Body for Never {
    type Data = body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_whole_is_not_waited_for() {
    let accounts = accounts(OPTIONS);
    let peer = PeerAddress::from("192.0.2.1".parse::<IpAddr>().expect("it is an address"));
    let request = Request::post("/login").header("content-type", "application/json");
    let request = request.extension(peer).body(body::Body::new(Never)).expect("it is a request");
    let router = TowerToHyperService::new(patient_router(accounts, Duration::from_millis(1)));
    let response = router.call(request).await.expect("a router answers");
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn each_address_has_its_own_number_of_attempts() {
    let accounts = accounts(AccountOptions { attempts: 2, ..OPTIONS });
    let input = json!({ "email": "thor@asgard.example", "password": "guess one" }).to_string();
    let ask = |address: &'static str, path: &'static str| {
        let (accounts, input) = (accounts.clone(), input.clone());
        async move { ask_from(address, &accounts, path, &input).await }
    };
    assert_eq!(ask("192.0.2.1", "/login").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask("192.0.2.1", "/signup").await.0, StatusCode::BAD_REQUEST);
    accounts.parts.passwords.computed();
    let (status, answer, wait) = ask("192.0.2.1", "/login").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer["code"], "ERROR_CODE_TOO_MANY_REQUESTS");
    let wait: u64 = wait.and_then(|wait| wait.parse().ok()).expect("it says how long to wait");
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(accounts.parts.passwords.computed(), [], "a refused attempt costs nothing");
    // Another address of the same IPv6 network is the same somebody.
    assert_eq!(ask("2001:db8::1", "/login").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask("2001:db8::2", "/login").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask("2001:db8::3", "/login").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask("2001:db8:0:1::3", "/login").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_comes_while_too_many_passwords_wait_is_asked_to_come_again() {
    let idle = accounts(OPTIONS);
    let Parts { store, verifier, .. } = &*idle.parts;
    let (store, verifier) = (Arc::clone(store), Arc::clone(verifier));
    let busy = with_passwords(store, verifier, OPTIONS, Passwords::overworked());
    let input = thor().to_string();
    for path in ["/signup", "/login"] {
        let (status, answer, wait) = ask_from("192.0.2.1", &busy, path, &input).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
        assert_eq!(answer["code"], "ERROR_CODE_UNAVAILABLE");
        assert_eq!(wait.as_deref(), Some("2"));
    }
    assert_eq!(ask(&idle, "/signup", &thor()).await.0, StatusCode::OK, "nobody was added");
}

#[tokio::test]
async fn where_nobody_can_sign_up_who_has_can_still_log_in() {
    let open = accounts(OPTIONS);
    assert_eq!(ask(&open, "/signup", &thor()).await.0, StatusCode::OK);
    let Parts { store, verifier, passwords, .. } = &*open.parts;
    let options = AccountOptions { sign_up: SignUpPolicy::Closed, ..OPTIONS };
    let (store, verifier) = (Arc::clone(store), Arc::clone(verifier));
    let closed = with_passwords(store, verifier, options, passwords.clone());
    let mut loki = thor();
    loki["email"] = "loki@asgard.example".into();
    for input in [loki, thor()] {
        let (status, answer) = ask(&closed, "/signup", &input).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(answer["message"], "Nobody can sign up on this server.");
    }
    assert_eq!(ask(&closed, "/login", &thor()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn when_passwords_come_to_cost_more_they_are_hashed_again() {
    let cheap = accounts(OPTIONS);
    assert_eq!(ask(&cheap, "/signup", &thor()).await.0, StatusCode::OK);
    let Parts { store, verifier, .. } = &*cheap.parts;
    let dear = with_passwords(
        Arc::clone(store),
        Arc::clone(verifier),
        OPTIONS,
        Passwords::costing(128, 2),
    );
    let log_in = async || {
        assert_eq!(ask(&dear, "/login", &thor()).await.0, StatusCode::OK);
        dear.parts.passwords.computed()
    };
    assert_eq!(log_in().await, [(64, 1), (128, 2)]);
    assert_eq!(log_in().await, [(128, 2)]);
}

#[tokio::test]
async fn two_who_sign_up_with_one_address_at_once_are_told_apart() {
    let accounts = accounts(OPTIONS);
    let input = thor();
    let (first, second) =
        tokio::join!(ask(&accounts, "/signup", &input), ask(&accounts, "/signup", &input));
    let mut statuses = [first.0, second.0];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
}

#[tokio::test]
async fn only_tokens_of_this_server_for_people_of_this_server_say_who_one_is() {
    let accounts = accounts(OPTIONS);
    let (_, answer) = ask(&accounts, "/signup", &thor()).await;
    let token = answer["authToken"].as_str().expect("there is a token");
    assert_eq!(accounts.bearer(token).await.expect("the token is good").id, 1);
    let issue = |key: &SigningKey, dbo_id, row_id, seconds| {
        let expires = SystemTime::now() + Duration::from_secs(600) - Duration::from_secs(seconds);
        let extras = crate::auth::Extras::default();
        key.issue(&Permissions { dbo_id, row_id }, &extras, expires).expect("it can be signed")
    };
    let one = || RowId::Number(1);
    assert!(accounts.bearer(&issue(&KEY, 1, one(), 0)).await.is_ok());
    for wrong in [
        issue(&KEY, 1, RowId::Number(2), 0),
        issue(&KEY, 1, RowId::Text("one".to_owned()), 0),
        issue(&KEY, 2, one(), 0),
        issue(&KEY, 1, one(), 700),
        issue(&SigningKey::from_random([4; 32]), 1, one(), 0),
        String::new(),
        "a.b.c".to_owned(),
    ] {
        assert!(matches!(accounts.bearer(&wrong).await, Err(AuthError::Unauthorized)), "{wrong}");
    }
}

#[test]
fn whoever_has_many_networks_leaves_others_their_attempts() {
    let (mut attempts, now) = (Attempts::new(2), Instant::now());
    let mut take = |address: String| {
        let address: IpAddr = address.parse().expect("it is an address");
        u32::from(attempts.take(address.into(), now).is_ok())
    };
    let many: u32 = (0..=0xffff).map(|network| take(format!("2001:db8:1:{network:x}::1"))).sum();
    assert_eq!(many, 2 * NETWORKS_OF_A_SITE);
    let others: u32 = (0..100).map(|other| take(format!("192.0.2.{other}"))).sum();
    assert_eq!(others, 100);
}
