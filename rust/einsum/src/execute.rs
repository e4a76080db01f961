//! Running a plan, as often as one likes.

use std::sync::{Mutex, PoisonError};

use tensoroxide_dense::Element;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{overlap, Buffer, Scalar, Threads, View, ViewMut};

use crate::plan::{Inputs, Intermediate, Plan, Source};
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
    /// Boxed, since they are taken out and put back at every run.
    #[allow(clippy::vec_box)]
    idle: Mutex<Vec<Box<Workspace<T>>>>,
}

/// The arguments of a run but for its output.
struct Call<'a, T: Scalar> {
    alpha: T,
    operands: &'a [View<'a, T>],
    conj: &'a [bool],
    beta: T,
    threads: Threads,
}

/// What one run at a time uses.
#[derive(Debug)]
struct Workspace<T: Scalar> {
    program: Program,
    /// The strides that the program is for: of all operands, then of the output.
    strides: Vec<isize>,
    memory: Buffer<T>,
    /// The values of the sliced labels.
    slice: Vec<usize>,
}

impl<T: Element> Einsum<T> {
    /// Makes a plan runnable. The workspace is taken at the first run.
    pub fn new(plan: Plan) -> Einsum<T> {
        Einsum { plan, idle: Mutex::new(Vec::new()) }
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
        self.check(operands, conj, &output)?;
        // Only pushes and pops happen under the lock, so nothing of it is ever left half done.
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = match idle {
            Some(workspace) => workspace,
            None => Box::new(self.workspace()?),
        };
        workspace.fit(&self.plan, operands, &output)?;
        let done = workspace.run(&self.plan, &Call { alpha, operands, conj, beta, threads }, output);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        done
    }

    fn check(&self, operands: &[View<'_, T>], conj: &[bool], output: &ViewMut<'_, T>) -> Result<(), Error> {
        let network = self.plan.network();
        let expected = network.shapes.len();
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(Error::OperandCount { expected, found });
            }
        }
        let shape = |operand, found: &[usize], expected: &[usize]| {
            Err(Error::Shape { operand, found: found.to_vec(), expected: expected.to_vec() })
        };
        for (i, (operand, expected)) in operands.iter().zip(&network.shapes).enumerate() {
            if operand.shape() != expected {
                return shape(Some(i), operand.shape(), expected);
            }
        }
        let expected = network.output.iter().map(|&label| network.extents[label as usize]);
        if !output.shape().iter().copied().eq(expected) {
            return shape(None, output.shape(), &self.plan.output_shape());
        }
        match operands.iter().position(|operand| overlap(operand.region(), output.region())) {
            Some(operand) => Err(Error::Aliasing { operand }),
            None => Ok(()),
        }
    }

    fn workspace(&self) -> Result<Workspace<T>, Error> {
        let network = self.plan.network();
        let dense = network.shapes.iter().map(|shape| column_major_strides(shape));
        let strides = dense.chain([column_major_strides(&self.plan.output_shape())]).flatten().collect();
        let program = self.plan.dense_program().clone();
        let memory = Buffer::zeroed(self.plan.arena + program.scratch())?;
        Ok(Workspace { program, strides, memory, slice: Vec::with_capacity(self.plan.slices.len()) })
    }
}

