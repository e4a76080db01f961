//! A tape: what is computed is recorded, and then differentiated.
//!
//! A [`Tape`] computes every step at once and remembers it. Derivatives go over the record with the rules of this
//! crate: backwards for a gradient, forwards for a derivative along a direction, and both for a product with a Hessian.
//!
//! | module | is |
//! |---|---|
//! | `step` | the kinds of steps: each is evaluated, and differentiated in both directions |
//! | `elementwise` | functions of single elements, with two derivatives |
//! | `border` | real, complex and index tensors of linear algebra, which a tape keeps as its own elements |
//! | `sweep` | gradient, tangent and Hessian-vector product over all steps |
//!
//! The tape keeps all intermediate values, unless [`Tape::checkpoint`] says which ones are enough to compute the others
//! again: a chain of n steps then needs memory for O(√n) of them ([`Tape::chain`]).

mod border;
mod elementwise;
mod step;
mod sweep;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use tensoroxide_dense::Element;
use tensoroxide_einsum::{Options as Planning, Plan};
use tensoroxide_linalg::{Run, Workspaces};
use tensoroxide_tensor::{Tensor, Threads, View};

use crate::einsum::{EinsumRule, Record};
use crate::{Class, Error, Operation, Options, Report, Settings};
pub use elementwise::Elementwise;
use step::Step;

/// A tensor on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    node: usize,
    /// Which result of the step it is.
    output: usize,
}

impl Value {
    /// The value as a number, for those who cannot keep it otherwise.
    pub fn to_bits(self) -> u64 {
        (self.node as u64) << 8 | self.output as u64
    }

    /// The value of a number; one that [`Value::to_bits`] has not given is on no tape, or another value.
    pub fn from_bits(bits: u64) -> Value {
        Value { node: usize::try_from(bits >> 8).unwrap_or(usize::MAX), output: (bits & 0xff) as usize }
    }
}

/// What is computed, in order. All tensors of a tape have elements of one type; real results of complex steps (singular
/// values, say) are kept as numbers without imaginary part, and have real derivatives.
///
/// A loss is a tensor of one element, of which the real part counts.
///
/// ```
/// use tensoroxide_autodiff::tape::Tape;
/// use tensoroxide_tensor::Tensor;
/// let (mut tape, ones) = (Tape::<f64>::new(), Tensor::from_fn(&[2, 2], |_| 1.0)?);
/// let a = tape.variable(ones.view())?;
/// let cube = tape.einsum("ij,jk,kl->il", &[a, a, a])?;
/// let loss = tape.norm_squared(cube)?;
/// assert_eq!(tape.value(loss)?.data(), [64.0]);
/// assert_eq!(tape.gradient(loss, &[a])?[0].data(), [96.0; 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Tape<T: Element> {
    nodes: Vec<Node<T>>,
    /// Where the segments that have ended do so: what they made is there only as far as it was kept.
    ends: Vec<usize>,
    /// Of all Einstein sums that were met.
    rules: HashMap<Sum, Arc<EinsumRule<T>>>,
    context: Context,
}

/// Expression and shapes of an Einstein sum, and which operands are conjugated.
type Sum = (String, Vec<Vec<usize>>, Vec<bool>);

/// How steps run.
#[derive(Debug, Default)]
struct Context {
    workspaces: Workspaces,
    threads: Threads,
    options: Options,
    /// The largest part of a cotangent that was left out so far.
    gauge: Cell<f64>,
}

impl Context {
    fn note(&self, report: Report) {
        self.gauge.set(self.gauge.get().max(report.gauge));
    }

    fn run(&self) -> Run<'_> {
        Run { threads: self.threads, ..Run::on(&self.workspaces) }
    }
}

/// A step that was recorded.
#[derive(Debug)]
struct Node<T: Element> {
    step: Step<T>,
    inputs: Vec<Value>,
    results: Vec<Slot<T>>,
    /// What an Einstein sum of more than two tensors has left for its cotangents.
    record: Option<Record<T>>,
}

/// A result of a step.
#[derive(Debug)]
struct Slot<T: Element> {
    shape: Vec<usize>,
    value: Option<Tensor<T>>,
    /// Whether it stays when its segment has ended.
    kept: bool,
}

impl<T: Element> Tape<T> {
    /// An empty tape, which computes on the calling thread.
    pub fn new() -> Tape<T> {
        Tape { nodes: Vec::new(), ends: Vec::new(), rules: HashMap::new(), context: Context::default() }
    }

    /// The most threads that a step uses.
    pub fn set_threads(&mut self, threads: Threads) {
        self.context.threads = threads;
        self.rules.clear();
    }

    /// What derivatives of decompositions make of a gauge.
    pub fn set_options(&mut self, options: Options) {
        self.context.options = options;
    }

