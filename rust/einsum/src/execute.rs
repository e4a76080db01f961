//! Running a plan, as often as one likes.
//!
//! What depends on layouts only is checked once: a workspace remembers the layouts that its program was made for, and a
//! run with tensors of the same layouts goes straight to the kernels. What is left for every run is that the output
//! shares no memory with an operand, by the addresses of their first and last elements; only where these meet is
//! it asked whether any element is shared.
//!
//! Slices run one after another, or shared among lanes: threads with workspaces of their own, which take equal parts of
//! the slices. Steps that depend on no label that has changed since the last slice are not run again.
#![allow(unsafe_code)] // the steps run on pointers: their layouts were checked when the program was made

mod shares;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tensoroxide_contract::Settings;
use tensoroxide_dense::Element;
use tensoroxide_tensor::kernels::{scale, scale_ordered};
use tensoroxide_tensor::layout::{column_major_strides, is_injective};
use tensoroxide_tensor::{overlap, Buffer, Layout, Pool, Region, Scalar, Threads, View, ViewMut};

use crate::plan::{Inputs, Plan, Source};
use crate::program::{Kernel, Program, Strides, Variant};
use crate::Error;
pub use shares::{SharedRun, Shares};

/// A plan with the memory to run it.
///
/// After the first run with operands of the same strides, a run allocates nothing. Several threads may run one `Einsum`
/// at once: each takes a workspace of its own, which the next run finds again.
///
/// ```
/// use tensoroxide_einsum::{Einsum, Options, Plan};
/// use tensoroxide_tensor::{DType, Tensor, Threads};
/// let a = Tensor::from_fn(&[2, 3], |i| (i[0] + i[1]) as f64)?;
/// let mut c = Tensor::from_fn(&[2, 2], |_| f64::NAN)?;
/// let einsum = Einsum::new(Plan::new("ij,kj->ik", &[&[2, 3], &[2, 3]], DType::F64, Options::default())?);
/// einsum.run(1.0, &[a.view(), a.view()], &[false, false], 0.0, c.view_mut()?, Threads::ONE)?;
/// assert_eq!(c.data(), [5.0, 8.0, 8.0, 14.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Einsum<T: Scalar> {
    plan: Plan,
    idle: Pool<Workspace<T>>,
}

/// What one run at a time uses.
#[derive(Debug)]
struct Workspace<T: Scalar> {
    program: Program,
    /// The operands, then the output.
    tensors: Box<[Bound<T>]>,
    memory: Buffer<T>,
    /// The values of the sliced labels, for each lane.
    slice: Vec<usize>,
}

/// A tensor of the caller's: the layout that the program is for, and what the present run gave.
#[derive(Debug)]
struct Bound<T> {
    layout: Layout,
    /// The element at index (0, …, 0).
    start: *mut T,
    conj: bool,
}

// SAFETY: the pointers of a workspace are followed only during a run, which has the workspace for itself and whose
// caller vouches for them; between runs they are numbers without a meaning.
unsafe impl<T: Scalar> Send for Workspace<T> {}

impl<T> Bound<T> {
    /// Addresses of the first byte and of one past the last.
    fn bytes(&self) -> (usize, usize) {
        let ((low, high), at) = (self.layout.reach(), self.start as usize);
        let size = size_of::<T>() as isize;
        (at.wrapping_add_signed(low * size), at.wrapping_add_signed((high + 1) * size))
    }

    fn region(&self) -> Region<'_> {
        let (shape, strides) = (self.layout.shape(), self.layout.strides());
        Region { address: self.start as usize, shape, strides, element: size_of::<T>() }
    }
}

