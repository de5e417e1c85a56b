//! Server-sent events, out of the pieces in which their text arrives.

/// Reads a stream of events. Pieces may end anywhere, within a line break too.
#[derive(Debug, Default)]
pub struct EventParser {
    /// The beginning of a line whose end has not come.
    line: String,
    /// The last letter was a carriage return; a line feed that follows belongs to it.
    returned: bool,
    data: String,
    kind: String,
    id: String,
}

/// One event, as the stream tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamedEvent<'a> {
    /// Its lines, with line feeds between them.
    pub data: &'a str,
    /// The last id that the stream told, with this event or before; empty without one.
    pub id: &'a str,
    /// `message` when the stream says nothing.
    pub kind: &'a str,
}

/// What has come of an event is more than [`EventParser::MAX_EVENT`] bytes; the stream is to be given
/// up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventTooLarge;

impl EventParser {
    /// How many bytes of UTF-8 may wait for the end of their event when a piece has been read.
    pub const MAX_EVENT: usize = 16 << 20;

    /// Takes the next piece of the text, without a byte order mark, and gives the events that it
    /// completes. What the stream ends amid is no event.
    pub fn push(
        &mut self,
        piece: &str,
        mut each: impl FnMut(StreamedEvent<'_>),
    ) -> Result<(), EventTooLarge> {
        for letter in piece.chars() {
            let is_return = letter == '\r';
            if letter != '\n' && !is_return {
                self.line.push(letter);
            } else if is_return || !self.returned {
                if self.line.is_empty() {
                    self.complete(&mut each);
                } else {
                    self.read();
                    self.line.clear();
                }
            }
            self.returned = is_return;
        }
        let waits = self.line.len() + self.data.len();
        if waits > Self::MAX_EVENT { Err(EventTooLarge) } else { Ok(()) }
    }

    fn read(&mut self) {
        let line = self.line.as_str();
        let colon = line.bytes().position(|byte| byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(':').unwrap_or(value);
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.bytes().any(|byte| byte == 0) => value.clone_into(&mut self.id),
            // A comment, or nothing that is known.
            _ => {}
        }
    }

    fn complete(&mut self, each: &mut impl FnMut(StreamedEvent<'_>)) {
        // The last line feed ends the data; without one there was none.
        if self.data.pop().is_some() {
            let kind = if self.kind.is_empty() { "message" } else { &self.kind };
            each(StreamedEvent { data: &self.data, id: &self.id, kind });
        }
        self.data.clear();
        self.kind.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, id and data.
    type Told = [String; 3];

    fn event(kind: &str, id: &str, data: &str) -> Told {
        [kind, id, data].map(str::to_owned)
    }

    fn read(pieces: &[&str]) -> Vec<Told> {
        let mut parser = EventParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            let each = |told: StreamedEvent<'_>| events.push(event(told.kind, told.id, told.data));
            parser.push(piece, each).expect("small events");
        }
        events
    }

    #[test]
    fn an_event_is_its_lines() {
        let text = "event: chat\nid: 7\ndata: one\ndata:two\ndata\n\n";
        assert_eq!(read(&[text]), [event("chat", "7", "one\ntwo\n")]);
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let text = "\r\nid: 1\r\nevent: a\r\ndata: ü🦸 \r\n\r\ndata: b\rdata: c\r\rdata: d\n\n";
        let expected =
            [event("a", "1", "ü🦸 "), event("message", "1", "b\nc"), event("message", "1", "d")];
        assert_eq!(read(&[text]), expected);
        let ends: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        for end in &ends {
            let (first, second) = text.split_at(*end);
            assert_eq!(read(&[first, "", second]), expected, "cut at {end}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(read(&letters), expected);
    }

    #[test]
    fn an_event_without_data_is_none_and_its_kind_is_forgotten() {
        assert_eq!(read(&["event: a\n\ndata: b\n\n"]), [event("message", "", "b")]);
        assert_eq!(read(&["data\n\n"]), [event("message", "", "")]);
        assert!(read(&["data: cut off"]).is_empty());
        assert!(read(&["data: cut off\n"]).is_empty());
    }

    #[test]
    fn comments_and_unknown_fields_are_no_data() {
        let text = ":data: hidden\n: ping\nretry: 5\nDATA: x\ndatas: y\n data: z\ndata: a:b\n\n";
        assert_eq!(read(&[text]), [event("message", "", "a:b")]);
    }

    #[test]
    fn an_id_lasts_until_another_comes_and_one_with_a_nul_does_not() {
        let text = "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n";
        let ids: Vec<String> = read(&[text]).into_iter().map(|[_, id, _]| id).collect();
        assert_eq!(ids, ["1", "1", ""]);
    }

    #[test]
    fn only_one_space_belongs_to_the_colon_and_any_letter_to_the_data() {
        let text = "data:  two\u{2028}\u{2029}\n\n";
        assert_eq!(read(&[text]), [event("message", "", " two\u{2028}\u{2029}")]);
    }

    #[test]
    fn what_never_ends_is_refused_before_it_fills_the_memory() {
        let part = "x".repeat(EventParser::MAX_EVENT / 2);
        let mut parser = EventParser::default();
        let mut push = |piece: &str| parser.push(piece, |_| {});
        assert_eq!(push("data: a\n\n"), Ok(()));
        assert_eq!(push(&part), Ok(()));
        assert_eq!(push(&part), Ok(()));
        assert_eq!(push("x"), Err(EventTooLarge));
        let mut parser = EventParser::default();
        let mut push = |piece: &str| parser.push(piece, |_| {});
        let line = ["data:", &part, "\n"].concat();
        assert_eq!(push(&line), Ok(()));
        assert_eq!(push(&line), Err(EventTooLarge));
    }
}
