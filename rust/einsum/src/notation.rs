//! The text of an Einstein summation, read.
//!
//! ```text
//! expression = group [ "->" labels ]
//! group      = item { "," item }
//! item       = labels | "(" group ")"
//! labels     = { label | "..." }           at most one "..."
//! label      = character | "{" integer "}"
//! ```
//!
//! A character is a letter or digit of ASCII, or any character from U+00A1 on: all that opt_einsum names an index by,
//! of which there are a million, those that look like white space included. What ASCII has else is kept for the
//! notation; its white space, and the little that lies between it and U+00A1, is ignored. Without `->` the output is
//! NumPy's: the axes of the ellipsis, then the labels that occur once, in the order of their code points, integers
//! last. Parentheses are contracted before what is around them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use crate::excerpt::Excerpt;
use crate::Error;

/// One axis, or the axes that an ellipsis stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subscript {
    /// As many unnamed axes as the operand has more than labels.
    Ellipsis,
    /// A label of one character.
    Character(char),
    /// A label that is a number, `{3}`; not the digit.
    Integer(i64),
}

/// The order that parentheses fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// An operand, from 0.
    Operand(usize),
    /// To be contracted into one tensor, in any order within.
    Several(Vec<Group>),
}

/// What an expression says before any shape is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The subscripts of each operand.
    pub operands: Vec<Vec<Subscript>>,
    /// The subscripts of the output.
    pub output: Vec<Subscript>,
    /// All operands, as the parentheses group them.
    pub group: Group,
    text: String,
    /// Where each operand stands in the text, and each of its subscripts, in characters.
    places: Vec<(Range<usize>, Vec<Range<usize>>)>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// ```
    /// use tensoroxide_einsum::notation::Expression;
    /// let product = Expression::parse("ij,jk->ik")?;
    /// assert_eq!(product.operands.len(), 2);
    /// let error = Expression::parse("ij,jk->iq").unwrap_err().to_string();
    /// assert_eq!(error, "label 'q' of the output is in no operand\n  ij,jk->iq\n          ^");
    /// # Ok::<(), tensoroxide_einsum::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Notation`].
    pub fn parse(text: &str) -> Result<Expression, Error> {
        let mut reader = Reader { text, characters: text.chars().collect(), position: 0, operands: Vec::new() };
        let group = reader.group()?;
        let output = match reader.arrow() {
            true => Some(reader.labels()?),
            false => None,
        };
        reader.skip_space();
        if reader.position < reader.characters.len() {
            return Err(reader.unexpected());
        }
        let given = || reader.operands.iter().flat_map(|labels| &labels.subscripts).copied();
        let output = match output {
            None => implicit_output(given()),
            Some(output) => {
                let known: HashSet<Subscript> = given().collect();
                if let Some(at) = output.subscripts.iter().position(|label| !known.contains(label)) {
                    let reason = format!("{} of the output is in no operand", name(output.subscripts[at]));
                    return Err(reader.error(output.places[at].start, reason));
                }
                output.subscripts
            }
        };
        let (operands, places) = reader.operands.into_iter().map(|l| (l.subscripts, (l.range, l.places))).unzip();
        Ok(Expression { operands, output, group, text: text.to_owned(), places })
    }

    /// An expression whose labels are integers, as many different ones as there are. Without an output it is
    /// NumPy's: the labels that occur once, in rising order.
    ///
    /// ```
    /// use tensoroxide_einsum::notation::Expression;
    /// let product = Expression::from_labels(&[&[1, 2], &[2, 3]], Some(&[1, 3]))?;
    /// assert_eq!(product.to_string(), "{1}{2},{2}{3}->{1}{3}");
    /// # Ok::<(), tensoroxide_einsum::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Notation`] for no operand, or for a label of the output that is in no operand.
    pub fn from_labels(operands: &[&[i64]], output: Option<&[i64]>) -> Result<Expression, Error> {
        let integers = |labels: &[i64]| labels.iter().map(|&label| Subscript::Integer(label)).collect::<Vec<_>>();
        if operands.is_empty() {
            let (expression, reason) = (String::new(), "an expression has at least one operand".to_owned());
            return Err(Error::Notation { expression, position: 0, reason });
        }
        let terms: Vec<String> = operands.iter().map(|labels| written(&integers(labels))).collect();
        let output = output.map_or(String::new(), |labels| format!("->{}", written(&integers(labels))));
        Expression::parse(&(terms.join(",") + &output))
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with marks under axes: of each pair the operand, and which of its subscripts (all for `None`).
    pub(crate) fn excerpt(&self, marks: &[(usize, Option<usize>)]) -> Excerpt {
        let range = |&(operand, subscript): &(usize, Option<usize>)| {
            let (whole, each) = &self.places[operand];
            subscript.map_or(whole, |at| &each[at]).clone()
        };
        Excerpt::new(&self.text, &marks.iter().map(range).collect::<Vec<_>>())
    }
}

