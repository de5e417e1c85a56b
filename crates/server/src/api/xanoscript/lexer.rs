//! A script's words.

use std::iter::Peekable;
use std::str::Chars;

use super::{Fault, Place, SyntaxError};

/// One word of a script, or one of its signs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// Letters, digits, `_` and `/`: a keyword, a key, a bare name, a number.
    Word(String),
    /// A text in quotes, without them.
    Text(String),
    /// One of `{`, `}`, `=`, `:` and `,`.
    Sign(char),
    NewLine,
    End,
}

/// Gives the words of a script one by one.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    place: Place,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(script: &'a str) -> Self {
        Self { rest: script.chars().peekable(), place: Place { line: 1, column: 1 } }
    }

    /// The next word, and where it starts.
    pub(super) fn next(&mut self) -> Result<(Token, Place), SyntaxError> {
        self.skip_blanks();
        let place = self.place;
        let token = match self.take() {
            None => Token::End,
            Some('\n') => Token::NewLine,
            Some(sign @ ('{' | '}' | '=' | ':' | ',')) => Token::Sign(sign),
            Some(quote @ ('"' | '\'')) => Token::Text(self.text(quote, place)?),
            Some(first) if is_word(first) => Token::Word(self.word(first)),
            Some(other) => return Err(SyntaxError { place, fault: Fault::StrayCharacter(other) }),
        };
        Ok((token, place))
    }

    /// Skips what stands between words: blanks, and comments up to the end of their line.
    fn skip_blanks(&mut self) {
        loop {
            while self.rest.next_if(|c| matches!(c, ' ' | '\t' | '\r')).is_some() {
                self.place.column += 1;
            }
            if !self.is_next("//") {
                return;
            }
            while self.rest.next_if(|c| *c != '\n').is_some() {
                self.place.column += 1;
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        // A comment may follow a name without a blank.
        while !self.is_next("//")
            && let Some(next) = self.rest.next_if(|c| is_word(*c))
        {
            self.place.column += 1;
            word.push(next);
        }
        word
    }

    /// A text whose first quote has been taken.
    fn text(&mut self, quote: char, start: Place) -> Result<String, SyntaxError> {
        if self.is_next(if quote == '"' { "\"\"" } else { "''" }) {
            self.take();
            self.take();
            return self.block(quote, start);
        }
        let mut text = String::new();
        loop {
            let place = self.place;
            match self.take() {
                None => return Err(SyntaxError { place: start, fault: Fault::UnterminatedText }),
                Some(end) if end == quote => return Ok(text),
                Some('\\') => {
                    let escaped = self.escape(start)?;
                    let place = Place { column: place.column + 1, ..place };
                    let wrong = |c| SyntaxError { place, fault: Fault::UnknownEscape(c) };
                    text.push(escaped.map_err(wrong)?);
                }
                Some(plain) => text.push(plain),
            }
        }
    }

    /// What stands behind a backslash, or the character that may not stand there.
    fn escape(&mut self, start: Place) -> Result<Result<char, char>, SyntaxError> {
        let unterminated = SyntaxError { place: start, fault: Fault::UnterminatedText };
        let escaped = match self.take().ok_or(unterminated)? {
            same @ ('"' | '\'' | '\\' | '/') => same,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut code = 0;
                for _ in 0..4 {
                    let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(16)) else {
                        return Ok(Err('u'));
                    };
                    self.take();
                    code = code * 16 + digit;
                }
                return Ok(char::from_u32(code).ok_or('u'));
            }
            other => return Ok(Err(other)),
        };
        Ok(Ok(escaped))
    }

    /// The lines between `"""` and `"""`, less the indentation of the last.
    fn block(&mut self, quote: char, start: Place) -> Result<String, SyntaxError> {
        let end = String::from(quote).repeat(3);
        let mut text = String::new();
        while !text.ends_with(&end) {
            let unterminated = SyntaxError { place: start, fault: Fault::UnterminatedText };
            text.push(self.take().ok_or(unterminated)?);
        }
        text.truncate(text.len() - end.len());
        let mut lines: Vec<&str> =
            text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
        if lines.first().is_some_and(|first| first.trim().is_empty()) {
            lines.remove(0);
        }
        let indentation = match lines.last() {
            Some(last) if last.trim().is_empty() => lines.pop().unwrap_or_default(),
            _ => "",
        };
        let stripped = lines.iter().map(|line| line.strip_prefix(indentation).unwrap_or(line));
        Ok(stripped.collect::<Vec<_>>().join("\n"))
    }

    fn is_next(&self, text: &str) -> bool {
        let mut rest = self.rest.clone();
        text.chars().all(|c| rest.next() == Some(c))
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.rest.next()?;
        self.place = match taken {
            '\n' => Place { line: self.place.line + 1, column: 1 },
            _ => Place { column: self.place.column + 1, ..self.place },
        };
        Some(taken)
    }
}

/// Whether a character can be part of a word; Xano's tools write names with `/` without quotes.
pub(super) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '/'
}
