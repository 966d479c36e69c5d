//! Values of flags that several subcommands read.

use std::time::Duration;

use jiff::SignedDuration;

/// `15s`, `1m30s`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a length of time; write for example 15s or 1m30s");
    let length: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(length).map_err(|_| wrong())
}

/// Seconds, or a length of time: `90`, `90s`, `1m30s`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).or_else(|_| duration(text))
}

/// A DNS label: a typing error in a name should not become a watch that never sees anything.
pub fn name(text: &str) -> Result<String, String> {
    let letters = text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    if letters && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 63 lower-case letters, digits and dashes, with no dash at its ends".to_owned())
    }
}
