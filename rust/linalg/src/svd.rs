//! The thin singular value decomposition, whole and truncated.

use tensoroxide_dense::{svd, Element, MatMut, MatRef, Svd};
use tensoroxide_tensor::{Scalar, View, ViewMut};

use crate::error::{check, extents};
use crate::gauge::fix_vector;
use crate::{Error, Truncated, Truncation};

/// A = U·Diagonal(S)·Vᴴ, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), U is m×k with orthonormal columns, S has k real values in descending order, and Vᴴ
/// is k×n with orthonormal rows. In each column of U the entry of largest modulus, the first of equals, is real and
/// positive; entries whose moduli differ by at most 10·m·eps of the largest are equals. The vectors of a singular value
/// that occurs once are so fixed up to rounding.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::NoConvergence`], [`Error::OutOfMemory`]. The outputs
/// are then as they were.
///
/// ```
/// use tensoroxide_linalg::svd_compact;
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, -2.0, 3.0, 0.0]; // column-major
/// let (mut u, mut s, mut vh) = ([0.0; 4], [0.0; 2], [0.0; 4]);
/// svd_compact(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut u, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[2], &[1], 0)?,
///     ViewMut::new(&mut vh, &[2, 2], &[1, 2], 0)?,
/// )?;
/// assert!((s[0] - 3.0f64).abs() < 1e-14 && (s[1] - 2.0f64).abs() < 1e-14);
/// assert_eq!(u.map(f64::round), [1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(vh.map(f64::round), [0.0, -1.0, 1.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_compact<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
) -> Result<(), Error> {
    let (m, n) = extents(a.shape())?;
    let k = m.min(n);
    check_outputs((m, n), (k, k), &u, &s, &vh)?;
    write(&mut svd(MatRef::from_view(a)?, conj_a)?, k, u, s, vh)
}

/// The largest singular values and their vectors, as many as the [`Truncation`] keeps: [`svd_compact`] otherwise.
///
/// U, S and Vᴴ have room for `truncation.ceiling(k)` columns, entries and rows, or for more, up to k; of these, the first
/// `rank` are written and the others left as they were.
///
/// # Errors
/// Those of [`svd_compact`], and [`Error::Tolerance`].
///
/// ```
/// use tensoroxide_linalg::{svd_trunc, Truncation};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, 2.0, 3.0, 0.0];
/// let (mut u, mut s, mut vh) = ([0.0; 2], [0.0], [0.0; 2]);
/// let truncated = svd_trunc(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     &Truncation { maxrank: Some(1), ..Default::default() },
///     ViewMut::new(&mut u, &[2, 1], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[1], &[1], 0)?,
///     ViewMut::new(&mut vh, &[1, 2], &[1, 1], 0)?,
/// )?;
/// assert_eq!(truncated.rank, 1);
/// assert!((truncated.error - 2.0).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_trunc<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    truncation: &Truncation,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
) -> Result<Truncated, Error> {
    truncation.check()?;
    let (m, n) = extents(a.shape())?;
    let k = m.min(n);
    check_outputs((m, n), (truncation.ceiling(k), k), &u, &s, &vh)?;
    let mut svd = svd(MatRef::from_view(a)?, conj_a)?;
    let truncated = truncation.apply(&svd.s)?;
    write(&mut svd, truncated.rank, u, s, vh)?;
    Ok(truncated)
}

/// That the outputs fit an m×n matrix, with room for at least and at most so many singular values.
fn check_outputs<T: Scalar>(
    (m, n): (usize, usize),
    room: (usize, usize),
    u: &ViewMut<'_, T>,
    s: &ViewMut<'_, T::Real>,
    vh: &ViewMut<'_, T>,
) -> Result<(), Error> {
    check("U", &[(m, m), room], u.shape())?;
    check("S", &[room], s.shape())?;
    check("Vᴴ", &[room, (n, n)], vh.shape())
}

/// Fixes the gauge of the first `rank` vectors and writes them. The outputs have room for them.
fn write<T: Element>(
    Svd { u: left, s: values, vh: right }: &mut Svd<T>,
    rank: usize,
    u: ViewMut<'_, T>,
    mut s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
) -> Result<(), Error> {
    let (m, n) = (left.rows(), right.cols());
    // U·D and Dᴴ·Vᴴ, with the phases D, have the same product.
    let phases: Vec<T> = (0..rank).map(|j| fix_vector(left.col_mut(j))).collect();
    for j in 0..n {
        right.col_mut(j).iter_mut().zip(&phases).for_each(|(x, phase)| *x *= *phase);
    }
    MatMut::from_view(u)?.block(0, 0, m, rank)?.copy_from(left.as_ref().block(0, 0, m, rank)?)?;
    MatMut::from_view(vh)?.block(0, 0, rank, n)?.copy_from(right.as_ref().block(0, 0, rank, n)?)?;
    for (i, &x) in values[..rank].iter().enumerate() {
        // S has room for `rank` values.
        let _ = s.set(&[i], x);
    }
    Ok(())
}
