//! Better trees by simulated annealing.
//!
//! A move is a rotation: where a result p has the children x and c = yz, the tree (xy)z or (xz)y takes the place of
//! x(yz) (Kalachev, Panteleev and Yung, arXiv:2108.05665). Only the tensor c changes, and only the steps p and c change
//! their costs; their sum is accepted to grow by the factor f with the probability f^−β, in which β rises from sweep to
//! sweep. That it is the logarithm of the two steps' cost which counts, not that of all steps, keeps the small parts of
//! a tree from drifting while the large ones are still being put in order.
//!
//! Legs are bits here: the labels of the region at hand are numbered anew.

use super::model::Model;
use super::rng::Rng;
use super::tree::{Hypergraph, Tree, NONE};

/// A region as the annealing sees it. Nodes below `leaves` are its leaves, the last is its root.
pub(super) struct Annealer {
    leaves: usize,
    words: usize,
    children: Vec<[u32; 2]>,
    legs: Vec<u64>,
    /// Log2 of the elements of each node's tensor, and the elements in the model's unit.
    size: Vec<f64>,
    amount: Vec<f64>,
    /// The multiplications of each result in that unit.
    products: Vec<f64>,
    /// Log2 of the extents.
    logs: Vec<f64>,
    model: Model,
}

/// How β, and the weight of what is moved, rise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Elements that are moved have the weight (share of the sweeps done)^power: at first only multiplications count,
    /// whose differences are larger and show the way.
    pub(super) power: f64,
    pub(super) sweeps: usize,
}

impl Annealer {
    /// The region below the root with these leaves and results, the root first and each before those below it.
    pub(super) fn new(graph: &Hypergraph, tree: &Tree, leaves: &[usize], results: &[usize], model: &Model) -> Annealer {
        let mut numbers = vec![NONE; graph.logs.len()];
        let mut logs = Vec::new();
        for &label in leaves.iter().flat_map(|&leaf| &tree.legs[leaf]) {
            if numbers[label as usize] == NONE {
                numbers[label as usize] = logs.len() as u32;
                logs.push(graph.logs[label as usize]);
            }
        }
        let words = logs.len().div_ceil(64).max(1);
        let count = leaves.len() + results.len();
        let mut node_of = vec![NONE; tree.children.len()];
        let nodes: Vec<usize> = leaves.iter().chain(results.iter().rev()).copied().collect();
        nodes.iter().enumerate().for_each(|(i, &node)| node_of[node] = i as u32);
        let mut annealer = Annealer {
            leaves: leaves.len(),
            words,
            children: vec![[NONE; 2]; count],
            legs: vec![0; count * words],
            size: nodes.iter().map(|&node| tree.size[node]).collect(),
            amount: nodes.iter().map(|&node| model.amount(tree.size[node])).collect(),
            products: nodes.iter().map(|&node| model.amount(tree.volume[node])).collect(),
            logs,
            model: *model,
        };
        for (i, &node) in nodes.iter().enumerate() {
            for &label in &tree.legs[node] {
                let number = numbers[label as usize] as usize;
                annealer.legs[i * words + number / 64] |= 1 << (number % 64);
            }
            if i >= leaves.len() {
                annealer.children[i] = tree.children[node].map(|child| node_of[child as usize]);
            }
        }
        annealer
    }

    /// The nominal time of a sweep in ns.
    pub(super) fn nanoseconds(&self) -> f64 {
        (self.children.len() - self.leaves) as f64 * (45.0 + 2.5 * self.words as f64)
    }

    /// Anneals; the pairs of the best tree that there was, if it is better than the first one.
    pub(super) fn run(&mut self, schedule: Schedule, rng: &mut Rng) -> Option<Vec<(usize, usize)>> {
        let mut least = self.total(&self.model) * (1.0 - 1e-9);
        let mut best: Option<Vec<[u32; 2]>> = None;
        for sweep in 0..schedule.sweeps {
            let share = sweep as f64 / (schedule.sweeps.max(2) - 1) as f64;
            let beta = schedule.from + (schedule.to - schedule.from) * share;
            let touch = share.powf(schedule.power) * self.model.touch;
            self.sweep(beta, &Model { touch, ..self.model }, rng);
            let now = self.total(&self.model);
            if now < least {
                least = now;
                best.get_or_insert_with(Vec::new).clone_from(&self.children);
            }
        }
        best.map(|children| self.pairs(&children))
    }

