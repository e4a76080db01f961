//! Any map projected onto a Krylov space: a small matrix, its eigenvectors, and its Schur vectors for the eigenvalues
//! that are wanted.

use std::cmp::Ordering;

use tensoroxide_dense::{eig, gemm, schur, svd, Element, MatMut, MatRef, Resources, Schur, Workspace};
use tensoroxide_tensor::{Complex64, Scalar, Threads};

use crate::{Error, Which};

/// The matrix H = Vᴴ·A·V, column by column as the space grows, and in its last row what leaves the space.
#[derive(Debug)]
pub(crate) struct Rayleigh<T: Element> {
    elements: Vec<T>,
    rows: usize,
    values: Vec<Complex64>,
    vectors: Vec<Complex64>,
    combination: Vec<T>,
    workspace: Workspace,
}

impl<T: Element> Default for Rayleigh<T> {
    fn default() -> Rayleigh<T> {
        Rayleigh {
            elements: Vec::new(),
            rows: 0,
            values: Vec::new(),
            vectors: Vec::new(),
            combination: Vec::new(),
            workspace: Workspace::default(),
        }
    }
}

/// Which of two eigenvalues comes first. Those of a pair stay together, that with the positive imaginary part first.
fn order(which: Which, x: Complex64, y: Complex64) -> Ordering {
    let key = |z: Complex64| match which {
        Which::SmallestReal => z.re,
        Which::LargestReal => -z.re,
        Which::LargestMagnitude => -z.norm(),
        Which::SmallestImaginary => z.im,
        Which::LargestImaginary => -z.im,
    };
    let pairs = x.im.abs().total_cmp(&y.im.abs());
    key(x).total_cmp(&key(y)).then(x.re.total_cmp(&y.re)).then(pairs).then(y.im.total_cmp(&x.im))
}

impl<T: Element> Rayleigh<T> {
    /// Zero, for spaces of at most `dimension` vectors and one to come.
    pub(crate) fn clear(&mut self, dimension: usize) {
        self.rows = dimension + 1;
        self.elements.clear();
        self.elements.resize(self.rows * self.rows, T::ZERO);
    }

    pub(crate) fn column_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.elements[j * self.rows..][..self.rows]
    }

    /// Eigenvalues and eigenvectors of the first k rows and columns, in order.
    pub(crate) fn eigenvectors(&mut self, k: usize, which: Which) -> Result<(), Error> {
        let eig = eig(self.leading(k)?, false, Resources::of(&self.workspace))?;
        let all: Vec<Complex64> = eig.w.iter().map(|w| w.to_c64()).collect();
        let mut sorted: Vec<usize> = (0..k).collect();
        sorted.sort_by(|&i, &j| order(which, all[i], all[j]));
        self.values = sorted.iter().map(|&i| all[i]).collect();
        self.vectors.clear();
        for &i in &sorted {
            self.vectors.extend(eig.v.col(i).iter().map(|x| x.to_c64()));
        }
        Ok(())
    }

    fn leading(&self, k: usize) -> Result<MatRef<'_, T>, Error> {
        Ok(MatRef::from_slice(&self.elements, k, k, 1, self.rows as isize)?)
    }

    /// The `i`-th eigenvalue.
    pub(crate) fn value(&self, i: usize) -> Complex64 {
        self.values[i]
    }

    /// The `i`-th eigenvector, of norm 1.
    pub(crate) fn vector(&self, i: usize) -> &[Complex64] {
        let k = self.values.len();
        &self.vectors[i * k..][..k]
    }

    /// Its last element.
    pub(crate) fn last(&self, i: usize) -> Complex64 {
        self.vectors[(i + 1) * self.values.len() - 1]
    }

    /// Replaces H by its part on the invariant space of about `wish` < k of its first k eigenvalues, one more or less
    /// where that keeps a pair of a real matrix together, and returns how many. `residue` is what leaves the space
    /// behind its last vector.
    pub(crate) fn compress(&mut self, k: usize, wish: usize, which: Which, residue: T::Real) -> Result<usize, Error> {
        let with = Resources::of(&self.workspace);
        let mut ordered = Ordered::new(schur(self.leading(k)?, false, with)?);
        let kept = ordered.sort(wish, k - 1, which);
        self.combination.clear();
        if T::DTYPE.is_complex() {
            self.combination.extend(ordered.z[..k * kept].iter().map(|&x| T::from_c64(x)));
        } else {
            // Real and imaginary parts span the same space, which is that of a real projector: of all singular values
            // of both together, as many as it has dimensions are 1, and the others 0.
            let parts: Vec<f64> = (0..2 * k * kept)
                .map(|at| if at < k * kept { ordered.z[at].re } else { ordered.z[at - k * kept].im })
                .collect();
            let svd = svd(MatRef::from_slice(&parts, k, 2 * kept, 1, k as isize)?, false, with)?;
            self.combination.extend(svd.u.elements()[..k * kept].iter().map(|&x| T::from_c64(x.into())));
        }
        // Qᴴ·H·Q, and below it the part of the residual in each new vector.
        let mut product = vec![T::ZERO; k * kept];
        let mut small = vec![T::ZERO; kept * kept];
        let q = MatRef::from_slice(&self.combination, k, kept, 1, k as isize)?;
        let to = MatMut::from_slice(&mut product, k, kept, 1, k as isize)?;
        gemm(T::ONE, self.leading(k)?, false, q, false, T::ZERO, to, Threads::ONE)?;
        let product = MatRef::from_slice(&product, k, kept, 1, k as isize)?;
        let to = MatMut::from_slice(&mut small, kept, kept, 1, kept as isize)?;
        gemm(T::ONE, q.t(), true, product, false, T::ZERO, to, Threads::ONE)?;
        let last: Vec<T> = (0..kept).map(|j| self.combination[(j + 1) * k - 1].scale(residue)).collect();
        self.clear(self.rows - 1);
        for (j, column) in small.chunks_exact(kept).enumerate() {
            self.column_mut(j)[..kept].copy_from_slice(column);
            self.column_mut(j)[kept] = last[j];
        }
        Ok(kept)
    }

    /// The new vectors as combinations of the old ones, column by column.
    pub(crate) fn combination(&self) -> &[T] {
        &self.combination
    }
}

