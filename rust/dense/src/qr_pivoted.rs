//! The QR decomposition with column pivoting, A[:, p] = Q·R: each column is the one of which the columns before leave
//! most.
//!
//! The pivots are chosen here, whoever computes, so that they do not depend on a library; Q and R are then those of
//! [`qr`] of the columns in that order. The algorithm is the blocked one of Quintana-Ortí, Sun and Bischof (SIAM J.
//! Sci. Comput. 19, 1486 (1998)): within a panel a reflection is applied to its own row and column only, and to the
//! rest of the matrix as one product A − V·Fᴴ when the panel ends. What is left of a column is not measured but updated
//! from step to step; where cancellation makes that unsafe it is measured again (Drmač and Bujanović, LAPACK Working
//! Note 176).

use tensoroxide_tensor::{Real, Scalar, Threads};

use crate::scaling::{scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{gemm, qr, Element, Error, MatMut, MatRef, Matrix, Qr, Resources};

/// Columns of a panel.
const PANEL: usize = 32;

/// The factors of A[:, p] = Q·R for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct QrPivoted<'w, T: Plain> {
    /// m×k, orthonormal columns.
    pub q: Matrix<'w, T>,
    /// k×n, zero below the diagonal, whose moduli do not increase, but for rounding.
    pub r: Matrix<'w, T>,
    /// Column j of Q·R is column `p[j]` of A.
    pub p: Memory<'w, i64>,
}

/// The QR decomposition of op(A) with column pivoting, where op conjugates the elements if asked to. Of columns of
/// which equally much is left, the first is taken.
///
/// # Errors
/// As [`qr`].
///
/// ```
/// use tensoroxide_dense::{qr_pivoted, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [1.0f64, 0.0, 3.0, 4.0];
/// let qr = qr_pivoted(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert_eq!(qr.p[..], [1, 0]);
/// assert!((qr.r.col(0)[0].abs() - 5.0).abs() < 1e-14 && (qr.r.col(1)[1].abs() - 0.8).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn qr_pivoted<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<QrPivoted<'w, T>, Error> {
    let (scaled, _) = scaled_copy(a, false, Part::Full, with.workspace)?;
    let p = pivots(scaled, with)?;
    let mut ordered = with.matrix(a.rows(), a.cols())?;
    ordered.as_mut().update(|i, j, x| {
        // SAFETY: `p` holds numbers of columns.
        *x = unsafe { a.get_unchecked(i, p[j] as usize) }
    });
    let Qr { q, r } = qr(ordered.as_ref(), conj, with)?;
    Ok(QrPivoted { q, r, p })
}

/// The order of the columns of A, which is scaled to about 1.
fn pivots<'w, T: Element>(a: Matrix<'_, T>, with: Resources<'w>) -> Result<Memory<'w, i64>, Error> {
    let (m, n) = (a.rows(), a.cols());
    let mut p = with.zeros::<i64>(n)?;
    p.iter_mut().enumerate().for_each(|(j, p)| *p = j as i64);
    let left = Norms { now: with.zeros(n)?, measured: with.zeros(n)? };
    let mut state = State { f: with.matrix(n, PANEL)?, products: with.zeros(PANEL)?, a, p, left };
    (0..n).for_each(|j| state.measure(0, j));
    let mut done = 0;
    while done < m.min(n) {
        done += state.panel(done, PANEL.min(m.min(n) - done))?;
    }
    Ok(state.p)
}

/// For each column, the norm of what is left of it.
struct Norms<'w, R: Plain> {
    /// As updated; negative if it has to be measured again.
    now: Memory<'w, R>,
    /// As it was when it was measured last.
    measured: Memory<'w, R>,
}

struct State<'a, 'w, T: Plain + Scalar<Real: Plain>> {
    a: Matrix<'a, T>,
    /// For each column of the panel, its reflection's part of Fᴴ: what V is multiplied by.
    f: Matrix<'w, T>,
    /// Room for the products of one vector with those before.
    products: Memory<'w, T>,
    p: Memory<'w, i64>,
    left: Norms<'w, T::Real>,
}

impl<T: Element> State<'_, '_, T> {
    fn measure(&mut self, row: usize, j: usize) {
        let squares = self.a.col(j)[row..].iter().map(|x| x.abs_sqr());
        let norm = squares.fold(<T::Real as Scalar>::ZERO, |sum, x| sum + x).sqrt();
        (self.left.now[j], self.left.measured[j]) = (norm, norm);
    }

    fn swap(&mut self, i: usize, j: usize) {
        if i == j {
            return;
        }
        let m = self.a.rows();
        let (left, right) = self.a.elements_mut().split_at_mut(j * m);
        left[i * m..][..m].swap_with_slice(&mut right[..m]);
        (0..PANEL).for_each(|l| self.f.col_mut(l).swap(i, j));
        self.p.swap(i, j);
        self.left.now.swap(i, j);
        self.left.measured.swap(i, j);
    }

