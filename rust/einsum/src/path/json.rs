//! JSON, as far as paths need it.
//!
//! Values lie in one list and name each other by position: a contraction tree may be as deep as the network has
//! tensors, which would be too deep for a recursive value on a small stack.

/// A value; those inside of it are positions in [`Json::values`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<usize>),
    Object(Vec<(String, usize)>),
}

/// A text, read.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) values: Vec<Value>,
    pub(super) root: usize,
}

/// A list or an object that is not closed yet, with the key that its next value has.
struct Open {
    value: Value,
    key: String,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Json {
    /// Reads a text; the error says what is wrong and where.
    pub(super) fn parse(text: &str) -> Result<Json, String> {
        let mut reader = Reader { text, at: 0 };
        let (mut values, mut open): (Vec<Value>, Vec<Open>) = (Vec::new(), Vec::new());
        loop {
            let mut done = match reader.next_token() {
                Some('[') => {
                    reader.at += 1;
                    open.push(Open { value: Value::List(Vec::new()), key: String::new() });
                    if reader.next_token() != Some(']') {
                        continue;
                    }
                    None
                }
                Some('{') => {
                    reader.at += 1;
                    open.push(Open { value: Value::Object(Vec::new()), key: String::new() });
                    if reader.next_token() != Some('}') {
                        reader.key(&mut open)?;
                        continue;
                    }
                    None
                }
                _ => Some(reader.simple()?),
            };
            // A value is complete, or what is open may close.
            loop {
                if let Some(value) = done.take() {
                    values.push(value);
                    let id = values.len() - 1;
                    match open.last_mut() {
                        None => {
                            return match reader.next_token() {
                                None => Ok(Json { values, root: id }),
                                Some(_) => Err(reader.error("nothing more was expected")),
                            }
                        }
                        Some(Open { value: Value::List(items), .. }) => items.push(id),
                        Some(Open { value: Value::Object(items), key }) => items.push((std::mem::take(key), id)),
                        Some(_) => return Err(reader.error("unexpected value")),
                    }
                    if reader.next_token() == Some(',') {
                        reader.at += 1;
                        if matches!(open.last(), Some(Open { value: Value::Object(_), .. })) {
                            reader.key(&mut open)?;
                        }
                        break;
                    }
                }
                let closing = match open.last() {
                    Some(Open { value: Value::Object(_), .. }) => '}',
                    _ => ']',
                };
                if reader.next_token() != Some(closing) {
                    return Err(reader.error(&format!("expected ',' or {closing:?}")));
                }
                reader.at += 1;
                done = open.pop().map(|open| open.value);
            }
        }
    }

    /// The value of an object's key.
    pub(super) fn get(&self, object: usize, key: &str) -> Option<usize> {
        match &self.values[object] {
            Value::Object(items) => items.iter().find(|(name, _)| name == key).map(|&(_, value)| value),
            _ => None,
        }
    }

    /// The items of a list.
    pub(super) fn list(&self, value: usize) -> Option<&[usize]> {
        match &self.values[value] {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, value: usize) -> Option<i64> {
        match self.values[value] {
            // Beyond 2⁵³ a double may be another number than the one that was written.
            Value::Number(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(x as i64),
            _ => None,
        }
    }

    /// A text.
    pub(super) fn text(&self, value: usize) -> Option<&str> {
        match &self.values[value] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Reader<'_> {
    fn error(&self, reason: &str) -> String {
        let found: String = self.text[self.at..].chars().take(12).collect();
        match found.is_empty() {
            true => format!("{reason}, but the text ends"),
            false => format!("{reason} at byte {}, where it says {found:?}", self.at),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// The next character that is not white space; it stays.
    fn next_token(&mut self) -> Option<char> {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.peek()
    }

    fn key(&mut self, open: &mut [Open]) -> Result<(), String> {
        self.next_token();
        let key = self.string()?;
        if self.next_token() != Some(':') {
            return Err(self.error("expected ':'"));
        }
        self.at += 1;
        if let Some(open) = open.last_mut() {
            open.key = key;
        }
        Ok(())
    }

    /// A number, a text or a constant.
    fn simple(&mut self) -> Result<Value, String> {
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        if self.peek() == Some('"') {
            return Ok(Value::Text(self.string()?));
        }
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c)).unwrap_or(rest.len());
        match rest[..end].parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += end;
                Ok(Value::Number(number))
            }
            _ => Err(self.error("expected a value")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if self.peek() != Some('"') {
            return Err(self.error("expected a text in quotation marks"));
        }
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let Some(escaped) = self.peek() else { break };
                    self.at += escaped.len_utf8();
                    text.push(match escaped {
                        '"' | '\\' | '/' => escaped,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => self.code_point()?,
                        _ => return Err(self.error("unknown escape before this")),
                    });
                }
                _ => text.push(c),
            }
        }
        self.at = start;
        Err(self.error("a text that does not end"))
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }

    /// What follows on `\u`: a number, or two that are a surrogate pair.
    fn code_point(&mut self) -> Result<char, String> {
        let mut code = self.unit()?;
        if (0xD800..0xDC00).contains(&code) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.unit()?.wrapping_sub(0xDC00);
            // A wrong second half leaves no code point.
            code = if low < 0x400 { 0x10000 + ((code - 0xD800) << 10) + low } else { code };
        }
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair before this"))
    }
}

/// A text as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if (c as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_read() {
        let json =
            Json::parse(" {\"a\" : [1, -2.5e1, [], {}], \"b\":true,\"c\":null, \"\\u00e4\\ud83d\\ude00\":\"\\n\"} ");
        let json = json.unwrap();
        let a = json.list(json.get(json.root, "a").unwrap()).unwrap();
        assert_eq!((json.integer(a[0]), json.integer(a[1]), json.list(a[2])), (Some(1), Some(-25), Some(&[][..])));
        assert_eq!(json.values[a[3]], Value::Object(Vec::new()));
        assert_eq!(json.values[json.get(json.root, "b").unwrap()], Value::Bool(true));
        assert_eq!(json.values[json.get(json.root, "c").unwrap()], Value::Null);
        assert_eq!(json.text(json.get(json.root, "ä😀").unwrap()), Some("\n"));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "",
            "[",
            "[1",
            "[1,]",
            "[1 2]",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":1,}",
            "[1]]",
            "1e999",
            "nul",
            "\"",
            "\"\\u12",
            "]",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert_eq!(Json::parse("[1; 2]").unwrap_err(), "expected ',' or ']' at byte 2, where it says \"; 2]\"");
        assert_eq!(Json::parse("[1").unwrap_err(), "expected ',' or ']', but the text ends");
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(Json::parse(&deep).unwrap().values.len(), 1_000_000);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:\\\\ua0-9.e\\- ]{0,20}|\\PC{0,20}") {
            _ = Json::parse(&text);
        }

        #[test]
        fn texts_come_back(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}") {
            let json = Json::parse(&quoted(&text)).unwrap();
            prop_assert_eq!(json.text(json.root), Some(text.as_str()));
        }
    }
}
