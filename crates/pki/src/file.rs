//! The structures in a file or a text that a person picks, drops or pastes, with whatever is around them.
//!
//! RFC 7468 says how PEM is written; here it is read as it arrives. Exchange Server and PowerShell write UTF-16, KeyStore Explorer and .NET lines
//! of 76 characters; mail programs quote and indent, Word makes dashes long, programs that pass PEM through JSON leave `\n` in it, GnuTLS and Azure
//! write PKCS#12 as base64, and Windows ends some files with zero bytes.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::error::Error;
use super::{ber, pem};
use crate::element::SEQUENCE;

/// The shortest run of base64 without lines around it that is looked into, in characters.
const SHORTEST_RUN: usize = 64;
/// The longest label, in characters: those in use have at most 26.
const LONGEST_LABEL: usize = 80;
/// The most structures that are looked for in one file.
const MAXIMUM_PARTS: usize = 1000;

/// A file or a text, taken apart.
pub struct File {
    /// All of it as text, if it is text; wiped when dropped.
    pub text: Option<Zeroizing<String>>,
    /// The structures in it, in order.
    pub parts: Vec<Part>,
}

/// A structure in a file.
pub struct Part {
    /// The label of PEM (RFC 7468, section 2). None around DER, and around base64 without such lines.
    pub label: Option<String>,
    /// The headers above the base64 (RFC 1421, section 4.6), which OpenSSL's old format of encrypted keys has.
    pub headers: String,
    /// Its bytes, up to the end of the first element of BER or DER; all of them where they do not begin with one. None if they are not
    /// base64. Wiped when dropped.
    pub der: Option<Zeroizing<Vec<u8>>>,
    /// The number of bytes after the element.
    pub trailing: usize,
}

impl Part {
    fn of(label: Option<String>, headers: String, bytes: Option<Zeroizing<Vec<u8>>>) -> Self {
        let Some(mut bytes) = bytes else {
            return Self { label, headers, der: None, trailing: 0 };
        };
        let trailing = if is_sequence(&bytes) { ber::rest_after_first(&bytes).map_or(0, <[u8]>::len) } else { 0 };
        let length = bytes.len() - trailing;
        bytes.truncate(length);
        Self { label, headers, der: Some(bytes), trailing }
    }
}

/// Takes a file or a text apart.
pub fn read(bytes: &[u8]) -> File {
    // A text can begin with the same byte, "0", but is not a whole element.
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(after) = after_structure(rest) {
        let is_last = parts.len() + 1 == MAXIMUM_PARTS || after_structure(after).is_none();
        let own = if is_last { rest } else { rest.get(..rest.len() - after.len()).unwrap_or_default() };
        parts.push(Part::of(None, String::new(), Some(Zeroizing::new(own.to_vec()))));
        if is_last {
            return File { text: None, parts };
        }
        rest = after;
    }
    let Some(text) = text_of(bytes) else {
        return File { text: None, parts: Vec::new() };
    };
    let is_found = |parts: &[Part]| !parts.is_empty() && parts.iter().all(|part| part.der.is_some());
    let mut parts = parts_of(&text);
    if !is_found(&parts) {
        let unescaped = UNESCAPING.iter().map(|unescape| unescape(&text)).map(|text| parts_of(&text));
        if let Some(found) = unescaped.into_iter().find(|parts| is_found(parts)) {
            parts = found;
        }
    }
    File { text: Some(text), parts }
}

/// The certificates in a file, in order; other structures are passed over.
///
/// # Errors
/// A block that says that it is a certificate cannot be read, or there is no certificate.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, Error> {
    let mut certificates = Vec::new();
    for part in read(bytes).parts {
        let says_so = part.label.as_deref().is_some_and(|label| label.ends_with("CERTIFICATE"));
        match part.der.map(|der| Certificate::from_der(&der)) {
            Some(Ok(certificate)) => certificates.push(certificate),
            Some(Err(error)) if says_so => return Err(error),
            None if says_so => return Err(Error::MalformedPem(pem::CERTIFICATE)),
            _ => {}
        }
    }
    if certificates.is_empty() { Err(Error::MalformedPem(pem::CERTIFICATE)) } else { Ok(certificates) }
}