impl fmt::Display for Expression {
    /// The expression in its plainest form: no white space, and always an output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn write(group: &Group, operands: &[Vec<Subscript>], text: &mut String) {
            match group {
                Group::Operand(operand) => *text += &written(&operands[*operand]),
                Group::Several(members) => {
                    text.push('(');
                    for (i, member) in members.iter().enumerate() {
                        text.extend((i > 0).then_some(','));
                        write(member, operands, text);
                    }
                    text.push(')');
                }
            }
        }
        let mut inputs = String::new();
        write(&self.group, &self.operands, &mut inputs);
        // The outermost group is the expression itself.
        write!(f, "{}->{}", &inputs[1..inputs.len() - 1], written(&self.output))
    }
}

/// Subscripts as text.
pub(crate) fn written(subscripts: &[Subscript]) -> String {
    let mut text = String::new();
    for subscript in subscripts {
        match subscript {
            Subscript::Ellipsis => text += "...",
            Subscript::Character(c) => text.push(*c),
            Subscript::Integer(n) => text += &format!("{{{n}}}"),
        }
    }
    text
}

/// What an error calls a subscript.
pub(crate) fn name(subscript: Subscript) -> String {
    match subscript {
        Subscript::Ellipsis => "the ellipsis".to_owned(),
        Subscript::Character(c) => format!("label {c:?}"),
        Subscript::Integer(n) => format!("label {{{n}}}"),
    }
}

/// NumPy's output where none is given.
fn implicit_output(given: impl Iterator<Item = Subscript>) -> Vec<Subscript> {
    let mut counts: HashMap<Subscript, usize> = HashMap::new();
    given.for_each(|subscript| *counts.entry(subscript).or_default() += 1);
    let once = |(subscript, count)| (count == 1 || subscript == Subscript::Ellipsis).then_some(subscript);
    let mut output: Vec<Subscript> = counts.into_iter().filter_map(once).collect();
    output.sort_unstable(); // the ellipsis comes first
    output
}

/// Parentheses may be nested so deep; deeper ones are refused rather than trusted to the stack.
const DEEPEST: usize = 1000;

/// Whether a character is a label.
fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c >= '\u{a1}'
}

/// Whether a character is ignored. Spaces from U+00A1 on are labels, as opt_einsum uses them.
fn is_space(c: char) -> bool {
    c < '\u{a1}' && c.is_whitespace()
}

/// Labels with their places in the text.
struct Labels {
    subscripts: Vec<Subscript>,
    places: Vec<Range<usize>>,
    range: Range<usize>,
}

struct Reader<'a> {
    text: &'a str,
    characters: Vec<char>,
    position: usize,
    operands: Vec<Labels>,
}