    fn total(&self, model: &Model) -> f64 {
        (self.leaves..self.children.len()).map(|node| self.energy(node, model)).sum()
    }

    #[inline]
    fn energy(&self, node: usize, model: &Model) -> f64 {
        let [a, b] = self.children[node];
        model.energy(self.products[node], self.amount[a as usize], self.amount[b as usize], self.amount[node])
    }

    fn sweep(&mut self, beta: f64, model: &Model, rng: &mut Rng) {
        for node in self.leaves..self.children.len() {
            let bits = rng.next();
            let [mut x, mut c] = self.children[node];
            let leaves = self.leaves as u32;
            match (x >= leaves, c >= leaves) {
                (false, false) => continue,
                (true, false) => (x, c) = (c, x),
                (true, true) if bits & 1 == 0 => (x, c) = (c, x),
                _ => {}
            }
            let [mut y, mut z] = self.children[c as usize];
            if bits & 2 == 0 {
                (y, z) = (z, y);
            }
            // x(yz) becomes (xy)z.
            let (size, inner, outer) = self.measure(node, x as usize, y as usize, z as usize);
            let amount = model.amount(size);
            let of = |node: u32| self.amount[node as usize];
            let (products_c, products_p) = (model.amount(inner), model.amount(outer));
            let of_c = model.energy(products_c, of(x), of(y), amount);
            let new = of_c + model.energy(products_p, amount, of(z), of(node as u32));
            let old = self.energy(node, model) + self.energy(c as usize, model);
            if new > old {
                let power = beta * (new / old).log2();
                // Also where both are beyond what a number holds. e^−45 is less than one in the 2⁵² numbers drawn from.
                if power.is_nan()
                    || power > 45.0
                    || ((bits >> 12) as f64) * (1.0 / (1u64 << 52) as f64) >= (-power).exp()
                {
                    continue;
                }
            }
            let c = c as usize;
            self.children[node] = [c as u32, z];
            self.children[c] = [x, y];
            (self.products[node], self.products[c]) = (products_p, products_c);
            (self.size[c], self.amount[c]) = (size, amount);
            for word in 0..self.words {
                self.legs[c * self.words + word] = self.kept(node, x as usize, y as usize, z as usize, word);
            }
        }
    }

    /// A word of the legs of xy in the place of p's child, with z as its sibling.
    #[inline]
    fn kept(&self, p: usize, x: usize, y: usize, z: usize, word: usize) -> u64 {
        let legs = |node: usize| self.legs[node * self.words + word];
        (legs(x) | legs(y)) & (legs(z) | legs(p))
    }

    /// Log2 of the size of xy, and of the multiplications that make it and those of its product with z.
    #[inline]
    fn measure(&self, p: usize, x: usize, y: usize, z: usize) -> (f64, f64, f64) {
        let words = self.words;
        let legs = |node: usize| &self.legs[node * words..(node + 1) * words];
        let (x, y, z, of_p) = (legs(x), legs(y), legs(z), legs(p));
        let (mut made, mut summed, mut summed_after) = (0.0, 0.0, 0.0);
        for word in 0..words {
            let both = x[word] | y[word];
            let needed = z[word] | of_p[word];
            let kept = both & needed;
            let logs = &self.logs[word * 64..];
            made += sum(kept, logs);
            summed += sum(both & !needed, logs);
            summed_after += sum((kept | z[word]) & !of_p[word], logs);
        }
        (made, made + summed, self.size[p] + summed_after)
    }

    fn pairs(&self, children: &[[u32; 2]]) -> Vec<(usize, usize)> {
        let mut number: Vec<usize> = (0..children.len()).collect();
        let mut pairs = Vec::with_capacity(self.leaves - 1);
        let mut stack = vec![(children.len() - 1, false)];
        while let Some((node, done)) = stack.pop() {
            if node < self.leaves {
                continue;
            }
            let [a, b] = children[node].map(|child| child as usize);
            if done {
                number[node] = self.leaves + pairs.len();
                pairs.push((number[a], number[b]));
            } else {
                stack.extend([(node, true), (b, false), (a, false)]);
            }
        }
        pairs
    }
}

/// The sum of the numbers whose bits are set.
#[inline]
fn sum(mut bits: u64, logs: &[f64]) -> f64 {
    let mut sum = 0.0;
    while bits != 0 {
        sum += logs[bits.trailing_zeros() as usize];
        bits &= bits - 1;
    }
    sum
}
