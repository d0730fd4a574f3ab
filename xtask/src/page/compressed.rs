//! Compresses the page's files ahead of time.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use super::files;
use crate::error::{Error, Result};

/// Files with these endings are compressed ahead of time; all others are compressed already, or tiny.
const COMPRESSIBLE: [&str; 8] = ["css", "html", "ico", "js", "json", "svg", "txt", "wasm"];

/// Brotli's strongest setting and largest window: this is done once, and each visitor gains.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 24;

/// Puts a .br and a .gz beside each file in `folder` that gets smaller by it.
pub(super) fn add_all(folder: &Path) -> Result<()> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
    let entries = entries.map_err(|error| Error::file("read", folder, &error))?;
    let paths = entries.iter().map(fs::DirEntry::path).filter(|path| is_compressible(path));
    paths.par_bridge().try_for_each(|path| {
        let plain = files::read(&path)?;
        let sizes = [("br", brotli(&plain)), ("gz", gzip(&plain))].map(|(extension, packed)| {
            let packed = packed.map_err(|error| Error::file("compress", &path, &error))?;
            if packed.len() < plain.len() {
                files::write(&path.with_added_extension(extension), &packed)?;
            }
            Ok(packed.len())
        });
        let [brotli, gzip] = sizes;
        let name = path.file_name().unwrap_or_default().display();
        println!("  {name}: {} bytes, br {}, gz {}", plain.len(), brotli?, gzip?);
        Ok(())
    })
}

fn is_compressible(path: &Path) -> bool {
    path.extension().is_some_and(|extension| COMPRESSIBLE.iter().any(|known| extension == *known))
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
