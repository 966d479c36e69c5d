//! The plot: pods as stacked areas, shares as lines, steps as bands above, and marks as numbered lines.

use crate::cli::simulate::options::Moment;
use crate::cli::simulate::timeline::{Frame, Mark, Summary, Timeline, clock, rational};
use crate::model::Service;

use super::canvas::{Anchor, Canvas};
use super::{LETTER, dot, width};

/// Distances between ticks of the time axis, in milliseconds.
const TICKS: [Moment; 17] = [
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000,
    21_600_000, 86_400_000,
];
/// Most ticks of the time axis.
const MOST_TICKS: i64 = 12;
/// Distances between lines of the pods' axis.
const STRIDES: [i64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Most lines of the pods' axis.
const MOST_STRIDES: i64 = 10;
/// Height of the strip with the steps.
const STRIP: f64 = 22.0;

/// A frame, from when to when.
type Span<'a> = (&'a Frame, (Moment, Moment));

/// Up to how many pods something reaches.
type Height = fn(&Frame) -> i64;

pub struct Plot<'a> {
    frames: &'a [Frame],
    /// Before 0:00, the service as it runs.
    begin: Moment,
    end: Moment,
    pods: i64,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl<'a> Plot<'a> {
    pub fn new(timeline: &'a Timeline, summary: &Summary, (left, top): (f64, f64), (width, height): (f64, f64)) -> Self {
        // A little more than there is to see, so that the last state is one.
        let end = (summary.settled + summary.settled / 16).max(5_000);
        let begin = -end / 32;
        let wanted = timeline.frames.iter().map(|frame| i64::from(frame.wanted)).max().unwrap_or_default();
        let pods = wanted.max(summary.most.0).max(1) + 1;
        Self { frames: &timeline.frames, begin, end, pods, left, top, width, height }
    }

    pub fn draw(&self, canvas: &mut Canvas, service: &Service, marks: &[&Mark]) {
        self.steps(canvas, service);
        self.axes(canvas);
        // Each lies upon the one before.
        let layers: [(&str, Height); 6] = [
            ("", |_| 0),
            ("old", |frame| frame.old.serving),
            ("old faint", |frame| frame.old.ready),
            ("new", |frame| frame.old.ready + frame.new.serving),
            ("new faint", |frame| frame.old.ready + frame.new.ready),
            ("pale", Frame::there),
        ];
        for ((_, low), (class, high)) in layers.iter().zip(layers.iter().skip(1)) {
            self.area(canvas, class, low, high);
        }
        let asked = |frame: &Frame| frame.said.weight.map_or(f64::NAN, |(asked, _)| f64::from(asked));
        self.steps_line(canvas, "asked", |frame| asked(frame), |share| self.at_share(share));
        self.steps_line(canvas, "wanted", |frame| f64::from(frame.wanted), |pods| self.at_pods(pods));
        self.steps_line(canvas, "share", |frame| frame.share, |share| self.at_share(share));
        for (index, mark) in marks.iter().enumerate() {
            self.mark(canvas, index, mark, marks);
        }
    }

    fn x(&self, at: Moment) -> f64 {
        self.left + self.width * rational(at.min(self.end) - self.begin) / rational(self.end - self.begin)
    }

    fn at_pods(&self, pods: f64) -> f64 {
        self.top + self.height * (1.0 - pods / rational(self.pods))
    }

    fn at_share(&self, percent: f64) -> f64 {
        // Full is a little below the edge, where the line can be seen.
        self.top + self.height * (1.0 - percent / 105.0)
    }

    fn axes(&self, canvas: &mut Canvas) {
        let bottom = self.top + self.height;
        let stride = STRIDES.into_iter().find(|stride| self.pods / stride <= MOST_STRIDES).unwrap_or(self.pods);
        for pods in (0..=self.pods).filter(|pods| pods % stride == 0) {
            let y = self.at_pods(rational(pods));
            canvas.line("grid", (self.left, y), (self.left + self.width, y));
            canvas.text("soft", (self.left - 8.0, y + 4.0), Anchor::End, &pods.to_string());
        }
        for percent in [0.0, 25.0, 50.0, 75.0, 100.0] {
            canvas.text("soft", (self.left + self.width + 8.0, self.at_share(percent) + 4.0), Anchor::Start, &format!("{percent:.0} %"));
        }
        let tick = TICKS.into_iter().find(|tick| self.end / tick <= MOST_TICKS).unwrap_or(self.end / MOST_TICKS);
        for index in 0..=self.end / tick {
            let x = self.x(index * tick);
            canvas.line("axis", (x, bottom), (x, bottom + 5.0));
            canvas.text("soft", (x, bottom + 19.0), Anchor::Middle, &clock(index * tick));
        }
        canvas.line("axis", (self.left, bottom), (self.left + self.width, bottom));
        canvas.text("soft", (self.left - 8.0, self.top - 14.0), Anchor::End, "pods");
        canvas.text("soft", (self.left + self.width + 8.0, self.top - 14.0), Anchor::Start, "share");
    }

    /// Frames, each with its begin and end.
    fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        let later = || self.frames.iter().skip(1).map(|frame| frame.at);
        let times = [self.begin].into_iter().chain(later()).zip(later().chain([self.end]));
        self.frames.iter().zip(times)
    }

    /// Between two numbers of pods.
    fn area(&self, canvas: &mut Canvas, class: &str, low: impl Fn(&Frame) -> i64, high: impl Fn(&Frame) -> i64) {
        for run in self.runs(|frame| high(frame) > low(frame)) {
            let edge = |of: &dyn Fn(&Frame) -> i64| -> Vec<(f64, f64)> {
                let corners = run.iter().flat_map(|(frame, (begin, end))| {
                    let y = self.at_pods(rational(of(frame)));
                    [(self.x(*begin), y), (self.x(*end), y)]
                });
                corners.collect()
            };
            let mut points = edge(&high);
            points.extend(edge(&low).into_iter().rev());
            canvas.path(class, &tidy(&points), true);
        }
    }

    /// A number that stays until it changes; nothing where it is not a number.
    fn steps_line(&self, canvas: &mut Canvas, class: &str, of: impl Fn(&Frame) -> f64, place: impl Fn(f64) -> f64) {
        for run in self.runs(|frame| !of(frame).is_nan()) {
            let corners = run.iter().flat_map(|(frame, (begin, end))| {
                let y = place(of(frame));
                [(self.x(*begin), y), (self.x(*end), y)]
            });
            canvas.path(class, &tidy(&corners.collect::<Vec<_>>()), false);
        }
    }

    /// Runs of frames with something to draw.
    fn runs(&self, there: impl Fn(&Frame) -> bool) -> Vec<Vec<Span<'_>>> {
        let mut runs: Vec<Vec<Span>> = vec![Vec::new()];
        for span in self.spans() {
            match runs.last_mut() {
                Some(run) if there(span.0) => run.push(span),
                Some(run) if run.is_empty() => {}
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    /// A strip above the plot, with a band for each step.
    fn steps(&self, canvas: &mut Canvas, service: &Service) {
        let mut bands: Vec<(String, Moment, Moment)> = Vec::new();
        for (frame, (begin, end)) in self.spans() {
            let name = frame.step_name(service);
            match bands.last_mut().filter(|(last, ..)| *last == name) {
                Some(band) => band.2 = end,
                None => bands.push((name, begin, end)),
            }
        }
        let y = self.top - STRIP - 6.0;
        for (index, (name, from, to)) in bands.iter().enumerate() {
            if name.is_empty() {
                continue;
            }
            let (x, room) = (self.x(*from), self.x(*to) - self.x(*from));
            canvas.rect(if index % 2 == 0 { "band" } else { "gap" }, (x, y), (room, STRIP + 6.0 + self.height));
            canvas.line("edge", (x, y), (x, self.top + self.height));
            // Where there is no place for the name, there may be one for its number.
            let short = name.strip_prefix("setWeight ").map(|weight| format!("{weight} %")).unwrap_or_default();
            if let Some(text) = [name, &short].into_iter().find(|text| room >= width(text) * LETTER) {
                canvas.text("soft", (x + room / 2.0, y + 15.0), Anchor::Middle, text);
            }
        }
        if let Some((_, _, end)) = bands.iter().rfind(|(name, ..)| !name.is_empty()) {
            canvas.line("edge", (self.x(*end), y), (self.x(*end), self.top + self.height));
        }
    }

    /// Numbers that would lie on each other stand in rows.
    fn mark(&self, canvas: &mut Canvas, index: usize, mark: &Mark, all: &[&Mark]) {
        let x = self.x(mark.at);
        let near = all.iter().take(index).filter(|other| (self.x(other.at) - x).abs() < 17.0).count();
        let y = self.top + 12.0 + 18.0 * rational(i64::try_from(near).unwrap_or_default());
        canvas.line("drop", (x, y), (x, self.top + self.height));
        canvas.circle(dot(mark.source), (x, y), 8.0);
        canvas.text("number", (x, y + 3.5), Anchor::Middle, &(index + 1).to_string());
    }
}

/// Without points that lie on the way anyway.
fn tidy(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if let [.., before, last] = kept.as_slice()
            && near(before.1, last.1)
            && near(last.1, point.1)
        {
            kept.pop();
        }
        kept.push(*point);
    }
    kept
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.05
}
