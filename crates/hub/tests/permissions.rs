//! Every combination of channel settings, identity and operation: who may, who gets it, and what
//! the refused one is told.
//!
//! A row names the settings it depends on; it is checked with every combination of all the others,
//! so that the rows together say that none of those has a say.

use hub::{Audience, ChannelSettings, HistorySize, Operation, permit};
use protocol::{ErrorCode, Recipients};

type Flag = (char, fn(&mut ChannelSettings));

/// What a letter in a row's settings switches on.
const FLAGS: [Flag; 9] = [
    ('a', |row| row.anonymous_clients = true),
    ('p', |row| row.presence = true),
    ('h', |row| row.history = HistorySize::try_from(25).expect("25 is one of the sizes")),
    ('m', |row| row.client_public_messaging = true),
    ('M', |row| row.client_public_messaging_authenticated_only = true),
    ('u', |row| row.client_authenticated_messaging = true),
    ('v', |row| row.client_private_messaging = true),
    ('V', |row| row.client_private_messaging_authenticated_only = true),
    ('n', |row| row.wildcard = true),
];

/// Operation; the settings that decide, small words for what is on; identity; outcome.
const TABLE: &str = "
    join           | a   | -   | anonymous | Anonymous clients cannot join this channel.
    join           | a   | -   | member    | requester
    join           | a   | a   | anonymous | requester
    join           | a   | a   | member    | requester

    history        | h   | -   | anonymous | Message history is not enabled for this channel.
    history        | h   | -   | member    | Message history is not enabled for this channel.
    history        | h   | h   | anonymous | requester
    history        | h   | h   | member    | requester

    everyone       | mMu | -   | anonymous | This kind of message is not enabled for this channel.
    everyone       | mMu | -   | member    | This kind of message is not enabled for this channel.
    everyone       | mMu | M   | anonymous | This kind of message is not enabled for this channel.
    everyone       | mMu | M   | member    | This kind of message is not enabled for this channel.
    everyone       | mMu | m   | anonymous | everyone
    everyone       | mMu | m   | member    | everyone
    everyone       | mMu | mM  | anonymous | Only authenticated clients can send this message in this channel.
    everyone       | mMu | mM  | member    | everyone
    everyone       | mMu | u   | anonymous | Only authenticated clients can send this message in this channel.
    everyone       | mMu | u   | member    | authenticated
    everyone       | mMu | Mu  | anonymous | Only authenticated clients can send this message in this channel.
    everyone       | mMu | Mu  | member    | authenticated
    everyone       | mMu | mu  | anonymous | everyone
    everyone       | mMu | mu  | member    | everyone
    everyone       | mMu | mMu | anonymous | Only authenticated clients can send this message in this channel.
    everyone       | mMu | mMu | member    | everyone

    authenticated  | u   | -   | anonymous | This kind of message is not enabled for this channel.
    authenticated  | u   | -   | member    | This kind of message is not enabled for this channel.
    authenticated  | u   | u   | anonymous | Only authenticated clients can send this message in this channel.
    authenticated  | u   | u   | member    | authenticated

    private        | vV  | -   | anonymous | This kind of message is not enabled for this channel.
    private        | vV  | -   | member    | This kind of message is not enabled for this channel.
    private        | vV  | V   | anonymous | This kind of message is not enabled for this channel.
    private        | vV  | V   | member    | This kind of message is not enabled for this channel.
    private        | vV  | v   | anonymous | one session
    private        | vV  | v   | member    | one session
    private        | vV  | vV  | anonymous | Only authenticated clients can send this message in this channel.
    private        | vV  | vV  | member    | one authenticated session
";

#[test]
fn the_table_holds_whatever_else_is_switched_on() {
    let rows: Vec<_> = TABLE.lines().filter(|line| !line.trim().is_empty()).collect();
    for row in &rows {
        let [operation, decisive, on, identity, outcome] = columns(row);
        let others: Vec<_> =
            FLAGS.iter().filter(|(letter, _)| !decisive.contains(*letter)).collect();
        for combination in 0_u32..1 << others.len() {
            let mut settings = ChannelSettings { enabled: true, ..ChannelSettings::default() };
            let wanted = FLAGS.iter().filter(|(letter, _)| on.contains(*letter));
            let besides = (0..)
                .zip(&others)
                .filter(|(bit, _)| combination >> bit & 1 == 1)
                .map(|(_, flag)| *flag);
            wanted.chain(besides).for_each(|(_, switch_on)| switch_on(&mut settings));
            assert_eq!(
                outcome_of(operation, &settings, identity == "member"),
                outcome,
                "{row}\nwith {settings:?}"
            );
        }
    }
}

#[test]
fn the_table_lists_every_combination_of_what_decides() {
    let rows: Vec<_> = TABLE.lines().filter(|line| !line.trim().is_empty()).map(columns).collect();
    for operation in ["join", "history", "everyone", "authenticated", "private"] {
        let of_it: Vec<_> = rows.iter().filter(|row| row[0] == operation).collect();
        let decisive = of_it[0][1];
        assert_eq!(of_it.len(), 2 << decisive.len(), "{operation}");
        let mut distinct: Vec<_> = of_it.iter().map(|row| (row[2], row[3])).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), of_it.len(), "{operation}");
    }
}

fn columns(row: &str) -> [&str; 5] {
    let columns: Vec<_> = row.split('|').map(str::trim).collect();
    columns.try_into().expect("a row has five columns")
}

fn outcome_of(operation: &str, settings: &ChannelSettings, authenticated: bool) -> &'static str {
    let to_one = Recipients::Session("somebody".to_owned());
    let operation = match operation {
        "join" => Operation::Join,
        "history" => Operation::ReadHistory,
        "everyone" => Operation::Send(&Recipients::Everyone),
        "authenticated" => Operation::Send(&Recipients::Authenticated),
        "private" => Operation::Send(&to_one),
        other => panic!("there is no operation {other}"),
    };
    match permit(settings, authenticated, operation) {
        Ok(Audience::Requester) => "requester",
        Ok(Audience::Everyone) => "everyone",
        Ok(Audience::Authenticated) => "authenticated",
        Ok(Audience::Session { authenticated_only: false }) => "one session",
        Ok(Audience::Session { authenticated_only: true }) => "one authenticated session",
        Err(code) => ErrorCode::message(code),
    }
}
