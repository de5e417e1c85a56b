//! The client against real servers on this machine, and the table of addresses.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_body: 1_000 };

fn client(reach: Reach) -> Outbound {
    Outbound::with_roots(reach, RootCertStore::empty()).expect("a client can be made")
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).expect("the request is right")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    (listener, address)
}

/// Reads requests without a body, and gives each the next answer; the requests' heads.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: &[&str]) -> Vec<String> {
    let mut heads = Vec::new();
    for answer in answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await.expect("a request comes");
            head.push(byte);
        }
        heads.push(String::from_utf8(head).expect("a head is text"));
        if stream.write_all(answer.as_bytes()).await.is_err() {
            // The client has seen enough of it.
            break;
        }
    }
    // Open until the client has gone, so that nothing but the answer ends its waiting.
    stream.read_to_end(&mut Vec::new()).await.ok();
    heads
}

/// What the client makes of one answer.
async fn ask(answer_text: &str, limits: Limits) -> Result<Response<Bytes>, OutboundError> {
    let (listener, address) = listen().await;
    let answer_text = answer_text.to_owned();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection comes");
        answer(stream, &[&answer_text]).await
    });
    let result = client(Reach::Anywhere).send(get(&format!("http://{address}/")), limits).await;
    server.await.expect("the server has not failed");
    result
}

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    let public = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:80b::200e",
        "2001:4860:4860::8888",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ];
    let private = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.7",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::1.1.1.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:1.1.1.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::101:101",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
        "100::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456:789a::1",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];
    let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
    for text in public {
        assert!(Reach::Public.allows(parse(text)), "{text} is public");
    }
    for text in private {
        assert!(!Reach::Public.allows(parse(text)), "{text} is not public");
        assert!(Reach::Anywhere.allows(parse(text)), "{text} is somewhere");
    }
}

#[test]
fn a_url_that_can_be_seen_to_be_wrong_is_refused_with_the_reason() {
    let not_public = |host: &str| UrlError::NotPublic(host.to_owned());
    for (text, error) in [
        ("ftp://example.com/", UrlError::Scheme),
        ("file:///etc/passwd", UrlError::Malformed("invalid format".to_owned())),
        ("example.com", UrlError::Scheme),
        ("/path", UrlError::Scheme),
        ("https://thor:hammer@example.com/", UrlError::Credentials),
        ("https://thor@example.com/", UrlError::Credentials),
        ("https://example.com/#part", UrlError::Fragment),
        ("http://127.0.0.1:8080/", not_public("127.0.0.1")),
        ("http://[::1]/", not_public("[::1]")),
        ("http://[::ffff:169.254.169.254]/", not_public("[::ffff:169.254.169.254]")),
        ("http://169.254.169.254/latest/meta-data", not_public("169.254.169.254")),
        ("http://LOCALHOST./", not_public("LOCALHOST.")),
        ("http://api.localhost:3000/", not_public("api.localhost")),
    ] {
        assert_eq!(parse_url(text, Reach::Public).map(drop), Err(error), "{text}");
    }
    assert!(matches!(parse_url("https://", Reach::Public), Err(UrlError::Malformed(_))));
    for text in ["https://example.com", "http://example.com:8080/a?b=c", "https://1.1.1.1/"] {
        assert!(parse_url(text, Reach::Public).is_ok(), "{text}");
    }
    for text in ["http://localhost:3000/hook", "http://10.0.0.7/", "http://[::1]:80/"] {
        assert!(parse_url(text, Reach::Anywhere).is_ok(), "{text}");
    }
}

#[test]
fn of_a_names_addresses_only_the_allowed_ones_are_tried() {
    let addresses = |texts: &[&str]| {
        let parse = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 443);
        texts.iter().map(parse).collect::<Vec<_>>()
    };
    let allowed = |texts| connect::allowed(Reach::Public, addresses(texts).into_iter());
    assert_eq!(allowed(&["10.0.0.1", "1.1.1.1", "::1"]), Ok(addresses(&["1.1.1.1"])));
    let forbidden = ForbiddenAddress("10.0.0.1".parse().expect("an address"));
    assert_eq!(allowed(&["10.0.0.1", "::1"]), Err(forbidden));
    assert_eq!(allowed(&[]), Ok(vec![]));
}

