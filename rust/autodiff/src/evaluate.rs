//! An operation, applied: the one place that knows which function of `tensoroxide-linalg` each [`Operation`] is, and
//! of which sizes its results are.

use tensoroxide_dense::Element;
use tensoroxide_linalg::{self as linalg, Method, Run, Tolerance, Truncation};
use tensoroxide_tensor::{Real, View, ViewMut};

use crate::{Class, Error, Extent, Operand, OperandMut, Operation};

/// What decides about the results of an operation, and about its derivative only through them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// Of [`Operation::SvdTrunc`] and [`Operation::EighTrunc`].
    pub truncation: Truncation,
    /// Likewise.
    pub method: Method,
    /// Of [`Operation::QrPivoted`], [`Operation::Lstsq`] and [`Operation::Pinv`].
    pub tolerance: Tolerance,
}

/// Applies an operation to `x`, the operands that [`Operation::inputs`] names, and writes `y`, those that
/// [`Operation::outputs`] names, of the sizes that [`Operation::output_shapes`] gives.
///
/// What truncates returns the rank that it keeps: values and vectors beyond it are to be cut off.
/// [`Operation::EighTrunc`] is [`tensoroxide_linalg::eigh_trunc`].
///
/// # Errors
/// [`Error::Operand`] if the kinds of the operands do not fit, and what the operation itself says.
///
/// ```
/// use tensoroxide_autodiff::{evaluate, Operand, OperandMut, Operation, Settings};
/// use tensoroxide_linalg::{Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([2.0, 0.0, 0.0, 4.0], [0.0; 4]);
/// let a = Operand::Element(View::new(&a, &[2, 2], &[1, 2], 0)?, false);
/// let y = vec![OperandMut::Element(ViewMut::new(&mut x, &[2, 2], &[1, 2], 0)?)];
/// evaluate(Operation::Inv, &[a], y, &Settings::default(), Run::on(&Workspaces::default()))?;
/// assert_eq!(x, [0.5, 0.0, 0.0, 0.25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate<T: Element>(
    operation: Operation,
    x: &[Operand<'_, T>],
    y: Vec<OperandMut<'_, T>>,
    settings: &Settings,
    run: Run<'_>,
) -> Result<Option<usize>, Error> {
    let (a, conj) = input(x, 0)?;
    if y.len() != operation.outputs().len() {
        return Err(misfit("the outputs", format!("{} of them", operation.outputs().len())));
    }
    let mut y = Outputs(y.into_iter());
    let Settings { truncation, method, tolerance } = *settings;
    match operation {
        Operation::SvdCompact => linalg::svd_compact(a, conj, y.element()?, y.real()?, y.element()?, run)?,
        Operation::SvdFull => linalg::svd_full(a, conj, y.element()?, y.real()?, y.element()?, run)?,
        Operation::SvdVals => linalg::svd_vals(a, conj, y.real()?, run)?,
        Operation::SvdTrunc => {
            let (u, s, vh, error) = (y.element()?, y.real()?, y.element()?, y.real()?);
            let mut errors = vec![0.0; count(error.shape())];
            let rank = linalg::svd_trunc(a, conj, &truncation, method, u, s, vh, &mut errors, run)?;
            fill(error, |i| Real::from_f64(errors[i]))?;
            return Ok(Some(rank));
        }
        Operation::QrCompact => linalg::qr_compact(a, conj, y.element()?, y.element()?, run)?,
        Operation::QrFull => linalg::qr_full(a, conj, y.element()?, y.element()?, run)?,
        Operation::QrNull => linalg::qr_null(a, conj, y.element()?, run)?,
        Operation::QrPivoted => {
            let (q, r, p) = (y.element()?, y.element()?, y.index()?);
            let mut places = vec![0; count(p.shape())];
            let mut rank = vec![0; batch_of(a.shape()).iter().product()];
            let bounds = (tolerance.atol, tolerance.rtol);
            linalg::qr_pivoted(a, conj, bounds, q, r, &mut places, &mut rank, run)?;
            fill(p, |i| places[i])?;
        }
        Operation::LqCompact => linalg::lq_compact(a, conj, y.element()?, y.element()?, run)?,
        Operation::LqFull => linalg::lq_full(a, conj, y.element()?, y.element()?, run)?,
        Operation::LqNull => linalg::lq_null(a, conj, y.element()?, run)?,
        Operation::LeftPolar => linalg::left_polar(a, conj, y.element()?, y.element()?, run)?,
        Operation::RightPolar => linalg::right_polar(a, conj, y.element()?, y.element()?, run)?,
        Operation::Lu => linalg::lu(a, conj, y.element()?, y.element()?, y.index()?, run)?,
        Operation::LuComplete => {
            linalg::lu_complete(a, conj, y.element()?, y.element()?, y.index()?, y.index()?, run)?;
        }
        Operation::Cholesky => linalg::cholesky(a, conj, y.element()?, run)?,
        Operation::EighFull => linalg::eigh_full(a, conj, y.real()?, y.element()?, run)?,
        Operation::EighVals => linalg::eigh_vals(a, conj, y.real()?, run)?,
        Operation::EighTrunc => {
            let (w, v, error) = (y.real()?, y.element()?, y.real()?);
            let mut errors = vec![0.0; count(error.shape())];
            let rank = linalg::eigh_trunc(a, conj, &truncation, method, w, v, &mut errors, run)?;
            fill(error, |i| Real::from_f64(errors[i]))?;
            return Ok(Some(rank));
        }
        Operation::EigFull => linalg::eig_full(a, conj, y.complex()?, y.complex()?, run)?,
        Operation::EigVals => linalg::eig_vals(a, conj, y.complex()?, run)?,
        Operation::SchurFull => linalg::schur_full(a, conj, y.element()?, y.element()?, y.complex()?, run)?,
        Operation::SchurVals => linalg::schur_vals(a, conj, y.complex()?, run)?,
        Operation::Solve => {
            let (b, conj_b) = input(x, 1)?;
            linalg::solve(a, conj, b, conj_b, y.element()?, run)?;
        }
        Operation::SolveTriangular(triangle) => {
            let (b, conj_b) = input(x, 1)?;
            linalg::solve_triangular(a, conj, triangle, b, conj_b, y.element()?, run)?;
        }
        Operation::Lstsq => {
            let (b, conj_b) = input(x, 1)?;
            let shape = batch_of(a.shape());
            let mut rank = vec![0; shape.iter().product()];
            let strides = tensoroxide_tensor::layout::column_major_strides(shape);
            let rank = ViewMut::new(&mut rank, shape, &strides, 0)?;
            linalg::lstsq(a, conj, b, conj_b, tolerance, y.element()?, rank, run)?;
        }
        Operation::Inv => linalg::inv(a, conj, y.element()?, run)?,
        Operation::Pinv => linalg::pinv(a, conj, tolerance, y.element()?, run)?,
        Operation::Det => linalg::det(a, conj, y.element()?, run)?,
        Operation::LogAbsDet => linalg::logabsdet(a, conj, y.real()?, y.element()?, run)?,
        Operation::Expm => linalg::expm(a, conj, y.element()?, run)?,
        Operation::HermitianFunction(f) => linalg::hermitian_function(a, conj, f, y.element()?, run)?,
        // Moduli are those of the conjugate, too.
        Operation::Norm(kind) => linalg::norm(a, kind, y.real()?, run)?,
    }
    Ok(None)
}

