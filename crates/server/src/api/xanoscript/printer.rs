//! A channel as a script.

use std::fmt::Write as _;

use hub::ChannelSettings;

/// The script that stands for `channel`, laid out as Xano's own.
pub(crate) fn print(channel: &ChannelSettings) -> String {
    let mut script = format!("realtime_channel {} {{\n", name(&channel.pattern));
    if !channel.description.is_empty() {
        line(&mut script, "description", &quoted(&channel.description));
    }
    if !channel.enabled {
        line(&mut script, "active", "false");
    }
    let public = messaging(
        channel.client_public_messaging,
        channel.client_public_messaging_authenticated_only,
    );
    line(&mut script, "public_messaging", &public);
    let private = messaging(
        channel.client_private_messaging,
        channel.client_private_messaging_authenticated_only,
    );
    line(&mut script, "private_messaging", &private);
    let rate = match channel.messages_per_minute {
        // Xano's own tools do not know it.
        0 => String::new(),
        rate => format!("\n    messages_per_minute: {rate}"),
    };
    let settings = format!(
        "{{
    anonymous_clients: {}
    nested_channels  : {}
    message_history  : {}
    auth_channel     : {}
    presence         : {}{rate}
  }}",
        channel.anonymous_clients,
        channel.wildcard,
        channel.history.get(),
        channel.client_authenticated_messaging,
        channel.presence,
    );
    line(&mut script, "settings", &settings);
    script.push('}');
    script
}

fn line(script: &mut String, key: &str, value: &str) {
    for part in ["  ", key, " = ", value, "\n"] {
        script.push_str(part);
    }
}

/// Names that are identifiers stand without quotes.
fn name(pattern: &str) -> String {
    let starts_well = pattern.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match starts_well && pattern.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => pattern.to_owned(),
        false => quoted(pattern),
    }
}

/// `active` is only told where it is false, as Xano does.
fn messaging(active: bool, auth: bool) -> String {
    match (active, auth) {
        (true, auth) => format!("{{auth: {auth}}}"),
        (false, false) => "{active: false}".to_owned(),
        (false, true) => "{active: false, auth: true}".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing into a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
