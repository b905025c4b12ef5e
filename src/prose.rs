//! Templates in prose and commands: `{name}` stands for a value, and nothing else is interpreted.

pub mod quoting;

/// The names that a template quotes.
pub fn names(template: &str) -> Vec<&str> {
    pieces(template).filter_map(|piece| if let Piece::Value(name) = piece { Some(name) } else { None }).collect()
}

/// The text with its values; `None` when one of them was not said.
pub fn whole(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    pieces(template)
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.to_owned()),
            Piece::Value(name) => value(name),
        })
        .collect()
}

/// The text with its values; what was not said is named in words.
pub fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    pieces(template)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Value(name) => value(name).unwrap_or_else(|| format!("({})", name.replace('_', " "))),
        })
        .collect()
}

/// A command with its values; what is missing or unsafe stays a placeholder to fill in.
pub fn command(template: &str, safe: impl Fn(&str) -> Option<String>) -> String {
    pieces(template)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Value(name) => safe(name).unwrap_or_else(|| format!("<{name}>")),
        })
        .collect()
}

enum Piece<'a> {
    Text(&'a str),
    Value(&'a str),
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_name =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let found = rest.match_indices('{').find_map(|(start, _)| {
            let inside = &rest[start + 1..];
            let end = inside.find('}')?;
            // A JMESPath query such as --query '{nsg:id}' is text: a value's name has letters and underscores only.
            is_name(&inside[..end]).then_some((start, end))
        });
        let piece = match found {
            Some((0, end)) => {
                let name = &rest[1..=end];
                rest = &rest[end + 2..];
                Piece::Value(name)
            }
            Some((start, _)) => {
                let (text, tail) = rest.split_at(start);
                rest = tail;
                Piece::Text(text)
            }
            None => Piece::Text(std::mem::take(&mut rest)),
        };
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_values_and_leaves_other_braces() {
        let value = |name: &str| (name == "host").then(|| "login".to_owned());
        assert_eq!(whole("no answer from {host}", value).as_deref(), Some("no answer from login"));
        assert_eq!(whole("{host} at {addresses}", value), None);
        assert_eq!(filled("{host}{wanted_tenant}", value), "login(wanted tenant)");
        assert_eq!(command("az x --query '{nsg:id}' -n {vm} {host}", value), "az x --query '{nsg:id}' -n <vm> login");
        assert_eq!(names("{host} {x:y} { {vm}"), ["host", "vm"]);
    }
}
