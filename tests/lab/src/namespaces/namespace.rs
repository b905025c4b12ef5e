//! A network namespace, and the proof that it is not the host's.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::apart;

/// Devices that the kernel puts into every new namespace when its tunnel modules are loaded. They are down and lead nowhere.
const FALLBACK: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// A network namespace. It lives as long as this handle or a thread or socket in it.
#[derive(Clone)]
pub(super) struct Namespace(Arc<File>);

impl Namespace {
    /// This thread's.
    pub(super) fn here() -> io::Result<Namespace> {
        Ok(Namespace(Arc::new(File::open("/proc/thread-self/ns/net")?)))
    }

    /// A new one with nothing in it but a loopback device that is down.
    pub(super) fn new() -> io::Result<Namespace> {
        on_a_thread(|| {
            apart::leave_network()?;
            Namespace::here()
        })
    }

    /// Moves this thread there.
    pub(super) fn enter(&self) -> io::Result<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    }

    /// Does something there: on a thread of its own, whose sockets and child processes belong to this namespace.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        on_a_thread(|| {
            self.enter()?;
            work()
        })
    }

    /// A path by which another process can name it.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Fails unless its devices are these, loopback, and what no namespace is without.
    pub(super) fn has_only(&self, ours: &[&str]) -> io::Result<()> {
        let table = self.within(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
        let devices = table.lines().filter_map(|line| line.split_once(':')).map(|(device, _)| device.trim());
        let known = |device: &str| device == "lo" || FALLBACK.contains(&device) || ours.contains(&device);
        match devices.into_iter().find(|device| !known(device)) {
            None => Ok(()),
            Some(device) => Err(io::Error::other(format!("the namespace has a device that is not ours: {device}"))),
        }
    }
}

/// The name of this process's network namespace, as the kernel gives it.
pub(super) fn name() -> io::Result<String> {
    Ok(std::fs::read_link("/proc/self/ns/net")?.to_string_lossy().into_owned())
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        scope.spawn(work).join().unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))
    })
}
