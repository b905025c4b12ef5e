//! Microsoft Graph: questions to the directory by OData filter, with a token that can go nowhere else.

use std::time::Duration;

use super::Failed;
use super::api::encoded;
use super::form::{self, Answer, Ask, Way};
use crate::secret::Secret;

/// A token for Microsoft Graph. It is another type than PostgreSQL's, so that neither can be sent to the other's host.
pub(crate) struct GraphToken(Secret);

impl GraphToken {
    pub(crate) fn new(secret: Secret) -> GraphToken {
        GraphToken(secret)
    }
}

/// Sends one GET inside verified TLS. Redirects are not followed.
///
/// # Errors
/// What befell the exchange; an answer of any status is none.
pub(crate) async fn get(url: &str, way: &Way<'_>, token: &GraphToken, patience: Duration) -> Result<Answer, Failed> {
    form::send(url, way, Ask::Bearer(&token.0), patience).await
}

/// A filter: any of these properties equals any of these texts. A quote in an OData literal is doubled (OData URL conventions, 5.1.1.14.1).
pub(crate) fn filter(properties: &[&str], texts: &[&str]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let clauses = properties.iter().flat_map(|property| texts.iter().map(move |text| (property, text)));
    clauses.map(|(property, text)| format!("{property} eq {}", quoted(text))).collect::<Vec<_>>().join(" or ")
}

/// The address of a question to a collection of the directory.
pub(crate) fn question(host: &str, collection: &str, filter: &str, select: &str) -> String {
    format!("https://{host}/v1.0/{collection}?$filter={}&$select={select}&$top=20", encoded(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_encoded() {
        for (name, expected) in [
            ("id-orders", "displayName%20eq%20%27id-orders%27"),
            ("O'Brien", "displayName%20eq%20%27O%27%27Brien%27"),
            ("' or 'a' eq 'a", "displayName%20eq%20%27%27%27%20or%20%27%27a%27%27%20eq%20%27%27a%27"),
            ("x_y.com#EXT#@z.onmicrosoft.com", "displayName%20eq%20%27x_y.com%23EXT%23%40z.onmicrosoft.com%27"),
            ("a&b=c%41+d?/\\", "displayName%20eq%20%27a%26b%3Dc%2541%2Bd%3F%2F%5C%27"),
            ("Größe 语", "displayName%20eq%20%27Gr%C3%B6%C3%9Fe%20%E8%AF%AD%27"),
        ] {
            let url = question("graph.microsoft.com", "groups", &filter(&["displayName"], &[name]), "id");
            let expected = format!("https://graph.microsoft.com/v1.0/groups?$filter={expected}&$select=id&$top=20");
            assert_eq!(url, expected, "{name}");
        }
        assert_eq!(
            filter(&["userPrincipalName", "mail"], &["a", "b"]),
            "userPrincipalName eq 'a' or userPrincipalName eq 'b' or mail eq 'a' or mail eq 'b'"
        );
    }
}
