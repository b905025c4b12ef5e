//! This machine: getaddrinfo as applications call it, resolv.conf, the hosts file. The one module with `unsafe`.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::evidence::{Detail, HostsEntry, Recorder, SystemLookup};
use crate::failure::Outcome;

/// More than any machine's own file, less than what could hurt.
const FILE: u64 = 4 * 1024 * 1024;

/// getaddrinfo, with its EAI code. It cannot be cancelled, so it runs on a thread of its own and is left behind at the patience.
pub(crate) async fn getaddrinfo(recorder: &Recorder, subject: &str, name: &str, patience: Duration) -> Vec<IpAddr> {
    let detail = SystemLookup { name: name.to_owned(), addresses: Vec::new(), canonical_name: None, eai: None };
    let mut pending = recorder.begin(subject, format!("getaddrinfo of {name}"), Detail::SystemLookup(detail.clone()));
    let asked = name.to_owned();
    let answer = tokio::time::timeout(patience, tokio::task::spawn_blocking(move || lookup(&asked))).await;
    let (outcome, error, detail) = match answer {
        Ok(Ok(Ok((addresses, canonical_name)))) => {
            (Outcome::Ok, None, SystemLookup { addresses, canonical_name, ..detail })
        }
        Ok(Ok(Err((eai, text)))) => (Outcome::Unresolved, Some(text), SystemLookup { eai: Some(eai), ..detail }),
        Ok(Err(join)) => (Outcome::Panicked, Some(join.to_string()), detail),
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
    if let Some(length) = read_file("/etc/resolv.conf").as_deref().and_then(fatal_domain) {
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

/// The length of a `search` or `domain` entry that is longer than any name. glibc fails an assertion of its own on it
/// (`resolv_conf_matches`), which would end this program without a report.
fn fatal_domain(resolv_conf: &str) -> Option<usize> {
    let lists = resolv_conf.lines().map(str::split_ascii_whitespace).filter_map(|mut words| {
        let keyword = words.next()?;
        (keyword == "search" || keyword == "domain").then_some(words)
    });
    lists.flatten().map(str::len).find(|length| *length > 255)
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
    let file = std::fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(FILE).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// glibc reads three nameserver lines and asks 127.0.0.1 when there is none.
pub(crate) fn nameservers() -> (Vec<SocketAddr>, Vec<String>) {
    let mut notes = Vec::new();
    let Some(text) = read_file("/etc/resolv.conf") else {
        notes.push("/etc/resolv.conf cannot be read: applications ask 127.0.0.1".to_owned());
        return (Vec::new(), notes);
    };
    let Ok(config) = resolv_conf::Config::parse(&text) else {
        notes.push("/etc/resolv.conf cannot be parsed".to_owned());
        return (Vec::new(), notes);
    };
    let mut all: Vec<SocketAddr> = Vec::new();
    for nameserver in &config.nameservers {
        let address = SocketAddr::new(IpAddr::from(nameserver), 53);
        if !all.contains(&address) {
            all.push(address);
        }
    }
    if all.len() > 3 {
        notes.push(format!("/etc/resolv.conf names {} nameservers: glibc asks the first three only", all.len()));
        all.truncate(3);
    }
    if all.is_empty() {
        notes.push("/etc/resolv.conf names no nameserver: applications ask 127.0.0.1".to_owned());
    }
    (all, notes)
}

/// What the hosts file says of these names.
pub(crate) fn hosts_entries(names: &[String]) -> Vec<HostsEntry> {
    let Some(text) = read_file("/etc/hosts") else { return Vec::new() };
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for word in words.filter(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word))) {
            entries.push(HostsEntry { name: word.to_ascii_lowercase(), address });
        }
    }
    entries
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
