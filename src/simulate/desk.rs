//! The API server as one operator's process reaches it: at once, and with the faults that a schedule asks for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::DeleteParams;
use serde_json::Value;

use crate::api::labels;
use crate::apply::{Named, Server};
use crate::observe::{Fields, Seen};

use super::refusal;
use super::store::{By, Id, Store};

/// Manager of the status.
const STATUS: &str = "microservice-operator/status";

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process ends before the request is sent.
    CrashBefore,
    /// The request is carried out, and the process ends before it has the answer.
    CrashAfter,
    /// The server fails, and nothing is done.
    Broken,
    /// It is carried out, and the answer is an error.
    Lost,
    /// The server is overloaded.
    Overloaded,
}

/// Shared by an operator and its requests.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Arc<Mutex<Store>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    who: String,
    lag: i64,
    crashed: bool,
    /// Requests until the fault.
    fault: Option<(u32, Fault)>,
}

impl Desk {
    pub fn new(store: Arc<Mutex<Store>>, who: String) -> Self {
        Self { store, state: Arc::new(Mutex::new(State { who, ..State::default() })) }
    }

    /// A pass begins, with a view that lags so many milliseconds behind. After so many writes, there is a fault.
    pub fn begin(&self, lag: i64, fault: Option<(u32, Fault)>) {
        let mut state = lock(&self.state);
        state.lag = lag;
        state.fault = fault;
    }

    pub fn crashed(&self) -> bool {
        lock(&self.state).crashed
    }

    /// Makes a write, or what a fault makes of it. A process that has ended gets no answer.
    async fn write<T>(&self, named: Named<'_>, write: impl FnOnce(&mut Store, By<'_>, &Id) -> kube::Result<T>) -> kube::Result<T> {
        let id = Id::new(named.watched, named.name);
        match self.carry_out(&id, write) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn carry_out<T>(&self, id: &Id, write: impl FnOnce(&mut Store, By<'_>, &Id) -> kube::Result<T>) -> Option<kube::Result<T>> {
        let mut state = lock(&self.state);
        if state.crashed {
            return None;
        }
        let fault = match &mut state.fault {
            Some((0, fault)) => Some(*fault),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if fault.is_some() {
            state.fault = None;
        }
        if fault == Some(Fault::CrashBefore) {
            state.crashed = true;
            return None;
        }
        match fault {
            Some(Fault::Broken) => return Some(Err(refusal::broken(id))),
            Some(Fault::Overloaded) => return Some(Err(refusal::overloaded(id))),
            _ => {}
        }
        let by = By { name: &state.who, is_operator: true, lag: state.lag };
        let answer = write(&mut lock(&self.store), by, id);
        match fault {
            Some(Fault::CrashAfter) => {
                state.crashed = true;
                None
            }
            Some(Fault::Lost) => Some(Err(refusal::broken(id))),
            _ => Some(answer),
        }
    }
}

impl Server for Desk {
    async fn apply(&self, named: Named<'_>, body: &Value) -> kube::Result<Seen<Fields>> {
        seen(self.write(named, |store, by, id| store.apply(by, labels::OPERATOR, id, body)).await?)
    }

    async fn apply_status(&self, named: Named<'_>, body: &Value) -> kube::Result<Seen<Fields>> {
        seen(self.write(named, |store, by, id| store.apply(by, STATUS, id, body)).await?)
    }

    async fn merge(&self, named: Named<'_>, patch: &Value) -> kube::Result<Seen<Fields>> {
        seen(self.write(named, |store, by, id| store.merge(by, id, patch)).await?)
    }

    async fn read(&self, named: Named<'_>) -> kube::Result<Option<Seen<Fields>>> {
        let shown = lock(&self.store).shown(&Id::new(named.watched, named.name));
        shown.map(seen).transpose()
    }

    async fn delete(&self, named: Named<'_>, params: &DeleteParams) -> kube::Result<Option<Seen<Fields>>> {
        let left = self.write(named, |store, by, id| store.delete(by, id, params)).await?;
        left.map(seen).transpose()
    }
}

fn seen(object: Value) -> kube::Result<Seen<Fields>> {
    serde_json::from_value(object).map_err(kube::Error::SerdeError)
}

/// Locks; what is behind is changed in single steps, so a poisoned lock still guards something sound.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
