//! A small language for what a peer does: a script is a list of acts, and every connection plays it from its beginning.

use std::time::Duration;

/// One act of a peer.
#[derive(Clone)]
pub enum Act {
    /// Waits for bytes that begin so.
    Expect(&'static [u8]),
    Send(Vec<u8>),
    /// Waits for bytes; those that begin so get this polite answer, and the rest of the script is for all others.
    Unless(&'static [u8], Vec<u8>),
    /// Sends what these bytes of the client deserve.
    Answer(fn(&[u8]) -> Vec<u8>),
    /// Sends everything back that the client said, with something before and behind it.
    Echo(Vec<u8>, Vec<u8>),
    /// The same bytes again and again, until the client goes or so often.
    Repeat(Vec<u8>, usize),
    /// One byte at a time, with a pause before each.
    Drip(Vec<u8>, Duration),
    Sleep(Duration),
    /// The server's side of TLS.
    Tls(Shown),
    /// Says goodbye and reads what still comes.
    Close,
    /// Resets the connection.
    Reset,
    /// Reads nothing more, and keeps the connection.
    Deaf,
}

/// The certificates that a peer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Those that the client trusts, for the name that it asked for.
    Good,
    /// A hundred copies of an authority that nobody knows, all of one name.
    Hundred,
    /// A certificate for very many names.
    Names(u16),
    /// Terminal escapes in its names.
    Escapes,
    /// The good ones, and a flood of session tickets behind the handshake.
    Tickets,
}

pub const ENDLESS: usize = usize::MAX;

pub fn send(bytes: impl Into<Vec<u8>>) -> Act {
    Act::Send(bytes.into())
}

pub fn repeat(bytes: impl Into<Vec<u8>>, times: usize) -> Act {
    Act::Repeat(bytes.into(), times)
}

pub fn drip(bytes: impl Into<Vec<u8>>, pause_ms: u64) -> Act {
    Act::Drip(bytes.into(), Duration::from_millis(pause_ms))
}

/// Everything that a terminal would obey: title, clear, bell, C1 as byte and as character, overrides, carriage return, backspace, DEL.
pub const ESCAPES: &str =
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\x08\x7f \u{9b}2J \u{202e}desrever\u{2066}\u{200f} \u{feff}end";

/// The same with bytes that are no UTF-8.
pub fn hostile_text() -> Vec<u8> {
    [ESCAPES.as_bytes(), b" \x9b31m \xff\xfe\xc3( \0 end"].concat()
}

/// The same for a field that a NUL would end.
pub fn without_nul(bytes: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut bytes = bytes.into();
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'?');
    bytes
}
