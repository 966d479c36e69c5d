//! An independent watcher of one service: it sees pods and Services, knows nothing of the operator, and remembers every
//! moment in which too few pods served or too many were there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::select_all;
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::objects::{api, at, text};
use super::story::Story;

/// How long a moment must last to count: a pod and the Service that selects it are two objects on two watches.
const MOMENT: Duration = Duration::from_millis(300);

#[derive(Default)]
struct Seen {
    pods: BTreeMap<String, Value>,
    selector: Option<Value>,
    /// What has been wrong, and since when.
    wrong: Option<(Instant, String)>,
    lines: Vec<String>,
    last: String,
    faults: Vec<String>,
}

pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Watches the service of this name, which is Ready: from now on at least `least` pods get requests and are ready, and
    /// at most `most` exist, those that are being deleted aside.
    pub async fn of(story: &Story, name: &str, least: usize, most: usize) -> Self {
        let pods = Config::default().labels(&format!("app.kubernetes.io/instance={name}"));
        let service = Config::default().fields(&format!("metadata.name={name}"));
        let streams = [("Pod", pods), ("Service", service)];
        let mut all = select_all(streams.map(|(kind, selection)| watcher(api(&story.client, &story.namespace, kind), selection).boxed()));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (notes, began) = (seen.clone(), Instant::now());
        let task = tokio::spawn(async move {
            while let Some(event) = all.next().await {
                let Ok(event) = event else { continue };
                let mut seen = notes.lock().unwrap();
                match event {
                    Event::InitApply(object) | Event::Apply(object) => seen.takes(serde_json::to_value(object).unwrap()),
                    Event::Delete(object) => drop(seen.pods.remove(&object.metadata.name.unwrap_or_default())),
                    Event::Init | Event::InitDone => {}
                }
                seen.judge(began, least, most);
            }
        });
        let witness = Self { seen, task };
        // Until it has seen enough to judge.
        tokio::time::sleep(Duration::from_millis(500)).await;
        witness
    }

    /// Panics with the whole course if anything was wrong for longer than a moment.
    pub fn is_content(&self) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.faults.is_empty(), "{}\nthe course:\n{}", seen.faults.join("\n"), seen.lines.join("\n"));
    }
}

impl Seen {
    fn takes(&mut self, object: Value) {
        if at(&object, "/spec/containers").is_null() {
            self.selector = Some(at(&object, "/spec/selector").clone());
        } else {
            self.pods.insert(text(&object, "/metadata/name").to_owned(), object);
        }
    }

    fn judge(&mut self, began: Instant, least: usize, most: usize) {
        let Some(selector) = self.selector.as_ref().and_then(Value::as_object) else { return };
        let stays: Vec<&Value> = self.pods.values().filter(|pod| at(pod, "/metadata/deletionTimestamp").is_null()).collect();
        let selected = |pod: &&&Value| selector.iter().all(|(key, value)| &pod["metadata"]["labels"][key] == value);
        let ready = |pod: &&&Value| {
            at(pod, "/status/conditions").as_array().into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
        };
        let mut shares: BTreeMap<String, usize> = BTreeMap::new();
        for pod in stays.iter().filter(selected).filter(ready) {
            *shares.entry(pod["metadata"]["labels"]["microservices.dev/revision"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
        let (serving, total): (usize, usize) = (shares.values().sum(), stays.len());
        let line = format!("{serving} of {total} serve: {shares:?}");
        let now = Instant::now();
        if line != self.last {
            self.lines.push(format!("{:7.2} s  {line}", began.elapsed().as_secs_f64()));
            self.last = line;
        }
        let wrong = match () {
            () if serving < least => Some(format!("{serving} pods serve, and {least} should")),
            () if total > most => Some(format!("there are {total} pods, and {most} may be")),
            () => None,
        };
        if let Some((since, what)) = self.wrong.take_if(|_| wrong.is_none())
            && now - since > MOMENT
        {
            self.faults.push(format!("for {:.1?}: {what}", now - since));
        }
        if let Some(wrong) = wrong {
            self.wrong.get_or_insert((now, wrong));
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
