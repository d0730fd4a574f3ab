//! The words of documents, comments and texts for users: refuses those of a list, and clauses without a subject.
//!
//! The tree has more of them than can be rewritten at once. Each file's allowance is in `xtask/prose-allowance.txt`, and may only fall.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::{process, repository};

/// The refused words and phrases, one per line.
const WORDS: &str = include_str!("../prose-words.txt");
/// Sentences that begin with these are refused, unless they are questions.
const HEADLESS: [&str; 5] = ["What", "Who", "How", "Whether", "Why"];
/// Each file's allowance: a number and a path per line.
const ALLOWANCE: &str = "xtask/prose-allowance.txt";

/// A passage that has to be rewritten.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    /// The refused word, or the beginning of the refused sentence.
    words: String,
}

type Counts = BTreeMap<String, usize>;

/// Compares each file with its allowance.
///
/// # Errors
/// The files that exceed theirs, after their faults were printed.
pub(crate) fn check() -> Result<()> {
    println!("\n$ cargo xtask prose");
    let faults = faults_of_all_files()?;
    let allowance = read_allowance()?;
    let mut exceeding = Vec::new();
    for (path, faults) in &faults {
        let allowed = allowance.get(path).copied().unwrap_or(0);
        if faults.len() > allowed {
            for Fault { line, words } in faults {
                println!("{path}:{line}: {words}");
            }
            exceeding.push(format!("  {path}: {} passages, {allowed} allowed", faults.len()));
        }
    }
    let fallen = allowance.iter().filter(|(path, allowed)| faults.get(*path).map_or(0, Vec::len) < **allowed).count();
    if fallen > 0 {
        println!("{fallen} files have fewer passages than they are allowed. Lower it: cargo xtask prose --lower");
    }
    if exceeding.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("passages to rewrite:\n{}", exceeding.join("\n"))).way_out(
        "Name the thing, then the verb, in ordinary words. After moving files, run `cargo xtask prose --lower`.",
    ))
}

/// Writes each file's count into the allowance. Files may have moved; the sum may not rise.
pub(crate) fn lower() -> Result<()> {
    let counts: Counts = faults_of_all_files()?.into_iter().map(|(path, faults)| (path, faults.len())).collect();
    let (before, after) = (read_allowance()?.values().sum::<usize>(), counts.values().sum::<usize>());
    if after > before {
        return Err(Error::new(format!("the files have {after} passages to rewrite, and {before} are allowed")));
    }
    let text: String = counts.iter().map(|(path, count)| format!("{count} {path}\n")).collect();
    let path = repository().join(ALLOWANCE);
    fs::write(&path, text).map_err(|error| Error::file("write", &path, &error))?;
    println!("Allowed: {after} passages to rewrite, {before} before.");
    Ok(())
}

fn read_allowance() -> Result<Counts> {
    let path = repository().join(ALLOWANCE);
    let text = fs::read_to_string(&path).map_err(|error| Error::file("read", &path, &error))?;
    let entry = |line: &str| {
        let (count, path) = line.split_once(' ')?;
        Some((path.to_owned(), count.parse().ok()?))
    };
    let faulty = |line| Error::new(format!("{ALLOWANCE} has a line that is not a number and a path: {line}"));
    text.lines().map(|line| entry(line).ok_or_else(|| faulty(line))).collect()
}

/// The faults of the files that have any, by path.
fn faults_of_all_files() -> Result<BTreeMap<String, Vec<Fault>>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(repository());
    let files = process::output(&mut git).ok_or_else(|| Error::new("git does not list the files"))?;
    let mut all = BTreeMap::new();
    for path in files.lines() {
        let Some(language) = Language::of(path) else { continue };
        // A file that was deleted is listed until that is committed.
        let Ok(text) = fs::read_to_string(repository().join(path)) else { continue };
        let faults = faults(&passages(language, &text));
        if !faults.is_empty() {
            all.insert(path.to_owned(), faults);
        }
    }
    Ok(all)
}

/// A kind of file, by which prose is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Rust { strings: bool },
    JavaScript { strings: bool },
    Css,
    Toml,
    Markdown,
    Html,
}

impl Language {
    fn of(path: &str) -> Option<Self> {
        if path.starts_with("tests/vectors/") {
            return None;
        }
        // No user reads the strings of tests.
        let strings = !path.split('/').any(|folder| folder == "tests");
        match Path::new(path).extension()?.to_str()? {
            "rs" => Some(Self::Rust { strings }),
            "js" => Some(Self::JavaScript { strings }),
            "css" => Some(Self::Css),
            "toml" => Some(Self::Toml),
            "md" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            _ => None,
        }
    }
}

/// A paragraph, a list's item, a table's cell, or a string.
#[derive(Debug, PartialEq, Eq)]
struct Passage {
    line: usize,
    text: String,
    /// True for a string: it may be a label, which is not a sentence unless a period ends it.
    may_be_label: bool,
}

