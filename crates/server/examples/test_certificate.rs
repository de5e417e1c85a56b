//! Writes a self-signed certificate and its key into a folder, for tests that need TLS.
//!
//! `cargo test` builds it along with everything else, and `cargo xtask test` runs it for the browser
//! tests: no machine needs a program for certificates.

use std::path::PathBuf;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("usage: test_certificate <folder>")?);
    let names = ["localhost", "127.0.0.1", "xano.test"].map(str::to_owned);
    let certified = rcgen::generate_simple_self_signed(names)?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("cert.pem"), certified.cert.pem())?;
    fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem())?;
    Ok(())
}
