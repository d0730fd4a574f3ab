//! Inputs of several structures.

/// The bytes between two structures. A mark survives insertions and deletions, as a length before each structure would not.
pub const SEPARATOR: &[u8] = b"\n----\n";

/// The structures of an input.
#[must_use]
pub fn parts(input: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    while let Some(place) = input[begin..].windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        parts.push(&input[begin..begin + place]);
        begin += place + SEPARATOR.len();
    }
    parts.push(&input[begin..]);
    parts
}

/// The input with these structures.
#[must_use]
pub fn join<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(SEPARATOR)
}
