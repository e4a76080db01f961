//! Nested loops that are stepped through one after the other.

use std::mem::MaybeUninit;

use tensoroxide_tensor::nest::Loop;

/// Most loops of a nest. Extents of at least 2 multiply to less than 2⁶⁰ in each of three tensors, and a loop moves
/// two.
pub(super) const MOST_LOOPS: usize = 96;

/// The counters of a nest's loops.
pub(super) type Counters = [MaybeUninit<usize>; MOST_LOOPS];

/// Where a nest of loops is. The counters lie apart, so that they are never moved.
pub(super) struct Walk<'a> {
    loops: &'a [Loop<3>],
    counters: &'a mut Counters,
    /// How far C, A and B are moved by now.
    pub(super) offsets: [isize; 3],
}

impl<'a> Walk<'a> {
    /// At the start of the innermost `inner` loops, and at step `at` of the others taken together.
    #[inline(always)]
    pub(super) fn new(loops: &'a [Loop<3>], counters: &'a mut Counters, inner: usize, mut at: usize) -> Walk<'a> {
        let mut offsets = [0; 3];
        for (d, (l, counter)) in loops.iter().zip(&mut *counters).enumerate() {
            let mut step = 0;
            if d >= inner && at > 0 {
                (at, step) = (at / l.extent, at % l.extent);
            }
            counter.write(step);
            for t in 0..3 {
                offsets[t] += step as isize * l.strides[t];
            }
        }
        Walk { loops, counters, offsets }
    }

    /// One step on; from the last step to the first.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        for (l, counter) in self.loops.iter().zip(&mut *self.counters) {
            // SAFETY: `new` wrote one for each loop.
            let counter = unsafe { counter.assume_init_mut() };
            *counter += 1;
            if *counter < l.extent {
                for t in 0..3 {
                    self.offsets[t] += l.strides[t];
                }
                return;
            }
            *counter = 0;
            for t in 0..3 {
                self.offsets[t] -= (l.extent - 1) as isize * l.strides[t];
            }
        }
    }
}
