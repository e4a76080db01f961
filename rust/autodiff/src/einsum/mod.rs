//! Derivatives of Einstein sums, planned for all operands together.
//!
//! The contraction C = α·Σ A₁⋯Aₙ is a tree of pairs. Backwards, the cotangents of the two tensors of a pair are one
//! pair each: that of the result with the other tensor, so that value and all cotangents take about three times the
//! arithmetic of the value, however many operands there are. What the value leaves on its way is kept for that in a
//! [`Record`].
//!
//! | module | is |
//! |---|---|
//! | `listing` | the steps as instructions, and the derivatives of a list of instructions |
//! | `arena` | layout and place of what they make |
//! | `program` | the instructions that a run needs, ready for the layouts of its tensors |
//! | `execute` | the run |

mod arena;
mod execute;
mod listing;
mod program;

use std::sync::{Arc, OnceLock};

use tensoroxide_contract::Settings;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Options, Plan};
use tensoroxide_tensor::{Scalar, Threads, View, ViewMut};

use crate::Error;
use execute::{Factors, Given, Machine, Part, Workspace};
use listing::{Family, Listing};

/// The derivatives of C = α·Σ op(A₁)⋯op(Aₙ) + β·C₀ with respect to the operands, for a planned Einstein summation.
///
/// Cotangents belong to δL = Re⟨x̄, δx⟩, ⟨·,·⟩ conjugating its first argument, L real. The summation is linear in what
/// is not among the operands, too: the cotangent of C₀ is β*·C̄, that of β is ⟨C₀, C̄⟩, and that of α is ⟨Σ, C̄⟩, Σ
/// being the sum itself. An operand that stands in the expression several times has as many cotangents, whose sum is
/// its own.
///
/// After the first run with tensors of the same strides, a run allocates nothing. Several threads may use one rule at
/// once. Nothing is sliced: a plan's memory limit holds for what is kept and for scratch together, and a run that needs
/// more is refused.
///
/// ```
/// use tensoroxide_autodiff::einsum::EinsumRule;
/// use tensoroxide_einsum::{Options, Plan};
/// use tensoroxide_tensor::{DType, Tensor, Threads};
/// // L = x·A·x
/// let plan = Plan::new("i,ij,j->", &[&[2], &[2, 2], &[2]], DType::F64, Options::default())?;
/// let rule = EinsumRule::new(&plan, &[false; 3])?;
/// let x = Tensor::from_fn(&[2], |i| [1.0, 2.0][i[0]])?;
/// let a = Tensor::from_fn(&[2, 2], |i| [[1.0, 3.0], [5.0, 7.0]][i[0]][i[1]])?;
/// let (operands, one) = ([x.view(), a.view(), x.view()], Tensor::from_fn(&[], |_| 1.0)?);
/// let mut value = Tensor::from_fn(&[], |_| f64::NAN)?;
/// let mut cotangent = Tensor::from_fn(&[2, 2], |_| f64::NAN)?;
/// let mut record = rule.forward(1.0, &operands, 0.0, Some(value.view_mut()?), Threads::ONE)?;
/// record.pullback(&operands, one.view(), &mut [None, Some(cotangent.view_mut()?), None], Threads::ONE)?;
/// assert_eq!(value.data(), [45.0]);
/// assert_eq!(cotangent.data(), [1.0, 2.0, 2.0, 4.0]); // x·xᵀ
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EinsumRule<T: Scalar> {
    plan: Plan,
    conj: Vec<bool>,
    limit: Option<usize>,
    reverse: OnceLock<Arc<Machine<T>>>,
    tangents: OnceLock<Arc<Machine<T>>>,
    second: OnceLock<Arc<Machine<T>>>,
}

impl<T: Element> EinsumRule<T> {
    /// For the expression, the path and the memory limit of a plan; operand `i` is conjugated if `conj[i]`.
    ///
    /// # Errors
    /// [`Error::Einsum`]: another number of operands or another element type than the plan has.
    pub fn new(plan: &Plan, conj: &[bool]) -> Result<EinsumRule<T>, Error> {
        let (expected, found) = (plan.network().operands.len(), conj.len());
        if found != expected {
            return Err(tensoroxide_einsum::Error::OperandCount { expected, found }.into());
        }
        if plan.dtype() != T::DTYPE {
            return Err(tensoroxide_contract::Error::ElementType { expected: plan.dtype(), found: T::DTYPE }.into());
        }
        let limit = plan.memory_limit();
        let plan = match plan.slices() {
            1 => plan.clone(),
            _ => {
                let shapes: Vec<&[usize]> = plan.network().shapes.iter().map(Vec::as_slice).collect();
                let (threads, path) = (Threads::new(plan.threads()), Some(plan.path().clone()));
                let options = Options { threads, path, ..Options::default() };
                Plan::new(plan.expression(), &shapes, plan.dtype(), options)?
            }
        };
        let (reverse, tangents, second) = Default::default();
        Ok(EinsumRule { plan, conj: conj.to_vec(), limit, reverse, tangents, second })
    }

