//! Text within bounds.

/// The beginning of `text` of at most `bytes` bytes, never half a character.
pub fn cut(text: &str, bytes: usize) -> &str {
    // `str::floor_char_boundary` needs Rust 1.91; this crate promises 1.89.
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("abc", 5), "abc");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("é", 1), "");
        assert_eq!(cut("", 0), "");
    }
}
