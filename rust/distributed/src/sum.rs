//! The tree along which partial results are added up.
//!
//! Floating-point sums depend on their order. Here it depends on the leaves alone: leaves 2k and 2k + 1 are added, then
//! pairs of pairs, and so on, whoever has computed them and whenever. The result has the same bits for any number of
//! ranks. As a sum by pairs its error grows with the logarithm of the number of leaves.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tensoroxide_tensor::{Buffer, Scalar};

use crate::Error;

/// A sum of leaves: `at · 2^level` is the first of 2^level of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) level: u32,
    pub(crate) at: usize,
}

impl Node {
    pub(crate) fn first_leaf(self) -> usize {
        self.at << self.level
    }

    fn sibling(self) -> Node {
        Node { at: self.at ^ 1, ..self }
    }
}

/// The partial sums that a rank has.
pub(crate) struct Sums<T: Scalar> {
    elements: usize,
    /// The level whose nodes are done: every block has one.
    top: u32,
    state: Mutex<State<T>>,
}

struct State<T: Scalar> {
    nodes: HashMap<Node, Buffer<T>>,
    spare: Vec<Buffer<T>>,
}

impl<T: Scalar> Sums<T> {
    pub(crate) fn new(elements: usize, top: u32) -> Sums<T> {
        Sums { elements, top, state: Mutex::new(State { nodes: HashMap::new(), spare: Vec::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // What is locked here is whole between any two lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for a leaf, or for a node from elsewhere.
    pub(crate) fn buffer(&self) -> Result<Buffer<T>, Error> {
        let spare = self.lock().spare.pop();
        Ok(spare.map_or_else(|| Buffer::zeroed(self.elements), Ok)?)
    }

    /// Gives memory back.
    pub(crate) fn spare(&self, buffer: Buffer<T>) {
        self.lock().spare.push(buffer);
    }

    /// Takes in a node, adds it to its sibling if that is there, the sum to the next, and so on.
    pub(crate) fn insert(&self, mut node: Node, mut sum: Buffer<T>) {
        loop {
            let other = {
                let mut state = self.lock();
                let sibling = if node.level < self.top { state.nodes.remove(&node.sibling()) } else { None };
                match sibling {
                    Some(other) => other,
                    None => {
                        state.nodes.insert(node, sum);
                        return;
                    }
                }
            };
            let (mut left, right) = if node.at % 2 == 0 { (sum, other) } else { (other, sum) };
            left.iter_mut().zip(&*right).for_each(|(l, &r)| *l += r);
            self.spare(right);
            (node, sum) = (Node { level: node.level + 1, at: node.at / 2 }, left);
        }
    }

    /// Takes out a node that is wanted.
    pub(crate) fn take(&self, wanted: impl Fn(Node) -> bool) -> Option<(Node, Buffer<T>)> {
        let mut state = self.lock();
        // The first in order, so that the same messages are sent again in another run of the same kind.
        let found =
            state.nodes.keys().copied().filter(|&node| wanted(node)).min_by_key(|node| (node.level, node.at))?;
        state.nodes.remove(&found).map(|sum| (found, sum))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().nodes.is_empty()
    }

    /// Whether a node is the sum of a whole block, and of which.
    pub(crate) fn block(&self, node: Node) -> Option<usize> {
        (node.level == self.top).then_some(node.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        // Numbers whose sum in another order has other bits.
        let leaf = |k: usize| 1.0 / (k as f64 + 0.1) * if k % 3 == 0 { 1e8 } else { -1.0 };
        let mut found = Vec::new();
        for step in [1, 3, 5, 7, 11, 13] {
            let sums = Sums::<f64>::new(1, 4);
            for k in 0..32 {
                let at = k * step % 32;
                let mut buffer = sums.buffer().unwrap();
                buffer[0] = leaf(at);
                sums.insert(Node { level: 0, at }, buffer);
            }
            let mut blocks = Vec::new();
            while let Some((node, sum)) = sums.take(|node| node.level == 4) {
                blocks.push((sums.block(node), sum[0].to_bits()));
            }
            assert!(sums.is_empty());
            found.push(blocks);
        }
        assert_eq!(found[0].len(), 2);
        assert!(found.iter().all(|blocks| *blocks == found[0]));
    }
}
