//! What events make of the stores, without a server.

use serde_json::{Value, json};

use super::*;
use crate::model::Kind;

const SERVICE: Watched = Watched::Child(Kind::Service);

struct Room {
    stores: Stores,
    watches: [Watch; 3],
    lists: [List; 3],
}

impl Room {
    fn new() -> Self {
        let stores = Stores::of(Vec::new());
        let lists = [stores.begin(), stores.begin(), stores.begin()];
        Self {
            stores,
            watches: [Watch::new(Watched::Microservice, None), Watch::new(SERVICE, None), Watch::new(Watched::Pod, None)],
            lists,
        }
    }

    fn tell(&mut self, place: usize, event: watcher::Event<Seen<Fields>>) {
        absorb(&self.stores, &self.watches[place], &mut self.lists[place], Ok(event));
    }

    fn tell_pod(&mut self, event: watcher::Event<Seen<PodFields>>) {
        absorb(&self.stores, &self.watches[2], &mut self.lists[2], Ok(event));
    }

    /// Services that are due within a second, in order.
    async fn due(&self) -> Vec<String> {
        let mut names = Vec::new();
        while let Ok(turn) = tokio::time::timeout(Duration::from_secs(1), self.stores.queue.next()).await {
            names.push(turn.key().name.to_string());
        }
        names
    }
}

fn seen<B: Body>(object: &Value) -> Seen<B> {
    serde_json::from_str(&object.to_string()).unwrap()
}

fn service(name: &str, version: &str) -> Seen<Fields> {
    seen(&json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "resourceVersion": version},
                "spec": {"image": "a"}}))
}

fn child(name: &str, owner: &str, version: &str, port: i32) -> Seen<Fields> {
    let uid = format!("u-{owner}");
    let owner = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "name": owner, "uid": uid, "controller": true});
    seen(&json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": version, "ownerReferences": [owner]},
                 "spec": {"port": port}, "status": {"loadBalancer": {"ticks": version}}}))
}

