//! Who computes which share.
//!
//! Rank 0 deals out *units*, ranges of leaves, to whoever asks: large ones at first, half of what is left for all
//! together each time, and single leaves at last, so that ranks of any speed end together (guided self-scheduling:
//! Polychronopoulos and Kuck, IEEE Trans. Comput. C-36, 1425 (1987)). A unit's length is a power of two that divides
//! its start: its leaves add up to one number of the sum tree.
//!
//! A counter in shared memory of all ranks (`MPI_Fetch_and_op`) would do as well only where the network counts by
//! itself: elsewhere it moves when the rank that has it calls MPI, and that is what rank 0 does here, on a thread that
//! does nothing else. Besides, whoever deals knows in the end who has what.

use std::ops::Range;

/// The part of a unit's time that beginning it anew may take, where there are leaves enough.
const RESTARTS: f64 = 0.1;

/// Deals out the leaves from 0 on.
#[derive(Debug)]
pub(crate) struct Dealer {
    next: usize,
    leaves: usize,
    /// Length of the last unit.
    unit: usize,
    /// Shortest unit, a power of two, but for the last.
    least: usize,
    /// How many threads of all ranks compute.
    workers: usize,
    owners: Owners,
}

/// Which rank has computed which leaves: where its units start, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Owners(Vec<(usize, usize)>);

impl Dealer {
    /// `restart` is what it takes to begin a unit, over what all leaves take.
    pub(crate) fn new(leaves: usize, workers: usize, restart: f64) -> Dealer {
        let least = ((restart * leaves as f64 / RESTARTS) as usize).min(leaves / workers);
        let least = power_of_two(least.max(1));
        Dealer { next: 0, leaves, unit: usize::MAX, least, workers, owners: Owners::default() }
    }

    /// The next unit; `None` if there are no more.
    pub(crate) fn deal(&mut self, rank: usize) -> Option<Range<usize>> {
        let left = self.leaves - self.next;
        if left == 0 {
            return None;
        }
        self.unit = self.unit.min(power_of_two((left / (2 * self.workers)).max(self.least)));
        let unit = self.next..self.next + self.unit.min(left);
        self.owners.0.push((unit.start, rank));
        self.next = unit.end;
        Some(unit)
    }

    /// Who has what, once all is dealt out.
    pub(crate) fn owners(&self) -> Option<&Owners> {
        (self.next == self.leaves).then_some(&self.owners)
    }
}

/// The largest power of two that is not larger than n ≥ 1.
pub(crate) fn power_of_two(n: usize) -> usize {
    1 << n.ilog2()
}

impl Owners {
    pub(crate) fn of(&self, leaf: usize) -> usize {
        let after = self.0.partition_point(|&(start, _)| start <= leaf);
        self.0[after - 1].1
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|&(start, rank)| [start as u64, rank as u64]).flat_map(u64::to_ne_bytes).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Owners {
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes) as usize;
        Owners(bytes.chunks_exact(16).map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_dealt_once_in_units_of_the_sum_tree() {
        for leaves in [1, 2, 3, 7, 64, 100, 4096] {
            for (workers, restart) in [(1, 0.0), (2, 0.0), (2, 0.3), (3, 0.0), (16, 0.0), (16, 0.001)] {
                let mut dealer = Dealer::new(leaves, workers, restart);
                let (mut at, mut units) = (0, Vec::new());
                while let Some(unit) = dealer.deal(units.len() % workers) {
                    assert_eq!(unit.start, at);
                    assert!(unit.end == leaves || unit.len().is_power_of_two() && unit.start % unit.len() == 0);
                    at = unit.end;
                    units.push(unit);
                }
                assert_eq!(at, leaves);
                // The last units are single leaves, unless that takes long, and of large ones there are few.
                assert!(units.len() == 1 || restart > 0.0 || units[units.len() - 1].len() == 1);
                if restart == 0.3 && leaves >= 2 {
                    assert!(units[0].len() == power_of_two(leaves / workers), "{units:?}");
                }
                assert!(units.len() <= workers * (3 * leaves.ilog2() as usize + 5), "{} units", units.len());
                let owners = Owners::from_bytes(&dealer.owners().unwrap().to_bytes());
                for (k, unit) in units.into_iter().enumerate() {
                    assert!(unit.into_iter().all(|leaf| owners.of(leaf) == k % workers));
                }
            }
        }
    }
}
