//! The page's folder: the document, with each file that it names under a name that changes with the contents, and the integrity that the
//! file must have.
//!
//! `index.html` is written for Trunk, which serves the page while it is being developed. Of Trunk's elements this knows those that it has.

use std::fs;
use std::path::{Path, PathBuf};

use super::Site;
use super::files::{self, NamedFile};
use super::programs::{Programs, WORKERS};
use crate::error::{Error, Result};
use crate::oldest_browsers::TARGET;
use crate::process;
use crate::toolbox::Toolbox;

/// What the page is built from besides its programs.
pub(super) const SOURCES: [&str; 3] = ["index.html", "style", "public"];

/// Makes the page of `programs` in `page`, with what is made on the way in `work`.
pub(super) fn assemble(
    toolbox: &Toolbox,
    Site { public_url, gateway }: Site<'_>,
    programs: Programs,
    work: &Path,
    page: &Path,
) -> Result<()> {
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        NamedFile::write(page, &name, &files::read(path)?)
    };
    let app_wasm = name(&programs.app_wasm)?;
    let parts: Vec<_> = programs.parts.iter().map(|part| name(part)).collect::<Result<_>>()?;
    tell_parts(&programs, &parts)?;
    let workers_wasm: Vec<_> = programs.workers.iter().map(|(_, wasm)| name(wasm)).collect::<Result<_>>()?;

    let mut entries = vec![
        ("app", programs.app.clone()),
        ("start", PathBuf::from("public/start.js")),
        ("service-worker", PathBuf::from("public/service-worker.js")),
        ("main", PathBuf::from("style/main.css")),
    ];
    for ((worker, (script, _)), wasm) in WORKERS.iter().zip(&programs.workers).zip(&workers_wasm) {
        let start = script.with_file_name("start.js");
        files::write(&start, worker_start(worker.name, wasm).as_bytes())?;
        entries.push((worker.name, start));
    }
    let bundled = work.join("bundled");
    bundle(toolbox, &entries, &bundled)?;

    let service_worker = "service-worker.js";
    files::write(&page.join(service_worker), &files::read(&bundled.join(service_worker))?)?;
    let app = name(&bundled.join("app.js"))?;
    let program = |file: &NamedFile| link("program", public_url, file, "");
    let mut html = String::new();
    for line in files::read_text(Path::new("index.html"))?.lines() {
        let attribute = |name| attribute(line, name);
        let elements = match (attribute("rel"), line.contains(" data-trunk")) {
            (Some("worker"), _) => {
                let title = attribute("title").unwrap_or_default();
                let wasm = WORKERS.iter().position(|worker| worker.name == title).and_then(|at| workers_wasm.get(at));
                let wasm = wasm.ok_or_else(|| unknown(line))?;
                let script = name(&bundled.join(format!("{title}.js")))?;
                vec![link("worker", public_url, &script, &format!(" title=\"{title}\"")), program(wasm)]
            }
            (Some("rust"), true) if attribute("data-bin") == Some("app") => {
                [&app, &app_wasm].into_iter().chain(&parts).map(program).collect()
            }
            (Some("rust" | "copy-file"), true) => Vec::new(),
            (Some("icon"), true) => {
                let icon = attribute("href").ok_or_else(|| unknown(line))?;
                vec![link("icon", public_url, &name(Path::new(icon))?, "")]
            }
            (Some("css"), true) => vec![link("stylesheet", public_url, &name(&bundled.join("main.css"))?, "")],
            (None, false) if attribute("name") == Some("keyside-gateway") => {
                vec![format!("<meta name=\"keyside-gateway\" content=\"{gateway}\">"), policy(gateway)]
            }
            (None, true) if line.contains("<base ") => vec![format!("<base href=\"{public_url}\">")],
            (None, true) if line.contains("<script ") => {
                let NamedFile { name, integrity } = name(&bundled.join("start.js"))?;
                vec![format!("<script type=\"module\" src=\"{public_url}{name}\" integrity=\"{integrity}\"></script>")]
            }
            (_, true) => return Err(unknown(line)),
            (_, false) => {
                html.push_str(line);
                html.push('\n');
                continue;
            }
        };
        for element in elements {
            html.push_str(&format!("    {element}\n"));
        }
    }
    files::write(&page.join("index.html"), html.as_bytes())
}

