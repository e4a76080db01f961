//! An expression with the shapes of its operands: labels become numbers with extents.

use std::collections::HashMap;
use std::ops::Range;

use tensoroxide_contract::Label;
use tensoroxide_tensor::layout::element_count;

use crate::notation::{self, written, Expression, Group, Subscript};
use crate::Error;

/// A tensor network: hypergraph whose vertices are operands and whose edges are labels.
#[derive(Clone, Debug)]
pub struct Network {
    /// The label of each axis of each operand.
    pub operands: Vec<Vec<Label>>,
    /// The shape of each operand.
    pub shapes: Vec<Vec<usize>>,
    /// The label of each axis of the output.
    pub output: Vec<Label>,
    /// The extent of each label.
    pub extents: Vec<usize>,
    /// The name of each label, for texts: as it is written, or the number of its axis among those of the ellipsis.
    pub names: Vec<String>,
    /// What the parentheses fix.
    pub group: Group,
}

impl Network {
    /// Gives the labels of an expression their extents.
    ///
    /// A label has one extent, but for operands where it has extent 1, which goes with any other, as in NumPy. The axes
    /// of an ellipsis are aligned at its end.
    ///
    /// # Errors
    /// [`Error::OperandCount`], [`Error::Rank`], [`Error::Size`], [`Error::Tensor`].
    pub fn new(expression: &Expression, shapes: &[&[usize]]) -> Result<Network, Error> {
        if expression.operands.len() != shapes.len() {
            return Err(Error::OperandCount { expected: expression.operands.len(), found: shapes.len() });
        }
        // Axes per ellipsis.
        let mut unnamed = Vec::with_capacity(shapes.len());
        for (operand, (subscripts, shape)) in expression.operands.iter().zip(shapes).enumerate() {
            let ellipsis = subscripts.contains(&Subscript::Ellipsis);
            let named = subscripts.len() - usize::from(ellipsis);
            if shape.len() < named || shape.len() > named && !ellipsis {
                let (labels, excerpt) = (written(subscripts), expression.excerpt(&[(operand, None)]));
                return Err(Error::Rank { operand, labels, shape: shape.to_vec(), excerpt });
            }
            element_count(shape)?;
            unnamed.push(shape.len() - named);
        }
        let longest = unnamed.iter().copied().max().unwrap_or(0);

        let mut labels = Labels::default();
        let mut operands = Vec::with_capacity(shapes.len());
        for (operand, (subscripts, shape)) in expression.operands.iter().zip(shapes).enumerate() {
            let axes = expand(subscripts, longest - unnamed[operand]..longest);
            let numbers = axes.zip(*shape).map(|((at, name), &extent)| {
                let here = Occurrence { operand, at, extent };
                labels.number(name, here).map_err(|first| mismatch(expression, name, first, here))
            });
            operands.push(numbers.collect::<Result<Vec<Label>, Error>>()?);
        }
        let output = expand(&expression.output, 0..longest);
        let output = output.filter_map(|(_, name)| labels.known.get(&name).map(|known| known.number)).collect();
        let network = Network {
            operands,
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            output,
            extents: labels.extents,
            names: labels.names,
            group: expression.group.clone(),
        };
        element_count(&network.output_shape())?;
        Ok(network)
    }

    /// The shape of the output.
    pub fn output_shape(&self) -> Vec<usize> {
        self.output.iter().map(|&label| self.extents[label as usize]).collect()
    }
}

/// A label, or the axis of an ellipsis that is so far from the start of the longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Named(Subscript),
    Unnamed(usize),
}

/// The axes that subscripts stand for, each with the place of its subscript.
fn expand(subscripts: &[Subscript], unnamed: Range<usize>) -> impl Iterator<Item = (usize, Name)> + '_ {
    subscripts.iter().enumerate().flat_map(move |(at, &subscript)| {
        let (named, unnamed) = match subscript {
            Subscript::Ellipsis => (None, unnamed.clone()),
            label => (Some(Name::Named(label)), 0..0),
        };
        named.into_iter().chain(unnamed.map(Name::Unnamed)).map(move |name| (at, name))
    })
}

/// An axis of an operand.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    operand: usize,
    /// The place of its subscript.
    at: usize,
    extent: usize,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
struct Known {
    number: Label,
    /// Where it had this extent first.
    first: Occurrence,
    /// The number and the axis of the last operand that had the name.
    last: (Label, Occurrence),
}

#[derive(Default)]
struct Labels {
    known: HashMap<Name, Known>,
    extents: Vec<usize>,
    names: Vec<String>,
}

impl Labels {
    fn add(&mut self, name: Name, extent: usize) -> Label {
        self.extents.push(extent);
        self.names.push(match name {
            Name::Named(label) => written(&[label]),
            Name::Unnamed(axis) => format!("[{}]", axis + 1),
        });
        (self.extents.len() - 1) as Label
    }

    /// The number of an axis's label; the axis that it does not go with as an error.
    fn number(&mut self, name: Name, here: Occurrence) -> Result<Label, Occurrence> {
        let Some(mut known) = self.known.get(&name).copied() else {
            let number = self.add(name, here.extent);
            self.known.insert(name, Known { number, first: here, last: (number, here) });
            return Ok(number);
        };
        let number = match known.last {
            // A diagonal: nothing is broadcast within an operand.
            (number, last) if last.operand == here.operand => match last.extent == here.extent {
                true => number,
                false => return Err(last),
            },
            _ if known.first.extent == here.extent => known.number,
            // Broadcasting: an axis of one element gets a label of its own, which nothing else has.
            _ if here.extent == 1 => self.add(name, 1),
            _ if known.first.extent == 1 => {
                known.first = here;
                known.number = self.add(name, here.extent);
                known.number
            }
            _ => return Err(known.first),
        };
        known.last = (number, here);
        self.known.insert(name, known);
        Ok(number)
    }
}

