//! Where in a file a field stands, so that editors and reviews can point at it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value of which only the form and the lines are kept.
#[derive(Debug)]
pub enum Shape {
    Map(Vec<(String, u64, Self)>),
    List(Vec<(u64, Self)>),
    Leaf,
}

impl Shape {
    /// The line of the field, or of the innermost part of its path that is there. Keys may hold dots, so a path is not
    /// taken apart but followed.
    pub fn line(&self, field: &str) -> Option<u64> {
        match self {
            Self::Leaf => None,
            Self::List(items) => {
                let (index, rest) = field.strip_prefix('[')?.split_once(']')?;
                let (line, item) = items.get(index.parse::<usize>().ok()?)?;
                item.line(rest).or(Some(*line))
            }
            Self::Map(entries) => {
                let matching = entries.iter().filter_map(|(key, line, value)| Some((key, line, value, after(field, key)?)));
                let (_, line, value, rest) = matching.max_by_key(|(key, ..)| key.len())?;
                value.line(rest).or(Some(*line))
            }
        }
    }
}

/// What follows a key in a path: nothing, an index, or a dot and more. A key may stand in brackets.
fn after<'a>(field: &'a str, key: &str) -> Option<&'a str> {
    let bracketed = field.strip_prefix('[').and_then(|rest| rest.strip_prefix(key)?.strip_prefix(']'));
    let plain = || field.trim_start_matches('.').strip_prefix(key);
    bracketed.or_else(plain).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Shape>()? {
            entries.push((key.value, key.referenced.line(), value));
        }
        Ok(Shape::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Shape>>()? {
            items.push((item.referenced.line(), item.value));
        }
        Ok(Shape::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Shape::Leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
metadata:
  name: a
spec:
  image: a
  files:
  - mountPath: /a
    content: b
  - {mountPath: /b,
     content: c}
  service:
    annotations:
      example.com/a: b
  resources: {requests: {nvidia.com/gpu: 1}}
  empty:
---
spec: {port: 1}
";

    #[test]
    fn fields_are_found_in_their_documents() {
        let shapes: Vec<Shape> = serde_saphyr::from_multiple(TEXT).unwrap();
        let table = [
            (0, "spec", Some(3)),
            (0, "spec.image", Some(4)),
            (0, "spec.files[0].content", Some(7)),
            (0, "spec.files[1].content", Some(9)),
            (0, "spec.files[1].readOnly", Some(8)),
            (0, "spec.files[7]", Some(5)),
            (0, "spec.service.annotations[example.com/a]", Some(12)),
            (0, "spec.resources.requests.nvidia.com/gpu", Some(13)),
            (0, "spec.port", Some(3)),
            (0, "spec.empty.more", Some(14)),
            (0, "specs", None),
            (1, "spec.port", Some(16)),
        ];
        for (document, field, line) in table {
            assert_eq!(shapes[document].line(field), line, "{field}");
        }
    }
}