impl<T: Element> Einsum<T> {
    /// Makes a plan runnable. The workspace is taken at the first run.
    pub fn new(plan: Plan) -> Einsum<T> {
        Einsum { plan, idle: Pool::default() }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// output ← α · (Einstein sum of the operands) + β · output. Operand `i` is conjugated if `conj[i]`. β = 0 never
    /// reads the output.
    ///
    /// # Errors
    /// [`Error::OperandCount`], [`Error::Shape`], [`Error::Aliasing`], [`Error::Strides`]: nothing is then written.
    /// [`Error::Tensor`] when there is no memory for the workspace.
    pub fn run(
        &self,
        alpha: T,
        operands: &[View<'_, T>],
        conj: &[bool],
        beta: T,
        output: ViewMut<'_, T>,
        threads: Threads,
    ) -> Result<(), Error> {
        self.session()?.run(alpha, operands, conj, beta, output, threads)
    }

    /// Takes a workspace for a run, one that is idle if there is any.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there is no memory for a new one.
    pub fn session(&self) -> Result<Session<'_, T>, Error> {
        let workspace = match self.idle.take() {
            Some(workspace) => workspace,
            None => Box::new(self.workspace()?),
        };
        Ok(Session { einsum: self, workspace: Some(workspace) })
    }

    fn workspace(&self) -> Result<Workspace<T>, Error> {
        let network = self.plan.network();
        let output = self.plan.output_shape();
        let shapes = network.shapes.iter().chain([&output]);
        let bound = |shape: &Vec<usize>| {
            let layout = Layout::new(shape, &column_major_strides(shape))?;
            Ok(Bound { layout, start: std::ptr::null_mut(), conj: false })
        };
        let tensors = shapes.map(bound).collect::<Result<_, Error>>()?;
        let program = self.plan.dense_program().clone();
        let memory = Buffer::zeroed(self.plan.workspace(program.scratch()))?;
        Ok(Workspace { program, tensors, memory, slice: vec![0; self.plan.lanes * self.plan.cut.fixed.len()] })
    }
}

/// A workspace of an [`Einsum`], taken for a run and given back when this is dropped.
///
/// [`Session::run`] is for any tensors. A host that calls again and again with tensors of the same layouts compares
/// them with [`Session::layout`], hands over their pointers by [`Session::bind`], and runs by [`Session::run_bound`]:
/// nothing that depends on layouts only is then done again.
#[derive(Debug)]
pub struct Session<'a, T: Element> {
    einsum: &'a Einsum<T>,
    /// There until the drop.
    workspace: Option<Box<Workspace<T>>>,
}

impl<T: Element> Drop for Session<'_, T> {
    fn drop(&mut self) {
        // What a panic has interrupted is not used again.
        match self.workspace.take() {
            Some(workspace) if !std::thread::panicking() => self.einsum.idle.give(workspace),
            _ => {}
        }
    }
}