/// The bytes after the structure that `bytes` begin with, if they do.
fn after_structure(bytes: &[u8]) -> Option<&[u8]> {
    if is_sequence(bytes) { ber::rest_after_first(bytes).ok() } else { None }
}

/// Every structure that is looked for is a SEQUENCE.
fn is_sequence(bytes: &[u8]) -> bool {
    bytes.first() == Some(&SEQUENCE)
}

/// Bytes as text: UTF-8, UTF-16 with or without a byte order mark, or else Latin-1, unless they have bytes that no text has.
pub fn text_of(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks();
        Some(Zeroizing::new(char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()?))
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => return utf_16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return utf_16(rest, u16::from_be_bytes),
        _ => {}
    }
    // In UTF-16 of Latin letters every second byte is zero.
    let (pairs, _) = bytes.get(..bytes.len().min(256)).unwrap_or_default().as_chunks::<2>();
    let zeros = |place: usize| pairs.iter().filter(|pair| pair.get(place) == Some(&0)).count();
    if !pairs.is_empty() && zeros(1) * 3 > pairs.len() * 2 && zeros(0) == 0 {
        return utf_16(bytes, u16::from_le_bytes);
    }
    if !pairs.is_empty() && zeros(0) * 3 > pairs.len() * 2 && zeros(1) == 0 {
        return utf_16(bytes, u16::from_be_bytes);
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        return Some(Zeroizing::new(text.trim_start_matches('\u{FEFF}').to_owned()));
    }
    let is_text = bytes.iter().all(|byte| *byte >= b' ' || matches!(byte, 0x07..=0x0D | 0x1A | 0x1B));
    is_text.then(|| Zeroizing::new(bytes.iter().copied().map(char::from).collect()))
}

fn parts_of(text: &str) -> Vec<Part> {
    let text = with_line_ends(text);
    let blocks = pem_blocks(&text);
    if !blocks.is_empty() {
        return blocks;
    }
    let lines = base64_runs(&text);
    let runs = if lines.is_empty() { base64_tokens(&text) } else { lines };
    let mut parts = Vec::new();
    for run in runs {
        // Base64 of PEM, as Kubernetes keeps it in a Secret.
        match core::str::from_utf8(&run).ok().filter(|inner| inner.contains("-----BEGIN ")) {
            Some(inner) => parts.extend(pem_blocks(inner)),
            None => parts.push(Part::of(None, String::new(), Some(run))),
        }
    }
    parts.truncate(MAXIMUM_PARTS);
    parts
}

/// Each takes the escapes of one kind out of a text, and is tried where nothing can be read otherwise.
const UNESCAPING: [fn(&str) -> Zeroizing<String>; 3] = [from_quoted_printable, from_percent_encoding, from_markup];

/// Quoted-printable, as in mails (RFC 2045, section 6.7).
pub fn from_quoted_printable(text: &str) -> Zeroizing<String> {
    let joined = replaced(text, &[("=\r\n", ""), ("=\n", "")]);
    unescaped(&joined, "=", 2)
}

/// Percent-encoding, as in URLs and forms (RFC 3986, section 2.1).
fn from_percent_encoding(text: &str) -> Zeroizing<String> {
    unescaped(text, "%", 2)
}

/// The escapes of web pages, XML, JSON and RTF for line ends and characters.
fn from_markup(text: &str) -> Zeroizing<String> {
    let text = unescaped(text, "\\u00", 2);
    let text = unescaped(&text, "&#x", 2);
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let text = replaced(
        &text,
        &[
            ("\\par", "\n"),
            ("&nbsp;", " "),
            ("&#10;", "\n"),
            ("&#13;", ""),
            ("&#43;", "+"),
            ("&#61;", "="),
            ("&#47;", "/"),
        ],
    );
    let mut is_in_tag = false;
    for c in text.chars() {
        match c {
            '<' => is_in_tag = true,
            '>' if is_in_tag => {
                is_in_tag = false;
                plain.push('\n');
            }
            _ if is_in_tag => {}
            c => plain.push(c),
        }
    }
    plain
}

