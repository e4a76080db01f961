//! Where the elements along a group of indices lie: tables of offsets for one block at a time.

use std::mem::MaybeUninit;

use tensoroxide_tensor::nest::Loop;

/// Most positions of a table.
pub(super) const MOST: usize = 512;
/// Most loops of a group that a table can be filled from.
const LOOPS: usize = 64;

/// A group of indices that two tensors have, walked as one: the first loop fastest.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    loops: Box<[Loop<2>]>,
    /// Positions.
    pub(super) extent: usize,
}

/// Offsets of neighbouring positions of a walk in one tensor. Nothing is initialised before it is filled: that would
/// cost more than a small product.
pub(super) struct Offsets {
    at: [MaybeUninit<isize>; MOST],
    /// How many positions from here on lie in memory one after another.
    run: [MaybeUninit<u16>; MOST],
    filled: usize,
    /// Whether the innermost loop goes from element to element; no runs are looked for otherwise.
    dense: bool,
}

impl Walk {
    /// `None` if there are too many positions or loops. Neighbours that can be walked as one loop become one.
    pub(super) fn new(loops: impl IntoIterator<Item = Loop<2>>) -> Option<Walk> {
        let mut fused: Vec<Loop<2>> = Vec::new();
        for l in loops.into_iter().filter(|l| l.extent != 1) {
            match fused.last_mut() {
                Some(inner) if (0..2).all(|t| l.strides[t] == inner.strides[t].wrapping_mul(inner.extent as isize)) => {
                    inner.extent = inner.extent.checked_mul(l.extent)?;
                }
                _ => fused.push(l),
            }
        }
        if fused.is_empty() {
            fused.push(Loop { extent: 1, strides: [1, 1] });
        }
        let extent = fused.iter().try_fold(1usize, |extent, l| extent.checked_mul(l.extent))?;
        (fused.len() <= LOOPS).then(|| Walk { loops: fused.into(), extent })
    }

    pub(super) fn loops(&self) -> &[Loop<2>] {
        &self.loops
    }

    /// How far neighbouring positions are apart in each tensor, but for the ends of the innermost loop.
    pub(super) fn innermost(&self) -> Loop<2> {
        self.loops[0]
    }

    /// Writes the offsets of positions `start..start + count` in both tensors; `count` ≤ [`MOST`].
    pub(super) fn fill(&self, start: usize, count: usize, [x, y]: [&mut Offsets; 2]) {
        let mut index = [0usize; LOOPS];
        let (mut at, mut rest) = ([0isize; 2], start);
        for (index, l) in index.iter_mut().zip(&self.loops) {
            *index = rest % l.extent;
            rest /= l.extent;
            (0..2).for_each(|t| at[t] += *index as isize * l.strides[t]);
        }
        let inner = self.loops[0];
        if self.loops.len() == 1 {
            x.steps(count, at[0], inner.strides[0]);
            y.steps(count, at[1], inner.strides[1]);
            return;
        }
        let mut done = 0;
        while done < count {
            let steps = (inner.extent - index[0]).min(count - done);
            x.line(done, steps, at[0], inner.strides[0]);
            y.line(done, steps, at[1], inner.strides[1]);
            done += steps;
            index[0] += steps;
            (0..2).for_each(|t| at[t] += steps as isize * inner.strides[t]);
            for (d, l) in self.loops.iter().enumerate() {
                if index[d] < l.extent {
                    break;
                }
                index[d] = 0;
                (0..2).for_each(|t| at[t] -= l.extent as isize * l.strides[t]);
                if let Some(next) = self.loops.get(d + 1) {
                    index[d + 1] += 1;
                    (0..2).for_each(|t| at[t] += next.strides[t]);
                }
            }
        }
        x.join(count, inner.strides[0] == 1);
        y.join(count, inner.strides[1] == 1);
    }
}

impl Offsets {
    pub(super) fn new() -> Offsets {
        let (at, run) = ([const { MaybeUninit::uninit() }; MOST], [const { MaybeUninit::uninit() }; MOST]);
        Offsets { at, run, filled: 0, dense: false }
    }

    /// Nothing but `count` ≤ [`MOST`] positions along one loop.
    #[inline(always)]
    pub(super) fn steps(&mut self, count: usize, start: isize, stride: isize) {
        self.line(0, count, start, stride);
        (self.filled, self.dense) = (count, stride == 1);
        if self.dense {
            for (i, run) in self.run[..count].iter_mut().enumerate() {
                run.write((count - i) as u16);
            }
        }
    }

    /// Positions along one loop.
    #[inline(always)]
    fn line(&mut self, start: usize, count: usize, mut at: isize, stride: isize) {
        for slot in &mut self.at[start..start + count] {
            slot.write(at);
            at += stride;
        }
    }

    /// Finds what lies one after another among the first `count` positions, all of which are written.
    fn join(&mut self, count: usize, dense: bool) {
        (self.filled, self.dense) = (count, dense);
        if !dense || count == 0 {
            return;
        }
        let mut run = 1;
        self.run[count - 1].write(run);
        for i in (0..count - 1).rev() {
            run = if self.at(i + 1) - self.at(i) == 1 { run + 1 } else { 1 };
            self.run[i].write(run);
        }
    }

    /// The offset of a position that was filled.
    #[inline(always)]
    pub(super) fn at(&self, position: usize) -> isize {
        debug_assert!(position < self.filled);
        // SAFETY: below `filled` all is written.
        unsafe { self.at.get_unchecked(position).assume_init() }
    }

    /// Into how many pieces, of at most `most` positions that lie one after another, some positions fall.
    #[inline(always)]
    pub(super) fn pieces(&self, start: usize, count: usize, most: usize) -> usize {
        if !self.dense {
            return count;
        }
        let (mut at, mut pieces) = (0, 0);
        while at < count {
            at += self.run(start + at, most.min(count - at));
            pieces += 1;
        }
        pieces
    }

    /// How far the second of some positions is from the first; nothing is farther than what is not there.
    #[inline(always)]
    pub(super) fn step(&self, start: usize, count: usize) -> usize {
        match count {
            0 | 1 => usize::MAX,
            _ => (self.at(start + 1) - self.at(start)).unsigned_abs(),
        }
    }

    /// How far it is from a position to the one `count` later, or to the last one.
    #[inline(always)]
    pub(super) fn distance(&self, start: usize, count: usize) -> usize {
        let end = (start + count).min(self.filled - 1);
        (self.at(end) - self.at(start)).unsigned_abs()
    }

    /// The offsets from a position that was filled on.
    #[inline(always)]
    pub(super) fn from(&self, position: usize) -> *const isize {
        debug_assert!(position < self.filled);
        self.at.as_ptr().wrapping_add(position).cast()
    }

    /// How many of at most `most` positions from here on lie in memory one after another.
    #[inline(always)]
    pub(super) fn run(&self, position: usize, most: usize) -> usize {
        debug_assert!(position < self.filled);
        match self.dense {
            // SAFETY: below `filled` all is written.
            true => usize::from(unsafe { self.run.get_unchecked(position).assume_init() }).min(most),
            false => 1,
        }
    }
}
