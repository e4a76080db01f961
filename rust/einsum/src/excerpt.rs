//! A place in an expression, shown: the text, and carets under what is meant.

use std::fmt;
use std::ops::Range;

/// Columns that are shown of a longer expression.
const WIDTH: usize = 76;

/// An expression with marks under some of it. Of a long one only what is near a mark is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    /// In characters; an empty range marks what comes next.
    marks: Vec<Range<usize>>,
}

impl Excerpt {
    /// A text with marks under these ranges of its characters.
    pub fn new(text: &str, marks: &[Range<usize>]) -> Excerpt {
        Excerpt { text: text.to_owned(), marks: marks.to_vec() }
    }
}

impl fmt::Display for Excerpt {
    /// Lines, each with a line break before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let characters: Vec<char> = self.text.chars().collect();
        let columns: usize = characters.iter().map(|&c| width(c)).sum();
        let (first, last) = (self.marks.iter().map(|m| m.start).min(), self.marks.iter().map(|m| m.end).max());
        let (Some(first), Some(last)) = (first, last) else {
            return show(f, &characters, 0..characters.len(), &[]);
        };
        if columns <= WIDTH {
            return show(f, &characters, 0..characters.len(), &self.marks);
        }
        if last - first < WIDTH / 2 {
            return show(f, &characters, around(first..last, &characters), &self.marks);
        }
        self.marks.iter().try_for_each(|mark| {
            let mark = mark.start..mark.end.min(mark.start + WIDTH / 2);
            show(f, &characters, around(mark.clone(), &characters), &[mark])
        })
    }
}

/// As many characters around a range as may be shown.
fn around(range: Range<usize>, characters: &[char]) -> Range<usize> {
    let mut window = range.start.min(characters.len())..range.end.min(characters.len());
    let mut columns: usize = characters[window.clone()].iter().map(|&c| width(c)).sum();
    while columns < WIDTH - 2 && window.len() < characters.len() {
        if window.start > 0 {
            window.start -= 1;
            columns += width(characters[window.start]);
        }
        if window.end < characters.len() {
            columns += width(characters[window.end]);
            window.end += 1;
        }
    }
    window
}

/// One line of text and the line of its marks.
fn show(f: &mut fmt::Formatter<'_>, characters: &[char], window: Range<usize>, marks: &[Range<usize>]) -> fmt::Result {
    let (mut text, mut below) = (String::new(), String::new());
    if window.start > 0 {
        text.push('…');
        below.push(' ');
    }
    let marked = |at: usize| marks.iter().any(|m| m.contains(&at) || m.is_empty() && m.start == at);
    for at in window.clone() {
        let c = characters[at];
        text.push(if c.is_control() { ' ' } else { c });
        let sign = if marked(at) { '^' } else { ' ' };
        below.extend(std::iter::repeat_n(sign, width(c)));
    }
    if window.end < characters.len() {
        text.push('…');
    } else if marked(window.end) {
        below.push('^');
    }
    write!(f, "\n  {text}")?;
    if marks.is_empty() {
        return Ok(());
    }
    // A mark under a character without a width of its own still shows.
    if !below.contains('^') {
        below.push('^');
    }
    write!(f, "\n  {}", below.trim_end())
}

/// Columns that a terminal gives a character: after Unicode's East Asian Width (UAX #11), coarsely.
fn width(c: char) -> usize {
    match c as u32 {
        0x300..=0x36f | 0x483..=0x489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x200b..=0x200f | 0x20d0..=0x20ff => 0,
        0xfe00..=0xfe0f | 0xfe20..=0xfe2f | 0xfeff => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x4dbf | 0x4e00..=0xa4cf | 0xac00..=0xd7a3 => 2,
        0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // one mark is the usual case
mod tests {
    use super::*;

    fn shown(text: &str, marks: &[Range<usize>]) -> String {
        Excerpt::new(text, marks).to_string()
    }

    #[test]
    fn carets_stand_under_their_characters() {
        assert_eq!(shown("ij,jk->ik", &[1..2, 3..4]), "\n  ij,jk->ik\n   ^ ^");
        assert_eq!(shown("ij,jk", &[3..5]), "\n  ij,jk\n     ^^");
        assert_eq!(shown("ij,jk", &[5..5]), "\n  ij,jk\n       ^");
        assert_eq!(shown("ij,,k", &[3..3]), "\n  ij,,k\n     ^");
        assert_eq!(shown("i\tj", &[2..3]), "\n  i j\n    ^");
        // Two columns each; none.
        assert_eq!(shown("字j->字q", &[4..5, 5..6]), "\n  字j->字q\n       ^^^");
        assert_eq!(shown("i\u{301}j", &[2..3]), "\n  i\u{301}j\n   ^");
        assert_eq!(shown("i\u{301}", &[1..2]), "\n  i\u{301}\n   ^");
        assert_eq!(shown("ij", &[]), "\n  ij");
    }

    #[test]
    fn of_a_long_expression_only_the_neighbourhood_is_shown() {
        let text = "ab,".repeat(1000) + "cd";
        let near = shown(&text, &[1500..1501]);
        let lines: Vec<&str> = near.lines().collect();
        assert!(lines[1].starts_with("  …") && lines[1].ends_with('…') && lines[1].chars().count() <= WIDTH + 4);
        assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('a'));
        let end = shown(&text, &[3000..3001]);
        assert!(end.lines().nth(1).is_some_and(|line| line.starts_with("  …") && line.ends_with("ab,cd")));
        assert_eq!(shown(&text, &[0..1, 3000..3001]).lines().count(), 5);
        assert!(shown(&text, &[0..3002]).lines().count() == 3);
    }
}
