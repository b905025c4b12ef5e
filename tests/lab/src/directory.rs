//! The directory of a tenant: users, groups and service principals, of which a story names one.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::names::{Names, guid, letters, pick};
use crate::scenario::{Kind, Scenario, Who, Written};

/// What Graph can be asked about.
#[derive(Clone, Debug)]
pub struct Directory {
    /// A collection's name, and one object of it.
    pub objects: Vec<(&'static str, Value)>,
    /// The name that a story is about, as the directory has it and as the program gets it.
    pub exact: String,
    pub written: String,
}

const PEOPLE: [&str; 4] = ["Zoë Ångström", "Anna O'Brien", "Jürgen Groß", "Li Wei"];

pub fn draw(rng: &mut Rng, scenario: &Scenario, names: &Names) -> Directory {
    let wanted = scenario.principal.clone().unwrap_or_default();
    let company = &names.company;
    let user = |rng: &mut Rng, upn: &str, name: &str, mail: &str, kind: &str| json!({ "id": guid(rng), "displayName": name, "userPrincipalName": upn, "mail": mail, "userType": kind });
    let service = |rng: &mut Rng, name: &str, kind: &str| json!({ "id": guid(rng), "appId": guid(rng), "displayName": name, "servicePrincipalType": kind });
    let group = |rng: &mut Rng, name: &str| json!({ "id": guid(rng), "displayName": name, "securityEnabled": true });
    let own_id = if wanted.anew { guid(rng) } else { names.object_id.clone() };
    let own = match scenario.token.kind {
        Kind::App => (
            "servicePrincipals",
            json!({ "id": own_id, "appId": names.client_id, "displayName": names.user, "servicePrincipalType": "ManagedIdentity" }),
        ),
        Kind::User => (
            "users",
            json!({ "id": own_id, "displayName": "Lars Holm", "userPrincipalName": names.user, "mail": names.user, "userType": "Member" }),
        ),
    };
    let mut objects = vec![own.clone()];
    for _ in 0..2 {
        let name = *pick(rng, &PEOPLE);
        let upn = format!("{}@{company}.com", letters(rng, 6));
        objects.push(("users", user(rng, &upn, name, &upn, "Member")));
        let name = format!("app-{}", letters(rng, 5));
        objects.push(("servicePrincipals", service(rng, &name, "Application")));
        let name = format!("All {}", letters(rng, 5));
        objects.push(("groups", group(rng, &name)));
    }
    let named = match wanted.who {
        Who::Own | Who::Nobody => Vec::new(),
        Who::User => {
            let first = *pick(rng, &["Ines.Duarte", "tom.O'Neil", "Mei-Tanaka"]);
            let upn = format!("{first}{}@{company}.com", rng.u8(2..90));
            let mail = format!("{}@mail.{company}.com", letters(rng, 7));
            let name = format!("Person {}", letters(rng, 5));
            vec![("users", user(rng, &upn, &name, &mail, "Member"))]
        }
        Who::Guest => {
            let local = format!("P{}", letters(rng, 6));
            let upn = format!("{local}_gmail.com#EXT#@{company}.onmicrosoft.com");
            let name = format!("Guest {}", letters(rng, 5));
            vec![("users", user(rng, &upn, &name, &format!("{local}@gmail.com"), "Guest"))]
        }
        Who::Group => {
            let name = format!("DB Admins & Größen {}", letters(rng, 4));
            vec![("groups", group(rng, &name))]
        }
        Who::ServicePrincipal => {
            let name = format!("Sp-{}", letters(rng, 6));
            vec![("servicePrincipals", service(rng, &name, "Application"))]
        }
        Who::ManagedIdentity => {
            let name = format!("Id-{}", letters(rng, 6));
            vec![("servicePrincipals", service(rng, &name, "ManagedIdentity"))]
        }
        Who::Twins => {
            let name = format!("Twin-{}", letters(rng, 5));
            vec![
                ("servicePrincipals", service(rng, &name, "Application")),
                ("servicePrincipals", service(rng, &name, "ManagedIdentity")),
            ]
        }
        Who::Long => {
            let name = format!("id-{}", letters(rng, 70));
            vec![("servicePrincipals", service(rng, &name, "ManagedIdentity"))]
        }
    };
    let one = named.first().cloned().unwrap_or(own);
    objects.extend(named);
    let text = |name: &str| one.1.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let exact = match wanted.who {
        Who::Nobody => format!("Nobody-{}", letters(rng, 5)),
        _ if one.0 == "users" => text("userPrincipalName"),
        _ => text("displayName"),
    };
    let written = match wanted.written {
        Written::Exactly => exact.clone(),
        Written::OtherCase => swapped(&exact),
        Written::Blanks => format!("{exact} "),
        Written::ClientId => text("appId"),
        Written::ObjectId => text("id"),
        Written::Mail => text("mail"),
        Written::DisplayName => text("displayName"),
    };
    Directory { objects, exact, written }
}

/// The other case of the first letter.
fn swapped(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().unwrap_or_default();
    let first = if first.is_lowercase() { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() };
    std::iter::once(first).chain(letters).collect()
}
