//! Gaussian elimination with pivoting, A[p, :] = L·U and A[p, q] = L·U, and what follows from it: the solution of
//! systems, the inverse, the determinant.
//!
//! Small matrices, and those whose routine was not lent or returned a number that is not finite, are factored by own
//! kernels; others by LAPACK's getrf.

use tensoroxide_tensor::{Complex64, Scalar};

use crate::element::Kernels;
use crate::scaling::{exponent, largest, moderate_copy, scale_back, Triangle};
use crate::triangular::solve_in_place;
use crate::workspace::{Memory, Plain};
use crate::{Element, Error, MatRef, Matrix, Provider, Resources};

/// Rows and columns up to which own kernels are faster than a call of LAPACK.
const SMALL: usize = 16;

/// Right-hand sides of an adjoint system up to which the factors are not copied for it.
const FEW: usize = 4;

/// The factors of A = 2^e·Pᵀ·L·U·Qᵀ for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct Lu<'w, T: Plain> {
    /// m×n: L (m×k) below the diagonal, with ones on it, and U (k×n) on and above it.
    pub factors: Matrix<'w, T>,
    /// For each i < k in turn, the row that changes places with row i.
    pub row_swaps: Memory<'w, i64>,
    /// Likewise for columns; empty with partial pivoting.
    pub column_swaps: Memory<'w, i64>,
    /// e, which is 0 for entries that are not near an end of the range.
    pub exponent: i32,
}

/// A[p, :] = L·U with partial pivoting, where `conj` has the elements of A conjugated first: in each column, the
/// largest |re| + |im| that is left is the pivot, the first of equals. A zero pivot is no error.
///
/// # Errors
/// [`Error::NotFinite`] if A holds NaN or infinity; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{lu, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let lu = lu(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert_eq!((lu.row_swaps[0], lu.factors.elements()), (1, &[2.0, 0.5, 4.0, 1.0][..]));
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn lu<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Lu<'w, T>, Error> {
    let (mut factors, exponent) = moderate_copy(a, conj, Triangle::Both, with.workspace)?;
    let (m, n) = (a.rows(), a.cols());
    let mut row_swaps = with.zeros(m.min(n))?;
    let column_swaps = with.zeros(0)?;
    if row_swaps.is_empty() {
        return Ok(Lu { factors, row_swaps, column_swaps, exponent });
    }
    if by_lent(m.max(n), with.provider) && T::lent_lu(&mut factors, &mut row_swaps).is_some() {
        if largest(factors.elements()).is_ok() {
            return Ok(Lu { factors, row_swaps, column_swaps, exponent });
        }
        // Reciprocals of tiny pivots are infinite in some libraries.
        factors = moderate_copy(a, conj, Triangle::Both, with.workspace)?.0;
    }
    T::own_lu(&mut factors, &mut row_swaps);
    Ok(Lu { factors, row_swaps, column_swaps, exponent })
}

/// A[p, q] = L·U with complete pivoting, otherwise as [`lu`]: the pivot is the largest |re| + |im| in all that is
/// left, the first of equals column by column.
///
/// # Errors
/// As [`lu`].
///
/// ```
/// use tensoroxide_dense::{lu_complete, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let lu = lu_complete(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert_eq!((lu.row_swaps[0], lu.column_swaps[0]), (1, 1));
/// assert_eq!(lu.factors.elements(), [4.0, 0.75, 2.0, -0.5]);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn lu_complete<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Lu<'w, T>, Error> {
    let (mut factors, exponent) = moderate_copy(a, conj, Triangle::Both, with.workspace)?;
    let k = a.rows().min(a.cols());
    let (mut row_swaps, mut column_swaps) = (with.zeros(k)?, with.zeros(k)?);
    T::own_lu_complete(&mut factors, &mut row_swaps, &mut column_swaps);
    Ok(Lu { factors, row_swaps, column_swaps, exponent })
}

/// Whether a routine that was lent should factor a matrix with so many rows or columns.
pub(crate) fn by_lent(n: usize, provider: Provider) -> bool {
    match provider {
        Provider::Own => false,
        Provider::Lent => true,
        Provider::Auto => n > SMALL,
    }
}

