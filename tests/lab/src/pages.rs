//! What answers in a host's place: block pages of known appliances, portals, firewalls.

use fastrand::Rng;

use crate::http::Response;
use crate::names::pick;

fn html(status: u16, title: &str, body: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    );
    Response::new(status, "text/html; charset=utf-8", page)
}

/// The page of a filter that forbids the host.
pub fn block_page(rng: &mut Rng, host: &str) -> Response {
    match rng.u8(..6) {
        0 => html(
            403,
            "Web Filter Violation",
            &format!("<h2>FortiGuard Intrusion Prevention - Access Blocked</h2><p>Web Page Blocked! You have tried to access a web page which is in violation of your internet usage policy.</p><p>URL: https://{host}/</p>"),
        ),
        1 => html(403, "Internet Security by Zscaler", &format!("<p>Sorry, you don't have permission to visit this site. Website blocked: {host}</p><p>Your organization has selected Zscaler to protect you from internet threats.</p>"))
            .with("Server", "Zscaler/6.2"),
        2 => html(
            503,
            "Web Page Blocked",
            &format!("<p>Access to the web page you were trying to visit has been blocked in accordance with company policy. Please contact your system administrator.</p><p>URL: {host}/</p><p>Category: computer-and-internet-info</p><p>Palo Alto Networks</p>"),
        ),
        3 => html(403, "Access Denied", &format!("<p>Access Denied (policy_denied)</p><p>Your system policy has denied access to the requested URL: https://{host}/</p><p>Symantec ProxySG (Blue Coat)</p>"))
            .with("X-Bluecoat-Via", "a1b2c3d4e5f60718"),
        4 => html(403, "Blocked request", &format!("<p>Sophos: the website https://{host}/ is blocked. Reason: category not allowed by policy.</p>")),
        _ => html(403, "This site is blocked", &format!("<p>This site is blocked due to a security policy: {host}. Cisco Umbrella</p>")).with("Server", "Cisco Umbrella"),
    }
}

/// Azure Firewall's answer where no application rule matches.
pub fn azure_firewall(rng: &mut Rng, host: &str) -> Response {
    let port = rng.u16(32_768..60_999);
    Response::new(
        470,
        "text/plain; charset=utf-8",
        format!(
            "HTTPS request from 10.0.0.4:{port} to {host}:443. Action: Deny. Reason: No rule matched. Proceeding with default action.\n"
        ),
    )
}

/// An ordinary page where JSON belongs.
pub fn ordinary(rng: &mut Rng) -> Response {
    let server = *pick(rng, &["nginx/1.24.0", "Apache/2.4.58 (Ubuntu)", "Microsoft-IIS/10.0"]);
    html(200, "Welcome", "<p>It works.</p>").with("Server", server)
}

/// A portal that wants to be seen first.
pub fn portal(host: &str, company: &str) -> Response {
    html(302, "Moved", "<p>Please sign in to the network.</p>")
        .with("Location", &format!("https://portal.{company}.internal/login?original=https%3A%2F%2F{host}%2F"))
}

/// A bare status with a page as gateways write it.
pub fn status(status: u16, title: &str) -> Response {
    html(status, &format!("{status} {title}"), "<hr>")
}