impl<T: Element> Session<'_, T> {
    fn workspace(&mut self) -> &mut Workspace<T> {
        self.workspace.as_mut().expect("taken only when dropped")
    }

    /// Number of operands; that of the output is one more than the last operand's.
    pub fn operands(&self) -> usize {
        self.einsum.plan.network().operands.len()
    }

    /// The layout that the workspace is prepared for, of operand `i` from 0, or of the output, which comes last.
    ///
    /// # Panics
    /// For an `i` beyond the output.
    #[inline]
    pub fn layout(&self, i: usize) -> &Layout {
        &self.workspace.as_ref().expect("taken only when dropped").tensors[i].layout
    }

    /// Says where operand `i`, or the output, has its element at index (0, …, 0), and whether to conjugate it.
    ///
    /// # Panics
    /// For an `i` beyond the output.
    #[inline]
    pub fn bind(&mut self, i: usize, start: *mut T, conj: bool) {
        let tensor = &mut self.workspace().tensors[i];
        (tensor.start, tensor.conj) = (start, conj);
    }

    /// Runs the plan on the tensors that were bound: as [`Einsum::run`], but nothing about their layouts is checked.
    ///
    /// # Errors
    /// [`Error::Aliasing`]: nothing is then written.
    ///
    /// # Safety
    /// Every operand and the output was bound since the session began. From their pointers, every element of their
    /// [`Session::layout`]s is valid, initialised and aligned, and during the call nobody else writes the operands, or
    /// reads or writes the output.
    pub unsafe fn run_bound(&mut self, alpha: T, beta: T, threads: Threads) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { self.run_observed(alpha, beta, threads, |_| ()) }
    }

    /// As [`Session::run_bound`]; `after` is told of each step that is done, where there are no slices.
    ///
    /// # Safety
    /// As [`Session::run_bound`].
    #[inline(always)]
    unsafe fn run_observed(
        &mut self,
        alpha: T,
        beta: T,
        threads: Threads,
        after: impl FnMut(usize),
    ) -> Result<(), Error> {
        let plan = &self.einsum.plan;
        let workspace = self.workspace.as_mut().expect("taken only when dropped");
        let (output, operands) = workspace.tensors.split_last().expect("there always is an output");
        let (first, end) = output.bytes();
        for (i, operand) in operands.iter().enumerate() {
            let (from, to) = operand.bytes();
            if from < end && first < to && overlap(operand.region(), output.region()) {
                return Err(Error::Aliasing { operand: i });
            }
        }
        // SAFETY: the caller's promise, and the output shares no element with an operand.
        unsafe { workspace.run(plan, alpha, beta, threads, after) }
    }

    /// As [`Einsum::run`].
    ///
    /// # Errors
    /// As [`Einsum::run`].
    pub fn run(
        mut self,
        alpha: T,
        operands: &[View<'_, T>],
        conj: &[bool],
        beta: T,
        output: ViewMut<'_, T>,
        threads: Threads,
    ) -> Result<(), Error> {
        self.bind_all(operands, conj, output)?;
        // SAFETY: the workspace fits the views' layouts, and the views vouch for their elements.
        unsafe { self.run_bound(alpha, beta, threads) }
    }

    /// What each step takes on one thread, in seconds: the median over `runs` of the plan, each step finding the caches
    /// as the one before it leaves them. Empty for a plan with slices, whose steps run many times each.
    ///
    /// # Errors
    /// As [`Einsum::run`].
    pub fn profile(
        mut self,
        operands: &[View<'_, T>],
        mut output: ViewMut<'_, T>,
        runs: usize,
    ) -> Result<Vec<f64>, Error> {
        let mut times = vec![Vec::with_capacity(runs); self.einsum.plan.steps()];
        let conj = vec![false; operands.len()];
        self.bind_all(operands, &conj, output.reborrow())?;
        for _ in 0..runs {
            let mut since = Instant::now();
            let after = |k: usize| {
                times[k].push(since.elapsed().as_secs_f64());
                since = Instant::now();
            };
            // SAFETY: as in `run`.
            unsafe { self.run_observed(T::ONE, T::ZERO, Threads::ONE, after) }?;
        }
        times.retain(|step| !step.is_empty());
        times.iter_mut().for_each(|step| step.sort_by(f64::total_cmp));
        Ok(times.iter().map(|step| step[step.len() / 2]).collect())
    }

    /// Prepares for the layouts of these tensors, and binds them.
    fn bind_all(&mut self, operands: &[View<'_, T>], conj: &[bool], mut output: ViewMut<'_, T>) -> Result<(), Error> {
        let expected = self.operands();
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(Error::OperandCount { expected, found });
            }
        }
        let plan = &self.einsum.plan;
        let fitted = self.workspace().fit(plan, operands, (output.shape(), output.strides()));
        if let Err(Error::Tensor(_)) = fitted {
            // Not to be used again: it may be without memory.
            self.workspace = None;
        }
        fitted?;
        for (i, (operand, &conj)) in operands.iter().zip(conj).enumerate() {
            self.bind(i, operand.as_ptr().cast_mut(), conj);
        }
        self.bind(expected, output.as_mut_ptr(), false);
        Ok(())
    }
}

