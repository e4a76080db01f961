//! The text of an Einstein summation, read.
//!
//! ```text
//! expression = group [ "->" labels ]
//! group      = item { "," item }
//! item       = labels | "(" group ")"
//! labels     = { letter | "..." }          at most one "..."
//! ```
//!
//! A letter is any alphabetic character of Unicode; white space is ignored. Without `->` the output is NumPy's: the axes of
//! the ellipsis, then the letters that occur once, in alphabetical order. Parentheses are contracted before what is
//! around them.

use crate::Error;

/// One axis, or the axes that an ellipsis stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscript {
    /// A named label.
    Letter(char),
    /// As many unnamed axes as the operand has more than letters.
    Ellipsis,
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
}

struct Reader<'a> {
    text: &'a str,
    characters: Vec<char>,
    position: usize,
    operands: Vec<Vec<Subscript>>,
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
        let group = Group::Several(reader.group(0)?);
        reader.skip_space();
        let output = if reader.at("->") {
            reader.position += 2;
            let start = reader.position;
            let output = reader.labels()?;
            reader.skip_space();
            if reader.position < reader.characters.len() {
                return Err(reader.error(reader.position, reader.unexpected()));
            }
            reader.check_output(&output, start)?;
            output
        } else if reader.position < reader.characters.len() {
            return Err(reader.error(reader.position, reader.unexpected()));
        } else {
            implicit_output(&reader.operands)
        };
        Ok(Expression { operands: reader.operands, output, group })
    }
}

/// NumPy's output where none is given.
fn implicit_output(operands: &[Vec<Subscript>]) -> Vec<Subscript> {
    let all = || operands.iter().flatten();
    let mut letters: Vec<char> = all()
        .filter_map(|s| match s {
            Subscript::Letter(c) if all().filter(|t| *t == s).count() == 1 => Some(*c),
            _ => None,
        })
        .collect();
    letters.sort_unstable();
    let ellipsis = all().any(|s| *s == Subscript::Ellipsis).then_some(Subscript::Ellipsis);
    ellipsis.into_iter().chain(letters.into_iter().map(Subscript::Letter)).collect()
}

/// Parentheses may be nested so deep; deeper ones are refused rather than trusted to the stack.
const DEEPEST: usize = 200;

