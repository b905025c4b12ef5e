//! Small changes of an input, as fuzzers make them.

use fastrand::Rng;

/// No input grows beyond this.
const LONGEST: usize = 128 * 1024;
/// Numbers that lengths and counts break at.
const ODD: [u32; 12] = [0, 1, 3, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

pub fn mutate(rng: &mut Rng, input: &[u8], others: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 << rng.u32(..4) {
        once(rng, &mut bytes, others, words);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn once(rng: &mut Rng, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&[u8]]) {
    let place = rng.usize(..=bytes.len());
    let span = |rng: &mut Rng, length: usize| {
        let start = rng.usize(..=length);
        let most = if rng.bool() { 8 } else { 256 };
        start..length.min(start + rng.usize(..=most))
    };
    match rng.u32(..11) {
        0 if place < bytes.len() => bytes[place] ^= 1 << rng.u32(..8),
        1 if place < bytes.len() => bytes[place] = rng.u8(..),
        2 => bytes.insert(place, rng.u8(..)),
        3 => drop(bytes.drain(span(rng, bytes.len()))),
        4 => {
            let copy = bytes[span(rng, bytes.len())].to_vec();
            insert(bytes, place, &copy);
        }
        5 => bytes.truncate(place),
        6 | 7 if !words.is_empty() => insert(bytes, place, words[rng.usize(..words.len())]),
        8 => {
            let number = ODD[rng.usize(..ODD.len())].to_be_bytes();
            let width = [1, 2, 4][rng.usize(..3)];
            for (byte, odd) in bytes[place..].iter_mut().zip(&number[4 - width..]) {
                *byte = *odd;
            }
        }
        9 => {
            let other = &others[rng.usize(..others.len())];
            let piece = other[span(rng, other.len())].to_vec();
            insert(bytes, place, &piece);
        }
        10 => {
            let other = &others[rng.usize(..others.len())];
            bytes.truncate(place);
            bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        _ => {
            let range = span(rng, bytes.len());
            let times = if rng.u32(..16) == 0 { rng.usize(..2000) } else { rng.usize(..16) };
            let copy = bytes[range].repeat(times);
            insert(bytes, place.min(bytes.len()), &copy);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, place: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= LONGEST {
        bytes.splice(place..place, piece.iter().copied());
    }
}
