//! The kinds of steps: each is evaluated, and differentiated in both directions.

use std::sync::Arc;

use tensoroxide_dense::Element;
use tensoroxide_tensor::kernels::axpby;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{Layout, Scalar, Tensor, Threads, View, ViewMut};

use super::{border, misfit, Context, Elementwise};
use crate::einsum::{EinsumRule, Record};
use crate::{Error, Operation, Settings};

/// What a step computes from its inputs.
#[derive(Clone, Debug)]
pub(super) enum Step<T: Element> {
    /// Nothing: the caller gave it.
    Given,
    Einsum(Arc<EinsumRule<T>>),
    Linalg(Operation, Settings),
    /// The sum of the inputs, each times a number.
    Combine(Vec<T>),
    Map(Elementwise),
    Conj,
    Real,
    Reshape(Vec<usize>),
}

/// What a step's derivatives depend on.
pub(super) struct At<'a, T: Element> {
    /// The inputs.
    pub(super) x: Vec<&'a Tensor<T>>,
    /// The results.
    pub(super) y: Vec<&'a Tensor<T>>,
    /// The tangents of the inputs; `None` for zero.
    pub(super) dx: Vec<Option<&'a Tensor<T>>>,
}

/// The results of a step, and what an Einstein sum has left for its cotangents if it is more than one pair.
pub(super) type Results<T> = (Vec<Tensor<T>>, Option<Record<T>>);

/// One for each input or result; `None` for zero, or for what is not wanted.
pub(super) type Slopes<T> = Vec<Option<Tensor<T>>>;

impl<T: Element> Step<T> {
    /// Computes the step.
    pub(super) fn evaluate(&self, x: &[&Tensor<T>], context: &Context) -> Result<Results<T>, Error> {
        let result = match self {
            Step::Given => return Err(Error::Undefined("a value that was given is not computed")),
            Step::Einsum(rule) => {
                let mut result = zeros(&rule.plan().output_shape())?;
                let output = Some(result.view_mut()?);
                let record = rule.forward(T::ONE, &views(x), T::ZERO, output, context.threads)?;
                return Ok((vec![result], Some(record).filter(|_| rule.plan().steps() > 1)));
            }
            Step::Linalg(operation, settings) => return Ok((border::apply(*operation, settings, x, context)?, None)),
            Step::Combine(factors) => {
                let Some(first) = x.first() else { return Err(misfit("the terms", "one at least")) };
                let mut sum = zeros(first.layout().shape())?;
                for (&factor, x) in factors.iter().zip(x) {
                    add(&mut sum, factor, x)?;
                }
                sum
            }
            Step::Map(function) => map(x[0], |x| function.jet(x)[0])?,
            Step::Conj => copy(T::ONE, x[0].view(), true)?,
            Step::Real => map(x[0], real)?,
            Step::Reshape(shape) => reshaped(x[0], shape)?,
        };
        Ok((vec![result], None))
    }

    /// The tangents of the results.
    pub(super) fn tangents(&self, at: &At<'_, T>, context: &Context) -> Result<Slopes<T>, Error> {
        let result = match self {
            Step::Given => return Ok(vec![None]),
            Step::Einsum(rule) => {
                let mut result = zeros(&rule.plan().output_shape())?;
                let (dx, to) = (some_views(&at.dx), Some(result.view_mut()?));
                rule.jvp(T::ONE, &views(&at.x), &dx, T::ZERO, None, to, context.threads)?;
                result
            }
            Step::Linalg(operation, _) => return border::tangents(*operation, &at.x, &at.y, &at.dx, context),
            Step::Combine(factors) => {
                let mut sum = zeros(at.y[0].layout().shape())?;
                for (&factor, dx) in factors.iter().zip(&at.dx) {
                    dx.map_or(Ok(()), |dx| add(&mut sum, factor, dx))?;
                }
                sum
            }
            _ => match at.dx[0] {
                Some(dx) => self.of_one(at.x[0], dx, false)?,
                None => return Ok(vec![None]),
            },
        };
        Ok(vec![Some(result)])
    }

