//! What lies on the way: a slow, lossy or narrow link, and an appliance that accepts in the peers' place. In namespaces only.

use std::time::Duration;

use serde::Deserialize;

use super::span::patience;

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    Login,
    Graph,
    Server,
}

/// The way between router and services. Azure's resolver and metadata service are at the VM's own host: it never befalls them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// One way: a round trip takes twice as long.
    pub delay: Option<String>,
    /// The share of packets that is lost, each way.
    pub loss: f64,
    /// Longer packets (by their IP length) do not pass; 0: all do.
    pub mtu: usize,
    /// Whether the router says so, with ICMP; otherwise it is a hole.
    pub tells: bool,
    /// Whose packets; without a list everybody's.
    pub of: Vec<Peer>,
    /// What decides which packets are lost; otherwise the world's seed does.
    pub seed: Option<u64>,
}

impl Link {
    /// One way.
    pub fn delay(&self) -> Duration {
        self.delay.as_deref().and_then(patience).unwrap_or_default()
    }

    /// Whether packets have to pass the lab's own forwarder.
    pub fn needs_forwarder(&self) -> bool {
        self.delay.is_some() || self.loss > 0.0 || (self.mtu > 0 && !self.tells)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(text) = self.delay.as_ref().filter(|text| patience(text).is_none()) {
            return Err(format!("link.delay = \"{text}\" is no span; write 100ms or 2s"));
        }
        if !(0.0..1.0).contains(&self.loss) {
            return Err(format!("link.loss = {} is out of range: 0 to less than 1", self.loss));
        }
        if self.mtu != 0 && !(576..=1500).contains(&self.mtu) {
            return Err(format!("link.mtu = {} is out of range: 576 to 1500", self.mtu));
        }
        Ok(())
    }
}

/// An appliance on the router.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hub {
    /// It accepts every TCP connection to these in their place, and then says nothing.
    pub accepts: Vec<Peer>,
}
