//! Orthogonal columns by rotations of pairs: the one-sided Jacobi method.
//!
//! Each rotation makes two columns orthogonal, sweep after sweep over all pairs, until none is left that is not. The columns
//! are then U·Diagonal(S) of what they were at first, each singular value accurate relative to the norm of its column
//! (Demmel and Veselić, SIAM J. Matrix Anal. Appl. 13, 1204 (1992)).

use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::Complex64;

use super::columns::{dot, norm_sqr, rotate, Columns};
use crate::Error;

/// Sweeps after which the method is given up; a dozen would be many.
const SWEEPS: usize = 40;

/// Makes the first `count` columns orthogonal in their first `rows` numbers. What lies below is rotated along.
pub(super) fn orthogonalize(columns: &mut Columns<'_>, rows: usize, count: usize, complex: bool) -> Result<(), Error> {
    match complex {
        true => Isa::best().run(Sweeps::<true> { columns, rows, count }),
        false => Isa::best().run(Sweeps::<false> { columns, rows, count }),
    }
}

struct Sweeps<'a, 'w, const COMPLEX: bool> {
    columns: &'a mut Columns<'w>,
    rows: usize,
    count: usize,
}

impl<const COMPLEX: bool> Task for Sweeps<'_, '_, COMPLEX> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Result<(), Error> {
        let Sweeps { columns, rows, count } = self;
        // As LAPACK's gesvj: what rounding leaves of a scalar product of unit vectors.
        let tolerance = rows as f64 * f64::EPSILON * f64::EPSILON;
        let mut norms = [0.0; super::MOST];
        for _ in 0..SWEEPS {
            for (j, norm) in norms[..count].iter_mut().enumerate() {
                // SAFETY: within a task.
                *norm = unsafe { norm_sqr::<S::F64, COMPLEX>(columns.column(j), rows) };
            }
            let mut turned = false;
            for p in 0..count {
                for q in p + 1..count {
                    let (x, y) = columns.pair(p, q);
                    // SAFETY: within a task.
                    let product = unsafe { dot::<S::F64, COMPLEX>(x, y, rows) };
                    let (a, b) = (norms[p], norms[q]);
                    let square = product.re * product.re + product.im * product.im;
                    // Also where a product underflows: such columns are as good as zero.
                    if square <= tolerance * a * b || square < f64::MIN_POSITIVE {
                        continue;
                    }
                    turned = true;
                    let size = if COMPLEX { square.sqrt() } else { product.re.abs() };
                    let phase = if COMPLEX { product / size } else { Complex64::from(1.0f64.copysign(product.re)) };
                    let cot = (b - a) / (2.0 * size);
                    let tan = 1.0f64.copysign(cot) / (cot.abs() + (1.0 + cot * cot).sqrt());
                    let c = 1.0 / (1.0 + tan * tan).sqrt();
                    let (less, more) = ((a.min(b) - tan.abs() * size).max(0.0), a.max(b) + tan.abs() * size);
                    // The larger one comes first, which saves sweeps (de Rijk, SIAM J. Sci. Stat. Comput. 10, 359 (1989)).
                    let (c, s) = if b > a { (c * tan, -c) } else { (c, c * tan) };
                    (norms[p], norms[q]) = (more, less);
                    // SAFETY: within a task.
                    unsafe { rotate::<S::F64, COMPLEX>(x, y, c, s, phase) };
                }
            }
            if !turned {
                return Ok(());
            }
        }
        Err(Error::NoConvergence)
    }
}