/// A complex Schur form whose eigenvalues can be put in another order.
struct Ordered {
    n: usize,
    t: Vec<Complex64>,
    z: Vec<Complex64>,
    /// The eigenvalues of T's diagonal, the two of a pair exact conjugates.
    w: Vec<Complex64>,
    real: bool,
}

impl Ordered {
    fn new<T: Element>(schur: Schur<'_, T>) -> Ordered {
        let wide = |x: &[T]| x.iter().map(|x| x.to_c64()).collect::<Vec<_>>();
        let w: Vec<Complex64> = schur.w.iter().map(|w| w.to_c64()).collect();
        let (t, z) = (wide(schur.t.elements()), wide(schur.z.elements()));
        let mut ordered = Ordered { n: w.len(), t, z, w, real: !T::DTYPE.is_complex() };
        for j in 1..ordered.n {
            // A pair's block (a, b; c, a) has the eigenvector (b, i·μ) for a + i·μ.
            if ordered.t[j + (j - 1) * ordered.n] != Complex64::ZERO {
                let mu = Complex64::new(0.0, ordered.w[j - 1].im);
                ordered.rotate(j - 1, ordered.t[j - 1 + j * ordered.n], mu);
                ordered.t[j + (j - 1) * ordered.n] = Complex64::ZERO;
            }
        }
        ordered
    }

    /// Turns rows and columns j and j+1 so that (x, y) becomes a multiple of the first unit vector.
    fn rotate(&mut self, j: usize, x: Complex64, y: Complex64) {
        let norm = x.norm().hypot(y.norm());
        if norm == 0.0 {
            return;
        }
        let (x, y, n) = (x / norm, y / norm, self.n);
        // The columns of the rotation are (x, y) and (−ȳ, x̄).
        for i in 0..n {
            for m in [&mut self.t, &mut self.z] {
                let (a, b) = (m[i + j * n], m[i + (j + 1) * n]);
                m[i + j * n] = a * x + b * y;
                m[i + (j + 1) * n] = b * x.conj() - a * y.conj();
            }
        }
        for column in self.t.chunks_exact_mut(n) {
            let (a, b) = (column[j], column[j + 1]);
            column[j] = x.conj() * a + y.conj() * b;
            column[j + 1] = x * b - y * a;
        }
    }

