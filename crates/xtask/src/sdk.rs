//! Builds the browser SDK: Rust to WebAssembly, its JavaScript around it, bundled into `dist/`.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256, Sha384};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    inline,
    setup::{self, WASM},
    workspace::{Workspace, files_below, output, run},
};

/// What the SDK is built for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flavour {
    /// Debugging: names, panic messages and readable JavaScript, on the plain standard library.
    Dev,
    /// Browsers: as small as it gets.
    Release,
}

/// Builds `dist/`, unless it already is what these sources give.
pub(crate) fn build(workspace: &Workspace, flavour: Flavour) -> Result<()> {
    setup::build_tools(workspace)?;
    let work = workspace.target.join("sdk");
    fs::create_dir_all(&work)?;
    // Two builds at once would mix their files; the second one waits and then finds all up to date.
    let lock = File::create(work.join("lock"))?;
    lock.lock().context("cannot lock the SDK's work folder")?;

    let inputs = inputs_hash(workspace, flavour)?;
    let stamp = work.join("stamp");
    let is_fresh = fs::read_to_string(&stamp).is_ok_and(|stamp| {
        outputs_hash(workspace).is_ok_and(|outputs| stamp == format!("{inputs} {outputs}"))
    });
    if is_fresh {
        println!("sdk: up to date");
        return Ok(());
    }

    let started = Instant::now();
    let compiled = compile(workspace, flavour)?;
    let module = bind(&compiled, &work, flavour)?;
    if flavour == Flavour::Release {
        optimise(workspace, &module)?;
    }
    bundle(workspace, &work, flavour)?;
    publish(workspace, &work)?;
    fs::write(&stamp, format!("{inputs} {}", outputs_hash(workspace)?))?;
    println!("sdk: built in {:.0} s", started.elapsed().as_secs_f32());
    report(workspace)
}

/// Fails when a script that pages load has grown over its limit.
pub(crate) fn check_size(workspace: &Workspace) -> Result<()> {
    for (script, limit_file) in LIMITS {
        let limit = parse_limit(&workspace.read(limit_file)?)
            .with_context(|| format!("{limit_file} holds no number"))?;
        let bytes = fs::read(workspace.root.join("dist").join(script))
            .context("build the SDK first: cargo xtask sdk")?;
        let size = gzip_size(&bytes)?;
        println!("size: {script} is {size} bytes gzipped, the limit is {limit}");
        if size > limit {
            bail!(
                "{script} is {} bytes over the limit in {limit_file}; make it smaller",
                size - limit
            );
        }
    }
    Ok(())
}

fn compile(workspace: &Workspace, flavour: Flavour) -> Result<PathBuf> {
    // A folder of its own: these flags would push the native builds out of the cache.
    let target = workspace.target.join("web");
    let mut cargo = workspace.cargo();
    cargo
        .args(["build", "--package", "sdk", "--lib", "--target", WASM, "--target-dir"])
        .arg(&target);
    let profile = match flavour {
        Flavour::Dev => "debug",
        Flavour::Release => {
            // The flags are unstable, the compiler is not: this is how a stable one accepts them.
            cargo
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
            cargo.args(["--profile", "web", "-Zbuild-std=std,panic_abort"]);
            cargo.arg("-Zbuild-std-features=optimize_for_size");
            "web"
        }
    };
    run(&mut cargo)?;
    Ok(target.join(WASM).join(profile).join("sdk.wasm"))
}

/// Writes the module and, beside the SDK's own JavaScript, the glue between its types and Rust's.
fn bind(compiled: &Path, work: &Path, flavour: Flavour) -> Result<PathBuf> {
    let js = work.join("js");
    empty_folder(&js)?;
    let is_dev = flavour == Flavour::Dev;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).web(true)?.typescript(false).out_name("core");
    bindgen.omit_default_module_path(true).keep_debug(is_dev);
    bindgen.remove_name_section(!is_dev).remove_producers_section(!is_dev);
    let mut output = bindgen.generate_output().context("wasm-bindgen refused the SDK's module")?;
    let mut glue = import_once(output.js());
    if flavour == Flavour::Release {
        // What is not defined there is of the SDK's own JavaScript, where names are short.
        let imports = output.wasm_mut().imports.iter_mut();
        for (number, import) in imports.filter(|it| it.module == GLUE).enumerate() {
            glue = rename_import(&glue, &import.name, number)?;
            import.name = number.to_string();
        }
        let mut exports: Vec<_> = output.wasm_mut().exports.iter_mut().collect();
        // Some names are the beginning of others.
        exports.sort_by_key(|export| std::cmp::Reverse(export.name.len()));
        for (number, export) in exports.iter_mut().filter(|it| is_invoke(&it.name)).enumerate() {
            let name = format!("invoke{number}");
            glue = glue.replace(&export.name, &name);
            export.name = name;
        }
        // Nobody disposes of these objects, and every browser that is built for has the other.
        glue = cut(&glue, "if (Symbol.dispose)", "\n")?;
        glue = cut(
            &glue,
            "if (!('encodeInto' in cachedTextEncoder)) {",
            "};\n                        }",
        )?;
    }
    output.emit(&js)?;
    fs::write(js.join("core.js"), glue)?;
    let module = work.join(CORE);
    fs::rename(js.join("core_bg.wasm"), &module).context("wasm-bindgen wrote no module")?;
    Ok(module)
}

