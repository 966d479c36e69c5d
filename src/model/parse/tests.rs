mod any;

use serde_json::{Value, json};

use super::*;
use crate::api::v1alpha1::{Protocol, Strategy};
use crate::model::{Direction, Scaling, Target, Who};

fn manifest(spec: &str) -> Microservice {
    let mut spec: Value = serde_saphyr::from_str(spec).unwrap();
    spec.as_object_mut().unwrap().entry("image").or_insert(json!("ghcr.io/acme/orders:1"));
    let object = json!({
        "apiVersion": "microservices.dev/v1alpha1",
        "kind": "Microservice",
        "metadata": {"name": "orders", "namespace": "shop", "uid": "0a1b2c3d", "generation": 3, "annotations": {"microservices.dev/retry": "6f9c1a2b"}},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn service(spec: &str) -> Service {
    parse(&manifest(spec)).unwrap_or_else(|problems| panic!("{spec}: {problems:#?}")).service
}

fn problems(spec: &str) -> Vec<String> {
    let found = match parse(&manifest(spec)) {
        Ok(parsed) => parsed.warnings,
        Err(problems) => problems,
    };
    found.iter().map(|problem| format!("{:?} {problem}", problem.severity)).collect()
}

/// Specs that pass admission, the field of the problem, and what its message says.
const WRONG: &[(&str, &str, &str)] = &[
    ("{port: 1, probes: {readiness: {httpGet: {port: htpp}}}}", "spec.probes.readiness.httpGet.port", "there is `http`"),
    ("{probes: {liveness: {tcpSocket: {port: a}}}}", "spec.probes.liveness.tcpSocket.port", "it declares none by name"),
    ("{lifecycle: {preStop: {httpGet: {port: a}}}}", "spec.lifecycle.preStop.httpGet.port", "no port named `a`"),
    (
        "{port: 1, sidecars: [{name: a, image: 'a:1', probes: {readiness: {httpGet: {port: http}}}}]}",
        "spec.sidecars[0].probes.readiness.httpGet.port",
        "no port named `http`",
    ),
    (
        "{port: 1, sidecars: [{name: a, image: 'a:1', ports: [{name: http, containerPort: 2}]}]}",
        "spec.sidecars[0].ports[0].name",
        "already has a port named `http`",
    ),
    ("{accessPolicy: {inbound: [{cidr: 10.0.0.1/8}]}}", "spec.accessPolicy.inbound[0].cidr", "the network is `10.0.0.0/8`"),
    ("{accessPolicy: {inbound: [{cidr: 10.0.0.1}]}}", "spec.accessPolicy.inbound[0].cidr", "as a network it is `10.0.0.1/32`"),
    ("{accessPolicy: {outbound: [{cidr: example.com}]}}", "spec.accessPolicy.outbound[0].cidr", "host names cannot be enforced"),
    ("{accessPolicy: {inbound: [{}]}}", "spec.accessPolicy.inbound[0]", "must name a peer"),
    (
        "{accessPolicy: {inbound: [{podSelector: {matchLabels: {a: b}}}, {podSelector: {matchLabels: {a: b}}}]}}",
        "spec.accessPolicy.inbound[1]",
        "names this peer twice",
    ),
    ("{accessPolicy: {outbound: [{service: a, ports: [1, 1]}]}}", "spec.accessPolicy.outbound[0].ports[1]", "port `1` twice"),
    ("{port: 8080, accessPolicy: {inbound: [{service: a, ports: [80]}]}}", "spec.accessPolicy.inbound[0].ports[0]", "not of the Service"),
    ("{port: 8080, accessPolicy: {inbound: [{service: a, ports: [grpc]}]}}", "spec.accessPolicy.inbound[0].ports[0]", "there is `http`"),
    ("{accessPolicy: {outbound: [{cidr: 10.0.0.0/8, ports: [https]}]}}", "spec.accessPolicy.outbound[0].ports[0]", "must be a number"),
    (
        "{accessPolicy: {inbound: [{podSelector: {matchLabels: {'a b': c}}}]}}",
        "spec.accessPolicy.inbound[0].podSelector.matchLabels[a b]",
        "a key must have a name",
    ),
    ("{replicas: 1, autoscaling: {}}", "spec.replicas", "exclude each other"),
    ("{autoscaling: {minReplicas: 3, maxReplicas: 2}}", "spec.autoscaling.minReplicas", "must not exceed"),
    ("{autoscaling: {cpu: {}}}", "spec.autoscaling.cpu", "exactly one of"),
    ("{autoscaling: {memory: {averageValue: '0'}}}", "spec.autoscaling.memory.averageValue", "above zero"),
    (
        "{autoscaling: {cpu: {averageUtilization: 50}}, resources: {requests: {cpu: 0}}}",
        "spec.autoscaling.cpu.averageUtilization",
        "a share of nothing",
    ),
    ("{resources: {requests: {cpu: 0}}}", "spec.autoscaling", "a share of nothing"),
    ("{resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}", "spec.resources.requests.memory", "must not exceed the limit of 1Gi"),
    ("{resources: {limits: {memory: 512m}}}", "spec.resources.limits.memory", "a mebibyte is `Mi`"),
    ("{resources: {limits: {memory: lots}}}", "spec.resources.limits.memory", "must be an amount"),
    ("{resources: {limits: {gpu: 1}}}", "spec.resources.limits.gpu", "with its domain"),
    ("{resources: {requests: {nvidia.com/gpu: 1}}}", "spec.resources.requests.nvidia.com/gpu", "needs a limit"),
    (
        "{resources: {requests: {hugepages-2Mi: 2Mi}, limits: {hugepages-2Mi: 4Mi}}}",
        "spec.resources.requests.hugepages-2Mi",
        "must be equal",
    ),
    (
        "{sidecars: [{name: a, image: 'a:1', resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]}",
        "spec.sidecars[0].resources.requests.cpu",
        "must not exceed",
    ),
    ("{files: [{mountPath: /a, emptyDir: {sizeLimit: 0.5}}]}", "spec.files[0].emptyDir.sizeLimit", "whole number"),
    ("{files: [{mountPath: /tmp, content: a}]}", "spec.files[0].mountPath", "must stay a folder"),
    ("{files: [{mountPath: /a/b, content: a}, {mountPath: /a, content: b}]}", "spec.files[0].mountPath", "`/a` is a file"),
    ("{files: [{mountPath: /a/b, content: a}, {mountPath: /a, configMap: {name: b}}]}", "spec.files[0].mountPath", "read-only"),
    ("{port: 1, service: {annotations: {'a/b/c': d}}}", "spec.service.annotations[a/b/c]", "before the `/`"),
    (
        "{port: 1, service: {annotations: {'argocd.argoproj.io/sync-wave': '1'}}}",
        "spec.service.annotations[argocd.argoproj.io/sync-wave]",
        "take the child for its own",
    ),
    (
        "{serviceAccount: {annotations: {'microservices.dev/retry': a}}}",
        "spec.serviceAccount.annotations[microservices.dev/retry]",
        "the operator's own",
    ),
    ("{placement: {nodeSelector: {'-a': b}}}", "spec.placement.nodeSelector[-a]", "a key must have a name"),
    (
        "{placement: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: [x]}]}]}}}}}",
        "spec.placement.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values",
        "a whole number",
    ),
    (
        "{placement: {affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {matchExpressions: [{key: a, operator: In}]}}]}}}}",
        "spec.placement.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].values",
        "at least one value",
    ),
    // ---- podTemplate
    (
        "{podTemplate: {metadata: {labels: {app.kubernetes.io/name: a}}}}",
        "spec.podTemplate.metadata.labels[app.kubernetes.io/name]",
        "selectors",
    ),
    (
        "{podTemplate: {metadata: {labels: {microservices.dev/track: a}}}}",
        "spec.podTemplate.metadata.labels[microservices.dev/track]",
        "selectors",
    ),
    (
        "{podTemplate: {metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/orders: unconfined}}}}",
        "spec.podTemplate.metadata.annotations[container.apparmor.security.beta.kubernetes.io/orders]",
        "confined",
    ),
    ("{podTemplate: {spec: {hostname: null}}}", "spec.podTemplate.spec.hostname", "null removes nothing"),
    ("{podTemplate: {spec: {hostAlias: []}}}", "spec.podTemplate.spec.hostAlias", "no such field"),
    ("{podTemplate: {spec: {containers: [{name: orders, imgae: a}]}}}", "spec.podTemplate.spec.containers[0].imgae", "no such field"),
    ("{podTemplate: {spec: {hostAliases: {ip: a}}}}", "spec.podTemplate.spec.hostAliases", "kubectl explain pod.spec.hostAliases"),
    ("{podTemplate: {spec: {containers: [{image: a}]}}}", "spec.podTemplate.spec.containers[0].name", "the service's own: `orders`"),
    ("{podTemplate: {spec: {containers: [{name: main}]}}}", "spec.podTemplate.spec.containers[0].image", "unless it means one of `orders`"),
    ("{podTemplate: {spec: {hostNetwork: true}}}", "spec.podTemplate.spec.hostNetwork", "the node's namespaces"),
    ("{podTemplate: {spec: {hostPID: true, hostIPC: true}}}", "spec.podTemplate.spec.hostIPC", "the node's namespaces"),
    ("{podTemplate: {spec: {nodeName: a}}}", "spec.podTemplate.spec.nodeName", "spec.placement"),
    ("{podTemplate: {spec: {serviceAccountName: a}}}", "spec.podTemplate.spec.serviceAccountName", "spec.serviceAccount"),
    ("{podTemplate: {spec: {serviceAccount: a}}}", "spec.podTemplate.spec.serviceAccount", "spec.serviceAccount"),
    (
        "{podTemplate: {spec: {automountServiceAccountToken: true}}}",
        "spec.podTemplate.spec.automountServiceAccountToken",
        "spec.serviceAccount.automountToken",
    ),
    ("{podTemplate: {spec: {restartPolicy: Never}}}", "spec.podTemplate.spec.restartPolicy", "until they are replaced"),
    ("{podTemplate: {spec: {activeDeadlineSeconds: 5}}}", "spec.podTemplate.spec.activeDeadlineSeconds", "until they are replaced"),
    ("{podTemplate: {spec: {ephemeralContainers: [{name: a}]}}}", "spec.podTemplate.spec.ephemeralContainers", "kubectl debug"),
    ("{podTemplate: {spec: {priorityClassName: system-node-critical}}}", "spec.podTemplate.spec.priorityClassName", "the cluster's own"),
    ("{podTemplate: {spec: {os: {name: windows}}}}", "spec.podTemplate.spec.os", "Linux"),
    (
        "{podTemplate: {spec: {volumes: [{name: a, hostPath: {path: /}}]}}}",
        "spec.podTemplate.spec.volumes[0].hostPath",
        "must not be mounted",
    ),
    ("{podTemplate: {spec: {volumes: [{emptyDir: {}}]}}}", "spec.podTemplate.spec.volumes[0].name", "needs its name"),
    (
        "{podTemplate: {spec: {securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}}}}",
        "spec.podTemplate.spec.securityContext.sysctls[0].name",
        "kernel.msgmax",
    ),
    (
        "{podTemplate: {spec: {securityContext: {seccompProfile: {type: Unconfined}}}}}",
        "spec.podTemplate.spec.securityContext.seccompProfile.type",
        "confined",
    ),
    (
        "{podTemplate: {spec: {securityContext: {windowsOptions: {hostProcess: true}}}}}",
        "spec.podTemplate.spec.securityContext.windowsOptions.hostProcess",
        "the node itself",
    ),
    (
        "{podTemplate: {spec: {securityContext: {seLinuxOptions: {type: spc_t}}}}}",
        "spec.podTemplate.spec.securityContext.seLinuxOptions",
        "container types",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, securityContext: {privileged: true}}]}}}",
        "spec.podTemplate.spec.containers[0].securityContext.privileged",
        "owns the node",
    ),
    (
        "{podTemplate: {spec: {initContainers: [{name: a, image: b, securityContext: {capabilities: {add: [NET_ADMIN]}}}]}}}",
        "spec.podTemplate.spec.initContainers[0].securityContext.capabilities.add[0]",
        "NET_ADMIN",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, securityContext: {procMount: Unmasked}}]}}}",
        "spec.podTemplate.spec.containers[0].securityContext.procMount",
        "masked",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, securityContext: {appArmorProfile: {type: Unconfined}}}]}}}",
        "spec.podTemplate.spec.containers[0].securityContext.appArmorProfile.type",
        "confined",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, ports: [{containerPort: 1, hostPort: 1}]}]}}}",
        "spec.podTemplate.spec.containers[0].ports[0].hostPort",
        "use the Service",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, livenessProbe: {httpGet: {host: a, port: 1}}}]}}}",
        "spec.podTemplate.spec.containers[0].livenessProbe.httpGet.host",
        "the pod itself",
    ),
    (
        "{podTemplate: {spec: {containers: [{name: orders, lifecycle: {preStop: {tcpSocket: {host: a, port: 1}}}}]}}}",
        "spec.podTemplate.spec.containers[0].lifecycle.preStop.tcpSocket.host",
        "the pod itself",
    ),
];