fn pod(name: &str, phase: &str) -> Seen<PodFields> {
    seen(
        &json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "1", "labels": {"app.kubernetes.io/instance": "orders"}},
                 "status": {"phase": phase, "podIP": "203.0.113.1"}}),
    )
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_event_makes_its_service_due_and_noise_does_not() {
    let mut room = Room::new();
    room.tell(0, watcher::Event::Apply(service("orders", "1")));
    assert_eq!(room.due().await, ["orders"]);
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "2", 80)));
    assert_eq!(room.due().await, ["orders"]);
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "3", 80)));
    assert_eq!(room.due().await, Vec::<String>::new(), "only the status changed, of a kind whose status nobody reads");
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "4", 81)));
    assert_eq!(room.due().await, ["orders"]);
    room.tell_pod(watcher::Event::Apply(pod("orders-a-b", "Pending")));
    assert_eq!(room.due().await, ["orders"]);
    room.tell_pod(watcher::Event::Apply(pod("orders-a-b", "Pending")));
    assert_eq!(room.due().await, Vec::<String>::new());
    room.tell_pod(watcher::Event::Delete(pod("orders-a-b", "Pending")));
    assert_eq!(room.due().await, ["orders"]);
    room.tell(1, watcher::Event::Delete(child("orders", "orders", "5", 81)));
    assert_eq!(room.due().await, ["orders"]);
    room.tell(0, watcher::Event::Delete(service("orders", "6")));
    assert_eq!(room.due().await, ["orders"]);
    assert!(room.stores.gather(&Key::new("shop", "orders")).unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_changes_hands_makes_both_services_due() {
    let mut room = Room::new();
    room.tell(1, watcher::Event::Apply(child("web", "web", "1", 80)));
    room.due().await;
    room.tell(1, watcher::Event::Apply(child("web", "orders", "2", 80)));
    assert_eq!(room.due().await, ["web", "orders"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_disappeared_while_the_watch_was_down_makes_its_service_due() {
    let mut room = Room::new();
    for (place, event) in [
        (1, watcher::Event::Init),
        (1, watcher::Event::InitApply(child("orders", "orders", "1", 80))),
        (1, watcher::Event::InitApply(child("web", "web", "1", 80))),
        (1, watcher::Event::InitDone),
    ] {
        room.tell(place, event);
    }
    assert_eq!(room.watches[1].missing(), None);
    assert_eq!(room.due().await, ["orders", "web"]);
    room.tell(1, watcher::Event::Init);
    room.tell(1, watcher::Event::InitApply(child("orders", "orders", "1", 80)));
    room.tell(1, watcher::Event::InitDone);
    assert_eq!(room.due().await, ["web"], "what is still there is no news");
    assert_eq!(room.stores.size(SERVICE), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_list_waits_behind_what_happens() {
    let mut room = Room::new();
    for name in ["a", "b"] {
        room.tell(0, watcher::Event::InitApply(service(name, "1")));
    }
    room.tell(0, watcher::Event::Apply(service("c", "1")));
    assert_eq!(room.due().await, ["c", "a", "b"]);
    room.stores.touch_all();
    let mut all = room.due().await;
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_children_is_one_turn_and_an_edit_waits_for_nothing() {
    let mut room = Room::new();
    let start = Instant::now();
    for port in 1..10 {
        room.tell(1, watcher::Event::Apply(child("orders", "orders", "1", port)));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    drop(room.stores.queue.next().await);
    assert_eq!(start.elapsed(), BURST, "the first event sets the time; later ones do not put it off");
    assert_eq!(room.due().await, Vec::<String>::new());
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "2", 80)));
    let start = Instant::now();
    room.tell(0, watcher::Event::Apply(service("orders", "3")));
    drop(room.stores.queue.next().await);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn gather_reads_an_answer_until_the_watch_has_told_of_it() {
    let mut room = Room::new();
    let key = Key::new("shop", "orders");
    room.tell(0, watcher::Event::Apply(service("orders", "1")));
    let answer = child("orders", "orders", "5", 81);
    room.stores.expectations.wrote(&key, SERVICE, "orders", Version::parse("5"), trim::object(SERVICE, answer));
    let port = |room: &Room| {
        let world = room.stores.gather(&key).unwrap().unwrap();
        world.children.first().map(|live| (live.object["spec"]["port"].clone(), live.resource_version.clone()))
    };
    assert_eq!(port(&room), Some((json!(81), "5".to_owned())));
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "4", 80)));
    assert_eq!(port(&room), Some((json!(81), "5".to_owned())), "an older event does not turn it back");
    room.tell(1, watcher::Event::Delete(child("orders", "orders", "6", 81)));
    assert_eq!(port(&room), None);

    room.tell(1, watcher::Event::Apply(child("orders", "orders", "7", 80)));
    room.stores.expectations.removed(&key, SERVICE, "orders", Version::parse("7"));
    assert_eq!(port(&room), None);
    room.tell(1, watcher::Event::Apply(child("orders", "orders", "9", 82)));
    assert_eq!(port(&room), Some((json!(82), "9".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_later_list_does_not_hold_is_forgotten_and_its_service_due() {
    let mut room = Room::new();
    let key = Key::new("shop", "orders");
    room.tell(0, watcher::Event::Apply(service("orders", "1")));
    room.stores.expectations.wrote(&key, SERVICE, "orders", Version::parse("5"), trim::object(SERVICE, child("orders", "orders", "5", 81)));
    room.due().await;
    tokio::time::advance(Duration::from_millis(1)).await;
    room.tell(1, watcher::Event::Init);
    room.tell(1, watcher::Event::InitDone);
    assert_eq!(room.due().await, ["orders"]);
    assert!(room.stores.gather(&key).unwrap().unwrap().children.is_empty());
}

fn user(name: &str, profile: Option<&str>) -> Seen<Fields> {
    let named = profile.map(|profile| json!({ "name": profile }));
    seen(&json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"},
                 "spec": {"image": "a:1", "profileRef": named}}))
}

fn profile(name: &str, most: i32) -> Seen<Fields> {
    seen(&json!({"metadata": {"name": name, "uid": name, "resourceVersion": most.to_string()},
                 "spec": {"rollouts": {"maxConcurrent": most}}}))
}

#[tokio::test(start_paused = true)]
async fn a_profile_makes_those_due_that_use_it() {
    let mut room = Room::new();
    let watch = Watch::new(Watched::Profile, None);
    let mut list = room.stores.begin();
    let mut tell = |room: &Room, event| absorb(&room.stores, &watch, &mut list, Ok(event));
    for (name, named) in [("a", None), ("b", Some("strict")), ("c", Some("default"))] {
        room.tell(0, watcher::Event::Apply(user(name, named)));
        room.stores.gather(&Key::new("shop", name)).unwrap();
    }
    assert_eq!(room.due().await, ["a", "b", "c"]);
    tell(&room, watcher::Event::Apply(profile("strict", 1)));
    assert_eq!(room.due().await, ["b"]);
    tell(&room, watcher::Event::Apply(profile("default", 1)));
    let mut due = room.due().await;
    due.sort();
    assert_eq!(due, ["a", "c"]);
    tell(&room, watcher::Event::Apply(profile("default", 1)));
    assert_eq!(room.due().await, [""; 0], "the same again is no news");
    let world = room.stores.gather(&Key::new("shop", "a")).unwrap().unwrap();
    assert_eq!(world.profile.found().and_then(|found| found.metadata.name.as_deref()), Some("default"));
    tell(&room, watcher::Event::Delete(profile("strict", 2)));
    assert_eq!(room.due().await, ["b"]);
    room.tell(0, watcher::Event::Delete(user("b", Some("strict"))));
    assert_eq!((room.due().await, room.stores.named().len()), (vec!["b".to_owned()], 1));
}

#[test]
fn why_a_profile_cannot_be_had_is_told() {
    let missing = |watches: Vec<Watch>, absent: bool| {
        let stores = Stores::of(watches.into_iter().map(Arc::new).collect());
        if absent {
            let status = kube::core::Status::failure("404 page not found", "NotFound").with_code(404);
            stores.watches[0].fails(&watcher::Error::InitialListFailed(kube::Error::Api(status.boxed())), &stores.errors);
        }
        let watch = Watch::new(Watched::Microservice, None);
        absorb(&stores, &watch, &mut stores.begin(), Ok(watcher::Event::Apply(user("a", Some("strict")))));
        match stores.gather(&Key::new("shop", "a")).unwrap().unwrap().profile {
            crate::model::profile::Given::Missing(why) => why,
            found => panic!("{found:?}"),
        }
    };
    let alone = vec![Watch::new(Watched::Microservice, Some("shop".to_owned()))];
    assert!(missing(alone, false).contains("works in single namespaces and sees no profiles"));
    let all = || vec![Watch::new(Watched::Profile, None)];
    assert!(missing(all(), true).contains("this cluster has no kind MicroserviceProfile: apply the files under crds/"));
    assert_eq!(missing(all(), false), "there is no MicroserviceProfile `strict`: create it, or name another one");
}
