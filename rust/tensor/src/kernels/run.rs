//! A tiling carried out: the walk over its tiles, shared among threads, and what is done with each.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::rows::{self, Combine, Next, Sum};
use super::tiling::{Form, Tile, Tiling, BUFFER};
use crate::threads::MAX_THREADS;
use crate::{Scalar, Threads};

/// Elements that a thread must have to itself before another one is woken.
const GRAIN: usize = 1 << 16;
/// Shortest rows, in bytes, that are written past the caches: those that hold a whole line wherever they start.
const STREAMED_ROW: usize = 128;
/// Loops over tiles. Each has two steps at least: a walk over more of them would not end.
const MOST_STEPS: usize = 64;

/// What is to be done with the elements.
#[derive(Clone, Copy)]
pub(super) enum Job<T> {
    /// C ← A
    Move,
    /// C ← α·op(A)
    Write { alpha: T, conj: bool },
    /// C ← α·op(A) + β·C
    Update { alpha: T, conj: bool, beta: T },
}

/// A pointer that may be sent to another thread.
#[derive(Clone, Copy)]
struct Shared<P>(P);
// SAFETY: threads reach different elements of C, and only read A.
unsafe impl<P> Send for Shared<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Shared<P> {}

impl<P: Copy> Shared<P> {
    /// Through a method, so that a closure captures the whole and not the field.
    fn get(&self) -> P {
        self.0
    }
}

/// One step of the walk.
#[derive(Clone, Copy)]
struct Place {
    /// Where it is in C and A, in bytes.
    at: [isize; 2],
    /// Which edges it is at.
    edge: usize,
}

/// Bytes of the buffer for small tiles.
const SMALL_BUFFER: usize = 1 << 13;

/// The rows of a tile.
#[repr(C, align(64))]
struct Buffer<B>(B);

impl Tiling {
    /// # Safety
    /// From `a` and `c`, every element that the loops reach is valid (to read; to write), C's are reached by nothing
    /// else, and the loops that move C do so injectively. With loops that do not move C, the job is an update with β =
    /// 1.
    pub(super) unsafe fn run<T: Scalar>(&self, job: Job<T>, a: *const T, c: *mut T, threads: Threads) {
        debug_assert!(self.sums == 0 || matches!(job, Job::Update { beta, .. } if beta == T::ONE));
        if let Form::Nothing = self.form {
            return;
        }
        let a = a.cast::<u8>().wrapping_offset(self.start[1]);
        let c = c.cast::<u8>().wrapping_offset(self.start[0]);
        let (shared_a, shared_c) = (Shared(a), Shared(c));
        let inner = self.steps[..self.sums].iter().fold(1usize, |n, s| n.saturating_mul(s.extent));
        let outer = self.steps[self.sums..].iter().fold(1usize, |n, s| n.saturating_mul(s.extent));
        let all = if self.single { inner } else { outer };
        let threads = threads.for_work(self.volume, GRAIN).get().min(all);
        if threads < 2 {
            // SAFETY: the caller's promise.
            return unsafe { self.share(job, a, c, 0..outer.saturating_mul(inner)) };
        }
        // Rounded down without overflow: all = q·threads + r.
        let start = |part: usize| all / threads * part + all % threads * part / threads;
        if self.single {
            // Each thread sums for itself; that the sums are added in order makes the result one of the number of
            // threads only.
            let mut sums = [T::ZERO; MAX_THREADS];
            let shared_sums = Shared(sums.as_mut_ptr());
            Threads::new(threads).run(threads, |part| {
                // SAFETY: every thread has an element of the sums; the share is one of the loops.
                unsafe {
                    let sum = shared_sums.get().add(part);
                    self.share(job, shared_a.get(), sum.cast(), start(part)..start(part + 1));
                }
            });
            // SAFETY: the caller's promise.
            unsafe { sums[..threads].iter().for_each(|&sum| *c.cast::<T>() += sum) };
            return;
        }
        Threads::new(threads).run(threads, |part| {
            let range = start(part) * inner..start(part + 1) * inner;
            // SAFETY: shares are whole elements of the loops that move C, so they meet in no element of C.
            unsafe { self.share(job, shared_a.get(), shared_c.get(), range) };
        });
    }