    /// The expression, its shapes and its path; without slices.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether each operand is conjugated.
    pub fn conj(&self) -> &[bool] {
        &self.conj
    }

    /// output ← α·Σ + β·output, as [`Einsum::run`](tensoroxide_einsum::Einsum::run), keeping what [`Record::pullback`]
    /// needs. Without an output, only that is computed.
    ///
    /// # Errors
    /// [`Error::Operand`], [`Error::Aliasing`], [`Error::Einsum`] (number of operands, memory limit, no memory).
    pub fn forward(
        &self,
        alpha: T,
        operands: &[View<'_, T>],
        beta: T,
        output: Option<ViewMut<'_, T>>,
        threads: Threads,
    ) -> Result<Record<T>, Error> {
        let machine = self.machine(&self.reverse, |rule| {
            let mut listing = Listing::forward(&rule.plan, &rule.conj);
            let split = listing.instructions.len();
            rule.append_cotangents(&mut listing)?;
            Ok((listing, split))
        })?;
        self.count(operands.len())?;
        let mut record = Record::new(machine, alpha)?;
        let n = operands.len();
        let output = output.into_iter().map(|output| Given::write(n, output));
        record.run(Part::First, values(operands).chain(output), beta, threads)?;
        Ok(record)
    }

    /// The derivative along a direction: output ← β·output + α·Σ as [`EinsumRule::forward`], and
    /// tangent ← β·tangent + α·δΣ, where the operands change by their tangents; one that is not given is constant.
    /// Either result may be left out.
    ///
    /// # Errors
    /// As [`EinsumRule::forward`].
    #[allow(clippy::too_many_arguments)] // as for a contraction, and as many again
    pub fn jvp(
        &self,
        alpha: T,
        operands: &[View<'_, T>],
        tangents: &[Option<View<'_, T>>],
        beta: T,
        output: Option<ViewMut<'_, T>>,
        tangent: Option<ViewMut<'_, T>>,
        threads: Threads,
    ) -> Result<(), Error> {
        let machine =
            self.machine(&self.tangents, |rule| Ok((Listing::forward(&rule.plan, &rule.conj).with_tangents(), 0)))?;
        self.count(operands.len())?;
        self.count(tangents.len())?;
        let mut record = Record::new(machine, alpha)?;
        let results = [(Family::Value, output), (Family::Tangent, tangent)];
        let results = results.into_iter().filter_map(|(family, view)| {
            view.map(|view| Given::write(machine.listing.given(family, operands.len()), view))
        });
        let tensors = values(operands).chain(some(&machine.listing, Family::Tangent, tangents)).chain(results);
        record.run(Part::Second, tensors, beta, threads)
    }

    /// The derivative of the cotangents along a direction: where the operands change by their tangents and C̄ by its
    /// own, those of the operands change by the tangents that are written. A tangent that is not given is 0; a result
    /// may be left out.
    ///
    /// # Errors
    /// As [`EinsumRule::forward`].
    #[allow(clippy::too_many_arguments)] // the arguments of both derivatives
    pub fn pullback_jvp(
        &self,
        alpha: T,
        operands: &[View<'_, T>],
        tangents: &[Option<View<'_, T>>],
        cotangent: View<'_, T>,
        cotangent_tangent: Option<View<'_, T>>,
        cotangents: &mut [Option<ViewMut<'_, T>>],
        cotangent_tangents: &mut [Option<ViewMut<'_, T>>],
        threads: Threads,
    ) -> Result<(), Error> {
        let machine = self.machine(&self.second, |rule| {
            let mut listing = Listing::forward(&rule.plan, &rule.conj);
            rule.append_cotangents(&mut listing)?;
            Ok((listing.with_tangents(), 0))
        })?;
        for count in [operands.len(), tangents.len(), cotangents.len(), cotangent_tangents.len()] {
            self.count(count)?;
        }
        let (listing, n) = (&machine.listing, operands.len());
        let mut record = Record::new(machine, alpha)?;
        let cotangent = [(Family::Cotangent, Some(cotangent)), (Family::CotangentTangent, cotangent_tangent)];
        let cotangent = cotangent
            .iter()
            .filter_map(|(family, view)| view.as_ref().map(|view| Given::read(listing.given(*family, n), view)));
        let tensors = values(operands).chain(some(listing, Family::Tangent, tangents)).chain(cotangent);
        let tensors = tensors.chain(some_mut(listing, Family::Cotangent, cotangents));
        let tensors = tensors.chain(some_mut(listing, Family::CotangentTangent, cotangent_tangents));
        record.run(Part::Second, tensors, T::ZERO, threads)
    }

    fn count(&self, found: usize) -> Result<(), Error> {
        match self.conj.len() {
            expected if expected == found => Ok(()),
            expected => Err(tensoroxide_einsum::Error::OperandCount { expected, found }.into()),
        }
    }

    fn settings(&self) -> Settings {
        Settings { dtype: T::DTYPE, threads: Threads::new(self.plan.threads()), least_scratch: false }
    }

    fn append_cotangents(&self, listing: &mut Listing) -> Result<(), Error> {
        let first = listing.labels.len();
        listing.append_cotangents();
        arena::order_axes(listing, first, &self.plan.network().extents, self.settings())
    }

    /// The machine in `place`, made at the first use.
    fn machine<'a>(
        &'a self,
        place: &'a OnceLock<Arc<Machine<T>>>,
        list: impl FnOnce(&EinsumRule<T>) -> Result<(Listing, usize), Error>,
    ) -> Result<&'a Arc<Machine<T>>, Error> {
        if let Some(machine) = place.get() {
            return Ok(machine);
        }
        let (listing, split) = list(self)?;
        let machine = Machine::new(listing, split, &self.plan.network().extents, self.settings(), self.limit)?;
        Ok(place.get_or_init(|| Arc::new(machine)))
    }
}

/// The operands.
fn values<'a, T: Element>(operands: &'a [View<'a, T>]) -> impl Iterator<Item = Given<'a, T>> {
    operands.iter().enumerate().map(|(k, view)| Given::read(k, view))
}

/// Those of a family's tensors that are given, to be read.
fn some<'a, T: Element>(
    listing: &'a Listing,
    family: Family,
    views: &'a [Option<View<'a, T>>],
) -> impl Iterator<Item = Given<'a, T>> {
    let given = move |(k, view): (usize, &'a Option<View<'a, T>>)| {
        view.as_ref().map(|view| Given::read(listing.given(family, k), view))
    };
    views.iter().enumerate().filter_map(given)
}

/// Those of a family's tensors that are given, to be written.
fn some_mut<'a, 'b, T: Element>(
    listing: &'a Listing,
    family: Family,
    views: &'a mut [Option<ViewMut<'b, T>>],
) -> impl Iterator<Item = Given<'a, T>> + use<'a, 'b, T> {
    let given = move |(k, view): (usize, &'a mut Option<ViewMut<'b, T>>)| {
        view.as_mut().map(|view| Given::write(listing.given(family, k), view.reborrow()))
    };
    views.iter_mut().enumerate().filter_map(given)
}

/// What a contraction leaves behind for its cotangents: the intermediates. Dropped, its memory serves the next run of
/// the rule.
#[derive(Debug)]
pub struct Record<T: Element> {
    machine: Arc<Machine<T>>,
    /// There until the drop.
    workspace: Option<Box<Workspace<T>>>,
    alpha: T,
}

impl<T: Element> Drop for Record<T> {
    fn drop(&mut self) {
        if let Some(workspace) = self.workspace.take() {
            self.machine.give(workspace);
        }
    }
}

impl<T: Element> Record<T> {
    fn new(machine: &Arc<Machine<T>>, alpha: T) -> Result<Record<T>, Error> {
        Ok(Record { machine: machine.clone(), workspace: Some(machine.workspace()?), alpha })
    }

