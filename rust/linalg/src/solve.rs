//! Systems of linear equations.

use tensoroxide_dense::{solve as solve_one, solve_triangular as solve_one_triangular, Element};
use tensoroxide_tensor::{View, ViewMut};

use crate::stack::{each, Run, Stack};
use crate::Error;

/// The X with A·X = B, by elimination with partial pivoting ([`crate::lu`]), where `conj_a` and `conj_b` have the
/// elements of A and of B conjugated first.
///
/// A is n×n. B and X are n×k, or vectors of n elements: they then have an axis less than A.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::Singular`] for a zero pivot, [`Error::NotFinite`],
/// [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{solve, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, b, mut x) = ([0.0, 2.0, 4.0, 0.0], [8.0, 6.0], [0.0; 2]);
/// solve(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     View::new(&b, &[2], &[1], 0)?,
///     false,
///     ViewMut::new(&mut x, &[2], &[1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(x, [3.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    b: View<'_, T>,
    conj_b: bool,
    x: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let b = Stack::right_hand_sides(b, "B", n, a.batch())?;
    let x = b.like(x, "X", n, a.batch())?;
    let work = (n * n) as f64 * (n + 2 * b.extents().1) as f64;
    each(a.batch(), work, run, x, |i, x, with| Ok(solve_one(a.at(i), conj_a, b.at(i), conj_b, x, with)?))
}

/// Which triangle of a matrix a system has, and what is on its diagonal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Triangle {
    /// The elements on and above the diagonal, else those on and below it.
    pub upper: bool,
    /// The diagonal is taken to be 1, and not read.
    pub unit_diagonal: bool,
}

/// The X with A·X = B for a triangle A of a matrix of which nothing else is read; otherwise as [`solve`].
///
/// # Errors
/// As [`solve`]: [`Error::Singular`] for a zero on the diagonal.
///
/// ```
/// use tensoroxide_linalg::{solve_triangular, Run, Triangle, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, b, mut x) = ([2.0, f64::NAN, 1.0, 4.0], [4.0, 8.0], [0.0; 2]);
/// solve_triangular(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     Triangle { upper: true, unit_diagonal: false },
///     View::new(&b, &[2], &[1], 0)?,
///     false,
///     ViewMut::new(&mut x, &[2], &[1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(x, [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve_triangular<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    triangle: Triangle,
    b: View<'_, T>,
    conj_b: bool,
    x: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let b = Stack::right_hand_sides(b, "B", n, a.batch())?;
    let x = b.like(x, "X", n, a.batch())?;
    let Triangle { upper, unit_diagonal } = triangle;
    each(a.batch(), (n * n * b.extents().1) as f64, run, x, |i, x, with| {
        let solution = solve_one_triangular(a.at(i), conj_a, upper, unit_diagonal, b.at(i), conj_b, with)?;
        Ok(x.copy_from(solution.as_ref())?)
    })
}
