//! The templates of notifications: text files whose first line is the subject.
//!
//! Those of this program are in `gateway/templates`; a folder of the site's own may have others in their place. All are checked before
//! anything starts: a placeholder that its kind does not have is a fault of the template, not of a mail some months later.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Kind, Values};

/// What every template may say of the site.
const SITE_PLACEHOLDERS: [&str; 3] = ["site_name", "contact", "page_url"];
/// What a template's first line begins with.
const SUBJECT: &str = "Subject: ";

/// Why the templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file cannot be read.
    #[error("the template {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is not there.
    #[error(
        "the templates' folder {0} is not there: make it, or take notifications.templates out of the configuration"
    )]
    NoFolder(PathBuf),
    /// A file has the wrong contents.
    #[error("the template {name}: {fault}")]
    Contents {
        /// The file, or the name of the kind.
        name: String,
        /// What is wrong with it, and what to do.
        fault: String,
    },
}

/// The template of one kind.
#[derive(Clone, Debug)]
struct Template {
    subject: String,
    body: String,
}

/// The templates of all kinds.
#[derive(Clone, Debug)]
pub struct Templates(BTreeMap<&'static str, Template>);

impl Templates {
    /// Reads and checks the templates: those in `folder`, where it has them, and this program's own.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
        if let Some(folder) = folder
            && !folder.is_dir()
        {
            return Err(TemplateError::NoFolder(folder.to_owned()));
        }
        let template = |kind: Kind| {
            let own = folder.map(|folder| folder.join(format!("{}.txt", kind.name())));
            let (name, text) = match own.filter(|path| path.exists()) {
                Some(path) => {
                    let text = fs::read_to_string(&path)
                        .map_err(|source| TemplateError::Read { path: path.clone(), source })?;
                    (path.display().to_string(), text)
                }
                None => (kind.name().to_owned(), built_in(kind).to_owned()),
            };
            let parsed = parse(kind, &text).map_err(|fault| TemplateError::Contents { name, fault })?;
            Ok((kind.name(), parsed))
        };
        Kind::ALL.into_iter().map(template).collect::<Result<_, _>>().map(Self)
    }

    /// Subject and text of a notification; a value that is missing is left empty.
    pub(super) fn render(&self, kind: Kind, values: &Values) -> (String, String) {
        let Some(template) = self.0.get(kind.name()) else { return Default::default() };
        (fill(&template.subject, values), fill(&template.body, values))
    }
}

/// The template that this program has for `kind`.
fn built_in(kind: Kind) -> &'static str {
    match kind {
        Kind::Authorised => include_str!("../../templates/authorised.txt"),
        Kind::Submitted => include_str!("../../templates/submitted.txt"),
        Kind::Issued => include_str!("../../templates/issued.txt"),
        Kind::Rejected => include_str!("../../templates/rejected.txt"),
        Kind::RenewalDue => include_str!("../../templates/renewal-due.txt"),
        Kind::Revoked => include_str!("../../templates/revoked.txt"),
        Kind::CompromiseReported => include_str!("../../templates/compromise-reported.txt"),
        Kind::WorkWaiting => include_str!("../../templates/work-waiting.txt"),
    }
}

/// Takes a template apart, and checks its placeholders.
fn parse(kind: Kind, text: &str) -> Result<Template, String> {
    let text = text.replace("\r\n", "\n");
    let (first, body) = text.split_once("\n\n").unwrap_or_default();
    let subject = first
        .strip_prefix(SUBJECT)
        .filter(|subject| !subject.trim().is_empty() && !subject.contains('\n'))
        .ok_or("it must begin with a line “Subject: …” and an empty line; the text follows")?;
    let known = || SITE_PLACEHOLDERS.iter().chain(kind.values());
    for name in placeholders(subject).chain(placeholders(body)) {
        if !known().any(|known| *known == name) {
            let known: Vec<_> = known().map(|name| format!("{{{name}}}")).collect();
            return Err(format!("there is no placeholder {{{name}}} here; there are {}", known.join(", ")));
        }
    }
    Ok(Template { subject: subject.trim().into(), body: body.into() })
}

/// The names between braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Puts values in the places of their names. A value is put in as it is, whatever braces it has; control characters in it become
/// spaces, so that nobody writes header lines or lines of our text.
fn fill(template: &str, values: &Values) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((name, rest)) => {
                let value = values.get(name).map(String::as_str).unwrap_or_default();
                text.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
                text.push_str(rest);
            }
            None => {
                text.push('{');
                text.push_str(piece);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn the_templates_of_this_program_are_right() {
        let templates = Templates::load(None).unwrap();
        for kind in Kind::ALL {
            let mut values = Values::new();
            for name in SITE_PLACEHOLDERS.iter().chain(kind.values()) {
                values.insert((*name).into(), format!("<{name}>"));
            }
            let (subject, body) = templates.render(kind, &values);
            assert!(subject.contains("<site_name>"), "{subject}");
            let name = if kind == Kind::WorkWaiting { "<pending>" } else { "<common_name>" };
            assert!(body.contains(name), "{body}");
            assert!(!body.contains('{'), "{body}");
            assert!(body.lines().all(|line| line.chars().count() < 140), "{body}");
        }
    }

    #[test]
    fn a_folder_of_the_sites_own_comes_first_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issued.txt");
        fs::write(&path, "Subject: Ready, {common_name}\r\n\r\nCome on {not_after}.\r\n").unwrap();
        let templates = Templates::load(Some(folder.path())).unwrap();
        let values = Values::from([("common_name".into(), "A\r\nBcc: {contact}".into())]);
        let (subject, body) = templates.render(Kind::Issued, &values);
        assert_eq!((subject.as_str(), body.as_str()), ("Ready, A  Bcc: {contact}", "Come on .\n"));

        for (text, fault) in [
            ("Hello", "Subject"),
            ("Subject: \n\nHello", "Subject"),
            ("Subject: a\nBcc: eve@example.com\n\nHello", "Subject"),
            ("Subject: a\n\nHello {reason}", "{reason}"),
            ("Subject: {comon_name}\n\nHello", "{comon_name}"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Templates::load(Some(folder.path())).unwrap_err().to_string();
            assert!(error.contains("issued.txt") && error.contains(fault), "{error}");
        }
        fs::write(&path, [0xff]).unwrap();
        assert!(Templates::load(Some(folder.path())).unwrap_err().to_string().contains("cannot be read"));
        let missing = folder.path().join("missing");
        assert!(Templates::load(Some(&missing)).unwrap_err().to_string().contains("is not there"));
    }
}
