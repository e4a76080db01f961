//! Where in the workspace each intermediate lies.
//!
//! Intermediates may share memory if they never hold a value at the same time. For steps that run once, one after
//! another, these are the ones whose spans of steps, from being made to being read last, do not meet. In a loop over
//! slices an intermediate that outlives an iteration holds its value while everything that is made anew in each
//! iteration comes and goes, whatever the order of the steps. To find the least memory is NP-hard; two orders of
//! placement are tried, by time and by size (Pisarchyk and Lee, arXiv:2001.03288), each into the best gap, and the
//! better one is taken.

use super::{Intermediate, Source, Step};
use crate::Error;

/// Intermediates start at multiples of so many elements: a cache line of the smallest type.
pub(super) const ALIGNMENT: usize = 16;

/// Most intermediates that are placed by size too, which takes time by the square of their number.
const MANY: usize = 1024;

/// What has to be known of an intermediate to place it.
#[derive(Clone, Copy, Debug)]
struct Block {
    size: usize,
    /// The steps that make it and that read it last; the latter is `usize::MAX` if it outlives an iteration.
    span: (usize, usize),
    /// As [`Step::every`] of the step that makes it.
    every: usize,
}

impl Block {
    fn lives_on(&self) -> bool {
        self.span.1 == usize::MAX
    }

    /// Whether both hold values at some time.
    fn meets(&self, other: &Block) -> bool {
        self.span.0 <= other.span.1 && other.span.0 <= self.span.1
            || self.lives_on() && other.every < self.every
            || other.lives_on() && self.every < other.every
    }
}

/// How much memory the intermediates take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Elements of what is made once and read by all lanes.
    pub(super) common: usize,
    /// Elements of all others, for each lane.
    pub(super) arena: usize,
}

/// Gives every intermediate its place: in the arena of each lane or, if there are several lanes, in the memory that
/// they have in common. What is made once but not read by the slices is in the arena of the lane that makes it. `once`
/// is the [`Step::every`] of steps that no slice changes.
pub(super) fn place(
    intermediates: &mut [Intermediate],
    steps: &[Step],
    once: usize,
    lanes: usize,
) -> Result<Room, Error> {
    let blocks = blocks(intermediates, steps);
    for (made, block) in intermediates.iter_mut().zip(&blocks) {
        made.common = lanes > 1 && block.lives_on() && block.every == once;
    }
    let (mut common, mut own) = (0usize, Vec::new());
    for (i, block) in blocks.iter().enumerate() {
        if intermediates[i].common {
            intermediates[i].start = common;
            common = common.saturating_add(block.size);
        } else {
            own.push(i);
        }
    }
    let blocks: Vec<Block> = own.iter().map(|&i| blocks[i]).collect();
    let total = blocks.iter().try_fold(common, |sum, block| sum.checked_add(block.size));
    let total = total.unwrap_or(usize::MAX);
    let by_time: Vec<usize> = (0..blocks.len()).collect();
    let mut best = lay(&blocks, &by_time);
    if best.1 > least(&blocks) && blocks.len() <= MANY {
        let mut by_size = by_time;
        by_size.sort_by_key(|&i| (std::cmp::Reverse(blocks[i].size), i));
        let other = lay(&blocks, &by_size);
        if other.1 < best.1 {
            best = other;
        }
    }
    tensoroxide_tensor::layout::element_count(&[if total == usize::MAX { total } else { common + best.1 }])?;
    own.iter().zip(best.0).for_each(|(&i, start)| intermediates[i].start = start);
    Ok(Room { common, arena: best.1 })
}

fn blocks(intermediates: &[Intermediate], steps: &[Step]) -> Vec<Block> {
    let mut blocks: Vec<Block> = intermediates
        .iter()
        .map(|made| Block { size: made.layout.len().next_multiple_of(ALIGNMENT), span: (0, 0), every: 0 })
        .collect();
    for (k, step) in steps.iter().enumerate() {
        for source in step.sources() {
            if let Source::Intermediate(i) = source {
                blocks[i].span.1 = if blocks[i].every > step.every { usize::MAX } else { k };
            }
        }
        if let Some(made) = step.output {
            (blocks[made].span, blocks[made].every) = ((k, k), step.every);
        }
    }
    blocks
}

