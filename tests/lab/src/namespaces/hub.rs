//! An appliance on the router that accepts connections in their peers' place and then says nothing.

use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread;

use super::namespace::Namespace;
use super::tools;

/// More connections than a run makes.
const CONNECTIONS: usize = 256;

/// Takes every connection from the client to these addresses (IPv4) until the process ends.
pub(super) fn accept(router: &Namespace, addresses: &[IpAddr]) -> io::Result<()> {
    let list: Vec<String> = addresses.iter().filter(|address| address.is_ipv4()).map(IpAddr::to_string).collect();
    if list.is_empty() {
        return Ok(());
    }
    let listener = router.within(|| {
        let listener = TcpListener::bind(("0.0.0.0", 0))?;
        let port = listener.local_addr()?.port();
        tools::nft(&format!(
            "table ip hub {{\nchain prerouting {{\ntype nat hook prerouting priority -100;\n\
             iifname \"client\" ip daddr {{ {} }} ip protocol tcp redirect to :{port}\n}}\n}}\n",
            list.join(", ")
        ))?;
        Ok(listener)
    })?;
    thread::Builder::new().name("hub".to_owned()).spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming().flatten().take(CONNECTIONS) {
            kept.push(stream);
        }
    })?;
    Ok(())
}