/// `text` with one text in the place of another, for each pair; wiped when dropped, with what came before it.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> Zeroizing<String> {
    pairs.iter().fold(Zeroizing::new(text.to_owned()), |text, (from, to)| Zeroizing::new(text.replace(from, to)))
}

/// `text` with ASCII characters in the place of `mark` and their numbers, which have so many hexadecimal digits and perhaps a semicolon behind them.
fn unescaped(text: &str, mark: &str, digits: usize) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut pieces = text.split(mark);
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let number = piece.get(..digits).and_then(|number| u8::from_str_radix(number, 16).ok()).filter(u8::is_ascii);
        match (number, piece.get(digits..)) {
            (Some(number), Some(rest)) => {
                plain.push(char::from(number));
                plain.push_str(rest.strip_prefix(';').filter(|_| mark.starts_with('&')).unwrap_or(rest));
            }
            _ => {
                plain.push_str(mark);
                plain.push_str(piece);
            }
        }
    }
    plain
}

/// The text with line ends in place of the two characters `\n` that stand for them in JSON and in program code.
fn with_line_ends(text: &str) -> Zeroizing<String> {
    let has_escapes = text.contains("-\\n") || text.contains("-\\r");
    replaced(text, if has_escapes { &[("\\r", ""), ("\\n", "\n"), ("\\/", "/")] } else { &[] })
}

/// A line that begins or ends a block.
struct Boundary<'a> {
    is_begin: bool,
    label: &'a str,
    /// Where it is in the text.
    start: usize,
    end: usize,
}

/// Hyphens, and what Word makes of them.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}')
}

/// The boundary whose word is at `place`, if at least two dashes stand before it and behind its label.
fn boundary(text: &str, place: usize, is_begin: bool) -> Option<Boundary<'_>> {
    let (before, from_word) = text.split_at_checked(place)?;
    let dashes_before = before.trim_end_matches(' ');
    let start = dashes_before.trim_end_matches(is_dash).len();
    let after_word = from_word.split_once(' ').map(|(_, rest)| rest)?;
    let label_length = after_word.char_indices().take(LONGEST_LABEL).find(|(_, c)| is_dash(*c) || c.is_control())?.0;
    let (label, dashes) = after_word.split_at_checked(label_length)?;
    let dashes_length = dashes.find(|c: char| !is_dash(c)).unwrap_or(dashes.len());
    let is_enclosed = |run: &str| run.chars().count() >= 2;
    let end = place + (from_word.len() - after_word.len()) + label_length + dashes_length;
    let is_boundary = is_enclosed(dashes_before.get(start..)?) && is_enclosed(dashes.get(..dashes_length)?);
    is_boundary.then_some(Boundary { is_begin, label: label.trim(), start, end })
}

/// Every block of PEM in a text, in order; what stands between the blocks is passed over. The label decides nothing: it is
/// kept, and the one at the end may be another.
fn pem_blocks(text: &str) -> Vec<Part> {
    let words = text.match_indices("BEGIN ").map(|(place, _)| (place, true));
    let mut words: Vec<(usize, bool)> =
        words.chain(text.match_indices("END ").map(|(place, _)| (place, false))).collect();
    words.sort_unstable();
    let mut boundaries = words.into_iter().filter_map(|(place, is_begin)| boundary(text, place, is_begin)).peekable();
    let mut parts = Vec::new();
    while let Some(begin) = boundaries.next() {
        if !begin.is_begin || parts.len() >= MAXIMUM_PARTS {
            continue;
        }
        // Without a line at the end, up to the next block or the end of the text.
        let end = boundaries.peek().map_or(text.len(), |next| next.start);
        let body = text.get(begin.end..end).unwrap_or_default();
        let (headers, der) = read_body(body);
        parts.push(Part::of(Some(begin.label.to_owned()), headers, der));
    }
    parts
}

/// Headers and bytes of a block.
fn read_body(body: &str) -> (String, Option<Zeroizing<Vec<u8>>>) {
    let mut headers = String::new();
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    for line in body.lines().map(bare) {
        if line.contains(':') && base64.is_empty() {
            headers.push_str(line);
            headers.push('\n');
        } else {
            base64.extend(line.chars().filter(|c| !is_space(*c)));
        }
    }
    (headers, decode(&base64))
}

