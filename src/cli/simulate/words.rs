//! The operator's messages, without what the table shows anyway and with times since the begin.

use jiff::Timestamp;

use super::timeline::clock;

/// Times of the cluster's clock become times since `zero`.
pub fn relative(text: &str, zero: Timestamp) -> String {
    let turned = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ';', '.', ')']);
        match bare.parse::<Timestamp>() {
            Ok(time) => format!("{}{}", clock(time.as_millisecond() - zero.as_millisecond()), word.strip_prefix(bare).unwrap_or_default()),
            Err(_) => word.to_owned(),
        }
    });
    turned.collect::<Vec<String>>().join(" ")
}

/// Pods of a revision are those of a version.
pub fn versioned(text: &str, revision: &str, version: &str) -> String {
    text.replace(&format!("pods of revision {revision}"), &format!("{version} pods"))
}

/// What is left of a message without the revisions, the step and the weight: what it waits for.
pub fn rest(message: &str) -> &str {
    let Some(from) = message.strip_prefix("rolling from revision ") else { return message };
    let Some((_, rest)) = from.split_once(": ") else { return "" };
    let phases = ["new pods start", "new pods are ready", "new pods grow to full number", "the Service switches"];
    let is_place = |text: &str| text.ends_with("% of the pods") || text.ends_with("% of the requests") || phases.contains(&text);
    match rest.split_once("; ") {
        Some((place, rest)) if is_place(place) => rest,
        None if is_place(rest) => "",
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_the_begin() {
        let zero: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(relative("it goes on at 2026-01-01T00:02:05Z, or sooner", zero), "it goes on at 1:05, or sooner");
        assert_eq!(relative("3 of 4", zero), "3 of 4");
    }

    #[test]
    fn revisions_are_old_or_new() {
        assert_eq!(versioned("0 of 1 pods of revision 2b are available", "2b", "new"), "0 of 1 new pods are available");
    }

    #[test]
    fn what_the_table_shows_is_left_out() {
        let lead = "rolling from revision 1a to 2b: ";
        for (message, expected) in [
            ("step 1 of 4, 20 % of the pods; 0 of 1 pods of revision 2b are available", "0 of 1 pods of revision 2b are available"),
            ("new pods start; 0 of 3 pods are available; pod x, y", "0 of 3 pods are available; pod x, y"),
            ("2 of 4 pods available; pod x", "2 of 4 pods available; pod x"),
            ("step 1 of 4, 20 % of the requests; x", "x"),
            ("step 1 of 4, 20 % of the pods", ""),
        ] {
            assert_eq!(rest(&format!("{lead}{message}")), expected);
        }
        assert_eq!(rest("rolling from revision 1a to 2b"), "");
        assert_eq!(rest("5 of 5 pods serve revision 2b"), "5 of 5 pods serve revision 2b");
    }
}
