//! XanoScript's `realtime_channel` block, which is how Xano's own tools read and write a channel.

mod lexer;
mod parser;
mod printer;

pub(super) use parser::parse;
pub(super) use printer::print;

/// A place in a script, counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Why a script is no channel.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {}, column {}: {fault}", place.line, place.column)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) fault: Fault,
}

/// What is wrong at a place.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("expected {expected}, found {found}")]
    Unexpected { expected: &'static str, found: String },
    #[error("`{name}` is not known here; there are {known}")]
    UnknownName { name: String, known: &'static str },
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error("the text that starts here has no end")]
    UnterminatedText,
    #[error("{0:?} does not belong here")]
    StrayCharacter(char),
    #[error(
        "`\\{0}` is no escape; there are \\\" \\' \\\\ \\/ \\n \\r \\t and \\u with four hex digits"
    )]
    UnknownEscape(char),
    #[error("{0}")]
    Name(&'static str),
    #[error("message_history must be one of 0, 25, 50, 100, 250 and 1000")]
    History,
    #[error(
        "a realtime_trigger's stack cannot run here: triggers are webhooks; POST JSON with name, \
         channel_id, actions and url to /realtime/channel/trigger"
    )]
    Trigger,
}

#[cfg(test)]
mod tests {
    use hub::{ChannelSettings, HistorySize};

    use super::*;

    /// Every combination of what a channel can be, with each of these patterns and descriptions.
    fn every_channel() -> impl Iterator<Item = ChannelSettings> {
        let patterns = ["chat", "_2", "2fast", "chat/*", "room:*", "a b", "marvel-hq", "a/b"];
        let descriptions = [
            "",
            "For the team",
            "\"quoted\" \\ and \u{1}\t\r\n lines // no comment",
            "\"\"\"\nthree\n\"\"\" 'ä' 🦸",
        ];
        (0..1 << 10).flat_map(move |bits: u32| {
            let is = move |bit: u32| bits & (1 << bit) != 0;
            HistorySize::ALL.into_iter().enumerate().map(move |(index, history)| ChannelSettings {
                id: 0,
                pattern: patterns[(bits as usize + index) % patterns.len()].to_owned(),
                wildcard: is(0),
                description: descriptions[(bits as usize / 8 + index) % descriptions.len()]
                    .to_owned(),
                enabled: is(1),
                anonymous_clients: is(2),
                presence: is(3),
                history: HistorySize::try_from(history).expect("it is one of the sizes"),
                client_public_messaging: is(4),
                client_public_messaging_authenticated_only: is(5),
                client_authenticated_messaging: is(6),
                client_private_messaging: is(7),
                client_private_messaging_authenticated_only: is(8),
                messages_per_minute: if is(9) { 60 } else { 0 },
            })
        })
    }

    fn as_json(channel: &ChannelSettings) -> String {
        serde_json::to_string(channel).expect("settings are JSON")
    }

    fn check_error(script: &str, line: usize, column: usize, words: &str) {
        let error = parse(script).expect_err(script);
        let told = error.to_string();
        assert_eq!((error.place.line, error.place.column), (line, column), "{script}: {told}");
        assert!(told.contains(words), "{script}: {told}");
    }

    #[test]
    fn what_is_printed_is_read_back_the_same() {
        for channel in every_channel() {
            let script = print(&channel);
            let read = parse(&script).unwrap_or_else(|error| panic!("{error}\n{script}"));
            assert_eq!(as_json(&read), as_json(&channel), "{script}");
        }
    }

