//! Children that nothing asks for any more.

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};

use crate::model::Kind;
use crate::observe::World;
use crate::observe::world::{Live, Ownership};
use crate::plan::Children;

/// Children to delete, in the reverse order of apply. Only what is certainly ours: what this very Microservice controls,
/// or, without an owner, what its inventory lists by uid.
pub fn candidates<'a>(world: &'a World, children: &Children) -> Vec<&'a Live> {
    let wanted =
        |live: &Live| children.list.iter().any(|child| child.reference == live.reference) || children.retained.contains(&live.reference);
    let listed = |live: &Live| {
        let status = world.object.status.as_ref();
        status.is_some_and(|status| status.inventory.iter().any(|entry| !entry.uid.is_empty() && entry.uid == live.uid))
    };
    let ours = |live: &Live| match live.owner {
        Ownership::Ours => true,
        Ownership::Orphaned => listed(live),
        Ownership::Foreign(_) => false,
    };
    let mut found: Vec<&Live> = world.children.iter().filter(|live| !wanted(live) && !live.deleting && ours(live)).collect();
    found.sort_by(|a, b| (b.reference.kind.rank(), &b.reference).cmp(&(a.reference.kind.rank(), &a.reference)));
    found
}

/// An autoscaler that nobody wants goes before the workload is written: it would scale against the fixed number. A budget
/// goes before another one for the same pods comes: no pod under two can be evicted.
pub fn goes_first(live: &Live) -> bool {
    matches!(live.reference.kind, Kind::HorizontalPodAutoscaler | Kind::PodDisruptionBudget)
}

/// Deletes this very state of this very object. Somebody who changed it since, e.g. to take it over, keeps it.
pub fn exactly(live: &Live) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { resource_version: Some(live.resource_version.clone()), uid: Some(live.uid.clone()) }),
        ..DeleteParams::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::v1alpha1::{InventoryEntry, MicroserviceStatus};
    use crate::model::{Child, ChildRef};

    fn live(kind: Kind, name: &str, owner: Ownership) -> Live {
        Live {
            reference: ChildRef { kind, name: name.to_owned() },
            uid: format!("u-{name}"),
            resource_version: "7".to_owned(),
            owner,
            deleting: false,
            claims_replicas: false,
            object: Value::Null,
        }
    }

    fn names(world: &World, children: &Children) -> Vec<String> {
        candidates(world, children).iter().map(|live| live.reference.to_string()).collect()
    }

    #[test]
    fn what_is_neither_planned_nor_kept_goes_in_reverse_order() {
        let planned = ChildRef { kind: Kind::Deployment, name: "orders".to_owned() };
        let kept = ChildRef { kind: Kind::ControllerRevision, name: "orders-a".to_owned() };
        let world = World {
            children: vec![
                live(Kind::ServiceAccount, "orders", Ownership::Ours),
                live(Kind::ConfigMap, "orders-a", Ownership::Ours),
                live(Kind::ControllerRevision, "orders-a", Ownership::Ours),
                live(Kind::Deployment, "orders", Ownership::Ours),
                live(Kind::HorizontalPodAutoscaler, "orders", Ownership::Ours),
                Live { deleting: true, ..live(Kind::Service, "orders", Ownership::Ours) },
            ],
            ..World::default()
        };
        let children = Children {
            list: vec![Child { reference: planned, object: json!({}), autoscaled: None }],
            retained: vec![kept],
            ..Children::default()
        };
        assert_eq!(names(&world, &children), ["HorizontalPodAutoscaler orders", "ConfigMap orders-a", "ServiceAccount orders"]);
        assert!(goes_first(candidates(&world, &children)[0]));
    }

    #[test]
    fn only_what_is_certainly_ours() {
        let mut world = World {
            children: vec![
                live(Kind::Service, "a", Ownership::Foreign("not controlled by anything".to_owned())),
                live(Kind::Service, "b", Ownership::Orphaned),
                live(Kind::Service, "", Ownership::Orphaned),
            ],
            ..World::default()
        };
        world.children[2].uid.clear();
        assert_eq!(names(&world, &Children::default()), Vec::<String>::new());
        let entry = |uid: &str| InventoryEntry { uid: uid.to_owned(), ..InventoryEntry::default() };
        world.object.status =
            Some(MicroserviceStatus { inventory: ["u-a", "u-b", ""].map(entry).to_vec(), ..MicroserviceStatus::default() });
        assert_eq!(names(&world, &Children::default()), ["Service b"]);
    }

    #[test]
    fn a_deletion_holds_for_one_state_of_one_object() {
        let params = serde_json::to_value(exactly(&live(Kind::Service, "orders", Ownership::Ours))).unwrap();
        assert_eq!(params["preconditions"], json!({"uid": "u-orders", "resourceVersion": "7"}));
        assert_eq!(params["propagationPolicy"], json!("Background"));
    }
}
