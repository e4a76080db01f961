//! A diagonal scaling that makes rows and columns of a matrix alike in norm, and so its eigenvalues less sensitive.
//!
//! Parlett and Reinsch, Numer. Math. 13, 293 (1969), with the 2-norm of whole rows and columns as by James, Langou
//! and Lowery (arXiv:1401.5766), which keeps the scaling of nearly triangular matrices from spoiling them.

use tensoroxide_tensor::simd::Simd;
use tensoroxide_tensor::Real;

use super::{norm_sqr, Columns, Double};

/// A scaling has to make the sum of both norms smaller by this factor.
const WORTH: f64 = 0.95;
/// Sweeps after which the scaling is good enough.
const SWEEPS: usize = 20;
/// Factors stay between 2^−300 and 2^300.
const MOST: i32 = 300;

/// Replaces A by D⁻¹·A·D and writes D, powers of two.
#[inline(always)]
pub(super) fn balance<S: Simd, T: Double>(a: &mut Columns<'_, T>, d: &mut [T]) {
    d.fill(T::ONE);
    for _ in 0..SWEEPS {
        let mut changed = false;
        for (i, d) in d.iter_mut().enumerate() {
            let column = norm_sqr::<S, T>(a.column(i));
            let mut row = 0.0;
            for j in 0..a.n {
                row += a.at(i, j).abs_sqr();
            }
            if column == 0.0 || row == 0.0 {
                continue;
            }
            // The factor 2^e that brings the norm of the column, which grows with it, and that of the row together.
            let (column, row) = (column.sqrt(), row.sqrt());
            let e = ((row / column).log2() / 2.0).round() as i32;
            let factor = f64::exp2i(e);
            let scale = d.re() * factor;
            let allowed = f64::exp2i(-MOST)..=f64::exp2i(MOST);
            if e == 0 || !allowed.contains(&scale) || column * factor + row / factor >= WORTH * (column + row) {
                continue;
            }
            changed = true;
            *d = T::from_real(scale);
            for x in a.column_mut(i) {
                *x = x.scale(factor);
            }
            for j in 0..a.n {
                a.set(i, j, a.at(i, j).scale(1.0 / factor));
            }
        }
        if !changed {
            break;
        }
    }
}
