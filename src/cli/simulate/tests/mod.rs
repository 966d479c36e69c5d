//! Whole plays of the samples, as users read them.

use clap::Parser;

use super::options::Args;
use super::scenario::Scenario;
use super::timeline::{Outcome, Source, Timeline};
use super::{json, play, svg, text};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(file: &str, flags: &str) -> Args {
    // Tests run in the folder of the package.
    let fixed = ["simulate", "-f", file];
    Line::try_parse_from(fixed.into_iter().chain(flags.split_whitespace())).unwrap().args
}

fn played(file: &str, flags: &str) -> (Scenario, Timeline) {
    let args = args(file, flags);
    let scenario = Scenario::read(&args).unwrap_or_else(|problems| panic!("{problems:?}"));
    let timeline = play::play(&scenario, &args).unwrap();
    (scenario, timeline)
}

fn shown(file: &str, flags: &str) -> String {
    let (scenario, timeline) = played(file, flags);
    text::screen(&scenario, &timeline, &timeline.summary()).text(false)
}

fn refused(file: &str, flags: &str) -> String {
    let args = args(file, flags);
    let played = Scenario::read(&args).and_then(|scenario| play::play(&scenario, &args).map_err(|problem| vec![problem]));
    played.err().expect("nothing is played").join("\n")
}

const CANARY: &str = "config/samples/canary.yaml";
const BLUE_GREEN: &str = "config/samples/blue-green.yaml";
const GATEWAY: &str = "config/samples/gateway-canary.yaml";
const ROLLING: &str = "config/samples/ten-lines.yaml";

#[test]
fn a_canary() {
    insta::assert_snapshot!("canary", shown(CANARY, "--auto-promote 30"));
}

#[test]
fn a_canary_that_crashes() {
    insta::assert_snapshot!("canary_crash", shown(CANARY, "--auto-promote 30 --fail crash@50"));
}

#[test]
fn a_canary_that_is_aborted() {
    insta::assert_snapshot!("canary_abort", shown(CANARY, "--do abort@20"));
}

#[test]
fn a_canary_whose_image_is_bad() {
    insta::assert_snapshot!("canary_pull", shown(CANARY, "--fail pull"));
}

#[test]
fn a_canary_behind_a_gateway() {
    insta::assert_snapshot!("gateway_canary", shown(GATEWAY, "--auto-promote 30"));
}

#[test]
fn a_switch() {
    insta::assert_snapshot!("blue_green", shown(BLUE_GREEN, "--do promote@60"));
}

#[test]
fn a_rolling_update() {
    insta::assert_snapshot!("rolling", shown(ROLLING, "--image localhost/testserver:2"));
}

#[test]
fn colours_change_no_letter() {
    let (scenario, timeline) = played(CANARY, "");
    let screen = text::screen(&scenario, &timeline, &timeline.summary());
    let (coloured, mut bare, mut inside) = (screen.text(true), String::new(), false);
    for sign in coloured.chars() {
        match sign {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            sign if !inside => bare.push(sign),
            _ => {}
        }
    }
    assert_ne!(coloured, bare);
    let trimmed: Vec<&str> = bare.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, screen.text(false).lines().collect::<Vec<_>>());
    assert!(bare.lines().all(|line| line.chars().count() <= 100), "{bare}");
}

/// Every way out, with its exit status.
#[test]
fn each_story_ends_as_it_must() {
    let table = [
        (CANARY, "", Outcome::Waiting, 0),
        (CANARY, "--auto-promote 1m", Outcome::Completed, 0),
        (CANARY, "--do promote-full@20", Outcome::Completed, 0),
        (CANARY, "--do abort@20", Outcome::Aborted, 1),
        (CANARY, "--do pause@2 --do resume@20", Outcome::Waiting, 0),
        (CANARY, "--do promote@20 --do promote@30", Outcome::Completed, 0),
        (CANARY, "--fail unready", Outcome::RolledBack, 1),
        (CANARY, "--fail pull --do retry@700", Outcome::RolledBack, 1),
        (CANARY, "--fail crash@10 --auto-promote 30", Outcome::RolledBack, 1),
        (CANARY, "--auto-promote 30 --until 60", Outcome::Unfinished, 3),
        (CANARY, "--auto-promote 30 --lose-pods 2@20 --lose-pods 3@41 --restart-operator 42", Outcome::Completed, 0),
        (CANARY, "--quota 5", Outcome::RolledBack, 1),
        (BLUE_GREEN, "", Outcome::Waiting, 0),
        (BLUE_GREEN, "--do promote@20 --lose-pods 3@25", Outcome::Completed, 0),
        (ROLLING, "", Outcome::Completed, 0),
        (ROLLING, "--fail crash", Outcome::RolledBack, 1),
        (ROLLING, "--do promote@1", Outcome::Completed, 0),
        (ROLLING, "--image localhost/testserver:1", Outcome::Unchanged, 0),
        (ROLLING, "--replicas 5", Outcome::Completed, 0),
    ];
    for (file, flags, outcome, status) in table {
        let (_, timeline) = played(file, flags);
        let broken = timeline.summary().broken;
        assert_eq!((timeline.outcome, timeline.status(), broken), (outcome, status, vec![]), "{file} {flags}");
    }
}

