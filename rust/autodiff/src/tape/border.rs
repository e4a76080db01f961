//! Where linear algebra has real, complex or index tensors, a tape has its own elements. Here they go over.

use tensoroxide_dense::Element;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{Complex64, Layout, Scalar, Tensor, View, ViewMut};

use super::step::zeros;
use crate::{evaluate, hvp, jvp, vjp, Class, Error, Operand, OperandMut, Operation, Settings, Slot};

use super::Context;

/// A tensor of a class.
enum Classed<'a, T: Element> {
    Tape(&'a Tensor<T>),
    Element(Tensor<T>),
    Real(Tensor<T::Real>),
    Complex(Tensor<T::Complex>),
    Index { places: Vec<i64>, shape: Vec<usize>, strides: Vec<isize> },
}

impl<'a, T: Element> Classed<'a, T> {
    /// A tensor of a tape, to be read as one of a class.
    fn read(class: Class, tensor: &'a Tensor<T>) -> Result<Classed<'a, T>, Error> {
        Ok(match class {
            Class::Element => Classed::Tape(tensor),
            Class::Real => Classed::Real(converted(tensor)?),
            Class::Complex => Classed::Complex(converted(tensor)?),
            Class::Index => {
                let places = tensor.data().iter().map(|x| x.to_c64().re as i64).collect();
                Classed::index(places, tensor.layout().shape())
            }
        })
    }

    /// Zeros, to be written.
    fn new(class: Class, shape: &[usize]) -> Result<Classed<'a, T>, Error> {
        let layout = Layout::column_major(shape)?;
        Ok(match class {
            Class::Element => Classed::Element(Tensor::zeros(layout)?),
            Class::Real => Classed::Real(Tensor::zeros(layout)?),
            Class::Complex => Classed::Complex(Tensor::zeros(layout)?),
            Class::Index => Classed::index(vec![0; layout.len()], shape),
        })
    }

    fn index(places: Vec<i64>, shape: &[usize]) -> Classed<'a, T> {
        Classed::Index { places, shape: shape.to_vec(), strides: column_major_strides(shape) }
    }

    fn operand(&self) -> Result<Operand<'_, T>, Error> {
        Ok(match self {
            Classed::Tape(tensor) => Operand::Element(tensor.view(), false),
            Classed::Element(tensor) => Operand::Element(tensor.view(), false),
            Classed::Real(tensor) => Operand::Real(tensor.view()),
            Classed::Complex(tensor) => Operand::Complex(tensor.view(), false),
            Classed::Index { places, shape, strides } => Operand::Index(View::new(places, shape, strides, 0)?),
        })
    }

    fn operand_mut(&mut self) -> Result<OperandMut<'_, T>, Error> {
        Ok(match self {
            Classed::Tape(_) => return Err(super::misfit("a tensor", "one to be written")),
            Classed::Element(tensor) => OperandMut::Element(tensor.view_mut()?),
            Classed::Real(tensor) => OperandMut::Real(tensor.view_mut()?),
            Classed::Complex(tensor) => OperandMut::Complex(tensor.view_mut()?),
            Classed::Index { places, shape, strides } => OperandMut::Index(ViewMut::new(places, shape, strides, 0)?),
        })
    }

    /// As a tensor of a tape.
    fn into_tape(self) -> Result<Tensor<T>, Error> {
        match self {
            Classed::Tape(tensor) => converted(tensor),
            Classed::Element(tensor) => Ok(tensor),
            Classed::Real(tensor) => converted(&tensor),
            Classed::Complex(tensor) => converted(&tensor),
            Classed::Index { places, shape, .. } => {
                let mut tensor = zeros(&shape)?;
                for (to, &place) in tensor.data_mut().iter_mut().zip(&places) {
                    *to = T::from_c64(Complex64::new(place as f64, 0.0));
                }
                Ok(tensor)
            }
        }
    }
}

