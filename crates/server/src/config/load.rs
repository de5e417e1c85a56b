//! What holds in the end: the command line, then the environment, then the file, then the defaults.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, Parser};

use super::file::{self, Entry, FileError};
use super::{Cli, ServeConfig};

/// What the program was told, wherever.
#[derive(Debug)]
pub struct Loaded {
    /// The options.
    pub cli: Cli,
    /// The configuration file, where it holds a secret and everybody on this machine may read it.
    pub readable_by_all: Option<PathBuf>,
}

/// Why the program does not know what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The command line or the environment is wrong, or asks for help only.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The configuration file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Cli {
    /// Reads the program's arguments (its name is the first), its environment, and the file that
    /// they name, if any.
    pub fn load(arguments: impl IntoIterator<Item = OsString>) -> Result<Loaded, LoadError> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let given = Self::command().ignore_errors(true).try_get_matches_from(&arguments)?;
        let file = given.subcommand().and_then(|(name, options)| {
            Some((name, options, options.get_one::<PathBuf>("config")?.clone()))
        });
        let Some((name, options, path)) = file else {
            let cli = Self::try_parse_from(&arguments)?;
            return Ok(Loaded { cli, readable_by_all: None });
        };
        let entries = file::read(&path, &file_options())?;
        let has_secret = entries.iter().any(|entry| entry.is_secret);
        let entries = still_open(entries, name, options);
        let cli = parse_with(&arguments, &entries).map_err(|error| {
            match to_blame(&arguments, &entries) {
                Some(entry) => file::in_combination(&path, entry, &error).into(),
                None => LoadError::Usage(error),
            }
        })?;
        let readable_by_all = (has_secret && may_all_read(&path)).then_some(path);
        Ok(Loaded { cli, readable_by_all })
    }
}

/// The options that a file may hold: those of `serve`.
fn file_options() -> clap::Command {
    ServeConfig::augment_args(clap::Command::new("serve"))
}

/// What of the file concerns this subcommand, and is given neither on the command line nor in the
/// environment.
fn still_open(entries: Vec<Entry>, subcommand: &str, given: &ArgMatches) -> Vec<Entry> {
    let cli = Cli::command();
    let is_open = |entry: &Entry| {
        let options = cli.find_subcommand(subcommand)?.get_arguments();
        let mut named = options
            .filter(|arg| arg.get_long().is_some_and(|long| long.replace('-', "_") == entry.key));
        let source = given.value_source(named.next()?.get_id().as_str());
        Some(!matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)))
    };
    entries.into_iter().filter(|entry| is_open(entry) == Some(true)).collect()
}

fn parse_with<'a>(
    arguments: &[OsString],
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Cli, clap::Error> {
    // Behind two dashes nothing is an option any more.
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let mut all = arguments.to_vec();
    let from_file = entries.into_iter().flat_map(|entry| entry.arguments.iter().cloned());
    all.splice(end..end, from_file);
    Cli::try_parse_from(all)
}

/// The line of the file without which all would be well, if it is one alone.
fn to_blame<'a>(arguments: &[OsString], entries: &'a [Entry]) -> Option<&'a Entry> {
    entries.iter().find(|suspect| {
        let others = entries.iter().filter(|entry| entry != suspect);
        parse_with(arguments, others).is_ok()
    })
}

#[cfg(unix)]
fn may_all_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
const fn may_all_read(_: &Path) -> bool {
    false
}