/// A line without what mail programs and program code put around it: quotation marks of either kind, indents, commas.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| is_space(c) || matches!(c, '>' | '|' | '"' | '\'' | '`' | ',' | ';' | '\\' | '“' | '”'))
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\0' | '\u{200B}'..='\u{200F}' | '\u{FEFF}' | '\u{1A}')
}

/// Base64 without lines around it: each run of lines that have nothing else, the first perhaps behind a name and a colon. Where the first line is a
/// word, the run is what follows it.
fn base64_runs(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut found = Vec::new();
    let mut run = Zeroizing::new(String::with_capacity(text.len()));
    let mut first_line = 0;
    let mut finish = |run: &mut Zeroizing<String>, first_line: usize| {
        let whole = structure_or_pem(run).or_else(|| structure_or_pem(run.get(first_line..)?));
        found.extend(whole.filter(|_| found.len() < MAXIMUM_PARTS));
        run.clear();
    };
    for line in text.lines() {
        let (is_named, value) = line.split_once(": ").map_or((false, line), |(_, value)| (true, value));
        let line = bare(value);
        let is_base64 = !line.is_empty() && line.bytes().all(is_base64);
        if !is_base64 || is_named || run.ends_with('=') {
            finish(&mut run, first_line);
        }
        if is_base64 {
            if run.is_empty() {
                first_line = line.len();
            }
            run.push_str(line);
        }
    }
    finish(&mut run, first_line);
    found
}

/// Base64 in a line with other things, as in JSON, XML and URLs: each run of its characters, with the white space among them.
fn base64_tokens(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let tokens = text.split(|c: char| !(is_space(c) || c.is_ascii() && is_base64(c as u8)));
    let long = tokens.filter(|token| token.len() >= SHORTEST_RUN);
    let without_spaces =
        |token: &str| -> Zeroizing<String> { Zeroizing::new(token.chars().filter(|c| !is_space(*c)).collect()) };
    long.filter_map(|token| structure_or_pem(&without_spaces(token))).take(MAXIMUM_PARTS).collect()
}

/// The letters of base64 and of base64url (RFC 4648, sections 4 and 5).
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// The bytes of a base64 text, if it is long enough, and they are a structure or PEM.
fn structure_or_pem(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_known = |bytes: &Zeroizing<Vec<u8>>| {
        after_structure(bytes).is_some() || bytes.windows(6).any(|window| window == b"BEGIN ")
    };
    Some(base64).filter(|base64| base64.len() >= SHORTEST_RUN).and_then(decode).filter(is_known)
}

