//! A step cut into pieces of its batch, each computed through copies that stay in the cache.
//!
//! An axis of the batch may be the innermost one of some tensors: of all, where a batch of matrices is stored with the
//! matrices' number first; of one only, in an elementwise product with a transpose. In such a tensor what one product
//! needs lies far apart, and comes with lines of the cache whose other elements belong to other products. So as many
//! products as there are elements in a line (or more) make a piece: its part of the tensor is turned in registers into
//! a dense copy, where the cut axis is the last one, and any other kernel does the rest.

use std::sync::atomic::{AtomicBool, Ordering};

use tensoroxide_dense::Element;
use tensoroxide_tensor::kernels::Move;
use tensoroxide_tensor::nest::{volume, Loop};
use tensoroxide_tensor::Threads;

use crate::axes::Index;
use crate::groups::{Groups, A, B, C};
use crate::matrix::DenseCopy;
use crate::pair::Kernel;
use crate::traffic::streamed;
use crate::{Error, Settings};

/// Fewest multiplications that are worth the preparation.
const LEAST: f64 = 32_768.0;
/// Bytes of the copies of a piece: what stays in the second cache, and at most where a line of the cut axis needs more.
const NEAR: usize = 256 << 10;
const MOST: usize = 4 << 20;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Nanoseconds to turn an element in registers, and to begin a piece.
const TURN: f64 = 0.25;
const CALL: f64 = 100.0;
/// Nanoseconds of work that are worth a thread.
const GRAIN: usize = 25_000;

/// A step in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    /// Steps from one piece to the next, in C, A and B; and over the batch's axes that are not in a piece.
    pieces: Loop<3>,
    outer: Vec<Loop<3>>,
    whole: Piece,
    /// The last piece, if it has fewer products.
    rest: Option<Piece>,
    threads: Threads,
    copied: usize,
    time: f64,
}

#[derive(Clone, Debug)]
struct Piece {
    copies: [Option<DenseCopy>; 3],
    /// Elements of the copies, behind which the kernel has its scratch.
    room: usize,
    kernel: Box<Kernel>,
}

impl Staged {
    /// The cheapest way to cut the step, if there is any.
    pub(crate) fn new(groups: &Groups, settings: Settings) -> Result<Option<Staged>, Error> {
        if groups.volume() < LEAST || settings.least_scratch {
            return Ok(None);
        }
        let mut best: Option<Staged> = None;
        for cut in 0..groups.batch.len() {
            if let Some(staged) = Staged::along(groups, cut, settings)? {
                best = best.filter(|best| best.time <= staged.time).or(Some(staged));
            }
        }
        Ok(best)
    }