impl Operation {
    /// The shapes of the outputs for inputs of these shapes: with room for the most that a truncation can keep.
    ///
    /// # Errors
    /// [`Error::Operand`] if there is no such operation on inputs of these shapes.
    ///
    /// ```
    /// use tensoroxide_autodiff::{Operation, Settings};
    /// let shapes = Operation::QrCompact.output_shapes(&[&[5, 3, 7]], &Settings::default())?;
    /// assert_eq!(shapes, [[5, 3, 7], [3, 3, 7]]);
    /// # Ok::<(), tensoroxide_autodiff::Error>(())
    /// ```
    pub fn output_shapes(&self, x: &[&[usize]], settings: &Settings) -> Result<Vec<Vec<usize>>, Error> {
        let Some(a) = x.first().filter(|a| a.len() >= 2 && x.len() == self.inputs().len()) else {
            return Err(misfit("the inputs", format!("{} of them, A being a matrix or a stack", self.inputs().len())));
        };
        let batch = batch_of(a);
        let right = x.get(1).copied();
        let columns = right.map_or(2, |b| b.len().saturating_sub(batch.len()));
        if !(1..=2).contains(&columns) || right.is_some_and(|b| b[columns..] != *batch) {
            return Err(misfit("B", "the batch of A, behind one axis or two"));
        }
        let mut extents = vec![(a[0], a[1])];
        extents.extend(right.map(|b| (b[0], if columns > 1 { b[1] } else { 1 })));
        let rank = settings.truncation.ceiling(a[0].min(a[1]));
        let Some(results) = self.extents(&extents, rank) else {
            return Err(misfit("the inputs", "sizes that belong together"));
        };
        let shape = |(slot, (rows, cols)): (&crate::Slot, (usize, usize))| -> Vec<usize> {
            let own: &[usize] = match slot.extent {
                Extent::Matrix => &[rows, cols],
                Extent::Vector => &[rows],
                Extent::Number => &[],
                Extent::Columns => &[rows, cols][..columns],
            };
            [own, batch].concat()
        };
        Ok(self.outputs().iter().zip(results).map(shape).collect())
    }
}

