//! All children of a few services, in full. A change here is a change of what runs in clusters: pods are replaced when a
//! template changes for a service whose record was lost, and everything else is rewritten once.

use super::{fresh, manifest, yaml};
use crate::cli::output;
use crate::model::parse;

const MINIMAL: &str = include_str!("../../testdata/minimal.yaml");
const WORKER: &str = include_str!("../../testdata/worker.yaml");
const ROUTED: &str = include_str!("../../testdata/routed.yaml");
const FULL: &str = include_str!("../../testdata/full.yaml");

fn rendered(name: &str, spec: &str) -> String {
    let service = parse::parse(&manifest(name, &yaml(spec))).expect("a valid spec").service;
    let documents: Vec<String> = fresh(&service).list.iter().map(|child| output::yaml(&child.object).expect("YAML")).collect();
    documents.join("---\n")
}

macro_rules! golden {
    ($name:ident, $service:literal, $spec:expr) => {
        #[test]
        fn $name() {
            insta::with_settings!({snapshot_path => "../../testdata", prepend_module_to_snapshot => false, omit_expression => true}, {
                insta::assert_snapshot!(stringify!($name), rendered($service, $spec));
            });
        }
    };
}

golden!(minimal, "orders", MINIMAL);
golden!(worker, "mailer", WORKER);
golden!(routed, "orders", ROUTED);
golden!(full, "orders", FULL);