fn passages(language: Language, text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    match language {
        Language::Markdown => paragraphs(text.lines().enumerate(), &mut passages),
        Language::Html => paragraphs(without_tags(text).lines().enumerate(), &mut passages),
        Language::Toml => {
            let comments = text.lines().enumerate().filter_map(|(line, text)| {
                let outside = |before: &str| before.matches('"').count().is_multiple_of(2);
                let at = text.match_indices('#').map(|(at, _)| at).find(|at| text.get(..*at).is_some_and(outside))?;
                Some((line, text.get(at + 1..)?))
            });
            paragraphs(comments, &mut passages);
        }
        Language::Rust { strings } | Language::JavaScript { strings } => {
            code(language, text, strings, &mut passages);
        }
        Language::Css => code(language, text, false, &mut passages),
    }
    passages
}

/// `html` with spaces in place of its tags and of the marks around its comments. Lines stay.
fn without_tags(html: &str) -> String {
    let (mut text, mut in_tag) = (String::new(), false);
    for character in html.replace("<!--", "\n").replace("-->", "").chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            '\n' => text.push('\n'),
            character if !in_tag => text.push(character),
            _ => {}
        }
    }
    text
}

/// Splits lines, each with its number from 0, into paragraphs, items and cells. Leaves out fenced code and headings.
fn paragraphs<'text>(lines: impl Iterator<Item = (usize, &'text str)>, passages: &mut Vec<Passage>) {
    let (mut open, mut next_line, mut fenced) = (false, 0, false);
    for (number, line) in lines {
        let text = line.trim_start_matches(['/', '!', '*']).trim();
        let text = text.trim_end_matches("*/").trim();
        if text.starts_with("```") {
            fenced = !fenced;
        }
        let heading = text.starts_with('#');
        if text.is_empty() || fenced || text.starts_with("```") || heading || number != next_line {
            open = false;
        }
        next_line = number + 1;
        if text.is_empty() || fenced || text.starts_with("```") || heading {
            continue;
        }
        let passage = |text: &str| Passage { line: number + 1, text: text.trim().to_owned(), may_be_label: false };
        if let Some(row) = text.strip_prefix('|') {
            passages.extend(row.split('|').map(passage));
            open = false;
            continue;
        }
        let item = ["- ", "* "].iter().find_map(|mark| text.strip_prefix(mark)).or_else(|| {
            let (number, item) = text.split_once(". ")?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then_some(item)
        });
        match (item, passages.last_mut().filter(|_| open)) {
            (Some(item), _) => passages.push(passage(item)),
            (None, Some(begun)) => {
                begun.text.push('\n');
                begun.text.push_str(text);
            }
            (None, None) => passages.push(passage(text)),
        }
        open = true;
    }
}

/// Finds the comments of a program, and its strings if `strings`.
fn code(language: Language, text: &str, strings: bool, passages: &mut Vec<Passage>) {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let mut comments: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    let line_of = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let previous = text.get(..at).and_then(|before| before.chars().next_back());
        let in_word = previous.is_some_and(|character| character.is_alphanumeric() || character == '_');
        if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
            let lines = rest.get(..length).unwrap_or_default().lines();
            comments.extend(lines.enumerate().map(|(number, line)| (line_of(at) + number, line)));
            at += length;
        } else if rest.starts_with("//") && language != Language::Css {
            let length = rest.find('\n').unwrap_or(rest.len());
            comments.push((line_of(at), rest.get(..length).unwrap_or_default()));
            at += length;
        } else if let Some((string, length)) = string_at(language, rest, in_word) {
            if strings && at < tests && string.contains(' ') {
                let text = string.replace("\\n", " ").replace("\\\"", "\"");
                let lines: Vec<_> = text.lines().map(|line| line.trim().trim_end_matches('\\').trim()).collect();
                passages.push(Passage { line: line_of(at) + 1, text: lines.join("\n"), may_be_label: true });
            }
            at += length;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    paragraphs(comments.into_iter(), passages);
}

/// The string literal at the beginning of `rest`: its content, and its length with the quotes.
fn string_at(language: Language, rest: &str, in_word: bool) -> Option<(&str, usize)> {
    let until = |start: usize, end: &str| {
        let content = rest.get(start..)?;
        let length = content.find(end)?;
        Some((content.get(..length)?, start + length + end.len()))
    };
    if matches!(language, Language::Rust { .. }) {
        if !in_word && let Some(raw) = rest.strip_prefix('r') {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            if raw.get(hashes..)?.starts_with('"') {
                return until(hashes + 2, &format!("\"{}", "#".repeat(hashes)));
            }
        }
        // A character, not a lifetime.
        if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            return until(if rest.starts_with("'\\''") { 3 } else { 2 }, "'");
        }
    }
    let quotes: &[char] = match language {
        Language::JavaScript { .. } => &['"', '\'', '`'],
        _ => &['"'],
    };
    let quote = rest.chars().next().filter(|first| quotes.contains(first))?;
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // Not a string, but a quote in a regular expression.
            '\n' if matches!(language, Language::JavaScript { .. }) && quote != '`' => return None,
            _ if character == quote => return Some((rest.get(1..at)?, at + 1)),
            _ => {}
        }
    }
    None
}

