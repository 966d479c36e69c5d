//! How many pods, how they are replaced, where they run.

use super::{Of, Rule};

pub const RULES: &[Rule] = &[
    Rule::new(
        &["spec"],
        "!(has(self.replicas) && has(self.autoscaling))",
        "`replicas` and `autoscaling` exclude each other: remove one; to change an autoscaled number, set `autoscaling.minReplicas` and `maxReplicas`",
    )
    .field(".replicas")
    .forbidden(),
    Rule::new(
        &["spec.autoscaling"],
        "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
        "`minReplicas` must not exceed `maxReplicas`",
    )
    .field(".minReplicas"),
    Rule::new(
        &["spec.autoscaling.cpu", "spec.autoscaling.memory"],
        "has(self.averageUtilization) != has(self.averageValue)",
        "exactly one of `averageUtilization` and `averageValue` must be given",
    ),
    Rule::new(
        &["spec.disruption"],
        "!(has(self.policy) && self.policy == 'None' && has(self.maxUnavailable))",
        "`policy: None` and `maxUnavailable` exclude each other: without a budget nothing is counted",
    )
    .field(".maxUnavailable")
    .forbidden(),
    Rule::new(
        &["spec.placement"],
        "!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
        "classes that begin with `system-` are the cluster's own: it must be another",
    )
    .field(".priorityClassName")
    .forbidden(),
    Rule::new(
        &["tolerations[]"],
        "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
        "a toleration without `key` bears every taint: it needs `operator: Exists`",
    )
    .field(".operator")
    .required(),
    Rule::new(
        &["tolerations[]"],
        "!(has(self.operator) && self.operator == 'Exists' && has(self.value) && self.value != '')",
        "`operator: Exists` and `value` exclude each other",
    )
    .field(".value")
    .forbidden(),
    Rule::new(
        &["tolerations[]"],
        "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        "`tolerationSeconds` needs `effect: NoExecute`",
    )
    .field(".effect"),
    Rule::new(
        &["spec.rollout"],
        "!(has(self.strategy) && self.strategy == 'Recreate') || !(has(self.maxSurge) || has(self.maxUnavailable))",
        "`strategy: Recreate` excludes `maxSurge` and `maxUnavailable`: it stops all pods first",
    )
    .field(".strategy")
    .forbidden(),
    Rule::new(
        &["spec.rollout"],
        "!has(self.maxSurge) || !(self.maxSurge == 0 || self.maxSurge == '0%') || (has(self.maxUnavailable) && self.maxUnavailable != 0 && self.maxUnavailable != '0%')",
        "`maxSurge` and `maxUnavailable` (default 0) must not both be zero: no pod could be replaced",
    )
    .field(".maxSurge"),
    Rule::new(
        &["spec.rollout"],
        "(has(self.progressDeadlineSeconds) ? self.progressDeadlineSeconds : 600) > (has(self.minReadySeconds) ? self.minReadySeconds : 0)",
        "`progressDeadlineSeconds` (default 600) must exceed `minReadySeconds`: no update could succeed",
    )
    .field(".progressDeadlineSeconds"),
    Rule::new(
        &["spec.rollout"],
        "!has(self.canary) || (has(self.strategy) && self.strategy == 'Canary')",
        "`canary` needs `strategy: Canary`",
    )
    .field(".strategy")
    .of(Of::Whole),
    Rule::new(
        &["spec.rollout"],
        "!has(self.blueGreen) || (has(self.strategy) && self.strategy == 'BlueGreen')",
        "`blueGreen` needs `strategy: BlueGreen`",
    )
    .field(".strategy")
    .of(Of::Whole),
    Rule::new(
        &["steps[]"],
        "[has(self.setWeight), has(self.pause), has(self.setScale), has(self.match), has(self.mirror), has(self.gate)].exists_one(given, given)",
        "a step must have exactly one of `setWeight`, `pause`, `setScale`, `match`, `mirror` and `gate`",
    ),
    Rule::new(
        &["steps[].pause"],
        "has(self.seconds) != (has(self.manual) && self.manual)",
        "a pause must have exactly one of `seconds` and `manual: true`",
    ),
    Rule::new(
        &["steps[].setScale"],
        "[has(self.replicas), has(self.percent), has(self.matchWeight) && self.matchWeight].exists_one(given, given)",
        "`setScale` must have exactly one of `replicas`, `percent` and `matchWeight: true`",
    ),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.steps) || ((has(self.rollout.canary.routeRefs) || has(self.routes) && size(self.routes) > 0) && !(has(self.rollout.canary.routing) && self.rollout.canary.routing == 'Pods')) || self.rollout.canary.steps.all(s, has(s.setWeight) || has(s.pause) || has(s.gate))",
        "`setScale`, `match` and `mirror` need a gateway: declare `spec.routes`, or `routeRefs` for `setScale`, and `routing` must not be `Pods`",
    )
    .field(".rollout.canary.steps"),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.routing) || self.rollout.canary.routing != 'Gateway' || has(self.rollout.canary.routeRefs) || (has(self.routes) && size(self.routes) > 0)",
        "`routing: Gateway` needs `spec.routes` or `routeRefs`: there must be a route to give weights to",
    )
    .field(".rollout.canary.routing"),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.stableScale) || self.rollout.canary.stableScale != 'Dynamic' || (has(self.rollout.canary.routeRefs) || has(self.routes) && size(self.routes) > 0) && !(has(self.rollout.canary.routing) && self.rollout.canary.routing == 'Pods')",
        "`stableScale: Dynamic` needs a gateway: declare `spec.routes` or `routeRefs`, and `routing` must not be `Pods`, where the split is the scale",
    )
    .field(".rollout.canary.stableScale")
    .of(Of::Whole),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.stableScale) || self.rollout.canary.stableScale != 'Dynamic' || has(self.replicas)",
        "`stableScale: Dynamic` needs a fixed number of `replicas`: set `replicas` in place of `autoscaling`, or take it out",
    )
    .field(".rollout.canary.stableScale")
    .of(Of::Whole),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.routeRefs) || !has(self.routes) || size(self.routes) == 0",
        "`routeRefs` excludes `spec.routes`: name routes of your own, or have them made, not both",
    )
    .field(".rollout.canary.routeRefs")
    .forbidden(),
    Rule::new(
        &["spec"],
        "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.routeRefs) || has(self.port)",
        "`routeRefs` needs `port`: a worker answers no requests",
    )
    .field(".rollout.canary.routeRefs")
    .forbidden()
    .of(Of::Whole),
    Rule::new(
        &["spec.rollout.canary"],
        "!has(self.routeRefs) || !has(self.steps) || self.steps.all(s, !has(s.match) && !has(s.mirror))",
        "`match` and `mirror` need `spec.routes`: of the routes in `routeRefs` only weights are changed",
    )
    .field(".steps"),
    Rule::new(
        &["spec.rollout.blueGreen"],
        "!(has(self.autoPromotion) && !self.autoPromotion && has(self.autoPromotionDelaySeconds))",
        "`autoPromotion: false` excludes `autoPromotionDelaySeconds`: nothing happens by itself",
    )
    .field(".autoPromotionDelaySeconds")
    .forbidden(),
];
