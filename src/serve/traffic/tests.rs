//! Against a small server on loopback that is slow on request, through the whole client.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::{Client, Config};

use super::*;
use crate::serve::client;

#[derive(Default)]
struct Recorder(Mutex<Vec<(&'static str, Option<u16>)>>);

impl Meter for Recorder {
    fn finished(&self, call: Call, status: Option<u16>, _: Duration) {
        self.0.lock().unwrap().push((call.verb, status));
    }
}

#[derive(Default)]
struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// `pods`: answers after 400 ms. `configmaps`: the head at once, the body never. Both: watches send an event after 400 ms.
async fn answer(State(load): State<Arc<Load>>, request: axum::extract::Request) -> axum::response::Response {
    let pause = || tokio::time::sleep(Duration::from_millis(400));
    if is_watch(&request) {
        pause().await;
        let event = r#"{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7"}}}"#;
        return format!("{event}\n").into_response();
    }
    if request.uri().path().ends_with("configmaps") {
        let head_only = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("{")) }).chain(futures::stream::pending());
        return axum::body::Body::from_stream(head_only).into_response();
    }
    load.most.fetch_max(load.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    pause().await;
    load.now.fetch_sub(1, Ordering::SeqCst);
    r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#.into_response()
}

fn is_watch<B>(request: &Request<B>) -> bool {
    Call::of(request).watch
}

async fn client(limits: Limits) -> (Client, Arc<Recorder>, Arc<Load>) {
    client_of(Leadership::unconditional(), limits).await
}

async fn client_of(leadership: Leadership, limits: Limits) -> (Client, Arc<Recorder>, Arc<Load>) {
    let load = Arc::new(Load::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&load));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let meter = Arc::new(Recorder::default());
    let config = Config::new(format!("http://{address}").parse().unwrap());
    let traffic = Traffic::new(limits, Arc::clone(&meter) as Arc<dyn Meter>, leadership);
    let client = client::connect(config, &traffic).unwrap();
    (client, meter, load)
}

const ROOMY: Limits = Limits { under_way: 100, deadline: Duration::from_secs(20) };

#[tokio::test]
async fn a_request_without_an_answer_ends_at_the_deadline_and_is_counted() {
    let (client, meter, _) = client(Limits { deadline: Duration::from_millis(50), ..ROOMY }).await;
    let error = Api::<Pod>::all(client).list(&ListParams::default()).await.unwrap_err();
    assert!(error.to_string().contains("did not finish answering (list pods) within 50ms"), "{error}");
    assert_eq!(*meter.0.lock().unwrap(), [("list", None)]);
}

#[tokio::test]
async fn an_answer_that_stops_half_way_ends_at_the_deadline() {
    let (client, meter, _) = client(Limits { deadline: Duration::from_millis(100), ..ROOMY }).await;
    let started = Instant::now();
    let error = Api::<ConfigMap>::all(client).list(&ListParams::default()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(format!("{error:?}").contains("Late"), "{error:?}");
    assert_eq!(*meter.0.lock().unwrap(), [("list", Some(200))]);
}

#[tokio::test]
async fn no_more_requests_than_allowed_are_under_way_and_a_watch_does_not_queue_behind_them() {
    let (client, meter, load) = client(Limits { under_way: 2, ..ROOMY }).await;
    let pods = Api::<Pod>::all(client);
    let options = ListParams::default();
    let lists = async {
        let lists = futures::future::join_all((0..6).map(|_| pods.list(&options))).await;
        assert!(lists.iter().all(Result::is_ok), "{lists:?}");
        Instant::now()
    };
    let options = WatchParams::default();
    let watch = async {
        let events = pods.watch(&options, "0").await.unwrap().collect::<Vec<_>>().await;
        assert_eq!(events.len(), 1, "{events:?}");
        Instant::now()
    };
    let (listed, watched) = futures::join!(lists, watch);
    assert_eq!(load.most.load(Ordering::SeqCst), 2);
    // Three rounds of lists take 1.2 s, the watch 0.4 s.
    assert!(watched < listed);
    assert_eq!(meter.0.lock().unwrap().len(), 7);
}

#[tokio::test]
async fn a_watch_outlives_the_deadline() {
    let (client, _, _) = client(Limits { deadline: Duration::from_millis(50), ..ROOMY }).await;
    let events = Api::<Pod>::all(client).watch(&WatchParams::default(), "0").await.unwrap().collect::<Vec<_>>().await;
    assert!(matches!(events[..], [Ok(_)]), "{events:?}");
}

#[tokio::test]
async fn an_abandoned_request_gives_its_slot_back() {
    let (client, _, _) = client(Limits { under_way: 1, ..ROOMY }).await;
    let pods = Api::<Pod>::all(client);
    let options = ListParams::default();
    assert!(tokio::time::timeout(Duration::from_millis(50), pods.list(&options)).await.is_err());
    assert!(pods.list(&options).await.is_ok());
}

#[tokio::test]
async fn a_follower_reads_but_its_writes_are_not_sent() {
    let (client, meter, _) = client_of(Leadership::never(), ROOMY).await;
    let pods = Api::<Pod>::namespaced(client, "shop");
    assert!(pods.list(&ListParams::default()).await.is_ok());
    let patch = Patch::Apply(serde_json::json!({"apiVersion": "v1", "kind": "Pod"}));
    for outcome in [
        pods.patch("a", &PatchParams::apply("x"), &patch).await.err(),
        pods.create(&PostParams::default(), &Pod::default()).await.err(),
        pods.delete("a", &DeleteParams::default()).await.err(),
    ] {
        let error = outcome.unwrap().to_string();
        assert!(error.contains("not sent: this process does not lead"), "{error}");
    }
    assert_eq!(*meter.0.lock().unwrap(), [("list", Some(200))]);
}