fn faults(passages: &[Passage]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for passage in passages {
        let text = without_code(&passage.text);
        let flat = text.replace('\n', " ");
        let mut found = Vec::new();
        let lower = flat.to_ascii_lowercase();
        for word in WORDS.lines().filter(|word| !word.is_empty()) {
            for (at, _) in lower.match_indices(word) {
                let letter = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
                let before = lower.get(..at).and_then(|before| before.chars().next_back());
                let after = lower.get(at + word.len()..).and_then(|after| after.chars().next());
                if !letter(before) && (!letter(after) || !word.ends_with(char::is_alphanumeric)) {
                    found.push((at, word.to_owned()));
                }
            }
        }
        for (at, sentence) in sentences(&flat) {
            let first = sentence.split(|character: char| !character.is_alphabetic()).next().unwrap_or_default();
            let is_sentence = sentence.ends_with('.') || !passage.may_be_label;
            if HEADLESS.contains(&first) && is_sentence && !sentence.ends_with('?') {
                let beginning: Vec<_> = sentence.split(' ').take(6).collect();
                found.push((at, beginning.join(" ")));
            }
        }
        found.sort();
        faults.extend(found.into_iter().map(|(at, words)| {
            let line = passage.line + text.get(..at).unwrap_or_default().matches('\n').count();
            Fault { line, words }
        }));
    }
    faults.sort_by_key(|fault| fault.line);
    faults
}

/// `text` with a letter in place of each span of code.
fn without_code(text: &str) -> String {
    let mut plain = String::new();
    for (number, part) in text.split('`').enumerate() {
        match number % 2 {
            0 => plain.push_str(part),
            // Lines stay, so that a fault's line can be counted.
            _ => {
                plain.push('x');
                plain.extend(part.chars().filter(|character| *character == '\n'));
            }
        }
    }
    plain
}

/// The sentences of a passage, each with its place. A colon ends one too, because a clause after it has to have a subject as well.
fn sentences(text: &str) -> Vec<(usize, &str)> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let ends = text.char_indices().filter(|(at, character)| {
        let after = text.get(at + character.len_utf8()..).unwrap_or_default();
        matches!(character, '.' | '?' | '!' | ':') && (after.is_empty() || after.starts_with([' ', '"', ')', '*']))
    });
    for end in ends.map(|(at, character)| at + character.len_utf8()).chain([text.len()]) {
        let sentence = text.get(start..end).unwrap_or_default();
        let trimmed = sentence.trim_start_matches([' ', '*', '"', '(', ')', '“', '_']);
        if !trimmed.is_empty() {
            sentences.push((end - trimmed.len(), trimmed));
        }
        start = end;
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(language: Language, text: &str) -> Vec<(usize, String)> {
        faults(&passages(language, text)).into_iter().map(|Fault { line, words }| (line, words)).collect()
    }

    #[test]
    fn refused_words_are_found_wherever_the_lines_break() {
        let text = "Anyone may ask.\nIt is read by\nnobody, for\ngood. Anewly alone here, `nobody`.";
        assert_eq!(found(Language::Markdown, text), [(3, "nobody".into()), (3, "for good".into())]);
        assert_eq!(found(Language::Markdown, "It reads that alone."), [(1, "alone.".into())]);
    }

    #[test]
    fn a_clause_without_a_subject_is_refused_and_a_question_is_not() {
        for text in
            ["What is lost is lost.", "Two things: How it begins.", "- Whether it works", "| a | Why it is so |"]
        {
            assert_eq!(found(Language::Markdown, text).len(), 1, "{text}");
        }
        for text in ["What is lost?", "## How it works", "It says what is lost.", "Whatever is lost.", "```\nWho.\n```"]
        {
            assert_eq!(found(Language::Markdown, text), [], "{text}");
        }
    }

    #[test]
    fn comments_and_strings_of_rust_are_read_and_code_is_not() {
        let rust = Language::Rust { strings: true };
        let text = "let nobody = '\"'; // for nobody\nlet label = \"How to begin\";\n/// Whether\n/// it works.\nfn f<'a>() {}\n";
        assert_eq!(found(rust, text), [(1, "nobody".into()), (3, "Whether it works.".into())]);
        let text = "f(\"What is lost is lost.\"); g(r#\"a \"nobody\" b\"#); h(\"nobody\");\n#[cfg(test)]\nmod tests { f(\"for nobody\") }";
        assert_eq!(found(rust, text).len(), 2);
        assert_eq!(found(Language::Rust { strings: false }, text), []);
    }

    #[test]
    fn the_other_languages_comments_and_texts_are_read() {
        let script = Language::JavaScript { strings: true };
        assert_eq!(found(script, "const a = 'https://nobody'; /* nobody\n * anew */ 'to nobody'").len(), 3);
        assert_eq!(found(Language::Css, "/* nobody */ a { content: \"//\"; } /* anew */").len(), 2);
        assert_eq!(found(Language::Toml, "a = \"# nobody\" # anew"), [(1, "anew".into())]);
        assert_eq!(found(Language::Html, "<p title=\"nobody\">Anew</p>\n<!-- nobody -->").len(), 2);
    }
}
