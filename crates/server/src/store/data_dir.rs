//! The directory with what the first start creates.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::BASE64URL_NOPAD;

use super::sqlite::{Store, StoreError};
use crate::auth::{OwnKeys, SigningKey};
use crate::config::Durability;
use crate::journal;

/// The directory that holds what the first start creates and later starts need.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be created.
    #[error("cannot create the data directory {}; choose another with --data-dir DIR", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server has it.
    #[error("another server uses the data directory {}; stop it, or give this one its own with --data-dir DIR", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The settings cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file with the admin token holds something else.
    #[error("{} does not hold an admin token (at least 20 characters); delete it and a new one is created", path.display())]
    NoAdminToken {
        /// Which.
        path: PathBuf,
    },
    /// The file with the signing key holds something else.
    #[error("{} does not hold a signing key (43 characters of base64url); delete it and a new one is created, which ends all tokens of the old one", path.display())]
    NoSigningKey {
        /// Which.
        path: PathBuf,
    },
    /// A key is needed, and no server has made one.
    #[error("there is no signing key in {}; a server of this version makes one when it starts: start it once", path.display())]
    NoKeys {
        /// The settings.
        path: PathBuf,
    },
    /// Something is needed that no server has created.
    #[error("there is no {}; a server creates it when it starts: name its data directory with --data-dir, or start it once", path.display())]
    NotStarted {
        /// Which file.
        path: PathBuf,
    },
}

impl DataDir {
    /// Opens the directory, and creates it, for this user alone, if it is not there.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(path)
            .map_err(|source| DataDirError::Create { path: path.to_owned(), source })?;
        #[cfg(unix)]
        warn_if_open_to_all(path);
        Ok(Self { path: path.to_owned() })
    }

    /// The same directory as it is: nothing is created, and it need not be there.
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Keeps other servers out for as long as the file that this returns is open.
    pub fn lock(&self) -> Result<File, DataDirError> {
        let path = self.path.join("lock");
        let failed = |source| DataDirError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: self.path.clone() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The directory for what channels keep, or none where that is to end with the process.
    pub fn journal(&self, durability: Durability) -> Result<Option<PathBuf>, DataDirError> {
        let path = self.path.join("journal");
        match durability {
            Durability::Disk => Ok(Some(path)),
            Durability::Memory => {
                journal::note_interruption(&path)
                    .map_err(|source| DataDirError::File { path, source })?;
                Ok(None)
            }
        }
    }

    /// The settings, created by the first call: realtime is off then, and has a new connection hash.
    pub fn store(&self) -> Result<Store, DataDirError> {
        let path = self.path.join(SETTINGS);
        let failed = |source| DataDirError::File { path: path.clone(), source };
        if !path.try_exists().map_err(failed)? {
            create_private(&path).map_err(failed)?;
        }
        #[cfg(unix)]
        self.warn_if_settings_are_shared();
        let hash = random_text::<20>().map_err(failed)?;
        Ok(Store::open(&path, &hash)?)
    }

    /// What was written last is in the files beside the database.
    #[cfg(unix)]
    fn warn_if_settings_are_shared(&self) {
        for file in SETTINGS_FILES {
            warn_if_shared(&self.path.join(file));
        }
    }

    /// The settings that a server has created here; it may be running.
    pub fn existing_store(&self) -> Result<Store, DataDirError> {
        let path = self.path.join(SETTINGS);
        match path.try_exists() {
            Ok(false) => Err(DataDirError::NotStarted { path }),
            Ok(true) => {
                #[cfg(unix)]
                self.warn_if_settings_are_shared();
                Ok(Store::open_beside(&path)?)
            }
            Err(source) => Err(DataDirError::File { path, source }),
        }
    }

    /// The token for the Metadata API, created by the first call: 32 random bytes in base64url.
    pub fn admin_token(&self) -> Result<String, DataDirError> {
        let path = self.admin_token_path();
        let token = read_or_create(&path)
            .map_err(|source| DataDirError::File { path: path.clone(), source })?;
        #[cfg(unix)]
        warn_if_shared(&path);
        if token.len() < MIN_ADMIN_TOKEN {
            Err(DataDirError::NoAdminToken { path })
        } else {
            Ok(token)
        }
    }

    /// The token that a server has created here.
    pub fn existing_admin_token(&self) -> Result<String, DataDirError> {
        let path = self.admin_token_path();
        match path.try_exists() {
            Ok(false) => Err(DataDirError::NotStarted { path }),
            Ok(true) => self.admin_token(),
            Err(source) => Err(DataDirError::File { path, source }),
        }
    }

    /// Where that token is.
    pub fn admin_token_path(&self) -> PathBuf {
        self.path.join("admin-token")
    }

    /// The keys of this server's own tokens, the first one made by the first call.
    ///
    /// Earlier versions kept their only key in a file. It becomes the first key of `store`, which is
    /// on the disk before the file goes: whatever interrupts this, the key is in one of them, and the
    /// next start does the rest. Later the file has no say, so that no key comes back that was removed.
    pub fn own_keys(&self, store: &Store) -> Result<OwnKeys, DataDirError> {
        let path = self.path.join(SIGNING_KEY);
        let failed = |source| DataDirError::File { path: path.clone(), source };
        if store.own_keys()?.is_none() {
            let (key, made) = match read_if_there(&path).map_err(failed)? {
                Some((text, made)) => {
                    let key = SigningKey::parse(text.trim());
                    (key.ok_or_else(|| DataDirError::NoSigningKey { path: path.clone() })?, made)
                }
                None => (SigningKey::generate().map_err(failed)?, SystemTime::now()),
            };
            store.add_first_key(&key, made)?;
        }
        let keys = self.existing_own_keys(store)?;
        if let Err(error) = remove_imported(&path, &keys) {
            let file = path.display();
            tracing::warn!(%file, %error, "this file is not used any more, since its key is in {SETTINGS} now, but it cannot be removed; delete it");
        }
        Ok(keys)
    }

    /// The keys that a server has made here.
    pub fn existing_own_keys(&self, store: &Store) -> Result<OwnKeys, DataDirError> {
        let none = || DataDirError::NoKeys { path: self.path.join(SETTINGS) };
        store.own_keys()?.ok_or_else(none)
    }
}

