//! The configuration file: every option of `serve` under its long name, checked by clap's own definition.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction};
use toml::de::{DeTable, DeValue};

/// What a file says about one option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    /// The option's name, as in the file.
    pub(super) key: String,
    /// Where it stands, from 1 on.
    pub(super) line: usize,
    /// The same on a command line.
    pub(super) arguments: Vec<OsString>,
    /// Whether the value is for few eyes only.
    pub(super) is_secret: bool,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or not for this user.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in it is wrong.
    #[error("{}", lines(.0))]
    Wrong(Vec<Mistake>),
}

/// Something wrong in a configuration file.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {}{fault}", path.display(), prefix(key))]
pub struct Mistake {
    path: PathBuf,
    line: usize,
    key: String,
    fault: Fault,
}

/// What can be wrong in a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes are no text.
    #[error("this line is not UTF-8; save the file in that encoding")]
    NotText,
    /// The text is not TOML.
    #[error("this is no TOML: {0}")]
    Syntax(String),
    /// The option is there twice.
    #[error("this key is in the file already; keep one of the two")]
    Duplicate,
    /// There is no such option.
    #[error("there is no such option{}", hint(.0.as_deref()))]
    Unknown(Option<String>),
    /// A table, which no option takes.
    #[error(
        "the file has no sections and no tables; write each option as `name = value` before the \
         first line with [brackets]"
    )]
    Section,
    /// A value of the wrong type.
    #[error("the value must be {expected}, this is {found}")]
    Type {
        /// What the option takes.
        expected: &'static str,
        /// What the file has.
        found: &'static str,
    },
    /// The option refuses the value.
    #[error("this value is refused: {0}")]
    Value(String),
    /// The option does not go with the others, or without others.
    #[error("{0}")]
    Combination(String),
}

/// Reads the file at `path`; `definition` has the options it may hold.
pub(super) fn read(path: &Path, definition: &clap::Command) -> Result<Vec<Entry>, FileError> {
    let failed = |source| FileError::Unreadable { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(failed)?;
    parse(&bytes, definition).map_err(|found| {
        let mistake = |(line, key, fault)| Mistake { path: path.to_owned(), line, key, fault };
        FileError::Wrong(found.into_iter().map(mistake).collect())
    })
}

/// A mistake that became visible only together with the other options.
pub(super) fn in_combination(path: &Path, entry: &Entry, error: &clap::Error) -> FileError {
    let text = error.to_string();
    let reason = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    FileError::Wrong(vec![Mistake {
        path: path.to_owned(),
        line: entry.line,
        key: entry.key.clone(),
        fault: Fault::Combination(reason),
    }])
}

type Found = (usize, String, Fault);

fn parse(bytes: &[u8], definition: &clap::Command) -> Result<Vec<Entry>, Vec<Found>> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        vec![(line, String::new(), Fault::NotText)]
    })?;
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax_error(text, error)).collect());
    }
    let (mut entries, mut found) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let line = line_at(bytes, key.span().start);
        match entry(key.get_ref(), value.get_ref(), definition) {
            Ok(entry) => entries.push(Entry { line, ..entry }),
            Err(fault) => found.push((line, key.get_ref().to_string(), fault)),
        }
    }
    found.sort_by_key(|(line, ..)| *line);
    if found.is_empty() { Ok(entries) } else { Err(found) }
}

fn entry(key: &str, value: &DeValue<'_>, definition: &clap::Command) -> Result<Entry, Fault> {
    if value.is_table() {
        return Err(Fault::Section);
    }
    let arg = find(key, definition).ok_or_else(|| Fault::Unknown(nearest(key, definition)))?;
    let values = match value {
        DeValue::Array(values) if takes_several(arg) => {
            values.iter().map(|value| spell(arg, value.get_ref())).collect::<Result<_, _>>()?
        }
        value => vec![spell(arg, value)?],
    };
    let long = key.replace('_', "-");
    let arguments = match arg.get_action() {
        // A switch is on by being named.
        ArgAction::SetTrue | ArgAction::SetFalse if values == ["true"] => vec![format!("--{long}")],
        ArgAction::SetTrue | ArgAction::SetFalse => Vec::new(),
        _ => values.iter().map(|value| format!("--{long}={value}")).collect(),
    };
    for argument in &arguments {
        check(argument, definition)?;
    }
    Ok(Entry {
        key: key.to_owned(),
        line: 0,
        arguments: arguments.into_iter().map(OsString::from).collect(),
        is_secret: arg.is_hide_env_values_set() || values.iter().any(|value| has_password(value)),
    })
}