impl<'w, T: Element> Lu<'w, T> {
    /// L, m×k.
    pub fn l(&self, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
        let (m, k) = (self.factors.rows(), self.row_swaps.len());
        let mut l = with.matrix(m, k)?;
        for j in 0..k {
            l.col_mut(j)[j..].copy_from_slice(&self.factors.col(j)[j..]);
            l.col_mut(j)[j] = T::ONE;
        }
        Ok(l)
    }

    /// U, k×n, for A itself: with 2^e.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if an entry is too large for the type; [`Error::OutOfMemory`].
    pub fn u(&self, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
        let (k, n) = (self.row_swaps.len(), self.factors.cols());
        let mut u = with.matrix(k, n)?;
        for j in 0..n {
            let len = k.min(j + 1);
            u.col_mut(j)[..len].copy_from_slice(&self.factors.col(j)[..len]);
        }
        scale_back(u.elements_mut(), self.exponent)?;
        Ok(u)
    }

    /// p: which rows of A are the rows of L·U.
    pub fn rows(&self, with: Resources<'w>) -> Result<Memory<'w, i64>, Error> {
        order(self.factors.rows(), &self.row_swaps, with)
    }

    /// q: which columns of A are the columns of L·U.
    pub fn columns(&self, with: Resources<'w>) -> Result<Memory<'w, i64>, Error> {
        order(self.factors.cols(), &self.column_swaps, with)
    }

    /// The solution of A·X = B for a square A and partial pivoting.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Singular`] for a zero pivot; [`Error::NotFinite`] if B holds NaN or infinity, or if
    /// an element of X is too large for the type; [`Error::OutOfMemory`].
    pub fn solve(&self, b: MatRef<T>, conj_b: bool, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
        let n = self.regular()?;
        if b.rows() != n {
            return Err(Error::Shape { operand: "B", expected: (n, b.cols()), found: (b.rows(), b.cols()) });
        }
        let (mut x, e) = moderate_copy(b, conj_b, Triangle::Both, with.workspace)?;
        for j in 0..x.cols() {
            let column = x.col_mut(j);
            self.row_swaps.iter().enumerate().for_each(|(i, &row)| column.swap(i, row as usize));
        }
        solve_in_place(&self.factors, Triangle::UnitLower, &mut x, with.provider);
        solve_in_place(&self.factors, Triangle::Upper, &mut x, with.provider);
        scale_back(x.elements_mut(), e - self.exponent)?;
        Ok(x)
    }

    /// The solution of Aᴴ·X = B for a square A and partial pivoting.
    ///
    /// # Errors
    /// As [`Lu::solve`].
    ///
    /// ```
    /// use tensoroxide_dense::{lu, MatRef, Resources, Workspace};
    /// let workspace = Workspace::default();
    /// let (a, b) = ([0.0, 2.0, 4.0, 1.0], [8.0, 6.0]);
    /// let (a, b) = (MatRef::from_slice(&a, 2, 2, 1, 2)?, MatRef::from_slice(&b, 2, 1, 1, 2)?);
    /// let lu = lu(a, false, Resources::of(&workspace))?;
    /// let x = lu.solve_adjoint(b, false, Resources::of(&workspace))?;
    /// assert_eq!(x.col(0), [0.5, 4.0]);
    /// # Ok::<(), tensoroxide_dense::Error>(())
    /// ```
    pub fn solve_adjoint(&self, b: MatRef<T>, conj_b: bool, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
        let n = self.regular()?;
        if b.rows() != n {
            return Err(Error::Shape { operand: "B", expected: (n, b.cols()), found: (b.rows(), b.cols()) });
        }
        let (mut x, e) = moderate_copy(b, conj_b, Triangle::Both, with.workspace)?;
        if x.cols() <= FEW {
            (0..x.cols()).for_each(|j| self.solve_adjoint_column(x.col_mut(j)));
        } else {
            let adjoint = with.copy_of(self.factors.as_ref().t(), true)?;
            solve_in_place(&adjoint, Triangle::Lower, &mut x, with.provider);
            solve_in_place(&adjoint, Triangle::UnitUpper, &mut x, with.provider);
        }
        for j in 0..x.cols() {
            let column = x.col_mut(j);
            self.row_swaps.iter().enumerate().rev().for_each(|(i, &row)| column.swap(i, row as usize));
        }
        scale_back(x.elements_mut(), e - self.exponent)?;
        Ok(x)
    }

    /// Uᴴ and Lᴴ, along the columns of the factors.
    fn solve_adjoint_column(&self, x: &mut [T]) {
        let n = x.len();
        for j in 0..n {
            let column = self.factors.col(j);
            x[j] = (x[j] - dot(&column[..j], &x[..j])) / column[j].conj();
        }
        for j in (0..n).rev() {
            let below = dot(&self.factors.col(j)[j + 1..], &x[j + 1..]);
            x[j] -= below;
        }
    }

    /// The inverse of a square A, with partial pivoting.
    ///
    /// # Errors
    /// As [`Lu::solve`].
    pub fn inverse(&self, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
        let n = self.regular()?;
        if n > 0 && by_lent(n, with.provider) {
            let mut inverse = with.copy_of(self.factors.as_ref(), false)?;
            let lent = T::lent_inverse(&mut inverse, &self.row_swaps, with.workspace);
            if matches!(lent, Some(Ok(()))) && largest(inverse.elements()).is_ok() {
                scale_back(inverse.elements_mut(), -self.exponent)?;
                return Ok(inverse);
            }
        }
        let mut identity = with.matrix(n, n)?;
        (0..n).for_each(|j| identity.col_mut(j)[j] = T::ONE);
        self.solve(identity.as_ref(), false, with)
    }

    /// The determinant of a square A as (z, e) for z·2^e with 1 ≤ max(|re z|, |im z|) < 2, or z = 0.
    pub fn det(&self) -> (Complex64, i64) {
        let n = self.row_swaps.len();
        let swapped = |swaps: &[i64]| swaps.iter().enumerate().filter(|(i, &row)| row as usize != *i).count();
        let odd = (swapped(&self.row_swaps) + swapped(&self.column_swaps)) % 2 == 1;
        let mut z = Complex64::from(if odd { -1.0 } else { 1.0 });
        let mut e = i64::from(self.exponent) * n as i64;
        for i in 0..n {
            let (pivot, shift) = normal(self.factors.col(i)[i].to_c64());
            let (product, carry) = normal(z * pivot);
            (z, e) = (product, e + i64::from(shift) + i64::from(carry));
        }
        (z, if z == Complex64::ZERO { 0 } else { e })
    }

    /// The number of rows of a square matrix without a zero pivot.
    fn regular(&self) -> Result<usize, Error> {
        let (m, n) = (self.factors.rows(), self.factors.cols());
        if m != n {
            return Err(Error::Shape { operand: "A", expected: (m, m), found: (m, n) });
        }
        regular_diagonal(&self.factors)?;
        Ok(n)
    }
}

/// Σ conj(xᵢ)·yᵢ, in eight sums that do not wait for each other.
fn dot<T: Kernels>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; 8];
    let (x_chunks, y_chunks) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest = x_chunks.remainder().iter().zip(y_chunks.remainder());
    let rest = rest.fold(T::ZERO, |sum, (x, y)| sum + x.conj() * *y);
    for (x, y) in x_chunks.zip(y_chunks) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x.conj() * *y;
        }
    }
    sums.into_iter().fold(rest, |sum, x| sum + x)
}

/// [`Error::Singular`] for the first zero on the diagonal of a square matrix.
pub(crate) fn regular_diagonal<T: Kernels>(a: &Matrix<'_, T>) -> Result<(), Error> {
    match (0..a.cols()).find(|&j| a.col(j)[j] == T::ZERO) {
        Some(index) => Err(Error::Singular { index }),
        None => Ok(()),
    }
}

/// z·2^−e with its larger part from 1 to 2, and e.
fn normal(z: Complex64) -> (Complex64, i32) {
    let e = exponent(z.re.abs().max(z.im.abs()));
    let (first, second) = crate::scaling::factors::<f64>(-e);
    (z.scale(first).scale(second), e)
}

/// 0..n after the exchanges.
fn order<'w>(n: usize, swaps: &[i64], with: Resources<'w>) -> Result<Memory<'w, i64>, Error> {
    let mut order = with.zeros::<i64>(n)?;
    order.iter_mut().enumerate().for_each(|(i, x)| *x = i as i64);
    swaps.iter().enumerate().for_each(|(i, &j)| order.swap(i, j as usize));
    Ok(order)
}