fn mismatch(expression: &Expression, name: Name, first: Occurrence, second: Occurrence) -> Error {
    let label = match name {
        Name::Named(label) => notation::name(label),
        Name::Unnamed(axis) => format!("axis {} of the ellipsis", axis + 1),
    };
    let marks = [first, second].map(|axis| (axis.operand, Some(axis.at)));
    let [first, second] = [first, second].map(|axis| (axis.operand, axis.extent));
    Error::Size { label, first, second, excerpt: expression.excerpt(&marks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str, shapes: &[&[usize]]) -> Result<Network, Error> {
        Network::new(&Expression::parse(text).unwrap(), shapes)
    }

    #[test]
    fn labels_are_numbered_as_they_come() {
        let n = network("ij,jk->ki", &[&[2, 3], &[3, 4]]).unwrap();
        assert_eq!(n.operands, [[0, 1], [1, 2]]);
        assert_eq!((n.output.clone(), n.output_shape(), n.extents), (vec![2, 0], vec![4, 2], vec![2, 3, 4]));
    }

    #[test]
    fn an_ellipsis_is_aligned_at_its_end_and_broadcasts() {
        let n = network("...ij,...jk->...ik", &[&[5, 1, 2, 3], &[7, 3, 4]]).unwrap();
        assert_eq!(n.output_shape(), [5, 7, 2, 4]);
        let n = network("a...,b...->ab...", &[&[2, 3, 4], &[5, 3, 1]]).unwrap();
        assert_eq!(n.output_shape(), [2, 5, 3, 4]);
        assert_eq!(network("...->...", &[&[]]).unwrap().output_shape(), [0usize; 0]);
        let error = network("...,...->...", &[&[2, 3], &[2, 4]]).unwrap_err().to_string();
        let expected =
            "axis 2 of the ellipsis has size 3 in operand 1, but size 4 in operand 2\n  ...,...->...\n  ^^^ ^^^";
        assert_eq!(error, expected);
    }

    #[test]
    fn an_extent_of_one_goes_with_any_but_within_an_operand() {
        let n = network("ij,jk,ki->ijk", &[&[2, 1], &[3, 1], &[4, 1]]).unwrap();
        assert_eq!((n.operands.clone(), n.output_shape()), (vec![vec![0, 1], vec![2, 3], vec![4, 5]], vec![2, 3, 4]));
        // Those of extent 1 that were met before the others share a label.
        let n = network("i,i,i,i,i->i", &[&[1], &[1], &[5], &[1], &[5]]).unwrap();
        assert_eq!(
            (n.operands.clone(), n.output_shape()),
            (vec![vec![0], vec![0], vec![1], vec![2], vec![1]], vec![5])
        );
        assert_eq!(network("i,i->i", &[&[1], &[0]]).unwrap().output_shape(), [0]);
        assert_eq!(network("iij,i->ij", &[&[1, 1, 2], &[3]]).unwrap().output_shape(), [3, 2]);
        let text = |result: Result<Network, Error>| result.unwrap_err().to_string();
        for (found, expected) in [
            (network("ii->i", &[&[2, 3]]), "size 2 in operand 1, but size 3 in operand 1\n  ii->i\n  ^^"),
            (network("ii->i", &[&[1, 3]]), "size 1 in operand 1, but size 3 in operand 1\n  ii->i\n  ^^"),
            (network("i,ii->i", &[&[3], &[3, 1]]), "size 3 in operand 2, but size 1 in operand 2\n  i,ii->i\n    ^^"),
            (network("i,ii->i", &[&[3], &[1, 3]]), "size 1 in operand 2, but size 3 in operand 2\n  i,ii->i\n    ^^"),
            (
                network("i,i,i->", &[&[1], &[3], &[2]]),
                "size 3 in operand 2, but size 2 in operand 3\n  i,i,i->\n    ^ ^",
            ),
        ] {
            assert_eq!(text(found), format!("label 'i' has {expected}"));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |result: Result<Network, Error>| result.unwrap_err().to_string();
        let count = text(network("ij,jk->ik", &[&[2, 3]]));
        assert_eq!(count, "the expression has 2 operand(s), but 1 were given");
        let rank = text(network("ij,jk->ik", &[&[2, 3], &[3]]));
        assert_eq!(rank, "operand 2 has 1 axes (size [3]), which do not fit its labels \"jk\"\n  ij,jk->ik\n     ^^");
        assert!(network("...ij->...", &[&[3]]).is_err());
        let rank = text(network("i,,j->ij", &[&[2], &[3], &[3]]));
        assert_eq!(rank, "operand 2 has 1 axes (size [3]), which do not fit its labels \"\"\n  i,,j->ij\n    ^");
        let size = text(network(" ij,jk->ik", &[&[2, 3], &[4, 5]]));
        assert_eq!(size, "label 'j' has size 3 in operand 1, but size 4 in operand 2\n   ij,jk->ik\n    ^ ^");
        let size = text(network("{1}{2},{2}->", &[&[2, 3], &[4]]));
        assert_eq!(size, "label {2} has size 3 in operand 1, but size 4 in operand 2\n  {1}{2},{2}->\n     ^^^ ^^^");
        let half = usize::MAX / 4;
        assert!(matches!(network("a,b->ab", &[&[half], &[half]]), Err(Error::Tensor(_))));
    }
}