/// Lets clap look at one argument on its own.
fn check(argument: &str, definition: &clap::Command) -> Result<(), Fault> {
    match alone(definition).try_get_matches_from([argument]) {
        Ok(_) => Ok(()),
        // What goes with what is seen when all options are there.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(Fault::Value(reason(&error))),
    }
}

/// Clap's reason, without the value: it may be a secret.
fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        return format!("it must be one of {}", values.join(", "));
    }
    error.source().map_or_else(|| error.kind().to_string(), |source| source.to_string())
}

/// The key that was probably meant: clap's suggestion for an argument of that name.
fn nearest(key: &str, definition: &clap::Command) -> Option<String> {
    let argument = format!("--{}", key.replace('_', "-"));
    if let Some(arg) = definition.get_arguments().find(|arg| arg.get_long() == argument.get(2..)) {
        return arg.get_long().map(|long| long.replace('-', "_"));
    }
    let error = alone(definition).try_get_matches_from([argument]).err()?;
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(arg)) => {
            let long = arg.split_whitespace().next()?.strip_prefix("--")?;
            Some(long.replace('-', "_"))
        }
        _ => None,
    }
}

/// The options as nothing but arguments set them.
fn alone(definition: &clap::Command) -> clap::Command {
    let command = definition.clone().no_binary_name(true).disable_help_flag(true);
    command.mut_args(|arg| arg.env(None::<&'static str>))
}

fn find<'a>(key: &str, definition: &'a clap::Command) -> Option<&'a Arg> {
    let is_named = |arg: &&Arg| arg.get_long().is_some_and(|long| long.replace('-', "_") == key);
    definition.get_arguments().find(is_named)
}

fn takes_several(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// A value as the command line spells it.
fn spell(arg: &Arg, value: &DeValue<'_>) -> Result<String, Fault> {
    let wrong = |expected| Err(Fault::Type { expected, found: type_name(value) });
    let kind = Kind::of(arg);
    match (kind, value) {
        (Kind::Number | Kind::Any, DeValue::Integer(number)) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Ok(decimal.map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()))
        }
        (Kind::Text | Kind::Any, DeValue::String(text)) => Ok(text.to_string()),
        (Kind::Switch | Kind::Any, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Kind::Any, DeValue::Float(number)) => Ok(number.as_str().to_owned()),
        (Kind::Any, _) if takes_several(arg) => wrong("text, a number, or a list of them"),
        (Kind::Text, _) if takes_several(arg) => wrong("text in \"quotes\", or a list of it"),
        (Kind::Number, _) if takes_several(arg) => wrong("a whole number, or a list of them"),
        (Kind::Any, _) => wrong("text in \"quotes\", or a number"),
        (Kind::Text, _) => wrong("text in \"quotes\""),
        (Kind::Number, _) => wrong("a whole number"),
        (Kind::Switch, _) => wrong("true or false"),
    }
}

/// Which TOML types an option takes.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Switch,
    /// A type of ours: its own parser decides.
    Any,
}

