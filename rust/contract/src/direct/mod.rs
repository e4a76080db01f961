//! Products that are computed where the tensors lie: nothing is packed beforehand, and no memory is taken.
//!
//! For what is too small for a packed matrix product, or is none: batches of small products, dot and outer products, a
//! matrix times a vector, elementwise products, and mixtures of these in any layout. One axis is laid along the
//! registers; which one decides the form ([`panel`], [`lanes`], [`interleaved`]). The other axes run as tables of
//! places or as plain nested loops. All lengths and strides in here count numbers, of which a complex element has two,
//! unless they are said to be of elements.
#![allow(clippy::needless_range_loop)] // registers and tensors are named by their numbers

mod interleaved;
mod lanes;
mod panel;
mod prepare;
mod terms;
#[cfg(test)]
mod tests;
mod walk;
mod write;

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
use tensoroxide_tensor::{DType, Real, Scalar, Threads, MAX_THREADS};

use interleaved::{Interleaved, ROOM};
use lanes::Lanes;
use panel::{Panel, BUFFER};
use terms::Terms;
use walk::{Counters, Walk, MOST_LOOPS};
use write::Scale;

/// Nanoseconds of work that are worth a thread.
const GRAIN: usize = 25_000;

/// C ← α·op(A)·op(B) + β·C, prepared for one triple of layouts, one element type and one instruction set.
#[derive(Clone, Debug)]
pub(crate) struct Direct {
    isa: Isa,
    dtype: DType,
    /// B plays the part of A.
    swapped: bool,
    /// Around the form, the innermost first; the first `adding` of them do not move C.
    outer: Box<[Loop<3>]>,
    adding: usize,
    /// Steps of the outer loops that move C, and of those that do not.
    steps: [usize; 2],
    form: Form,
    /// Nanoseconds on one thread, roughly.
    cost: f64,
}

#[derive(Clone, Debug)]
enum Form {
    /// C has no elements.
    Nothing,
    Terms(Terms),
    Panel(Panel),
    Elementwise(Lanes),
    Interleaved(Interleaved),
    Sums(Lanes),
}

/// An axis that registers do not lie along: steps of one stride, or a table of places.
#[derive(Clone, Debug)]
struct Axis {
    count: usize,
    /// In two of the tensors.
    strides: [isize; 2],
    table: Box<[[isize; 2]]>,
}

impl Axis {
    #[inline(always)]
    fn at(&self, i: usize) -> [isize; 2] {
        match self.table.is_empty() {
            true => self.strides.map(|stride| i as isize * stride),
            false => self.table[i],
        }
    }
}

/// The arguments of a run, complex numbers as two.
#[derive(Clone, Copy)]
struct Call<L> {
    alpha: [L; 2],
    beta: [L; 2],
    conj: [bool; 2],
    /// α = 0: there is nothing to sum.
    idle: bool,
    a: *const L,
    b: *const L,
    c: *mut L,
}

// SAFETY: the parts of a product write different elements of C, and only read A and B.
unsafe impl<L: Sync> Sync for Call<L> {}

/// Where a form begins at one step of the outer loops.
#[derive(Clone, Copy)]
struct Places<L> {
    idle: bool,
    a: *const L,
    b: *const L,
    c: *mut L,
}

/// A part of the work: steps of the outer loops, and ranges of elements of the form's two axes of C.
#[derive(Clone, Debug)]
struct Part {
    outer: Range<usize>,
    first: Range<usize>,
    second: Range<usize>,
    /// Of a single sum: the numbers of the register axis.
    along: Range<usize>,
}

impl Direct {
    /// Prepares a step from its loops over C, A and B, each with whether C has its label, in any order.
    pub(crate) fn new(loops: impl Iterator<Item = (Loop<3>, bool)>, dtype: DType) -> Direct {
        Direct::for_isa(loops, dtype, Isa::best())
    }

    /// A rough estimate of what a run takes on one thread, in nanoseconds.
    pub(crate) fn cost(&self) -> f64 {
        self.cost
    }

