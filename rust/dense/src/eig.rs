//! Eigenvalues and eigenvectors of a matrix that need not be Hermitian, A·V = V·Diagonal(w).
//!
//! Roads: the own QR iteration for matrices up to a size, faer beyond; LAPACK's geev, if lent; the own iteration
//! without balancing. The next one is taken if the one before did not converge, or if its vectors have a residual
//! above the bound of [`eig`].

use tensoroxide_tensor::{Complex64, Real, Scalar, Threads};

use crate::driver::{first, Driver};
use crate::element::Kernels;
use crate::own::{Ask, Double, Values};
use crate::scaling::{factors, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{gemm, Element, Error, MatRef, Matrix, Provider, Resources, Workspace};

/// Eigenvalues and eigenvectors.
#[derive(Debug)]
pub struct Eig<'w, C: Plain> {
    /// n eigenvalues, in no order that counts; of a real matrix, the two of a conjugate pair are neighbours, and exact
    /// conjugates.
    pub w: Memory<'w, C>,
    /// n×n; the columns have norm 1 and any phase. Of a real matrix, the vectors of real values are real, and those
    /// of a pair conjugates.
    pub v: Matrix<'w, C>,
}

/// A residual is accepted up to this times n·eps·‖A‖.
const RESIDUAL: f64 = 10.0;

/// Eigenvalues and eigenvectors of op(A), where op conjugates the elements if asked to: ‖A·v − λ·v‖ ≤ 10·n·eps·‖A‖
/// with the Frobenius norm, for each.
///
/// A defective matrix has fewer independent vectors than values; some are then parallel, up to rounding.
///
/// # Errors
/// [`Error::Shape`] if A is not square; [`Error::NotFinite`] if A holds NaN or infinity, or if an eigenvalue is too
/// large for the type; [`Error::Exhausted`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{eig, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [0.0f64, 1.0, -1.0, 0.0];
/// let eig = eig(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!(eig.w[0].re.abs() < 1e-15 && (eig.w[0].im.abs() - 1.0).abs() < 1e-15);
/// assert_eq!(eig.w[1], eig.w[0].conj());
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eig<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Eig<'w, T::Complex>, Error> {
    decompose(a, conj, true, with)
}

/// The eigenvalues of op(A) alone, as those of [`eig`] in order and pairs, and equal to them up to rounding.
///
/// # Errors
/// As [`eig`].
///
/// ```
/// use tensoroxide_dense::{eig_values, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [0.0f64, 1.0, -1.0, 0.0];
/// let w = eig_values(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((w[0] * w[1] - 1.0).norm() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eig_values<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    with: Resources<'w>,
) -> Result<Memory<'w, T::Complex>, Error> {
    Ok(decompose(a, conj, false, with)?.w)
}

fn decompose<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    vectors: bool,
    with: Resources<'w>,
) -> Result<Eig<'w, T::Complex>, Error> {
    let n = a.rows();
    if a.cols() != n {
        return Err(Error::Shape { operand: "A", expected: (n, n), found: (n, a.cols()) });
    }
    let (a, e) = scaled_copy(a, conj, Part::Full, with.workspace)?;
    if n == 0 {
        return Ok(Eig { w: with.zeros(0)?, v: with.matrix(0, 0)? });
    }
    let values = any_driver(&a, vectors, with)?;
    let w = scaled_back(&values.w, e, with)?;
    let v = unpacked(&values, &w, with)?;
    Ok(Eig { w, v })
}

/// Eigenvalues times 2^e in the element type; [`Error::NotFinite`] if one is too large for it.
pub(crate) fn scaled_back<'w, C: Plain + Scalar>(
    values: &[Complex64],
    e: i32,
    with: Resources<'w>,
) -> Result<Memory<'w, C>, Error> {
    let mut w = with.zeros::<C>(values.len())?;
    let factors = factors::<f64>(e);
    for (w, value) in w.iter_mut().zip(values) {
        *w = C::from_c64(value.scale(factors.0).scale(factors.1));
        if !w.is_finite() {
            return Err(Error::NotFinite);
        }
    }
    Ok(w)
}

/// The largest matrix for which the own iteration took no longer than a good LAPACK, and than faer, which beyond
/// takes less time than LAPACK: measured.
pub(crate) const OWN_UP_TO: usize = 160;

