//! A contraction path as a binary tree that can be changed.
//!
//! The labels of a tensor are its *legs*: those that it has and that something outside of its subtree needs. A *region*
//! is a connected part of the tree, a root and some of its descendants as leaves: a network of its own, whose output
//! has the legs of the root. Whatever tree is put in its place, nothing outside of it changes.

use super::model::{Cost, Model};

/// A network: sorted distinct labels of each tensor and of the result, and the logarithm to base 2 of each label's
/// extent.
#[derive(Clone, Debug)]
pub(super) struct Hypergraph {
    pub(super) tensors: Vec<Vec<u32>>,
    pub(super) output: Vec<u32>,
    pub(super) logs: Vec<f64>,
}

impl Hypergraph {
    /// Log2 of the number of elements.
    pub(super) fn size(&self, labels: &[u32]) -> f64 {
        labels.iter().map(|&label| self.logs[label as usize]).sum()
    }
}

pub(super) const NONE: u32 = u32::MAX;

/// Nodes below `leaves` are the network's tensors, the others results.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) leaves: usize,
    pub(super) children: Vec<[u32; 2]>,
    pub(super) parent: Vec<u32>,
    pub(super) legs: Vec<Vec<u32>>,
    /// Log2 of the elements of each node's tensor.
    pub(super) size: Vec<f64>,
    /// Log2 of the multiplications of each result.
    pub(super) volume: Vec<f64>,
    pub(super) root: usize,
}

impl Tree {
    /// The tree of pairs that number tensors as a path does.
    pub(super) fn new(graph: &Hypergraph, pairs: &[(usize, usize)]) -> Tree {
        let leaves = graph.tensors.len();
        let count = leaves + pairs.len();
        let mut tree = Tree {
            leaves,
            children: vec![[NONE; 2]; count],
            parent: vec![NONE; count],
            legs: Vec::with_capacity(count),
            size: Vec::with_capacity(count),
            volume: vec![0.0; count],
            root: count - 1,
        };
        let mut users = vec![0u32; graph.logs.len()];
        graph.tensors.iter().chain([&graph.output]).flatten().for_each(|&label| users[label as usize] += 1);
        for tensor in &graph.tensors {
            tree.legs.push(tensor.clone());
            tree.size.push(graph.size(tensor));
        }
        for (k, &(a, b)) in pairs.iter().enumerate() {
            let node = leaves + k;
            tree.children[node] = [a as u32, b as u32];
            tree.parent[a] = node as u32;
            tree.parent[b] = node as u32;
            let (legs, volume) = joined(&tree.legs[a], &tree.legs[b], &graph.logs, |label, both| {
                users[label as usize] -= u32::from(both);
                users[label as usize] > 1 || {
                    users[label as usize] -= 1;
                    false
                }
            });
            tree.volume[node] = volume;
            tree.size.push(graph.size(&legs));
            tree.legs.push(legs);
        }
        tree
    }

    /// The cost of a result.
    pub(super) fn cost(&self, node: usize, model: &Model) -> Cost {
        let [a, b] = self.children[node];
        model.cost(self.volume[node], self.size[a as usize], self.size[b as usize], self.size[node])
    }

    /// The cost of all results.
    pub(super) fn total(&self, model: &Model) -> Cost {
        (self.leaves..self.children.len()).fold(model.none(), |total, node| model.both(total, self.cost(node, model)))
    }

    /// Log2 of the most multiplications of a step.
    pub(super) fn largest_volume(&self) -> f64 {
        self.volume[self.leaves..].iter().copied().fold(0.0, f64::max)
    }

    /// The pairs, as a path numbers tensors. Of the two tensors of a pair the one is made first whose making needs
    /// more memory beyond what it leaves (Sethi and Ullman, J. ACM 17, 715 (1970)), so that less is alive at once.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let amount = |node: usize| self.size[node].min(900.0).exp2();
        let mut peak = vec![0.0f64; self.children.len()];
        let (order, mut swapped) = (self.post_order(), vec![false; self.children.len()]);
        for &node in order.iter().filter(|&&node| node >= self.leaves) {
            let [a, b] = self.children[node].map(|child| child as usize);
            // Operands are the caller's memory.
            let kept = |child: usize| if child < self.leaves { 0.0 } else { amount(child) };
            swapped[node] = peak[b] - kept(b) > peak[a] - kept(a);
            let (a, b) = if swapped[node] { (b, a) } else { (a, b) };
            peak[node] = peak[a].max(kept(a) + peak[b]).max(kept(a) + kept(b) + amount(node));
        }
        let mut number: Vec<usize> = (0..self.children.len()).collect();
        let mut pairs = Vec::with_capacity(self.children.len() - self.leaves);
        let mut stack = vec![(self.root, false)];
        while let Some((node, done)) = stack.pop() {
            if node < self.leaves {
                continue;
            }
            let [a, b] = self.children[node].map(|child| child as usize);
            if done {
                let (x, y) = (number[a], number[b]);
                number[node] = self.leaves + pairs.len();
                pairs.push((x.min(y), x.max(y)));
            } else {
                let (first, second) = if swapped[node] { (b, a) } else { (a, b) };
                stack.extend([(node, true), (second, false), (first, false)]);
            }
        }
        pairs
    }

    /// All nodes, children before their parents.
    pub(super) fn post_order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.children.len());
        let mut stack = vec![self.root];
        while let Some(node) = stack.pop() {
            order.push(node);
            if node >= self.leaves {
                stack.extend(self.children[node].map(|child| child as usize));
            }
        }
        order.reverse();
        order
    }

    /// The region below a root that has at most `most` leaves, the largest tensors opened first: leaves, then results
    /// from the root downwards.
    pub(super) fn region(&self, root: usize, most: usize, leaves: &mut Vec<usize>, results: &mut Vec<usize>) {
        leaves.clear();
        results.clear();
        leaves.push(root);
        while leaves.len() < most {
            let open = (0..leaves.len()).filter(|&i| leaves[i] >= self.leaves);
            let Some(i) = open.max_by(|&i, &j| self.size[leaves[i]].total_cmp(&self.size[leaves[j]])) else { break };
            let node = leaves.swap_remove(i);
            results.push(node);
            leaves.extend(self.children[node].map(|child| child as usize));
        }
    }
}

/// The legs of the product of two tensors, and log2 of its multiplications. `keep` says of each label, and whether both
/// have it, if something else needs it.
pub(super) fn joined(a: &[u32], b: &[u32], logs: &[f64], mut keep: impl FnMut(u32, bool) -> bool) -> (Vec<u32>, f64) {
    let mut legs = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j, mut volume) = (0, 0, 0.0);
    while i < a.len() || j < b.len() {
        let x = a.get(i).copied().unwrap_or(u32::MAX);
        let y = b.get(j).copied().unwrap_or(u32::MAX);
        let label = x.min(y);
        i += usize::from(x == label);
        j += usize::from(y == label);
        volume += logs[label as usize];
        if keep(label, x == y) {
            legs.push(label);
        }
    }
    (legs, volume)
}
