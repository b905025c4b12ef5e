//! Files that a user names.

use std::path::Path;

use crate::target::Invalid;

/// Options that read standard input when they are given `-`.
const STREAMS: [&str; 2] = ["--token-file", "--reported"];

/// Opens a regular file without waiting for a FIFO's writer.
pub(super) fn open(path: &Path, option: &str) -> Result<std::fs::File, Invalid> {
    let metadata = std::fs::metadata(path).map_err(|error| Invalid(format!("{option} {}: {error}", path.display())))?;
    if !metadata.is_file() {
        let way = if STREAMS.contains(&option) { "; for a pipe, name `-`" } else { "; copy it into one" };
        return Err(Invalid(format!("{option} {} is not a regular file{way}", path.display())));
    }
    std::fs::File::open(path).map_err(|error| Invalid(format!("{option} {}: {error}", path.display())))
}