    fn run<'a>(
        &mut self,
        part: Part,
        tensors: impl Iterator<Item = Given<'a, T>>,
        beta: T,
        threads: Threads,
    ) -> Result<(), Error> {
        let workspace = self.workspace.as_mut().expect("taken only when dropped");
        self.machine.run(workspace, part, tensors, Factors { alpha: self.alpha, beta }, threads)
    }

    /// Writes the cotangents of the operands that are wanted, by that of the output; as often as one likes, with the
    /// operands as they were.
    ///
    /// # Errors
    /// As [`EinsumRule::forward`].
    pub fn pullback(
        &mut self,
        operands: &[View<'_, T>],
        cotangent: View<'_, T>,
        cotangents: &mut [Option<ViewMut<'_, T>>],
        threads: Threads,
    ) -> Result<(), Error> {
        let machine = self.machine.clone();
        let (listing, expected) = (&machine.listing, machine.listing.operands);
        for found in [operands.len(), cotangents.len()] {
            if found != expected {
                return Err(tensoroxide_einsum::Error::OperandCount { expected, found }.into());
            }
        }
        let cotangent = std::iter::once(Given::read(listing.given(Family::Cotangent, expected), &cotangent));
        let tensors = values(operands).chain(cotangent).chain(some_mut(listing, Family::Cotangent, cotangents));
        self.run(Part::Second, tensors, T::ZERO, threads)
    }

    /// Bytes of the intermediates, and of what the cotangents need beside them.
    pub fn bytes(&self) -> usize {
        self.machine.bytes()
    }
}
