//! Eigenvalues and eigenvectors of matrices that need not be Hermitian.

use tensoroxide_dense::{eig, eig_values, Element};
use tensoroxide_tensor::{Real, Scalar, View, ViewMut};

use crate::gauge::fix_vector;
use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// A·V = V·Diagonal(w), where `conj_a` has the elements of A conjugated first.
///
/// With A of n×n, w has n complex values in the order of [`eig_vals`], and V is n×n: its columns have norm 1 and the
/// gauge of the columns of U in [`crate::svd_compact`]. For each, ‖A·v − λ·v‖ ≤ 10·n·eps·‖A‖ with the Frobenius norm.
/// Of real A, the vectors of real values are real, and those of a pair are conjugates, to the last bit.
///
/// A defective matrix has fewer independent eigenvectors than n: some columns of V are then parallel, up to rounding.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::Exhausted`], [`Error::OutOfMemory`]. The outputs
/// are then as they were.
///
/// ```
/// use tensoroxide_linalg::{eig_full, Run, Workspaces};
/// use tensoroxide_tensor::{Complex64, View, ViewMut};
/// let a = [0.0, 1.0, -1.0, 0.0];
/// let (mut w, mut v) = ([Complex64::ZERO; 2], [Complex64::ZERO; 4]);
/// eig_full(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut w, &[2], &[1], 0)?,
///     ViewMut::new(&mut v, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((w[0] + Complex64::I).norm() < 1e-15 && w[1] == w[0].conj());
/// let root = 0.5f64.sqrt();
/// assert!((v[0] - root).norm() < 1e-15 && (v[1] - root * Complex64::I).norm() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eig_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    w: ViewMut<'_, T::Complex>,
    v: ViewMut<'_, T::Complex>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    let v = StackMut::new(v, "V", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 25.0 * (n * n * n) as f64, run, (w, v), |i, (mut w, mut v), with| {
        let mut eig = eig(a.at(i), conj_a, with)?;
        let mut order = with.zeros::<usize>(n)?;
        sort::<T::Complex>(&eig.w, &mut order);
        for (l, &from) in order.iter().enumerate() {
            let vector = eig.v.col_mut(from);
            let real = vector.iter().all(|x| x.im() == Scalar::ZERO);
            fix_vector(vector);
            if real {
                // Without zeros of either sign.
                vector.iter_mut().for_each(|x| *x = Scalar::from_real(x.re()));
            }
            v.reborrow().block(0, l, n, 1)?.copy_from(column(vector))?;
            w.reborrow().block(l, 0, 1, 1)?.copy_from(column(&eig.w[from..from + 1]))?;
        }
        Ok(())
    })
}

/// The n eigenvalues of A, by ascending real part, those of equal real part by ascending imaginary part.
///
/// Real parts count as equal if they differ by at most 10·√n·eps of the largest modulus: of all that are left, the
/// values whose real part is so near to the smallest one are sorted by imaginary part, and so on. Of real A, the
/// values that are not real come in pairs of exact conjugates.
///
/// # Errors
/// As [`eig_full`].
///
/// ```
/// use tensoroxide_linalg::{eig_vals, Run, Workspaces};
/// use tensoroxide_tensor::{Complex64, View, ViewMut};
/// let (a, mut w) = ([0.0, 1.0, -1.0, 0.0], [Complex64::ZERO; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// eig_vals(View::new(&a, &[2, 2], &[1, 2], 0)?, false, ViewMut::new(&mut w, &[2], &[1], 0)?, run)?;
/// assert!((w[0] + Complex64::I).norm() < 1e-15 && w[1] == w[0].conj());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eig_vals<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    w: ViewMut<'_, T::Complex>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    each(a.batch(), 10.0 * (n * n * n) as f64, run, w, |i, mut w, with| {
        let values = eig_values(a.at(i), conj_a, with)?;
        let mut order = with.zeros::<usize>(n)?;
        sort::<T::Complex>(&values, &mut order);
        for (l, &from) in order.iter().enumerate() {
            w.reborrow().block(l, 0, 1, 1)?.copy_from(column(&values[from..from + 1]))?;
        }
        Ok(())
    })
}

/// The order of [`eig_vals`].
fn sort<C: Scalar>(w: &[C], order: &mut [usize]) {
    order.iter_mut().enumerate().for_each(|(i, at)| *at = i);
    let (re, im) = (|i: usize| w[i].re().to_f64(), |i: usize| w[i].im().to_f64());
    // Where the values are the same, the drivers' order stays, so that the order is always the same.
    order.sort_unstable_by(|&i, &j| re(i).total_cmp(&re(j)).then(im(i).total_cmp(&im(j))).then(i.cmp(&j)));
    let largest = w.iter().map(|w| w.to_c64().norm()).fold(0.0, f64::max);
    let slack = 10.0 * (w.len() as f64).sqrt() * C::Real::EPSILON.to_f64() * largest;
    let mut rest = order;
    while let Some(&first) = rest.first() {
        let equal = rest.iter().take_while(|&&i| re(i) <= re(first) + slack).count();
        let (group, others) = rest.split_at_mut(equal);
        group.sort_unstable_by(|&i, &j| im(i).total_cmp(&im(j)).then(re(i).total_cmp(&re(j))).then(i.cmp(&j)));
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::{Complex32, Complex64};

    fn sorted<C: Scalar>(w: &[C]) -> Vec<C> {
        let mut order = vec![0; w.len()];
        sort(w, &mut order);
        order.into_iter().map(|i| w[i]).collect()
    }

    #[test]
    fn real_parts_that_rounding_made_different_are_equal() {
        let z = Complex64::new;
        let w = [z(1.0, 0.0), z(1e-16, 2.0), z(0.0, -1.0), z(1e-16, -2.0), z(0.0, 1.0), z(-1.0, 5.0)];
        assert_eq!(sorted(&w), [w[5], w[3], w[2], w[4], w[1], w[0]]);
        // A difference that is none of rounding.
        let w = [z(1e-12, -1.0), z(0.0, 1.0)];
        assert_eq!(sorted(&w), [w[1], w[0]]);
        let z = Complex32::new;
        let w = [z(1e-7, -1.0), z(0.0, 1.0)];
        assert_eq!(sorted(&w), w);
        assert_eq!(sorted::<Complex64>(&[]), []);
    }
}
