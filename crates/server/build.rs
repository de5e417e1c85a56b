//! Puts the pages and the SDK, as they lie in the checkout, into the binary.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    let mut table = String::from("pub(crate) static FILES: &[File] = &[\n");
    for (folder, address) in [("www/demo", "/"), ("www/webflow", "/webflow/"), ("dist", "/sdk/")] {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        // The SDK may not be built yet: the server then says so where it is asked for.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            embed(&path, address, &out, &mut table)?;
        }
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table)
}

fn embed(path: &Path, address: &str, out: &Path, table: &mut String) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(kind) = content_type(name) else { return Ok(()) };
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = fs::read(path)?;
    let tag = HEXLOWER.encode(&Sha256::digest(&bytes)[..12]);
    let stored = out.join(&tag);
    fs::write(&stored, &bytes)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    let zipped = out.join(format!("{tag}.gz"));
    fs::write(&zipped, gzip.finish()?)?;
    let address =
        if name == "index.html" { address.to_owned() } else { format!("{address}{name}") };
    writeln!(
        table,
        "File {{ address: {address:?}, content_type: {kind:?}, etag: {tag:?}, bytes: include_bytes!({stored:?}), gzip: include_bytes!({zipped:?}) }},"
    )
    .map_err(io::Error::other)
}

fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "ts" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => return None,
    })
}