/// Decodes base64 or base64url, with its padding or without.
fn decode(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    let base64 = base64.trim_end_matches('=');
    let decoded = if base64.contains(['-', '_']) {
        Base64UrlUnpadded::decode_vec(base64)
    } else {
        Base64Unpadded::decode_vec(base64)
    };
    decoded.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;
    use crate::element::{OCTET_STRING, element};

    /// A structure of 100 octets and a bit.
    fn der() -> Vec<u8> {
        element(SEQUENCE, &[&element(OCTET_STRING, &[&[7; 100]])])
    }

    fn text() -> String {
        pem::encode(pem::CERTIFICATE, &der()).unwrap()
    }

    /// Label and bytes of each part.
    fn found(bytes: &[u8]) -> Vec<(Option<String>, Option<Vec<u8>>)> {
        read(bytes).parts.iter().map(|part| (part.label.clone(), part.der.as_ref().map(|der| der.to_vec()))).collect()
    }

    #[test]
    fn one_structure_is_found_however_it_is_written() {
        let lines: Vec<String> = text().lines().map(str::to_owned).collect();
        let prefixed = |prefix: &str| lines.iter().map(|line| format!("{prefix}{line}\n")).collect::<String>();
        let body = lines[1..lines.len() - 1].concat();
        let utf_16 = |unit: fn(u16) -> [u8; 2]| text().encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let expected = (Some(pem::CERTIFICATE.to_owned()), Some(der()));
        for input in [
            text().into_bytes(),
            text().replace('\n', "\r\n").into_bytes(),
            text().replace('\n', " ").into_bytes(),
            text().replace('\n', "\\n").into_bytes(),
            format!("{{\"certificate\": \"{}\"}}", text().replace('\n', "\\r\\n").replace('/', "\\/")).into_bytes(),
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----").into_bytes(),
            format!("----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE----").into_bytes(),
            text().replace("-----", "—–—").into_bytes(),
            text().replace("-----", "---- ").replace(" BEGIN", "BEGIN").into_bytes(),
            text().replace("-----END CERTIFICATE-----", "-----END X509 CERTIFICATE-----").into_bytes(),
            text().replace("-----END CERTIFICATE-----", "").into_bytes(),
            text().replace('=', "").into_bytes(),
            prefixed("    ").into_bytes(),
            prefixed("> > ").into_bytes(),
            prefixed("\t| ").into_bytes(),
            lines.iter().map(|line| format!("  \"{line}\",\n")).collect::<String>().into_bytes(),
            format!("Hello,\n\n{}\nRegards", text()).into_bytes(),
            [&b"Gr\xFC\xDFe\n"[..], text().as_bytes()].concat(),
            format!("\u{FEFF}{}", text()).into_bytes(),
            [&[0xFF, 0xFE][..], &utf_16(u16::to_le_bytes)].concat(),
            [&[0xFE, 0xFF][..], &utf_16(u16::to_be_bytes)].concat(),
            utf_16(u16::to_le_bytes),
            utf_16(u16::to_be_bytes),
        ] {
            assert_eq!(found(&input), std::slice::from_ref(&expected), "{:?}", String::from_utf8_lossy(&input));
        }
    }

    #[test]
    fn a_structure_without_lines_around_it_is_found() {
        let body: String =
            text().lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect();
        let one_line = body.replace('\n', "");
        for input in [
            der(),
            body.clone().into_bytes(),
            one_line.clone().into_bytes(),
            format!("Certificate Request follows:\n\n{body}\n---End - This line not part of the request---\n")
                .into_bytes(),
            format!("data:\n  keystore.p12: {one_line}\n").into_bytes(),
            format!("{{\n  \"value\": \"{one_line}\",\n  \"id\": \"1\"\n}}").into_bytes(),
        ] {
            assert_eq!(found(&input), [(None, Some(der()))], "{:?}", String::from_utf8_lossy(&input));
        }
        let twice = Base64Unpadded::encode_string(text().as_bytes());
        let secret = format!("data:\n  tls.crt: {twice}\n");
        assert_eq!(found(secret.as_bytes()), [(Some(pem::CERTIFICATE.to_owned()), Some(der()))]);
    }

    #[test]
    fn escapes_are_read_where_nothing_can_be_read_without() {
        let expected = (Some(pem::CERTIFICATE.to_owned()), Some(der()));
        // With a padding, and so with something to escape.
        assert!(text().contains('='));
        for input in [
            text().replace('=', "=3D").replace("BwcHBwcH", "BwcH=\nBwcH"),
            text().replace('\n', "\\n").replace('=', "\\u003d").replace('+', "\\u002B"),
            text().replace('\n', "<br>\n").replace('=', "&#61;"),
            format!("<p>{}</p>", text().replace('\n', "<br/>").replace('=', "&#x3d;")),
            text().replace('\n', "\\par\n"),
            text().replace('=', "%3D").replace(' ', "%20").replace('\n', "%0A"),
        ] {
            assert_eq!(found(input.as_bytes()), std::slice::from_ref(&expected), "{input}");
        }
    }

    #[test]
    fn base64_is_found_among_other_things() {
        let base64 = Base64Unpadded::encode_string(&der());
        let (begin, end) = base64.split_at(70);
        let two = format!("{begin}{end}");
        for input in [
            format!("{{\"a\":\"{base64}\",\"b\":1}}"),
            format!("{{\"x5c\":[\"{base64}==\"]}}"),
            format!("<X509Certificate>{begin}\n  {end}</X509Certificate>"),
            format!("data:application/x-pkcs12;base64,{base64}"),
            format!("Certificate\n{base64}\n"),
            format!("{base64}\0\0"),
            base64.replace('+', "-").replace('/', "_"),
        ] {
            assert_eq!(found(input.as_bytes()), [(None, Some(der()))], "{input}");
        }
        let named = format!("ca: {two}\nleaf: {two}\nkey: {two}\n");
        assert_eq!(found(named.as_bytes()).len(), 3);
        let of_pem = Base64Unpadded::encode_string(text().as_bytes());
        let secret = format!("data:\n  tls.crt: {of_pem}\n  tls.key: {of_pem}\n");
        assert_eq!(found(secret.as_bytes()).len(), 2);
        let both = [der(), der(), vec![0, 0]].concat();
        assert_eq!(found(&both).len(), 2);
        assert_eq!(read(&both).parts[1].trailing, 2);
    }

    #[test]
    fn what_follows_the_structure_is_counted() {
        for trailing in [&b"\n"[..], &[0; 8], b"\r\n\x1A"] {
            let file = read(&[&der(), trailing].concat());
            assert_eq!(*file.parts[0].der.as_ref().unwrap().as_slice(), der());
            assert_eq!(file.parts[0].trailing, trailing.len());
        }
    }

    #[test]
    fn blocks_of_every_label_are_found_in_order() {
        let text = format!(
            "Bag Attributes: none\n{}\r\n-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n\
             DEK-Info: AES-256-CBC,00\r\n\r\nAQ\r\nIDBA==\r\n-----END RSA PRIVATE KEY-----\n\
             -----BEGIN NOTHING-----\nA*==\n-----END NOTHING-----\n{}",
            text(),
            pem::encode(pem::CERTIFICATE_REQUEST, &[2]).unwrap()
        );
        let file = read(text.as_bytes());
        let found: Vec<_> = file
            .parts
            .iter()
            .map(|part| (part.label.as_deref().unwrap(), part.der.as_ref().map(|der| der.to_vec())))
            .collect();
        assert_eq!(
            found,
            [
                (pem::CERTIFICATE, Some(der())),
                ("RSA PRIVATE KEY", Some(vec![1, 2, 3, 4])),
                ("NOTHING", None),
                (pem::CERTIFICATE_REQUEST, Some(vec![2])),
            ]
        );
        assert_eq!(file.parts[1].headers, "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n");
    }

    #[test]
    fn certificates_are_found_among_other_structures() {
        let der = include_bytes!("../../../tests/vectors/certification_path/root.der").as_slice();
        let certificate = pem::encode(pem::CERTIFICATE, der).unwrap();
        let key = pem::encode(pem::ENCRYPTED_PRIVATE_KEY, &[7; 100]).unwrap();
        for input in [der, certificate.as_bytes(), format!("{key}{certificate}").as_bytes()] {
            let found = certificates(input).unwrap();
            assert_eq!(found.iter().map(Certificate::der).collect::<Vec<_>>(), [der]);
        }
        assert_eq!(certificates(certificate.repeat(2).as_bytes()).unwrap().len(), 2);
        for bad in ["", "nonsense", &key, &format!("{certificate}{}", text()), &certificate.replace("MII", "M*I")] {
            assert!(certificates(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_without_a_structure_have_none() {
        for text in
            ["", "0", "Hello", "-----BEGIN ", "BEGIN CERTIFICATE", "the END of it", "- BEGIN A -\nAQ==\n- END A -"]
        {
            assert_eq!(found(text.as_bytes()), [], "{text}");
        }
        assert_eq!(found(&[0, 1, 2, 0xFF]), []);
        assert!(read(&[0, 1, 2, 0xFF]).text.is_none());
    }

    #[test]
    fn many_beginnings_are_not_searched_to_the_end_for_each() {
        let text = "-----BEGIN A-----\n".repeat(50_000);
        assert_eq!(read(text.as_bytes()).parts.len(), MAXIMUM_PARTS);
        assert!(read("END ".repeat(200_000).as_bytes()).parts.is_empty());
        assert!(read("-".repeat(1_000_000).as_bytes()).parts.is_empty());
        assert!(read(format!("{}BEGIN ", "-".repeat(500)).repeat(1000).as_bytes()).parts.len() <= MAXIMUM_PARTS);
    }
}