/// The Content Security Policy, for a web server that sends none. The gateway sends the same in a header, and forbids frames besides, which a document
/// cannot (CSP Level 3, section 3.3). Trunk's document has none: Trunk puts a script into it.
fn policy(gateway: &str) -> String {
    let gateway = if gateway.is_empty() { String::new() } else { format!(" {gateway}") };
    format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; font-src 'self'; connect-src 'self'{gateway}; worker-src 'self'; manifest-src 'self'; form-action 'none'; \
         base-uri 'self'; require-trusted-types-for 'script'; trusted-types default\">"
    )
}

fn unknown(line: &str) -> Error {
    Error::new(format!("index.html has an element that the build does not know: {}", line.trim()))
}

/// The value of an attribute of the element on this line.
fn attribute<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// A link of kind `rel` to a file of the page, with further attributes.
fn link(rel: &str, public_url: &str, NamedFile { name, integrity }: &NamedFile, further: &str) -> String {
    format!("<link rel=\"{rel}\"{further} href=\"{public_url}{name}\" integrity=\"{integrity}\">")
}

/// Has the script that loads the parts ask for their names, and for the integrity that they must have.
fn tell_parts(programs: &Programs, parts: &[NamedFile]) -> Result<()> {
    let mut loader = files::read_text(&programs.parts_loader)?;
    for (part, NamedFile { name, integrity }) in programs.parts.iter().zip(parts) {
        let plain = part.file_name().unwrap_or_default().to_string_lossy();
        let asked = format!("fetch(new URL(\"./{plain}\", import.meta.url))");
        if loader.matches(&asked).count() != 1 {
            return Err(Error::new(format!(
                "the script that loads the parts does not ask for {plain} once, by {asked}"
            )));
        }
        let asks = format!("fetch(new URL(\"./{name}\", import.meta.url), {{ integrity: \"{integrity}\" }})");
        loader = loader.replace(&asked, &asks);
    }
    files::write(&programs.parts_loader, loader.as_bytes())
}

/// The script that starts a worker's program. An error is thrown in a task of its own: not every browser tells the page of one that a module ends
/// with.
fn worker_start(name: &str, NamedFile { name: wasm, integrity }: &NamedFile) -> String {
    format!(
        "import init from './{name}.js';\n\
         const code = fetch(new URL('./{wasm}', import.meta.url), {{ integrity: '{integrity}' }});\n\
         init({{ module_or_path: code }}).catch((error) => setTimeout(() => {{ throw error; }}));\n"
    )
}

/// Makes one minified file of each script or style sheet and what it imports, named as given, in `folder`. A warning is an error: it tells of
/// something that one of the oldest browsers does not have.
fn bundle(toolbox: &Toolbox, entries: &[(&str, PathBuf)], folder: &Path) -> Result<()> {
    let mut esbuild = toolbox.command("esbuild")?;
    esbuild.args(["--bundle", "--format=esm", "--minify", TARGET, "--charset=utf8", "--log-level=warning"]);
    esbuild.arg(format!("--outdir={}", folder.display()));
    esbuild.args(entries.iter().map(|(name, path)| format!("{name}={}", path.display())));
    process::run(&mut esbuild)?;
    let made = fs::read_dir(folder).map_err(|error| Error::file("read", folder, &error))?.count();
    if made == entries.len() {
        Ok(())
    } else {
        Err(Error::new(format!("esbuild made {made} files of {}", entries.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_by_their_whole_name() {
        let line = r#"    <link data-trunk rel="rust" data-bin="app" href="x">"#;
        for (name, expected) in [("rel", Some("rust")), ("data-bin", Some("app")), ("bin", None), ("href", Some("x"))] {
            assert_eq!(attribute(line, name), expected, "{name}");
        }
    }

    #[test]
    fn every_element_of_the_document_is_known() -> Result<()> {
        let html = files::read_text(Path::new("index.html"))?;
        let kinds: Vec<_> =
            html.lines().filter(|line| line.contains(" data-trunk")).map(|line| attribute(line, "rel")).collect();
        assert!(kinds.len() > 5, "{kinds:?}");
        for worker in WORKERS {
            assert!(html.contains(&format!("<link rel=\"worker\" title=\"{}\"", worker.name)), "{}", worker.name);
        }
        Ok(())
    }
}
