//! A child process in user, network and mount namespaces of its own, and tunnel devices. The one module of the lab with `unsafe`.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::ioctl::{Setter, ioctl};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Signal, getegid, geteuid, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Makes the command start apart: with no network device but a loopback of its own, and mounts that nobody else sees.
pub(super) fn apart(command: &mut Command) {
    let root = geteuid().is_root();
    let users = format!("0 {} 1", geteuid().as_raw());
    let groups = format!("0 {} 1", getegid().as_raw());
    let enter = move || {
        match unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWNS) {
            Ok(()) => {
                std::fs::write("/proc/self/setgroups", "deny")?;
                std::fs::write("/proc/self/uid_map", &users)?;
                std::fs::write("/proc/self/gid_map", &groups)?;
            }
            // Root needs no user namespace, should those be switched off.
            Err(_) if root => unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS)?,
            Err(error) => return Err(error),
        }
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        // Whoever waits for this child may be killed; then nobody needs it. New credentials would have cleared this.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only, on memory that is ready.
    unsafe { command.pre_exec(enter) };
}

/// Makes the command run as an ordinary user of the same namespaces, and end with the thread that starts it.
pub(super) fn humble(command: &mut Command) {
    // Inside there is one user and one group; the servers want to be another than root.
    let (users, groups) = (format!("1000 {} 1", geteuid().as_raw()), format!("1000 {} 1", getegid().as_raw()));
    let enter = move || {
        unshare(UnshareFlags::NEWUSER)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", &users)?;
        std::fs::write("/proc/self/gid_map", &groups)?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only, on memory that is ready.
    unsafe { command.pre_exec(enter) };
}

/// Gives this thread, and no other, a network namespace of its own.
pub(super) fn leave_network() -> io::Result<()> {
    unshare(UnshareFlags::NEWNET)
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: file descriptors stay shared; nothing that other threads rely on is taken from them.
    unsafe { unshare_unsafe(flags) }.map_err(io::Error::from)
}

/// What TUNSETIFF takes: a name, IFF_TUN | IFF_NO_PI, and room up to the size of the kernel's `ifreq` (linux/if_tun.h, linux/if.h).
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    room: [u8; 22],
}

const TUNNELS: &str = "/dev/net/tun";
/// _IOW('T', 202, int)
const TUNSETIFF: u32 = 0x4004_54ca;

/// Whether this user may make tunnel devices where it may make namespaces.
pub(super) fn has_tunnels() -> bool {
    OpenOptions::new().read(true).write(true).open(TUNNELS).is_ok()
}

/// Makes a tunnel device in this thread's network namespace. Whoever reads the file gets what the kernel sends through it.
pub(super) fn tunnel(name: &str) -> io::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open(TUNNELS);
    let device = device.map_err(|error| io::Error::new(error.kind(), format!("{TUNNELS}: {error}")))?;
    let mut request = Request { name: [0; 16], flags: 0x0001 | 0x1000, room: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the request is what this operation takes, and the kernel only reads it.
    unsafe { ioctl(&device, Setter::<{ TUNSETIFF as _ }, Request>::new(request)) }?;
    Ok(device)
}
