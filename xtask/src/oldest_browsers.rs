//! The oldest browsers that the page works in, and the check that its scripts and style sheets ask for no newer one.
//!
//! esbuild knows the syntax. It does not know functions, properties and selectors: for those there is a list of refused texts.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::toolbox::{Toolbox, target_folder};
use crate::{folders, process, repository};

/// The versions, for esbuild. Samsung Internet 20 is Chromium 106.
pub(crate) const TARGET: &str = "--target=chrome103,edge103,firefox114,ios16.4,safari16.4";

/// CSS that one of them does not know and that esbuild leaves as it is, with the first versions that know it.
const NEWER_CSS: [(&str, &str); 24] = [
    ("light-dark(", "Chrome 123, Firefox 120, Safari 17.5"),
    (":has(", "Chrome 105, Firefox 121, Safari 15.4"),
    ("@container", "Chrome 105, Firefox 110, Safari 16"),
    ("cqw", "Chrome 105, Firefox 110, Safari 16"),
    ("cqi", "Chrome 105, Firefox 110, Safari 16"),
    ("@starting-style", "Chrome 117, Firefox 129, Safari 17.5"),
    ("@scope", "Chrome 118, Firefox 146, Safari 26.4"),
    ("@property", "Chrome 85, Firefox 128, Safari 16.4"),
    ("@view-transition", "Chrome 126, no Firefox, Safari 18.2"),
    ("color-mix(", "Chrome 111, Firefox 113, Safari 16.2"),
    ("(from ", "Chrome 122, Firefox 128, Safari 18"),
    ("contrast-color(", "Chrome 147, Firefox 146, Safari 26"),
    ("dvh", "Chrome 108, Firefox 101, Safari 15.4"),
    ("svh", "Chrome 108, Firefox 101, Safari 15.4"),
    ("lvh", "Chrome 108, Firefox 101, Safari 15.4"),
    ("text-wrap:", "Chrome 114, Firefox 121, Safari 17.4"),
    ("field-sizing", "Chrome 123, Firefox 152, Safari 26.2"),
    ("anchor-name", "Chrome 125, Firefox 147, Safari 26"),
    ("text-box", "Chrome 133, Firefox 154, Safari 18.2"),
    ("animation-timeline", "Chrome 115, Firefox 159, Safari 26"),
    ("interpolate-size", "Chrome 129, no Firefox"),
    (":popover-open", "Chrome 114, Firefox 125, Safari 17"),
    (":user-valid", "Chrome 119, Firefox 88, Safari 16.5"),
    (":user-invalid", "Chrome 119, Firefox 88, Safari 16.5"),
];

/// The same for JavaScript.
const NEWER_JAVASCRIPT: [(&str, &str); 30] = [
    ("Object.groupBy", "Chrome 117, Firefox 119, Safari 17.4"),
    ("Map.groupBy", "Chrome 117, Firefox 119, Safari 17.4"),
    ("Promise.withResolvers", "Chrome 119, Firefox 121, Safari 17.4"),
    ("Promise.try", "Chrome 128, Firefox 134, Safari 18.2"),
    ("Array.fromAsync", "Chrome 121, Firefox 115, Safari 16.4"),
    (".toSorted(", "Chrome 110, Firefox 115, Safari 16"),
    (".toReversed(", "Chrome 110, Firefox 115, Safari 16"),
    (".toSpliced(", "Chrome 110, Firefox 115, Safari 16"),
    (".isWellFormed(", "Chrome 111, Firefox 119, Safari 16.4"),
    (".toWellFormed(", "Chrome 111, Firefox 119, Safari 16.4"),
    ("AbortSignal.any", "Chrome 116, Firefox 124, Safari 17.4"),
    ("URL.canParse", "Chrome 120, Firefox 115, Safari 17"),
    ("URL.parse", "Chrome 126, Firefox 126, Safari 18"),
    (".isSubsetOf(", "Chrome 122, Firefox 127, Safari 17"),
    (".union(", "Chrome 122, Firefox 127, Safari 17"),
    (".difference(", "Chrome 122, Firefox 127, Safari 17"),
    (".intersection(", "Chrome 122, Firefox 127, Safari 17"),
    (".toBase64(", "Chrome 140, Firefox 133, Safari 18.2"),
    (".fromBase64(", "Chrome 140, Firefox 133, Safari 18.2"),
    (".toHex(", "Chrome 140, Firefox 133, Safari 18.2"),
    ("Iterator.from", "Chrome 122, Firefox 131, Safari 18.4"),
    ("import.meta.resolve", "Chrome 105, Firefox 106, Safari 16.4"),
    ("requestIdleCallback(", "Chrome 47, Firefox 55, no Safari"),
    ("startViewTransition", "Chrome 111, Firefox 144, Safari 18"),
    ("showPopover", "Chrome 114, Firefox 125, Safari 17"),
    ("navigation.navigate", "Chrome 102, Firefox 147, Safari 26.2"),
    ("scheduler.", "Chrome 94, Firefox 142, no Safari"),
    ("Temporal.", "Chrome 144, Firefox 139, Safari 27.3"),
    ("checkVisibility", "Chrome 105, Firefox 106, Safari 17.4"),
    ("Intl.DurationFormat", "Chrome 129, Firefox 136, Safari 16.4"),
];

