//! A mutator that changes the tree of a DER structure and encodes it again, so that the lengths around a change fit. Most changes that libFuzzer
//! makes to bytes end at the first length that does not.

use keyside_pki::element::{BIT_STRING, Elements, OCTET_STRING, element};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::input;

/// The deepest nesting that is taken apart. Deeper elements stay bytes.
const MAXIMUM_DEPTH: usize = 24;
/// The most bytes by which one change makes an element longer.
const MAXIMUM_GROWTH: usize = 64;
const CONSTRUCTED: u8 = 0x20;

/// Tags that structures of X.509 have.
const TAGS: [u8; 22] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1E, 0x30, 0x31, 0x80, 0x81, 0x82,
    0xA0, 0xA1, 0xA3,
];
/// Elements that structures of X.509 have.
const ELEMENTS: [&[u8]; 8] = [
    &[0x05, 0],
    &[0x01, 1, 0],
    &[0x01, 1, 0xFF],
    &[0x02, 1, 0],
    &[0x02, 1, 3],
    &[0x30, 0],
    &[0x04, 0],
    &[0x06, 4, 0x55, 0x1D, 0x20, 0],
];

#[derive(Clone)]
struct Node {
    tag: u8,
    contents: Contents,
}

#[derive(Clone)]
enum Contents {
    Bytes(Vec<u8>),
    /// Elements, behind the count of unused bits where they are in a BIT STRING.
    Nodes(Vec<u8>, Vec<Node>),
}

/// Reads elements to the last byte.
fn read(bytes: &[u8], depth: usize) -> Option<Vec<Node>> {
    if depth > MAXIMUM_DEPTH {
        return None;
    }
    let nodes = Elements::of(bytes).map(|element| {
        let element = element.ok()?;
        let nodes = |prefix: &[u8]| {
            let inner = element.contents.strip_prefix(prefix).filter(|inner| !inner.is_empty())?;
            Some(Contents::Nodes(prefix.to_vec(), read(inner, depth + 1)?))
        };
        let contents = match element.tag {
            OCTET_STRING => nodes(&[]),
            BIT_STRING => nodes(&[0]),
            tag if tag & CONSTRUCTED != 0 => nodes(&[]),
            _ => None,
        };
        Some(Node {
            tag: element.tag,
            contents: contents.unwrap_or_else(|| Contents::Bytes(element.contents.to_vec())),
        })
    });
    nodes.collect()
}

fn encode(nodes: &[Node]) -> Vec<u8> {
    let encode_one = |node: &Node| match &node.contents {
        Contents::Bytes(bytes) => element(node.tag, &[bytes]),
        Contents::Nodes(prefix, nodes) => element(node.tag, &[prefix, &encode(nodes)]),
    };
    nodes.iter().flat_map(encode_one).collect()
}

fn count(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .map(|node| match &node.contents {
            Contents::Bytes(_) => 1,
            Contents::Nodes(_, nodes) => 1 + count(nodes),
        })
        .sum()
}

/// Hands the node at `place`, in the order of encoding, and those beside it to `change`.
fn change_at(nodes: &mut Vec<Node>, place: &mut usize, change: &mut dyn FnMut(&mut Vec<Node>, usize)) -> bool {
    for index in 0..nodes.len() {
        if *place == 0 {
            change(nodes, index);
            return true;
        }
        *place -= 1;
        if let Contents::Nodes(_, inner) = &mut nodes[index].contents
            && change_at(inner, place, change)
        {
            return true;
        }
    }
    false
}

fn change(nodes: &mut Vec<Node>, index: usize, donor: Node, rng: &mut SmallRng) {
    match rng.random_range(0..12) {
        0 => nodes[index].tag = *TAGS.choose(rng).unwrap_or(&0),
        1 => drop(nodes.remove(index)),
        2 => nodes.insert(index, nodes[index].clone()),
        3 => {
            let other = (index + 1) % nodes.len();
            nodes.swap(index, other);
        }
        4 => nodes[index] = donor,
        5 => nodes.insert(index + 1, donor),
        6 => {
            let known = read(ELEMENTS.choose(rng).unwrap_or(&ELEMENTS[0]), 0).unwrap_or_default();
            nodes.splice(index..index, known);
        }
        _ => {
            let mut bytes = match &nodes[index].contents {
                Contents::Bytes(bytes) => bytes.clone(),
                Contents::Nodes(prefix, nodes) => [prefix.clone(), encode(nodes)].concat(),
            };
            let size = bytes.len();
            bytes.resize(size + rng.random_range(1..=MAXIMUM_GROWTH), 0);
            let most = bytes.len();
            let size = libfuzzer_sys::fuzzer_mutate(&mut bytes, size, most);
            bytes.truncate(size);
            nodes[index].contents = Contents::Bytes(bytes);
        }
    }
}

/// Changes one structure; none where it cannot be taken apart.
fn change_structure(der: &[u8], rng: &mut SmallRng) -> Option<Vec<u8>> {
    let mut nodes = read(der, 0).filter(|nodes| !nodes.is_empty())?;
    for _ in 0..rng.random_range(1..=3) {
        let all = count(&nodes);
        if all == 0 {
            break;
        }
        let mut donor = nodes[0].clone();
        change_at(&mut nodes, &mut rng.random_range(0..all), &mut |nodes, index| donor = nodes[index].clone());
        let mut donor = Some(donor);
        change_at(&mut nodes, &mut rng.random_range(0..all), &mut |nodes, index| {
            if let Some(donor) = donor.take() {
                change(nodes, index, donor, rng);
            }
        });
    }
    Some(encode(&nodes))
}

/// Changes an input in place, as `LLVMFuzzerCustomMutator` does. Returns its new size.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut rng = SmallRng::seed_from_u64(seed.into());
    if rng.random_ratio(3, 4) {
        let mut parts: Vec<Vec<u8>> = input::parts(&data[..size]).into_iter().map(<[u8]>::to_vec).collect();
        let place = rng.random_range(0..parts.len());
        if let Some(changed) = change_structure(&parts[place], &mut rng) {
            parts[place] = changed;
            let changed = input::join(&parts);
            if !changed.is_empty() && changed.len() <= max_size {
                data[..changed.len()].copy_from_slice(&changed);
                return changed.len();
            }
        }
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}