/// The glue with each module imported once: wasm-bindgen does so for each function of it.
fn import_once(glue: &str) -> String {
    let (mut known, mut again) = (Vec::new(), Vec::new());
    let mut once = String::new();
    for line in glue.lines() {
        if let Some((name, module)) =
            line.strip_prefix("import * as ").and_then(|import| import.split_once(" from "))
        {
            if known.contains(&module) {
                again.push(format!(": {name},"));
                continue;
            }
            known.push(module);
        } else if again.iter().any(|key| line.ends_with(key)) {
            continue;
        }
        once.push_str(line);
        once.push('\n');
    }
    once
}

/// Gives one of the functions in the glue a number for its name. wasm-bindgen's names end in hashes,
/// which do not compress, and stand both in the glue and in the module: 2 KB that do nothing.
fn rename_import(glue: &str, name: &str, number: usize) -> Result<String> {
    let key = format!("{name}: function(");
    if glue.matches(&key).count() != 1 {
        bail!("wasm-bindgen's glue does not define `{name}` the way this build expects");
    }
    Ok(glue.replace(&key, &format!("{number}: function(")))
}

/// Whether this is the name of what calls a closure, which is made of those of its types, and hashes.
fn is_invoke(export: &str) -> bool {
    export.contains("__convert__closures__")
}

/// The glue without what begins and ends so.
fn cut(glue: &str, begin: &str, end: &str) -> Result<String> {
    let mut parts = glue.split(begin);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once(end).context("wasm-bindgen's glue has changed")?;
        left.push_str(rest);
    }
    if left.len() == glue.len() {
        bail!("wasm-bindgen's glue has no `{begin}` any more: it need not be cut");
    }
    Ok(left)
}

fn optimise(workspace: &Workspace, wasm: &Path) -> Result<()> {
    let mut wasm_opt = workspace.npm_tool("wasm-opt");
    run(wasm_opt.args(WASM_PASSES).args(WASM_FEATURES).arg(wasm).arg("--output").arg(wasm))
}

/// Bundles the SDK's JavaScript, with or without the module inside, into files that need no other.
fn bundle(workspace: &Workspace, work: &Path, flavour: Flavour) -> Result<()> {
    let (js, bundles) = (work.join("js"), work.join("dist"));
    let core = fs::read(work.join(CORE))?;
    copy_folder(&workspace.root.join("crates/sdk/js"), &js)?;
    // `import bytes from "./core.wasm"` is what bundlers know; here it gives the text form.
    fs::write(js.join(CORE), inline::javascript(&core))?;
    empty_folder(&bundles)?;
    for (entry, bundle, options) in BUNDLES {
        let mut esbuild = workspace.npm_tool("esbuild");
        esbuild.current_dir(&js).arg(entry);
        esbuild.arg(format!("--outfile={}", bundles.join(bundle).display()));
        esbuild.arg(format!("--define:CORE_BUILD=\"{}\"", core_build(&core)));
        esbuild.args(ESBUILD).args(options);
        if flavour == Flavour::Release {
            esbuild.arg("--minify");
        }
        run(&mut esbuild)?;
    }
    Ok(())
}

/// Lays out the npm package, and puts the scripts where pages look for them.
fn publish(workspace: &Workspace, work: &Path) -> Result<()> {
    let dist = workspace.root.join("dist");
    empty_folder(&dist)?;
    copy_folder(&work.join("dist"), &dist)?;
    fs::write(dist.join(CORE), stamped(fs::read(work.join(CORE))?))?;
    // The hooks are a module of their own that imports React alone, so there is nothing to bundle.
    for file in ["README.md", "package.json", "react.js"] {
        copy(&work.join("js").join(file), &dist.join(file))?;
    }
    for name in TYPES {
        let types = fs::read_to_string(work.join("js").join(format!("{name}.d.ts")))?;
        fs::write(dist.join(format!("{name}.d.cts")), types.replace(".js\"", ".cjs\""))?;
        fs::write(dist.join(format!("{name}.d.ts")), types)?;
    }
    for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&workspace.root.join(file), &dist.join(file))?;
    }
    fs::write(dist.join("integrity.json"), integrities(&dist)?)?;
    for page in PAGES {
        let page = workspace.root.join(page);
        empty_folder(&page)?;
        copy(&dist.join(SCRIPT), &page.join(SCRIPT))?;
        copy(&dist.join(ATTRIBUTES), &page.join(ATTRIBUTES))?;
    }
    Ok(())
}