    /// What computes the step, in a few words.
    pub(crate) fn name(&self) -> &'static str {
        match &self.form {
            Form::Nothing => "nothing",
            Form::Terms(_) => "few terms",
            Form::Panel(panel) => match (panel.rows, panel.columns.count, panel.summed.steps(), &*self.outer) {
                (_, 1, _, []) => "matrix times vector",
                (_, _, 1, []) => "outer product",
                (_, _, _, []) => "direct product",
                _ => "batched direct product",
            },
            Form::Elementwise(_) => "elementwise product",
            Form::Interleaved(_) => "interleaved products",
            Form::Sums(lanes) if lanes.rows.count == 1 && lanes.columns.count == 1 => "dot products",
            Form::Sums(_) => "direct product along the sum",
        }
    }

    /// Runs the step. β = 0 never reads C, α = 0 neither A nor B.
    ///
    /// # Safety
    /// From the pointers, every element that the loops reach is valid (C's to write, and reached by nothing else).
    pub(crate) unsafe fn run<T: Scalar>(
        &self,
        alpha: T,
        (a, conj_a): (*const T, bool),
        (b, conj_b): (*const T, bool),
        beta: T,
        c: *mut T,
        threads: Threads,
    ) {
        debug_assert_eq!(T::DTYPE, self.dtype);
        let ((a, conj_a), (b, conj_b)) = match self.swapped {
            true => ((b, conj_b), (a, conj_a)),
            false => ((a, conj_a), (b, conj_b)),
        };
        let arguments = Arguments { alpha, beta, conj: [conj_a, conj_b], a, b, c };
        if let Form::Terms(terms) = &self.form {
            // SAFETY: the caller's promise.
            return unsafe { terms.run(&arguments) };
        }
        // SAFETY: the caller's promise; the numbers are of the type that `DTYPE` says.
        unsafe {
            match T::DTYPE {
                DType::F32 => self.run_f32(&arguments.call(), threads),
                DType::F64 => self.run_f64(&arguments.call(), threads),
                DType::C32 => self.run_c32(&arguments.call(), threads),
                DType::C64 => self.run_c64(&arguments.call(), threads),
            }
        }
    }

    // Compiled here, once: generic functions would be compiled again in every crate that uses them.

    unsafe fn run_f32(&self, call: &Call<f32>, threads: Threads) {
        // SAFETY: the caller's promise.
        unsafe { self.run_numbers::<f32, false>(call, threads) }
    }

    unsafe fn run_f64(&self, call: &Call<f64>, threads: Threads) {
        // SAFETY: the caller's promise.
        unsafe { self.run_numbers::<f64, false>(call, threads) }
    }

    unsafe fn run_c32(&self, call: &Call<f32>, threads: Threads) {
        // SAFETY: the caller's promise.
        unsafe { self.run_numbers::<f32, true>(call, threads) }
    }

    unsafe fn run_c64(&self, call: &Call<f64>, threads: Threads) {
        // SAFETY: the caller's promise.
        unsafe { self.run_numbers::<f64, true>(call, threads) }
    }

    unsafe fn run_numbers<L: Real, const COMPLEX: bool>(&self, call: &Call<L>, threads: Threads) {
        let (first, second) = match &self.form {
            Form::Nothing | Form::Terms(_) => return,
            Form::Panel(panel) => (panel.rows / (1 + usize::from(COMPLEX)), panel.columns.count),
            Form::Elementwise(lanes) => (lanes.along / (1 + usize::from(COMPLEX)), lanes.columns.count),
            Form::Interleaved(form) => (form.along / (1 + usize::from(COMPLEX)), form.columns.count),
            Form::Sums(lanes) => (lanes.rows.count, lanes.columns.count),
        };
        let along = if let Form::Sums(lanes) = &self.form { lanes.along } else { 0 };
        let all = Part { outer: 0..self.steps[0], first: 0..first, second: 0..second, along: 0..along };
        let threads = threads.for_work(self.cost as usize, GRAIN);
        if threads == Threads::ONE {
            // SAFETY: the caller's promise.
            return unsafe { self.run_part::<L, COMPLEX>(call, &all) };
        }
        if along > 0 && (first, second, self.steps) == (1, 1, [1, 1]) && !call.idle {
            // SAFETY: the caller's promise.
            return unsafe { self.run_single::<L, COMPLEX>(call, &all, threads) };
        }
        // Every element of C is summed in the same order whatever the parts: the bits do not depend on them.
        let count = threads.get();
        // SAFETY: the caller's promise; the parts write different elements of C.
        threads.run(count, |i| unsafe { self.run_part::<L, COMPLEX>(call, &all.share(i, count)) });
    }

    /// A single sum: each thread adds up a range of its terms, and that the sums are added in order makes the result
    /// one of the number of threads only.
    unsafe fn run_single<L: Real, const COMPLEX: bool>(&self, call: &Call<L>, all: &Part, threads: Threads) {
        const UNIT: usize = 64;
        let mut sums = [[L::ZERO; 2]; MAX_THREADS];
        let (count, end) = (threads.get(), all.along.end);
        let start = |i: usize| (end.div_ceil(UNIT) * i / count * UNIT).min(end);
        let whole = Call { alpha: [L::ONE, L::ZERO], beta: [L::ZERO; 2], c: sums.as_mut_ptr().cast::<L>(), ..*call };
        let whole = &whole;
        threads.run(count, |i| {
            let call = Call { c: whole.c.wrapping_add(2 * i), ..*whole };
            // SAFETY: the caller's promise; every thread has a sum of its own.
            unsafe { self.run_part::<L, COMPLEX>(&call, &Part { along: start(i)..start(i + 1), ..all.clone() }) };
        });
        let [mut re, mut im] = [L::ZERO; 2];
        for sum in &sums[..count] {
            (re, im) = (re + sum[0], im + sum[1]);
        }
        let ([alpha, turn], [beta, shift]) = (call.alpha, call.beta);
        // SAFETY: the caller's promise: C has this element, which is read only if β ≠ 0.
        unsafe {
            let keeps = beta != L::ZERO || COMPLEX && shift != L::ZERO;
            let old = |i: usize| if keeps { *call.c.add(i) } else { L::ZERO };
            if COMPLEX {
                let (x, y) = (old(0), old(1));
                *call.c = alpha * re - turn * im + if keeps { beta * x - shift * y } else { L::ZERO };
                *call.c.add(1) = alpha * im + turn * re + if keeps { beta * y + shift * x } else { L::ZERO };
            } else {
                *call.c = alpha * re + if keeps { beta * old(0) } else { L::ZERO };
            }
        }
    }

    unsafe fn run_part<L: Real, const COMPLEX: bool>(&self, call: &Call<L>, part: &Part) {
        if part.outer.is_empty() || part.first.is_empty() || part.second.is_empty() {
            return;
        }
        // References only: what was just written number by number is slow to be copied in larger pieces.
        let nest = Nest { direct: self, call, part };
        match &self.form {
            Form::Nothing | Form::Terms(_) => {}
            // What lies apart needs a buffer.
            Form::Panel(panel) if panel.places.iter().any(Option::is_some) => {
                self.run_with_buffer::<L, COMPLEX>(panel, nest);
            }
            Form::Panel(panel) => {
                self.isa.run(OfPanel::<L, COMPLEX> { nest, panel, buffer: std::ptr::null_mut() });
            }
            Form::Elementwise(lanes) => self.isa.run(OfLanes::<L, COMPLEX, false> { nest, lanes }),
            Form::Interleaved(form) => self.run_interleaved::<L, COMPLEX>(form, nest),
            Form::Sums(lanes) => self.isa.run(OfLanes::<L, COMPLEX, true> { nest, lanes }),
        }
    }

    /// Apart, so that only what needs the buffer pays for having it on the stack.
    #[inline(never)]
    fn run_with_buffer<L: Real, const COMPLEX: bool>(&self, panel: &Panel, nest: Nest<'_, L>) {
        let mut buffer = MaybeUninit::<[L; BUFFER]>::uninit();
        self.isa.run(OfPanel::<L, COMPLEX> { nest, panel, buffer: buffer.as_mut_ptr().cast::<L>() });
    }

    /// As above.
    #[inline(never)]
    fn run_interleaved<L: Real, const COMPLEX: bool>(&self, form: &Interleaved, nest: Nest<'_, L>) {
        let mut buffer = MaybeUninit::<Registers>::uninit();
        self.isa.run(OfInterleaved::<L, COMPLEX> { nest, form, buffer: buffer.as_mut_ptr().cast::<L>() });
    }
}

