//! What the platform team sets: the part of a profile that a service carries with it.

use std::time::Duration;

use http::Uri;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use super::cron::Cron;
use crate::api::v1alpha1::{self as api, FreezeWindow, GatewayRef, MicroserviceProfile};

/// Name of the profile of services that name none.
pub const DEFAULT: &str = "default";
/// Windows that follow each other without a gap are one; so many of them are looked at, which is weeks of any sensible set.
const JOINED: usize = 64;

/// Whether a rollout may begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    #[default]
    Granted,
    /// It waits: for what, and until when where that is known.
    Held { reason: String, until: Option<Time> },
}

/// What is known of the profile of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Given {
    /// None is named, and there is no [`DEFAULT`].
    #[default]
    None,
    /// There may be one that is not at hand: without a cluster.
    Unknown,
    Found(Box<MicroserviceProfile>),
    /// One is named, and cannot be had. Why, and what to do.
    Missing(String),
}

impl Given {
    pub fn found(&self) -> Option<&MicroserviceProfile> {
        match self {
            Self::Found(profile) => Some(profile),
            Self::None | Self::Unknown | Self::Missing(_) => None,
        }
    }
}

/// The profile of a service. Its defaults are in the service's own values.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    /// Gateway of routes that name none.
    pub gateway: Option<GatewayRef>,
    /// Rollouts that may be under way when another one begins; `None`: any number.
    pub max_concurrent: Option<usize>,
    /// Times in which no rollout begins; or what is wrong with them, in which case none begins at all.
    pub freezes: Result<Vec<Freeze>, String>,
    /// Whom gates ask; those of them that can be asked.
    pub webhooks: Vec<Webhook>,
}

/// Seconds that a webhook has for its answer, unless the profile says otherwise: approvals are looked up, not computed.
const TIMEOUT_SECONDS: u64 = 10;

/// A server that opens gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub name: String,
    /// HTTP or HTTPS, with a host.
    pub url: Uri,
    /// From the connection to the last byte of the answer.
    pub timeout: Duration,
    /// Name of a file in the operator's folder of credentials.
    pub credentials_file: Option<String>,
}

impl Webhook {
    /// What the schema lets through may still be wrong: then what must hold.
    pub fn of(given: &api::Webhook) -> Result<Self, String> {
        let wrong = |why: &str| format!("url: {why}, as in `https://approvals.example.com/gate`");
        let url: Uri =
            given.url.parse().map_err(|_| wrong("it must be an address of at most 2048 characters with a port of at most 65535"))?;
        let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(wrong("it must begin with http:// or https:// and a host"));
        };
        if authority.as_str().contains('@') || given.url.contains('#') {
            return Err(wrong("user info and fragments must be left out"));
        }
        // A port that is no number is not told from none by the library, and would silently become 80 or 443.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        if authority.host().is_empty() || !is_port {
            return Err(wrong("it must have a host, and a port of at most 65535 or none"));
        }
        let seconds = given.timeout_seconds.and_then(|seconds| seconds.try_into().ok()).unwrap_or(TIMEOUT_SECONDS);
        let (name, credentials_file) = (given.name.clone(), given.credentials_file.clone());
        Ok(Self { name, url, timeout: Duration::from_secs(seconds), credentials_file })
    }
}

/// The webhooks of a profile, and with the path of each what is wrong with it.
pub fn webhooks(profile: &MicroserviceProfile) -> impl Iterator<Item = (&str, Result<Webhook, String>)> {
    let given = profile.spec.providers.as_ref().and_then(|providers| providers.webhooks.as_ref());
    given.into_iter().flatten().enumerate().map(|(index, webhook)| {
        let read = Webhook::of(webhook).map_err(|wrong| format!("spec.providers.webhooks[{index}].{wrong}"));
        (webhook.name.as_str(), read)
    })
}

impl Profile {
    pub fn of(object: &MicroserviceProfile) -> Self {
        let rollouts = object.spec.rollouts.clone().unwrap_or_default();
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            gateway: object.spec.gateway_ref.clone(),
            max_concurrent: rollouts.max_concurrent.and_then(|most| most.try_into().ok()),
            freezes: freezes(&rollouts.freeze_windows.unwrap_or_default()),
            webhooks: webhooks(object).filter_map(|(_, webhook)| webhook.ok()).collect(),
        }
    }

    /// Whether a rollout ever waits.
    pub fn limits_rollouts(&self) -> bool {
        self.max_concurrent.is_some() || self.freezes.as_ref().map_or(true, |freezes| !freezes.is_empty())
    }

    /// The freeze at this time, and when it ends, with those that follow on it without a gap.
    pub fn frozen(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        let windows = self.freezes.as_deref().unwrap_or_default();
        let (first, mut until) = longest(windows, now)?;
        for _ in 0..JOINED {
            match longest(windows, until) {
                Some((_, later)) if later > until => until = later,
                _ => break,
            }
        }
        Some((first, until))
    }
}

