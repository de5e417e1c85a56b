//! The directory with what the first start creates.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;

use super::sqlite::{Store, StoreError};
use crate::auth::SigningKey;
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
    /// A key or a token is needed, and no server has created one.
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
        let hash = random_text::<20>().map_err(failed)?;
        Ok(Store::open(&path, &hash)?)
    }

    /// The settings that a server has created here; it may be running.
    pub fn existing_store(&self) -> Result<Store, DataDirError> {
        let path = self.path.join(SETTINGS);
        match path.try_exists() {
            Ok(false) => Err(DataDirError::NotStarted { path }),
            Ok(true) => self.store(),
            Err(source) => Err(DataDirError::File { path, source }),
        }
    }

    /// The token for the Metadata API, created by the first call: 32 random bytes in base64url.
    pub fn admin_token(&self) -> Result<String, DataDirError> {
        let path = self.admin_token_path();
        let token = read_or_create::<32>(&path)
            .map_err(|source| DataDirError::File { path: path.clone(), source })?;
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

    /// The key that this server's own tokens are signed with, created by the first call: 32 random
    /// bytes in base64url.
    pub fn signing_key(&self) -> Result<SigningKey, DataDirError> {
        let path = self.path.join(SIGNING_KEY);
        let key = read_or_create::<32>(&path)
            .map_err(|source| DataDirError::File { path: path.clone(), source })?;
        #[cfg(unix)]
        warn_if_shared(&path);
        SigningKey::parse(&key).ok_or(DataDirError::NoSigningKey { path })
    }

    /// The key that a server has created here.
    pub fn existing_signing_key(&self) -> Result<SigningKey, DataDirError> {
        let path = self.path.join(SIGNING_KEY);
        match path.try_exists() {
            Ok(false) => Err(DataDirError::NotStarted { path }),
            Ok(true) => self.signing_key(),
            Err(source) => Err(DataDirError::File { path, source }),
        }
    }
}

/// The line in a file of the data directory. If there is no such file it is created, for this user
/// alone, with `N` random bytes in base64url.
fn read_or_create<const N: usize>(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = random_text::<N>()?;
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

/// Who reads the signing key can be anybody on this server.
#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        let file = path.display();
        tracing::warn!(%file, "others than its owner may read the signing key; chmod 600 keeps them out");
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
const SIGNING_KEY: &str = "signing-key";

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xano-data-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_signing_key_is_made_once_and_only_by_a_server() {
        let path = directory("key");
        let missing = DataDir::existing(&path).existing_signing_key();
        assert!(matches!(missing, Err(DataDirError::NotStarted { .. })));
        assert!(!path.exists());
        let data = DataDir::open(&path).expect("a temporary directory can be made");
        data.signing_key().expect("a key can be made");
        let file = path.join(SIGNING_KEY);
        let text = fs::read_to_string(&file).expect("the key is in its file");
        assert_eq!(text.len(), 44);
        data.signing_key().expect("the key is there");
        data.existing_signing_key().expect("the key is there");
        assert_eq!(fs::read_to_string(&file).ok(), Some(text));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&file).expect("the file is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for wrong in ["", "c2hvcnQ", &"=".repeat(43)] {
            fs::write(&file, wrong).expect("the file can be written");
            assert!(matches!(data.signing_key(), Err(DataDirError::NoSigningKey { .. })));
        }
        fs::remove_dir_all(&path).expect("the directory can be removed");
    }

    #[test]
    fn the_admin_token_and_the_connection_hash_are_made_once_and_kept() {
        let path = directory("hash");
        let data = DataDir::open(&path.join("deep")).expect("a temporary directory can be made");
        let hash = |data: &DataDir| {
            let store = data.store().expect("settings can be made");
            store.realtime().expect("settings can be read").hash
        };
        assert_eq!(hash(&data).len(), 27);
        assert_eq!(hash(&data), hash(&data));
        let token = data.admin_token().expect("a token can be made");
        assert_eq!(token.len(), 43);
        assert_eq!(data.admin_token().ok(), Some(token));
        fs::write(data.admin_token_path(), "short").expect("the file can be written");
        assert!(matches!(data.admin_token(), Err(DataDirError::NoAdminToken { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path.join("deep/settings.db"))
                .expect("the file is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_dir_all(&path).expect("the directory can be removed");
    }
}
