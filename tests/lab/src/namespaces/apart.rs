//! A child process in user, network and mount namespaces of its own. The one module of the lab with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// Gives this thread, and no other, a network namespace of its own.
pub(super) fn leave_network() -> io::Result<()> {
    unshare(UnshareFlags::NEWNET)
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: file descriptors stay shared; nothing that other threads rely on is taken from them.
    unsafe { unshare_unsafe(flags) }.map_err(io::Error::from)
}