/// What tells this build of the module from every other.
fn core_build(core: &[u8]) -> String {
    hex(&Sha256::digest(core)[..8])
}

/// The module with its build in a section of its own, where who fetches it apart from the JavaScript
/// can see that the two belong together.
fn stamped(mut core: Vec<u8>) -> Vec<u8> {
    let (name, build) = ("xano-build", core_build(&core));
    let length = |text: &str| u8::try_from(text.len()).expect("the texts here are short");
    core.extend([0, 1 + length(name) + length(&build), length(name)]);
    core.extend(name.bytes().chain(build.bytes()));
    core
}

/// The `integrity` of every file that a page can load, by name.
fn integrities(dist: &Path) -> Result<String> {
    let mut hashes = serde_json::Map::new();
    for file in files_below(dist)? {
        if file.extension().is_some_and(|extension| extension == "js" || extension == "wasm") {
            let name = file.strip_prefix(dist)?.to_string_lossy().into_owned();
            hashes.insert(name, integrity(&fs::read(&file)?).into());
        }
    }
    Ok(serde_json::to_string_pretty(&hashes)? + "\n")
}

fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let to = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        copy(&file, &to)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn report(workspace: &Workspace) -> Result<()> {
    println!("\n{:<16} {:>9} {:>9}", "dist/", "bytes", "gzip -9");
    let dist = workspace.root.join("dist");
    for file in [SCRIPT, ATTRIBUTES, "index.js", "slim.js", CORE] {
        let bytes = fs::read(dist.join(file))?;
        println!("{file:<16} {:>9} {:>9}", bytes.len(), gzip_size(&bytes)?);
    }
    println!("\n{SCRIPT} integrity: {}\n", integrity(&fs::read(dist.join(SCRIPT))?));
    Ok(())
}

/// One hash over all that decides what `dist/` becomes.
fn inputs_hash(workspace: &Workspace, flavour: Flavour) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{flavour:?}"));
    hash.update(output(workspace.command("rustc").arg("-vV"))?);
    for input in INPUTS {
        hash_files(&mut hash, &workspace.root, &workspace.root.join(input))?;
    }
    Ok(hex(&hash.finalize()))
}

/// One hash over what was built, so that a change made by another hand is noticed.
fn outputs_hash(workspace: &Workspace) -> Result<String> {
    let mut hash = Sha256::new();
    for output in ["dist"].into_iter().chain(PAGES) {
        hash_files(&mut hash, &workspace.root, &workspace.root.join(output))?;
    }
    Ok(hex(&hash.finalize()))
}

/// Adds a file, or all files below a folder, with their names and lengths.
pub(crate) fn hash_files(hash: &mut Sha256, root: &Path, path: &Path) -> Result<()> {
    let files = if path.is_dir() { files_below(path)? } else { vec![path.to_owned()] };
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        // Slashes on every platform.
        let name: Vec<_> =
            file.strip_prefix(root)?.iter().map(|part| part.to_string_lossy()).collect();
        hash.update(format!("{} {}\n", name.join("/"), bytes.len()));
        hash.update(bytes);
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gzip_size(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

/// The value of a `<script>` tag's `integrity` attribute.
fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(bytes)))
}

/// The number in a file whose other lines begin with `#`.
fn parse_limit(text: &str) -> Option<usize> {
    text.lines().find(|line| !line.starts_with('#'))?.trim().parse().ok()
}

const CORE: &str = "core.wasm";
/// Where wasm-bindgen's own functions come from.
const GLUE: &str = "./core_bg.js";
const SCRIPT: &str = "xano.min.js";
const ATTRIBUTES: &str = "xano-attributes.min.js";
/// Pages find the scripts here when they are opened from disk.
const PAGES: [&str; 2] = ["www/demo/sdk", "www/sdk"];
const LIMITS: [(&str, &str); 2] =
    [(SCRIPT, "crates/sdk/size-limit.txt"), (ATTRIBUTES, "crates/sdk/size-limit-attributes.txt")];
