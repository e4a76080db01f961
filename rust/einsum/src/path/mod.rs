//! In which order to contract: the search for a cheap sequence of pairs.
//!
//! | module | is |
//! |---|---|
//! | `model` | what a step costs, for what is to be least ([`Minimize`]) |
//! | `exact` | the cheapest path of a few tensors, by dynamic programming |
//! | `greedy` | paths of any number of tensors, the plain one and random ones |
//! | `tree` | a path as a binary tree, and regions of it |
//! | `reconfigure` | the cheapest trees for regions of a few leaves, until nothing is gained |
//! | `anneal` | simulated annealing of trees by rotations |
//! | `search` | which of them, and for how long |
//! | `form` | paths as text |
//!
//! Parentheses are searched from the inside out, each as a network of its own. The time that a search takes is counted
//! in the work that it does, not by a clock, and all chance comes from a seed: nothing here depends on time, threads or
//! the process, and the same input has the same path.

mod anneal;
mod exact;
mod form;
mod greedy;
mod json;
mod model;
mod reconfigure;
mod rng;
mod search;
mod tree;

use crate::network::Network;
use crate::notation::Group;
use tensoroxide_contract::Label;
use tensoroxide_tensor::DType;

pub use form::Form;
pub use model::Minimize;
pub(crate) use model::Model;
use search::Clock;
use tree::Hypergraph;

/// Pairs of tensors, in the order in which they are contracted. Tensors 0 to n − 1 are the operands, and pair `i` makes
/// tensor n + i.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<(usize, usize)>);

/// How to search a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Search {
    /// What the path is to have least of.
    pub minimize: Minimize,
    /// Where the random numbers start.
    pub seed: u64,
    /// Nominal seconds to search for: they are counted in work done, so that the path depends on no clock, and are
    /// about seconds on a processor of 2024. `None` for a fraction of what the contraction itself is estimated to take,
    /// at most about one. Small networks are searched exhaustively in microseconds whatever is said here.
    pub seconds: Option<f64>,
}

/// Finds a path for a network of tensors of this element type.
///
/// ```
/// use tensoroxide_einsum::path::{self, Search};
/// use tensoroxide_einsum::{network::Network, notation::Expression};
/// use tensoroxide_tensor::DType;
/// let chain = Expression::parse("ab,bc,cd->ad")?;
/// let network = Network::new(&chain, &[&[10, 1000], &[1000, 10], &[10, 1000]])?;
/// assert_eq!(path::search(&network, DType::F64, &Search::default()).0, [(0, 1), (2, 3)]);
/// # Ok::<(), tensoroxide_einsum::Error>(())
/// ```
pub fn search(network: &Network, dtype: DType, request: &Search) -> Path {
    match network.operands.len() {
        0 | 1 => Path::default(),
        2 => Path(vec![(0, 1)]),
        _ => {
            let mut contraction = Contraction::new(network, dtype, request);
            contraction.group(&network.group);
            Path(contraction.pairs)
        }
    }
}

/// What a path comes to, by definition; of single tensors nothing is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathCost {
    /// Log2 of the number of multiplications: for each pair the product of the extents of its labels, without those
    /// labels of an operand that nothing else has.
    pub log2_multiplications: f64,
    /// Log2 of the number of elements of the largest tensor that is made.
    pub log2_size: f64,
}

impl Path {
    /// What this path of a network costs.
    pub fn cost(&self, network: &Network) -> PathCost {
        let graph = graph(network);
        let mut cost = PathCost { log2_multiplications: f64::NEG_INFINITY, log2_size: f64::NEG_INFINITY };
        if self.0.is_empty() {
            cost.log2_size = graph.size(&graph.output);
            return cost;
        }
        let tree = tree::Tree::new(&graph, &self.0);
        let largest = tree.largest_volume();
        let sum: f64 = tree.volume[tree.leaves..].iter().map(|volume| (volume - largest).exp2()).sum();
        cost.log2_multiplications = largest + sum.log2();
        cost.log2_size = tree.size[tree.leaves..].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        cost
    }
}

/// The time in ns that a path is estimated to take, as [`Minimize::Time`] judges it.
pub fn estimate(network: &Network, path: &Path, dtype: DType) -> f64 {
    let tree = tree::Tree::new(&graph(network), &path.0);
    let mut model = model::Model::nanoseconds(dtype);
    model.scale(tree.largest_volume());
    tree.total(&model).first * model.shift.exp2()
}

/// A network's labels as sorted sets, without those that a single operand has: it is summed over them before anything
/// else.
fn graph(network: &Network) -> Hypergraph {
    let mut tensors = network.operands.clone();
    let mut output = network.output.clone();
    tensors.iter_mut().chain([&mut output]).for_each(distinct);
    let mut users = vec![0u32; network.extents.len()];
    tensors.iter().chain([&output]).flatten().for_each(|&label| users[label as usize] += 1);
    tensors.iter_mut().for_each(|labels| labels.retain(|&label| users[label as usize] > 1));
    let logs = network.extents.iter().map(|&extent| (extent.max(1) as f64).log2()).collect();
    Hypergraph { tensors, output, logs }
}

/// Sorts labels and leaves each once.
fn distinct(labels: &mut Vec<Label>) {
    labels.sort_unstable();
    labels.dedup();
}

/// The labels of each tensor that a path makes.
pub(crate) fn kept_labels(network: &Network, path: &Path) -> Vec<Vec<Label>> {
    match path.0.is_empty() {
        true => Vec::new(),
        false => tree::Tree::new(&graph(network), &path.0).legs.split_off(network.operands.len()),
    }
}

