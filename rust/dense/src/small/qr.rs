//! The thin QR decomposition of a small matrix, by reflections (Golub and Van Loan, Matrix Computations, section 5.2).

use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
use tensoroxide_tensor::{Complex64, Scalar};

use super::columns::{dot, norm_sqr, subtract, Columns};
use super::svd::norm;
use super::MOST;
use crate::workspace::Plain;
use crate::{Error, Matrix, Qr, Workspace};

/// The decomposition of a matrix with at most [`MOST`] rows and columns, not empty, finite, and scaled to about 1. R's diagonal
/// has any phase.
pub(crate) fn qr<'w, T: Plain + Scalar<Real: Plain>>(
    a: &Matrix<'_, T>,
    workspace: &'w Workspace,
) -> Result<Qr<'w, T>, Error> {
    let (m, n, k, complex) = (a.rows(), a.cols(), a.rows().min(a.cols()), T::DTYPE.is_complex());
    // A, then what becomes Q; the vectors of the reflections; R.
    let mut work = Columns::zeros(m, n + k, complex, workspace)?;
    let mut vectors = Columns::zeros(m, k, complex, workspace)?;
    for j in 0..n {
        a.col(j).iter().enumerate().for_each(|(i, &x)| work.set(i, j, x.to_c64()));
    }
    (0..k).for_each(|j| work.set(j, n + j, Complex64::ONE));
    match complex {
        true => Isa::best().run(Reflections::<true> { work: &mut work, vectors: &mut vectors, m, n, k }),
        false => Isa::best().run(Reflections::<false> { work: &mut work, vectors: &mut vectors, m, n, k }),
    }
    let (mut q, mut r) = (Matrix::zeros(m, k, workspace)?, Matrix::zeros(k, n, workspace)?);
    for j in 0..k {
        (0..m).for_each(|i| q.col_mut(j)[i] = T::from_c64(work.get(i, n + j)));
    }
    for j in 0..n {
        (0..k.min(j + 1)).for_each(|i| r.col_mut(j)[i] = T::from_c64(work.get(i, j)));
    }
    Ok(Qr { q, r })
}

struct Reflections<'a, 'w, const COMPLEX: bool> {
    work: &'a mut Columns<'w>,
    vectors: &'a mut Columns<'w>,
    m: usize,
    n: usize,
    k: usize,
}

impl<const COMPLEX: bool> Task for Reflections<'_, '_, COMPLEX> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Reflections { work, vectors, m, n, k } = self;
        let rows = work.height();
        // 2/‖v‖² of each reflection, 0 for none.
        let mut factors = [0.0; MOST];
        for (j, factor) in factors[..k].iter_mut().enumerate() {
            let lead = work.get(j, j);
            (j..m).for_each(|i| vectors.set(i, j, work.get(i, j)));
            let size = norm(vectors, j, m);
            if size == 0.0 {
                continue;
            }
            // The vector in units of its norm, so that no square underflows. It is reflected to −phase·e_j, away from itself.
            (j..m).for_each(|i| vectors.set(i, j, vectors.get(i, j) / size));
            let modulus = lead.re.hypot(lead.im);
            let phase = if modulus == 0.0 { Complex64::ONE } else { lead / modulus };
            vectors.set(j, j, vectors.get(j, j) + phase);
            // SAFETY: within a task, as below.
            *factor = 2.0 / unsafe { norm_sqr::<S::F64, COMPLEX>(vectors.column(j), rows) };
            work.set(j, j, -phase * size);
            for l in j + 1..n {
                // SAFETY: within a task.
                unsafe { reflect::<S::F64, COMPLEX>(work.column_mut(l), vectors.column(j), *factor, rows) };
            }
        }
        for j in (0..k).rev().filter(|&j| factors[j] > 0.0) {
            for l in j..k {
                // SAFETY: within a task.
                unsafe { reflect::<S::F64, COMPLEX>(work.column_mut(n + l), vectors.column(j), factors[j], rows) };
            }
        }
    }
}

/// x ← (1 − factor·v·vᴴ)·x.
///
/// # Safety
/// Within a task, with one of its registers.
#[inline(always)]
unsafe fn reflect<V: Vector<Lane = f64>, const COMPLEX: bool>(x: &mut [f64], v: &[f64], factor: f64, rows: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let product = dot::<V, COMPLEX>(v, x, rows);
        subtract::<V, COMPLEX>(x, product * factor, v);
    }
}
