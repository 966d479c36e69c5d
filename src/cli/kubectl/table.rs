//! The table of services.

use jiff::Timestamp;

use crate::api::v1alpha1::Microservice;

use super::brief::Brief;
use super::screen::{Screen, Tone, Word, plain, word};

/// Which columns there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns {
    /// Services of several namespaces.
    pub everywhere: bool,
    pub wide: bool,
}

/// Widths of columns whose rows come one after the other: room for what they will say.
pub fn widths(everywhere: bool) -> Vec<usize> {
    let columns = [0, "Reconciling".len(), "ProgressDeadlineExceeded".len(), "REVISION".len(), "Progressing 1/4 100%".len()];
    let namespace = everywhere.then_some(0);
    namespace.into_iter().chain(columns).collect()
}

impl Columns {
    pub fn header(self) -> Vec<Word> {
        let mut titles = vec!["NAME", "STATE", "REASON", "REVISION", "ROLLOUT", "REPLICAS", "AGE"];
        if self.everywhere {
            titles.insert(0, "NAMESPACE");
        }
        if self.wide {
            titles.extend(["IMAGE", "URL", "AUTOSCALING", "MESSAGE"]);
        }
        titles.into_iter().map(|title| word(Tone::Quiet, title)).collect()
    }

    pub fn row(self, service: &Microservice, now: Timestamp) -> Vec<Word> {
        let brief = Brief::of(service, now, "");
        let (reason, message) = brief.summary();
        let or_dash = |text: Option<&String>| plain(text.filter(|text| !text.is_empty()).map_or("-", String::as_str));
        let status = &brief.status;
        let mut row = vec![
            word(Tone::Strong, brief.name()),
            brief.state().word(),
            plain(reason),
            or_dash(status.revision.as_ref()),
            plain(brief.rollout()),
            plain(brief.replicas()),
            word(Tone::Quiet, brief.age()),
        ];
        if self.everywhere {
            row.insert(0, plain(brief.namespace()));
        }
        if self.wide {
            let scaling = status.autoscaling.as_ref().map(|scaling| &scaling.text);
            row.extend([or_dash(status.image.as_ref()), or_dash(status.url.as_ref()), or_dash(scaling), plain(message)]);
        }
        row
    }

    pub fn table(self, services: &[&Microservice], now: Timestamp) -> Screen {
        let rows = services.iter().map(|service| self.row(service, now));
        let mut screen = Screen::default();
        screen.table(std::iter::once(self.header()).chain(rows).collect());
        screen
    }
}
