//! Everything that a field of an object was, from a watch: polling could miss the moment that matters.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::objects::{api, at};
use super::story::Story;

pub struct Recording {
    values: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Recording {
    /// Begins with the present value and notes each change.
    pub async fn of(story: &Story, kind: &str, name: &str, pointer: &'static str) -> Self {
        let values = Arc::new(Mutex::new(Vec::new()));
        let seen = values.clone();
        let selection = Config::default().fields(&format!("metadata.name={name}"));
        let mut stream = watcher(api(&story.client, &story.namespace, kind), selection).boxed();
        let task = tokio::spawn(async move {
            while let Some(event) = stream.next().await {
                if let Ok(Event::InitApply(object) | Event::Apply(object)) = event {
                    let value = at(&serde_json::to_value(object).unwrap(), pointer).clone();
                    let mut values = seen.lock().unwrap();
                    if values.last() != Some(&value) {
                        values.push(value);
                    }
                }
            }
        });
        let recording = Self { values, task };
        while recording.values().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        recording
    }

    pub fn values(&self) -> Vec<Value> {
        self.values.lock().unwrap().clone()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.task.abort();
    }
}