impl<T: Element> Workspace<T> {
    /// Makes the program one for the layouts of these tensors.
    fn fit(&mut self, plan: &Plan, operands: &[View<'_, T>], output: (&[usize], &[isize])) -> Result<(), Error> {
        let found = || operands.iter().map(|o| (o.shape(), o.strides())).chain([output]);
        let same = |(known, (shape, strides)): (&Bound<T>, (&[usize], &[isize]))| {
            known.layout.shape() == shape && known.layout.strides() == strides
        };
        if self.tensors.iter().zip(found()).all(same) {
            return Ok(());
        }
        for (i, (known, (shape, _))) in self.tensors.iter().zip(found()).enumerate() {
            let expected = known.layout.shape();
            if shape != expected {
                let operand = (i < operands.len()).then_some(i);
                return Err(Error::Shape { operand, found: shape.to_vec(), expected: expected.to_vec() });
            }
        }
        let layouts = found().map(|(shape, strides)| Layout::new(shape, strides)).collect::<Result<Vec<_>, _>>()?;
        debug_assert!(is_injective(output.0, output.1), "as every ViewMut");
        let strides = Strides { operands: operands.iter().map(View::strides).collect(), output: output.1 };
        let mut program = Program::new(plan, &strides, plan.settings)?;
        let bytes = |program: &Program| plan.workspace(program.scratch()).saturating_mul(size_of::<T>());
        if plan.limit.is_some_and(|limit| bytes(&program) > limit) {
            program = Program::new(plan, &strides, Settings { least_scratch: true, ..plan.settings })?;
        }
        let needed = plan.workspace(program.scratch());
        if let Some(limit) = plan.limit.filter(|&limit| bytes(&program) > limit) {
            return Err(Error::Strides { limit, needed: bytes(&program) });
        }
        if self.memory.len() < needed {
            // The old memory goes before the new one comes: both together are more than was promised.
            self.memory = Buffer::zeroed(0)?;
            self.memory = Buffer::zeroed(needed)?;
        }
        self.program = program;
        self.tensors.iter_mut().zip(layouts).for_each(|(known, layout)| known.layout = layout);
        Ok(())
    }

    /// # Safety
    /// From the starts of the tensors their layouts are valid, the output's is exclusively ours, and it shares no
    /// element with an operand.
    unsafe fn run(
        &mut self,
        plan: &Plan,
        alpha: T,
        beta: T,
        threads: Threads,
        after: impl FnMut(usize),
    ) -> Result<(), Error> {
        let Workspace { program, tensors, memory, slice } = self;
        let shared = Shared { plan, program, tensors, alpha, memory: memory.as_mut_ptr(), values: slice.as_mut_ptr() };
        let output = &tensors[tensors.len() - 1];
        if plan.cut.fixed.is_empty() {
            let lane = shared.lane(0);
            // SAFETY: the caller's promise; there is one lane, and nothing has to have been made before.
            return unsafe { shared.steps(&lane, 0..=0, &[], output.start, false, beta, threads, after) };
        }
        // Without a value of some sliced label nothing would run; the output is then what an empty sum makes of it.
        if plan.slice_extents().any(|extent| extent == 0) {
            let (shape, strides) = (output.layout.shape(), output.layout.strides());
            // SAFETY: the caller's promise.
            scale(beta, unsafe { ViewMut::from_raw_parts(output.start, shape, strides) }?, threads);
            return Ok(());
        }
        let lanes = plan.lanes.min(threads.get());
        let all = plan.slices();
        // SAFETY: the caller's promise; no other lane runs, and what depends on no slice needs nothing from before.
        unsafe { shared.once(threads) }?;
        if lanes == 1 {
            // SAFETY: the caller's promise; there is one lane.
            return unsafe { shared.range(0, 0..all, Into::Output { beta }, threads) };
        }
        // Each lane takes its share of the slices, one after the other: who computes what, and in which order it is
        // added up, depends on the number of lanes alone.
        let failed = AtomicBool::new(false);
        let share = |t: usize, of: usize| (of * t / lanes)..(of * (t + 1) / lanes);
        if let Some(values) = plan.apart() {
            let inner = all / values;
            Threads::new(lanes).run(lanes, |t| {
                let values = share(t, values);
                let range = values.start * inner..values.end * inner;
                // SAFETY: the caller's promise; lanes have memory of their own, and elements of the output of their
                // own.
                let done = unsafe { shared.range(t, range, Into::Output { beta }, Threads::ONE) };
                failed.fetch_or(done.is_err(), Ordering::Relaxed);
            });
        } else {
            // There whenever lanes have outputs of their own.
            let Some(sum) = &program.sum else { return Err(tensoroxide_contract::Error::Layout.into()) };
            // SAFETY: the caller's promise; the loops are those of the output, and no lane runs yet.
            unsafe { scale_ordered(&sum.output, beta, output.start, threads) };
            Threads::new(lanes).run(lanes, |t| {
                let into = if t == 0 { Into::Output { beta: T::ONE } } else { Into::Partial };
                // SAFETY: the caller's promise; lanes have memory of their own, and only lane 0 touches the output.
                let done = unsafe { shared.range(t, share(t, all), into, Threads::ONE) };
                failed.fetch_or(done.is_err(), Ordering::Relaxed);
            });
            for t in 1..lanes {
                // SAFETY: the lanes are done, and each has filled its output.
                unsafe { sum.add.run(T::ONE, shared.partial(t), false, T::ONE, output.start, threads) };
            }
        }
        match failed.into_inner() {
            // What a step can refuse is checked when the plan is made.
            true => Err(tensoroxide_contract::Error::Layout.into()),
            false => Ok(()),
        }
    }
}

/// Where the last step writes.
#[derive(Clone, Copy)]
enum Into<T> {
    /// To the caller's output, β times which is kept.
    Output { beta: T },
    /// To the lane's own dense one.
    Partial,
}

/// What the lanes of a run share.
struct Shared<'a, T: Scalar> {
    plan: &'a Plan,
    program: &'a Program,
    tensors: &'a [Bound<T>],
    alpha: T,
    /// The lanes' parts, then their outputs.
    memory: *mut T,
    /// The values of the sliced labels of each lane.
    values: *mut usize,
}

