//! A = Z·H·Zᴴ with H zero below its first subdiagonal: Golub and Van Loan, Matrix Computations (4th edition), section
//! 7.4.

use tensoroxide_tensor::simd::Simd;

use super::{norm_sqr, Columns, Double};

/// What lies this far below the largest entry, about 1, is dropped from a vector that is to be reflected: squares of
/// less would lose digits, and with them the reflection its orthogonality.
pub(super) const NEGLIGIBLE: f64 = 1e-290;

/// Turns x into (β, v₁, …) and returns τ, so that (1 − τ·v·vᴴ)ᴴ·x = β·e₀ for v = (1, v₁, …).
#[inline(always)]
fn reflector<S: Simd, T: Double>(x: &mut [T]) -> T {
    let (alpha, tail) = (x[0], norm_sqr::<S, T>(&x[1..]));
    if tail < NEGLIGIBLE {
        x[1..].fill(T::ZERO);
        return T::ZERO;
    }
    let norm = (alpha.abs_sqr() + tail).sqrt();
    let beta = T::from_real(-norm.copysign(alpha.re()));
    let scale = T::ONE / (alpha - beta);
    for x in &mut x[1..] {
        *x *= scale;
    }
    x[0] = beta;
    (beta - alpha) / beta
}

/// Replaces A by H, and writes Z, which is zero at first. `scratch` has room for three columns.
#[inline(always)]
pub(super) fn reduce<S: Simd, T: Double>(a: &mut Columns<'_, T>, z: Option<&mut Columns<'_, T>>, scratch: &mut [T]) {
    let n = a.n;
    let (all_v, scratch) = scratch.split_at_mut(n);
    let (sums, taus) = scratch.split_at_mut(n);
    for k in 0..n.saturating_sub(2) {
        let tau = reflector::<S, T>(&mut a.column_mut(k)[k + 1..]);
        taus[k] = tau;
        if tau == T::ZERO {
            continue;
        }
        let v = &mut all_v[k + 1..];
        v.copy_from_slice(&a.column(k)[k + 1..]);
        v[0] = T::ONE;
        // From the right: A − τ·(A·v)·vᴴ.
        sums.fill(T::ZERO);
        for (j, &v) in v.iter().enumerate() {
            T::subtract::<S>(sums, -v, a.column(k + 1 + j));
        }
        for (j, &v) in v.iter().enumerate() {
            T::subtract::<S>(a.column_mut(k + 1 + j), tau * v.conj(), sums);
        }
        // From the left, with the adjoint.
        for j in k + 1..n {
            let column = &mut a.column_mut(j)[k + 1..];
            T::subtract::<S>(column, tau.conj() * T::dot::<S>(v, column), v);
        }
    }
    if let Some(z) = z {
        // From the last reflection to the first, so that each one touches only what the later ones have filled.
        for j in 0..n {
            z.set(j, j, T::ONE);
        }
        for k in (0..n.saturating_sub(2)).rev() {
            let v = &mut all_v[k + 1..];
            v.copy_from_slice(&a.column(k)[k + 1..]);
            v[0] = T::ONE;
            for j in k + 1..n {
                let column = &mut z.column_mut(j)[k + 1..];
                T::subtract::<S>(column, taus[k] * T::dot::<S>(v, column), v);
            }
        }
    }
    for j in 0..n.saturating_sub(2) {
        a.column_mut(j)[j + 2..].fill(T::ZERO);
    }
}