/// A buffer of so many registers, the longest of which have 64 bytes; as aligned as these are.
#[repr(align(64))]
struct Registers(#[allow(dead_code)] [[u64; 8]; ROOM]);

/// The arguments of a run.
struct Arguments<T> {
    alpha: T,
    beta: T,
    conj: [bool; 2],
    a: *const T,
    b: *const T,
    c: *mut T,
}

impl<T: Scalar> Arguments<T> {
    /// The same by real numbers; `L` is `T::Real`.
    fn call<L: Real>(&self) -> Call<L> {
        let parts = |x: T| [x.re(), x.im()].map(|part| L::from_f64(part.to_f64()));
        Call {
            alpha: parts(self.alpha),
            beta: parts(self.beta),
            conj: self.conj,
            idle: self.alpha == T::ZERO,
            a: self.a.cast::<L>(),
            b: self.b.cast::<L>(),
            c: self.c.cast::<L>(),
        }
    }
}

impl Part {
    /// Share `i` of `count`, of that which can be shared out best.
    fn share(&self, i: usize, count: usize) -> Part {
        let mut part = self.clone();
        // Few elements of a register axis would be worse than uneven shares.
        let (grain, shared) = if self.outer.len() >= 4 * count {
            (1, &mut part.outer)
        } else if self.first.len() >= 128 * count {
            (64, &mut part.first)
        } else if self.second.len() >= 8 * count {
            (8, &mut part.second)
        } else if self.outer.len() >= count {
            (1, &mut part.outer)
        } else {
            // Elements of the register axis that lie apart come in runs, of 16 at most, that are not to be cut.
            (16, if self.first.len() >= self.second.len() { &mut part.first } else { &mut part.second })
        };
        let end = shared.end;
        let units = end.div_ceil(grain);
        *shared = (i * units / count * grain).min(end)..((i + 1) * units / count * grain).min(end);
        part
    }
}

/// A part of a product: the outer loops around a form.
struct Nest<'a, L> {
    direct: &'a Direct,
    call: &'a Call<L>,
    part: &'a Part,
}