    /// The largest part of a cotangent, relative to the whole, that depended on the gauge of equal values and was left
    /// out by the derivatives so far, under [`OnGauge::Report`](crate::OnGauge::Report).
    pub fn gauge(&self) -> f64 {
        self.context.gauge.get()
    }

    /// A tensor that derivatives are taken with respect to; copied.
    ///
    /// # Errors
    /// [`Error::Tensor`]: no memory.
    pub fn variable(&mut self, tensor: View<'_, T>) -> Result<Value, Error> {
        let copy = step::copy(T::ONE, tensor, false)?;
        self.push(Step::Given, &[], vec![copy], None)
    }

    /// A tensor that does not change. It is the same as a variable, for which no derivative is asked.
    ///
    /// # Errors
    /// As [`Tape::variable`].
    pub fn constant(&mut self, tensor: View<'_, T>) -> Result<Value, Error> {
        self.variable(tensor)
    }

    /// An Einstein summation.
    ///
    /// # Errors
    /// [`Error::Einsum`]; [`Error::Value`] for one that is not on the tape, or no longer ([`Tape::checkpoint`]).
    pub fn einsum(&mut self, expression: &str, operands: &[Value]) -> Result<Value, Error> {
        self.einsum_conj(expression, operands, &vec![false; operands.len()])
    }

    /// An Einstein summation in which operand `i` is conjugated if `conj[i]`.
    ///
    /// # Errors
    /// As [`Tape::einsum`].
    pub fn einsum_conj(&mut self, expression: &str, operands: &[Value], conj: &[bool]) -> Result<Value, Error> {
        let shapes = operands.iter().map(|&value| Ok(self.shape(value)?.to_vec())).collect::<Result<_, Error>>()?;
        let key = (expression.to_owned(), shapes, conj.to_vec());
        let rule = match self.rules.get(&key) {
            Some(rule) => rule.clone(),
            None => {
                let shapes: Vec<&[usize]> = key.1.iter().map(Vec::as_slice).collect();
                let options = Planning { threads: self.context.threads, ..Planning::default() };
                let plan = Plan::new(expression, &shapes, T::DTYPE, options)?;
                let rule = Arc::new(EinsumRule::new(&plan, conj)?);
                self.rules.insert(key, rule.clone());
                rule
            }
        };
        self.record(Step::Einsum(rule), operands)
    }

    /// An operation of linear algebra; its results in the order of [`Operation::outputs`]. Positions come as numbers
    /// without a derivative.
    ///
    /// # Errors
    /// [`Error::Operand`], [`Error::Linalg`]; [`Error::Undefined`] where results are complex and the tape is real.
    pub fn linalg(
        &mut self,
        operation: Operation,
        operands: &[Value],
        settings: Settings,
    ) -> Result<Vec<Value>, Error> {
        if !T::DTYPE.is_complex() && operation.outputs().iter().any(|slot| slot.class == Class::Complex) {
            return Err(Error::Undefined("its results are complex, and this tape is real"));
        }
        let first = self.record(Step::Linalg(operation, settings), operands)?;
        Ok((0..operation.outputs().len()).map(|output| Value { output, ..first }).collect())
    }

    /// The sum of tensors of one shape, each times a number; there is at least one.
    ///
    /// # Errors
    /// [`Error::Operand`], [`Error::Tensor`], [`Error::Value`].
    pub fn combine(&mut self, terms: &[(T, Value)]) -> Result<Value, Error> {
        let (factors, values): (Vec<T>, Vec<Value>) = terms.iter().copied().unzip();
        self.record(Step::Combine(factors), &values)
    }

