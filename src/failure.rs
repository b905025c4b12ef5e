//! The closed list of ways in which the world says no. What does not fit is kept verbatim as `other`.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened to one operation. Together with the operation it carries the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Ok,
    /// No answer within the operation's patience.
    Timeout,
    /// The deadline of the run came first, or the run was interrupted.
    CutShort,
    /// RST, or ICMP port unreachable.
    Refused,
    /// Reset after the connection was up.
    Reset,
    /// The peer closed before it had answered.
    Closed,
    HostUnreachable,
    NetworkUnreachable,
    /// The local kernel refused to send (EPERM, EACCES, EINVAL of a local route).
    Denied,
    /// A name that could not be resolved.
    Unresolved,
    /// The peer spoke another protocol.
    Garbage,
    /// A TLS alert.
    Alert,
    UnknownIssuer,
    WrongName,
    Expired,
    NotYetValid,
    BadCertificate,
    /// The peer answered, and the answer is no: an rcode, a status, an error response.
    Rejected,
    /// More bytes than a polite peer would send.
    TooLarge,
    /// We chose not to go on (a token that must not be sent, a route that does not exist).
    Withheld,
    /// This machine has no file descriptors, ports or memory left for us: it says nothing of the peer.
    Exhausted,
    /// A defect of this program: the probe panicked.
    Panicked,
    Other,
}

impl Outcome {
    pub fn is_ok(self) -> bool {
        self == Outcome::Ok
    }

    pub fn of_io(error: &io::Error) -> Outcome {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS) => return Outcome::Exhausted,
            Some(libc::EPERM | libc::EACCES | libc::EINVAL) => return Outcome::Denied,
            Some(libc::ENOPROTOOPT) => return Outcome::HostUnreachable,
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::TimedOut => Outcome::Timeout,
            io::ErrorKind::ConnectionRefused => Outcome::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Outcome::Reset
            }
            io::ErrorKind::UnexpectedEof => Outcome::Closed,
            io::ErrorKind::HostUnreachable => Outcome::HostUnreachable,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Outcome::NetworkUnreachable,
            io::ErrorKind::PermissionDenied => Outcome::Denied,
            _ => Outcome::Other,
        }
    }
}
