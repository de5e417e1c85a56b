//! A script as a channel. The language nests two levels deep, and so does this: there is no recursion.

use hub::{ChannelSettings, HistorySize};
use protocol::ChannelName;

use super::lexer::{Lexer, Token};
use super::{Fault, Place, SyntaxError};

/// Reads the one `realtime_channel` block that a script must be.
pub(crate) fn parse(script: &str) -> Result<ChannelSettings, SyntaxError> {
    let mut lexer = Lexer::new(script);
    let (token, place) = lexer.next()?;
    let mut parser = Parser { lexer, token, place };
    parser.skip_new_lines()?;
    let channel = parser.channel()?;
    parser.skip_new_lines()?;
    match parser.token {
        Token::End => Ok(channel),
        _ => Err(parser.unexpected("the end of the script")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    place: Place,
}

/// What an attribute of the block is called.
#[derive(Clone, Copy)]
enum Attribute {
    Description,
    Active,
    PublicMessaging,
    PrivateMessaging,
    Settings,
}

impl Parser<'_> {
    fn channel(&mut self) -> Result<ChannelSettings, SyntaxError> {
        match &self.token {
            Token::Word(word) if word == "realtime_channel" => self.advance()?,
            Token::Word(word) if word == "realtime_trigger" => {
                return Err(self.fault(Fault::Trigger));
            }
            _ => return Err(self.unexpected("`realtime_channel`")),
        }
        let pattern = self.name()?;
        let mut channel = ChannelSettings { pattern, enabled: true, ..ChannelSettings::default() };
        self.skip_new_lines()?;
        self.sign('{', "`{`")?;
        let mut seen = Vec::new();
        self.skip_new_lines()?;
        while self.token != Token::Sign('}') {
            let key = self.key("an attribute or `}`", ATTRIBUTES, &mut seen)?;
            self.sign('=', "`=`")?;
            self.attribute(key, &mut channel)?;
            if self.token != Token::Sign('}') {
                self.new_line("a new line or `}`")?;
            }
        }
        self.advance()?;
        Ok(channel)
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let name = match &self.token {
            Token::Word(name) | Token::Text(name) => name.clone(),
            _ => return Err(self.unexpected("the channel's name")),
        };
        if let Err(error) = ChannelName::parse(&name) {
            return Err(self.fault(Fault::Name(error.message())));
        }
        self.advance()?;
        Ok(name)
    }

    fn attribute(
        &mut self,
        attribute: Attribute,
        channel: &mut ChannelSettings,
    ) -> Result<(), SyntaxError> {
        match attribute {
            Attribute::Description => match &self.token {
                Token::Text(text) => {
                    channel.description.clone_from(text);
                    self.advance()?;
                }
                _ => return Err(self.unexpected("a text in quotes")),
            },
            Attribute::Active => channel.enabled = self.flag()?,
            Attribute::PublicMessaging => {
                (
                    channel.client_public_messaging,
                    channel.client_public_messaging_authenticated_only,
                ) = self.messaging()?;
            }
            Attribute::PrivateMessaging => {
                (
                    channel.client_private_messaging,
                    channel.client_private_messaging_authenticated_only,
                ) = self.messaging()?;
            }
            Attribute::Settings => self.object(SETTINGS, |parser, set: Setting| {
                match set {
                    Setting::Flag(place) => *place(channel) = parser.flag()?,
                    Setting::Number(place) => *place(channel) = parser.number()?,
                    Setting::History => channel.history = parser.history()?,
                }
                Ok(())
            })?,
        }
        Ok(())
    }

    /// Whether messages of a kind are on, and for authenticated clients only. What says nothing of
    /// `active` is on.
    fn messaging(&mut self) -> Result<(bool, bool), SyntaxError> {
        let mut flags = [true, false];
        self.object(MESSAGING, |parser, index: usize| {
            flags[index] = parser.flag()?;
            Ok(())
        })?;
        let [active, auth] = flags;
        Ok((active, auth))
    }

    /// `{key: value, …}`; between two entries there is a comma, or a new line, or both.
    fn object<K: Copy>(
        &mut self,
        keys: Keys<K>,
        mut entry: impl FnMut(&mut Self, K) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        self.sign('{', "`{`")?;
        let mut seen = Vec::new();
        self.skip_new_lines()?;
        while self.token != Token::Sign('}') {
            let key = self.key("a key or `}`", keys, &mut seen)?;
            self.sign(':', "`:`")?;
            entry(self, key)?;
            match self.token {
                Token::Sign('}') => {}
                Token::Sign(',') => {
                    self.advance()?;
                    self.skip_new_lines()?;
                }
                _ => self.new_line("`,`, a new line or `}`")?,
            }
        }
        self.advance()
    }

    fn key<K: Copy>(
        &mut self,
        expected: &'static str,
        keys: Keys<K>,
        seen: &mut Vec<String>,
    ) -> Result<K, SyntaxError> {
        let name = match &self.token {
            Token::Word(name) | Token::Text(name) => name.clone(),
            _ => return Err(self.unexpected(expected)),
        };
        let Some((_, key)) = keys.all.iter().find(|(known, _)| *known == name) else {
            let name = shortened(&name);
            return Err(self.fault(Fault::UnknownName { name, known: keys.named }));
        };
        if seen.contains(&name) {
            return Err(self.fault(Fault::Twice(name)));
        }
        seen.push(name);
        self.advance()?;
        Ok(*key)
    }

    fn flag(&mut self) -> Result<bool, SyntaxError> {
        let flag = match &self.token {
            Token::Word(word) if word == "true" => true,
            Token::Word(word) if word == "false" => false,
            _ => return Err(self.unexpected("true or false")),
        };
        self.advance()?;
        Ok(flag)
    }

    fn number(&mut self) -> Result<u32, SyntaxError> {
        let number = match &self.token {
            Token::Word(word) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected("a whole number below 2^32"))?;
        self.advance()?;
        Ok(number)
    }

    fn history(&mut self) -> Result<HistorySize, SyntaxError> {
        let size = match &self.token {
            Token::Word(word) => word.parse().ok(),
            _ => return Err(self.unexpected("a number")),
        };
        let size: Option<u32> = size;
        let size = size.and_then(|size| HistorySize::try_from(size).ok());
        let size = size.ok_or_else(|| self.fault(Fault::History))?;
        self.advance()?;
        Ok(size)
    }

    fn sign(&mut self, sign: char, expected: &'static str) -> Result<(), SyntaxError> {
        match self.token == Token::Sign(sign) {
            true => self.advance(),
            false => Err(self.unexpected(expected)),
        }
    }

    fn new_line(&mut self, expected: &'static str) -> Result<(), SyntaxError> {
        match self.token {
            Token::NewLine => self.skip_new_lines(),
            _ => Err(self.unexpected(expected)),
        }
    }

    fn skip_new_lines(&mut self) -> Result<(), SyntaxError> {
        while self.token == Token::NewLine {
            self.advance()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), SyntaxError> {
        (self.token, self.place) = self.lexer.next()?;
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let found = match &self.token {
            Token::Word(word) => format!("`{}`", shortened(word)),
            Token::Text(_) => "a text".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::NewLine => "the end of the line".to_owned(),
            Token::End => "the end".to_owned(),
        };
        self.fault(Fault::Unexpected { expected, found })
    }

    const fn fault(&self, fault: Fault) -> SyntaxError {
        SyntaxError { place: self.place, fault }
    }
}

/// The keys of an object, and how they are named to those who write another.
#[derive(Clone, Copy)]
struct Keys<K: 'static> {
    all: &'static [(&'static str, K)],
    named: &'static str,
}