    /// # Safety
    /// As [`Tiling::run`].
    unsafe fn share<T: Scalar>(&self, job: Job<T>, a: *const u8, c: *mut u8, range: Range<usize>) {
        /// A buffer of its own for each size that is worth one: the stack is touched page by page, which small work
        /// would feel.
        #[inline(never)]
        unsafe fn with<B, T: Scalar>(tiling: &Tiling, job: Job<T>, a: *const u8, c: *mut u8, range: Range<usize>) {
            let mut buffer = MaybeUninit::<Buffer<B>>::uninit();
            // SAFETY: the caller's promise, that of `share`; the buffer is large enough.
            unsafe { tiling.pieces(job, a, c, range, buffer.as_mut_ptr().cast()) }
        }
        // SAFETY: the caller's promise; the buffer has the bytes that are asked for.
        unsafe {
            match self.buffer(job) {
                0 => with::<[u8; 0], T>(self, job, a, c, range),
                1..=SMALL_BUFFER => with::<[u8; SMALL_BUFFER], T>(self, job, a, c, range),
                _ => with::<[u8; BUFFER], T>(self, job, a, c, range),
            }
        }
    }

    /// Bytes of the buffer that a job needs.
    fn buffer<T: Copy>(&self, job: Job<T>) -> usize {
        match (&self.form, job) {
            (Form::Rows(bytes), Job::Write { .. }) if self.streams => bytes[0],
            (Form::Tiles(tiles), _) if self.streams || !matches!(job, Job::Move) => {
                tiles.iter().flatten().map(|tile| tile.buffer()).filter(|&bytes| bytes <= BUFFER).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// # Safety
    /// As [`Tiling::run`]; the buffer has as many bytes as [`Tiling::buffer`] says.
    #[inline(always)]
    unsafe fn pieces<T: Scalar>(&self, job: Job<T>, a: *const u8, c: *mut u8, range: Range<usize>, buffer: *mut u8) {
        let isa = self.isa;
        let streams = self.streams && !matches!(job, Job::Update { .. });
        let one = &[0isize];
        let place = |at: Option<Place>| {
            let [to, from] = at.map_or([0; 2], |at| at.at);
            Next { a: a.wrapping_offset(from), lines: &[], c: c.wrapping_offset(to) }
        };
        // SAFETY: the walk stays within the loops, which the caller vouches for; the buffer holds what a tile or a
        // piece of a row needs.
        unsafe {
            match &self.form {
                Form::Nothing => {}
                Form::Rows(bytes) => self.walk(range, |here, next| {
                    let next = place(next);
                    let (a, c, bytes) = (a.offset(here.at[1]), c.offset(here.at[0]), bytes[here.edge]);
                    let n = bytes / size_of::<T>();
                    match job {
                        Job::Move if streams => rows::stream(isa, (a, 0), (c, one), bytes, next),
                        Job::Move => rows::copy(a, 0, c, one, bytes),
                        Job::Write { alpha, conj } => {
                            let to = if streams { buffer } else { c };
                            Combine { alpha, conj, beta: None, a, pitch: 0, c: to, rows: one, n, next }.run(isa);
                            if streams {
                                rows::stream(isa, (buffer, 0), (c, one), bytes, next);
                            }
                        }
                        Job::Update { alpha, conj, beta } => {
                            Combine { alpha, conj, beta: Some(beta), a, pitch: 0, c, rows: one, n, next }.run(isa);
                        }
                    }
                }),
                Form::Sums(bytes) => {
                    let Job::Update { alpha, conj, .. } = job else { return };
                    self.walk(range, |here, next| {
                        let next = place(next);
                        let (a, c) = (a.offset(here.at[1]).cast::<T>(), c.offset(here.at[0]).cast::<T>());
                        let sum = Sum { a, n: bytes[here.edge] / size_of::<T>(), next }.run(isa);
                        *c += alpha * if conj { sum.conj() } else { sum };
                    });
                }
                Form::Tiles(tiles) => self.walk(range, |here, next| {
                    let Some(tile) = tiles[here.edge].as_deref() else { return };
                    let (from, to) = (a.offset(here.at[1]), c.offset(here.at[0]));
                    let lines = if next.is_some() { &*tile.lines } else { &[] };
                    let next = Next { lines, ..place(next) };
                    self.tile(tile, job, (from, to), next, streams, buffer);
                }),
            }
        }
        if streams {
            rows::fence();
        }
    }

    /// # Safety
    /// As [`Tiling::pieces`], for one tile.
    #[inline(always)]
    unsafe fn tile<T: Scalar>(
        &self,
        tile: &Tile,
        job: Job<T>,
        (a, c): (*const u8, *mut u8),
        next: Next<'_>,
        streams: bool,
        buffer: *mut u8,
    ) {
        let streams = streams && tile.row >= STREAMED_ROW;
        let buffered = tile.dense && tile.buffer() <= BUFFER;
        // SAFETY: the offsets of a tile stay within the loops; the rows are those of the buffer, which was filled just
        // before.
        unsafe {
            match job {
                Job::Move if !(streams && buffered) => {
                    for &[to, from, _] in &tile.inner {
                        tile.kernel.run(tile, a.offset(from), c.offset(to), &tile.c_down, &tile.c_across);
                    }
                    return;
                }
                _ if buffered => {
                    for &[_, from, to] in &tile.inner {
                        // Units side by side in the buffer are so in C too.
                        tile.kernel.run(tile, a.offset(from), buffer.offset(to), &tile.c_down, &tile.b_across);
                    }
                }
                _ => return Self::one_by_one(tile, job, a, c),
            }
            let (pitch, rows, n) = (tile.pitch, &*tile.rows, tile.row / size_of::<T>());
            match job {
                Job::Update { alpha, conj, beta } => {
                    Combine { alpha, conj, beta: Some(beta), a: buffer, pitch, c, rows, n, next }.run(self.isa);
                    return;
                }
                Job::Write { alpha, conj } if !streams => {
                    Combine { alpha, conj, beta: None, a: buffer, pitch, c, rows, n, next }.run(self.isa);
                    return;
                }
                Job::Write { alpha, conj } => {
                    // At once where nothing lies between the rows.
                    let (count, n) = if pitch == tile.row { (1, n * rows.len()) } else { (rows.len(), n) };
                    let near = Next { a: buffer, lines: &[], c: buffer };
                    for k in 0..count {
                        let a = buffer.add(k * pitch);
                        Combine { alpha, conj, beta: None, a, pitch, c: a, rows: &[0], n, next: near }.run(self.isa);
                    }
                }
                Job::Move => {}
            }
            rows::stream(self.isa, (buffer, pitch), (c, rows), tile.row, next);
        }
    }

    /// A tile whose units lie apart in C.
    ///
    /// # Safety
    /// As [`Tiling::tile`].
    unsafe fn one_by_one<T: Scalar>(tile: &Tile, job: Job<T>, a: *const u8, c: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            match job {
                Job::Move => each::<T>(tile, a, c, |x, _| x),
                Job::Write { alpha, conj: false } => each::<T>(tile, a, c, |x, _| alpha * x),
                Job::Write { alpha, conj: true } => each::<T>(tile, a, c, |x, _| alpha * x.conj()),
                Job::Update { alpha, conj: false, beta } => each::<T>(tile, a, c, |x, c| alpha * x + beta * *c),
                Job::Update { alpha, conj: true, beta } => each::<T>(tile, a, c, |x, c| alpha * x.conj() + beta * *c),
            }
        }
    }

    /// Visits these steps; each is told of the next one too.
    #[inline(always)]
    fn walk(&self, range: Range<usize>, visit: impl Fn(Place, Option<Place>)) {
        let steps = &self.steps[..self.steps.len().min(MOST_STEPS)];
        if range.is_empty() {
            return;
        }
        let mut counts = [0usize; MOST_STEPS];
        let mut here = Place { at: [0; 2], edge: 0 };
        let mut rest = range.start;
        for (count, s) in counts.iter_mut().zip(steps) {
            *count = rest % s.extent;
            rest /= s.extent;
            for t in 0..2 {
                here.at[t] += *count as isize * s.strides[t];
            }
            here.edge |= if *count + 1 == s.extent { s.edge } else { 0 };
        }
        for _ in 1..range.len() {
            let mut next = here;
            for (count, s) in counts.iter_mut().zip(steps) {
                next.edge &= !s.edge;
                *count += 1;
                if *count < s.extent {
                    for t in 0..2 {
                        next.at[t] += s.strides[t];
                    }
                    next.edge |= if *count + 1 == s.extent { s.edge } else { 0 };
                    break;
                }
                for t in 0..2 {
                    next.at[t] -= (s.extent - 1) as isize * s.strides[t];
                }
                *count = 0;
            }
            visit(here, Some(next));
            here = next;
        }
        visit(here, None);
    }
}

/// Every element of a tile by itself: `f` makes of A's and of where C's lies what C's becomes.
///
/// # Safety
/// As [`Tiling::tile`].
#[inline(always)]
unsafe fn each<T: Scalar>(tile: &Tile, a: *const u8, c: *mut u8, f: impl Fn(T, *mut T) -> T) {
    for &[to, from, _] in &tile.inner {
        for (&a_across, &c_across) in tile.a_across.iter().zip(&tile.c_across) {
            for (&a_down, &c_down) in tile.a_down.iter().zip(&tile.c_down) {
                // SAFETY: the caller's promise; a unit is made of whole elements.
                unsafe {
                    let a = a.offset(from + a_across + a_down).cast::<T>();
                    let c = c.offset(to + c_across + c_down).cast::<T>();
                    for k in 0..tile.unit / size_of::<T>() {
                        let c = c.add(k);
                        *c = f(*a.add(k), c);
                    }
                }
            }
        }
    }
}
