//! What is shown: lines of words, each with a tone. Tones become colours only when the text leaves the program, so that
//! a screen can be compared, and read, without them.

use clap::builder::styling::{AnsiColor, Style};

/// Columns in which prose is broken. Commands never are: they must survive copy and paste.
pub const WIDTH: usize = 100;
/// Blanks between two columns, as kubectl leaves them.
const GAP: usize = 3;

/// What a word is to its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// The name of what is spoken of, or a command to type.
    Strong,
    /// There for completeness.
    Quiet,
    Good,
    /// On its way, or waiting.
    Busy,
    Bad,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Quiet => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Busy => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Some text in one tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub tone: Tone,
    pub text: String,
}

pub fn word(tone: Tone, text: impl Into<String>) -> Word {
    Word { tone, text: text.into() }
}

pub fn plain(text: impl Into<String>) -> Word {
    word(Tone::Plain, text)
}

impl Word {
    pub fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn painted(&self, colour: bool) -> String {
        if !colour || self.tone == Tone::Plain || self.text.trim().is_empty() {
            return self.text.clone();
        }
        let style = self.tone.style();
        format!("{style}{}{style:#}", self.text)
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Word>);

impl Line {
    pub fn text(&self, colour: bool) -> String {
        let mut runs: Vec<Word> = Vec::new();
        for next in &self.0 {
            match runs.last_mut() {
                Some(run) if run.tone == next.tone => run.text.push_str(&next.text),
                _ => runs.push(next.clone()),
            }
        }
        let text: String = runs.iter().map(|word| word.painted(colour)).collect();
        text.trim_end().to_owned()
    }
}

/// Lines, from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen(pub Vec<Line>);

impl Screen {
    pub fn line(&mut self, words: impl IntoIterator<Item = Word>) {
        self.0.push(Line(words.into_iter().collect()));
    }

    /// A paragraph: the words of `text` after `lead`, broken over lines that all begin below the first.
    pub fn prose(&mut self, lead: Word, tone: Tone, text: &str) {
        self.beside(vec![lead], tone, text);
    }

    /// A paragraph after several words.
    pub fn beside(&mut self, lead: Vec<Word>, tone: Tone, text: &str) {
        let indent = lead.iter().map(Word::width).sum();
        let mut line = lead;
        let mut used = indent;
        for piece in text.split_whitespace() {
            let width = piece.chars().count();
            if used > indent && used + 1 + width > WIDTH {
                self.line(std::mem::replace(&mut line, vec![plain(" ".repeat(indent))]));
                used = indent;
            }
            let gap = if used > indent { " " } else { "" };
            line.push(word(tone, format!("{gap}{piece}")));
            used += gap.len() + width;
        }
        self.line(line);
    }

    /// Rows whose columns stand below each other. The last column takes what it needs.
    pub fn table(&mut self, rows: Vec<Vec<Word>>) {
        self.rows(rows, &mut Vec::new());
    }

    /// The same for rows that come one after the other: columns never get narrower than `widths`.
    pub fn rows(&mut self, rows: Vec<Vec<Word>>, widths: &mut Vec<usize>) {
        for (column, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
            widths.resize(widths.len().max(column + 1), 0);
            if let Some(width) = widths.get_mut(column) {
                *width = cell.width().max(*width);
            }
        }
        for row in rows {
            let last = row.len().saturating_sub(1);
            let mut words = Vec::with_capacity(2 * row.len());
            for (column, cell) in row.into_iter().enumerate() {
                let pad = widths.get(column).map_or(0, |width| width + GAP - cell.width());
                words.push(cell);
                if column < last {
                    words.push(plain(" ".repeat(pad)));
                }
            }
            self.line(words);
        }
    }

    pub fn text(&self, colour: bool) -> String {
        self.0.iter().map(|line| line.text(colour) + "\n").collect()
    }

    /// What to send to a terminal that shows a screen of `rows` lines just above the cursor, to replace it by this one.
    /// Lines are cut at the edge: a line that went on below it would make `rows` a lie.
    pub fn over(&self, rows: usize, colour: bool) -> String {
        let up = if rows == 0 { String::new() } else { format!("\x1b[{rows}A\r") };
        let lines: String = self.0.iter().map(|line| line.text(colour) + "\x1b[K\n").collect();
        format!("\x1b[?7l{up}{lines}\x1b[J\x1b[?7h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut screen = Screen::default();
        screen.table(vec![vec![plain("NAME"), plain("READY")], vec![word(Tone::Strong, "Bücher"), word(Tone::Good, "True")]]);
        assert_eq!(screen.text(false), "NAME     READY\nBücher   True\n");
        assert_eq!(screen.text(true), "NAME     READY\n\u{1b}[1mBücher\u{1b}[0m   \u{1b}[32mTrue\u{1b}[0m\n");
    }

    #[test]
    fn prose_is_broken_between_words_and_indented() {
        let mut screen = Screen::default();
        screen.prose(plain("1. "), Tone::Plain, &"word ".repeat(30));
        let text = screen.text(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("1. word") && lines[0].len() <= WIDTH, "{text}");
        assert!(lines[1].starts_with("   word"), "{text}");
    }

    #[test]
    fn a_screen_replaces_the_one_before() {
        let mut screen = Screen::default();
        screen.line([plain("one")]);
        assert_eq!(screen.over(0, false), "\x1b[?7lone\x1b[K\n\x1b[J\x1b[?7h");
        assert_eq!(screen.over(3, false), "\x1b[?7l\x1b[3A\rone\x1b[K\n\x1b[J\x1b[?7h");
    }
}
