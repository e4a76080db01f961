//! In which order to contract: the search for a cheap sequence of pairs.
//!
//! The cost of a pair is the number of multiplications, the product of the extents of all its labels. Up to
//! [`EXACT`] tensors the search is exhaustive (`exact`); beyond, greedy (`greedy`). Parentheses are searched from the
//! inside out, each as a network of its own. Nothing here depends on chance, time or threads.

mod exact;
mod form;
mod greedy;
mod json;
mod labels;

use crate::network::Network;
use crate::notation::Group;
use labels::LabelSet;
use tensoroxide_contract::Label;

pub use form::Form;

/// Most tensors that the exhaustive search takes: 3ⁿ/2 splits, about a millisecond.
pub const EXACT: usize = 9;

/// Pairs of tensors, in the order in which they are contracted. Tensors 0 to n − 1 are the operands, and pair `i` makes
/// tensor n + i.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<(usize, usize)>);

/// Finds a path for a network.
///
/// ```
/// use tensoroxide_einsum::{network::Network, notation::Expression, path};
/// let chain = Expression::parse("ab,bc,cd->ad")?;
/// let network = Network::new(&chain, &[&[10, 1000], &[1000, 10], &[10, 1000]])?;
/// assert_eq!(path::search(&network).0, [(0, 1), (2, 3)]);
/// # Ok::<(), tensoroxide_einsum::Error>(())
/// ```
pub fn search(network: &Network) -> Path {
    let mut search = Search::new(network);
    search.group(&network.group, 0, &search.output.clone());
    Path(search.pairs)
}

/// The labels of each tensor that a path makes, in any order.
pub(crate) fn kept_labels(network: &Network, path: &Path) -> Vec<Vec<Label>> {
    let mut tensors: Vec<Vec<Label>> = network.operands.clone();
    tensors.iter_mut().for_each(distinct);
    let mut output = network.output.clone();
    distinct(&mut output);
    // How many tensors that are there have each label; the output is one.
    let mut users = vec![0usize; network.extents.len()];
    tensors.iter().chain([&output]).flatten().for_each(|&label| users[label as usize] += 1);
    let mut made = Vec::with_capacity(path.0.len());
    for &(a, b) in &path.0 {
        let mut both = [std::mem::take(&mut tensors[a]), std::mem::take(&mut tensors[b])].concat();
        both.iter().for_each(|&label| users[label as usize] -= 1);
        distinct(&mut both);
        both.retain(|&label| users[label as usize] > 0);
        both.iter().for_each(|&label| users[label as usize] += 1);
        made.push(both.clone());
        tensors.push(both);
    }
    made
}

/// Sorts labels and leaves each once.
fn distinct(labels: &mut Vec<Label>) {
    labels.sort_unstable();
    labels.dedup();
}

struct Search {
    /// The labels of all tensors that are there.
    tensors: Vec<Option<LabelSet>>,
    output: LabelSet,
    pairs: Vec<(usize, usize)>,
    /// The extent of each label.
    weights: Vec<f64>,
}

impl Search {
    fn new(network: &Network) -> Search {
        let width = network.extents.len();
        Search {
            tensors: network.operands.iter().map(|labels| Some(LabelSet::new(width, labels))).collect(),
            output: LabelSet::new(width, &network.output),
            pairs: Vec::with_capacity(network.operands.len()),
            weights: network.extents.iter().map(|&extent| extent as f64).collect(),
        }
    }