    /// The step cut along one axis of the batch.
    fn along(groups: &Groups, cut: usize, settings: Settings) -> Result<Option<Staged>, Error> {
        let (dtype, Loop { extent, strides }) = (settings.dtype, groups.batch[cut].step);
        let copied = strides.map(|stride| stride.unsigned_abs() == 1);
        let [m, n, k] = groups.extents();
        let elementwise = m == 1 && n == 1 && k == 1;
        let line = LINE / dtype.size();
        if !copied.contains(&true) || elementwise && copied == [true; 3] || extent < line.min(4) {
            return Ok(None);
        }
        // What a piece has of the batch beside the cut axis: all that fits, for there may be nothing else in it.
        let mut inner = groups.clone();
        let along = inner.batch.remove(cut);
        inner.batch.sort_by_key(|index| index.step.strides[C].unsigned_abs());
        let bytes = |inner: &Groups| {
            let elements = (0..3).filter(|&t| copied[t]).map(|t| inner.elements(t)).sum::<f64>();
            (elements * dtype.size() as f64).min(1e15) as usize
        };
        let mut outer = Vec::new();
        while !inner.batch.is_empty() && bytes(&inner) * line.min(extent) > NEAR {
            outer.extend(inner.batch.pop().map(|index| index.step));
        }
        let each = bytes(&inner).max(1);
        if each * line.min(extent) > MOST {
            return Ok(None);
        }
        let share = extent.div_ceil(settings.threads.get()).next_multiple_of(line);
        let wide = (NEAR / each / line * line).clamp(line, share).min(extent);
        let piece = |count: usize| {
            let mut inner = inner.clone();
            let step = Loop { extent: count, strides: along.step.strides };
            inner.batch.push(Index { step, ..along });
            Piece::new(inner, copied, Settings { threads: Threads::ONE, ..settings })
        };
        let (count, left) = (extent / wide, extent % wide);
        let whole = piece(wide)?;
        let rest = if left > 0 { Some(piece(left)?) } else { None };
        let pieces = Loop { extent: count + usize::from(left > 0), strides: strides.map(|s| s * wide as isize) };
        let copies = || (0..3).filter(|&t| copied[t]).map(|t| groups.elements(t));
        let brought: f64 = copies().map(|elements| streamed(elements * dtype.size() as f64)).sum();
        let elements = copies().sum::<f64>();
        let last = rest.as_ref().map_or(0.0, |rest| rest.kernel.time(dtype));
        let kernels = (count as f64 * whole.kernel.time(dtype) + last) * volume(&outer) as f64;
        let calls = CALL * (volume(&outer) * pieces.extent) as f64;
        let (threads, copied) = (settings.threads, elements as usize);
        let time = kernels + calls + TURN * elements + brought;
        Ok(Some(Staged { pieces, outer, whole, rest, threads, copied, time }))
    }

    /// Nanoseconds on one thread, roughly.
    pub(crate) fn time(&self) -> f64 {
        self.time
    }

    /// Elements that go through the copies.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    /// Elements of scratch for each thread.
    fn room(&self) -> usize {
        self.rest.iter().chain([&self.whole]).map(|piece| piece.room + piece.kernel.scratch()).max().unwrap_or(0)
    }

    /// The most threads that have enough to do.
    fn threads(&self) -> usize {
        let pieces = volume(&self.outer).saturating_mul(self.pieces.extent);
        self.threads.for_work(self.time as usize, GRAIN).get().min(pieces)
    }

    /// Elements of scratch that a run needs.
    pub(crate) fn scratch(&self) -> usize {
        self.room() * self.threads()
    }

    /// `elementwise product through small copies of B`.
    pub(crate) fn name(&self) -> String {
        let copied = [(A, "A"), (B, "B"), (C, "C")].into_iter().filter(|(t, _)| self.whole.copies[*t].is_some());
        let copied: Vec<&str> = copied.map(|(_, name)| name).collect();
        format!("{} through small copies of {}", self.whole.kernel.name(), copied.join(", "))
    }

    /// C ← α·op(A)·op(B) + β·C.
    ///
    /// # Safety
    /// From the pointers, the layouts that the step was prepared for are valid; C's memory is exclusively ours.
    /// `scratch` has at least as many elements as are asked for.
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn run<T: Element>(
        &self,
        alpha: T,
        a: (*const T, bool),
        b: (*const T, bool),
        beta: T,
        c: *mut T,
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        let all = volume(&self.outer) * self.pieces.extent;
        let (lanes, room) = (threads.get().min(self.threads()), self.room());
        debug_assert!(scratch.len() >= room * lanes);
        let shared = Shared { a: a.0, b: b.0, c, scratch: scratch.as_mut_ptr() };
        let (shared, failed) = (&shared, AtomicBool::new(false));
        Threads::new(lanes).run(lanes, |lane| {
            for i in all * lane / lanes..all * (lane + 1) / lanes {
                let (mut rest, last) = (i / self.pieces.extent, i % self.pieces.extent);
                let mut at = self.pieces.strides.map(|stride| stride * last as isize);
                for l in &self.outer {
                    let index = (rest % l.extent) as isize;
                    rest /= l.extent;
                    (0..3).for_each(|t| at[t] += index * l.strides[t]);
                }
                let piece = match &self.rest {
                    Some(rest) if last + 1 == self.pieces.extent => rest,
                    _ => &self.whole,
                };
                let (a, b) = ((shared.a.wrapping_offset(at[A]), a.1), (shared.b.wrapping_offset(at[B]), b.1));
                // SAFETY: the caller's promise; pieces have elements of C of their own, and lanes parts of the scratch.
                let done = unsafe {
                    let scratch = std::slice::from_raw_parts_mut(shared.scratch.add(lane * room), room);
                    piece.run(alpha, a, b, beta, shared.c.wrapping_offset(at[C]), scratch)
                };
                failed.fetch_or(done.is_err(), Ordering::Relaxed);
            }
        });
        match failed.into_inner() {
            // What a kernel can refuse is checked before it runs.
            true => Err(Error::Layout),
            false => Ok(()),
        }
    }
}

