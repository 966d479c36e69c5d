//! A timeline for a terminal: a line for each change, and a summary.

use crate::cli::kubectl::brief::{Hold, State};
use crate::cli::kubectl::screen::{Screen, Tone, WIDTH, Word, plain, word};

use super::options::Moment;
use super::scenario::Scenario;
use super::timeline::{Frame, Mark, Outcome, Pods, Source, Summary, Timeline, clock};

/// Most lines of a table, about: a longer story is told in coarser steps of time.
const LINES: usize = 40;
/// Steps of time, in milliseconds, within which changes of pods are told in one line.
const GRAINS: [Moment; 9] = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 7_200_000];
/// Most cells of the bar; beyond that one cell stands for several pods.
const CELLS: i64 = 12;

/// A line of the table.
struct Row<'a> {
    at: Moment,
    frame: &'a Frame,
    marks: Vec<&'a Mark>,
}

pub fn screen(scenario: &Scenario, timeline: &Timeline, summary: &Summary) -> Screen {
    let mut screen = Screen::default();
    head(&mut screen, scenario, timeline);
    table(&mut screen, scenario, timeline);
    foot(&mut screen, timeline, summary);
    screen
}

fn head(screen: &mut Screen, scenario: &Scenario, timeline: &Timeline) {
    let service = &scenario.new.service;
    let strategy = format!("{:?}", service.rollout.strategy);
    screen.line([plain("Simulated rollout of "), word(Tone::Strong, scenario.name()), plain(format!(", {strategy}"))]);
    let (old, new) = (&timeline.old, &timeline.new);
    screen.prose(plain("  old  "), Tone::Plain, &format!("{}, revision {} ({})", old.image, old.revision, scenario.origin));
    screen.prose(plain("  new  "), Tone::Plain, &format!("{}, revision {}", new.image, new.revision));
    screen.line([]);
}

fn table(screen: &mut Screen, scenario: &Scenario, timeline: &Timeline) {
    let rows = rows(timeline);
    let most = timeline.frames.iter().map(Frame::there).max().unwrap_or_default();
    let cells = usize::try_from(most.min(CELLS)).unwrap_or_default().max(4);
    let steps: Vec<String> = rows.iter().map(|row| step(row.frame, scenario)).collect();
    let wide = steps.iter().map(|text| text.chars().count()).max().unwrap_or_default().max(4);
    let weighted = rows.iter().any(|row| row.frame.said.weight.is_some());
    let weight_wide = if weighted { 10 } else { 0 };
    let time_wide = rows.iter().map(|row| clock(row.at).len()).max().unwrap_or_default().max(7);
    let title = |text: &str, width: usize| word(Tone::Quiet, format!("{text:width$}"));
    let mut titles = vec![word(Tone::Quiet, format!("{:>time_wide$}  ", "TIME")), title("STEP", wide + 2)];
    if weighted {
        titles.push(title("WEIGHT", weight_wide));
    }
    let widest = rows.iter().flat_map(|row| [counts(&row.frame.old), counts(&row.frame.new)]).map(|text| text.len()).max();
    let pods_wide = widest.unwrap_or_default().max(3) + 2;
    titles.extend([title("PODS", cells + 2), title("OLD", pods_wide), title("NEW", pods_wide)]);
    screen.line(titles);
    let (mut said, mut shown) = (String::new(), String::new());
    for (row, step) in rows.iter().zip(steps) {
        let mut lead = vec![plain(format!("{:>time_wide$}  ", clock(row.at))), word(tone(row.frame), format!("{step:wide$}  "))];
        if weighted {
            lead.push(plain(format!("{:weight_wide$}", weight(row.frame))));
        }
        lead.extend(bar(row.frame, most, cells));
        lead.push(plain(format!("  {:pods_wide$}{:pods_wide$}", counts(&row.frame.old), counts(&row.frame.new))));
        let blank = lead.iter().map(Word::width).sum::<usize>();
        let room = 2 * WIDTH.saturating_sub(blank).max(30) - 10;
        let mut texts: Vec<(Tone, String)> = row.marks.iter().map(|mark| (mark_tone(mark.source), cut(&told(mark), room))).collect();
        let waits = cut(&words(row.frame), room);
        // What the operator has announced it need not say again.
        let announced =
            row.marks.iter().any(|mark| mark.source == Source::Warning) || row.frame.said.state == State::Ready && !row.marks.is_empty();
        if !waits.is_empty() && waits != said && !announced {
            texts.push((tone(row.frame), waits.clone()));
        }
        said = waits;
        let cells: String = lead.iter().skip(1).map(|word| word.text.as_str()).collect();
        if texts.is_empty() && cells == shown {
            continue;
        }
        shown = cells;
        if texts.is_empty() {
            texts.push((Tone::Plain, String::new()));
        }
        for (tone, text) in texts {
            screen.beside(std::mem::replace(&mut lead, vec![plain(" ".repeat(blank))]), tone, &text);
        }
    }
    screen.line([]);
    legend(screen);
    screen.line([]);
}