// SAFETY: lanes use parts of the memory and of the values of their own; the tensors' pointers are those of the one
// call that all of the lanes belong to.
unsafe impl<T: Scalar> Sync for Shared<'_, T> {}

/// Where a lane has its memory in the workspace.
struct Lane {
    arena: usize,
    scratch: usize,
}

impl<T: Element> Shared<'_, T> {
    fn lane(&self, t: usize) -> Lane {
        let scratch = self.program.scratch();
        Lane { arena: self.plan.lane_start(t, scratch), scratch: self.plan.scratch_start(t, scratch) }
    }

    /// The output of a lane other than 0.
    fn partial(&self, t: usize) -> *mut T {
        let output = self.tensors[self.tensors.len() - 1].layout.len();
        self.memory.wrapping_add(self.plan.lane_start(self.plan.lanes, self.program.scratch()) + (t - 1) * output)
    }

    /// Runs the steps of these slices, which are counted with the fastest label's values first.
    ///
    /// # Safety
    /// As [`Workspace::run`]. At one time a lane runs once; the elements of the output that these slices have
    /// are written by no other lane.
    unsafe fn range(
        &self,
        t: usize,
        range: std::ops::Range<usize>,
        into: Into<T>,
        threads: Threads,
    ) -> Result<(), Error> {
        let (plan, lane, count) = (self.plan, self.lane(t), self.plan.cut.fixed.len());
        // SAFETY: there are `count` values for each lane, which only this call uses.
        let values = unsafe { std::slice::from_raw_parts_mut(self.values.wrapping_add(t * count), count) };
        plan.slice_values(range.start, values);
        let partial = matches!(into, Into::Partial);
        let output = if partial { self.partial(t) } else { self.tensors[self.tensors.len() - 1].start };
        if partial {
            let length = self.tensors[self.tensors.len() - 1].layout.len();
            // SAFETY: the lane's output; zero bits are 0.
            unsafe { output.write_bytes(0, length) };
        }
        // Nothing has been made yet but what is made once: the first slice runs all other steps.
        let mut changed = count.saturating_sub(1);
        for _ in range {
            // Slices of summed labels add up: the first of them brings β.
            let beta = match into {
                Into::Output { beta } if self.first(values) => beta,
                _ => T::ONE,
            };
            // SAFETY: the caller's promise; what these steps do not make anew is there from the slice before.
            unsafe { self.steps(&lane, 0..=changed, values, output, partial, beta, threads, |_| ()) }?;
            changed = advance(values, plan.slice_extents()).unwrap_or(0);
        }
        Ok(())
    }

    /// Whether this is the first slice that reaches its elements of the output.
    fn first(&self, values: &[usize]) -> bool {
        let output = &self.plan.cut.sliced.output;
        self.plan.cut.fixed.iter().zip(values).all(|(label, &value)| value == 0 || output.contains(label))
    }

    /// Runs the steps that no slice changes.
    ///
    /// # Safety
    /// As [`Workspace::run`]; no lane runs.
    unsafe fn once(&self, threads: Threads) -> Result<(), Error> {
        let (lane, count) = (self.lane(0), self.plan.cut.fixed.len());
        // SAFETY: there are `count` values for each lane, which nobody uses now.
        let values = unsafe { std::slice::from_raw_parts_mut(self.values, count) };
        values.fill(0);
        // SAFETY: the caller's promise; the output is not among what these steps make.
        unsafe { self.steps(&lane, count..=count, values, std::ptr::null_mut(), false, T::ZERO, threads, |_| ()) }
    }

    /// Runs the steps whose fastest label ([`Step::every`](crate::plan::Step::every)) is among those `of` these
    /// positions, the last one into a lane's own output if the output is `partial`. `after` is told of each step that
    /// is done.
    ///
    /// # Safety
    /// As [`Shared::range`], and every step that does not run has run with the values that its labels have.
    #[allow(clippy::too_many_arguments)]
    unsafe fn steps(
        &self,
        lane: &Lane,
        of: std::ops::RangeInclusive<usize>,
        values: &[usize],
        output: *mut T,
        partial: bool,
        beta: T,
        threads: Threads,
        mut after: impl FnMut(usize),
    ) -> Result<(), Error> {
        let plan = self.plan;
        // SAFETY: the lane's memory goes on behind its arena for as long as the scratch is.
        let scratch = unsafe { std::slice::from_raw_parts_mut(self.memory.add(lane.scratch), self.program.scratch()) };
        let made = |i: usize| self.memory.wrapping_add(plan.start_of(i, lane.arena));
        let read = |source: Source| match source {
            Source::Operand(i) => (self.tensors[i].start.cast_const(), self.tensors[i].conj),
            // The layouts of intermediates are dense: nothing lies before their first element.
            Source::Intermediate(i) => (made(i).cast_const(), false),
        };
        let Variant { kernels, partial: into_partial } = &self.program.variants[plan.cut.variant(values)];
        let last = into_partial.as_ref().filter(|_| partial);
        for (k, (step, kernel)) in plan.steps.iter().zip(kernels).enumerate() {
            if !of.contains(&step.every) {
                continue;
            }
            // Only the last step meets the caller's α, β and output.
            let (kernel, alpha, beta, out) = match step.output {
                None => (last.unwrap_or(kernel), self.alpha, beta, output),
                Some(i) => (kernel, T::ONE, T::ZERO, made(i)),
            };
            // SAFETY: for the caller's tensors, the caller's promise. Intermediates lie in the arena, which the memory
            // is long enough for, and those that hold values at once share no element (see `plan::arena`). The program
            // was made for the layouts of all of them, and its scratch lies behind the arena.
            unsafe {
                match (kernel, step.inputs) {
                    (Kernel::Pair(pair), Inputs::Pair(a, b)) => {
                        let ((a, conj_a), (b, conj_b)) = (read(a), read(b));
                        pair.run_unchecked(alpha, a, conj_a, b, conj_b, beta, out, values, scratch, threads)?;
                    }
                    (Kernel::Single(single), Inputs::Single(a)) => {
                        let (a, conj_a) = read(a);
                        single.run_unchecked(alpha, a, conj_a, beta, out, values, threads)?;
                    }
                    _ => return Err(tensoroxide_contract::Error::Layout.into()),
                }
            }
            after(k);
        }
        Ok(())
    }
}

/// Counts the values of the sliced labels up by one, the first fastest. Returns the position of the slowest that
/// changed; `None` after the last, when all are 0 again.
pub(crate) fn advance(values: &mut [usize], extents: impl Iterator<Item = usize>) -> Option<usize> {
    for (at, (value, extent)) in values.iter_mut().zip(extents).enumerate() {
        *value += 1;
        if *value < extent {
            return Some(at);
        }
        *value = 0;
    }
    None
}