    /// x + y.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn add(&mut self, x: Value, y: Value) -> Result<Value, Error> {
        self.combine(&[(T::ONE, x), (T::ONE, y)])
    }

    /// factor · x.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn scale(&mut self, factor: T, x: Value) -> Result<Value, Error> {
        self.combine(&[(factor, x)])
    }

    /// The complex conjugate.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn conj(&mut self, x: Value) -> Result<Value, Error> {
        self.record(Step::Conj, &[x])
    }

    /// The real part, as numbers without imaginary part.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn real(&mut self, x: Value) -> Result<Value, Error> {
        self.record(Step::Real, &[x])
    }

    /// A function of each element.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn map(&mut self, function: Elementwise, x: Value) -> Result<Value, Error> {
        self.record(Step::Map(function), &[x])
    }

    /// The same elements, the first axis fastest, in another shape.
    ///
    /// # Errors
    /// As [`Tape::combine`].
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value, Error> {
        self.record(Step::Reshape(shape.to_vec()), &[x])
    }

    /// Axis `d` of the result is axis `axes[d]` of x.
    ///
    /// # Errors
    /// [`Error::Operand`] unless `axes` names every axis once.
    pub fn permute(&mut self, x: Value, axes: &[usize]) -> Result<Value, Error> {
        let rank = self.shape(x)?.len();
        if axes.len() != rank || (0..rank).any(|axis| !axes.contains(&axis)) {
            return Err(misfit("the axes", format!("each of {rank} once, not {axes:?}")));
        }
        let labels = |axes: &mut dyn Iterator<Item = usize>| axes.map(|axis| format!("{{{axis}}}")).collect::<String>();
        let expression = format!("{}->{}", labels(&mut (0..rank)), labels(&mut axes.iter().copied()));
        self.einsum(&expression, &[x])
    }

    /// ⟨x, y⟩ = Σ x*·y.
    ///
    /// # Errors
    /// As [`Tape::einsum`].
    pub fn inner(&mut self, x: Value, y: Value) -> Result<Value, Error> {
        let rank = self.shape(x)?.len();
        let labels: String = (0..rank).map(|axis| format!("{{{axis}}}")).collect();
        self.einsum_conj(&format!("{labels},{labels}->"), &[x, y], &[true, false])
    }

    /// Σ |x|².
    ///
    /// # Errors
    /// As [`Tape::einsum`].
    pub fn norm_squared(&mut self, x: Value) -> Result<Value, Error> {
        self.inner(x, x)
    }

    /// The tensor itself.
    ///
    /// # Errors
    /// [`Error::Value`] for one that is not on the tape, or no longer ([`Tape::checkpoint`]).
    pub fn value(&self, value: Value) -> Result<&Tensor<T>, Error> {
        let slot = self.slot(value)?;
        slot.value.as_ref().ok_or(Error::Value("was not kept by a checkpoint"))
    }

    /// The shape of a value, also of one that did not stay.
    ///
    /// # Errors
    /// [`Error::Value`] for one that is not on the tape.
    pub fn shape(&self, value: Value) -> Result<&[usize], Error> {
        Ok(&self.slot(value)?.shape)
    }

    /// Ends a segment: of all that was computed since the last checkpoint, only what is named here stays, and what was
    /// given to the tape. Derivatives compute the rest again when they need it, one segment at a time. What did not
    /// stay cannot be used in further steps.
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn checkpoint(&mut self, keep: &[Value]) -> Result<(), Error> {
        for &value in keep {
            self.value(value)?;
        }
        for value in keep {
            self.nodes[value.node].results[value.output].kept = true;
        }
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.nodes.len());
        self.forget(start..self.nodes.len());
        Ok(())
    }

    /// Makes n steps, each from the states that the one before has made, with a checkpoint after every ⌈√n⌉: there are
    /// never more than O(√n) states and values of steps at once, now and in derivatives.
    ///
    /// # Errors
    /// Those of the steps.
    ///
    /// ```
    /// use tensoroxide_autodiff::tape::Tape;
    /// use tensoroxide_tensor::Tensor;
    /// let (mut tape, half) = (Tape::<f64>::new(), Tensor::from_fn(&[], |_| 0.5)?);
    /// let x = tape.variable(half.view())?;
    /// let [power] = tape.chain(9, [x], |tape, _, [state]| Ok([tape.einsum(",->", &[x, state])?]))?;
    /// assert_eq!(tape.gradient(power, &[x])?[0].data(), [10.0 * 0.5f64.powi(9)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chain<const N: usize>(
        &mut self,
        n: usize,
        start: [Value; N],
        mut step: impl FnMut(&mut Tape<T>, usize, [Value; N]) -> Result<[Value; N], Error>,
    ) -> Result<[Value; N], Error> {
        let length = n.isqrt().max(1);
        let mut state = start;
        self.checkpoint(&state)?;
        for k in 0..n {
            state = step(self, k, state)?;
            if (k + 1) % length == 0 {
                self.checkpoint(&state)?;
            }
        }
        Ok(state)
    }

    fn slot(&self, value: Value) -> Result<&Slot<T>, Error> {
        let slot = self.nodes.get(value.node).and_then(|node| node.results.get(value.output));
        slot.ok_or(Error::Value("is not on this tape"))
    }

    fn push(
        &mut self,
        step: Step<T>,
        inputs: &[Value],
        results: Vec<Tensor<T>>,
        record: Option<Record<T>>,
    ) -> Result<Value, Error> {
        let kept = matches!(step, Step::Given);
        let slot = |tensor: Tensor<T>| Slot { shape: tensor.layout().shape().to_vec(), value: Some(tensor), kept };
        let results = results.into_iter().map(slot).collect();
        self.nodes.push(Node { step, inputs: inputs.to_vec(), results, record });
        Ok(Value { node: self.nodes.len() - 1, output: 0 })
    }

    /// Computes a step and writes it down.
    fn record(&mut self, step: Step<T>, inputs: &[Value]) -> Result<Value, Error> {
        let x = inputs.iter().map(|&value| self.value(value)).collect::<Result<Vec<_>, Error>>()?;
        let (results, record) = step.evaluate(&x, &self.context)?;
        self.push(step, inputs, results, record)
    }
}

fn misfit(name: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::Operand { name: name.into(), expected: expected.into() }
}
