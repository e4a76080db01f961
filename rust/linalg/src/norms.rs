//! Norms of matrices.

use tensoroxide_dense::{svd_values, Element, MatRef, Resources};
use tensoroxide_tensor::{Real, Scalar, View, ViewMut};

use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// Which norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The root of the sum of the squared moduli.
    Frobenius,
    /// The largest singular value.
    Spectral,
    /// The sum of the singular values.
    Nuclear,
    /// The largest sum of moduli of a column.
    One,
    /// The largest sum of moduli of a row.
    Infinity,
}

/// A norm of A, a number for each matrix of the batch; 0 if A is empty. Nothing overflows or underflows on the way.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`] (also if the norm is too large for the type),
/// [`Error::Exhausted`], [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_linalg::{norm, Norm, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([3e200, 4e200], [0.0f64]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// norm(View::new(&a, &[2, 1], &[1, 2], 0)?, Norm::Frobenius, ViewMut::new(&mut x, &[], &[], 0)?, run)?;
/// assert!((x[0] - 5e200).abs() < 1e186);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn norm<T: Element>(a: View<'_, T>, kind: Norm, x: ViewMut<'_, T::Real>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let x = StackMut::new(x, "the norms", &[], a.batch())?;
    let work = match kind {
        Norm::Spectral | Norm::Nuclear => 5.0 * (m * n * m.min(n)) as f64,
        _ => 4.0 * (m * n) as f64,
    };
    each(a.batch(), work, run, x, |i, x, with| {
        let norm = T::Real::from_f64(of_matrix(a.at(i), kind, with)?);
        match norm.is_finite() {
            true => Ok(x.copy_from(column(&[norm]))?),
            false => Err(Error::NotFinite),
        }
    })
}

fn of_matrix<T: Element>(a: MatRef<T>, kind: Norm, with: Resources<'_>) -> Result<f64, Error> {
    match kind {
        Norm::Spectral => Ok(svd_values(a, false, with)?.first().map_or(0.0, |s| s.to_f64())),
        Norm::Nuclear => {
            let s = svd_values(a, false, with)?;
            Ok(scaled_sum(s.iter().rev().map(|s| s.to_f64()), s.first().map_or(0.0, |s| s.to_f64())))
        }
        Norm::Infinity => of_elements(a.t(), Norm::One),
        _ => of_elements(a, kind),
    }
}

/// The sum of numbers, of which this is the largest: overflows only if the sum itself does.
fn scaled_sum(numbers: impl Iterator<Item = f64>, largest: f64) -> f64 {
    let unit = if largest > 0.0 { largest } else { 1.0 };
    numbers.map(|x| x / unit).sum::<f64>() * unit
}

fn of_elements<T: Element>(a: MatRef<T>, kind: Norm) -> Result<f64, Error> {
    let at = |i, j| a.get(i, j).unwrap_or(T::ZERO);
    let pairs = || (0..a.cols()).flat_map(|j| (0..a.rows()).map(move |i| (i, j)));
    if pairs().any(|(i, j)| !at(i, j).is_finite()) {
        return Err(Error::NotFinite);
    }
    // Relative to the largest part no square or sum overflows, and what underflows does not matter.
    let part =
        pairs().fold(0.0f64, |most, (i, j)| most.max(at(i, j).re().to_f64().abs()).max(at(i, j).im().to_f64().abs()));
    let unit = if part > 0.0 { part } else { 1.0 };
    let modulus = |i, j| {
        let x = at(i, j);
        (x.re().to_f64() / unit).hypot(x.im().to_f64() / unit)
    };
    Ok(unit
        * match kind {
            Norm::Frobenius => pairs().map(|(i, j)| modulus(i, j) * modulus(i, j)).sum::<f64>().sqrt(),
            _ => (0..a.cols()).map(|j| (0..a.rows()).map(|i| modulus(i, j)).sum()).fold(0.0, f64::max),
        })
}