/// A file of earlier versions, and when it was written.
fn read_if_there(path: &Path) -> io::Result<Option<(String, SystemTime)>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((text, fs::metadata(path)?.modified()?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the file of earlier versions, if what is in it is kept elsewhere.
fn remove_imported(path: &Path, keys: &OwnKeys) -> io::Result<()> {
    let Some((text, _)) = read_if_there(path)? else { return Ok(()) };
    let id = SigningKey::parse(text.trim()).map(|key| key.id());
    let mut known = [&keys.signs].into_iter().chain(&keys.retired).map(SigningKey::id);
    if known.any(|known| id.as_ref() == Some(&known)) {
        fs::remove_file(path)?;
        tracing::info!("the signing key of an earlier version is in {SETTINGS} now");
        return Ok(());
    }
    let file = path.display();
    tracing::warn!(%file, "this file is not used: signing keys are in {SETTINGS}, and docs/identity.md says how to change them; delete it");
    Ok(())
}

/// The line in a file of the data directory. If there is no such file it is created, for this user
/// alone, with 32 random bytes in base64url.
fn read_or_create(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = random_text::<32>()?;
            let mut file = create_private(path)?;
            writeln!(file, "{text}")?;
            // What was made with it must not outlive it.
            file.sync_all()?;
            Ok(text)
        }
        Err(error) => Err(error),
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Who reads one of these files can be anybody on this server, or change it, or knows what signs the
/// requests to webhooks.
#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        let file = path.display();
        tracing::warn!(%file, "others than its owner may read a file with secrets; chmod 600 keeps them out");
    }
}

/// Who may write into the directory can put files of their own in place of these.
#[cfg(unix)]
fn warn_if_open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    const STICKY: u32 = 0o1000;
    let is_open = |mode: u32| mode & 0o002 != 0 && mode & STICKY == 0;
    if fs::metadata(path).is_ok_and(|directory| is_open(directory.permissions().mode())) {
        let directory = path.display();
        tracing::warn!(%directory, "everybody may replace the files of the data directory; chmod 700 keeps them out");
    }
}

/// `N` random bytes in base64url: a connection hash, say.
pub(crate) fn random_text<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