impl Reader<'_> {
    fn error(&self, position: usize, reason: String) -> Error {
        Error::Notation { expression: self.text.to_owned(), position, reason }
    }

    fn unexpected(&self) -> String {
        match self.characters.get(self.position) {
            Some(c) => format!("unexpected character {c:?}"),
            None => "the expression ends too early".to_owned(),
        }
    }

    fn skip_space(&mut self) {
        while self.characters.get(self.position).is_some_and(|c| c.is_whitespace()) {
            self.position += 1;
        }
    }

    fn at(&self, token: &str) -> bool {
        token.chars().eq(self.characters[self.position..].iter().copied().take(token.chars().count()))
    }

    fn group(&mut self, depth: usize) -> Result<Vec<Group>, Error> {
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.at("(") {
                let start = self.position;
                if depth == DEEPEST {
                    return Err(self.error(start, format!("more than {DEEPEST} nested parentheses")));
                }
                self.position += 1;
                items.push(Group::Several(self.group(depth + 1)?));
                self.skip_space();
                if !self.at(")") {
                    return Err(self.error(start, "this parenthesis is not closed".to_owned()));
                }
                self.position += 1;
                self.skip_space();
            } else {
                let labels = self.labels()?;
                items.push(Group::Operand(self.operands.len()));
                self.operands.push(labels);
            }
            if !self.at(",") {
                return Ok(items);
            }
            self.position += 1;
        }
    }

    fn labels(&mut self) -> Result<Vec<Subscript>, Error> {
        let mut labels = Vec::new();
        loop {
            self.skip_space();
            match self.characters.get(self.position) {
                Some(&c) if c.is_alphabetic() => {
                    labels.push(Subscript::Letter(c));
                    self.position += 1;
                }
                Some('.') if self.at("...") => {
                    if labels.contains(&Subscript::Ellipsis) {
                        return Err(self.error(self.position, "a second ellipsis in one operand".to_owned()));
                    }
                    labels.push(Subscript::Ellipsis);
                    self.position += 3;
                }
                Some('.') => return Err(self.error(self.position, "an ellipsis has three dots".to_owned())),
                _ => return Ok(labels),
            }
        }
    }

    /// Every label of the output must be in an operand. `start` is where the output begins in the text.
    fn check_output(&self, output: &[Subscript], start: usize) -> Result<(), Error> {
        for label in output {
            if self.operands.iter().flatten().any(|s| s == label) {
                continue;
            }
            let (token, name) = match label {
                Subscript::Letter(c) => (*c, format!("label {c:?}")),
                Subscript::Ellipsis => ('.', "the ellipsis".to_owned()),
            };
            let position = self.characters[start..].iter().position(|&c| c == token).map_or(start, |at| start + at);
            return Err(self.error(position, format!("{name} of the output is in no operand")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters(text: &str) -> Vec<Subscript> {
        text.chars().map(|c| if c == '.' { Subscript::Ellipsis } else { Subscript::Letter(c) }).collect()
    }

    #[test]
    fn what_is_understood() {
        for (text, operands, output) in [
            ("ij,jk->ik", vec!["ij", "jk"], "ik"),
            (" i j , j k -> i k ", vec!["ij", "jk"], "ik"),
            ("...ij,...jk->...ik", vec![".ij", ".jk"], ".ik"),
            ("ii->i", vec!["ii"], "i"),
            ("i->ii", vec!["i"], "ii"),
            ("->", vec![""], ""),
            ("", vec![""], ""),
            (",->", vec!["", ""], ""),
            ("αβ,βγ->αγ", vec!["αβ", "βγ"], "αγ"),
            ("ba", vec!["ba"], "ab"),
            ("ij,jh", vec!["ij", "jh"], "hi"),
            ("ii", vec!["ii"], ""),
            ("a...,b", vec!["a.", "b"], ".ab"),
        ] {
            let read = Expression::parse(text).unwrap();
            let expected: Vec<_> = operands.into_iter().map(letters).collect();
            assert_eq!((read.operands, read.output), (expected, letters(output)), "{text}");
        }
    }

    #[test]
    fn parentheses_group() {
        use Group::{Operand, Several};
        let read = Expression::parse("ab,(bc,(cd,de)),ef->af").unwrap();
        let inner = Several(vec![Operand(2), Operand(3)]);
        assert_eq!(read.group, Several(vec![Operand(0), Several(vec![Operand(1), inner]), Operand(4)]));
        assert_eq!(read.operands.len(), 5);
    }

    #[test]
    fn what_is_refused_and_where() {
        for (text, at, reason) in [
            ("ij,jk->iq", 8, "label 'q' of the output is in no operand"),
            ("ij->...i", 4, "the ellipsis of the output is in no operand"),
            ("i1,j->i", 1, "unexpected character '1'"),
            ("i..j->i", 1, "an ellipsis has three dots"),
            ("...i...->i", 4, "a second ellipsis in one operand"),
            ("ab,(bc,cd->ad", 3, "this parenthesis is not closed"),
            ("ab,bc)->ac", 5, "unexpected character ')'"),
            ("ab,(bc)d->ac", 7, "unexpected character 'd'"),
            ("ij->i->j", 5, "unexpected character '-'"),
            ("ij-ik", 2, "unexpected character '-'"),
        ] {
            let error = Error::Notation { expression: text.to_owned(), position: at, reason: reason.to_owned() };
            assert_eq!(Expression::parse(text), Err(error), "{text}");
        }
        let deep = "(".repeat(100_000);
        assert!(matches!(Expression::parse(&deep), Err(Error::Notation { position: DEEPEST, .. })));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-cα-γ.,()> \\-]{0,24}|\\PC{0,24}") {
            match Expression::parse(&text) {
                Ok(read) => prop_assert!(!read.operands.is_empty()),
                Err(Error::Notation { position, .. }) => prop_assert!(position <= text.chars().count()),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
