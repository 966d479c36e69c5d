//! Answers of a real API server (1.36.3), as recorded, and what we make of them.

use kube::core::Status;

use super::*;

const ASKED: Asked = Asked { verb: "patch", resource: "services", namespace: "shop" };

fn error(recorded: &str) -> kube::Error {
    kube::Error::Api(serde_json::from_str::<Status>(recorded).unwrap().boxed())
}

#[track_caller]
fn said(cause: Cause, message: &str, recorded: &str) {
    let failure = explain(ASKED, &error(recorded));
    assert_eq!((failure.cause, failure.message.as_str()), (cause, message));
}

#[test]
fn roles() {
    said(
        Cause::Forbidden,
        "the operator may not patch services in namespace shop: grant the verb in its role, then check with \
         `kubectl auth can-i patch services -n shop --as=system:serviceaccount:operator:microservice-operator`",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"services \"orders\" is forbidden: User \"system:serviceaccount:operator:microservice-operator\" cannot patch resource \"services\" in API group \"\" in the namespace \"shop\"","reason":"Forbidden","details":{"name":"orders","kind":"services"},"code":403}"#,
    );
}

#[test]
fn quotas() {
    said(
        Cause::QuotaExceeded,
        "namespace shop has used up its quota few, requested: services=1, used: services=0, limited: services=0; raise it, or make room",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"services \"a\" is forbidden: exceeded quota: few, requested: services=1, used: services=0, limited: services=0","reason":"Forbidden","details":{"name":"a","kind":"services"},"code":403}"#,
    );
}

#[test]
fn namespaces_that_end() {
    said(
        Cause::Terminating,
        "namespace shop is being deleted",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"a\" is forbidden: unable to create new content in namespace shop because it is being terminated","reason":"Forbidden","details":{"name":"a","kind":"configmaps","causes":[{"reason":"NamespaceTerminating","message":"namespace shop is being terminated","field":"metadata.namespace"}]},"code":403}"#,
    );
    said(
        Cause::Terminating,
        "namespace shop does not exist any more",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"namespaces \"shop\" not found","reason":"NotFound","details":{"name":"shop","kind":"namespaces"},"code":404}"#,
    );
}

#[test]
fn admission() {
    said(
        Cause::Forbidden,
        "the admission policy 'team-label' with binding 'team-label' denied request: every object needs the label team; \
         change the spec, or ask whoever owns the policy",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'team-label' with binding 'team-label' denied request: every object needs the label team","reason":"Invalid","details":{"name":"a","kind":"configmaps","causes":[{"message":"ValidatingAdmissionPolicy 'team-label' with binding 'team-label' denied request: every object needs the label team"}]},"code":422}"#,
    );
    let webhook = "the admission webhook \"images.example.com\" denied the request: images must come from registry.example.com; \
                   change the spec, or ask whoever owns the webhook";
    for recorded in [
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"admission webhook \"images.example.com\" denied the request: images must come from registry.example.com","code":400}"#,
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"admission webhook \"images.example.com\" denied the request: images must come from registry.example.com","reason":"BadRequest","code":400}"#,
    ] {
        said(Cause::Forbidden, webhook, recorded);
    }
    let failure = explain(
        ASKED,
        &error(
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: failed calling webhook \"down.example.com\": failed to call webhook: Post \"https://127.0.0.1:18944/x?timeout=2s\": dial tcp 127.0.0.1:18944: connect: connection refused","reason":"InternalError","details":{"causes":[{"message":"failed calling webhook \"down.example.com\": failed to call webhook: Post \"https://127.0.0.1:18944/x?timeout=2s\": dial tcp 127.0.0.1:18944: connect: connection refused"}]},"code":500}"#,
        ),
    );
    assert_eq!(failure.cause, Cause::Transient);
    assert!(failure.message.contains("connection refused; that admission webhook must answer"), "{}", failure.message);
    let failure = explain(
        ASKED,
        &kube::Error::Api(
            Status::failure("pods \"a\" is forbidden: minimum cpu usage per Container is 100m", "Forbidden").with_code(403).boxed(),
        ),
    );
    assert_eq!(
        (failure.cause, failure.message.ends_with("per Container is 100m; change the spec, or ask whoever set that policy")),
        (Cause::Forbidden, true)
    );
}