impl<L: Real> Nest<'_, L> {
    /// What the form does at every step.
    #[inline(always)]
    unsafe fn run<V: Vector<Lane = L>, const COMPLEX: bool, F: Tile<V>>(self, form: F) {
        let Direct { outer, adding, steps, .. } = self.direct;
        // SAFETY: the caller's promise: within a task, and the loops stay within the tensors.
        unsafe {
            let scale = Scale::<V>::new::<COMPLEX>(self.call.alpha, self.call.beta, self.call.conj);
            let one = [L::ONE, L::ZERO];
            let adding_scale = Scale::<V>::new::<COMPLEX>(self.call.alpha, one, self.call.conj);
            let mut counters: Counters = [const { MaybeUninit::uninit() }; MOST_LOOPS];
            let mut walk = Walk::new(outer, &mut counters, *adding, self.part.outer.start);
            for _ in self.part.outer.start..self.part.outer.end {
                let mut scales = [&scale, &adding_scale];
                for _ in 0..steps[1] {
                    let [to_c, to_a, to_b] = walk.offsets;
                    let c = self.call.c.offset(to_c);
                    let (a, b) = (self.call.a.wrapping_offset(to_a), self.call.b.wrapping_offset(to_b));
                    form.run(Places { a, b, c, idle: self.call.idle }, scales, self.part);
                    scales[0] = &adding_scale;
                    walk.advance();
                }
            }
        }
    }
}

