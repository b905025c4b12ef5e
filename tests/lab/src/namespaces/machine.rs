//! The machine's own files, laid over the real ones in this process's mount namespace.

use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind};
use tempfile::TempDir;

/// Azure's, by which a VM knows that it is one.
const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

/// What the files say.
pub(super) struct Machine {
    pub resolv_conf: String,
    pub hosts: String,
    pub nsswitch: String,
    pub in_azure: bool,
}

impl Machine {
    /// Puts them in place; they stay while the returned directory does.
    pub(super) fn furnish(&self) -> io::Result<TempDir> {
        let dir = tempfile::Builder::new().prefix("lab-machine-").tempdir()?;
        for (target, text) in [
            ("/etc/resolv.conf", &self.resolv_conf),
            ("/etc/hosts", &self.hosts),
            ("/etc/nsswitch.conf", &self.nsswitch),
        ] {
            let file = dir.path().join(target.trim_start_matches("/etc/"));
            std::fs::write(&file, text)?;
            mount_bind(&file, target).map_err(|error| named(error.into(), target))?;
        }
        // A cache of the host's would answer in the resolver's place.
        for cache in ["/run/nscd", "/var/run/nscd"] {
            if Path::new(cache).is_dir() {
                empty(cache)?;
                break;
            }
        }
        firmware(if self.in_azure { AZURE } else { "" })?;
        Ok(dir)
    }
}

/// The firmware's asset tag. Machines without such firmware lack the directory, and sysfs makes none: then the nearest one above is replaced.
fn firmware(tag: &str) -> io::Result<()> {
    let id = Path::new("/sys/class/dmi/id");
    let above = id.ancestors().find(|directory| directory.is_dir()).unwrap_or(id);
    empty(&above.to_string_lossy())?;
    std::fs::create_dir_all(id)?;
    std::fs::write(id.join("chassis_asset_tag"), format!("{tag}\n"))
}

/// Lays an empty directory over this one.
fn empty(directory: &str) -> io::Result<()> {
    let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("lab", directory, "tmpfs", flags, None::<&std::ffi::CStr>).map_err(|error| named(error.into(), directory))
}

fn named(error: io::Error, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("nothing can be mounted over {path}: {error}"))
}