/// A path that is being put together.
struct Contraction<'a> {
    graph: Hypergraph,
    /// How many of the tensors that are there have each label; the output counts as one.
    users: Vec<u32>,
    /// The number of a label in the network at hand.
    numbers: Vec<u32>,
    operands: usize,
    pairs: Vec<(usize, usize)>,
    dtype: DType,
    request: &'a Search,
}

impl<'a> Contraction<'a> {
    fn new(network: &Network, dtype: DType, request: &'a Search) -> Contraction<'a> {
        let graph = graph(network);
        let mut users = vec![0u32; graph.logs.len()];
        graph.tensors.iter().chain([&graph.output]).flatten().for_each(|&label| users[label as usize] += 1);
        let numbers = vec![u32::MAX; graph.logs.len()];
        let operands = graph.tensors.len();
        Contraction { graph, users, numbers, operands, pairs: Vec::with_capacity(operands), dtype, request }
    }

    /// Contracts a group into one tensor, and returns its number.
    fn group(&mut self, group: &Group) -> usize {
        match group {
            Group::Operand(operand) => *operand,
            Group::Several(members) => {
                let tensors: Vec<usize> = members.iter().map(|member| self.group(member)).collect();
                self.contract(&tensors)
            }
        }
    }

    /// Contracts tensors, of which there is at least one, into one, and returns its number.
    fn contract(&mut self, tensors: &[usize]) -> usize {
        if let [alone] = tensors {
            return *alone;
        }
        let legs: Vec<Vec<u32>> = tensors.iter().map(|&t| std::mem::take(&mut self.graph.tensors[t])).collect();
        // Labels as the network of these tensors numbers them.
        let mut labels: Vec<u32> = Vec::new();
        for &label in legs.iter().flatten() {
            self.users[label as usize] -= 1;
            if self.numbers[label as usize] == u32::MAX {
                self.numbers[label as usize] = labels.len() as u32;
                labels.push(label);
            }
        }
        let mut kept: Vec<u32> = labels.iter().copied().filter(|&label| self.users[label as usize] > 0).collect();
        kept.sort_unstable();
        if tensors.len() == 2 {
            self.pairs.push((tensors[0].min(tensors[1]), tensors[0].max(tensors[1])));
        } else {
            let numbered = |labels: &[u32]| {
                let mut numbers: Vec<u32> = labels.iter().map(|&label| self.numbers[label as usize]).collect();
                numbers.sort_unstable();
                numbers
            };
            let part = Hypergraph {
                tensors: legs.iter().map(|legs| numbered(legs)).collect(),
                output: numbered(&kept),
                logs: labels.iter().map(|&label| self.graph.logs[label as usize]).collect(),
            };
            let share = tensors.len() as f64 / self.operands as f64;
            let clock = Clock::new(self.request.seconds.map(|seconds| seconds * share));
            let found = search::pairs(&part, self.request, self.dtype, clock);
            let mut of_part = tensors.to_vec();
            for (a, b) in found {
                let (a, b) = (of_part[a], of_part[b]);
                self.pairs.push((a.min(b), a.max(b)));
                of_part.push(self.operands + self.pairs.len() - 1);
            }
        }
        labels.iter().for_each(|&label| self.numbers[label as usize] = u32::MAX);
        kept.iter().for_each(|&label| self.users[label as usize] += 1);
        let last = self.operands + self.pairs.len() - 1;
        self.graph.tensors.resize(last, Vec::new());
        self.graph.tensors.push(kept);
        last
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::notation::Expression;

    /// The network of an expression, of extents 2 where no other is given.
    pub(super) fn network(text: &str, extents: &[(char, usize)]) -> Network {
        let expression = Expression::parse(text).unwrap();
        let size = |c: char| extents.iter().find(|(d, _)| *d == c).map_or(2, |x| x.1);
        let terms = text.split("->").next().unwrap().split(',');
        let shapes: Vec<Vec<usize>> =
            terms.map(|term| term.chars().filter(|c| c.is_alphabetic()).map(size).collect()).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        Network::new(&expression, &shapes).unwrap()
    }

    #[test]
    fn parentheses_fix_the_order() {
        let found = |text| {
            let network = network(text, &[('a', 2), ('b', 50), ('c', 50), ('d', 2)]);
            search(&network, DType::F64, &Search::default()).0
        };
        assert_eq!(found("ab,bc,cd->ad"), [(0, 1), (2, 3)]);
        assert_eq!(found("ab,(bc,cd)->ad"), [(1, 2), (0, 3)]);
        assert_eq!(found("(ab,bc),(cd,de)->ae"), [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(found("((ab))->ab"), []);
    }

    #[test]
    fn a_label_inside_parentheses_that_is_needed_outside_is_kept() {
        let n = network("(ab,bc),b->ac", &[]);
        let path = search(&n, DType::F64, &Search::default());
        assert_eq!(path.0, [(0, 1), (2, 3)]);
        assert_eq!(path.cost(&n).log2_multiplications, 4.0);
        assert_eq!(kept_labels(&n, &path), [vec![0, 1, 2], vec![0, 2]]);
    }

    #[test]
    fn a_path_of_a_single_operand_makes_the_output() {
        let cost = Path::default().cost(&network("abc->a", &[]));
        assert_eq!((cost.log2_multiplications, cost.log2_size), (f64::NEG_INFINITY, 1.0));
    }
}