fn any_driver<'w, T: Kernels>(
    a: &Matrix<'_, T>,
    vectors: bool,
    with: Resources<'w>,
) -> Result<Values<'w, T::Double>, Error> {
    use Driver::*;
    let n = a.rows();
    let chain: &[Driver] = match with.provider {
        Provider::Auto if n <= OWN_UP_TO => &[Iteration, Geev, Unbalanced, Faer],
        Provider::Auto => &[Faer, Geev, Iteration, Unbalanced],
        Provider::Lent => &[Geev, Iteration, Unbalanced, Faer],
        Provider::Own if n <= OWN_UP_TO => &[Iteration, Unbalanced, Faer],
        Provider::Own => &[Faer, Iteration, Unbalanced],
    };
    first_sound(a, vectors, chain, with, |driver, a, double| match driver {
        Geev => T::lent_geev(a, vectors, with.workspace),
        // Its values without vectors could not be checked.
        Faer => vectors.then(|| T::Double::evd(double, with.workspace)),
        _ => {
            let ask = if vectors { Ask::Eigenvectors } else { Ask::Values };
            let copy = with.copy_of(double.as_ref(), false);
            Some(copy.and_then(|a| T::own_nonsymmetric(a, ask, driver == Iteration, with.workspace)))
        }
    })
}

/// What a driver returns; `None` if it cannot compute this.
type Attempt<'w, D> = Option<Result<Values<'w, D>, Error>>;

/// The first result that is finite and whose vectors, if there are any, have small residuals.
fn first_sound<'w, T: Kernels>(
    a: &Matrix<'_, T>,
    vectors: bool,
    chain: &[Driver],
    with: Resources<'w>,
    mut attempt: impl FnMut(Driver, &Matrix<'_, T>, &Matrix<'w, T::Double>) -> Attempt<'w, T::Double>,
) -> Result<Values<'w, T::Double>, Error> {
    let mut double = with.matrix::<T::Double>(a.rows(), a.cols())?;
    let copy = double.elements_mut().iter_mut().zip(a.elements());
    copy.for_each(|(x, y)| *x = Scalar::from_c64(y.to_c64()));
    let norm = double.elements().iter().map(|x| x.abs_sqr()).sum::<f64>().sqrt();
    let bound = RESIDUAL * a.rows() as f64 * T::Real::EPSILON.to_f64() * norm;
    first(chain, |driver| {
        let sound = |values: Values<'w, _>| {
            let finite = values.w.iter().all(|w| w.is_finite());
            match finite && (!vectors || residual(&double, &values, with.workspace)? <= bound) {
                true => Ok(values),
                false => Err(Error::NoConvergence),
            }
        };
        Some(attempt(driver, a, &double)?.and_then(sound))
    })
}

/// The largest ‖A·v − λ·v‖/‖v‖; infinite for a vector that is zero or not finite.
fn residual<D: Element<Real = f64>>(
    a: &Matrix<'_, D>,
    values: &Values<'_, D>,
    workspace: &Workspace,
) -> Result<f64, Error> {
    let n = a.rows();
    let mut product = Matrix::<D>::zeros(n, n, workspace)?;
    gemm(D::ONE, a.as_ref(), false, values.v.as_ref(), false, D::ZERO, product.as_mut(), Threads::ONE)?;
    let (mut largest, mut j) = (0.0, 0);
    while j < n {
        let (mut of_residual, mut of_vector) = (0.0, 0.0);
        let columns = if is_pair(values, j) { 2 } else { 1 };
        let value = values.w[j];
        for i in 0..n {
            let (x, y) = (element(&values.v, i, j, columns), element(&product, i, j, columns));
            of_vector += x.norm_sqr();
            of_residual += (y - value * x).norm_sqr();
        }
        let ratio = (of_residual / of_vector).sqrt();
        largest = if ratio.is_finite() { f64::max(largest, ratio) } else { f64::INFINITY };
        j += columns;
    }
    Ok(largest)
}

/// Whether the values j and j+1 of a real matrix are a pair.
fn is_pair<D: Plain + Scalar>(values: &Values<'_, D>, j: usize) -> bool {
    !D::DTYPE.is_complex() && values.w[j].im != 0.0 && j + 1 < values.w.len()
}

/// Element i of the vector in column j, or, of a pair, in columns j and j+1.
fn element<D: Plain + Scalar>(v: &Matrix<'_, D>, i: usize, j: usize, columns: usize) -> Complex64 {
    let x = v.col(j)[i].to_c64();
    if columns == 2 {
        Complex64::new(x.re, v.col(j + 1)[i].to_c64().re)
    } else {
        x
    }
}

/// The vectors of packed ones, normalised, for the eigenvalues `w` as they are returned.
fn unpacked<'w, D: Plain + Scalar<Real = f64>, C: Plain + Scalar>(
    values: &Values<'_, D>,
    w: &[C],
    with: Resources<'w>,
) -> Result<Matrix<'w, C>, Error> {
    let n = values.v.cols();
    let mut v = with.matrix::<C>(n, n)?;
    let mut j = 0;
    while j < n {
        let columns = if is_pair(values, j) { 2 } else { 1 };
        let norm = (0..n).map(|i| element(&values.v, i, j, columns).norm_sqr()).sum::<f64>().sqrt();
        for i in 0..n {
            let x = element(&values.v, i, j, columns) / norm;
            v.col_mut(j)[i] = C::from_c64(x);
            if columns == 2 {
                v.col_mut(j + 1)[i] = C::from_c64(x.conj());
            }
        }
        if columns == 2 && w[j].im() == Scalar::ZERO {
            parted(&mut v, j);
        }
        j += columns;
    }
    Ok(v)
}