    /// Reduces columns from `start` on, at most `width`, and applies their reflections to the rest; how many there
    /// were. A panel ends early where a norm has to be measured.
    fn panel(&mut self, start: usize, width: usize) -> Result<usize, Error> {
        let (m, n) = (self.a.rows(), self.a.cols());
        let mut count = 0;
        let mut sound = true;
        while count < width && sound {
            let j = start + count;
            let largest = (j..n).fold(j, |best, i| if self.left.now[i] > self.left.now[best] { i } else { best });
            self.swap(j, largest);
            self.reflect(start, count)?;
            sound = self.update_norms(j);
            count += 1;
        }
        let end = start + count;
        let (v, rest) = self.a.elements_mut().split_at_mut(end * m);
        let v = MatRef::from_slice(&v[start * m..], m, count, 1, m as isize)?.block(end, 0, m - end, count)?;
        let f = self.f.as_ref().block(end, 0, n - end, count)?;
        let rest = MatMut::from_slice(rest, m, n - end, 1, m as isize)?.block(end, 0, m - end, n - end)?;
        gemm(-T::ONE, v, false, f.t(), true, T::ONE, rest, Threads::ONE)?;
        for j in end..n {
            if self.left.now[j] < <T::Real as Scalar>::ZERO {
                self.measure(end, j);
            }
        }
        Ok(count)
    }

    /// Makes the reflection of column `start + l` with its part of F, and applies it to its own row.
    fn reflect(&mut self, start: usize, l: usize) -> Result<(), Error> {
        let (m, n, at) = (self.a.rows(), self.a.cols(), start + l);
        let (rows, behind) = (m - at, n - at - 1);
        let minus = -T::ONE;
        let (before, rest) = self.a.elements_mut().split_at_mut(at * m);
        let (column, rest) = rest.split_at_mut(m);
        let before = MatRef::from_slice(&before[start * m..], m, l, 1, m as isize)?.block(at, 0, rows, l)?;
        let (f, own_f) = self.f.elements_mut().split_at_mut(l * n);
        let f = MatRef::from_slice(f, n, l, 1, n as isize)?;

        // The reflections before, which this column has not seen yet.
        let v = MatMut::from_slice(&mut column[at..], rows, 1, 1, rows as isize)?;
        gemm(minus, before, false, f.block(at, 0, 1, l)?.t(), true, T::ONE, v, Threads::ONE)?;
        let factor = T::from_real(reflection(&mut column[at..]));

        // F = tau·(A − V·Fᴴ)ᴴ·v, with A as it was when the panel began.
        let v = MatRef::from_slice(&column[at..], rows, 1, 1, rows as isize)?;
        let right = MatRef::from_slice(rest, m, behind, 1, m as isize)?.block(at, 0, rows, behind)?;
        let mut own_f = MatMut::from_slice(&mut own_f[at + 1..n], behind, 1, 1, behind as isize)?;
        gemm(factor, right.t(), true, v, false, T::ZERO, own_f.reborrow(), Threads::ONE)?;
        let mut products = MatMut::from_slice(&mut self.products, l, 1, 1, l as isize)?;
        gemm(T::ONE, before.t(), true, v, false, T::ZERO, products.reborrow(), Threads::ONE)?;
        let f = f.block(at + 1, 0, behind, l)?;
        gemm(-factor, f, false, products.as_ref(), false, T::ONE, own_f, Threads::ONE)?;

        // The row `at`: its entries are R's from now on, and tell how much of each column is left.
        let row = MatMut::from_slice(rest, m, behind, 1, m as isize)?.block(at, 0, 1, behind)?;
        let f = self.f.as_ref().block(at + 1, 0, behind, l + 1)?;
        let mut v = [T::ONE; PANEL];
        (0..l).for_each(|c| v[c] = before.get(0, c).unwrap_or(T::ZERO));
        let v = MatRef::from_slice(&v, 1, l + 1, 1, 1)?;
        gemm(minus, v, false, f.t(), true, T::ONE, row, Threads::ONE)
    }

    /// Takes row `at` off the norms of the columns behind it; whether all of them are still to be trusted.
    fn update_norms(&mut self, at: usize) -> bool {
        let one = <T::Real as Scalar>::ONE;
        let mut sound = true;
        for j in at + 1..self.a.cols() {
            let norm = self.left.now[j];
            if norm == <T::Real as Scalar>::ZERO {
                continue;
            }
            let ratio = self.a.col(j)[at].abs() / norm;
            let part = ((one - ratio) * (one + ratio)).max(<T::Real as Scalar>::ZERO);
            let since = norm / self.left.measured[j];
            // What is left, relative to what was measured, drowns in the rounding errors of the difference.
            if part * since * since <= T::Real::EPSILON.sqrt() {
                self.left.now[j] = -one;
                sound = false;
            } else {
                self.left.now[j] = norm * part.sqrt();
            }
        }
        sound
    }
}

/// Makes of x the vector v with v₀ = 1 and returns the factor tau with (1 − tau·v·vᴴ)·x = (β, 0, …, 0), |β| = ‖x‖. With
/// the phase of β opposite to that of x₀, tau is real and nothing cancels.
fn reflection<T: Element>(x: &mut [T]) -> T::Real {
    let norm = x.iter().fold(<T::Real as Scalar>::ZERO, |sum, x| sum + x.abs_sqr()).sqrt();
    let head = x[0];
    let modulus = head.abs();
    if norm == <T::Real as Scalar>::ZERO {
        x[0] = T::ONE;
        return norm;
    }
    // x₀ − β, where β = −‖x‖·x₀/|x₀|. A head that is nothing beside the norm has no say, nor could it be divided by.
    let small = norm * T::Real::EPSILON * T::Real::EPSILON;
    let pivot = if modulus <= small { T::from_real(norm) } else { head.scale((modulus + norm) / modulus) };
    x.iter_mut().for_each(|x| *x = *x / pivot);
    x[0] = T::ONE;
    (norm + modulus) / norm
}