/// The pointers of a run.
struct Shared<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
    scratch: *mut T,
}

// SAFETY: lanes read A and B, and write different elements of C and of the scratch.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl Piece {
    /// Prepares the copies of these tensors, and the kernel for what they make of the step. The axis that is cut is the
    /// last of the batch.
    fn new(mut groups: Groups, copied: [bool; 3], settings: Settings) -> Result<Piece, Error> {
        let cut = groups.batch.last().map(|index| index.label);
        let alone = groups.extents() == [1; 3];
        let (mut copies, mut room) = ([None, None, None], 0);
        for t in (0..3).filter(|&t| copied[t]) {
            let Groups { batch, rows, columns, summed } = &mut groups;
            let mut all: Vec<&mut Index<3>> = [batch, rows, columns, summed].into_iter().flatten().collect();
            all.retain(|index| index.present[t] && index.step.extent > 1 && index.step.strides[t] != 0);
            // Elementwise, a copy shall lie as C does.
            let like = if alone { C } else { t };
            all.sort_by_key(|index| (Some(index.label) == cut, index.step.strides[like].unsigned_abs()));
            let mut stride = 1;
            let mut into = Vec::with_capacity(all.len());
            for index in all {
                let step = &mut index.step;
                into.push(Loop { extent: step.extent, strides: [stride, step.strides[t]] });
                step.strides[t] = stride;
                stride *= step.extent as isize;
            }
            let turned = |l: &Loop<2>| Loop { extent: l.extent, strides: [l.strides[1], l.strides[0]] };
            let back: Vec<Loop<2>> = into.iter().map(turned).collect();
            copies[t] = Some(DenseCopy { into: Move::new(&into), back: Move::new(&back), start: room });
            room += (stride as usize).next_multiple_of(LINE / settings.dtype.size());
        }
        Ok(Piece { copies, room, kernel: Box::new(Kernel::whole(groups, settings)?) })
    }

    /// # Safety
    /// As [`Staged::run`].
    unsafe fn run<T: Element>(
        &self,
        alpha: T,
        mut a: (*const T, bool),
        mut b: (*const T, bool),
        beta: T,
        c: *mut T,
        scratch: &mut [T],
    ) -> Result<(), Error> {
        let (copies, scratch) = scratch.split_at_mut(self.room);
        let copies = copies.as_mut_ptr();
        let [of_c, of_a, of_b] = &self.copies;
        // SAFETY: the caller's promise; the copies lie one after the other in the scratch.
        unsafe {
            for (of, from) in [(of_a, &mut a), (of_b, &mut b)] {
                if let Some(copy) = of {
                    let to = copies.add(copy.start);
                    copy.into.run(T::ONE, from.0, false, T::ZERO, to, Threads::ONE);
                    from.0 = to;
                }
            }
            let Some(copy) = of_c else { return self.kernel.run(alpha, a, b, beta, c, scratch, Threads::ONE) };
            let dense = copies.add(copy.start);
            self.kernel.run(alpha, a, b, T::ZERO, dense, scratch, Threads::ONE)?;
            copy.back.run(T::ONE, dense, false, beta, c, Threads::ONE);
        }
        Ok(())
    }
}