#[tokio::test]
async fn nothing_connects_to_this_machine_by_whatever_name() {
    let (listener, address) = listen().await;
    let port = address.port();
    let listener = listener.into_std().expect("a listener of the standard library");
    let public = client(Reach::Public);
    // The system's own look-up reads the last four as 127.0.0.1, or knows no such name.
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1"] {
        let error = public.send(get(&format!("http://{host}:{port}/")), LIMITS).await;
        let error = error.expect_err("nothing is connected to");
        let forbidden = matches!(error, OutboundError::Url(_) | OutboundError::Forbidden(_));
        assert!(forbidden, "{host}: {error:?}");
    }
    let accepted = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(accepted, Err(ErrorKind::WouldBlock));
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_stands_for() {
    // What `check` sees by its text does not get this far, so the connector is asked itself.
    let (listener, address) = listen().await;
    let uri: hyper::Uri = format!("http://localhost:{}/", address.port()).parse().expect("a URI");
    let connect = |reach| tower_service::Service::call(&mut Connector::new(reach), uri.clone());
    let error = connect(Reach::Public).await.map(drop).expect_err("it is not public");
    let ForbiddenAddress(forbidden) = ForbiddenAddress::behind(&*error).expect("an address");
    assert!(forbidden.is_loopback());
    connect(Reach::Anywhere).await.expect("it can be connected to");
    listener.accept().await.expect("it was connected to");
}

#[tokio::test]
async fn a_connection_serves_again_and_a_redirect_is_an_answer() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection comes");
        let redirect =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let fine = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
        answer(stream, &[redirect, fine]).await
    });
    let client = client(Reach::Anywhere);
    let url = format!("http://{address}/path?query");
    let redirect = client.send(get(&url), LIMITS).await.expect("an answer");
    assert_eq!(redirect.status(), 302);
    let fine = client.send(get(&url), LIMITS).await.expect("an answer on the same connection");
    assert_eq!((fine.status().as_u16(), &fine.body()[..]), (200, &b"fine"[..]));
    drop(client);
    let heads = server.await.expect("the server has not failed");
    for head in heads {
        assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
        assert!(head.contains("user-agent: xano-realtime/"), "{head}");
    }
}

#[tokio::test]
async fn an_answer_has_its_bounds() {
    let body =
        |length| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{:length$}", "");
    let whole = ask(&body(LIMITS.max_body), LIMITS).await.expect("as long as may be");
    assert_eq!(whole.body().len(), LIMITS.max_body);
    let too_large = |result: Result<_, _>| matches!(result, Err(OutboundError::TooLarge(1_000)));
    assert!(too_large(ask(&body(LIMITS.max_body + 1), LIMITS).await));
    let chunk = format!("1f4\r\n{:500}\r\n", "");
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(3));
    assert!(too_large(ask(&endless, LIMITS).await), "although its end never comes");
    let head = format!("HTTP/1.1 200 OK\r\nlong: {}\r\n\r\n", "a".repeat(2 * MAX_HEAD));
    assert!(matches!(ask(&head, LIMITS).await, Err(OutboundError::Broken(_))));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    assert!(matches!(ask(&many, LIMITS).await, Err(OutboundError::Broken(_))));
    assert!(matches!(ask("SSH-2.0-x\r\n\r\n", LIMITS).await, Err(OutboundError::Broken(_))));
}

#[tokio::test]
async fn an_answer_has_its_time_however_it_is_late() {
    let limits = Limits { timeout: Duration::from_millis(50), ..LIMITS };
    for started in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfi"] {
        let result = ask(started, limits).await;
        assert!(matches!(result, Err(OutboundError::TimedOut(_))), "{started:?}: {result:?}");
    }
}

#[tokio::test]
async fn who_does_not_listen_is_a_failed_connection() {
    let (listener, address) = listen().await;
    drop(listener);
    let result = client(Reach::Anywhere).send(get(&format!("http://{address}/")), LIMITS).await;
    assert!(matches!(result, Err(OutboundError::Connect(_))), "{result:?}");
}

#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection comes");
        acceptor.accept(stream).await.expect_err("the client does not trust it");
        let (stream, _) = listener.accept().await.expect("a connection comes");
        let stream = acceptor.accept(stream).await.expect("TLS works");
        answer(stream, &["HTTP/1.1 204 No Content\r\n\r\n"]).await
    });
    let url = format!("https://localhost:{}/", address.port());
    let stranger = client(Reach::Anywhere).send(get(&url), LIMITS).await;
    assert!(matches!(stranger, Err(OutboundError::Connect(_))), "{stranger:?}");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let friend = Outbound::with_roots(Reach::Anywhere, roots).expect("a client can be made");
    assert_eq!(friend.send(get(&url), LIMITS).await.expect("an answer").status(), 204);
    drop(friend);
    server.await.expect("the server has not failed");
}
