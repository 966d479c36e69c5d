//! A share of requests in hundredths of a percent, so that the failure rule is exact integer arithmetic.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const ONE_PERCENT: u64 = 100;
const ALL: u64 = 100 * ONE_PERCENT;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "serde_json::Number", into = "serde_json::Number")]
pub struct Percent {
    hundredths: u32,
}

impl Percent {
    /// Whether the request with this number, counted from 1, belongs to the share. Members are spread evenly: 5 takes
    /// every 20th request, 0.5 every 200th, and of the first `n` requests exactly `n × share`, rounded down, are taken.
    pub fn takes(self, number: u64) -> bool {
        let before = |number: u64| u128::from(number) * u128::from(self.hundredths) / u128::from(ALL);
        number > 0 && before(number) > before(number - 1)
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("{text} is not a percentage from 0 to 100 with at most two decimals"))
    }
}

fn parse(text: &str) -> Option<Percent> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let hundredths = whole.parse::<u64>().ok()?.checked_mul(ONE_PERCENT)? + format!("{decimals:0<2}").parse::<u64>().ok()?;
    if hundredths > ALL {
        return None;
    }
    Some(Percent { hundredths: hundredths.try_into().ok()? })
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.hundredths) / 100.0)
    }
}

impl TryFrom<serde_json::Number> for Percent {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        number.to_string().parse()
    }
}

impl From<Percent> for serde_json::Number {
    fn from(percent: Percent) -> Self {
        // A whole percentage stays a whole number: 5 and not 5.0.
        let whole = percent.hundredths / 100;
        let exact = if percent.hundredths.is_multiple_of(100) { None } else { Self::from_f64(f64::from(percent.hundredths) / 100.0) };
        exact.unwrap_or_else(|| Self::from(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(percent: &str, requests: u64) -> Vec<u64> {
        let percent: Percent = percent.parse().unwrap();
        (1..=requests).filter(|number| percent.takes(*number)).collect()
    }

    #[test]
    fn share_is_exact_and_evenly_spread() {
        assert_eq!(taken("0", 1000), Vec::<u64>::new());
        assert_eq!(taken("100", 3), [1, 2, 3]);
        assert_eq!(taken("5", 60), [20, 40, 60]);
        assert_eq!(taken("40", 10), [3, 5, 8, 10]);
        assert_eq!(taken("0.5", 400), [200, 400]);
        assert_eq!(taken("12.25", 10_000).len(), 1225);
    }

    #[test]
    fn only_sensible_percentages_are_taken() {
        for text in ["101", "100.01", "-1", "", ".", "1.", "1.234", "5%", "1e1", "NaN", "99999999999999999999"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_keeps_the_value() {
        for text in ["0", "5", "0.5", "12.25", "100"] {
            let percent: Percent = text.parse().unwrap();
            let json = serde_json::to_string(&percent).unwrap();
            assert_eq!(serde_json::from_str::<Percent>(&json).unwrap(), percent, "{json}");
            assert_eq!(percent.to_string(), text);
        }
    }
}