impl Kind {
    fn of(arg: &Arg) -> Self {
        let id = arg.get_value_parser().type_id();
        let is_one_of = |ids: &[TypeId]| ids.iter().any(|one| id == *one);
        if matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
            || id == TypeId::of::<bool>()
        {
            Self::Switch
        } else if is_one_of(&[
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
        ]) {
            Self::Number
        } else if is_one_of(&[TypeId::of::<String>(), TypeId::of::<PathBuf>()]) {
            Self::Text
        } else {
            Self::Any
        }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(values) if values.iter().any(|value| value.get_ref().is_array()) => {
            "a list of lists"
        }
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Whether this is an address with a password in it, as in `redis://:secret@host`.
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .and_then(|(bearer, _)| bearer.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

fn syntax_error(text: &str, error: &toml::de::Error) -> Found {
    let at = error.span().unwrap_or_default().start;
    let line = line_at(text.as_bytes(), at);
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let key = source.split('=').next().unwrap_or_default().trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if key.chars().all(is_key) { key.to_owned() } else { String::new() };
    match error.message() {
        message if message.starts_with("duplicate key") => (line, key, Fault::Duplicate),
        message => (line, key, Fault::Syntax(message.to_owned())),
    }
}

/// The number of the line with the byte at `offset`, from 1 on.
fn line_at(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n       ")
}

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean {key}?"),
        None => "; `xano-realtime serve --help` lists all, and - is _ here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{ArgGroup, Args};

    use super::*;
    use crate::config::ServeConfig;

    /// Options that this program may have one day.
    fn definition() -> clap::Command {
        let long = |name: &'static str| Arg::new(name).long(name);
        let group = ArgGroup::new("foreign").args(["engine", "ratio"]).multiple(true);
        clap::Command::new("serve").group(group).args([
            long("audience").requires("foreign"),
            long("engine"),
            long("mail-password").hide_env_values(true),
            long("ratio").value_parser(clap::value_parser!(f64)),
            long("strict").value_parser(clap::value_parser!(bool)),
            long("port").value_parser(clap::value_parser!(u16)).action(ArgAction::Append),
        ])
    }

    fn arguments(text: &str) -> Vec<String> {
        let entries =
            parse(text.as_bytes(), &definition()).unwrap_or_else(|found| panic!("{found:?}"));
        let arguments = entries.into_iter().flat_map(|entry| entry.arguments);
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_for_few_eyes_is_known_by_its_option_or_by_its_form() {
        for (text, is_secret) in [
            ("mail_password = \"x\"", true),
            ("engine = \"redis://:hunter2@cache:6379/0\"", true),
            ("engine = \"redis://me:hunter2@cache\"", true),
            ("engine = \"redis://me@cache:6379\"", false),
            ("engine = \"redis://cache:6379/a:b@c\"", false),
            ("engine = \"memory\"", false),
        ] {
            let entries = parse(text.as_bytes(), &definition());
            let found = entries.is_ok_and(|entries| entries.iter().any(|entry| entry.is_secret));
            assert_eq!(found, is_secret, "{text}");
        }
    }

    #[test]
    fn every_type_of_value_reaches_its_option() {
        assert_eq!(arguments("ratio = 0.5"), ["--ratio=0.5"]);
        assert_eq!(arguments("ratio = 2"), ["--ratio=2"]);
        assert_eq!(arguments("strict = false"), ["--strict=false"]);
        assert_eq!(arguments("port = [0x50, 8_080]"), ["--port=80", "--port=8080"]);
        assert_eq!(arguments("port = 80"), ["--port=80"]);
        assert_eq!(arguments("engine = \"--strict=true\""), ["--engine=--strict=true"]);
        // What it requires may come from elsewhere.
        assert_eq!(arguments("audience = \"us\""), ["--audience=us"]);
        assert_eq!(arguments(""), [""; 0]);
    }

    #[test]
    fn every_option_of_serve_may_be_here_with_what_it_has_by_default() {
        let serve = ServeConfig::augment_args(clap::Command::new("serve"));
        for arg in serve.get_arguments() {
            let key = arg.get_long().expect("every option has a long name").replace('-', "_");
            let value = match (Kind::of(arg), arg.get_default_values()) {
                (Kind::Switch, _) => "true".to_owned(),
                (Kind::Number, [value, ..]) => value.to_string_lossy().into_owned(),
                (_, [value, ..]) => format!("{:?}", value.to_string_lossy()),
                // What it takes is its own business; that it is known is ours.
                (_, []) => "1979-05-27".to_owned(),
            };
            match parse(format!("{key} = {value}").as_bytes(), &serve) {
                Ok(entries) => assert_eq!(entries.len(), 1, "{key}"),
                Err(found) => {
                    let is_type = matches!(found[..], [(_, _, Fault::Type { .. })]);
                    assert!(is_type && value == "1979-05-27", "{key}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_refused_value_is_not_shown() {
        let found = parse(b"mail_password = 1\nport = \"hunter2\"", &definition());
        let Err(found) = found else { panic!("it is wrong") };
        assert!(
            found.iter().all(|(.., fault)| !fault.to_string().contains("hunter2")),
            "{found:?}"
        );
    }
}
