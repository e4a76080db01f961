//! Least squares and pseudo-inverses, for matrices of any rank.

use tensoroxide_dense::{lstsq as least_squares, pinv as pseudo_inverse, Element};
use tensoroxide_tensor::{Real, View, ViewMut};

use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// Which singular values count as zero: those of at most `atol`, or of at most `rtol` times the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// Absolute.
    pub atol: f64,
    /// Relative to the largest singular value; max(m, n)·eps if there is none.
    pub rtol: Option<f64>,
}

impl Tolerance {
    /// Both bounds, for an m×n matrix.
    fn bounds<T: Element>(self, (m, n): (usize, usize)) -> Result<(f64, f64), Error> {
        let rtol = self.rtol.unwrap_or(m.max(n) as f64 * T::Real::EPSILON.to_f64());
        for (name, value) in [("atol", self.atol), ("rtol", rtol)] {
            if value.is_nan() || value < 0.0 {
                return Err(Error::Tolerance { name, value });
            }
        }
        Ok((self.atol, rtol))
    }
}

/// The X of least norm among those for which the columns of A·X − B have the least norms, and the rank of A, where
/// `conj_a` and `conj_b` have the elements of A and of B conjugated first.
///
/// A is m×n; B is m×k and X n×k, or they are vectors, with an axis less than A. `rank` has the axes of the batch.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::Tolerance`], [`Error::NotFinite`], [`Error::Exhausted`],
/// [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{lstsq, Run, Tolerance, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, b, mut x, mut rank) = ([1.0, 1.0, 1.0, 1.0], [1.0, 3.0], [0.0f64; 2], [0]);
/// lstsq(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     View::new(&b, &[2], &[1], 0)?,
///     false,
///     Tolerance::default(),
///     ViewMut::new(&mut x, &[2], &[1], 0)?,
///     ViewMut::new(&mut rank, &[], &[], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-14) && rank == [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::too_many_arguments)]
pub fn lstsq<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    b: View<'_, T>,
    conj_b: bool,
    tolerance: Tolerance,
    x: ViewMut<'_, T>,
    rank: ViewMut<'_, i64>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let (atol, rtol) = tolerance.bounds::<T>((m, n))?;
    let b = Stack::right_hand_sides(b, "B", m, a.batch())?;
    let x = b.like(x, "X", n, a.batch())?;
    let rank = StackMut::new(rank, "rank", &[], a.batch())?;
    let work = 20.0 * (m * n * m.min(n)) as f64 + 2.0 * (m + n) as f64 * (m.min(n) * b.extents().1) as f64;
    each(a.batch(), work, run, (x, rank), |i, (x, rank), with| {
        let (solution, found) = least_squares(a.at(i), conj_a, b.at(i), conj_b, atol, rtol, with)?;
        x.copy_from(solution.as_ref())?;
        Ok(rank.copy_from(column(&[found as i64]))?)
    })
}

/// The pseudo-inverse by Moore and Penrose, n×m for A of m×n, where `conj_a` has the elements of A conjugated first.
///
/// # Errors
/// As [`lstsq`].
///
/// ```
/// use tensoroxide_linalg::{pinv, Run, Tolerance, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([3.0, 4.0], [0.0f64; 2]);
/// pinv(
///     View::new(&a, &[2, 1], &[1, 2], 0)?,
///     false,
///     Tolerance::default(),
///     ViewMut::new(&mut x, &[1, 2], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((x[0] - 0.12).abs() < 1e-15 && (x[1] - 0.16).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pinv<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    tolerance: Tolerance,
    x: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let (atol, rtol) = tolerance.bounds::<T>((m, n))?;
    let x = StackMut::new(x, "X", &[(n, n), (m, m)], a.batch())?;
    each(a.batch(), 22.0 * (m * n * m.min(n)) as f64, run, x, |i, x, with| {
        Ok(x.copy_from(pseudo_inverse(a.at(i), conj_a, atol, rtol, with)?.as_ref())?)
    })
}
