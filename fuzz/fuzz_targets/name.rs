//! Names: matching is symmetric, the standard string types change nothing that counts, and texts are bounded. An input of two names.
#![no_main]

use keyside_core::domain::distinguished_name::{SubjectTemplate, check_common_name, common_name_of};
use keyside_fuzz::input;
use keyside_pki::name::{Name, is_match, to_standard_types};

fn check(name: &Name, size: usize) {
    assert!(is_match(name, name));
    assert!(name.to_string().len() <= 16 * size + 64);
    assert_eq!(Name::from_der(&name.to_der()).map(|read| is_match(name, &read)), Ok(true));
    let standard = to_standard_types(name);
    assert!(is_match(name, &standard), "{name} is not {standard}");
    assert_eq!(to_standard_types(&standard), standard);
    let _ = common_name_of(name).map(|text| check_common_name(&text));
}

/// A template makes the name that it recognizes.
fn check_template(text: &str) {
    let Ok(template) = text.parse::<SubjectTemplate>() else { return };
    let name = template.subject("Ada Example");
    assert_eq!(template.common_name_of(&name).as_deref(), Some("Ada Example"));
    assert_eq!(template.differences("Ada Example", &name), Vec::new());
    check(&name, name.to_der().len());
}

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let parts = input::parts(bytes);
    let names: Vec<(Name, usize)> =
        parts.iter().filter_map(|der| Some((Name::from_der(der).ok()?, der.len()))).collect();
    for (name, size) in &names {
        check(name, *size);
    }
    if let [(one, _), (other, _), ..] = &names[..] {
        assert_eq!(is_match(one, other), is_match(other, one));
        assert!(one != other || is_match(one, other));
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        check_template(text);
    }
});
