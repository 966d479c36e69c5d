//! One log line. The fields of the spans around an event are fields of its line: `namespace` and `name` can be searched
//! for without knowing how passes are nested. (tracing-subscriber's own JSON puts them under `span`, where the span's
//! name takes the place of a field called `name`.)

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Human,
    Json,
}

/// The formatter.
#[derive(Clone, Copy, Debug)]
pub struct Line(pub Style);

impl<S> FormatEvent<S, JsonFields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, JsonFields>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Map::new();
        for span in ctx.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(text) = span.extensions().get::<FormattedFields<JsonFields>>() {
                merge(&mut fields, &text.fields);
            }
        }
        let mut text = String::new();
        ctx.field_format().format_fields(Writer::new(&mut text), event)?;
        merge(&mut fields, &text);
        let message = fields.remove("message").unwrap_or_default();
        let (now, meta) = (Timestamp::now(), event.metadata());
        match self.0 {
            Style::Json => json(writer, now, *meta.level(), meta.target(), message, fields),
            Style::Human => human(writer, now, *meta.level(), &message, fields),
        }
    }
}

/// Inner fields win over outer ones.
fn merge(fields: &mut Map<String, Value>, text: &str) {
    if let Ok(Value::Object(more)) = serde_json::from_str(text) {
        fields.extend(more);
    }
}

fn json(mut writer: Writer<'_>, now: Timestamp, level: Level, target: &str, message: Value, fields: Map<String, Value>) -> fmt::Result {
    let mut line = Map::new();
    line.insert("time".to_owned(), format!("{now:.3}").into());
    line.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
    line.insert("message".to_owned(), message);
    line.insert("target".to_owned(), target.into());
    for (key, value) in fields {
        // A field that a caller named like one of ours must not replace it.
        line.entry(key).or_insert(value);
    }
    writeln!(writer, "{}", Value::Object(line))
}

/// `12:04:05 info  shop/orders: rolled back revision=1f2e3d4c`
fn human(mut writer: Writer<'_>, now: Timestamp, level: Level, message: &Value, mut fields: Map<String, Value>) -> fmt::Result {
    let colour = match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "2",
    };
    let name = level.as_str().to_ascii_lowercase();
    if writer.has_ansi_escapes() {
        write!(writer, "\x1b[2m{}\x1b[0m \x1b[{colour}m{name:5}\x1b[0m ", now.strftime("%H:%M:%S"))?;
    } else {
        write!(writer, "{} {name:5} ", now.strftime("%H:%M:%S"))?;
    }
    if let (Some(Value::String(namespace)), Some(Value::String(object))) = (fields.get("namespace"), fields.get("name")) {
        write!(writer, "{}/{}: ", plain(namespace), plain(object))?;
        fields.remove("namespace");
        fields.remove("name");
    }
    write!(writer, "{}", plain(&text(message)))?;
    for (key, value) in &fields {
        write!(writer, " {key}={}", plain(&text(value)))?;
    }
    writeln!(writer)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Control characters as escapes: messages of the API server carry what users wrote, and that must not steer the
/// reader's terminal or forge a line.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(style: Style, colour: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(sink.clone())
            .with_ansi(colour)
            .fmt_fields(JsonFields::new())
            .event_format(Line(style))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    fn pass() {
        let _outer = tracing::info_span!("turn", name = "outer", lane = "fast").entered();
        let _inner = tracing::info_span!("pass", namespace = "shop", name = "orders").entered();
        tracing::warn!(replicas = 3, child = "Deployment orders", "not \"as\" planned");
    }

    #[test]
    fn json_has_the_fields_of_all_spans_at_its_top() {
        let line = logged(Style::Json, false, pass);
        let parsed: Value = serde_json::from_str(&line).unwrap();
        for (field, value) in [
            ("level", Value::from("warn")),
            ("message", "not \"as\" planned".into()),
            ("namespace", "shop".into()),
            ("name", "orders".into()),
            ("replicas", 3.into()),
            ("lane", "fast".into()),
        ] {
            assert_eq!(parsed[field], value, "{line}");
        }
        let time = parsed["time"].as_str().unwrap();
        assert!(time.parse::<Timestamp>().is_ok() && time.len() == "2026-11-23T07:00:00.000Z".len(), "{time}");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_field_cannot_replace_the_level_or_the_time() {
        let line = logged(Style::Json, false, || tracing::info!(level = "error", time = 0, "x"));
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["level"], "info");
        assert!(parsed["time"].is_string());
    }

    #[test]
    fn people_see_the_service_first() {
        let line = logged(Style::Human, false, pass);
        let (time, rest) = line.split_at("12:00:00".len());
        assert!(time.chars().all(|c| c.is_ascii_digit() || c == ':'), "{line}");
        assert_eq!(rest, " warn  shop/orders: not \"as\" planned child=Deployment orders lane=fast replicas=3\n");
    }

    #[test]
    fn colour_only_when_asked_for_and_control_characters_never() {
        let log = || tracing::error!(user = "a\u{1b}[2Jb\nc", "x");
        let plain = logged(Style::Human, false, log);
        assert!(!plain.contains('\u{1b}') && plain.ends_with("user=a\\u{1b}[2Jb\\nc\n"), "{plain:?}");
        let coloured = logged(Style::Human, true, log);
        assert!(coloured.contains("\u{1b}[31merror\u{1b}[0m") && !coloured.contains("\u{1b}[2J"), "{coloured:?}");
    }
}