fn input<'a, T: Element>(x: &[Operand<'a, T>], i: usize) -> Result<(View<'a, T>, bool), Error> {
    match x.get(i) {
        Some(Operand::Element(view, conj)) => Ok((*view, *conj)),
        _ => Err(misfit(if i == 0 { "A" } else { "B" }, "elements of the operation's type")),
    }
}

/// The outputs in turn, each of the kind that is asked for.
struct Outputs<'a, T: Element>(std::vec::IntoIter<OperandMut<'a, T>>);

impl<'a, T: Element> Outputs<'a, T> {
    fn element(&mut self) -> Result<ViewMut<'a, T>, Error> {
        match self.0.next() {
            Some(OperandMut::Element(view)) => Ok(view),
            other => Err(other_kind(other, Class::Element)),
        }
    }

    fn real(&mut self) -> Result<ViewMut<'a, T::Real>, Error> {
        match self.0.next() {
            Some(OperandMut::Real(view)) => Ok(view),
            other => Err(other_kind(other, Class::Real)),
        }
    }

    fn complex(&mut self) -> Result<ViewMut<'a, T::Complex>, Error> {
        match self.0.next() {
            Some(OperandMut::Complex(view)) => Ok(view),
            other => Err(other_kind(other, Class::Complex)),
        }
    }

    fn index(&mut self) -> Result<ViewMut<'a, i64>, Error> {
        match self.0.next() {
            Some(OperandMut::Index(view)) => Ok(view),
            other => Err(other_kind(other, Class::Index)),
        }
    }
}

fn other_kind<T: Element>(found: Option<OperandMut<'_, T>>, expected: Class) -> Error {
    misfit("an output", format!("the kind {expected:?}, found {:?}", found.map(|x| x.class())))
}

fn misfit(name: &str, expected: impl Into<String>) -> Error {
    Error::Operand { name: name.into(), expected: expected.into() }
}

/// The axes behind those of a matrix.
fn batch_of(shape: &[usize]) -> &[usize] {
    shape.get(2..).unwrap_or(&[])
}

fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Writes all elements, which are functions of their position, the first axis fastest.
fn fill<E: Copy>(mut to: ViewMut<'_, E>, value: impl Fn(usize) -> E) -> Result<(), Error> {
    let shape = to.shape();
    let mut index = vec![0; shape.len()];
    for i in 0..count(shape) {
        let mut rest = i;
        index.iter_mut().zip(shape).for_each(|(at, &extent)| (*at, rest) = (rest % extent, rest / extent));
        to.set(&index, value(i))?;
    }
    Ok(())
}