/// What no placement can do without: the most that holds values at one step.
fn least(blocks: &[Block]) -> usize {
    let mut changes: Vec<(usize, isize)> = Vec::with_capacity(2 * blocks.len());
    for block in blocks {
        changes.push((block.span.0, block.size as isize));
        changes.push((block.span.1.saturating_add(1), -(block.size as isize)));
    }
    changes.sort_unstable_by_key(|&(step, change)| (step, change));
    let (mut now, mut most) = (0isize, 0isize);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    most as usize
}

/// Places the blocks in this order, each into the smallest gap that takes it among those that it meets.
fn lay(blocks: &[Block], order: &[usize]) -> (Vec<usize>, usize) {
    let (mut starts, mut length) = (vec![0usize; blocks.len()], 0usize);
    // The blocks placed so far, by their start. In the order of time the finished ones are dropped on the way.
    let mut placed: Vec<usize> = Vec::new();
    let once_by_time = order.is_sorted() && !blocks.iter().any(Block::lives_on);
    for &i in order {
        let block = &blocks[i];
        if once_by_time {
            placed.retain(|&j| blocks[j].span.1 >= block.span.0);
        }
        let (mut free, mut best) = (0usize, (usize::MAX, 0));
        for &j in placed.iter().filter(|&&j| blocks[j].meets(block)) {
            let gap = starts[j].saturating_sub(free);
            if gap >= block.size && gap < best.0 {
                best = (gap, free);
            }
            free = free.max(starts[j] + blocks[j].size);
        }
        // Behind all others only if no gap takes it.
        let start = if best.0 < usize::MAX { best.1 } else { free };
        starts[i] = start;
        length = length.max(start.saturating_add(block.size));
        let at = placed.partition_point(|&j| starts[j] < start);
        placed.insert(at, i);
    }
    (starts, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks() -> impl Strategy<Value = Vec<Block>> {
        let one = (1usize..100, 0usize..6, proptest::option::weighted(0.8, 0usize..6), 0usize..3);
        proptest::collection::vec(one, 1..12).prop_map(|all| {
            let block = |(k, (size, _, lasts, every)): (usize, (usize, usize, Option<usize>, usize))| {
                let end = lasts.map_or(usize::MAX, |lasts| k + lasts);
                Block { size, span: (k, if every == 0 { end.min(k + 5) } else { end }), every }
            };
            all.into_iter().enumerate().map(block).collect()
        })
    }

    proptest! {
        #[test]
        fn what_holds_values_at_once_lies_apart(blocks in blocks()) {
            let by_time: Vec<usize> = (0..blocks.len()).collect();
            let by_size: Vec<usize> = by_time.iter().rev().copied().collect();
            for order in [by_time, by_size] {
                let (starts, length) = lay(&blocks, &order);
                prop_assert!(length >= least(&blocks));
                for (i, a) in blocks.iter().enumerate() {
                    prop_assert!(starts[i] + a.size <= length);
                    for (j, b) in blocks.iter().enumerate().skip(i + 1) {
                        let apart = starts[i] + a.size <= starts[j] || starts[j] + b.size <= starts[i];
                        prop_assert!(apart || !a.meets(b), "{:?} at {} and {:?} at {}", a, starts[i], b, starts[j]);
                    }
                }
            }
        }
    }

    #[test]
    fn by_size_beats_by_time_where_a_large_one_comes_late() {
        // Small ones that stay leave holes too small for the large one.
        let block = |size, from, to| Block { size, span: (from, to), every: 0 };
        let blocks = [block(4, 0, 1), block(1, 1, 9), block(4, 2, 3), block(1, 3, 9), block(8, 4, 9)];
        let by_time = lay(&blocks, &[0, 1, 2, 3, 4]).1;
        let by_size = lay(&blocks, &[4, 0, 2, 1, 3]).1;
        assert!(by_size < by_time && by_size == least(&blocks), "{by_size} {by_time}");
    }
}
