//! Screens of the situations that people meet, and the decisions behind verbs, without a cluster.

mod decisions;
mod samples;
mod wire;

use super::brief::Brief;
use super::family::Family;
use super::table::Columns;
use super::{overview, tree, why};

/// All screens of a service, one after the other.
fn screens(family: &Family, colour: bool) -> String {
    let brief = Brief::of(&family.object, samples::now(), " -n shop");
    let all = [
        ("get -o wide", Columns { everywhere: false, wide: true }.table(&[&family.object], samples::now())),
        ("status", overview::screen(&brief)),
        ("tree", tree::draw(&tree::tree(family, &brief))),
        ("why", why::answer(family, &brief)),
    ];
    let texts = all.map(|(verb, screen)| format!("$ kubectl microservice {verb}\n{}", screen.text(colour)));
    texts.join("\n").replace('\x1b', "␛")
}

macro_rules! shown {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            let family = samples::$name();
            let plain = screens(&family, false);
            insta::assert_snapshot!(stringify!($name), plain);
            let coloured = screens(&family, true);
            insta::assert_snapshot!(concat!(stringify!($name), "_coloured"), coloured);
            let bare: String = coloured.split('␛').enumerate().map(|(index, part)| {
                if index == 0 { part } else { part.split_once('m').map_or(part, |(_, rest)| rest) }
            }).collect();
            assert_eq!(bare, plain, "colours change no character");
        }
    )*};
}

shown!(ready, paused, gated, lacking, waiting, rolled_back, stalled, fresh);
