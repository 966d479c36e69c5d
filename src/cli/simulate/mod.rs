//! `simulate`: how a rollout would go, before anything is applied.
//!
//! ```text
//! manifests ──► scenario ──► play (crate::simulate, in virtual time) ──► timeline ──► text, JSON or a picture
//! ```

mod json;
mod options;
mod play;
mod scenario;
mod sight;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod words;

use std::fs;
use std::process::ExitCode;

use super::{USAGE, output};
pub use options::Args;
use options::Format;
use scenario::Scenario;

/// Plays the rollout, and shows it.
pub fn run(args: &Args) -> ExitCode {
    let played = Scenario::read(args).and_then(|scenario| {
        scenario.warnings.iter().for_each(|warning| eprintln!("{warning}"));
        let timeline = play::play(&scenario, args).map_err(|problem| vec![problem])?;
        Ok((scenario, timeline))
    });
    let (scenario, timeline) = match played {
        Ok(played) => played,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("error: {problem}"));
            return ExitCode::from(USAGE);
        }
    };
    let summary = timeline.summary();
    let written = args.svg.as_ref().map_or(Ok(()), |file| {
        let picture = svg::picture(&scenario, &timeline, &summary);
        fs::write(file, picture).map_err(|error| format!("{}: {error}", file.display()))
    });
    let shown = match args.output {
        Format::Text => text::screen(&scenario, &timeline, &summary).text(args.color.is_on()),
        Format::Json => json::text(&scenario, &timeline, &summary),
        Format::Svg => svg::picture(&scenario, &timeline, &summary),
    };
    let printed = output::print(&shown).map_err(|error| error.to_string());
    let troubles: Vec<String> = [written, printed].into_iter().filter_map(Result::err).collect();
    troubles.iter().for_each(|trouble| eprintln!("error: {trouble}"));
    ExitCode::from(if troubles.is_empty() { timeline.status() } else { USAGE })
}
