//! Kubernetes quantities (`100m`, `1.5Gi`, `2e3`), exactly: compared by value, and written as the API server writes them.
//!
//! Grammar and rounding follow `ParseQuantity` and `CanonicalizeBytes` of apimachinery's `pkg/api/resource`. Floats were
//! rejected: `0.1` has none, and `16Ei` in nano-units has 29 digits.

use std::cmp::Ordering;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Nano-units in a unit: the finest amount that Kubernetes tells apart.
const NANOS: i128 = 1_000_000_000;
/// Decimal digits of [`NANOS`].
const NANO_DIGITS: i32 = 9;
/// Exponents of the decimal suffixes, largest first.
const DECIMAL: [(i32, &str); 10] =
    [(18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k"), (0, ""), (-3, "m"), (-6, "u"), (-9, "n")];
/// Powers of 1024 of the binary suffixes, largest first.
const BINARY: [(u32, &str); 6] = [(6, "Ei"), (5, "Pi"), (4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")];
/// Largest power of 1000 that is tried when an amount is written with an exponent; more does not fit 128 bits of nano-units.
const LARGEST_EXPONENT: i32 = 27;

/// An amount. Equality and order are those of the value: `1` equals `1000m`.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    nanos: i128,
    notation: Notation,
}

/// How an amount was written; decides how it is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Decimal,
    Binary,
    Exponent,
}

impl Amount {
    /// `None` for what the API server refuses, and for what does not fit 128 bits of nano-units: amounts beyond 10²⁹
    /// units, or more than eleven decimal places of `Ei`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (notation, magnitude) = scaled(&Number::parse(number)?, suffix)?;
        Some(Self { nanos: if negative { -magnitude } else { magnitude }, notation })
    }

    pub const fn nanos(self) -> i128 {
        self.nanos
    }

    /// As the API server writes it, which is a form that it leaves alone when it reads it again.
    pub fn canonical(self) -> String {
        match self.notation {
            _ if self.nanos == 0 => "0".to_owned(),
            // Below 1024, and with fractions, the server drops the binary notation so as not to round.
            Notation::Binary if self.nanos % NANOS == 0 && self.nanos.abs() >= 1024 * NANOS => {
                let units = self.nanos / NANOS;
                let (power, suffix) = BINARY.into_iter().find(|(power, _)| units % 1024_i128.pow(*power) == 0).unwrap_or((0, ""));
                format!("{}{suffix}", units / 1024_i128.pow(power))
            }
            Notation::Binary | Notation::Decimal => {
                let (exponent, suffix) = DECIMAL.into_iter().find(|(exponent, _)| self.nanos % nanos_in(*exponent) == 0).unwrap_or((0, ""));
                format!("{}{suffix}", self.nanos / nanos_in(exponent))
            }
            Notation::Exponent => {
                let exponent = (-NANO_DIGITS..=LARGEST_EXPONENT)
                    .rev()
                    .find(|exponent| exponent % 3 == 0 && self.nanos % nanos_in(*exponent) == 0)
                    .unwrap_or(0);
                match exponent {
                    0 => (self.nanos / NANOS).to_string(),
                    _ => format!("{}e{exponent}", self.nanos / nanos_in(exponent)),
                }
            }
        }
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// The canonical form; what cannot be read stays as it is, for the server to refuse in its own words.
pub fn canonical(quantity: &Quantity) -> Quantity {
    Amount::parse(&quantity.0).map_or_else(|| quantity.clone(), |amount| Quantity(amount.canonical()))
}

/// Whether two texts say the same amount. Texts that are not quantities are compared as texts.
pub fn same(a: &str, b: &str) -> bool {
    match (Amount::parse(a), Amount::parse(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        _ => false,
    }
}

/// Nano-units in 10 to the power of `exponent`, from -9 to [`LARGEST_EXPONENT`].
const fn nanos_in(exponent: i32) -> i128 {
    10_i128.pow((exponent + NANO_DIGITS).unsigned_abs())
}

/// A number without its suffix.
struct Number {
    whole: i128,
    /// Digits after the point, as a whole number.
    fraction: i128,
    /// How many they are.
    places: u32,
}

impl Number {
    /// `1.` and `.5` are numbers to the server, `.` is not.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        Some(Self { whole: digits(whole)?, fraction: digits(fraction)?, places: u32::try_from(fraction.len()).ok()? })
    }
}

fn digits(text: &str) -> Option<i128> {
    text.chars().try_fold(0_i128, |value, digit| value.checked_mul(10)?.checked_add(digit.to_digit(10)?.into()))
}

/// Applies the suffix. Fractions of a nano-unit are rounded up, so that who asks for too little gets something.
fn scaled(number: &Number, suffix: &str) -> Option<(Notation, i128)> {
    let scale = 10_i128.checked_pow(number.places)?;
    if let Some((power, _)) = BINARY.into_iter().find(|(_, known)| *known == suffix) {
        let unit = 1024_i128.pow(power) * NANOS;
        let part = divided_up(number.fraction.checked_mul(unit)?, scale);
        // The server caps binary amounts, and only those, at the largest 64-bit integer.
        let nanos = number.whole.saturating_mul(unit).saturating_add(part).min(i128::from(i64::MAX) * NANOS);
        return Some((Notation::Binary, nanos));
    }
    let (notation, exponent) = match DECIMAL.into_iter().find(|(_, known)| *known == suffix) {
        Some((exponent, _)) => (Notation::Decimal, exponent),
        None => (Notation::Exponent, suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?),
    };
    let mantissa = number.whole.checked_mul(scale)?.checked_add(number.fraction)?;
    let shift = exponent.checked_add(NANO_DIGITS)?.checked_sub_unsigned(number.places)?;
    let nanos = match 10_i128.checked_pow(shift.unsigned_abs()) {
        _ if mantissa == 0 => 0,
        Some(power) if shift >= 0 => mantissa.checked_mul(power)?,
        Some(power) => divided_up(mantissa, power),
        None if shift < 0 => 1,
        None => return None,
    };
    Some((notation, nanos))
}

const fn divided_up(value: i128, by: i128) -> i128 {
    value / by + if value % by == 0 { 0 } else { 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `ParseQuantity` and then `CanonicalizeBytes` of apimachinery v0.36.4 make of each.
    const CANONICAL: [(&str, &str); 44] = [
        ("0", "0"),
        ("-0", "0"),
        ("00", "0"),
        ("1", "1"),
        ("1.0", "1"),
        ("1.", "1"),
        (".5", "500m"),
        ("0.1", "100m"),
        ("0.001", "1m"),
        ("1000m", "1"),
        ("100m", "100m"),
        ("1500m", "1500m"),
        ("2000", "2k"),
        ("1500", "1500"),
        ("12000", "12k"),
        ("1k", "1k"),
        ("1000k", "1M"),
        ("0.5k", "500"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("2e4", "20e3"),
        ("1e-3", "1e-3"),
        ("5E", "5E"),
        ("5e18", "5e18"),
        ("1Ki", "1Ki"),
        ("512Mi", "512Mi"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1023Ki", "1023Ki"),
        ("1.1Ki", "1126400m"),
        ("1025", "1025"),
        ("1024", "1024"),
        ("2048Ki", "2Mi"),
        ("16Ei", "9223372036854775807"),
        ("7Ei", "7Ei"),
        ("-1", "-1"),
        ("-1.5Gi", "-1536Mi"),
        ("+5", "5"),
        ("0.1n", "1n"),
        ("1.0000000001", "1000000001n"),
        ("250u", "250u"),
        ("9223372036854775807", "9223372036854775807"),
    ];

    #[test]
    fn writes_what_the_server_writes() {
        for (text, canonical) in CANONICAL {
            assert_eq!(Amount::parse(text).map(Amount::canonical).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_quantity() {
        for text in
            ["", ".", "-", "+", "e3", "1e", "1K", "1.2.3", "1x", " 1", "1 ", "1Mi2", "1--2", "1e1.5", "--1", "é", "1é", "1e99999999999"]
        {
            assert_eq!(Amount::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn compares_by_value() {
        assert!(same("1", "1000m") && same("1Gi", "1024Mi") && same("1Ki", "1024") && same("0", "0Mi"));
        assert!(!same("1G", "1Gi") && !same("1", "one"));
        assert!(same("one", "one") && !same("one", "two"));
        assert!(Amount::parse("256Mi") < Amount::parse("0.5Gi"));
        assert!(Amount::parse("-1") < Amount::parse("1n"));
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        assert_eq!(canonical(&Quantity("much".to_owned())), Quantity("much".to_owned()));
        assert_eq!(canonical(&Quantity("0.25".to_owned())), Quantity("250m".to_owned()));
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_the_same_amount_and_stays(text in r"[-+]?[0-9]{1,9}(\.[0-9]{0,6})?([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9])?") {
            let amount = Amount::parse(&text);
            let canonical = amount.map(Amount::canonical).unwrap_or_default();
            prop_assert!(amount.is_some());
            prop_assert_eq!(Amount::parse(&canonical), amount);
            prop_assert_eq!(Amount::parse(&canonical).map(Amount::canonical), Some(canonical));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,40}") {
            let _ = Amount::parse(&text);
        }
    }
}