/// A dense tensor with elements of another type: what has no place in it, an imaginary part, is left out.
fn converted<S: Scalar, T: Scalar>(from: &Tensor<S>) -> Result<Tensor<T>, Error> {
    let mut to = Tensor::zeros(Layout::column_major(from.layout().shape())?)?;
    to.data_mut().iter_mut().zip(from.data()).for_each(|(to, from)| *to = T::from_c64(from.to_c64()));
    Ok(to)
}

fn read<'a, T: Element>(slots: &[Slot], tensors: &[&'a Tensor<T>]) -> Result<Vec<Classed<'a, T>>, Error> {
    slots.iter().zip(tensors).map(|(slot, tensor)| Classed::read(slot.class, tensor)).collect()
}

/// Those that are there, and not indices.
fn read_some<'a, T: Element>(
    slots: &[Slot],
    tensors: &[Option<&'a Tensor<T>>],
) -> Result<Vec<Option<Classed<'a, T>>>, Error> {
    let one = |(slot, tensor): (&Slot, &Option<&'a Tensor<T>>)| match (slot.class, tensor) {
        (Class::Index, _) | (_, None) => Ok(None),
        (class, Some(tensor)) => Classed::read(class, tensor).map(Some),
    };
    slots.iter().zip(tensors).map(one).collect()
}

