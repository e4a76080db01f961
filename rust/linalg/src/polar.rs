//! The polar decomposition, through the singular value decomposition.

use tensoroxide_dense::{gemm, svd, Element, MatMut, Matrix, Resources, Svd};
use tensoroxide_tensor::{Real, Scalar, Threads, View, ViewMut};

use crate::stack::{each, Run, Stack, StackMut};
use crate::Error;

/// A = W·P for A of m×n with m ≥ n, where `conj_a` has the elements of A conjugated first.
///
/// W is m×n with orthonormal columns, the isometry nearest to A; P is n×n, Hermitian to the last bit and positive
/// semidefinite. P is always unique, W where A has full rank; otherwise W is one of the isometries that fit.
///
/// # Errors
/// [`Error::Shape`] also if m < n; otherwise as [`crate::svd_compact`].
///
/// ```
/// use tensoroxide_linalg::{left_polar, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut w, mut p) = ([3.0, -4.0], [0.0f64; 2], [0.0f64]);
/// left_polar(
///     View::new(&a, &[2, 1], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut w, &[2, 1], &[1, 2], 0)?,
///     ViewMut::new(&mut p, &[1, 1], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((p[0] - 5.0).abs() < 1e-14 && (w[0] - 0.6).abs() < 1e-15 && (w[1] + 0.8).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn left_polar<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    w: ViewMut<'_, T>,
    p: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    if m < n {
        return Err(Error::Shape { operand: "A", expected: vec![(n, usize::MAX), (n, n)], found: vec![m, n] });
    }
    let w = StackMut::new(w, "W", &[(m, m), (n, n)], a.batch())?;
    let p = StackMut::new(p, "P", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 24.0 * (m * n * n) as f64, run, (w, p), |i, (w, p), with| {
        let Svd { u, s, vh } = svd(a.at(i), conj_a, with)?;
        // Vᴴ is square, so that V is at hand as its adjoint.
        let v = Matrix::copy_of(vh.as_ref().t(), true, with.workspace)?;
        write(&u, &vh, w, with)?;
        write_hermitian(&v, &s, p, with)
    })
}

/// A = P·Wᴴ for A of m×n with m ≤ n, where `conj_a` has the elements of A conjugated first.
///
/// Wᴴ is m×n with orthonormal rows; P is m×m, Hermitian to the last bit and positive semidefinite. What [`left_polar`]
/// says of uniqueness holds.
///
/// # Errors
/// [`Error::Shape`] also if m > n; otherwise as [`crate::svd_compact`].
///
/// ```
/// use tensoroxide_linalg::{right_polar, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut p, mut wh) = ([3.0, -4.0], [0.0f64], [0.0f64; 2]);
/// right_polar(
///     View::new(&a, &[1, 2], &[1, 1], 0)?,
///     false,
///     ViewMut::new(&mut p, &[1, 1], &[1, 1], 0)?,
///     ViewMut::new(&mut wh, &[1, 2], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((p[0] - 5.0).abs() < 1e-14 && (wh[0] - 0.6).abs() < 1e-15 && (wh[1] + 0.8).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn right_polar<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    p: ViewMut<'_, T>,
    wh: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    if m > n {
        return Err(Error::Shape { operand: "A", expected: vec![(m, m), (m, usize::MAX)], found: vec![m, n] });
    }
    let p = StackMut::new(p, "P", &[(m, m), (m, m)], a.batch())?;
    let wh = StackMut::new(wh, "Wᴴ", &[(m, m), (n, n)], a.batch())?;
    each(a.batch(), 24.0 * (m * m * n) as f64, run, (p, wh), |i, (p, wh), with| {
        let Svd { u, s, vh } = svd(a.at(i), conj_a, with)?;
        write(&u, &vh, wh, with)?;
        write_hermitian(&u, &s, p, with)
    })
}

/// U·Vᴴ.
fn write<T: Element>(
    u: &Matrix<'_, T>,
    vh: &Matrix<'_, T>,
    w: MatMut<'_, T>,
    with: Resources<'_>,
) -> Result<(), Error> {
    let mut product = with.matrix(u.rows(), vh.cols())?;
    gemm(T::ONE, u.as_ref(), false, vh.as_ref(), false, T::ZERO, product.as_mut(), Threads::ONE)?;
    Ok(w.copy_from(product.as_ref())?)
}

/// V·Diagonal(values)·Vᴴ for real values, Hermitian to the last bit: the lower triangle and its mirror image.
///
/// # Errors
/// [`Error::NotFinite`] if an element is too large for the type.
pub(crate) fn write_hermitian<T: Element>(
    v: &Matrix<'_, T>,
    values: &[T::Real],
    to: MatMut<'_, T>,
    with: Resources<'_>,
) -> Result<(), Error> {
    let n = v.rows();
    // Divided by their largest, since a sum of large terms may overflow on the way.
    let largest = values.iter().fold(<T::Real as Scalar>::ZERO, |largest, &x| largest.max(x.abs()));
    let unit = if largest > <T::Real as Scalar>::ZERO { largest } else { <T::Real as Scalar>::ONE };
    let mut scaled = Matrix::copy_of(v.as_ref(), false, with.workspace)?;
    for (j, &value) in values.iter().enumerate() {
        scaled.col_mut(j).iter_mut().for_each(|x| *x = x.scale(value / unit));
    }
    let mut product = with.matrix(n, n)?;
    gemm(T::ONE, scaled.as_ref(), false, v.as_ref().t(), true, T::ZERO, product.as_mut(), Threads::ONE)?;
    let elements = product.elements_mut();
    let mut finite = true;
    for j in 0..n {
        elements[j + n * j] = T::from_real(elements[j + n * j].re());
        for i in j..n {
            let x = elements[i + n * j].scale(unit);
            finite &= x.is_finite();
            elements[i + n * j] = x;
            if i > j {
                elements[j + n * i] = x.conj();
            }
        }
    }
    if !finite {
        return Err(Error::NotFinite);
    }
    Ok(to.copy_from(product.as_ref())?)
}