    /// Contracts a group, whose first operand is `start`, into one tensor, and returns its number. `outside` are the
    /// labels that something outside of the group has.
    fn group(&mut self, group: &Group, start: usize, outside: &LabelSet) -> usize {
        let members = match group {
            Group::Operand(operand) => return *operand,
            Group::Several(members) => members,
        };
        let ends: Vec<usize> = members
            .iter()
            .scan(start, |at, member| {
                *at += form::leaves(member);
                Some(*at)
            })
            .collect();
        let starts: Vec<usize> = [start].into_iter().chain(ends.iter().copied()).take(members.len()).collect();
        let labels: Vec<LabelSet> = starts.iter().zip(&ends).map(|(&from, &to)| self.union(from..to)).collect();
        let mut tensors = Vec::with_capacity(members.len());
        for (i, member) in members.iter().enumerate() {
            if let Group::Operand(operand) = member {
                tensors.push(*operand);
                continue;
            }
            let mut others = outside.clone();
            labels.iter().enumerate().filter(|(j, _)| *j != i).for_each(|(_, set)| others.join(set));
            tensors.push(self.group(member, starts[i], &others));
        }
        self.contract(&tensors, outside)
    }

    /// All labels of some tensors.
    fn union(&self, tensors: std::ops::Range<usize>) -> LabelSet {
        let mut all = LabelSet::new(self.weights.len(), &[]);
        self.tensors[tensors].iter().flatten().for_each(|set| all.join(set));
        all
    }

    /// Contracts a step of a path that was given into one tensor, and returns its number.
    fn contract_step(&mut self, tensors: &[usize]) -> usize {
        let taken: Vec<Option<LabelSet>> = tensors.iter().map(|&t| self.tensors[t].take()).collect();
        let mut outside = self.union(0..self.tensors.len());
        outside.join(&self.output);
        tensors.iter().zip(taken).for_each(|(&t, set)| self.tensors[t] = set);
        self.contract(tensors, &outside)
    }