impl<T: Element> Workspace<T> {
    /// Makes the program one for the strides of these tensors.
    fn fit(&mut self, plan: &Plan, operands: &[View<'_, T>], output: &ViewMut<'_, T>) -> Result<(), Error> {
        let strides = || operands.iter().map(View::strides).chain([output.strides()]).flatten().copied();
        if self.strides.iter().copied().eq(strides()) {
            return Ok(());
        }
        let found = Strides { operands: operands.iter().map(View::strides).collect(), output: output.strides() };
        let program = Program::new(plan, &found)?;
        let needed = plan.arena + program.scratch();
        if self.memory.len() < needed {
            self.memory = Buffer::zeroed(needed)?;
        }
        self.program = program;
        self.strides.clear();
        self.strides.extend(strides());
        Ok(())
    }

    fn run(&mut self, plan: &Plan, call: &Call<'_, T>, mut output: ViewMut<'_, T>) -> Result<(), Error> {
        self.slice.clear();
        self.slice.resize(plan.slices.len(), 0);
        // Without a value of some sliced label nothing would run; the output is then what an empty sum makes of it.
        if plan.slice_extents().any(|extent| extent == 0) {
            tensoroxide_tensor::kernels::scale(call.beta, output, call.threads);
            return Ok(());
        }
        loop {
            // Slices of summed labels add up: the first of them brings β.
            let summed =
                plan.slices.iter().zip(&self.slice).filter(|(label, _)| !plan.network().output.contains(label));
            let beta = if summed.into_iter().all(|(_, &value)| value == 0) { call.beta } else { T::ONE };
            self.run_slice(plan, &Call { beta, ..*call }, output.reborrow())?;
            if !advance(&mut self.slice, plan.slice_extents()) {
                return Ok(());
            }
        }
    }

    fn run_slice(&mut self, plan: &Plan, call: &Call<'_, T>, mut output: ViewMut<'_, T>) -> Result<(), Error> {
        let Workspace { program, memory, slice, .. } = self;
        let range = |source: Option<usize>| match source.map(|i| &plan.intermediates[i]) {
            Some(Intermediate { start, layout, .. }) => *start..*start + layout.len(),
            None => 0..0,
        };
        let intermediate = |source: Source| match source {
            Source::Operand(_) => None,
            Source::Intermediate(i) => Some(i),
        };
        let scratch = plan.arena..plan.arena + program.scratch();
        for (step, kernel) in plan.steps.iter().zip(&program.kernels) {
            let (a, b) = match step.inputs {
                Inputs::Single(a) => (a, None),
                Inputs::Pair(a, b) => (a, Some(b)),
            };
            let ranges = [range(intermediate(a)), range(b.and_then(intermediate)), range(step.output), scratch.clone()];
            let Some([of_a, of_b, made, scratch]) = memory.disjoint_mut(ranges) else {
                return Err(tensoroxide_tensor::Error::OutOfBounds { reach: (0, 0), len: memory.len() }.into());
            };
            let (a, conj_a) = read(plan, a, call, of_a)?;
            // Only the last step meets the caller's α, β and output.
            let (alpha, beta, out) = match step.output {
                None => (call.alpha, call.beta, output.reborrow()),
                Some(i) => (T::ONE, T::ZERO, ViewMut::of(made, &plan.intermediates[i].layout)?),
            };
            match (kernel, b) {
                (Kernel::Pair(pair), Some(b)) => {
                    let (b, conj_b) = read(plan, b, call, of_b)?;
                    pair.run(alpha, a, conj_a, b, conj_b, beta, out, slice, scratch, call.threads)?;
                }
                (Kernel::Single(single), _) => single.run(alpha, a, conj_a, beta, out, slice, call.threads)?,
                (Kernel::Pair(_), None) => return Err(tensoroxide_contract::Error::Layout.into()),
            }
        }
        Ok(())
    }
}

/// A step's tensor and whether to conjugate it.
fn read<'a, T: Scalar>(
    plan: &'a Plan,
    source: Source,
    call: &Call<'a, T>,
    memory: &'a [T],
) -> Result<(View<'a, T>, bool), Error> {
    match source {
        Source::Operand(i) => Ok((call.operands[i], call.conj[i])),
        Source::Intermediate(i) => Ok((View::of(memory, &plan.intermediates[i].layout)?, false)),
    }
}

/// Counts the values of the sliced labels up by one, the first fastest; `false` after the last.
fn advance(values: &mut [usize], extents: impl Iterator<Item = usize>) -> bool {
    for (value, extent) in values.iter_mut().zip(extents) {
        *value += 1;
        if *value < extent {
            return true;
        }
        *value = 0;
    }
    false
}
