//! Random but plausible names, from a seed that is printed.

use std::net::Ipv4Addr;

use fastrand::Rng;

use crate::cloud::Cloud;
use crate::scenario::{Kind, Scenario, Topology};

/// Everything that is drawn anew for every run.
#[derive(Clone, Debug)]
pub struct Names {
    pub cloud: &'static Cloud,
    /// The server's resource name, and its whole host name.
    pub server_name: String,
    pub server: String,
    /// What a public server's name is an alias of: `<name>.rs-<15 characters>`.
    pub server_public_alias: String,
    pub server_private_alias: String,
    /// A name of the company's own for the server.
    pub alias: String,
    pub user: String,
    pub vm: String,
    pub resource_group: String,
    pub subscription: String,
    pub location: String,
    pub company: String,
    pub tenant: String,
    pub other_tenant: String,
    pub client_id: String,
    pub object_id: String,
    pub vm_address: Ipv4Addr,
    pub mac: String,
    pub proxy_user: String,
}

const WORKLOADS: [&str; 12] = [
    "orders", "billing", "ledger", "catalog", "payroll", "shipping", "claims", "fleet", "tickets", "metering",
    "loyalty", "archive",
];
const COMPANIES: [&str; 6] = ["contoso", "fabrikam", "northwind", "adatum", "tailspin", "litware"];
const REGIONS: [&str; 6] = ["westeurope", "northeurope", "eastus", "swedencentral", "uksouth", "germanywestcentral"];
const PEOPLE: [&str; 6] = ["Ines.Duarte", "tom.okafor", "Mei.Tanaka", "lars.holm", "Priya.Nair", "joe.walsh"];

pub fn draw(rng: &mut Rng, scenario: &Scenario) -> Names {
    let workload = *pick(rng, &WORKLOADS);
    let company = *pick(rng, &COMPANIES);
    let server_name = format!("psql-{workload}-{}", letters(rng, 4));
    let cloud = scenario.world.cloud.cloud();
    let server = format!("{server_name}.{}", cloud.suffix);
    let user = match scenario.token.kind {
        Kind::App => format!("id-{workload}-{}", letters(rng, 3)),
        Kind::User => format!("{}@{company}.com", pick(rng, &PEOPLE)),
    };
    Names {
        cloud,
        server_public_alias: format!("{server_name}.rs-{}.{}", letters(rng, 15), cloud.suffix),
        server_private_alias: match scenario.world.topology {
            Topology::PrivateEndpoint => format!("{server_name}.privatelink.{}", cloud.suffix),
            Topology::Vnet | Topology::Public => {
                format!("{}.{workload}.private.{}", letters(rng, 12), cloud.suffix)
            }
        },
        server_name,
        server,
        alias: format!("{workload}-db.{company}.com"),
        user,
        vm: format!("vm-{workload}-{:02}", rng.u8(1..40)),
        resource_group: format!("rg-{workload}-{}", pick(rng, &["prod", "test", "dev"])),
        subscription: guid(rng),
        location: (*pick(rng, &REGIONS)).to_owned(),
        company: company.to_owned(),
        tenant: guid(rng),
        other_tenant: guid(rng),
        client_id: guid(rng),
        object_id: guid(rng),
        vm_address: Ipv4Addr::new(10, rng.u8(1..200), 0, rng.u8(4..250)),
        mac: (0..6).map(|place| format!("{:02X}", if place == 0 { 0 } else { rng.u8(..) })).collect(),
        proxy_user: format!("svc-{workload}"),
    }
}

pub fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(..list.len())]
}

pub fn letters(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|place| if place == 0 { rng.lowercase() } else { rng.digit(36) }).collect()
}

pub fn guid(rng: &mut Rng) -> String {
    let bits = rng.u128(..);
    let hex = format!("{bits:032x}");
    let variant = pick(rng, &['8', '9', 'a', 'b']);
    format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// A public address of the service tag Sql, which covers Azure Database for PostgreSQL.
pub fn sql_address(rng: &mut Rng) -> Ipv4Addr {
    let [a, b, c, low, high] =
        *pick(rng, &[[20, 42, 69, 0, 127], [52, 168, 117, 192, 254], [20, 50, 94, 1, 127], [13, 69, 105, 1, 63]]);
    Ipv4Addr::new(a, b, c, rng.u8(low..=high))
}

/// Distinct values of a generator.
pub fn distinct<T: PartialEq>(count: usize, draw: impl FnMut() -> T) -> Vec<T> {
    let mut drawn = Vec::new();
    more(&mut drawn, count, draw);
    drawn
}

/// So many more values, none of which was drawn before.
pub fn more<T: PartialEq>(drawn: &mut Vec<T>, count: usize, mut draw: impl FnMut() -> T) {
    let wanted = drawn.len() + count;
    while drawn.len() < wanted {
        let next = draw();
        if !drawn.contains(&next) {
            drawn.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_names() {
        let names = |seed| format!("{:?}", draw(&mut Rng::with_seed(seed), &Scenario::healthy()));
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
    }

    #[test]
    fn guids_have_their_form() {
        let guid = guid(&mut Rng::with_seed(1));
        assert_eq!(guid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
