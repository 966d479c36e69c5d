//! A timeline as a picture that stands alone: no script, no font of its own, and colours for light and dark.

mod canvas;
mod plot;

use super::scenario::Scenario;
use super::text::{cut, heading};
use super::timeline::{Frame, Mark, Outcome, Source, Summary, Timeline, clock, rational};
use canvas::{Anchor, Canvas};
use plot::Plot;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 904.0;
const TOP: f64 = 150.0;
const HEIGHT: f64 = 260.0;
/// Height of a line in the list of marks.
const LINE: f64 = 20.0;
/// Width of a character, about.
const LETTER: f64 = 6.6;
/// Most marks: with more the list would be the picture.
const MARKS: usize = 14;
/// Longest line of the list, in characters.
const LONGEST: usize = 125;

const STYLE: &str = "\
svg { --back: #ffffff; --ink: #1f2937; --soft: #6b7280; --grid: #e5e7eb; --band: #f3f4f6; --old: #93a8c9; --new: #2f9e6e;
  --pale: #e0b252; --share: #b4491f; --wanted: #1f2937; --bad: #c62828; --mark: #4b5563; background: var(--back);
  font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
@media (prefers-color-scheme: dark) { svg { --back: #0f172a; --ink: #e5e7eb; --soft: #9ca3af; --grid: #293548; --band: #1b2638;
  --old: #53698f; --new: #34b37e; --pale: #b98a2f; --share: #fb923c; --wanted: #e5e7eb; --bad: #f87171; --mark: #94a3b8; } }
.back { fill: var(--back); } .ink { fill: var(--ink); } .soft { fill: var(--soft); font-size: 12px; }
.title { fill: var(--ink); font-size: 19px; font-weight: 600; }
.good { fill: var(--new); font-weight: 600; } .bad { fill: var(--bad); font-weight: 600; } .busy { fill: var(--pale); font-weight: 600; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.band { fill: var(--band); } .gap { fill: none; } .edge { stroke: var(--grid); }
.old { fill: var(--old); } .new { fill: var(--new); } .pale { fill: var(--pale); opacity: .55; } .faint { opacity: .4; }
.share { fill: none; stroke: var(--share); stroke-width: 2; } .asked { fill: none; stroke: var(--share); stroke-dasharray: 2 4; stroke-width: 1.5; }
.wanted { fill: none; stroke: var(--wanted); stroke-dasharray: 7 4; stroke-width: 1.5; }
.drop { stroke: var(--mark); stroke-dasharray: 1 3; } .dot { fill: var(--mark); } .dot-bad { fill: var(--bad); }
.number { fill: var(--back); font-size: 10px; font-weight: 700; }
";

/// The whole picture.
pub fn picture(scenario: &Scenario, timeline: &Timeline, summary: &Summary) -> String {
    let (shown, more) = chosen(timeline);
    let list = TOP + HEIGHT + 66.0;
    let lines = i64::try_from(shown.len() + usize::from(more > 0)).unwrap_or_default();
    let height = list + LINE * rational(lines) + 6.0;
    let mut canvas = Canvas::default();
    canvas.rect("back", (0.0, 0.0), (WIDTH, height));
    let about = head(&mut canvas, scenario, timeline, summary);
    let plot = Plot::new(timeline, summary, (LEFT, TOP), (RIGHT - LEFT, HEIGHT));
    plot.draw(&mut canvas, &scenario.new.service, &shown);
    marks(&mut canvas, &shown, more, list);
    let title = format!("Rollout of {}", scenario.name());
    canvas.finish((WIDTH, height), (&title, &about), STYLE)
}

fn head(canvas: &mut Canvas, scenario: &Scenario, timeline: &Timeline, summary: &Summary) -> String {
    let service = &scenario.new.service;
    canvas.text("title", (20.0, 32.0), Anchor::Start, &format!("Rollout of {}", scenario.name()));
    let class = match timeline.outcome {
        Outcome::Completed | Outcome::Unchanged => "good",
        Outcome::Waiting | Outcome::Unfinished => "busy",
        Outcome::RolledBack | Outcome::Aborted | Outcome::Failed => "bad",
    };
    let outcome = format!("{} at {}", heading(timeline.outcome), clock(summary.decided));
    canvas.text(class, (WIDTH - 20.0, 32.0), Anchor::End, &outcome);
    let what = format!("{:?}: {} → {}", service.rollout.strategy, timeline.old.image, timeline.new.image);
    canvas.text("soft", (20.0, 52.0), Anchor::Start, &cut(&what, LONGEST));
    let (least, most) = (summary.least.0, summary.most.0);
    let safe = if summary.broken.is_empty() { "no safety rule broken" } else { "a safety rule was broken" };
    let pods = format!("at least {least} of {} promised pods served; at most {most} existed; {safe}", timeline.promised);
    canvas.text(if summary.broken.is_empty() { "soft" } else { "bad" }, (20.0, 70.0), Anchor::Start, &sentence(&pods));
    legend(canvas, timeline);
    format!("{what}. {outcome}; {pods}.")
}

fn legend(canvas: &mut Canvas, timeline: &Timeline) {
    let y = 96.0;
    let mut x = 20.0;
    let any = |is: fn(&Frame) -> bool| timeline.frames.iter().any(is);
    let idle = any(|frame| frame.serving() < frame.old.ready + frame.new.ready);
    let weighted = any(|frame| frame.said.weight.is_some());
    let areas = [("old", "old pods", true), ("new", "new pods", true), ("faint", "without requests", idle), ("pale", "not ready", true)];
    for (class, text, _) in areas.into_iter().filter(|(.., there)| *there) {
        canvas.rect(if class == "faint" { "new faint" } else { class }, (x, y - 10.0), (14.0, 12.0));
        canvas.text("soft", (x + 20.0, y), Anchor::Start, text);
        x += 40.0 + LETTER * width(text);
    }
    let lines = [("wanted", "wanted pods", true), ("share", "share of requests to new", true), ("asked", "weight asked for", weighted)];
    for (class, text, _) in lines.into_iter().filter(|(.., there)| *there) {
        canvas.line(class, (x, y - 4.0), (x + 22.0, y - 4.0));
        canvas.text("soft", (x + 28.0, y), Anchor::Start, text);
        x += 48.0 + LETTER * width(text);
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().into_iter().flat_map(char::to_uppercase).chain(signs).collect()
}

/// Characters of a text.
fn width(text: &str) -> f64 {
    rational(i64::try_from(text.chars().count()).unwrap_or_default())
}

/// The marks that are drawn, and how many there are beyond.
fn chosen(timeline: &Timeline) -> (Vec<&Mark>, usize) {
    let shown: Vec<&Mark> = timeline.marks.iter().take(MARKS).collect();
    let more = timeline.marks.len() - shown.len();
    (shown, more)
}

fn marks(canvas: &mut Canvas, shown: &[&Mark], more: usize, top: f64) {
    let mut y = top;
    for (index, mark) in shown.iter().enumerate() {
        canvas.circle(dot(mark.source), (30.0, y - 4.0), 8.0);
        canvas.text("number", (30.0, y - 0.5), Anchor::Middle, &(index + 1).to_string());
        canvas.text("ink", (88.0, y), Anchor::End, &clock(mark.at));
        canvas.text("soft", (100.0, y), Anchor::Start, mark.source.word());
        canvas.text("ink", (176.0, y), Anchor::Start, &cut(&mark.text, LONGEST - 20));
        y += LINE;
    }
    if more > 0 {
        canvas.text("soft", (176.0, y), Anchor::Start, &format!("and {more} more"));
    }
}

/// Colour of a mark.
fn dot(source: Source) -> &'static str {
    match source {
        Source::User | Source::Operator => "dot",
        Source::Warning | Source::Fault | Source::Rule => "dot-bad",
    }
}
