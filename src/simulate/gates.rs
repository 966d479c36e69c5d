//! Servers that open gates, and who asks them: the part of [`crate::ask`], in virtual time.

use std::collections::BTreeMap;

use crate::model::question::AGAIN_SECONDS;
use crate::model::{Answer, Question};
use crate::observe::Key;

use super::{Event, Simulation, lock, milliseconds};

/// Milliseconds from a question to its answer.
const LATENCY: (u64, u64) = (20, 400);

/// What a webhook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Opens so many milliseconds after it was first asked about a step.
    Opens(i64),
    Never,
    Refuses,
}

/// What the webhooks know. One that nobody has described opens at once.
#[derive(Debug, Default)]
pub struct Gates {
    by_name: BTreeMap<String, Gate>,
    /// When each question was first asked, by whichever process.
    first: BTreeMap<String, i64>,
}

impl Gates {
    fn answer(&mut self, question: &Question, now: i64) -> Answer {
        let first = *self.first.entry(question.id.clone()).or_insert(now);
        match self.by_name.get(&question.webhook.name).copied().unwrap_or(Gate::Opens(0)) {
            Gate::Refuses => Answer::No,
            Gate::Opens(after) if now - first >= after => Answer::Yes,
            Gate::Opens(_) | Gate::Never => Answer::NotYet("answered 202".to_owned()),
        }
    }
}

/// Questions of one process, and what it knows of their answers.
#[derive(Debug, Default)]
pub struct Asked(BTreeMap<Key, BTreeMap<String, (Question, Option<Answer>)>>);

impl Asked {
    /// These are the questions now; returns those that are new.
    pub fn ask(&mut self, key: &Key, questions: Vec<Question>) -> Vec<Question> {
        let known = self.0.entry(key.clone()).or_default();
        known.retain(|_, (question, _)| questions.contains(question));
        let new: Vec<Question> = questions.into_iter().filter(|question| !known.contains_key(&question.id)).collect();
        known.extend(new.iter().map(|question| (question.id.clone(), (question.clone(), None))));
        new
    }

    pub fn answers(&self, key: &Key) -> BTreeMap<String, Answer> {
        let known = self.0.get(key).into_iter().flatten();
        known.filter_map(|(id, (_, answer))| Some((id.clone(), answer.clone()?))).collect()
    }

    fn open(&mut self, key: &Key, id: &str) -> Option<&mut (Question, Option<Answer>)> {
        self.0.get_mut(key)?.get_mut(id)
    }
}

impl Simulation {
    /// How a webhook behaves from now on.
    pub fn gate(&mut self, name: &str, gate: Gate) {
        self.note(&format!("gate {name} is {gate:?}"));
        self.gates.by_name.insert(name.to_owned(), gate);
    }

    /// A process begins to ask.
    pub(super) fn asks(&mut self, operator: u32, key: &Key, questions: Vec<Question>) {
        for question in questions {
            self.later(operator, key, question.id, 0);
        }
    }

    fn later(&mut self, operator: u32, key: &Key, id: String, pause: i64) {
        let latency = super::signed(self.random.between(LATENCY.0, LATENCY.1));
        let at = self.store().now + pause + latency;
        self.agenda.add(at, Event::Answer(operator, key.clone(), id));
    }

    /// A webhook answers; a process that has forgotten the question does not hear it.
    pub(super) fn answered(&mut self, operator: u32, key: &Key, id: &str) {
        let now = lock(&self.store).now;
        let asking = self.operators.get_mut(&operator).filter(|operator| operator.leads);
        let Some((question, known)) = asking.and_then(|operator| operator.asked.open(key, id)) else { return };
        let answer = self.gates.answer(question, now);
        let news = known.as_ref() != Some(&answer);
        let (last, name) = (answer.is_final(), question.webhook.name.clone());
        if news {
            *known = Some(answer.clone());
            self.note(&format!("gate {name} answers operator-{operator}: {answer:?}"));
            self.agenda.add(now, Event::Pass(operator, key.clone()));
        }
        if !last {
            self.later(operator, key, id.to_owned(), milliseconds(std::time::Duration::from_secs(AGAIN_SECONDS)));
        }
    }
}
