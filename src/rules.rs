//! Rules of names that more than one room needs: host names, ports, GUIDs, tenants, and text that is shown back.

use std::net::IpAddr;

/// The rule for a DNS host name (RFC 1123), with underscores as private zones have them.
pub fn check_host(host: &str) -> Result<(), String> {
    let bare = host.trim_end_matches('.');
    if bare.is_empty() {
        return Err("is empty".to_owned());
    }
    if bare.len() > 253 {
        return Err(format!("has {} characters; a host name has at most 253", bare.len()));
    }
    if bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("ends in a number and is no IP address".to_owned());
    }
    for label in bare.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("has an empty label or one of over 63 characters".to_owned());
        }
        if label.starts_with('-')
            || label.ends_with('-')
            || !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        {
            return Err("is not a host name: labels have letters, digits and inner hyphens".to_owned());
        }
    }
    Ok(())
}

/// A GUID as Azure writes ids.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A tenant is a GUID or a domain.
pub fn is_tenant(text: &str) -> bool {
    is_guid(text) || (text.contains('.') && check_host(text).is_ok())
}

/// Controls, marks and overrides of direction, and invisible separators: they move the cursor or make a line read as another.
pub fn moves_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

pub fn clip(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(80)
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect::<Vec<_>>() } else { vec![letter] })
        .collect();
    if text.chars().count() > 80 {
        shown.push('…');
    }
    shown
}

/// The longest name that PostgreSQL keeps, in bytes (NAMEDATALEN - 1).
const ROLE: usize = 63;

/// A role's name as the server cuts it: at 63 bytes, between characters.
pub fn cut_role(name: &str) -> &str {
    let end = (0..=name.len().min(ROLE)).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

/// A port as people write it: digits, 1 to 65535.
pub fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// `ADDR[:PORT]` or `localhost[:PORT]` of this machine or its network, and nothing else: no user, no name.
pub fn is_local_authority(text: &str) -> bool {
    let (host, number) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(number) => (host, Some(number)),
            None => return false,
        },
        None => text.split_once(':').map_or((text, None), |(host, number)| (host, Some(number))),
    };
    let local = match host.parse() {
        Ok(IpAddr::V4(four)) => four.is_loopback() || four.is_link_local() || four.is_private(),
        Ok(IpAddr::V6(six)) => six.is_loopback() || six.is_unicast_link_local() || six.is_unique_local(),
        Err(_) => host == "localhost",
    };
    local && number.is_none_or(|number| port(number).is_some())
}