/// Ready pods of those that exist.
fn counts(side: &Pods) -> String {
    if side.there == 0 { "-".to_owned() } else { format!("{}/{}", side.ready, side.there) }
}

/// States and marks, with what comes within one grain told in one line.
fn rows(timeline: &Timeline) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for grain in GRAINS {
        rows = grained(timeline, grain);
        if rows.len() <= LINES {
            break;
        }
    }
    rows
}

fn grained(timeline: &Timeline, grain: Moment) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    // When the burst began whose last state the last row shows.
    let mut burst = Moment::MIN;
    for frame in &timeline.frames {
        let same_step = |row: &Row| {
            let (a, b) = (&row.frame.said, &frame.said);
            (a.step, a.weight.map(|weight| weight.0), a.state, &a.hold) == (b.step, b.weight.map(|weight| weight.0), b.state, &b.hold)
        };
        let joins = rows.last().is_some_and(|row| row.at > 0 && frame.at - burst < grain && same_step(row));
        match rows.last_mut().filter(|_| joins) {
            Some(row) => (row.at, row.frame) = (frame.at, frame),
            None => {
                burst = frame.at;
                rows.push(Row { at: frame.at, frame, marks: Vec::new() });
            }
        }
    }
    for mark in &timeline.marks {
        // Whoever does something does it before its consequences; the operator tells of what it has done.
        let place = rows.iter().position(|row| row.at >= mark.at).unwrap_or(rows.len().saturating_sub(1));
        if let Some(row) = rows.get_mut(place) {
            row.marks.push(mark);
        }
    }
    joined(rows)
}

/// Without states of a moment on the way to the next one; what happened then is told with that.
fn joined(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let mut kept: Vec<Row> = Vec::new();
    let mut burst = Moment::MIN;
    for mut row in rows {
        // The first is the service as it ran.
        let on_the_way = if kept.len() > 1 { kept.pop_if(|_| row.at - burst < GRAINS[0]) } else { None };
        match on_the_way {
            Some(last) => row.marks.splice(0..0, last.marks).for_each(drop),
            None => burst = row.at,
        }
        kept.push(row);
    }
    kept
}

fn step(frame: &Frame, scenario: &Scenario) -> String {
    let Some((index, steps)) = frame.said.step else { return "-".to_owned() };
    let name = frame.step_name(&scenario.new.service);
    if index >= steps { name } else { format!("{}/{steps} {name}", index + 1) }
}

fn weight(frame: &Frame) -> String {
    match frame.said.weight {
        None => "-".to_owned(),
        Some((wanted, seen)) if wanted == seen => format!("{wanted} %"),
        Some((wanted, seen)) => format!("{seen}→{wanted} %"),
    }
}

fn words(frame: &Frame) -> String {
    let words = frame.said.words.clone();
    match &frame.said.hold {
        Some(Hold::Promotion) => "waits for you: promote, or abort".to_owned(),
        Some(Hold::Command) => "held by command; waits for you: resume, or abort".to_owned(),
        Some(Hold::Spec) => "held by `spec.rollout.paused`; waits for you".to_owned(),
        Some(Hold::Until(_)) => words.split(" with the annotation").next().map(|start| format!("{start} with promote")).unwrap_or_default(),
        Some(Hold::Gate(_)) | None => words,
    }
}

/// The begin of a text that is told in full elsewhere.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn told(mark: &Mark) -> String {
    format!("[{}] {}", mark.source.word(), mark.text)
}

fn tone(frame: &Frame) -> Tone {
    match frame.outcome() {
        Outcome::Completed | Outcome::Unchanged => Tone::Good,
        Outcome::RolledBack | Outcome::Aborted | Outcome::Failed => Tone::Bad,
        Outcome::Waiting | Outcome::Unfinished => Tone::Busy,
    }
}