/// One step of the outer loops.
trait Tile<V: Vector> {
    /// # Safety
    /// Within a task; the pointers of `at` are those that the form was made for.
    unsafe fn run(&self, at: Places<V::Lane>, scales: [&Scale<V>; 2], part: &Part);
}

struct OfPanel<'a, L, const COMPLEX: bool> {
    nest: Nest<'a, L>,
    panel: &'a Panel,
    buffer: *mut L,
}

struct OfLanes<'a, L, const COMPLEX: bool, const SUMS: bool> {
    nest: Nest<'a, L>,
    lanes: &'a Lanes,
}

struct OfInterleaved<'a, L, const COMPLEX: bool> {
    nest: Nest<'a, L>,
    form: &'a Interleaved,
    buffer: *mut L,
}

struct PanelStep<'a, S, L, const COMPLEX: bool>(&'a Panel, *mut L, PhantomData<S>);

struct InterleavedStep<'a, S, L, const COMPLEX: bool>(&'a Interleaved, *mut L, PhantomData<S>);

struct LanesStep<'a, const COMPLEX: bool, const SUMS: bool>(&'a Lanes);

impl<L: Real, const COMPLEX: bool> Task for OfPanel<'_, L, COMPLEX> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let step = PanelStep::<S, L, COMPLEX>(self.panel, self.buffer, PhantomData);
        // SAFETY: made by `Direct::run_part` alone, whose caller vouches for the memory; a task runs where its set is.
        unsafe { self.nest.run::<L::Register<S>, COMPLEX, _>(step) }
    }
}

impl<L: Real, const COMPLEX: bool> Task for OfInterleaved<'_, L, COMPLEX> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let step = InterleavedStep::<S, L, COMPLEX>(self.form, self.buffer, PhantomData);
        // SAFETY: as for a panel.
        unsafe { self.nest.run::<L::Register<S>, COMPLEX, _>(step) }
    }
}

impl<L: Real, const COMPLEX: bool, const SUMS: bool> Task for OfLanes<'_, L, COMPLEX, SUMS> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: as for a panel.
        unsafe { self.nest.run::<L::Register<S>, COMPLEX, _>(LanesStep::<COMPLEX, SUMS>(self.lanes)) }
    }
}

impl<S: Simd, L: Real, const COMPLEX: bool> Tile<L::Register<S>> for PanelStep<'_, S, L, COMPLEX> {
    #[inline(always)]
    unsafe fn run(&self, at: Places<L>, scales: [&Scale<L::Register<S>>; 2], part: &Part) {
        // SAFETY: the caller's promise.
        unsafe { self.0.run::<S, L, COMPLEX>(at, scales, part, self.1) }
    }
}

impl<S: Simd, L: Real, const COMPLEX: bool> Tile<L::Register<S>> for InterleavedStep<'_, S, L, COMPLEX> {
    #[inline(always)]
    unsafe fn run(&self, at: Places<L>, scales: [&Scale<L::Register<S>>; 2], part: &Part) {
        // SAFETY: the caller's promise.
        unsafe { self.0.run::<S, L, COMPLEX>(at, scales, part, self.1) }
    }
}

impl<V: Vector, const COMPLEX: bool, const SUMS: bool> Tile<V> for LanesStep<'_, COMPLEX, SUMS> {
    #[inline(always)]
    unsafe fn run(&self, at: Places<V::Lane>, scales: [&Scale<V>; 2], part: &Part) {
        // SAFETY: the caller's promise.
        unsafe {
            match SUMS {
                true => self.0.sums::<V, COMPLEX>(at, scales[0], part),
                false => self.0.elementwise::<V, COMPLEX>(at, scales[0], part),
            }
        }
    }
}