/// Entry, bundle and options.
const BUNDLES: [(&str, &str, &[&str]); 9] = [
    ("index.js", "index.js", &["--format=esm", LINES, INLINE]),
    ("index.js", "index.cjs", &["--format=cjs", NAMES, LINES, INLINE]),
    ("index.js", "worker.js", &["--format=esm", LINES, WORKER, "--external:./core.wasm"]),
    ("index.js", "edge.js", &["--format=esm", LINES, EDGE, "--external:./core.wasm?module"]),
    ("slim.js", "slim.js", &["--format=esm", LINES, SLIM]),
    ("slim.js", "slim.cjs", &["--format=cjs", NAMES, LINES, SLIM]),
    ("react.js", "react.cjs", &["--format=cjs", NAMES, LINES, "--external:react"]),
    ("script.js", SCRIPT, &["--format=iife", INLINE]),
    ("attributes.js", ATTRIBUTES, &["--format=iife"]),
];
/// Node.js shows the line that an uncaught error comes from, so the modules have lines; what a page
/// loads by itself is as small as it gets.
const LINES: &str = "--line-limit=400";
/// Makes esbuild list what a file for CommonJS exports, in a way that Node.js can see from outside.
const NAMES: &str = "--platform=node";
const INLINE: &str = "--alias:loader=./loader.js";
const WORKER: &str = "--alias:loader=./loader-worker.js";
const EDGE: &str = "--alias:loader=./loader-edge.js";
const SLIM: &str = "--alias:loader=./loader-slim.js";
/// The names of the declarations, which are written anew for CommonJS.
const TYPES: [&str; 4] = ["index", "slim", "react", "attributes"];
const ESBUILD: [&str; 5] = [
    "--bundle",
    "--platform=neutral",
    "--target=es2022",
    "--loader:.wasm=js",
    "--log-level=warning",
];
/// A panic becomes a trap without a message, and `{:?}` writes nothing: no user reads either. Small
/// functions are inlined before they are compiled, which optimising for size leaves out although it
/// makes the module smaller, and by LLVM a little sooner than it would.
const RUSTFLAGS: [&str; 6] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Zfmt-debug=none",
    "-Zinline-mir=yes",
    "-Cllvm-args=-inline-threshold=15",
];
/// Control flow is taken apart and laid out again before the rest. What the compiler was allowed to
/// use, wasm-bindgen has read by then.
const WASM_PASSES: [&str; 6] =
    ["--flatten", "--rereloop", "-Oz", "-Oz", "--converge", "--strip-target-features"];
/// What rustc compiles for when nothing else is said; browsers have had all of it since 2021.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];
const INPUTS: [&str; 7] = [
    "crates/sdk",
    "crates/protocol",
    "crates/xtask/src/inline.rs",
    "crates/xtask/src/sdk.rs",
    "Cargo.toml",
    "Cargo.lock",
    "package-lock.json",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_notices_names_and_contents() {
        let hash = |name: &str, text: &str| {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            fs::create_dir(root.join("src")).unwrap();
            fs::write(root.join("src").join(name), text).unwrap();
            let mut hash = Sha256::new();
            hash_files(&mut hash, root, &root.join("src")).unwrap();
            hex(&hash.finalize())
        };
        let first = hash("a.rs", "fn a() {}");
        assert_eq!(hash("a.rs", "fn a() {}"), first);
        assert_ne!(hash("a.rs", "fn a() { }"), first);
        assert_ne!(hash("b.rs", "fn a() {}"), first);
    }

    #[test]
    fn integrity_is_what_browsers_compute() {
        let empty = "sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb";
        assert_eq!(integrity(b""), empty);
    }

    #[test]
    fn an_import_is_renamed_where_it_is_defined() {
        let glue = "{ __wbg_now_01ab: function() { return Date.now(); } }";
        let renamed = rename_import(glue, "__wbg_now_01ab", 7).unwrap();
        assert_eq!(renamed, "{ 7: function() { return Date.now(); } }");
        assert!(rename_import(glue, "__wbg_then_02cd", 8).is_err());
    }

    #[test]
    fn a_module_is_imported_once() {
        let line = |n| format!("import * as import{n} from \"./inbox.js\"\n");
        let key = |n| format!("\"./inbox.js\": import{n},\n");
        let glue = [line(1), line(2), "x\n".into(), key(1), key(2)].concat();
        assert_eq!(import_once(&glue), [line(1), "x\n".into(), key(1)].concat());
    }

    #[test]
    fn the_limit_stands_below_its_comment() {
        assert_eq!(parse_limit("# bytes\n45000\n"), Some(45_000));
        assert_eq!(parse_limit("# bytes\n"), None);
    }
}
