//! Files that a user names.

use std::path::Path;

use crate::target::Invalid;

/// Opens a regular file without waiting for a FIFO's writer.
pub(super) fn open(path: &Path, option: &str) -> Result<std::fs::File, Invalid> {
    let metadata = std::fs::metadata(path).map_err(|error| Invalid(format!("{option} {}: {error}", path.display())))?;
    if !metadata.is_file() {
        return Err(Invalid(format!("{option} {} is not a regular file; for a pipe, name `-`", path.display())));
    }
    std::fs::File::open(path).map_err(|error| Invalid(format!("{option} {}: {error}", path.display())))
}