    /// Exchanges the eigenvalues at j and j+1 (Golub and Van Loan, section 7.6.2).
    fn swap(&mut self, j: usize) {
        let n = self.n;
        let (a, b, c) = (self.t[j + j * n], self.t[j + (j + 1) * n], self.t[j + 1 + (j + 1) * n]);
        // The eigenvector for the second one.
        if b == Complex64::ZERO && a == c {
            return self.w.swap(j, j + 1);
        }
        self.rotate(j, b, c - a);
        self.t[j + 1 + j * n] = Complex64::ZERO;
        self.t[j + j * n] = c;
        self.t[j + 1 + (j + 1) * n] = a;
        self.w.swap(j, j + 1);
    }

    /// Brings `wish` of the eigenvalues to the front, the first ones in the order of `which`; of a real matrix one
    /// more, or if that exceeds `most` one less, where otherwise a pair would be cut.
    fn sort(&mut self, wish: usize, most: usize, which: Which) -> usize {
        let mut at = 0;
        while at < wish {
            let best = (at..self.n).min_by(|&i, &j| order(which, self.w[i], self.w[j]).then(i.cmp(&j))).unwrap_or(at);
            let partner = (at..self.n).find(|&i| self.real && self.w[i].im != 0.0 && self.w[i] == self.w[best].conj());
            if partner.is_some() && at + 2 > most {
                return at;
            }
            self.bring(best, at);
            at += 1;
            if let Some(partner) = partner {
                // What stood before the best one has moved back by one.
                self.bring(if partner < best { partner + 1 } else { partner }, at);
                at += 1;
            }
        }
        at
    }

    fn bring(&mut self, from: usize, to: usize) {
        (to..from).rev().for_each(|j| self.swap(j));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schur_forms_keep_their_matrix_in_any_order() {
        fn check<T: Element>(which: Which, wish: usize) {
            let (n, workspace) = (9, Workspace::default());
            let a: Vec<T> = (0..n * n).map(|i| T::from_c64(Complex64::new((i * i) as f64, i as f64).sin())).collect();
            // Sines of large imaginary parts are huge: bring them near 1.
            let a: Vec<T> = a.iter().map(|x| T::from_c64(x.to_c64() / (1.0 + x.to_c64().norm()))).collect();
            let view = MatRef::from_slice(&a, n, n, 1, n as isize).unwrap();
            let mut ordered = Ordered::new(schur(view, false, Resources::of(&workspace)).unwrap());
            let kept = ordered.sort(wish, n - 1, which);
            assert!(kept == wish || ordered.real && kept == wish + 1);
            let (t, z) = (&ordered.t, &ordered.z);
            for j in 0..n {
                for i in 0..n {
                    let at = |l: usize, m: usize| z[i + l * n] * t[l + m * n] * z[j + m * n].conj();
                    let product: Complex64 =
                        (0..n).flat_map(|m| (0..=m).map(move |l| (l, m))).map(|(l, m)| at(l, m)).sum();
                    assert!((product - a[i + j * n].to_c64()).norm() < 1e-13, "{i} {j}");
                    assert!(i <= j || t[i + j * n].norm() < 1e-14);
                }
                assert!((t[j + j * n] - ordered.w[j]).norm() < 1e-13);
            }
            let worst = (1..kept).all(|i| order(which, ordered.w[i - 1], ordered.w[i]).is_le());
            let rest = (kept..n).all(|i| order(which, ordered.w[kept - 1], ordered.w[i]).is_le());
            assert!(worst && rest);
        }
        for wish in [1, 3, 4, 7] {
            for which in [Which::LargestMagnitude, Which::LargestReal, Which::SmallestReal] {
                check::<f64>(which, wish);
                check::<Complex64>(which, wish);
            }
            check::<Complex64>(Which::LargestImaginary, wish);
            check::<Complex64>(Which::SmallestImaginary, wish);
        }
    }

    #[test]
    fn pairs_stay_together() {
        let z = Complex64::new;
        let mut w = [z(0.0, -1.0), z(1.0, 0.0), z(0.0, 1.0), z(-1.0, 0.0)];
        w.sort_by(|&x, &y| order(Which::LargestMagnitude, x, y));
        assert_eq!(w, [z(-1.0, 0.0), z(0.0, 1.0), z(0.0, -1.0), z(1.0, 0.0)]);
        w.sort_by(|&x, &y| order(Which::LargestReal, x, y));
        assert_eq!(w, [z(1.0, 0.0), z(0.0, 1.0), z(0.0, -1.0), z(-1.0, 0.0)]);
    }
}
