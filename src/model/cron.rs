//! When something begins, again and again: five fields as cron has them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Names of months and days, by the number that they stand for.
const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Minute, hour, day of month, month, day of week, each as the set of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day of the month, the day of the week and the hour are restricted.
    by_day: bool,
    by_weekday: bool,
    by_hour: bool,
}

impl Cron {
    /// Reads five fields, each `*`, a number, a name, a range `a-b` or a list of them, with `/n` for every n-th.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "`{text}` must have five fields, and has {}: minute, hour, day of month, month, day of week",
                fields.len()
            ));
        };
        let free = |field: &str| field.starts_with(['*', '?']);
        let weekdays = field(weekday, "day of week", 0, 7, &WEEKDAYS)?;
        let cron = Self {
            minutes: field(minute, "minute", 0, 59, &[])?,
            hours: field(hour, "hour", 0, 23, &[])?,
            days: field(day, "day of month", 1, 31, &[])?,
            months: field(month, "month", 1, 12, &MONTHS)?,
            // 7 is a Sunday too.
            weekdays: weekdays | (weekdays >> 7 & 1),
            by_day: !free(day),
            by_weekday: !free(weekday),
            by_hour: !free(hour),
        };
        let longest = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let possible = (1..=12).filter(|month| has(cron.months, *month)).any(|month| (1..=longest[month]).any(|day| has(cron.days, day)));
        if cron.by_day && !cron.by_weekday && !possible {
            return Err(format!("`{text}` names a day that no year has"));
        }
        Ok(cron)
    }

    /// The latest beginning that is not after `now`, and not longer ago than `back` seconds.
    ///
    /// A time that the clocks skip in spring is taken as if they had not been put forward; of one that they show twice in autumn
    /// the first counts, and both do where every hour is a beginning.
    pub fn latest(&self, zone: &TimeZone, now: Timestamp, back: i64) -> Option<Timestamp> {
        let earliest = now.checked_sub(SignedDuration::from_secs(back)).ok()?;
        // A skipped time counts for an hour or more after what the clock shows.
        let first = zone.to_datetime(earliest).date().yesterday().ok()?;
        let mut date = zone.to_datetime(now).date();
        while date >= first {
            if self.is_on(date)
                && let Some(found) = self.latest_of(date, zone, now)
            {
                return (found >= earliest).then_some(found);
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// Where both the day of the month and that of the week are restricted, either is enough: as cron has it.
    fn is_on(&self, date: Date) -> bool {
        let number = |value: i8| usize::try_from(value).unwrap_or_default();
        let day = has(self.days, number(date.day()));
        let weekday = has(self.weekdays, number(date.weekday().to_sunday_zero_offset()));
        let matches = if self.by_day && self.by_weekday { day || weekday } else { day && weekday };
        matches && has(self.months, number(date.month()))
    }

    fn latest_of(&self, date: Date, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let hours = (0..24_i8).filter(|hour| has(self.hours, usize::try_from(*hour).unwrap_or_default()));
        let minutes = || (0..60_i8).filter(|minute| has(self.minutes, usize::try_from(*minute).unwrap_or_default()));
        let times = hours.flat_map(|hour| minutes().filter_map(move |minute| Time::new(hour, minute, 0, 0).ok()));
        times.flat_map(|time| self.instants(date.to_datetime(time), zone)).filter(|instant| *instant <= now).max()
    }

    fn instants(&self, time: DateTime, zone: &TimeZone) -> Vec<Timestamp> {
        let ambiguous = zone.to_ambiguous_timestamp(time);
        match ambiguous.offset() {
            AmbiguousOffset::Fold { before, after } if !self.by_hour => {
                [before, after].into_iter().filter_map(|offset| offset.to_timestamp(time).ok()).collect()
            }
            _ => ambiguous.compatible().ok().into_iter().collect(),
        }
    }
}

fn has(set: u64, number: usize) -> bool {
    set >> number & 1 == 1
}

/// One field as a set of numbers.
fn field(text: &str, what: &str, least: usize, most: usize, names: &[&str]) -> Result<u64, String> {
    let wrong = || {
        let words = if names.is_empty() { "" } else { " or names such as `mon`" };
        format!("`{text}` is no {what}: it must be `*`, or numbers from {least} to {most}{words}, with `,`, `-` and `/`")
    };
    let number = |word: &str| {
        let named = || names.iter().position(|name| !name.is_empty() && name.eq_ignore_ascii_case(word));
        let plain = word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten();
        plain.or_else(named).filter(|number| (least..=most).contains(number))
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| (1..=most).contains(step)).ok_or_else(wrong)?)),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            // Both weekdays 0 and 7 are Sunday; of every n-th day the week is counted once.
            ("*" | "?", _) => (least, if most == 7 { 6 } else { most }),
            (_, Some((from, to))) => (number(from).ok_or_else(wrong)?, number(to).ok_or_else(wrong)?),
            (one, None) => {
                let one = number(one).ok_or_else(wrong)?;
                (one, if step.is_some() { most } else { one })
            }
        };
        if from > to {
            return Err(wrong());
        }
        set |= (from..=to).step_by(step.unwrap_or(1)).fold(0, |set, number| set | 1 << number);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(start: &str, zone: &str, now: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let found = Cron::parse(start).unwrap().latest(&zone, now.parse().unwrap(), 40 * 86_400);
        found.map(|found| found.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_latest_beginning_is_found() {
        for (start, now, expected) in [
            ("0 14 * * 5", "2026-11-23T10:00:00Z", "2026-11-20T13:00:00Z"),
            ("0 14 * * fri", "2026-11-20T13:00:00Z", "2026-11-20T13:00:00Z"),
            ("0 14 * * 5", "2026-11-20T12:59:59Z", "2026-11-13T13:00:00Z"),
            ("*/20 * * * *", "2026-11-20T12:59:59Z", "2026-11-20T12:40:00Z"),
            ("5-10/2,30 8 1 * *", "2026-11-20T12:00:00Z", "2026-11-01T07:30:00Z"),
            ("0 0 20 DEC *", "2026-12-31T12:00:00Z", "2026-12-19T23:00:00Z"),
            // The thirteenth, or a Friday.
            ("0 0 13 * 5", "2026-11-19T12:00:00Z", "2026-11-12T23:00:00Z"),
            ("0 0 13 * 5", "2026-11-22T12:00:00Z", "2026-11-19T23:00:00Z"),
            ("0 0 * * 7", "2026-11-23T12:00:00Z", "2026-11-21T23:00:00Z"),
            ("0 0 29 2 *", "2026-11-20T12:00:00Z", ""),
        ] {
            assert_eq!(latest(start, "Europe/Berlin", now), expected, "{start} at {now}");
        }
    }

    /// In Berlin the clocks go from 02:00 to 03:00 on 2026-03-29 at 01:00Z.
    #[test]
    fn a_time_that_the_clocks_skip_comes_as_if_they_did_not() {
        assert_eq!(latest("30 2 * * *", "Europe/Berlin", "2026-03-29T01:29:59Z"), "2026-03-28T01:30:00Z");
        assert_eq!(latest("30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(latest("30 2 * * *", "Europe/Berlin", "2026-03-30T00:30:00Z"), "2026-03-30T00:30:00Z");
    }

    /// They go back from 03:00 to 02:00 on 2026-10-25 at 01:00Z.
    #[test]
    fn of_a_time_that_the_clocks_show_twice_the_first_counts() {
        assert_eq!(latest("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(latest("30 2 * * *", "Europe/Berlin", "2026-10-25T02:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(latest("30 * * * *", "Europe/Berlin", "2026-10-25T01:45:00Z"), "2026-10-25T01:30:00Z", "every hour");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (start, hint) in [
            ("0 14 * *", "must have five fields, and has 4"),
            ("60 * * * *", "`60` is no minute: it must be `*`, or numbers from 0 to 59"),
            ("* 24 * * *", "no hour"),
            ("* * 0 * *", "no day of month"),
            ("* * * foo *", "names such as"),
            ("* * * * 8", "no day of week"),
            ("5-1 * * * *", "no minute"),
            ("*/0 * * * *", "no minute"),
            ("+5 * * * *", "no minute"),
            (", * * * *", "no minute"),
            ("0 0 30 2 *", "no year has"),
        ] {
            let error = Cron::parse(start).unwrap_err();
            assert!(error.contains(hint), "{start}: {error}");
        }
    }

    #[test]
    fn every_nth_day_of_the_week_is_counted_once() {
        assert_eq!(Cron::parse("0 0 * * *").unwrap().weekdays, 0b0111_1111);
        assert_eq!(Cron::parse("0 0 * * */2").unwrap().weekdays, 0b0101_0101);
        assert_eq!(Cron::parse("0 0 * * 5-7").unwrap().weekdays & 0b0111_1111, 0b0110_0001);
    }
}