    /// Contracts tensors into one and returns its number.
    fn contract(&mut self, tensors: &[usize], outside: &LabelSet) -> usize {
        let mut numbers = tensors.to_vec();
        let sets: Vec<LabelSet> = tensors.iter().filter_map(|&t| self.tensors[t].take()).collect();
        let pairs = match sets.len() {
            0 | 1 => Vec::new(),
            n if n <= EXACT => exact::search(&sets, outside, &self.weights),
            _ => greedy::search(&sets, outside, &self.weights),
        };
        let mut all = LabelSet::new(self.weights.len(), &[]);
        sets.iter().for_each(|set| all.join(set));
        all.meet(outside);
        if let [alone] = sets.as_slice() {
            self.tensors[numbers[0]] = Some(alone.clone());
            return numbers[0];
        }
        // The pairs count the group's own tensors from 0.
        for (a, b) in pairs {
            let (a, b) = (numbers[a], numbers[b]);
            self.pairs.push((a.min(b), a.max(b)));
            numbers.push(self.tensors.len());
            self.tensors.push(None);
        }
        let last = numbers.last().copied().unwrap_or_default();
        self.tensors[last] = Some(all);
        last
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::notation::Expression;
    use proptest::prelude::*;

    pub(super) fn network(text: &str, extents: &[(char, usize)]) -> Network {
        let expression = Expression::parse(text).unwrap();
        let size = |c: char| extents.iter().find(|(d, _)| *d == c).map_or(2, |x| x.1);
        let shapes: Vec<Vec<usize>> = text
            .split("->")
            .next()
            .unwrap()
            .split(',')
            .map(|term| term.chars().filter(|c| c.is_alphabetic()).map(size).collect())
            .collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        Network::new(&expression, &shapes).unwrap()
    }

    /// The multiplications of a path, by definition.
    fn cost(network: &Network, path: &Path) -> f64 {
        let width = network.extents.len();
        let mut alive: Vec<Option<LabelSet>> =
            network.operands.iter().map(|labels| Some(LabelSet::new(width, labels))).collect();
        let weights: Vec<f64> = network.extents.iter().map(|&e| e as f64).collect();
        let mut total = 0.0;
        for &(a, b) in &path.0 {
            let (mut both, b) = (alive[a].take().unwrap(), alive[b].take().unwrap());
            both.join(&b);
            total += both.product(&weights);
            let mut needed = LabelSet::new(width, &network.output);
            alive.iter().flatten().for_each(|set| needed.join(set));
            both.meet(&needed);
            alive.push(Some(both));
        }
        assert_eq!(alive.iter().flatten().count(), 1, "one tensor is left");
        total
    }

    /// The cheapest of all paths, by trying them all.
    fn cheapest(network: &Network, path: &mut Path, alive: Vec<usize>) -> f64 {
        if alive.len() == 1 {
            return cost(network, path);
        }
        let mut best = f64::INFINITY;
        for i in 0..alive.len() {
            for j in i + 1..alive.len() {
                let mut rest: Vec<usize> = alive.iter().copied().filter(|&t| t != alive[i] && t != alive[j]).collect();
                rest.push(network.operands.len() + path.0.len());
                path.0.push((alive[i], alive[j]));
                best = best.min(cheapest(network, path, rest));
                path.0.pop();
            }
        }
        best
    }

    #[test]
    fn parentheses_fix_the_order() {
        let sizes = [('a', 2), ('b', 50), ('c', 50), ('d', 2)];
        assert_eq!(search(&network("ab,bc,cd->ad", &sizes)).0, [(0, 1), (2, 3)]);
        assert_eq!(search(&network("ab,(bc,cd)->ad", &sizes)).0, [(1, 2), (0, 3)]);
        assert_eq!(search(&network("(ab,bc),(cd,de)->ae", &sizes)).0, [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(search(&network("((ab))->ab", &sizes)).0, []);
    }

    #[test]
    fn a_label_inside_parentheses_that_is_needed_outside_is_kept() {
        let n = network("(ab,bc),b->ac", &[]);
        let path = search(&n);
        assert_eq!(path.0, [(0, 1), (2, 3)]);
        assert_eq!(cost(&n, &path), 16.0);
    }

    #[test]
    fn a_long_chain_is_contracted_from_site_to_site() {
        // An MPS norm of 30 sites: no intermediate needs more than the two bonds.
        let letter = |i: usize| char::from_u32(0x4E00 + i as u32).unwrap();
        let (mut terms, mut sizes) = (Vec::new(), Vec::new());
        for i in 0..30 {
            let (up, down, site) = (letter(3 * i), letter(3 * i + 1), letter(3 * i + 2));
            let (next_up, next_down) = (letter(3 * i + 3), letter(3 * i + 4));
            terms.push(format!("{up}{site}{next_up}"));
            terms.push(format!("{down}{site}{next_down}"));
            sizes.extend([(up, 8), (down, 8), (next_up, 8), (next_down, 8), (site, 2)]);
        }
        let n = network(&format!("{}->", terms.join(",")), &sizes);
        let path = search(&n);
        assert_eq!(path, search(&n));
        assert!(cost(&n, &path) < 30.0 * 2.0 * (2.0 * 8f64.powi(3)) * 1.5 + 8f64.powi(4) * 4.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_exact_search_finds_the_cheapest(
            terms in proptest::collection::vec("[a-f]{0,3}", 2..6),
            output in proptest::sample::subsequence(vec!['a', 'b', 'c', 'd', 'e', 'f'], 0..4),
            sizes in proptest::collection::vec(1usize..9, 6),
        ) {
            let terms = terms.join(",");
            let output: String = output.into_iter().filter(|c| terms.contains(*c)).collect();
            let sizes: Vec<(char, usize)> = ('a'..='f').zip(sizes).collect();
            let n = network(&format!("{terms}->{output}"), &sizes);
            let best = cheapest(&n, &mut Path::default(), (0..n.operands.len()).collect());
            prop_assert_eq!(cost(&n, &search(&n)), best);
        }

        #[test]
        fn the_greedy_search_leaves_one_tensor(
            terms in proptest::collection::vec("[a-z]{0,4}", 10..40),
            output in "[a-z]{0,3}",
        ) {
            let terms = terms.join(",");
            let mut output: Vec<char> = output.chars().filter(|c| terms.contains(*c)).collect();
            output.dedup();
            let n = network(&format!("{terms}->{}", output.iter().collect::<String>()), &[]);
            let path = search(&n);
            prop_assert!(cost(&n, &path) > 0.0);
            prop_assert_eq!(path, search(&n));
        }
    }
}
