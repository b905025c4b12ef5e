//! The lab's `--connect-to` rules read backwards: which addresses lead to which of its servers.

use std::net::IpAddr;

/// The addresses that an honest nameserver gives for a name; the lab's rules have others after them.
const ADDRESSES: usize = 8;

/// A server of the lab.
pub struct Peer {
    pub target: String,
    pub addresses: Vec<IpAddr>,
}

/// Rules as (address, port, target), in their order.
pub struct Rules(Vec<(String, String, String)>);

impl Rules {
    pub fn of(args: &[String]) -> Rules {
        let rules = args.windows(2).filter(|pair| pair[0] == "--connect-to");
        // Targets of the lab have the form of IPv4, so that the last two colons are theirs.
        Rules(
            rules
                .filter_map(|pair| {
                    let (rest, target_port) = pair[1].rsplit_once(':')?;
                    let (rest, target) = rest.rsplit_once(':')?;
                    let (address, port) = rest.rsplit_once(':')?;
                    Some((address.to_owned(), port.to_owned(), format!("{target}:{target_port}")))
                })
                .collect(),
        )
    }

    /// The servers behind the addresses with this port, in the order in which the lab has them: login before Graph.
    pub fn peers(&self, port: &str) -> Vec<Peer> {
        let nowhere: Vec<&String> = self
            .0
            .iter()
            .filter(|(address, ..)| ["", "127.0.0.1", "0.0.0.0"].contains(&address.as_str()))
            .map(|(_, _, target)| target)
            .collect();
        let mut peers: Vec<Peer> = Vec::new();
        for (address, rule_port, target) in &self.0 {
            let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() else { continue };
            if rule_port != port || nowhere.contains(&target) {
                continue;
            }
            match peers.iter_mut().find(|peer| peer.target == *target) {
                Some(peer) if peer.addresses.len() < ADDRESSES => peer.addresses.push(address),
                Some(_) => {}
                None => peers.push(Peer { target: target.clone(), addresses: vec![address] }),
            }
        }
        peers
    }
}
