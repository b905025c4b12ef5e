//! The machine's own files, laid over the real ones in this process's mount namespace.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind};
use tempfile::TempDir;

use crate::scenario::Key;

/// Azure's, by which a VM knows that it is one.
const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

/// Where Azure Arc's agent is, and what is hidden where it is not.
const AGENT: &str = "/opt/azcmagent/bin";
pub(super) const HIDDEN: &str = "/opt";

/// Where Azure Arc's agent keeps its keys.
const TOKENS: &str = "/var/opt/azcmagent/tokens";

/// Where systemd-resolved says what it asks.
const RESOLVED: &str = "/run/systemd/resolve";

/// What the files say.
pub(super) struct Machine {
    pub resolv_conf: String,
    pub hosts: String,
    pub nsswitch: String,
    /// Of systemd-resolved, if it runs here: empty where it does not.
    pub upstreams: String,
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
        if !self.upstreams.is_empty() || Path::new(RESOLVED).is_dir() {
            let resolved = laid(RESOLVED)?;
            if !self.upstreams.is_empty() {
                std::fs::write(resolved.join("resolv.conf"), &self.upstreams)?;
            }
        }
        firmware(if self.in_azure { AZURE } else { "" })?;
        Ok(dir)
    }
}

/// The program of Azure Arc's agent, which nobody runs.
pub(super) fn agent() -> io::Result<()> {
    std::fs::write(laid(AGENT)?.join("himds"), "")
}

/// The key of Azure Arc's agent. Its directory is laid over the machine's, for this process and its children only.
pub(super) fn key(key: Key, text: &str, realm: &Path) -> io::Result<()> {
    let directory = realm.parent().filter(|directory| *directory == Path::new(TOKENS));
    let directory = directory.ok_or_else(|| io::Error::other(format!("{} is no key of the agent", realm.display())))?;
    laid(&directory.to_string_lossy())?;
    match key {
        Key::None => return Ok(()),
        Key::Link => {
            let elsewhere = directory.with_file_name("elsewhere.key");
            std::fs::write(&elsewhere, text)?;
            return std::os::unix::fs::symlink(elsewhere, realm);
        }
        Key::Ok | Key::Unreadable => std::fs::write(realm, text)?,
        Key::Other => std::fs::write(realm, text.chars().rev().collect::<String>())?,
        Key::Large => std::fs::write(realm, text.repeat(100))?,
    }
    let mode = if key == Key::Unreadable { 0o000 } else { 0o440 };
    std::fs::set_permissions(realm, PermissionsExt::from_mode(mode))
}

/// The firmware's asset tag.
fn firmware(tag: &str) -> io::Result<()> {
    std::fs::write(laid("/sys/class/dmi/id")?.join("chassis_asset_tag"), format!("{tag}\n"))
}

/// An empty directory in this one's place. Where the machine lacks it and none can be made, the nearest one above is replaced.
fn laid(directory: &str) -> io::Result<&Path> {
    let directory = Path::new(directory);
    let above = directory.ancestors().find(|directory| directory.is_dir()).unwrap_or(directory);
    empty(&above.to_string_lossy())?;
    std::fs::create_dir_all(directory)?;
    Ok(directory)
}

/// Lays an empty directory over this one.
fn empty(directory: &str) -> io::Result<()> {
    let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("lab", directory, "tmpfs", flags, None::<&std::ffi::CStr>).map_err(|error| named(error.into(), directory))
}

fn named(error: io::Error, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("nothing can be mounted over {path}: {error}"))
}
