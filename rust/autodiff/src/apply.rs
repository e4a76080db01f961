//! The rules of linear algebra, applied to stacks: every problem of a batch by itself, on as many threads as are worth
//! it.
//!
//! Rules compute in one element type. Here real vectors become columns of that type and come back as real parts, and
//! what has complex results for real input is computed with complex numbers.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use tensoroxide_dense::{Element, MatRef, Matrix, Plain, Resources};
use tensoroxide_linalg::stack::{each, matrix_of, AnyMatMut, AnyStackMut, StackMut};
use tensoroxide_linalg::Run;
use tensoroxide_tensor::{Scalar, Threads, View, ViewMut};

use crate::dual::{Dual, Scope};
use crate::rules::Slopes;
use crate::{rules, Class, Error, Extent, Operation, Options, Slot};

/// A tensor that a rule reads: the axes of one problem first, the batch behind them. Which kind it has to be is said by
/// [`Operation::inputs`] and [`Operation::outputs`].
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T: Element> {
    /// Elements of the operation's type; conjugated first, if the flag says so.
    Element(View<'a, T>, bool),
    /// Real elements.
    Real(View<'a, T::Real>),
    /// Complex elements; conjugated first, if the flag says so.
    Complex(View<'a, T::Complex>, bool),
    /// Positions, counted from 0.
    Index(View<'a, i64>),
}

/// A tensor that is written, by a rule or by [`crate::evaluate`].
#[derive(Debug)]
pub enum OperandMut<'a, T: Element> {
    /// Elements of the operation's type.
    Element(ViewMut<'a, T>),
    /// Real elements.
    Real(ViewMut<'a, T::Real>),
    /// Complex elements.
    Complex(ViewMut<'a, T::Complex>),
    /// Positions, counted from 0: results of an operation only, since they have no derivative.
    Index(ViewMut<'a, i64>),
}

/// What was noticed on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// The largest part of a cotangent, relative to the whole, that depends on the gauge of equal values and was left
    /// out; 0 if none is larger than the tolerance.
    pub gauge: f64,
}

/// Tangents of the outputs `y` of an operation on `x`, those of the inputs being given: `dx` has one for each input,
/// `None` for zero. `dy` says which ones are asked for, and where to.
///
/// # Errors
/// [`Error::Operand`] if shapes or kinds do not fit; [`Error::Undefined`], [`Error::GaugeDependent`] and
/// [`Error::CutsMultiplet`] where there is no derivative; what the rule's own computations say.
pub fn jvp<T: Element>(
    operation: Operation,
    x: &[Operand<'_, T>],
    y: &[Operand<'_, T>],
    dx: &[Option<Operand<'_, T>>],
    dy: Vec<Option<OperandMut<'_, T>>>,
    options: &Options,
    run: Run<'_>,
) -> Result<Report, Error> {
    let given = Given { x, y, dx, yb: &[], dyb: &[] };
    apply(operation, Order::Forward, &given, dy, options, run)
}

/// Cotangents of the inputs `x` of an operation, those of its outputs `y` being given: `yb` has one for each output,
/// `None` for zero. `xb` says which ones are asked for, and where to.
///
/// # Errors
/// As [`jvp`].
pub fn vjp<T: Element>(
    operation: Operation,
    x: &[Operand<'_, T>],
    y: &[Operand<'_, T>],
    yb: &[Option<Operand<'_, T>>],
    xb: Vec<Option<OperandMut<'_, T>>>,
    options: &Options,
    run: Run<'_>,
) -> Result<Report, Error> {
    let given = Given { x, y, dx: &[], yb, dyb: &[] };
    apply(operation, Order::Reverse, &given, xb, options, run)
}

/// The second order: tangents of what [`vjp`] gives, along `dx` for the inputs and `dyb` for the cotangents of the
/// outputs. For a loss that is a function of the outputs, this is a product with its Hessian.
///
/// # Errors
/// As [`jvp`].
#[allow(clippy::too_many_arguments)] // a rule of the second order has so many
pub fn hvp<T: Element>(
    operation: Operation,
    x: &[Operand<'_, T>],
    y: &[Operand<'_, T>],
    yb: &[Option<Operand<'_, T>>],
    dx: &[Option<Operand<'_, T>>],
    dyb: &[Option<Operand<'_, T>>],
    dxb: Vec<Option<OperandMut<'_, T>>>,
    options: &Options,
    run: Run<'_>,
) -> Result<Report, Error> {
    apply(operation, Order::Second, &Given { x, y, dx, yb, dyb }, dxb, options, run)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Forward,
    Reverse,
    Second,
}

/// All that may be given to a rule. Slices that its order does not ask for are empty.
#[derive(Clone, Copy)]
struct Given<'a, 'v, T: Element> {
    x: &'a [Operand<'v, T>],
    y: &'a [Operand<'v, T>],
    dx: &'a [Option<Operand<'v, T>>],
    yb: &'a [Option<Operand<'v, T>>],
    dyb: &'a [Option<Operand<'v, T>>],
}

impl<T: Element> Operand<'_, T> {
    fn class(&self) -> Class {
        match self {
            Operand::Element(..) => Class::Element,
            Operand::Real(_) => Class::Real,
            Operand::Complex(..) => Class::Complex,
            Operand::Index(_) => Class::Index,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Operand::Element(view, _) => view.shape(),
            Operand::Real(view) => view.shape(),
            Operand::Complex(view, _) => view.shape(),
            Operand::Index(view) => view.shape(),
        }
    }
}

impl<'a, T: Element> OperandMut<'a, T> {
    pub(crate) fn class(&self) -> Class {
        match self {
            OperandMut::Element(_) => Class::Element,
            OperandMut::Real(_) => Class::Real,
            OperandMut::Complex(_) => Class::Complex,
            OperandMut::Index(_) => Class::Index,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            OperandMut::Element(view) => view.shape(),
            OperandMut::Real(view) => view.shape(),
            OperandMut::Complex(view) => view.shape(),
            OperandMut::Index(view) => view.shape(),
        }
    }

    /// `None` for positions.
    fn stack(self, rank: usize) -> Option<AnyStackMut<'a, T>> {
        match self {
            OperandMut::Element(view) => Some(AnyStackMut::Element(StackMut::of(view, rank))),
            OperandMut::Real(view) => Some(AnyStackMut::Real(StackMut::of(view, rank))),
            OperandMut::Complex(view) => Some(AnyStackMut::Complex(StackMut::of(view, rank))),
            OperandMut::Index(_) => None,
        }
    }
}

/// An operation on operands that fit.
struct Problem<'a> {
    operation: Operation,
    batch: &'a [usize],
    /// The axes of one right-hand side.
    columns: usize,
    /// Floating-point operations of one problem, roughly.
    work: f64,
}

impl<'a> Problem<'a> {
    fn new<T: Element>(operation: Operation, x: &'a [Operand<'_, T>], y: &[Operand<'_, T>]) -> Result<Self, Error> {
        let batch = match x.first() {
            Some(a) if a.shape().len() >= 2 => &a.shape()[2..],
            _ => return Err(misfit("A", "a matrix, or a stack of matrices")),
        };
        let columns = x.get(1).map_or(2, |b| b.shape().len().saturating_sub(batch.len()).clamp(1, 2));
        let (m, n) = (x[0].shape()[0], x[0].shape()[1]);
        let work = 20.0 * (m * n * m.min(n)) as f64;
        let problem = Problem { operation, batch, columns, work };
        problem.operands(operation.inputs(), x)?;
        problem.operands(operation.outputs(), y)?;
        let extents = |all: &[Operand<'_, T>], slots: &[Slot]| -> Vec<_> {
            all.iter().zip(slots).map(|(operand, slot)| extents(operand.shape(), problem.rank(slot))).collect()
        };
        match operation.fits(&extents(x, operation.inputs()), &extents(y, operation.outputs())) {
            true => Ok(problem),
            false => Err(misfit("the outputs", "sizes that follow from those of the inputs")),
        }
    }

    /// How many axes of an operand belong to one problem.
    fn rank(&self, slot: &Slot) -> usize {
        match slot.extent {
            Extent::Matrix => 2,
            Extent::Vector => 1,
            Extent::Number => 0,
            Extent::Columns => self.columns,
        }
    }

    fn operands<T: Element>(&self, slots: &[Slot], operands: &[Operand<'_, T>]) -> Result<(), Error> {
        if slots.len() != operands.len() {
            return Err(misfit("the operands", format!("{} of them", slots.len())));
        }
        let fits = |slot: &Slot, class, shape: &[usize]| {
            let rank = self.rank(slot);
            slot.class == class && shape.len() == rank + self.batch.len() && shape[rank..] == *self.batch
        };
        match slots.iter().zip(operands).find(|(slot, x)| !fits(slot, x.class(), x.shape())) {
            None => Ok(()),
            Some((slot, _)) => Err(misfit(slot.name, "the kind, axes and batch of its operation")),
        }
    }

    /// Are tangents or cotangents of the kinds and shapes of their operands?
    fn check<T: Element>(
        &self,
        what: &str,
        slots: &[Slot],
        operands: &[Operand<'_, T>],
        slopes: &[Option<Operand<'_, T>>],
    ) -> Result<(), Error> {
        if slots.len() != slopes.len() {
            return Err(misfit(what, format!("one for each of {} operands", slots.len())));
        }
        for (slot, (operand, slope)) in slots.iter().zip(operands.iter().zip(slopes)) {
            let Some(slope) = slope else { continue };
            if slot.class == Class::Index || (slope.class(), slope.shape()) != (slot.class, operand.shape()) {
                return Err(misfit(
                    format!("{what}, {}", slot.name),
                    format!("the kind and size {:?}", operand.shape()),
                ));
            }
        }
        Ok(())
    }

    /// The stacks to write, of the kinds and shapes of their operands.
    fn outputs<'o, T: Element>(
        &self,
        what: &str,
        slots: &[Slot],
        operands: &[Operand<'_, T>],
        outputs: Vec<Option<OperandMut<'o, T>>>,
    ) -> Result<Vec<Option<AnyStackMut<'o, T>>>, Error> {
        if slots.len() != outputs.len() {
            return Err(misfit(what, format!("one for each of {} operands", slots.len())));
        }
        let stack = |((output, slot), operand): ((Option<OperandMut<'o, T>>, &Slot), &Operand<'_, T>)| {
            let Some(output) = output else { return Ok(None) };
            let fits = (output.class(), output.shape()) == (slot.class, operand.shape());
            let stack = if fits { output.stack(self.rank(slot)) } else { None };
            let error = || misfit(format!("{what}, {}", slot.name), format!("the kind and size {:?}", operand.shape()));
            stack.map(Some).ok_or_else(error)
        };
        outputs.into_iter().zip(slots).zip(operands).map(stack).collect()
    }
}

/// Copies a matrix, conjugated if asked for.
type Load<T, C> = for<'w> fn(MatRef<T>, bool, Resources<'w>) -> Result<Matrix<'w, C>, Error>;

/// How elements get into the type in which the rule computes, and back.
struct Border<T: Element, C: Element> {
    load: Load<T, C>,
    store: for<'w> fn(Matrix<'w, C>, Resources<'w>) -> Result<Matrix<'w, T>, Error>,
}

fn apply<T: Element>(
    operation: Operation,
    order: Order,
    given: &Given<'_, '_, T>,
    outputs: Vec<Option<OperandMut<'_, T>>>,
    options: &Options,
    run: Run<'_>,
) -> Result<Report, Error> {
    let problem = Problem::new(operation, given.x, given.y)?;
    if order != Order::Reverse {
        problem.check("a tangent of an input", operation.inputs(), given.x, given.dx)?;
    }
    if order != Order::Forward {
        problem.check("a cotangent of an output", operation.outputs(), given.y, given.yb)?;
    }
    if order == Order::Second {
        problem.check("a tangent of a cotangent", operation.outputs(), given.y, given.dyb)?;
    }
    let outputs = match order {
        Order::Forward => problem.outputs("a tangent of an output", operation.outputs(), given.y, outputs)?,
        _ => problem.outputs("a cotangent of an input", operation.inputs(), given.x, outputs)?,
    };
    if operation.is_complex() && !T::DTYPE.is_complex() {
        let border = Border::<T, T::Complex> {
            load: |x, conj, with| converted(x, conj, with),
            store: |x, with| converted(x.as_ref(), false, with),
        };
        problem.run(order, given, outputs, options, run, &border)
    } else {
        let border = Border::<T, T> { load: |x, conj, with| Ok(with.copy_of(x, conj)?), store: |x, _| Ok(x) };
        problem.run(order, given, outputs, options, run, &border)
    }
}

impl Problem<'_> {
    fn run<T: Element, C: Element>(
        &self,
        order: Order,
        given: &Given<'_, '_, T>,
        outputs: Vec<Option<AnyStackMut<'_, T>>>,
        options: &Options,
        run: Run<'_>,
        border: &Border<T, C>,
    ) -> Result<Report, Error> {
        let wanted: Vec<_> = outputs.iter().map(Option::is_some).collect();
        let worst = Mutex::new(0.0f64);
        // Threads go to the batch, or, where there is none, to the products of the one rule.
        let threads = if self.batch.is_empty() { run.threads } else { Threads::ONE };
        each(self.batch, self.work, run, outputs, |i, to, with| {
            let gauge = Cell::new(0.0);
            let scope = Scope { with, threads, options, gauge: &gauge };
            let results = self.one(order, given, i, &wanted, border, scope)?;
            for (result, to) in results.into_iter().zip(to) {
                if let Some(to) = to {
                    write(result, order == Order::Second, to, border, with)?;
                }
            }
            let mut worst = worst.lock().unwrap_or_else(PoisonError::into_inner);
            *worst = worst.max(gauge.get());
            Ok::<_, Error>(())
        })?;
        Ok(Report { gauge: worst.into_inner().unwrap_or_else(PoisonError::into_inner) })
    }

    /// The rule, applied to the `i`-th problem of the batch.
    fn one<'w, T: Element, C: Element>(
        &self,
        order: Order,
        given: &Given<'_, '_, T>,
        i: usize,
        wanted: &[bool],
        border: &Border<T, C>,
        scope: Scope<'w>,
    ) -> Result<Slopes<'w, C>, Error> {
        let (operation, inputs, outputs) = (self.operation, self.operation.inputs(), self.operation.outputs());
        let load =
            |slot: &Slot, operand: &Operand<'_, T>| self.load(slot, operand, i, border, scope).map(Dual::constant);
        let values = |slots: &[Slot], all: &[Operand<'_, T>]| -> Result<Vec<Dual<'w, C>>, Error> {
            slots.iter().zip(all).map(|(slot, operand)| load(slot, operand)).collect()
        };
        let slopes = |slots: &[Slot], all: &[Option<Operand<'_, T>>]| -> Result<Slopes<'w, C>, Error> {
            let one = |(slot, slope): (&Slot, &Option<Operand<'_, T>>)| {
                slope.as_ref().map(|slope| load(slot, slope)).transpose()
            };
            slots.iter().zip(all).map(one).collect()
        };
        // What no rule reads is not copied.
        let read = |(i, (slot, operand)): (usize, (&Slot, &Operand<'_, T>))| match operation.reads(i) {
            true => load(slot, operand),
            false => Ok(Dual::constant(scope.with.matrix(0, 0)?)),
        };
        let x: Result<Vec<Dual<'w, C>>, Error> = inputs.iter().zip(given.x).enumerate().map(read).collect();
        let (mut x, mut y) = (x?, values(outputs, given.y)?);
        let (dx, mut yb) = (slopes(inputs, given.dx)?, slopes(outputs, given.yb)?);
        match order {
            Order::Forward => return rules::jvp(operation, &x, &y, &dx, scope),
            Order::Reverse => return rules::vjp(operation, &x, &y, &yb, wanted, scope),
            Order::Second => {}
        }
        let dy = rules::jvp(operation, &x, &y, &dx, scope)?;
        for (value, tangent) in x.iter_mut().zip(dx).chain(y.iter_mut().zip(dy)) {
            value.tangent = tangent.map(|tangent| tangent.value);
        }
        for (yb, dyb) in yb.iter_mut().zip(slopes(outputs, given.dyb)?) {
            let Some(dyb) = dyb else { continue };
            let value = yb.take().map_or_else(|| scope.with.matrix(dyb.rows(), dyb.cols()), |yb| Ok(yb.value))?;
            *yb = Some(Dual { value, tangent: Some(dyb.value) });
        }
        rules::vjp(operation, &x, &y, &yb, wanted, scope)
    }

    fn load<'w, T: Element, C: Element>(
        &self,
        slot: &Slot,
        operand: &Operand<'_, T>,
        i: usize,
        border: &Border<T, C>,
        scope: Scope<'w>,
    ) -> Result<Matrix<'w, C>, Error> {
        let rank = self.rank(slot);
        match *operand {
            Operand::Element(view, conj) => (border.load)(matrix_of(view, rank, i), conj, scope.with),
            Operand::Real(view) => converted(matrix_of(view, rank, i), false, scope.with),
            Operand::Complex(view, conj) => converted(matrix_of(view, rank, i), conj, scope.with),
            Operand::Index(view) => {
                let places = matrix_of(view, rank, i);
                let mut x = scope.with.matrix::<C>(places.rows(), 1)?;
                for (j, x) in x.elements_mut().iter_mut().enumerate() {
                    let place = places.get(j, 0).unwrap_or(-1);
                    if !(0..places.rows() as i64).contains(&place) {
                        return Err(misfit(slot.name, "positions, counted from 0"));
                    }
                    *x = C::from_real(crate::dual::real::<C>(place as f64));
                }
                Ok(x)
            }
        }
    }
}

/// Writes what a rule gave, or its tangent; zeros for what it did not give.
fn write<T: Element, C: Element>(
    result: Option<Dual<'_, C>>,
    tangent: bool,
    to: AnyMatMut<'_, T>,
    border: &Border<T, C>,
    with: Resources<'_>,
) -> Result<(), Error> {
    let result = result.and_then(|dual| if tangent { dual.tangent } else { Some(dual.value) });
    let (rows, cols) = match &to {
        AnyMatMut::Element(to) => (to.rows(), to.cols()),
        AnyMatMut::Real(to) => (to.rows(), to.cols()),
        AnyMatMut::Complex(to) => (to.rows(), to.cols()),
    };
    let result = result.map_or_else(|| with.matrix(rows, cols), Ok)?;
    match to {
        AnyMatMut::Element(to) => to.copy_from((border.store)(result, with)?.as_ref())?,
        AnyMatMut::Real(to) => to.copy_from(converted(result.as_ref(), false, with)?.as_ref())?,
        AnyMatMut::Complex(to) => to.copy_from(converted(result.as_ref(), false, with)?.as_ref())?,
    }
    Ok(())
}

/// A copy with elements of another type: real numbers become complex ones, and of complex ones the real parts stay.
fn converted<'w, S: Scalar, C: Scalar + Plain>(
    a: MatRef<S>,
    conj: bool,
    with: Resources<'w>,
) -> Result<Matrix<'w, C>, Error> {
    let mut c = with.matrix(a.rows(), a.cols())?;
    for j in 0..a.cols() {
        for (i, c) in c.col_mut(j).iter_mut().enumerate() {
            let x = a.get(i, j).unwrap_or(S::ZERO);
            *c = C::from_c64(if conj { x.conj() } else { x }.to_c64());
        }
    }
    Ok(c)
}

/// Rows and columns of one problem.
fn extents(shape: &[usize], rank: usize) -> (usize, usize) {
    let extent = |axis: usize| if axis < rank { shape[axis] } else { 1 };
    (extent(0), extent(1))
}

fn misfit(name: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::Operand { name: name.into(), expected: expected.into() }
}
