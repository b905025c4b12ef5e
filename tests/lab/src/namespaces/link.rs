//! The forwarder between router and services: packets leave one tunnel device and enter the other, later, or not at all.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// No device of the lab carries more.
const LONGEST: usize = 2048;
/// More packets than a world has under way; what comes beyond is lost, as on any link.
const UNDER_WAY: usize = 4096;

/// What becomes of a packet.
pub(super) struct Way {
    pub delay: Duration,
    pub loss: f64,
    /// 0: packets of any length pass.
    pub mtu: usize,
    /// Whose packets this is about; empty: everybody's but `never`.
    pub of: Vec<IpAddr>,
    pub never: Vec<IpAddr>,
    pub seed: u64,
}

/// Forwards until the process ends. A thread reads each device, a thread writes each: packets of one direction keep their order.
pub(super) fn forward(one: File, other: File, way: Way) -> std::io::Result<()> {
    let way = Arc::new(way);
    for (salt, from, to) in [(1, one.try_clone()?, other.try_clone()?), (2, other, one)] {
        let (sender, receiver) = sync_channel(UNDER_WAY);
        let (mine, rng) = (Arc::clone(&way), Rng::with_seed(way.seed ^ salt));
        thread::Builder::new().name("link".to_owned()).spawn(move || take(from, &mine, rng, &sender))?;
        thread::Builder::new().name("link".to_owned()).spawn(move || give(to, &receiver))?;
    }
    Ok(())
}

fn take(mut from: File, way: &Way, mut rng: Rng, sender: &SyncSender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; LONGEST];
    while let Ok(length) = from.read(&mut buffer) {
        let packet = &buffer[..length];
        let due = if way.befalls(packet) {
            if (way.mtu > 0 && length > way.mtu) || (way.loss > 0.0 && rng.f64() < way.loss) {
                continue;
            }
            Instant::now() + way.delay
        } else {
            Instant::now()
        };
        let _ = sender.try_send((due, packet.to_vec()));
    }
}

fn give(mut to: File, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, packet)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A device that is down takes nothing: then the packet is lost.
        let _ = to.write_all(&packet);
    }
}

impl Way {
    fn befalls(&self, packet: &[u8]) -> bool {
        let Some(ends) = ends(packet) else { return false };
        let among = |list: &[IpAddr]| ends.iter().any(|end| list.contains(end));
        !among(&self.never) && (self.of.is_empty() || among(&self.of))
    }
}

/// Source and destination of an IP packet.
fn ends(packet: &[u8]) -> Option<[IpAddr; 2]> {
    let v4 = |at: usize| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?)));
    let v6 = |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?)));
    match packet.first()? >> 4 {
        4 => Some([v4(12)?, v4(16)?]),
        6 => Some([v6(8)?, v6(24)?]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_known_by_their_ends() {
        let mut packet = [0; 40];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&[10, 0, 0, 4]);
        packet[16..20].copy_from_slice(&[20, 190, 128, 1]);
        let way = |of: &[&str], never: &[&str]| {
            let list = |list: &[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
            Way { delay: Duration::ZERO, loss: 0.0, mtu: 0, of: list(of), never: list(never), seed: 0 }
        };
        assert!(way(&[], &[]).befalls(&packet));
        assert!(way(&["20.190.128.1"], &["168.63.129.16"]).befalls(&packet));
        assert!(!way(&["20.190.128.2"], &[]).befalls(&packet));
        assert!(!way(&[], &["20.190.128.1"]).befalls(&packet));
        assert!(!way(&[], &[]).befalls(&[0; 40]));
    }
}
