//! Running a plan, as often as one likes.
//!
//! What depends on layouts only is checked once: a workspace remembers the layouts that its program was made for, and a
//! run with tensors of the same layouts goes straight to the kernels. What is left for every run is that the output
//! shares no memory with an operand, by the addresses of their first and last elements; only where these meet is
//! it asked whether any element is shared.
#![allow(unsafe_code)] // the steps run on pointers: their layouts were checked when the program was made

use tensoroxide_dense::Element;
use tensoroxide_tensor::layout::{column_major_strides, is_injective};
use tensoroxide_tensor::{overlap, Buffer, Layout, Pool, Region, Scalar, Threads, View, ViewMut};

use crate::plan::{Inputs, Plan, Source};
use crate::program::{Kernel, Program, Strides};
use crate::Error;

/// A plan with the memory to run it.
///
/// After the first run with operands of the same strides, a run allocates nothing. Several threads may run one `Einsum` at
/// once: each takes a workspace of its own, which the next run finds again.
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
    /// The values of the sliced labels.
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

// SAFETY: the pointers of a workspace are followed only during a run, which has the workspace for itself and whose caller
// vouches for them; between runs they are numbers without a meaning.
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
    /// [`Error::OperandCount`], [`Error::Shape`], [`Error::Aliasing`]: nothing is then written. [`Error::Tensor`] when there is
    /// no memory for the workspace.
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
        let memory = Buffer::zeroed(self.plan.arena + program.scratch())?;
        Ok(Workspace { program, tensors, memory, slice: Vec::with_capacity(self.plan.slices.len()) })
    }
}

/// A workspace of an [`Einsum`], taken for a run and given back when this is dropped.
///
/// [`Session::run`] is for any tensors. A host that calls again and again with tensors of the same layouts compares them with
/// [`Session::layout`], hands over their pointers by [`Session::bind`], and runs by [`Session::run_bound`]: nothing
/// that depends on layouts only is then done again.
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
    /// [`Session::layout`]s is valid, initialised and aligned, and during the call nobody else writes the operands, or reads
    /// or writes the output.
    pub unsafe fn run_bound(&mut self, alpha: T, beta: T, threads: Threads) -> Result<(), Error> {
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
        unsafe { workspace.run(plan, alpha, beta, threads) }
    }

    /// As [`Einsum::run`].
    ///
    /// # Errors
    /// As [`Einsum::run`].
    pub fn run(
        &mut self,
        alpha: T,
        operands: &[View<'_, T>],
        conj: &[bool],
        beta: T,
        mut output: ViewMut<'_, T>,
        threads: Threads,
    ) -> Result<(), Error> {
        let expected = self.operands();
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(Error::OperandCount { expected, found });
            }
        }
        let plan = &self.einsum.plan;
        self.workspace.as_mut().expect("taken only when dropped").fit(plan, operands, &output)?;
        for (i, (operand, &conj)) in operands.iter().zip(conj).enumerate() {
            self.bind(i, operand.as_ptr().cast_mut(), conj);
        }
        self.bind(expected, output.as_mut_ptr(), false);
        // SAFETY: the workspace fits the views' layouts, and the views vouch for their elements.
        unsafe { self.run_bound(alpha, beta, threads) }
    }
}

