//! This machine's ground truth, without a packet.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::Run;
use crate::evidence::{Detail, Machine};
use crate::failure::Outcome;
use crate::net::{host, source_for};
use crate::verb::{GRAPH, LOGIN, MACHINE, SERVER};

/// Any public destination: the kernel is asked for a route, and nothing is sent.
const ANY_V4: Ipv4Addr = Ipv4Addr::new(20, 190, 128, 1);
const ANY_V6: Ipv6Addr = Ipv6Addr::new(0x2603, 0x1026, 0x3000, 0, 0, 0, 0, 1);

pub(super) async fn run(run: Arc<Run>) {
    let names: Vec<String> =
        [LOGIN, GRAPH, SERVER].iter().filter_map(|subject| run.host(subject)).map(|(host, _)| host).collect();
    let own = run.target.nameservers.is_some();
    let trust = run.trust().await;
    let inherited = run.target.inherited.clone();
    let machine = Machine {
        hosts_entries: if own { Vec::new() } else { host::hosts_entries(&names) },
        resolver_notes: if own { Vec::new() } else { run.target.resolver_notes.clone() },
        resolver_lines: if own { Vec::new() } else { host::resolver_lines() },
        name_services: if own { Vec::new() } else { host::name_services() },
        stub_upstreams: run.target.stub_upstreams.clone(),
        trusted_roots: trust.count(),
        trust_notes: trust.notes(),
        ipv4_source: source_for((ANY_V4, 443).into()),
        ipv6_source: source_for((ANY_V6, 443).into()),
        proxy_variables: inherited.proxy_variables,
        no_proxy: inherited.no_proxy,
        proxy_conflicts: inherited.proxy_conflicts,
        metadata_exempt: inherited.metadata_exempt,
        libpq: inherited.libpq,
        azure_asset_tag: host::azure_asset_tag(),
        clock: super::clock(),
    };
    run.recorder.note(MACHINE, Outcome::Ok, Detail::Machine(Box::new(machine)));
}