    /// The cotangents of the inputs that are wanted, by those of the results; and the tangents of those cotangents, if
    /// the ones of the results' are given.
    pub(super) fn cotangents(
        &self,
        at: &At<'_, T>,
        yb: &[Option<&Tensor<T>>],
        dyb: Option<&[Option<&Tensor<T>>]>,
        wanted: &[bool],
        record: Option<&mut Record<T>>,
        context: &Context,
    ) -> Result<(Slopes<T>, Slopes<T>), Error> {
        let none = || -> Slopes<T> { wanted.iter().map(|_| None).collect() };
        match self {
            Step::Given => return Ok((none(), none())),
            Step::Linalg(operation, _) => {
                let first = border::cotangents(*operation, &at.x, &at.y, yb, wanted, context)?;
                let second = match dyb {
                    Some(dyb) => {
                        border::cotangent_tangents(*operation, &at.x, &at.y, yb, &at.dx, dyb, wanted, context)?
                    }
                    None => none(),
                };
                return Ok((first, second));
            }
            _ => {}
        }
        let Some(yb) = yb[0] else { return Ok((none(), none())) };
        let moved = dyb.and_then(|dyb| dyb[0]);
        if let Step::Einsum(rule) = self {
            let new = |k: usize| wanted[k].then(|| zeros(at.x[k].layout().shape())).transpose();
            let mut first = (0..wanted.len()).map(new).collect::<Result<Slopes<T>, Error>>()?;
            let mut second = none();
            let x = views(&at.x);
            match (dyb, record) {
                (Some(_), _) => {
                    second = (0..wanted.len()).map(new).collect::<Result<_, Error>>()?;
                    let (dx, moved) = (some_views(&at.dx), moved.map(Tensor::view));
                    let (to, to_second) = (&mut *some_views_mut(&mut first)?, &mut *some_views_mut(&mut second)?);
                    rule.pullback_jvp(T::ONE, &x, &dx, yb.view(), moved, to, to_second, context.threads)?;
                }
                (None, Some(record)) => {
                    record.pullback(&x, yb.view(), &mut some_views_mut(&mut first)?, context.threads)?;
                }
                (None, None) => {
                    let mut record = rule.forward(T::ONE, &x, T::ZERO, None, context.threads)?;
                    record.pullback(&x, yb.view(), &mut some_views_mut(&mut first)?, context.threads)?;
                }
            }
            return Ok((first, second));
        }
        if let Step::Combine(factors) = self {
            let scaled = |of: Option<&Tensor<T>>| -> Result<Slopes<T>, Error> {
                let one = |(&factor, &wanted): (&T, &bool)| match of {
                    Some(of) if wanted => copy(factor.conj(), of.view(), false).map(Some),
                    _ => Ok(None),
                };
                factors.iter().zip(wanted).map(one).collect()
            };
            return Ok((scaled(Some(yb))?, scaled(moved)?));
        }
        if !wanted[0] {
            return Ok((none(), none()));
        }
        let (x, first) = (at.x[0], self.of_one(at.x[0], yb, true)?);
        let mut second = moved.map(|moved| self.of_one(x, moved, true)).transpose()?;
        if let (Step::Map(function), Some(dx), Some(_)) = (self, at.dx[0], dyb) {
            let mut bend = zeros(x.layout().shape())?;
            for (to, ((&x, &dx), &yb)) in bend.data_mut().iter_mut().zip(x.data().iter().zip(dx.data()).zip(yb.data()))
            {
                *to = (function.jet(x)[2] * dx).conj() * yb;
            }
            match &mut second {
                Some(second) => add(second, T::ONE, &bend)?,
                None => second = Some(bend),
            }
        }
        Ok((vec![Some(first)], vec![second]))
    }

    /// A step of one input: what its derivative at x makes of a tangent, or its adjoint of a cotangent.
    fn of_one(&self, x: &Tensor<T>, slope: &Tensor<T>, adjoint: bool) -> Result<Tensor<T>, Error> {
        match self {
            Step::Map(function) => {
                let mut result = zeros(x.layout().shape())?;
                for (to, (&x, &slope)) in result.data_mut().iter_mut().zip(x.data().iter().zip(slope.data())) {
                    let derivative = function.jet(x)[1];
                    *to = if adjoint { derivative.conj() } else { derivative } * slope;
                }
                Ok(result)
            }
            Step::Conj => copy(T::ONE, slope.view(), true),
            Step::Real => map(slope, real),
            Step::Reshape(shape) => reshaped(slope, if adjoint { x.layout().shape() } else { shape }),
            _ => Err(Error::Undefined("a step of several inputs")),
        }
    }
}

/// A dense tensor of zeros.
pub(super) fn zeros<T: Scalar>(shape: &[usize]) -> Result<Tensor<T>, Error> {
    Ok(Tensor::zeros(Layout::column_major(shape)?)?)
}

/// A dense tensor, factor · op(x).
pub(super) fn copy<T: Scalar>(factor: T, x: View<'_, T>, conj: bool) -> Result<Tensor<T>, Error> {
    let mut copy = zeros(x.shape())?;
    axpby(factor, x, conj, T::ZERO, copy.view_mut()?, Threads::ONE)?;
    Ok(copy)
}

/// to ← to + factor · x.
pub(super) fn add<T: Scalar>(to: &mut Tensor<T>, factor: T, x: &Tensor<T>) -> Result<(), Error> {
    Ok(axpby(factor, x.view(), false, T::ONE, to.view_mut()?, Threads::ONE)?)
}

fn map<T: Scalar>(x: &Tensor<T>, f: impl Fn(T) -> T) -> Result<Tensor<T>, Error> {
    let mut y = zeros(x.layout().shape())?;
    y.data_mut().iter_mut().zip(x.data()).for_each(|(y, &x)| *y = f(x));
    Ok(y)
}

fn real<T: Scalar>(x: T) -> T {
    T::from_real(x.re())
}

fn reshaped<T: Scalar>(x: &Tensor<T>, shape: &[usize]) -> Result<Tensor<T>, Error> {
    let layout = Layout::column_major(shape)?;
    if layout.len() != x.layout().len() {
        return Err(misfit("the shape", format!("{} elements, not {shape:?}", x.layout().len())));
    }
    copy(T::ONE, View::new(x.data(), shape, &column_major_strides(shape), 0)?, false)
}

fn views<'a, T: Scalar>(tensors: &[&'a Tensor<T>]) -> Vec<View<'a, T>> {
    tensors.iter().map(|tensor| tensor.view()).collect()
}

fn some_views<'a, T: Scalar>(tensors: &[Option<&'a Tensor<T>>]) -> Vec<Option<View<'a, T>>> {
    tensors.iter().map(|tensor| tensor.map(Tensor::view)).collect()
}

fn some_views_mut<T: Element>(tensors: &mut Slopes<T>) -> Result<Vec<Option<ViewMut<'_, T>>>, Error> {
    tensors.iter_mut().map(|tensor| Ok(tensor.as_mut().map(Tensor::view_mut).transpose()?)).collect()
}
