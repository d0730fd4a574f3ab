//! Builds what is delivered: the page, compressed ahead of time, and the gateway.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha384};

use crate::error::{Error, Result};
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{folders, process, repository};

/// The tools that building takes.
pub(crate) const TOOLS: &[Tool] = &[Tool::WasmToolchain, Tool::WasmBindgen, Tool::Trunk, Tool::Node, Tool::WasmOpt];

/// Files with these endings are compressed ahead of time; all others are compressed already, or tiny.
const COMPRESSIBLE: [&str; 8] = ["css", "html", "ico", "js", "json", "svg", "txt", "wasm"];

/// Brotli's strongest setting and largest window: this is done once, and each visitor gains.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 24;

/// Where the built parts are.
pub(crate) struct Built {
    /// The folder with the page.
    pub(crate) page: PathBuf,
    /// The gateway's program.
    pub(crate) gateway: PathBuf,
}

/// Builds the page and the gateway in release mode.
pub(crate) fn build(toolbox: &Toolbox) -> Result<Built> {
    let page = repository().join("dist");
    {
        let _lock = folders::lock(&target_folder().join("page.lock"), "building the page")?;
        let mut trunk = toolbox.wasm_command("trunk")?;
        trunk.args(["build", "--release", "--offline", "--skip-version-check", "--dist"]).arg(&page);
        // Trunk takes NO_COLOR for a switch and wants it to be true or false, not set to whatever.
        trunk.env_remove("NO_COLOR");
        process::run(&mut trunk)?;
        name_programs(&page)?;
        compress(&page)?;
    }
    let mut cargo = toolbox.command("cargo")?;
    process::run(cargo.args(["build", "--release", "--package", "keyside-gateway"]))?;
    Ok(Built { page, gateway: target_folder().join("release/keyside-gateway") })
}

/// The files of the programs that Trunk takes for workers, and so neither names by their contents nor gives an integrity.
const OTHER_PROGRAMS: [(&str, &str); 4] =
    [("register", ".js"), ("register", "_bg.wasm"), ("more", ".js"), ("more", "_bg.wasm")];

/// Has `index.html` in `page` name the files of all programs in the same way, for `start.js` to choose from: by links that no browser
/// follows by itself, with the integrity that the files must have. A name has a hash of what is in the file.
fn name_programs(page: &Path) -> Result<()> {
    let document = page.join("index.html");
    let mut html = fs::read_to_string(&document).map_err(|error| Error::file("read", &document, &error))?;
    for rel in ["modulepreload", "preload"] {
        html = replaced(&html, &format!("<link rel=\"{rel}\""), "<link rel=\"program\"")?;
    }
    for (name, ending) in OTHER_PROGRAMS {
        let path = page.join(format!("{name}{ending}"));
        let contents = fs::read(&path).map_err(|error| Error::file("read", &path, &error))?;
        let digest = Sha384::digest(&contents);
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let named = format!("{name}-{hash}{ending}");
        fs::rename(&path, page.join(&named)).map_err(|error| Error::file("rename", &path, &error))?;
        let integrity = Base64::encode_string(&digest);
        let link = format!("href=\"{named}\" integrity=\"sha384-{integrity}\" crossorigin=\"anonymous\"");
        html = replaced(&html, &format!("href=\"{name}{ending}\""), &link)?;
    }
    fs::write(&document, html).map_err(|error| Error::file("write", &document, &error))
}

/// `html` with `new` in place of `old`, which must be in it.
fn replaced(html: &str, old: &str, new: &str) -> Result<String> {
    if html.contains(old) {
        Ok(html.replacen(old, new, 1))
    } else {
        Err(Error::new(format!("there is no {old} in the index.html that Trunk has made")))
    }
}

/// Puts a .br and a .gz beside each file in `folder` and below that gets smaller by it.
fn compress(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::file("read", folder, &error))? {
        let path = entry.map_err(|error| Error::file("read", folder, &error))?.path();
        if path.is_dir() {
            compress(&path)?;
        } else if path.extension().is_some_and(|extension| COMPRESSIBLE.iter().any(|known| extension == *known)) {
            let plain = fs::read(&path).map_err(|error| Error::file("read", &path, &error))?;
            let sizes = [("br", brotli(&plain)), ("gz", gzip(&plain))].map(|(extension, packed)| {
                let beside = path.with_added_extension(extension);
                let packed = packed.map_err(|error| Error::file("compress", &path, &error))?;
                if packed.len() < plain.len() {
                    fs::write(&beside, &packed).map_err(|error| Error::file("write", &beside, &error))?;
                }
                Ok(packed.len())
            });
            let [brotli, gzip] = sizes;
            println!("  {}: {} bytes, br {}, gz {}", path.display(), plain.len(), brotli?, gzip?);
        }
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = CompressorWriter::new(Vec::new(), plain.len().max(1), BROTLI_QUALITY, BROTLI_WINDOW);
    writer.write_all(plain)?;
    writer.flush()?;
    Ok(writer.into_inner())
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(plain)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_comes_out_as_it_was() -> std::io::Result<()> {
        let plain: Vec<u8> = (0..5_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let (brotli, gzip) = (brotli(&plain)?, gzip(&plain)?);
        assert!(brotli.len() < gzip.len() && gzip.len() < plain.len());
        let mut unpacked = Vec::new();
        brotli::Decompressor::new(brotli.as_slice(), 4096).read_to_end(&mut unpacked)?;
        assert_eq!(unpacked, plain);
        unpacked.clear();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut unpacked)?;
        assert_eq!(unpacked, plain);
        Ok(())
    }
}