/// What a key of `settings` sets.
#[derive(Clone, Copy)]
enum Setting {
    Flag(fn(&mut ChannelSettings) -> &mut bool),
    Number(fn(&mut ChannelSettings) -> &mut u32),
    History,
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_TOLD).collect()
}

const ATTRIBUTES: Keys<Attribute> = Keys {
    all: &[
        ("description", Attribute::Description),
        ("active", Attribute::Active),
        ("public_messaging", Attribute::PublicMessaging),
        ("private_messaging", Attribute::PrivateMessaging),
        ("settings", Attribute::Settings),
    ],
    named: "description, active, public_messaging, private_messaging and settings",
};
const MESSAGING: Keys<usize> =
    Keys { all: &[("active", 0), ("auth", 1)], named: "active and auth" };
const SETTINGS: Keys<Setting> = Keys {
    all: &[
        ("anonymous_clients", Setting::Flag(|channel| &mut channel.anonymous_clients)),
        ("nested_channels", Setting::Flag(|channel| &mut channel.wildcard)),
        ("message_history", Setting::History),
        ("auth_channel", Setting::Flag(|channel| &mut channel.client_authenticated_messaging)),
        ("presence", Setting::Flag(|channel| &mut channel.presence)),
        ("messages_per_minute", Setting::Number(|channel| &mut channel.messages_per_minute)),
    ],
    named: "anonymous_clients, nested_channels, message_history, auth_channel, presence and \
            messages_per_minute",
};
/// How much of a name an error repeats, in characters.
const MAX_TOLD: usize = 40;