const MIN_ADMIN_TOKEN: usize = 20;
const SETTINGS: &str = "settings.db";
#[cfg(unix)]
const SETTINGS_FILES: [&str; 3] = [SETTINGS, "settings.db-wal", "settings.db-shm"];
/// What earlier versions kept their signing key in.
const SIGNING_KEY: &str = "signing-key";

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A data directory that is not there yet, below one that goes when it is dropped.
    fn nothing() -> (TempDir, PathBuf) {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let path = directory.path().join("deep/data");
        (directory, path)
    }

    /// The text of a signing key's file, and what its tokens call it.
    fn key_file(path: &Path, byte: u8) -> String {
        let key = SigningKey::from_random([byte; 32]);
        fs::write(path.join(SIGNING_KEY), key.reveal() + "\n").expect("a file can be written");
        key.id()
    }

    #[cfg(unix)]
    fn mode(file: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(file).expect("the file is there").permissions().mode() & 0o777
    }

    #[test]
    fn the_signing_key_is_made_once_and_only_by_a_server() {
        let (_directory, path) = nothing();
        let missing = DataDir::existing(&path).existing_store().map(drop);
        assert!(matches!(missing, Err(DataDirError::NotStarted { .. })));
        assert!(!path.exists());
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let store = data.store().expect("settings can be made");
        let missing = data.existing_own_keys(&store).map(drop);
        assert!(matches!(missing, Err(DataDirError::NoKeys { .. })));
        let made = data.own_keys(&store).expect("a key can be made").signs.id();
        assert_eq!(data.own_keys(&store).expect("the key is there").signs.id(), made);
        let again = data.existing_store().expect("the settings are there");
        assert_eq!(data.existing_own_keys(&again).expect("it too").signs.id(), made);
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_in_files_of_the_servers_user_alone() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let store = data.store().expect("settings can be made");
        data.own_keys(&store).expect("a key can be made");
        assert_eq!(mode(&path), 0o700);
        for file in SETTINGS_FILES {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn the_key_file_of_an_earlier_version_becomes_the_first_key_and_goes() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let id = key_file(&path, 5);
        let store = data.store().expect("settings can be made");
        assert_eq!(data.own_keys(&store).expect("it is imported").signs.id(), id);
        assert!(!path.join(SIGNING_KEY).exists());
        assert_eq!(data.own_keys(&store).expect("it is kept").signs.id(), id);
        let rows = store.signing_keys().expect("they can be listed");
        assert_eq!(rows.iter().map(|row| &*row.kid).collect::<Vec<_>>(), [id]);
    }

    #[test]
    fn an_import_that_was_interrupted_goes_on_with_the_next_start() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let id = key_file(&path, 5);
        // It had come as far as the store.
        let store = data.store().expect("settings can be made");
        let key = SigningKey::from_random([5; 32]);
        store.add_first_key(&key, SystemTime::now()).expect("it can be kept");
        assert!(path.join(SIGNING_KEY).exists());
        assert_eq!(data.own_keys(&store).expect("they are there").signs.id(), id);
        assert!(!path.join(SIGNING_KEY).exists());
    }

    #[test]
    fn a_key_that_was_removed_does_not_come_back_with_its_file() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let store = data.store().expect("settings can be made");
        key_file(&path, 5);
        data.own_keys(&store).expect("it is imported");
        let new = SigningKey::from_random([6; 32]);
        store.add_signing_key(&new, SystemTime::now()).expect("it can be added");
        store.delete_signing_key(1).expect("the old one can go");
        // Out of a back-up, say.
        let old = key_file(&path, 5);
        let keys = data.own_keys(&store).expect("they are there");
        assert!(keys.retired.is_empty() && keys.signs.id() == new.id() && old != new.id());
        assert!(path.join(SIGNING_KEY).exists(), "what is unknown is left alone");
    }

    #[test]
    fn a_key_file_with_something_else_in_it_is_told_before_a_key_is_made() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let store = data.store().expect("settings can be made");
        for wrong in ["", "c2hvcnQ", &"=".repeat(43)] {
            fs::write(path.join(SIGNING_KEY), wrong).expect("the file can be written");
            let refused = data.own_keys(&store).map(drop);
            assert!(matches!(refused, Err(DataDirError::NoSigningKey { .. })), "{wrong}");
            assert!(store.own_keys().expect("it can be read").is_none());
        }
    }

    #[test]
    fn the_admin_token_and_the_connection_hash_are_made_once_and_kept() {
        let (_directory, path) = nothing();
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        let hash = |data: &DataDir| {
            let store = data.store().expect("settings can be made");
            store.realtime().expect("settings can be read").hash
        };
        assert_eq!(hash(&data).len(), 27);
        assert_eq!(hash(&data), hash(&data));
        let token = data.admin_token().expect("a token can be made");
        assert_eq!(token.len(), 43);
        assert_eq!(data.admin_token().ok(), Some(token));
        #[cfg(unix)]
        assert_eq!(mode(&data.admin_token_path()), 0o600);
        fs::write(data.admin_token_path(), "short").expect("the file can be written");
        assert!(matches!(data.admin_token(), Err(DataDirError::NoAdminToken { .. })));
    }
}