    #[test]
    fn a_channel_is_printed_as_xano_prints_it() {
        let channel = ChannelSettings {
            pattern: "confessions".to_owned(),
            enabled: true,
            wildcard: true,
            anonymous_clients: true,
            presence: true,
            client_public_messaging: true,
            history: HistorySize::try_from(50).expect("it is one of the sizes"),
            ..ChannelSettings::default()
        };
        let script = "realtime_channel confessions {
  public_messaging = {auth: false}
  private_messaging = {active: false}
  settings = {
    anonymous_clients: true
    nested_channels  : true
    message_history  : 50
    auth_channel     : false
    presence         : true
  }
}";
        assert_eq!(print(&channel), script);
        let off = ChannelSettings {
            pattern: "chat/*".to_owned(),
            description: "\"Off\"".to_owned(),
            enabled: false,
            client_private_messaging_authenticated_only: true,
            ..channel
        };
        let head = "realtime_channel \"chat/*\" {
  description = \"\\\"Off\\\"\"
  active = false
  public_messaging = {auth: false}
  private_messaging = {active: false, auth: true}\n";
        assert!(print(&off).starts_with(head), "{}", print(&off));
    }

    #[test]
    fn a_script_may_be_laid_out_as_its_writer_likes() {
        let channel = parse(
            "// above\r\n\trealtime_channel 'room:*'   { // behind\r\n\r\n  settings = { \"presence\": true,\
             \n  // within\n auth_channel : true,\n\n message_history:25 }\n  description = \"\"\"\n    one\n      \
             two\n    \"\"\"\n public_messaging={}\n private_messaging = {auth: true, active: false,}\n}\n// below\n",
        )
        .expect("the script is right");
        assert_eq!(channel.pattern, "room:*");
        assert_eq!(channel.description, "one\n  two");
        assert!(channel.enabled && channel.presence && channel.client_authenticated_messaging);
        assert!(channel.client_public_messaging && !channel.client_private_messaging);
        assert!(channel.client_private_messaging_authenticated_only);
        assert_eq!(channel.history.get(), 25);
        let smallest = parse("realtime_channel chat/room {}").expect("a name is enough");
        assert!(smallest.enabled && smallest.pattern == "chat/room");
        let escaped = parse(r#"realtime_channel a { description = "\u00e4\/\'\"\n" }"#);
        assert_eq!(escaped.map(|channel| channel.description), Ok("ä/'\"\n".to_owned()));
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_what_belongs_there() {
        check_error("", 1, 1, "expected `realtime_channel`, found the end");
        check_error("table x {}", 1, 1, "expected `realtime_channel`, found `table`");
        check_error("realtime_channel {}", 1, 18, "expected the channel's name, found `{`");
        check_error("realtime_channel a\n}", 2, 1, "expected `{`, found `}`");
        check_error("realtime_channel a {\n  active true", 2, 10, "expected `=`, found `true`");
        check_error("realtime_channel a {\n  active = yes\n}", 2, 12, "expected true or false");
        check_error(
            "realtime_channel a {\n  actve = true\n}",
            2,
            3,
            "there are description, active",
        );
        check_error("realtime_channel a {\n  active = true active = true", 2, 17, "a new line");
        check_error("realtime_channel a {\nactive = true\nactive = true", 3, 1, "given twice");
        check_error("realtime_channel a {\n settings = {presence: {}}", 2, 24, "true or false");
        check_error("realtime_channel a {\n settings = {presence = true}", 2, 23, "expected `:`");
        check_error("realtime_channel a { settings = {room: 1}}", 1, 34, "anonymous_clients");
        check_error("realtime_channel a { settings = {message_history: 26}}", 1, 51, "0, 25, 50");
        check_error("realtime_channel a { settings = {message_history: 1.5}}", 1, 51, "0, 25, 50");
        check_error("realtime_channel a { settings = {message_history: -1}}", 1, 51, "'-'");
        check_error(
            "realtime_channel a { settings = {presence: true presence: true}}",
            1,
            49,
            "`,`",
        );
        check_error("realtime_channel a {\n", 2, 1, "or `}`, found the end");
        check_error("realtime_channel a {}\nrealtime_channel b {}", 2, 1, "expected the end");
        check_error("realtime_channel \"a\n", 1, 18, "no end");
        check_error("realtime_channel a { description = \"\\q\"}", 1, 38, "is no escape");
        check_error("realtime_channel a { description = \"\\ud800\"}", 1, 38, "is no escape");
        check_error("realtime_channel \" a\" {}", 1, 18, "not allowed");
        check_error("ä", 1, 1, "'ä' does not belong here");
        check_error("\nrealtime_trigger x {}", 2, 1, "triggers are webhooks");
    }

    #[test]
    fn hostile_scripts_end_in_an_error() {
        for script in [
            "{".repeat(1 << 20),
            format!("realtime_channel a {{ settings = {}", "{a:".repeat(1 << 18)),
            format!("realtime_channel \"{}", "\\\"".repeat(1 << 19)),
            "realtime_channel ".repeat(1 << 16),
            "9".repeat(1 << 20),
            format!(
                "realtime_channel a {{ settings = {{message_history: {}}} }}",
                "9".repeat(1 << 16)
            ),
            "\n".repeat(1 << 20),
            "/".repeat(1 << 20),
        ] {
            let error = parse(&script).expect_err("this is no channel").to_string();
            assert!(error.len() < 400, "{} bytes of error", error.len());
        }
    }

    /// Cuts and changes of a right script, made by a generator with a fixed seed.
    #[test]
    fn damaged_scripts_never_end_in_a_panic() {
        let whole = print(&every_channel().nth(1234).expect("there are that many"));
        let pieces: Vec<char> = "{}=:,\"'\\/\n\r\t#é\u{0}0a \u{10ffff}".chars().collect();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).expect("it is below a usize")
        };
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut damaged: Vec<char> = whole.chars().collect();
            for _ in 0..=random(3) {
                let at = random(damaged.len());
                match random(3) {
                    0 => damaged.truncate(at.max(1)),
                    1 => damaged[at] = pieces[random(pieces.len())],
                    _ => damaged.insert(at, pieces[random(pieces.len())]),
                }
            }
            refused += usize::from(parse(&damaged.iter().collect::<String>()).is_err());
        }
        assert!(refused > 10_000, "{refused} of 20000 were refused");
    }
}