/// Checks the scripts and style sheets that browsers get as they are written.
///
/// # Errors
/// The files that need a newer browser, and what in them.
pub(crate) fn check(toolbox: &Toolbox) -> Result<()> {
    println!("\n$ esbuild {TARGET} (scripts and style sheets of page, console and connection check)");
    let mut git = Command::new("git");
    git.args(["ls-files", "--", "public/*.js", "style/*.css", "gateway/src/*.css", "gateway/src/*.js"]);
    let files = process::output(git.current_dir(repository())).unwrap_or_default();
    let files: Vec<_> = files.lines().map(|file| repository().join(file)).filter(|file| file.exists()).collect();
    if files.is_empty() {
        return Err(Error::new("git lists no script and no style sheet"));
    }
    let faults = files.iter().map(|file| faults(toolbox, file)).collect::<Result<Vec<_>>>()?.concat();
    if faults.is_empty() { Ok(()) } else { Err(Error::new(format!("too new:\n{}", faults.join("\n")))) }
}

/// The reasons why one of the oldest browsers would not work with `file`.
fn faults(toolbox: &Toolbox, file: &Path) -> Result<Vec<String>> {
    let lowered = esbuild(toolbox, file, TARGET)?;
    let plain = esbuild(toolbox, file, "--target=esnext")?;
    let name = file.strip_prefix(repository()).unwrap_or(file).display().to_string();
    let mut faults: Vec<_> = lowered.warnings.lines().map(|line| format!("  {name}: {line}")).collect();
    // The console's and the connection check's style sheets are sent as they are, and `trunk serve` sends all files so.
    if let Some(line) = first_difference(&plain.text, &lowered.text) {
        faults.push(format!("  {name}: esbuild has to rewrite this for the oldest browsers: {line}"));
    }
    let refused = if name.ends_with(".css") { &NEWER_CSS[..] } else { &NEWER_JAVASCRIPT[..] };
    let found = refused.iter().filter(|(text, _)| plain.text.contains(text));
    faults.extend(found.map(|(text, since)| format!("  {name}: {text} ({since})")));
    Ok(faults)
}

/// The first line of `plain` that is not in the same place in `lowered`.
fn first_difference<'text>(plain: &'text str, lowered: &str) -> Option<&'text str> {
    let mut lowered = lowered.lines();
    let different = plain.lines().find(|line| lowered.next() != Some(*line));
    different.or_else(|| lowered.next().map(|_| "its end"))
}

struct Output {
    /// The file without its comments.
    text: String,
    warnings: String,
}

fn esbuild(toolbox: &Toolbox, file: &Path, target: &str) -> Result<Output> {
    let mut esbuild = toolbox.command("esbuild")?;
    esbuild.arg(file).args([target, "--log-level=warning", "--charset=utf8", "--legal-comments=none"]);
    let output = esbuild.output().map_err(|error| Error::new(format!("cannot run esbuild: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(Error::new(format!("esbuild does not read {}:\n{}", file.display(), text(&output.stderr))));
    }
    Ok(Output { text: text(&output.stdout), warnings: text(&output.stderr) })
}

/// Proves that the check refuses what it has to refuse: a check that never fails says nothing.
///
/// # Errors
/// When a scratch file that is too new passes.
pub(crate) fn check_itself(toolbox: &Toolbox) -> Result<()> {
    let scratch = target_folder().join("oldest-browsers");
    folders::create(&scratch)?;
    for (name, text, refused) in [
        ("known.css", "/* light-dark( */ a { color: red; inset: 0 }", false),
        ("function.css", "a { color: light-dark(#fff, #000); }", true),
        ("selector.css", "a:has(b) { color: red; }", true),
        ("nesting.css", "a { b { color: red; } }", true),
        ("range.css", "@media (width >= 400px) { a { color: red; } }", true),
        ("known.js", "// Object.groupBy\nexport const a = window?.b ?? (await c);", false),
        ("method.js", "a.toSorted();", true),
        ("syntax.js", "{ using a = b; }", true),
        ("pattern.js", "const a = /a/v;", true),
    ] {
        let file = scratch.join(name);
        fs::write(&file, text).map_err(|error| Error::file("write", &file, &error))?;
        if faults(toolbox, &file)?.is_empty() == refused {
            return Err(Error::new(format!("the check for newer features judges {} wrongly: {text}", file.display())));
        }
    }
    Ok(())
}
