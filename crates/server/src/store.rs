//! What outlives the process: the data directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;

/// The directory that holds what the first start creates and later starts need.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be created.
    #[error("cannot create the data directory {}", path.display())]
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
    /// The file with the connection hash holds something else.
    #[error("{} does not hold a connection hash (letters, digits, - and _); delete it and a new one is created", path.display())]
    NoHash {
        /// Which.
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

    /// The connection hash, created by the first call: 20 random bytes in base64url.
    pub fn connection_hash(&self) -> Result<String, DataDirError> {
        let path = self.path.join("connection-hash");
        let failed = |source| DataDirError::File { path: path.clone(), source };
        match fs::read_to_string(&path) {
            Ok(hash) if is_hash(hash.trim()) => Ok(hash.trim().to_owned()),
            Ok(_) => Err(DataDirError::NoHash { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0; 20];
                getrandom::fill(&mut bytes).map_err(|error| failed(io::Error::other(error)))?;
                let hash = BASE64URL_NOPAD.encode(&bytes);
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(&path).map_err(failed)?;
                writeln!(file, "{hash}").map_err(failed)?;
                Ok(hash)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

fn is_hash(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_made_once_and_kept() {
        let path = std::env::temp_dir().join(format!("xano-data-{}", std::process::id()));
        let data = DataDir::open(&path.join("deep")).expect("a temporary directory can be made");
        let hash = data.connection_hash().expect("a hash can be made");
        assert_eq!(hash.len(), 27);
        assert_eq!(data.connection_hash().ok(), Some(hash));
        fs::write(path.join("deep/connection-hash"), "no hash!").expect("the file can be written");
        assert!(matches!(data.connection_hash(), Err(DataDirError::NoHash { .. })));
        fs::remove_dir_all(&path).expect("the directory can be removed");
    }
}