fn mark_tone(source: Source) -> Tone {
    match source {
        Source::User => Tone::Strong,
        Source::Operator => Tone::Plain,
        Source::Warning | Source::Fault | Source::Rule => Tone::Bad,
    }
}

/// What a pod looks like in the bar.
const SIGNS: [(&str, Tone, &str); 4] = [
    ("▒", Tone::Plain, "old, serving"),
    ("█", Tone::Good, "new, serving"),
    ("░", Tone::Quiet, "ready, without requests"),
    ("·", Tone::Busy, "not ready"),
];

/// One cell for each pod, or for as many as make the widest bar fit.
fn bar(frame: &Frame, most: i64, cells: usize) -> Vec<Word> {
    let most = most.max(1);
    let scale = |pods: i64| if most <= CELLS { pods } else { (pods * CELLS + most / 2) / most };
    let (old, new) = (&frame.old, &frame.new);
    let idle = [old, new].map(|side| side.ready - side.serving);
    let parts = [(0, old.serving), (2, idle[0]), (1, new.serving), (2, idle[1]), (3, frame.there() - old.ready - new.ready)];
    let (mut words, mut sum, mut used) = (Vec::new(), 0, 0);
    for (kind, pods) in parts {
        // What is rounded off here is added there, so that as many pods take as many cells.
        sum += pods;
        let wide = usize::try_from(scale(sum)).unwrap_or_default().saturating_sub(used);
        used += wide;
        if let Some((sign, tone, _)) = SIGNS.get(kind) {
            words.push(word(*tone, sign.repeat(wide)));
        }
    }
    words.push(plain(" ".repeat(cells.saturating_sub(used))));
    words
}

fn legend(screen: &mut Screen) {
    let mut words = vec![plain("pods:")];
    for (sign, tone, meaning) in SIGNS {
        words.extend([plain("  "), word(tone, sign), plain(format!(" {meaning}"))]);
    }
    screen.line(words);
}

fn foot(screen: &mut Screen, timeline: &Timeline, summary: &Summary) {
    let (tone, result) = verdict(timeline, summary);
    screen.prose(word(tone, format!("{:13}", heading(timeline.outcome))), Tone::Plain, result.trim());
    let (least, when) = summary.least;
    let mut pods =
        format!("never fewer than {least} served, of {} promised; never more than {} existed", timeline.promised, summary.most.0);
    if least < timeline.promised {
        pods.push_str(&format!("; fewest at {}", clock(when)));
    }
    screen.prose(plain(format!("{:13}", "Pods")), Tone::Plain, &pods);
    let (mean, peak) = summary.share;
    let share = format!("{mean:.0} % of the requests until then went to the new version, at most {peak:.0} %");
    screen.prose(plain(format!("{:13}", "Requests")), Tone::Plain, &share);
    if summary.broken.is_empty() {
        screen.prose(
            word(Tone::Good, format!("{:13}", "Safe")),
            Tone::Plain,
            "no safety rule was broken: the operator took away no pod that was needed",
        );
    }
    for mark in &summary.broken {
        screen.prose(word(Tone::Bad, format!("{:13}", "Broken")), Tone::Plain, &format!("at {}: {}", clock(mark.at), mark.text));
    }
}

pub const fn heading(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "Completed",
        Outcome::Unchanged => "Unchanged",
        Outcome::Waiting => "Waiting",
        Outcome::RolledBack => "Rolled back",
        Outcome::Aborted => "Aborted",
        Outcome::Failed => "Failed",
        Outcome::Unfinished => "Unfinished",
    }
}

fn verdict(timeline: &Timeline, summary: &Summary) -> (Tone, String) {
    let at = format!("at {}", clock(summary.decided));
    let rest =
        if clock(summary.settled) == clock(summary.decided) { String::new() } else { format!("; at rest at {}", clock(summary.settled)) };
    let words = timeline.frames.last().map(words).unwrap_or_default();
    match timeline.outcome {
        Outcome::Completed => (Tone::Good, format!("{at}{rest}")),
        Outcome::Unchanged => (Tone::Good, format!("the pods are the same in both specs: none was replaced{rest}")),
        Outcome::Waiting => (Tone::Busy, format!("since {}: {words}", clock(summary.decided))),
        Outcome::RolledBack | Outcome::Aborted | Outcome::Failed => (Tone::Bad, format!("{at}{rest}: {words}")),
        Outcome::Unfinished => (Tone::Busy, format!("at {}; look further with --until: {words}", clock(summary.settled))),
    }
}
