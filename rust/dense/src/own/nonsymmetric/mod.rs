//! Eigenvalues of a matrix that need not be Hermitian, in double precision: Hessenberg form, QR iteration to the
//! Schur form, eigenvectors by substitution.
//!
//! For small and middling matrices, and for any without a lent LAPACK. The iterations are those of LAPACK's lahqr: a
//! bulge of one double shift (real) or single shift (complex) at a time. All loops run down columns, so that
//! registers are full where the matrix is not tiny.

mod balance;
mod complex;
mod hessenberg;
mod real;
mod substitution;

use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Complex64, Scalar};

use crate::workspace::{Memory, Plain};
use crate::{Error, Matrix, Workspace};

/// A real or complex number in double precision.
pub trait Double: Plain + Scalar<Real = f64> {
    /// Brings a Hessenberg matrix to Schur form, and applies the rotations to the columns of Z; without Z only the
    /// eigenvalues come out. [`Error::NoConvergence`] if an eigenvalue is not found. As all that has an `S`, within a
    /// task.
    fn iterate<S: Simd>(
        h: &mut Columns<'_, Self>,
        z: Option<&mut Columns<'_, Self>>,
        w: &mut [Complex64],
    ) -> Result<(), Error>;

    /// Solves (T − λₖ)·x = 0 for a Schur form with the values `w`, and replaces the columns of Z by Z·x. Of real
    /// matrices, the vectors of a pair become two columns, real and imaginary part of the first.
    fn substitute<S: Simd>(t: &Columns<'_, Self>, w: &[Complex64], z: &mut Columns<'_, Self>, x: &mut [f64]);

    /// Σ conj(xᵢ)·yᵢ.
    fn dot<S: Simd>(x: &[Self], y: &[Self]) -> Self;

    /// y ← y − a·x.
    fn subtract<S: Simd>(y: &mut [Self], a: Self, x: &[Self]);

    /// Eigenvalues and eigenvectors, packed likewise, by faer.
    fn evd<'w>(a: &Matrix<'_, Self>, workspace: &'w Workspace) -> Result<Values<'w, Self>, Error>;
}

/// A square matrix, column by column.
pub struct Columns<'a, T> {
    data: &'a mut [T],
    n: usize,
}

impl<T: Copy> Columns<'_, T> {
    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> T {
        self.data[i + j * self.n]
    }

    #[inline(always)]
    fn set(&mut self, i: usize, j: usize, x: T) {
        self.data[i + j * self.n] = x;
    }

    #[inline(always)]
    fn column(&self, j: usize) -> &[T] {
        &self.data[j * self.n..][..self.n]
    }

    #[inline(always)]
    fn column_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.data[j * self.n..][..self.n]
    }

    /// Columns i < j.
    #[inline(always)]
    fn pair(&mut self, i: usize, j: usize) -> (&mut [T], &mut [T]) {
        let (before, from) = self.data.split_at_mut(j * self.n);
        (&mut before[i * self.n..][..self.n], &mut from[..self.n])
    }

    /// Columns j, j+1 and j+2.
    #[inline(always)]
    fn triple(&mut self, j: usize) -> [&mut [T]; 3] {
        let (x, rest) = self.data[j * self.n..].split_at_mut(self.n);
        let (y, rest) = rest.split_at_mut(self.n);
        [x, y, &mut rest[..self.n]]
    }
}

/// Σ |xᵢ|².
#[inline(always)]
fn norm_sqr<S: Simd, T: Double>(x: &[T]) -> f64 {
    T::dot::<S>(x, x).re()
}

/// |re| + |im|.
#[inline(always)]
fn size<T: Scalar<Real = f64>>(x: T) -> f64 {
    x.re().abs() + x.im().abs()
}

/// What is known of a matrix, and what is asked for.
struct Job<'a, T> {
    h: Columns<'a, T>,
    z: Option<Columns<'a, T>>,
    w: &'a mut [Complex64],
    scratch: &'a mut [T],
    eigenvectors: Option<&'a mut [f64]>,
    balance: bool,
}

impl<T: Double> Task for Job<'_, T> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Result<(), Error> {
        let Job { mut h, mut z, w, scratch, eigenvectors, balance } = self;
        let (scales, factors) = scratch.split_at_mut(h.n);
        if balance {
            balance::balance::<S, T>(&mut h, scales);
        }
        hessenberg::reduce::<S, T>(&mut h, z.as_mut(), factors);
        T::iterate::<S>(&mut h, z.as_mut(), w)?;
        if let (Some(z), Some(x)) = (&mut z, eigenvectors) {
            T::substitute::<S>(&h, w, z, x);
            if balance {
                for j in 0..z.n {
                    for (x, scale) in z.column_mut(j).iter_mut().zip(&*scales) {
                        *x = x.scale(scale.re());
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the iteration makes of a matrix.
pub struct Values<'w, T: Plain> {
    /// The eigenvalues; of real matrices, the two of a pair are neighbours.
    pub w: Memory<'w, Complex64>,
    /// The Schur form, if asked for.
    pub t: Matrix<'w, T>,
    /// Schur vectors or, as [`Double::substitute`] packs them, eigenvectors of any norm.
    pub v: Matrix<'w, T>,
}

/// What to compute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Eigenvalues alone.
    Values,
    /// Schur form and Schur vectors.
    Schur,
    /// Eigenvectors.
    Eigenvectors,
}

/// Eigenvalues of a finite matrix that is scaled to about 1, and what else is asked for. Balancing (a diagonal
/// scaling of rows and columns) is for eigenvalues and eigenvectors only, since it would cost Schur vectors their
/// orthogonality.
pub(crate) fn nonsymmetric<'w, T: Double>(
    mut a: Matrix<'w, T>,
    ask: Ask,
    balance: bool,
    workspace: &'w Workspace,
) -> Result<Values<'w, T>, Error> {
    let n = a.rows();
    let vectors = if ask == Ask::Values { 0 } else { n };
    let mut w = workspace.zeros(n)?;
    let mut v = Matrix::zeros(vectors, vectors, workspace)?;
    let mut scratch = workspace.zeros(4 * n)?;
    let mut x = workspace.zeros(if ask == Ask::Eigenvectors { 2 * n } else { 0 })?;
    Isa::best().run(Job {
        h: Columns { data: a.elements_mut(), n },
        z: (vectors > 0).then(|| Columns { data: v.elements_mut(), n }),
        w: &mut w,
        scratch: &mut scratch,
        eigenvectors: (ask == Ask::Eigenvectors).then_some(&mut x),
        balance,
    })?;
    Ok(Values { w, t: a, v })
}
