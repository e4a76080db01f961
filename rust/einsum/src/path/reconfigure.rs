//! Better trees by pieces: regions of a few leaves are replaced by the cheapest trees there are for them, again and
//! again. (Gray and Kourtis, Quantum 5, 410 (2021), call it subtree reconfiguration.)

use std::collections::HashMap;

use super::exact::{self, Table};
use super::model::{Cost, Model};
use super::search::Clock;
use super::tree::{joined, Hypergraph, Tree};

/// Replaces regions of at most `most` leaves until nothing is gained or the time is over.
pub(super) fn improve(
    graph: &Hypergraph,
    tree: &mut Tree,
    model: &Model,
    most: usize,
    table: &mut Table,
    clock: &mut Clock,
) {
    let mut leaves = Vec::with_capacity(most);
    let mut results = Vec::with_capacity(most);
    // Regions that have been looked at and have not changed since.
    let mut settled = vec![false; tree.children.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for root in tree.post_order() {
            if root < tree.leaves || settled[root] {
                continue;
            }
            if clock.over() {
                return;
            }
            settled[root] = true;
            tree.region(root, most, &mut leaves, &mut results);
            if leaves.len() < 3 {
                continue;
            }
            clock.spend(exact::nanoseconds(leaves.len()) + 150.0 * leaves.len() as f64);
            let now = results.iter().fold(model.none(), |sum, &node| model.both(sum, tree.cost(node, model)));
            // The rounding of two ways to sum up is no gain.
            let limit = Cost { first: now.first - 1e-9 * now.first.abs(), second: f64::NEG_INFINITY };
            let limit = if model.peak { Cost { second: now.second * (1.0 - 1e-9), ..now } } else { limit };
            let legs: Vec<&[u32]> = leaves.iter().map(|&leaf| tree.legs[leaf].as_slice()).collect();
            let Some((pairs, _)) = table.search(&legs, &tree.legs[root], &graph.logs, model, Some(limit)) else {
                continue;
            };
            replace(graph, tree, &leaves, &results, &pairs);
            changed = true;
            // What lies around has other regions now.
            results.iter().for_each(|&node| settled[node] = false);
            let (mut above, mut left) = (tree.parent[root], most);
            while above != super::tree::NONE && left > 0 {
                settled[above as usize] = false;
                above = tree.parent[above as usize];
                left -= 1;
            }
        }
    }
}

/// Puts other pairs into a region, whose results, the root first, get new children.
pub(super) fn replace(
    graph: &Hypergraph,
    tree: &mut Tree,
    leaves: &[usize],
    results: &[usize],
    pairs: &[(usize, usize)],
) {
    // How many tensors have each label of the region; what is outside of it counts as one.
    let mut users: HashMap<u32, u32> = HashMap::new();
    for &label in leaves.iter().chain(&results[..1]).flat_map(|&node| &tree.legs[node]) {
        *users.entry(label).or_default() += 1;
    }
    let mut nodes: Vec<usize> = leaves.to_vec();
    for (k, &(a, b)) in pairs.iter().enumerate() {
        // The last pair is the root.
        let node = results[pairs.len() - 1 - k];
        let (a, b) = (nodes[a], nodes[b]);
        tree.children[node] = [a as u32, b as u32];
        tree.parent[a] = node as u32;
        tree.parent[b] = node as u32;
        let (legs, volume) = joined(&tree.legs[a], &tree.legs[b], &graph.logs, |label, both| {
            let users = users.entry(label).or_default();
            *users -= u32::from(both);
            *users > 1
        });
        tree.volume[node] = volume;
        if node != results[0] {
            tree.size[node] = graph.size(&legs);
            tree.legs[node] = legs;
        }
        nodes.push(node);
    }
}