/// Replaces the vectors of a pair whose imaginary parts are too small for the type, so that its values are real and equal, by
/// real vectors: the real and the imaginary part, where the largest entry is real, and if the latter is next to nothing, the
/// former twice.
fn parted<C: Plain + Scalar>(v: &mut Matrix<'_, C>, j: usize) {
    let lead = v.col(j).iter().map(|x| x.to_c64()).fold(Complex64::ZERO, |lead, x| match x.norm() > lead.norm() {
        true => x,
        false => lead,
    });
    let phase = lead.conj() / lead.norm();
    let (mut re, mut im) = (0.0, 0.0);
    for x in v.col(j) {
        let x = x.to_c64() * phase;
        (re, im) = (re + x.re * x.re, im + x.im * x.im);
    }
    let (re, im) = (re.sqrt(), im.sqrt());
    for i in 0..v.rows() {
        let x = v.col(j)[i].to_c64() * phase;
        v.col_mut(j)[i] = C::from_c64((x.re / re).into());
        v.col_mut(j + 1)[i] = C::from_c64(if im > 1e-6 { x.im / im } else { x.re / re }.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'w, T: Kernels>(n: usize, with: Resources<'w>) -> Matrix<'w, T> {
        let mut a = with.matrix(n, n).unwrap();
        a.as_mut().update(|i, j, x: &mut T| {
            *x = T::from_c64(
                Complex64::new((3 * i + j * j) as f64, (i % 3) as f64).sin() + if i == j { j as f64 } else { 0.0 },
            );
        });
        a
    }

    fn only<'w, T: Kernels>(driver: Driver, a: &Matrix<'w, T>, with: Resources<'w>) -> Option<Error> {
        first_sound(a, true, &[driver], with, |driver, _, double| match driver {
            Driver::Faer => Some(T::Double::evd(double, with.workspace)),
            _ => Some(T::own_nonsymmetric(
                with.copy_of(double.as_ref(), false).unwrap(),
                Ask::Eigenvectors,
                driver == Driver::Iteration,
                with.workspace,
            )),
        })
        .err()
    }

    #[test]
    fn every_driver_has_small_residuals() {
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        for n in [1, 2, 3, 10, 80] {
            for driver in [Driver::Iteration, Driver::Unbalanced, Driver::Faer] {
                assert_eq!(only(driver, &sample::<f64>(n, with), with), None, "{n}");
                assert_eq!(only(driver, &sample::<f32>(n, with), with), None, "{n}");
                assert_eq!(only(driver, &sample::<Complex64>(n, with), with), None, "{n}");
            }
        }
    }

    fn exhausted(drivers: &[Driver]) -> Error {
        Error::Exhausted { tried: drivers.iter().copied().collect() }
    }

    #[test]
    fn a_driver_that_is_wrong_is_found_out() {
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        let a = sample::<f64>(6, with);
        type Spoil<'a> = &'a dyn Fn(&mut Values<'_, f64>);
        let run = |spoil: Spoil<'_>, drivers: &[Driver]| {
            let mut calls = 0;
            let result = first_sound(&a, true, drivers, with, |_, _, double| {
                calls += 1;
                let copy = with.copy_of(double.as_ref(), false).unwrap();
                let mut values = f64::own_nonsymmetric(copy, Ask::Eigenvectors, true, with.workspace).unwrap();
                if calls == 1 {
                    spoil(&mut values);
                }
                Some(Ok(values))
            });
            (result.err(), calls)
        };
        let spoils: [Spoil<'_>; 4] = [
            &|values| values.w[0] += 1e-9,
            &|values| values.w[1].im = f64::NAN,
            &|values| values.v.col_mut(3)[2] += 1e-8,
            &|values| values.v.col_mut(2).fill(0.0),
        ];
        for (i, spoil) in spoils.into_iter().enumerate() {
            assert_eq!(run(spoil, &[Driver::Iteration, Driver::Faer]), (None, 2), "{i}");
            assert_eq!(run(spoil, &[Driver::Iteration]), (Some(exhausted(&[Driver::Iteration])), 1));
        }
        assert_eq!(run(&|_| {}, &[Driver::Iteration, Driver::Faer]), (None, 1));
        let none = first_sound(&a, true, &[Driver::Geev], with, |_, _, _| None);
        assert_eq!(none.err(), Some(exhausted(&[])));
        let failed = first_sound(&a, true, &[Driver::Geev], with, |_, _, _| Some(Err(Error::NoConvergence)));
        assert_eq!(failed.err(), Some(exhausted(&[Driver::Geev])));
        let memory = first_sound(&a, true, &[Driver::Geev], with, |_, _, _| Some(Err(Error::OutOfMemory)));
        assert_eq!(memory.err(), Some(Error::OutOfMemory));
    }
}
