//! Lines that fit, and text from the network made visible: what a peer says is data and never moves the cursor.

use crate::rules::moves_terminal;

/// Shows control characters, escape sequences and direction overrides as what they are.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => shown.push(' '),
            letter if moves_terminal(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// The page in ASCII typography, for terminals that say nothing of UTF-8; names keep their letters.
pub fn plain_typography(text: &str) -> String {
    text.replace('…', "...").replace('·', "-").replace(['“', '”'], "\"").replace('’', "'").replace('→', "->")
}

/// Breaks a line at blanks; what has none is left whole, so that a command or a name can be copied.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in visible(text).split_whitespace() {
        let grown = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && grown > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Cuts to a width, saying so.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = visible(text);
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_peer_reaches_the_terminal_raw() {
        let hostile = "FATAL \u{1b}]0;pwned\u{7}\u{1b}[2J\r\u{9b}1m\u{202e}txt";
        let shown = visible(hostile);
        assert!(shown.chars().all(|letter| !letter.is_control() && letter != '\u{202e}'), "{shown}");
        assert!(shown.contains("\\u{1b}"), "{shown}");
    }

    #[test]
    fn wraps_at_blanks() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("--a-very-long-option", 8), ["--a-very-long-option"]);
    }
}
