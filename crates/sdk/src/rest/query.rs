//! Parameters as the query of an address.

/// A parameter's value, which shows itself one level at a time.
pub trait Parameter: Sized {
    /// What it looks like; `None` when that cannot be told.
    fn shape(&self) -> Option<Shape<Self>>;
}

/// One level of a value, as far as its spelling in a query depends on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shape<V> {
    /// Null, or nothing: not sent.
    Absent,
    /// What it reads as.
    Text(String),
    /// An object's fields, or a list's elements by their indexes.
    Group {
        /// Whether it is a list.
        is_list: bool,
        /// In their order.
        parts: Vec<(String, V)>,
    },
}

/// Parameters are nested deeper than [`MAX_DEPTH`], or one cannot be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unreadable;

/// How many levels below a parameter are read: as many as axios reads.
pub const MAX_DEPTH: usize = 100;

/// The query for some parameters: `a=1&b[]=2&b[]=3&c[d]=4`, percent-encoded. A list whose elements
/// are plain repeats its name with `[]`; any other depth is spelled with its keys or indexes.
pub fn encode<V: Parameter>(parameters: Vec<(String, V)>) -> Result<String, Unreadable> {
    let mut query = Query(String::new());
    query.add("", Shape::Group { is_list: false, parts: parameters }, 0)?;
    Ok(query.0)
}

struct Query(String);

impl Query {
    fn add<V: Parameter>(
        &mut self,
        name: &str,
        shape: Shape<V>,
        depth: usize,
    ) -> Result<(), Unreadable> {
        let (is_list, parts) = match shape {
            Shape::Absent => return Ok(()),
            Shape::Text(text) => {
                self.pair(name, &text);
                return Ok(());
            }
            Shape::Group { is_list, parts } => (is_list, parts),
        };
        if depth > MAX_DEPTH {
            return Err(Unreadable);
        }
        let is_group = |value: &V| matches!(value.shape(), Some(Shape::Group { .. }));
        let is_plain = depth == 1 && is_list && !parts.iter().any(|(_, value)| is_group(value));
        for (key, value) in parts {
            let key = key.trim_ascii();
            let mut inner = String::new();
            if depth == 0 {
                inner.push_str(key);
            } else {
                inner.push_str(bare(name));
                inner.push('[');
                inner.push_str(if is_plain { "" } else { bare(key) });
                inner.push(']');
            }
            self.add(&inner, value.shape().ok_or(Unreadable)?, depth + 1)?;
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.escape(name);
        self.0.push('=');
        self.escape(value);
    }

    /// As `encodeURIComponent`, but the usual signs of addresses stay and a space becomes a plus.
    fn escape(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b' ' => self.0.push('+'),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => self.0.push(byte.into()),
                b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b':' | b'$'
                | b',' => self.0.push(byte.into()),
                _ => {
                    self.0.push('%');
                    for digit in [byte >> 4, byte & 15] {
                        self.0.push(HEX[usize::from(digit)].into());
                    }
                }
            }
        }
    }
}

/// A name without the `[]` at its end, which is put there again where it belongs.
fn bare(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Value(Option<Shape<Self>>);

    impl Parameter for Value {
        fn shape(&self) -> Option<Shape<Self>> {
            self.0.clone()
        }
    }

    fn text(text: &str) -> Value {
        Value(Some(Shape::Text(text.to_owned())))
    }

    fn absent() -> Value {
        Value(Some(Shape::Absent))
    }

    fn list<const N: usize>(elements: [Value; N]) -> Value {
        let parts = elements.into_iter().enumerate();
        let parts = parts.map(|(index, element)| (index.to_string(), element)).collect();
        Value(Some(Shape::Group { is_list: true, parts }))
    }

    fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
        let parts = fields.map(|(name, value)| (name.to_owned(), value)).into();
        Value(Some(Shape::Group { is_list: false, parts }))
    }

    fn check(name: &str, value: Value, expected: &str) {
        assert_eq!(encode(vec![(name.to_owned(), value)]).as_deref(), Ok(expected));
    }

    #[test]
    fn parameters_keep_their_order_and_what_is_absent_is_left_out() {
        let parameters = [("b", text("1")), ("none", absent()), ("a", text(""))];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(encode(parameters).as_deref(), Ok("b=1&a="));
        assert_eq!(encode::<Value>(Vec::new()).as_deref(), Ok(""));
    }

    #[test]
    fn a_plain_list_repeats_its_name() {
        let plain = || list([text("x"), absent(), text("y z")]);
        check("a", plain(), "a%5B%5D=x&a%5B%5D=y+z");
        check("a[]", plain(), "a%5B%5D=x&a%5B%5D=y+z");
        check("a[]", text("x"), "a%5B%5D=x");
        check("a", list([]), "");
    }

    #[test]
    fn what_is_deeper_is_spelled_with_keys_and_indexes() {
        let deep = fields([
            ("b", list([text("1"), absent(), text("2")])),
            (" c ", fields([("d[]", text("3"))])),
        ]);
        check("a[]", deep, "a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B2%5D=2&a%5Bc%5D%5Bd%5D=3");
        check("a", list([text("1"), list([text("2")])]), "a%5B0%5D=1&a%5B1%5D%5B0%5D=2");
    }

    #[test]
    fn the_usual_signs_stay_and_everything_else_is_escaped() {
        let signs = "-_.!~*'():$,";
        check(" a b ", text(signs), &format!("a+b={signs}"));
        check("ä", text("a&b=c#d/?+%\n🦸"), "%C3%A4=a%26b%3Dc%23d%2F%3F%2B%25%0A%F0%9F%A6%B8");
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let nested = |depth| (0..depth).fold(text("x"), |inner, _| fields([("a", inner)]));
        assert!(encode(vec![("a".to_owned(), nested(MAX_DEPTH))]).is_ok());
        assert_eq!(encode(vec![("a".to_owned(), nested(MAX_DEPTH + 1))]), Err(Unreadable));
        assert_eq!(encode(vec![("a".to_owned(), list([Value(None)]))]), Err(Unreadable));
    }
}
