//! This machine: getaddrinfo as applications call it, its files, its processes. The one module with `unsafe`.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::resolver_files;
use crate::evidence::{Detail, HostsEntry, IcmpError, Recorder, SystemLookup};
use crate::failure::Outcome;

/// More than any machine's own file, less than what could hurt.
const FILE: u64 = 4 * 1024 * 1024;

/// getaddrinfo, with its EAI code. It cannot be cancelled, so it runs on a thread of its own and is left behind at the patience.
/// `again` says that it is the second time.
pub(crate) async fn getaddrinfo(
    recorder: &Recorder,
    subject: &str,
    name: &str,
    again: bool,
    patience: Duration,
) -> Vec<IpAddr> {
    let detail = SystemLookup { name: name.to_owned(), addresses: Vec::new(), canonical_name: None, eai: None, again };
    let what = if again { "getaddrinfo once more of" } else { "getaddrinfo of" };
    let mut pending = recorder.begin(subject, format!("{what} {name}"), Detail::SystemLookup(detail.clone()));
    let asked = name.to_owned();
    let answer = tokio::time::timeout(patience, tokio::task::spawn_blocking(move || lookup(&asked))).await;
    let (outcome, error, detail) = match answer {
        Ok(Ok(Ok((addresses, canonical_name)))) => {
            (Outcome::Ok, None, SystemLookup { addresses, canonical_name, ..detail })
        }
        Ok(Ok(Err((eai, text)))) => (Outcome::Unresolved, Some(text), SystemLookup { eai: Some(eai), ..detail }),
        // What a panic says could quote what it had in hand.
        Ok(Err(_)) => (Outcome::Panicked, Some("the lookup broke off: a defect of this program".to_owned()), detail),
        Err(_) => (Outcome::Timeout, Some(format!("no answer within {:.1} s", patience.as_secs_f64())), detail),
    };
    let addresses = detail.addresses.clone();
    pending.detail = Detail::SystemLookup(detail);
    pending.end(outcome, error);
    addresses
}

type Looked = Result<(Vec<IpAddr>, Option<String>), (String, String)>;

fn lookup(name: &str) -> Looked {
    let Ok(node) = CString::new(name) else { return Err(("EAI_NONAME".to_owned(), "the name holds a NUL".to_owned())) };
    if let Some(length) = read_file("/etc/resolv.conf").as_deref().and_then(resolver_files::fatal_domain) {
        let text = format!(
            "not asked: /etc/resolv.conf has a search domain of {length} bytes, on which glibc aborts every program that resolves a name"
        );
        return Err(("EAI_FAIL".to_owned(), text));
    }
    // SAFETY: an all-zero addrinfo is the documented empty hint.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_CANONNAME;
    let mut list: *mut libc::addrinfo = std::ptr::null_mut();
    // SAFETY: node and hints live through the call; list is written only on success and freed below.
    let code = unsafe { libc::getaddrinfo(node.as_ptr(), std::ptr::null(), &hints, &mut list) };
    if code != 0 {
        // SAFETY: gai_strerror returns a static string.
        let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy().into_owned();
        return Err((eai(code), text));
    }
    let mut addresses = Vec::new();
    let mut canonical = None;
    let mut entry = list;
    while !entry.is_null() {
        // SAFETY: entry is a live element of the list that getaddrinfo returned.
        let info = unsafe { &*entry };
        if canonical.is_none() && !info.ai_canonname.is_null() {
            // SAFETY: a canonical name is a C string that lives as long as the list.
            canonical = Some(unsafe { CStr::from_ptr(info.ai_canonname) }.to_string_lossy().into_owned());
        }
        // SAFETY: ai_addr points to a socket address of the family that ai_family names.
        let address = unsafe {
            match info.ai_family {
                libc::AF_INET => {
                    let inet = &*info.ai_addr.cast::<libc::sockaddr_in>();
                    Some(IpAddr::from(Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr))))
                }
                libc::AF_INET6 => {
                    let inet = &*info.ai_addr.cast::<libc::sockaddr_in6>();
                    Some(IpAddr::from(Ipv6Addr::from(inet.sin6_addr.s6_addr)))
                }
                _ => None,
            }
        };
        if let Some(address) = address.filter(|address| !addresses.contains(address)) {
            addresses.push(address);
        }
        entry = info.ai_next;
    }
    // SAFETY: list came from getaddrinfo and is freed once.
    unsafe { libc::freeaddrinfo(list) };
    Ok((addresses, canonical))
}