#[test]
fn invalid_objects() {
    let several = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Service \"a\" is invalid: [...]","reason":"Invalid","details":{"name":"a","kind":"Service","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.ports[0].name"},{"reason":"FieldValueInvalid","message":"Invalid value: 99999: must be between 1 and 65535, inclusive","field":"spec.ports[1].port"}]},"code":422}"#;
    said(
        Cause::Invalid,
        "the API server says that services would be invalid: spec.ports[0].name: Required value; \
         spec.ports[1].port: Invalid value: 99999: must be between 1 and 65535, inclusive",
        several,
    );
    assert!(!is_fixed_address(&error(several)) && !is_replaced(&error(several)));
    // No reason, and a 500.
    let unknown = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.replikas: field not declared in schema","code":500}"#;
    let failure = explain(ASKED, &error(unknown));
    assert_eq!((failure.cause, failure.message.ends_with("it is older than this operator supports")), (Cause::Invalid, true));
}

#[test]
fn many_wrong_fields_are_counted_and_long_texts_cut() {
    let cause =
        |index: usize| serde_json::json!({"reason": "FieldValueInvalid", "message": "bad", "field": format!("spec.ports[{index}]")});
    let status =
        serde_json::json!({"message": "m", "reason": "Invalid", "code": 422, "details": {"causes": (0..8).map(cause).collect::<Vec<_>>()}});
    let failure = explain(ASKED, &error(&status.to_string()));
    assert!(failure.message.ends_with("spec.ports[4]: bad; and 3 more"), "{}", failure.message);
    let long = kube::Error::Api(Status::failure(&"é".repeat(5000), "InternalError").with_code(500).boxed());
    assert!(explain(ASKED, &long).message.len() <= LONGEST);
}

#[test]
fn objects_that_are_not_what_was_read() {
    let replaced = error(
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"11111111-1111-1111-1111-111111111111\": field is immutable","reason":"Invalid","details":{"name":"a","kind":"ConfigMap","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: \"11111111-1111-1111-1111-111111111111\": field is immutable","field":"metadata.uid"}]},"code":422}"#,
    );
    assert!(is_replaced(&replaced) && !is_conflict(&replaced));
    for conflict in [
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"a","kind":"configmaps"},"code":409}"#,
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on configmaps \"c\": uid mismatch: the provided object specified uid 11111111-1111-1111-1111-111111111111, and no existing object was found","reason":"Conflict","details":{"name":"c","kind":"configmaps"},"code":409}"#,
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on ConfigMap \"b\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (277). The object might have been modified","reason":"Conflict","details":{"name":"b","kind":"ConfigMap"},"code":409}"#,
    ] {
        assert!(is_conflict(&error(conflict)));
        said(Cause::Transient, "services was changed by somebody else at the same moment", conflict);
    }
}

#[test]
fn an_address_that_does_not_change() {
    assert!(is_fixed_address(&error(
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Service \"c\" is invalid: spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set","reason":"Invalid","details":{"name":"c","kind":"Service","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: [\"None\"]: may not change once set","field":"spec.clusterIPs[0]"}]},"code":422}"#,
    )));
}

#[test]
fn servers_that_cannot_answer_now() {
    let status = |code: u16, reason: &str| kube::Error::Api(Status::failure("said", reason).with_code(code).boxed());
    for (cause, code, reason) in [
        (Cause::Transient, 401, "Unauthorized"),
        (Cause::Transient, 404, "NotFound"),
        (Cause::Transient, 409, "AlreadyExists"),
        (Cause::Transient, 429, "TooManyRequests"),
        (Cause::Transient, 500, "InternalError"),
        (Cause::Transient, 503, "ServiceUnavailable"),
        (Cause::Transient, 504, "Timeout"),
        (Cause::Invalid, 400, "BadRequest"),
        (Cause::Invalid, 413, "RequestEntityTooLarge"),
        (Cause::Invalid, 415, "UnsupportedMediaType"),
    ] {
        assert_eq!(explain(ASKED, &status(code, reason)).cause, cause, "{code}");
    }
    let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
    let failure = explain(ASKED, &kube::Error::Service(Box::new(refused)));
    assert_eq!(
        (failure.cause, failure.message.as_str()),
        (Cause::Transient, "the API server could not be asked to patch services: connection refused")
    );
}