#[test]
fn a_broken_rule_is_a_failure() {
    let (_, mut timeline) = played(ROLLING, "");
    timeline.marks.push(super::timeline::Mark { at: 1, source: Source::Rule, text: "too few pods".to_owned() });
    assert_eq!((timeline.status(), timeline.summary().broken.len()), (1, 1));
}

#[test]
fn the_load_of_an_autoscaled_service_sets_its_pods() {
    let (_, timeline) = played(ROLLING, "--replicas 5");
    let summary = timeline.summary();
    assert_eq!((timeline.frames[0].serving(), summary.least.0), (5, 5));
}

/// Behind a gateway the weight is the share of the requests, whatever the number of pods.
#[test]
fn a_gateway_splits_requests_by_weight() {
    let (_, timeline) = played(GATEWAY, "--auto-promote 30");
    let at = |weight: i32| timeline.frames.iter().filter(move |frame| frame.said.weight == Some((weight, weight))).map(|frame| frame.share);
    let rested = [at(0).next_back(), at(10).next_back(), at(50).next_back()];
    assert_eq!(rested, [Some(0.0), Some(10.0), Some(50.0)]);
    assert_eq!((timeline.outcome, timeline.summary().broken, timeline.summary().least.0), (Outcome::Completed, vec![], 4));
    assert!((timeline.summary().share.1 - 100.0).abs() < 0.1);
}

/// In a route of the user's as well: the play has one that leads to the service.
#[test]
fn a_users_route_splits_requests_by_weight() {
    let (_, timeline) = played("config/samples/route-refs.yaml", "");
    let at = |weight: i32| timeline.frames.iter().filter(move |frame| frame.said.weight == Some((weight, weight))).map(|frame| frame.share);
    assert_eq!([at(10).next_back(), at(50).next_back()], [Some(10.0), Some(50.0)]);
    assert_eq!((timeline.outcome, timeline.summary().broken, timeline.summary().least.0), (Outcome::Completed, vec![], 4));
}

#[test]
fn pods_take_the_time_that_they_are_said_to_take() {
    for (flags, first) in [("--pod-ready 5", 5_000), ("--pod-ready 1m", 60_000)] {
        let (_, timeline) = played(CANARY, flags);
        let ready = timeline.frames.iter().find(|frame| frame.new.ready > 0).unwrap().at;
        assert!((first..first + 3_000).contains(&ready), "{flags}: {ready} ms");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let told = |flags: &str| {
        let (scenario, timeline) = played(CANARY, flags);
        let summary = timeline.summary();
        json::text(&scenario, &timeline, &summary) + &svg::picture(&scenario, &timeline, &summary)
    };
    assert_eq!(told("--seed 7"), told("--seed 7"));
    assert_ne!(told("--seed 7"), told("--seed 8"));
}

#[test]
fn what_cannot_be_played_is_said() {
    for (file, flags, expected) in [
        (CANARY, "--replicas 3", "--replicas is for autoscaled services; this one has 5 pods, by `spec.replicas`"),
        (ROLLING, "--replicas 300", "--replicas: must be from 2 to 6, the bounds of the autoscaler; 300 is not"),
        (CANARY, "--service other", "there is no Microservice other in the input"),
        ("config/samples", "", "there are several Microservices in the input: "),
        (CANARY, "--from config/samples/blue-green.yaml", "--from: there is no Microservice canary in the input"),
        (CANARY, "--quota 4", "the service as it runs does not get Ready: "),
        (
            CANARY,
            "--image Not:An:Image",
            "with --image Not:An:Image: config/samples/canary.yaml:9: Microservice/canary: spec.image: must be ",
        ),
    ] {
        let problem = refused(file, flags);
        assert!(problem.contains(expected), "{problem}");
    }
}

/// Every tag is closed in its turn, and nothing else looks like one.
#[test]
fn the_picture_is_well_formed() {
    for (file, flags) in [(CANARY, "--auto-promote 30 --fail crash@50"), (BLUE_GREEN, "--do promote@60"), (ROLLING, "")] {
        let (mut scenario, timeline) = played(file, flags);
        scenario.new.service.name = "<&\">".to_owned();
        let picture = svg::picture(&scenario, &timeline, &timeline.summary());
        assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && picture.ends_with("</svg>\n"), "{picture}");
        assert!(!picture.contains("NaN") && !picture.contains("=\"inf"), "{picture}");
        assert_eq!(picture.matches("http").count(), 1, "the namespace, and nothing from elsewhere");
        let mut open: Vec<&str> = Vec::new();
        for part in picture.split('<').skip(1) {
            let (tag, rest) = part.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {part}"));
            assert!(!rest.contains('>'), "{part}");
            let name = tag.split([' ', '/']).next().unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{part}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert!(open.is_empty(), "{open:?}");
    }
}