fn eai(code: i32) -> String {
    let name = match code {
        libc::EAI_NONAME => "EAI_NONAME",
        libc::EAI_AGAIN => "EAI_AGAIN",
        libc::EAI_FAIL => "EAI_FAIL",
        libc::EAI_NODATA => "EAI_NODATA",
        libc::EAI_SYSTEM => "EAI_SYSTEM",
        libc::EAI_FAMILY => "EAI_FAMILY",
        libc::EAI_MEMORY => "EAI_MEMORY",
        other => return format!("EAI {other}"),
    };
    name.to_owned()
}

/// A local file, without hanging on a FIFO's writer and never more than a limit.
pub(crate) fn read_file(path: &str) -> Option<String> {
    // Opening a FIFO would wait for its writer.
    let file = std::fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(FILE).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The nameservers that applications ask, and what is odd about them.
pub(crate) fn nameservers() -> (Vec<SocketAddr>, Vec<String>) {
    let index = |name: &str| read_file(&format!("/sys/class/net/{name}/ifindex"))?.trim().parse().ok();
    let interface = |name: &str| if name.contains(['/', '\0']) { None } else { index(name) };
    resolver_files::resolv_conf(read_file("/etc/resolv.conf").as_deref(), interface)
}

/// What resolv.conf says beside its nameservers.
pub(crate) fn resolver_lines() -> Vec<String> {
    read_file("/etc/resolv.conf").map(|text| resolver_files::other_lines(&text)).unwrap_or_default()
}

/// Where getaddrinfo looks for hosts.
pub(crate) fn name_services() -> Vec<String> {
    read_file("/etc/nsswitch.conf").map(|text| resolver_files::name_services(&text)).unwrap_or_default()
}

/// The nameservers that systemd-resolved asks in its turn, where it runs.
pub(crate) fn upstreams() -> Vec<SocketAddr> {
    let text = read_file("/run/systemd/resolve/resolv.conf");
    text.map(|text| resolver_files::resolv_conf(Some(&text), |_| None).0).unwrap_or_default()
}

/// What the hosts file says of these names.
pub(crate) fn hosts_entries(names: &[String]) -> Vec<HostsEntry> {
    resolver_files::hosts(&read_file("/etc/hosts").unwrap_or_default(), names)
}

/// The last signal that asked this program to stop; 0 until one did.
static ASKED: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember(signal: libc::c_int) {
    ASKED.store(signal, Ordering::Relaxed);
}

/// From now on SIGINT and SIGTERM are remembered, and end nothing.
pub(crate) fn hold_signals() {
    handle_signals(remember as *const () as libc::sighandler_t);
}

/// SIGINT and SIGTERM end this program again.
pub(crate) fn release_signals() {
    handle_signals(libc::SIG_DFL);
}

/// The signal that was remembered.
pub(crate) fn held_signal() -> Option<u8> {
    u8::try_from(ASKED.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
}

fn handle_signals(handler: libc::sighandler_t) {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler is the default or stores one atomic number, which a signal may interrupt anything to do.
        unsafe { libc::signal(signal, handler) };
    }
}

/// No core file and no debugger of the same user may take a token from this process's memory.
pub(crate) fn guard_memory() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: setrlimit reads the structure it is given and keeps nothing.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    #[cfg(target_os = "linux")]
    // SAFETY: PR_SET_DUMPABLE takes one integer and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0)
    };
}

/// Ends a process group of ours and all its members.
pub(crate) fn end_group(id: u32) {
    let Ok(id) = libc::pid_t::try_from(id) else { return };
    // SAFETY: killpg takes two integers; a group that is gone is an error that nobody needs.
    unsafe { libc::killpg(id, libc::SIGKILL) };
}

