//! An expression with the shapes of its operands: labels become numbers with extents.

use std::collections::HashMap;

use tensoroxide_contract::Label;
use tensoroxide_tensor::layout::element_count;

use crate::notation::{Expression, Group, Subscript};
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
    /// The name of each label, for texts: its letter, or the number of its axis among those of the ellipsis.
    pub names: Vec<String>,
    /// What the parentheses fix.
    pub group: Group,
}

impl Network {
    /// Gives the labels of an expression their extents.
    ///
    /// The axes of an ellipsis are aligned at its end, and an extent of 1 there goes with any other, as in NumPy. Letters
    /// must agree in all operands.
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
            let letters = subscripts.len() - usize::from(ellipsis);
            if shape.len() < letters || shape.len() > letters && !ellipsis {
                return Err(Error::Rank { operand, labels: text(subscripts), shape: shape.to_vec() });
            }
            element_count(shape)?;
            unnamed.push(shape.len() - letters);
        }
        let longest = unnamed.iter().copied().max().unwrap_or(0);

        let mut labels = Labels::default();
        let mut operands = Vec::with_capacity(shapes.len());
        for (operand, (subscripts, shape)) in expression.operands.iter().zip(shapes).enumerate() {
            let axes = expand(subscripts, longest - unnamed[operand]..longest);
            let numbers = axes.into_iter().zip(*shape).map(|(name, &extent)| labels.at(name, operand, extent));
            operands.push(numbers.collect::<Result<Vec<Label>, Error>>()?);
        }
        let output: Vec<Label> = expand(&expression.output, 0..longest)
            .into_iter()
            .filter_map(|name| labels.numbers.get(&name).map(|&(number, _)| number))
            .collect();
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

/// A letter, or the axis of an ellipsis that is so far from the start of the longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Letter(char),
    Unnamed(usize),
}

fn expand(subscripts: &[Subscript], unnamed: std::ops::Range<usize>) -> Vec<Name> {
    let mut names = Vec::new();
    for subscript in subscripts {
        match subscript {
            Subscript::Letter(c) => names.push(Name::Letter(*c)),
            Subscript::Ellipsis => names.extend(unnamed.clone().map(Name::Unnamed)),
        }
    }
    names
}

/// Subscripts as they were written.
fn text(subscripts: &[Subscript]) -> String {
    subscripts
        .iter()
        .map(|subscript| match subscript {
            Subscript::Letter(c) => c.to_string(),
            Subscript::Ellipsis => "...".to_owned(),
        })
        .collect()
}

#[derive(Default)]
struct Labels {
    /// The number of each name, and the operand where it was met first.
    numbers: HashMap<Name, (Label, usize)>,
    extents: Vec<usize>,
    names: Vec<String>,
}

impl Labels {
    fn add(&mut self, name: Name, extent: usize) -> Label {
        self.extents.push(extent);
        self.names.push(match name {
            Name::Letter(c) => c.to_string(),
            Name::Unnamed(axis) => format!("[{}]", axis + 1),
        });
        (self.extents.len() - 1) as Label
    }

    /// The number of an axis's label.
    fn at(&mut self, name: Name, operand: usize, extent: usize) -> Result<Label, Error> {
        let Some(&(number, first)) = self.numbers.get(&name) else {
            let number = self.add(name, extent);
            self.numbers.insert(name, (number, operand));
            return Ok(number);
        };
        let known = self.extents[number as usize];
        match name {
            _ if known == extent => Ok(number),
            // Broadcasting: an axis of one element gets a label of its own, which nothing else has.
            Name::Unnamed(_) if extent == 1 => Ok(self.add(name, 1)),
            Name::Unnamed(_) if known == 1 => {
                let wide = self.add(name, extent);
                self.numbers.insert(name, (wide, operand));
                Ok(wide)
            }
            _ => {
                let label = match name {
                    Name::Letter(c) => format!("{c:?}"),
                    Name::Unnamed(axis) => format!("of axis {} of the ellipsis", axis + 1),
                };
                Err(Error::Size { label, first: (first, known), second: (operand, extent) })
            }
        }
    }
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
        assert_eq!(error, "label of axis 2 of the ellipsis has size 3 in operand 1, but size 4 in operand 2");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |result: Result<Network, Error>| result.unwrap_err().to_string();
        let count = text(network("ij,jk->ik", &[&[2, 3]]));
        assert_eq!(count, "the expression has 2 operand(s), but 1 were given");
        let rank = text(network("ij,jk->ik", &[&[2, 3], &[3]]));
        assert_eq!(rank, "operand 2 has 1 axes (size [3]), which do not fit its labels \"jk\"");
        assert!(network("...ij->...", &[&[3]]).is_err());
        let size = text(network("ij,jk->ik", &[&[2, 3], &[4, 5]]));
        assert_eq!(size, "label 'j' has size 3 in operand 1, but size 4 in operand 2");
        assert!(matches!(network("ii->i", &[&[2, 3]]), Err(Error::Size { .. })));
        let half = usize::MAX / 4;
        assert!(matches!(network("a,b->ab", &[&[half], &[half]]), Err(Error::Tensor(_))));
    }
}