impl<T: Element> Workspace<T> {
    /// Makes the program one for the layouts of these tensors.
    fn fit(&mut self, plan: &Plan, operands: &[View<'_, T>], output: &ViewMut<'_, T>) -> Result<(), Error> {
        let found = || operands.iter().map(|o| (o.shape(), o.strides())).chain([(output.shape(), output.strides())]);
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
        debug_assert!(is_injective(output.shape(), output.strides()), "as every ViewMut");
        let strides = Strides { operands: operands.iter().map(View::strides).collect(), output: output.strides() };
        let program = Program::new(plan, &strides)?;
        let needed = plan.arena + program.scratch();
        if self.memory.len() < needed {
            self.memory = Buffer::zeroed(needed)?;
        }
        self.program = program;
        self.tensors.iter_mut().zip(layouts).for_each(|(known, layout)| known.layout = layout);
        Ok(())
    }

    /// # Safety
    /// From the starts of the tensors their layouts are valid, the output's is exclusively ours, and it shares no
    /// element with an operand.
    unsafe fn run(&mut self, plan: &Plan, alpha: T, beta: T, threads: Threads) -> Result<(), Error> {
        if plan.slices.is_empty() {
            // SAFETY: the caller's promise.
            return unsafe { self.run_slice(plan, alpha, beta, threads) };
        }
        self.slice.clear();
        self.slice.resize(plan.slices.len(), 0);
        // Without a value of some sliced label nothing would run; the output is then what an empty sum makes of it.
        if plan.slice_extents().any(|extent| extent == 0) {
            let output = &self.tensors[self.tensors.len() - 1];
            let (shape, strides) = (output.layout.shape(), output.layout.strides());
            // SAFETY: the caller's promise.
            let output = unsafe { ViewMut::from_raw_parts(output.start, shape, strides) };
            tensoroxide_tensor::kernels::scale(beta, output?, threads);
            return Ok(());
        }
        loop {
            // Slices of summed labels add up: the first of them brings β.
            let summed =
                plan.slices.iter().zip(&self.slice).filter(|(label, _)| !plan.network().output.contains(label));
            let beta = if summed.into_iter().all(|(_, &value)| value == 0) { beta } else { T::ONE };
            // SAFETY: the caller's promise.
            unsafe { self.run_slice(plan, alpha, beta, threads) }?;
            if !advance(&mut self.slice, plan.slice_extents()) {
                return Ok(());
            }
        }
    }

    /// # Safety
    /// As [`Workspace::run`].
    unsafe fn run_slice(&mut self, plan: &Plan, alpha: T, beta: T, threads: Threads) -> Result<(), Error> {
        let Workspace { program, tensors, memory, slice } = self;
        // The arena's part of the memory is reached by pointers, one tensor at a time.
        let (arena, scratch) = memory.split_at_mut(plan.arena);
        let arena = arena.as_mut_ptr();
        let read = |source: Source| match source {
            Source::Operand(i) => (tensors[i].start.cast_const(), tensors[i].conj),
            // The layouts of intermediates are dense: nothing lies before their first element.
            Source::Intermediate(i) => (arena.wrapping_add(plan.intermediates[i].start).cast_const(), false),
        };
        for (step, kernel) in plan.steps.iter().zip(&program.kernels) {
            // Only the last step meets the caller's α, β and output.
            let (alpha, beta, out) = match step.output {
                None => (alpha, beta, tensors[tensors.len() - 1].start),
                Some(i) => (T::ONE, T::ZERO, arena.wrapping_add(plan.intermediates[i].start)),
            };
            // SAFETY: for the caller's tensors, the caller's promise. Intermediates lie in the arena, which `memory` is long
            // enough for, and those that are in use at once share no element (see `plan::arena`). The program was made
            // for the layouts of all of them, its scratch lies behind the arena.
            unsafe {
                match (kernel, step.inputs) {
                    (Kernel::Pair(pair), Inputs::Pair(a, b)) => {
                        let ((a, conj_a), (b, conj_b)) = (read(a), read(b));
                        pair.run_unchecked(alpha, a, conj_a, b, conj_b, beta, out, slice, scratch, threads)?;
                    }
                    (Kernel::Single(single), Inputs::Single(a)) => {
                        let (a, conj_a) = read(a);
                        single.run_unchecked(alpha, a, conj_a, beta, out, slice, threads)?;
                    }
                    _ => return Err(tensoroxide_contract::Error::Layout.into()),
                }
            }
        }
        Ok(())
    }
}

/// Counts the values of the sliced labels up by one, the first fastest; `false` after the last.
pub(crate) fn advance(values: &mut [usize], extents: impl Iterator<Item = usize>) -> bool {
    for (value, extent) in values.iter_mut().zip(extents) {
        *value += 1;
        if *value < extent {
            return true;
        }
        *value = 0;
    }
    false
}