/// The asset tag that Azure's hypervisor writes into the firmware tables.
pub(crate) fn azure_asset_tag() -> bool {
    read_file("/sys/class/dmi/id/chassis_asset_tag").is_some_and(|tag| tag.trim() == "7783-7084-3265-9085-8269-3286-77")
}

/// Whether the peer's TCP has acknowledged everything that was sent on this connection. Only Linux tells it (TCP_INFO, tcp(7)).
#[cfg(target_os = "linux")]
pub(crate) fn acknowledged(socket: std::os::fd::BorrowedFd<'_>) -> Option<bool> {
    use std::os::fd::AsRawFd;
    // SAFETY: an all-zero tcp_info is a valid value of this plain structure.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    let place = std::ptr::from_mut(&mut info).cast();
    // SAFETY: the kernel writes at most `length` bytes to `info`, which lives through the call; the descriptor is borrowed.
    let code = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &mut length) };
    (code == 0).then_some(info.tcpi_unacked == 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn acknowledged(_socket: std::os::fd::BorrowedFd<'_>) -> Option<bool> {
    None
}

/// Whether ICMP errors that end a connection attempt on this socket are kept with their sender (IP_RECVERR, ip(7); for TCP since Linux 5.8).
/// An established connection is not to end by one: it is switched off again there.
#[cfg(target_os = "linux")]
pub(crate) fn keep_icmp(socket: std::os::fd::BorrowedFd<'_>, v6: bool, keep: bool) {
    use std::os::fd::AsRawFd;
    let (level, option) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    let value = libc::c_int::from(keep);
    let place = std::ptr::from_ref(&value).cast();
    // SAFETY: the kernel reads one integer, which lives through the call; the descriptor is borrowed.
    unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, place, size_of_val(&value) as libc::socklen_t) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_icmp(_socket: std::os::fd::BorrowedFd<'_>, _v6: bool, _keep: bool) {}

/// The ICMP error that this socket kept, and who sent it.
#[cfg(target_os = "linux")]
pub(crate) fn icmp_error(socket: std::os::fd::BorrowedFd<'_>) -> Option<IcmpError> {
    use std::os::fd::AsRawFd;
    // Room for several messages, aligned as their headers ask.
    let mut room = [0_u64; 64];
    // SAFETY: an all-zero msghdr is a valid value of this plain structure: no address, no data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = room.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&room);
    // SAFETY: the kernel writes at most msg_controllen bytes to `room`, which outlives the message.
    if unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) } < 0 {
        return None;
    }
    // SAFETY: the message is the kernel's, and `room` is still there; CMSG_NXTHDR ends with null inside of it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    while let Some(control) = unsafe { header.as_ref() } {
        let kind = (control.cmsg_level, control.cmsg_type);
        if kind == (libc::IPPROTO_IP, libc::IP_RECVERR) || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) {
            // SAFETY: a message of this kind holds a sock_extended_err and the sender's address behind it, at any alignment.
            return unsafe { error_of(libc::CMSG_DATA(header).cast()) };
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&message, header) };
    }
    None
}

/// # Safety
/// `place` holds a sock_extended_err and the socket address of its offender.
#[cfg(target_os = "linux")]
unsafe fn error_of(place: *const libc::sock_extended_err) -> Option<IcmpError> {
    // SAFETY: the caller's promise; reads need no alignment.
    let error = unsafe { place.read_unaligned() };
    // SAFETY: as above.
    let offender = unsafe { place.add(1) };
    let from = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => {
            // SAFETY: an error of this origin has an IPv4 address behind it.
            let address = unsafe { offender.cast::<libc::sockaddr_in>().read_unaligned() };
            IpAddr::from(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)))
        }
        libc::SO_EE_ORIGIN_ICMP6 => {
            // SAFETY: likewise an IPv6 address.
            let address = unsafe { offender.cast::<libc::sockaddr_in6>().read_unaligned() };
            IpAddr::from(Ipv6Addr::from(address.sin6_addr.s6_addr))
        }
        _ => return None,
    };
    Some(IcmpError { from, to: None, kind: error.ee_type, code: error.ee_code })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn icmp_error(_socket: std::os::fd::BorrowedFd<'_>) -> Option<IcmpError> {
    None
}