fn longest(windows: &[Freeze], now: Timestamp) -> Option<(&str, Timestamp)> {
    let open = windows.iter().filter_map(|window| Some((window.name.as_str(), window.until(now)?)));
    open.max_by_key(|(_, until)| *until)
}

/// What is wrong with the windows of a profile is a matter of their own text: the first one is told.
pub fn freezes(windows: &[FreezeWindow]) -> Result<Vec<Freeze>, String> {
    windows.iter().enumerate().map(|(index, window)| Freeze::of(window, &format!("spec.rollouts.freezeWindows[{index}]"))).collect()
}

/// A time in which no rollout begins.
#[derive(Clone, Debug)]
pub struct Freeze {
    name: String,
    zone: TimeZone,
    start: Cron,
    seconds: i64,
}

impl Freeze {
    fn of(window: &FreezeWindow, path: &str) -> Result<Self, String> {
        let zone = window.time_zone.as_deref().unwrap_or("UTC");
        Ok(Self {
            name: window.name.clone(),
            zone: TimeZone::get(zone)
                .map_err(|_| format!("{path}.timeZone: `{zone}` is no time zone of the IANA database, such as `Europe/Berlin`"))?,
            start: Cron::parse(&window.start).map_err(|wrong| format!("{path}.start: {wrong}"))?,
            seconds: window.duration_seconds.into(),
        })
    }

    /// Its end, if it is open at this time.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let start = self.start.latest(&self.zone, now, self.seconds)?;
        let end = start.checked_add(SignedDuration::from_secs(self.seconds)).ok()?;
        (end > now).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn profile(windows: &Value) -> Profile {
        let object = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile", "metadata": {"name": "default"},
            "spec": {"rollouts": {"freezeWindows": windows}}});
        Profile::of(&serde_json::from_value(object).unwrap())
    }

    fn frozen(profile: &Profile, now: &str) -> String {
        profile.frozen(now.parse().unwrap()).map(|(name, until)| format!("{name} until {until}")).unwrap_or_default()
    }

    #[test]
    fn a_weekend_is_frozen_from_friday_afternoon_to_monday_morning() {
        let weekend =
            profile(&json!([{"name": "friday", "timeZone": "Europe/Berlin", "start": "0 14 * * 5", "durationSeconds": 60 * 3600}]));
        assert_eq!(frozen(&weekend, "2026-11-20T12:59:59Z"), "");
        assert_eq!(frozen(&weekend, "2026-11-20T13:00:00Z"), "friday until 2026-11-23T01:00:00Z");
        assert_eq!(frozen(&weekend, "2026-11-23T00:59:59Z"), "friday until 2026-11-23T01:00:00Z");
        assert_eq!(frozen(&weekend, "2026-11-23T01:00:00Z"), "");
        // Seconds are seconds: with the clocks put forward in it, it ends an hour later on the clock.
        assert_eq!(frozen(&weekend, "2026-03-29T12:00:00Z"), "friday until 2026-03-30T01:00:00Z");
    }

    #[test]
    fn windows_that_follow_each_other_are_one() {
        let days = profile(&json!([
            {"name": "morning", "start": "0 6 * * *", "durationSeconds": 6 * 3600},
            {"name": "noon", "start": "0 12 * * *", "durationSeconds": 3600},
            {"name": "late", "start": "30 12 * * *", "durationSeconds": 3600},
        ]));
        assert_eq!(frozen(&days, "2026-11-20T07:00:00Z"), "morning until 2026-11-20T13:30:00Z");
        assert_eq!(frozen(&days, "2026-11-20T13:29:00Z"), "late until 2026-11-20T13:30:00Z");
        assert_eq!(frozen(&days, "2026-11-20T14:00:00Z"), "");
        let always = profile(&json!([{"name": "always", "start": "0 0 * * *", "durationSeconds": 86_400}]));
        let until = frozen(&always, "2026-11-20T14:00:00Z");
        assert!(until.as_str() > "always until 2026-12-20", "{until}");
    }

    #[test]
    fn a_window_that_cannot_be_read_is_told_with_its_path() {
        let wrong = profile(&json!([{"name": "a", "start": "0 0 * * *", "durationSeconds": 60, "timeZone": "Europe/Bonn"}]));
        assert!(wrong.freezes.unwrap_err().starts_with("spec.rollouts.freezeWindows[0].timeZone: `Europe/Bonn` is no time zone"));
        let wrong = profile(&json!([{"name": "a", "start": "0 25 * * *", "durationSeconds": 60}]));
        assert!(wrong.freezes.unwrap_err().starts_with("spec.rollouts.freezeWindows[0].start: `25` is no hour"));
    }
}