fn operands<'a, T: Element>(classed: &'a [Classed<'_, T>]) -> Result<Vec<Operand<'a, T>>, Error> {
    classed.iter().map(Classed::operand).collect()
}

fn some_operands<'a, T: Element>(classed: &'a [Option<Classed<'_, T>>]) -> Result<Vec<Option<Operand<'a, T>>>, Error> {
    classed.iter().map(|classed| classed.as_ref().map(Classed::operand).transpose()).collect()
}

/// Lets `run` write tensors of these shapes, as far as they are wanted.
fn written<T: Element>(
    slots: &[Slot],
    like: &[&Tensor<T>],
    wanted: impl Fn(usize) -> bool,
    run: impl FnOnce(Vec<Option<OperandMut<'_, T>>>) -> Result<(), Error>,
) -> Result<Vec<Option<Tensor<T>>>, Error> {
    let new = |(k, (slot, like)): (usize, (&Slot, &&Tensor<T>))| match wanted(k) && slot.class != Class::Index {
        true => Classed::<T>::new(slot.class, like.layout().shape()).map(Some),
        false => Ok(None),
    };
    let mut made = slots.iter().zip(like).enumerate().map(new).collect::<Result<Vec<_>, Error>>()?;
    run(made
        .iter_mut()
        .map(|made| made.as_mut().map(Classed::operand_mut).transpose())
        .collect::<Result<_, Error>>()?)?;
    made.into_iter().map(|made| made.map(Classed::into_tape).transpose()).collect()
}

/// Applies an operation.
pub(super) fn apply<T: Element>(
    operation: Operation,
    settings: &Settings,
    x: &[&Tensor<T>],
    context: &Context,
) -> Result<Vec<Tensor<T>>, Error> {
    let shapes: Vec<&[usize]> = x.iter().map(|x| x.layout().shape()).collect();
    let slots = operation.outputs();
    let shapes = operation.output_shapes(&shapes, settings)?;
    let new = |(slot, shape): (&Slot, &Vec<usize>)| Classed::<T>::new(slot.class, shape);
    let mut y = slots.iter().zip(&shapes).map(new).collect::<Result<Vec<_>, Error>>()?;
    let x = read(operation.inputs(), x)?;
    let to = y.iter_mut().map(Classed::operand_mut).collect::<Result<Vec<_>, Error>>()?;
    let kept = evaluate(operation, &operands(&x)?, to, settings, context.run())?;
    let y = y.into_iter().map(Classed::into_tape).collect::<Result<Vec<_>, Error>>()?;
    match kept {
        Some(rank) => y.into_iter().zip(cut_axes(operation)).map(|(y, axis)| cut(y, axis, rank)).collect(),
        None => Ok(y),
    }
}

/// The axis of each output of a truncation that counts what is kept.
fn cut_axes(operation: Operation) -> &'static [Option<usize>] {
    match operation {
        Operation::SvdTrunc => &[Some(1), Some(0), Some(0), None],
        Operation::EighTrunc => &[Some(0), Some(1), None],
        _ => &[],
    }
}

/// The first `count` values of an axis.
fn cut<T: Element>(tensor: Tensor<T>, axis: &Option<usize>, count: usize) -> Result<Tensor<T>, Error> {
    let Some(axis) = *axis else { return Ok(tensor) };
    let mut shape = tensor.layout().shape().to_vec();
    shape[axis] = shape[axis].min(count);
    super::step::copy(T::ONE, View::new(tensor.data(), &shape, tensor.layout().strides(), 0)?, false)
}

/// The tangents of an operation's outputs.
pub(super) fn tangents<T: Element>(
    operation: Operation,
    x: &[&Tensor<T>],
    y: &[&Tensor<T>],
    dx: &[Option<&Tensor<T>>],
    context: &Context,
) -> Result<Vec<Option<Tensor<T>>>, Error> {
    let (inputs, outputs) = (operation.inputs(), operation.outputs());
    let (x, of_y, dx) = (read(inputs, x)?, read(outputs, y)?, read_some(inputs, dx)?);
    written(
        outputs,
        y,
        |_| true,
        |dy| {
            let dx = some_operands(&dx)?;
            jvp(operation, &operands(&x)?, &operands(&of_y)?, &dx, dy, &context.options, context.run())
                .map(|report| context.note(report))
        },
    )
}

/// The cotangents of an operation's inputs, as far as they are wanted.
pub(super) fn cotangents<T: Element>(
    operation: Operation,
    x: &[&Tensor<T>],
    y: &[&Tensor<T>],
    yb: &[Option<&Tensor<T>>],
    wanted: &[bool],
    context: &Context,
) -> Result<Vec<Option<Tensor<T>>>, Error> {
    let (inputs, outputs) = (operation.inputs(), operation.outputs());
    let (of_x, y, yb) = (read(inputs, x)?, read(outputs, y)?, read_some(outputs, yb)?);
    written(
        inputs,
        x,
        |k| wanted[k],
        |xb| {
            let yb = some_operands(&yb)?;
            vjp(operation, &operands(&of_x)?, &operands(&y)?, &yb, xb, &context.options, context.run())
                .map(|report| context.note(report))
        },
    )
}

/// The tangents of those cotangents, along `dx` and `dyb`.
#[allow(clippy::too_many_arguments)] // a rule of the second order has so many
pub(super) fn cotangent_tangents<T: Element>(
    operation: Operation,
    x: &[&Tensor<T>],
    y: &[&Tensor<T>],
    yb: &[Option<&Tensor<T>>],
    dx: &[Option<&Tensor<T>>],
    dyb: &[Option<&Tensor<T>>],
    wanted: &[bool],
    context: &Context,
) -> Result<Vec<Option<Tensor<T>>>, Error> {
    let (inputs, outputs) = (operation.inputs(), operation.outputs());
    let (of_x, y, yb) = (read(inputs, x)?, read(outputs, y)?, read_some(outputs, yb)?);
    let (dx, dyb) = (read_some(inputs, dx)?, read_some(outputs, dyb)?);
    written(
        inputs,
        x,
        |k| wanted[k],
        |dxb| {
            let (yb, dx, dyb) = (some_operands(&yb)?, some_operands(&dx)?, some_operands(&dyb)?);
            let (x, y) = (operands(&of_x)?, operands(&y)?);
            hvp(operation, &x, &y, &yb, &dx, &dyb, dxb, &context.options, context.run())
                .map(|report| context.note(report))
        },
    )
}
