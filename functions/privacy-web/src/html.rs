//! HTML made by hand: escaping, and filling a sentence with values.
//!
//! Owns the one way a text becomes markup. Everything that is not written in this crate passes
//! through [`Escaped`], the locale files and the configuration included.

use std::fmt;

/// A text as it may stand between tags or inside a quoted attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut characters = from.chars();
            f.write_str(match characters.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                _ => "&#39;",
            })?;
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

/// Puts values in the place of `{name}`, once: a value that looks like a place is left as it is.
pub(crate) fn fill(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, from)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = from.split_once('}') else {
            out.push('{');
            rest = from;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escaped_can_end_a_tag_or_an_attribute() {
        let text = Escaped(r#"<b onclick="x('y')">&</b> 繁體"#).to_string();
        assert_eq!(
            text,
            "&lt;b onclick=&quot;x(&#39;y&#39;)&quot;&gt;&amp;&lt;/b&gt; 繁體"
        );
    }

    #[test]
    fn values_are_filled_in_once() {
        let values = [("business", "{number} & Co"), ("number", "+1")];
        assert_eq!(
            fill("{business} at {number}{unknown} {", &values),
            "{number} & Co at +1 {"
        );
    }
}