impl Reader<'_> {
    fn error(&self, position: usize, reason: String) -> Error {
        Error::Notation { expression: self.text.to_owned(), position, reason }
    }

    /// The character here should not be here.
    fn unexpected(&self) -> Error {
        let reason = match self.characters.get(self.position) {
            Some('-') if !self.at("->") => "an arrow is written ->".to_owned(),
            Some('.') => "an ellipsis has three dots".to_owned(),
            Some('{') => "a label in braces is an integer of 64 bits, as in {12}".to_owned(),
            Some(c) => format!("unexpected character {c:?}"),
            None => "the expression ends too early".to_owned(),
        };
        self.error(self.position, reason)
    }

    fn skip_space(&mut self) {
        while self.characters.get(self.position).is_some_and(|&c| is_space(c)) {
            self.position += 1;
        }
    }

    fn at(&self, token: &str) -> bool {
        token.chars().eq(self.characters[self.position..].iter().copied().take(token.len()))
    }

    /// Takes an ASCII token if it comes next.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let here = self.at(token);
        self.position += if here { token.len() } else { 0 };
        here
    }

    fn arrow(&mut self) -> bool {
        self.take("->")
    }

    /// All operands. A loop with a stack of its own, since text from anywhere may nest parentheses without end.
    fn group(&mut self) -> Result<Group, Error> {
        // Where each open parenthesis is, and what came before it.
        let mut open: Vec<(usize, Vec<Group>)> = Vec::new();
        let mut items = Vec::new();
        loop {
            self.skip_space();
            let start = self.position;
            if self.take("(") {
                if open.len() == DEEPEST {
                    return Err(self.error(start, format!("more than {DEEPEST} nested parentheses")));
                }
                open.push((start, std::mem::take(&mut items)));
                continue;
            }
            let labels = self.labels()?;
            items.push(Group::Operand(self.operands.len()));
            self.operands.push(labels);
            while !open.is_empty() && self.take(")") {
                if let Some((_, before)) = open.pop() {
                    let members = std::mem::replace(&mut items, before);
                    items.push(Group::Several(members));
                }
            }
            if self.take(",") {
                continue;
            }
            return match open.last() {
                None => Ok(Group::Several(items)),
                Some(&(start, _)) if self.position == self.characters.len() || self.at("->") => {
                    Err(self.error(start, "this parenthesis is not closed".to_owned()))
                }
                Some(_) => Err(self.unexpected()),
            };
        }
    }

    fn labels(&mut self) -> Result<Labels, Error> {
        self.skip_space();
        let start = self.position;
        let mut labels = Labels { subscripts: Vec::new(), places: Vec::new(), range: start..start };
        loop {
            self.skip_space();
            let (start, next) = (self.position, self.characters.get(self.position).copied());
            let subscript = match next {
                Some(c) if is_label(c) => {
                    self.position += 1;
                    Subscript::Character(c)
                }
                Some('.') if self.take("...") => Subscript::Ellipsis,
                Some('{') => self.integer()?,
                Some('.') => return Err(self.unexpected()),
                _ => return Ok(labels),
            };
            if subscript == Subscript::Ellipsis && labels.subscripts.contains(&subscript) {
                return Err(self.error(start, "a second ellipsis in one operand".to_owned()));
            }
            labels.range.end = self.position;
            labels.subscripts.push(subscript);
            labels.places.push(start..self.position);
        }
    }

    /// A label in braces.
    fn integer(&mut self) -> Result<Subscript, Error> {
        let inside = &self.characters[self.position + 1..];
        let length = inside.iter().position(|&c| c == '}').ok_or_else(|| self.unexpected())?;
        let digits: String = inside[..length].iter().filter(|&&c| !is_space(c)).collect();
        let number = digits.parse().map_err(|_| self.unexpected())?;
        self.position += length + 2;
        Ok(Subscript::Integer(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tensoroxide_tensor::testing::config;

    fn characters(text: &str) -> Vec<Subscript> {
        text.chars().map(|c| if c == '.' { Subscript::Ellipsis } else { Subscript::Character(c) }).collect()
    }

    #[test]
    fn what_is_understood() {
        for (text, operands, output) in [
            ("ij,jk->ik", vec!["ij", "jk"], "ik"),
            (" i j , j k -> i k ", vec!["ij", "jk"], "ik"),
            ("i\tj\n,j\u{a0}k->\u{85}ik", vec!["ij", "jk"], "ik"),
            ("...ij,...jk->...ik", vec![".ij", ".jk"], ".ik"),
            ("ii->i", vec!["ii"], "i"),
            ("i->ii", vec!["i"], "ii"),
            ("->", vec![""], ""),
            ("", vec![""], ""),
            (",->", vec!["", ""], ""),
            ("αβ,βγ->αγ", vec!["αβ", "βγ"], "αγ"),
            ("ba", vec!["ba"], "ab"),
            ("ij,jh", vec!["ij", "jh"], "hi"),
            ("bA", vec!["bA"], "Ab"),
            ("ii", vec!["ii"], ""),
            ("a...,b", vec!["a.", "b"], ".ab"),
            // As the public instances have them: digits, a sign, an unassigned code point, a space and a mark.
            ("03,3×,×΢->0΢", vec!["03", "3×", "×΢"], "0΢"),
            ("\u{1680}\u{2003}\u{301}->\u{301}", vec!["\u{1680}\u{2003}\u{301}"], "\u{301}"),
        ] {
            let read = Expression::parse(text).unwrap();
            let expected: Vec<_> = operands.into_iter().map(characters).collect();
            assert_eq!((read.operands, read.output), (expected, characters(output)), "{text}");
        }
    }

    #[test]
    fn parentheses_group() {
        use Group::{Operand, Several};
        let read = Expression::parse("ab,(bc,(cd,de)),ef->af").unwrap();
        let inner = Several(vec![Operand(2), Operand(3)]);
        assert_eq!(read.group, Several(vec![Operand(0), Several(vec![Operand(1), inner]), Operand(4)]));
        assert_eq!(read.operands.len(), 5);
        assert_eq!(read.to_string(), "ab,(bc,(cd,de)),ef->af");
    }

    #[test]
    fn integers_are_labels() {
        let labels: [&[i64]; 3] = [&[-7, i64::MAX], &[i64::MAX, i64::MIN], &[]];
        let read = Expression::from_labels(&labels, Some(&[i64::MIN, -7])).unwrap();
        let integers = |labels: &[i64]| labels.iter().map(|&n| Subscript::Integer(n)).collect::<Vec<_>>();
        assert_eq!(read.operands, labels.map(integers));
        assert_eq!(read.output, integers(&[i64::MIN, -7]));
        assert_eq!(Expression::parse(&read.to_string()).unwrap().operands, read.operands);
        let implicit = Expression::from_labels(&[&[10, 9, 1], &[1]], None).unwrap();
        assert_eq!(implicit.output, integers(&[9, 10]));
        // The digit and the number are two labels.
        let mixed = Expression::parse("b1{ 1 }{-2}").unwrap();
        assert_eq!(mixed.to_string(), "b1{1}{-2}->1b{-2}{1}");
        assert!(matches!(Expression::from_labels(&[], None), Err(Error::Notation { .. })));
        let error = Expression::from_labels(&[&[1, 2]], Some(&[3])).unwrap_err().to_string();
        assert_eq!(error, "label {3} of the output is in no operand\n  {1}{2}->{3}\n          ^");
    }

    #[test]
    fn what_is_refused_and_where() {
        for (text, at, reason) in [
            ("ij,jk->iq", 8, "label 'q' of the output is in no operand"),
            ("ij->...i", 4, "the ellipsis of the output is in no operand"),
            ("i+,j->i", 1, "unexpected character '+'"),
            ("ij;j->i", 2, "unexpected character ';'"),
            ("i\0j->i", 1, "unexpected character '\\0'"),
            ("i..j->i", 1, "an ellipsis has three dots"),
            ("...i...->i", 4, "a second ellipsis in one operand"),
            ("ab,(bc,cd->ad", 3, "this parenthesis is not closed"),
            ("ab,((bc,cd)", 3, "this parenthesis is not closed"),
            ("ab,(b?c,cd)->ad", 5, "unexpected character '?'"),
            ("ab,bc)->ac", 5, "unexpected character ')'"),
            ("ab,(bc)d->ac", 7, "unexpected character 'd'"),
            ("ij->i->j", 5, "unexpected character '-'"),
            ("ij->i,j", 5, "unexpected character ','"),
            ("ij-ik", 2, "an arrow is written ->"),
            ("i{2->i", 1, "a label in braces is an integer of 64 bits, as in {12}"),
            ("i{j}->i", 1, "a label in braces is an integer of 64 bits, as in {12}"),
            ("i{9223372036854775808}->i", 1, "a label in braces is an integer of 64 bits, as in {12}"),
            ("i}->i", 1, "unexpected character '}'"),
        ] {
            let error = Error::Notation { expression: text.to_owned(), position: at, reason: reason.to_owned() };
            assert_eq!(Expression::parse(text), Err(error), "{text}");
        }
        let deep = "(".repeat(100_000);
        assert!(matches!(Expression::parse(&deep), Err(Error::Notation { position: DEEPEST, .. })));
    }

    #[test]
    fn large_expressions_take_no_time() {
        // A ring of thirty thousand operands: as many labels, each of them looked up.
        let label =
            |i: usize| char::from_u32((i % 30_000 + 0xc0 + if i % 30_000 > 0xd000 { 0x1000 } else { 0 }) as u32);
        let terms: Vec<String> =
            (0..30_000).map(|i| [label(i), label(i + 1)].into_iter().flatten().collect()).collect();
        let start = std::time::Instant::now();
        let read = Expression::parse(&(terms.join(",") + "->")).unwrap();
        assert_eq!((read.operands.len(), read.output.len()), (30_000, 0));
        assert!(Expression::parse(&terms.join(",")).unwrap().output.is_empty());
        // A search per label would take minutes.
        assert!(start.elapsed().as_secs() < 10);
    }

    /// What a mutation puts in.
    const TOKENS: [&str; 18] =
        ["i", "j", "A", "β", "0", "×", ",", "->", "...", "(", ")", " ", "{1}", "{-2}", "{", "}", "-", "."];

    fn valid() -> impl Strategy<Value = Expression> {
        let label = prop_oneof![
            6 => prop::sample::select(vec!['i', 'j', 'k', 'A', '7', 'β', '×', '\u{2003}', '\u{10fffd}'])
                .prop_map(Subscript::Character),
            1 => (-2i64..3).prop_map(Subscript::Integer),
        ];
        let operand = (proptest::collection::vec(label, 0..5), proptest::option::weighted(0.2, 0usize..5));
        let operand = operand.prop_map(|(mut labels, ellipsis)| {
            if let Some(at) = ellipsis {
                labels.insert(at.min(labels.len()), Subscript::Ellipsis);
            }
            labels
        });
        let choices =
            (proptest::collection::vec(operand, 1..7), any::<u64>(), proptest::collection::vec(0usize..40, 0..4));
        choices.prop_map(|(operands, parentheses, output)| {
            let given: Vec<Subscript> = operands.iter().flatten().copied().collect();
            let mut output: Vec<Subscript> = output.iter().filter_map(|&i| given.get(i).copied()).collect();
            let mut ellipsis = false;
            output.retain(|s| *s != Subscript::Ellipsis || !std::mem::replace(&mut ellipsis, true));
            let mut items: Vec<Group> = (0..operands.len()).map(Group::Operand).collect();
            let mut choice = parentheses;
            while items.len() > 1 && choice % 3 != 0 {
                let start = choice as usize / 3 % items.len();
                let end = start + 1 + choice as usize / 21 % (items.len() - start);
                let members: Vec<Group> = items.drain(start..end).collect();
                items.insert(start, Group::Several(members));
                choice /= 63;
            }
            let group = Group::Several(items);
            Expression { operands, output, group, text: String::new(), places: Vec::new() }
        })
    }

    fn check(text: &str) -> Result<(), TestCaseError> {
        match Expression::parse(text) {
            Ok(read) => {
                let again = Expression::parse(&read.to_string());
                let again = again.map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
                prop_assert_eq!(&again.operands, &read.operands, "{:?}", text);
                prop_assert_eq!(&again.output, &read.output, "{:?}", text);
                prop_assert_eq!(&again.group, &read.group, "{:?}", text);
                prop_assert!(!read.operands.is_empty());
                for (operand, (whole, each)) in read.places.iter().enumerate() {
                    let slice: String = text.chars().skip(whole.start).take(whole.len()).collect();
                    prop_assert_eq!(each.len(), read.operands[operand].len());
                    let alone = Expression::parse(&slice).expect("the text of an operand");
                    prop_assert_eq!(&alone.operands[0], &read.operands[operand], "{:?}", text);
                    _ = read.excerpt(&[(operand, None)]).to_string();
                }
            }
            Err(Error::Notation { position, expression, reason }) => {
                prop_assert!(position <= text.chars().count(), "{position} in {text:?}");
                prop_assert!(expression == text && !reason.is_empty());
                let shown = Error::Notation { position, expression, reason }.to_string();
                prop_assert!(shown.trim_end().ends_with('^'), "{}", shown);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(config(2000))]

        #[test]
        fn any_text_is_read_or_refused(text in "[a-cα-γ0-1.,()>{} \\-]{0,24}|\\PC{0,24}|.{0,12}") {
            check(&text)?;
        }

        #[test]
        fn what_is_printed_reads_the_same(expression in valid()) {
            let read = Expression::parse(&expression.to_string()).unwrap();
            prop_assert_eq!(&read.operands, &expression.operands);
            prop_assert_eq!(&read.output, &expression.output);
            prop_assert_eq!(&read.group, &expression.group);
        }

        #[test]
        fn a_damaged_expression_is_read_or_refused(
            expression in valid(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..3, 0usize..18), 1..4),
        ) {
            let mut characters: Vec<char> = expression.to_string().chars().collect();
            for (at, how, token) in damage {
                let at = at.index(characters.len() + 1);
                let removed = at..(at + how).min(characters.len());
                characters.splice(removed, if how == 1 { "" } else { TOKENS[token] }.chars());
            }
            check(&characters.into_iter().collect::<String>())?;
        }
    }
}