#[test]
fn what_admission_cannot_see_is_found() {
    for (spec, field, message) in WRONG {
        let found = problems(spec);
        let right = found.iter().any(|problem| problem.starts_with(&format!("Error {field}: ")) && problem.contains(message));
        assert!(right, "{spec}\nexpected {field}: {message}\ngot {found:#?}");
    }
}

#[test]
fn what_is_right_is_left_alone() {
    let specs = [
        "{}",
        "{port: 8080, ports: [{name: admin, port: 9090}], probes: {readiness: {httpGet: {port: admin}}, liveness: {tcpSocket: {port: http}}}}",
        "{files: [{mountPath: /a/b, content: a}, {mountPath: /a, emptyDir: {}}, {mountPath: /ab, content: c}]}",
        "{resources: {requests: {cpu: 0}, limits: {nvidia.com/gpu: 1}}, replicas: 1}",
        "{port: 8080, sidecars: [{name: a, image: 'a:1', ports: [{name: metrics, containerPort: 9}]}], accessPolicy: {inbound: [{podSelector: {}, ports: [http, 8080, metrics, 9]}]}}",
        "{podTemplate: {metadata: {labels: {tier: back}, annotations: {example.com/a: b}}, spec: {hostAliases: [{ip: 203.0.113.5, hostnames: [legacy]}], hostUsers: false, runtimeClassName: gvisor, dnsConfig: {options: [{name: ndots, value: '2'}]}}}}",
        "{initContainers: [{name: warm, image: 'a:1'}], podTemplate: {spec: {containers: [{name: orders, tty: true}], initContainers: [{name: warm, tty: true}]}}}",
        "{image: 'ghcr.io/acme/orders@sha256:0123'}",
        "{image: 'localhost:5000/orders:v1'}",
    ];
    for spec in specs {
        assert_eq!(problems(spec), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn images_that_move_are_worth_a_warning() {
    for image in ["orders", "orders:latest", "localhost:5000/orders", "ghcr.io/acme/orders:latest"] {
        let found = problems(&format!("{{image: '{image}'}}"));
        assert!(found.len() == 1 && found[0].starts_with("Warning spec.image: "), "{image}: {found:?}");
    }
}

#[test]
fn all_problems_are_found_at_once_and_errors_come_first() {
    let found = problems("{image: a, port: 1, resources: {limits: {memory: x}}, accessPolicy: {inbound: [{cidr: x}, {cidr: z}]}}");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[..3].iter().all(|problem| problem.starts_with("Error")) && found[3].starts_with("Warning"), "{found:#?}");
}

#[test]
fn the_list_of_problems_ends() {
    let peers: Vec<String> = (0..100).map(|number| format!("{{cidr: x{number}}}")).collect();
    let found = problems(&format!("{{accessPolicy: {{inbound: [{}]}}}}", peers.join(", ")));
    assert_eq!(found.len(), LISTED);
    assert!(found[LISTED - 1].contains("37 more"), "{:?}", found.last());
}

#[test]
fn ports_and_their_names() {
    let ports = |spec| service(spec).ports.into_iter().map(|port| (port.name, port.number, port.service_port)).collect::<Vec<_>>();
    let of = |name: &str, number, service| (name.to_owned(), number, service);
    assert_eq!(ports("{}"), []);
    assert_eq!(ports("{port: 8080}"), [of("http", 8080, 80)]);
    assert_eq!(ports("{port: 8080, protocol: GRPC, service: {port: 81}}"), [of("grpc", 8080, 81)]);
    assert_eq!(ports("{port: 5353, protocol: UDP}"), [of("udp", 5353, 5353)]);
    assert_eq!(ports("{port: 8080, service: {headless: true}}"), [of("http", 8080, 8080)]);
    assert_eq!(ports("{port: 8080, ports: [{name: admin, port: 9090}]}"), [of("http", 8080, 80), of("admin", 9090, 9090)]);
    assert_eq!(service("{port: 1, ports: [{name: a, port: 2}]}").ports[1].protocol, Protocol::TCP);
}

#[test]
fn bounds_give_way_to_each_other() {
    let bounds = |spec| match service(spec).scaling {
        Scaling::Auto(bounds) => (bounds.min, bounds.max),
        Scaling::Fixed(_) => panic!("fixed"),
    };
    assert_eq!(bounds("{}"), (2, 6));
    assert_eq!(bounds("{autoscaling: {minReplicas: 9}}"), (9, 9));
    assert_eq!(bounds("{autoscaling: {maxReplicas: 1}}"), (1, 1));
    assert_eq!(bounds("{autoscaling: {minReplicas: 1, maxReplicas: 40}}"), (1, 40));
    assert_eq!(service("{replicas: 0}").scaling, Scaling::Fixed(0));
}

#[test]
fn cpu_is_the_target_unless_another_is_given() {
    let targets = |spec| match service(spec).scaling {
        Scaling::Auto(bounds) => (bounds.cpu, bounds.memory),
        Scaling::Fixed(_) => panic!("fixed"),
    };
    let value = Target::Value(k8s_openapi::apimachinery::pkg::api::resource::Quantity("400Mi".to_owned()));
    assert_eq!(targets("{}"), (Some(Target::Utilization(70)), None));
    assert_eq!(targets("{autoscaling: {memory: {averageValue: 400Mi}}}"), (None, Some(value.clone())));
    let both = "{autoscaling: {cpu: {averageUtilization: 50}, memory: {averageValue: 400Mi}}}";
    assert_eq!(targets(both), (Some(Target::Utilization(50)), Some(value)));
}

#[test]
fn the_autoscalers_behavior_is_always_whole() {
    let Scaling::Auto(bounds) =
        service("{autoscaling: {behavior: {scaleDown: {stabilizationWindowSeconds: 60, selectPolicy: Min}}}}").scaling
    else {
        panic!("fixed")
    };
    let expected = json!({
        "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Min", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
    });
    assert_eq!(serde_json::to_value(bounds.behavior).unwrap(), expected);
}

#[test]
fn a_list_closes_its_direction_only() {
    let access = |spec| service(spec).access;
    let open = access("{}");
    assert_eq!((open.inbound, open.outbound), (Direction::Namespace, Direction::Open));
    let strict = access("{accessPolicy: {isolation: Strict}}");
    assert_eq!((strict.inbound, strict.outbound), (Direction::Only(vec![]), Direction::Only(vec![])));
    let none = access("{accessPolicy: {isolation: None}}");
    assert_eq!((none.inbound, none.outbound), (Direction::Open, Direction::Open));
    let listed = access("{port: 1, accessPolicy: {inbound: [{service: web, namespace: front}]}}");
    let Direction::Only(peers) = listed.inbound else { panic!("not closed") };
    assert_eq!(peers[0].who, Who::Service { name: "web".to_owned(), namespace: Some("front".to_owned()) });
    assert_eq!(listed.outbound, Direction::Open);
}

#[test]
fn identity_commands_and_the_rest() {
    let service =
        service("{system: shop, owner: team-a, disruption: {policy: None}, rollout: {strategy: Recreate}, deletionPolicy: Orphan}");
    assert_eq!((service.name.as_str(), service.namespace.as_str(), service.generation), ("orders", "shop", 3));
    assert_eq!(
        service.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        ["app.kubernetes.io/part-of=shop", "microservices.dev/owner=team-a"]
    );
    assert_eq!(service.commands, Commands { retry: Some("6f9c1a2b".to_owned()), ..Commands::default() });
    assert_eq!(service.disruption, None);
    assert_eq!((service.rollout.strategy, service.rollout.history_limit), (Strategy::Recreate, 10));
    assert!(!service.suspend);
}

#[test]
fn defaults_say_what_the_spec_leaves_out_and_nothing_else() {
    let short = service("{port: 8080}").defaults;
    assert_eq!(short["autoscaling"]["minReplicas"], 2);
    assert_eq!(short["service"], json!({"port": 80}));
    assert_eq!(short["probes"], json!({"readiness": {"tcpSocket": {"port": 8080}}}));
    assert_eq!(short["resources"], json!({"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}));
    assert_eq!(short["lifecycle"], json!({"preStop": {"sleep": {"seconds": 5}}}));
    assert_eq!(short["rollout"]["maxSurge"], "25%");

    let given = service(
        "{replicas: 3, terminationGracePeriodSeconds: 4, resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}, rollout: {maxSurge: 1}}",
    )
    .defaults;
    assert!(!given.contains_key("autoscaling") && !given.contains_key("service") && !given.contains_key("terminationGracePeriodSeconds"));
    assert_eq!(given["resources"], json!({"requests": {"memory": "256Mi"}}));
    assert!(given["rollout"].get("maxSurge").is_none());
}

/// Defaults are said here and acted on in `plan`; this holds them together.
#[test]
fn defaults_are_what_the_children_do() {
    let service = service("{port: 8080}");
    let said = &service.defaults;
    let children = crate::plan::children::fresh(&service, jiff::Timestamp::UNIX_EPOCH);
    let find = |kind| &children.list.iter().find(|child| child.reference.kind == kind).unwrap().object["spec"];
    let deployment = find(crate::model::Kind::Deployment);
    let pod = &deployment["template"]["spec"];
    let main = &pod["containers"][0];
    assert_eq!(main["resources"], said["resources"]);
    assert_eq!(main["readinessProbe"]["tcpSocket"], said["probes"]["readiness"]["tcpSocket"]);
    assert_eq!(main["lifecycle"], said["lifecycle"]);
    for (key, value) in said["securityContext"].as_object().unwrap() {
        assert_eq!(&main["securityContext"][key], value, "{key}");
    }
    assert_eq!(pod["securityContext"], said["podSecurityContext"]);
    assert_eq!(pod["terminationGracePeriodSeconds"], said["terminationGracePeriodSeconds"]);
    assert_eq!(pod["automountServiceAccountToken"], said["serviceAccount"]["automountToken"]);
    assert_eq!(deployment["strategy"]["rollingUpdate"]["maxSurge"], said["rollout"]["maxSurge"]);
    assert_eq!(deployment["progressDeadlineSeconds"], said["rollout"]["progressDeadlineSeconds"]);
    assert_eq!(find(crate::model::Kind::HorizontalPodAutoscaler)["behavior"], said["autoscaling"]["behavior"]);
    assert_eq!(find(crate::model::Kind::PodDisruptionBudget)["maxUnavailable"], said["disruption"]["maxUnavailable"]);
    assert_eq!(find(crate::model::Kind::Service)["ports"][0]["port"], said["service"]["port"]);
}
