//! The real Schur form by QR iteration with implicit double shifts.
//!
//! Francis, Comput. J. 4, 265 and 332 (1961/62); Golub and Van Loan, section 7.5. What counts as zero is the
//! criterion of Ahues and Tisseur (LAPACK Working Note 122); shifts, exceptional shifts and the standard form of 2×2
//! blocks are LAPACK's.

use tensoroxide_tensor::simd::{Simd, Vector};
use tensoroxide_tensor::Complex64;

use super::hessenberg::NEGLIGIBLE;
use super::{Columns, Double, Values};
use crate::{Error, Matrix, Workspace};

/// Columns of so few elements are not worth a register.
const SHORT: usize = 8;
/// What rounding makes of 1.
const ULP: f64 = f64::EPSILON;

impl Double for f64 {
    #[inline(always)]
    fn iterate<S: Simd>(
        h: &mut Columns<'_, f64>,
        z: Option<&mut Columns<'_, f64>>,
        w: &mut [Complex64],
    ) -> Result<(), Error> {
        let (n, mut z) = (h.n, z);
        // Rows and columns from `end` on are done.
        let (mut end, mut steps) = (n, 0);
        while end > 0 {
            let start = deflate(h, end);
            match end - start {
                1 => {
                    w[start] = h.at(start, start).into();
                    (end, steps) = (start, 0);
                }
                2 => {
                    split(h, z.as_deref_mut(), start, w);
                    (end, steps) = (start, 0);
                }
                _ if steps >= 30 * n.max(10) => return Err(Error::NoConvergence),
                _ => {
                    steps += 1;
                    let shifts = shifts(h, start, end, steps);
                    sweep::<S>(h, z.as_deref_mut(), start, end, shifts);
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn substitute<S: Simd>(t: &Columns<'_, f64>, w: &[Complex64], z: &mut Columns<'_, f64>, x: &mut [f64]) {
        super::substitution::real::<S>(t, w, z, x);
    }

    #[inline(always)]
    fn dot<S: Simd>(x: &[f64], y: &[f64]) -> f64 {
        let (n, lanes) = (x.len().min(y.len()), S::F64::LANES);
        let (x, y) = (x.as_ptr(), y.as_ptr());
        // SAFETY: within a task; `n` elements can be read of either.
        unsafe {
            let (mut sum, mut i) = (S::F64::zero(), 0);
            while i + lanes <= n {
                sum = S::F64::load(x.add(i)).mul_add(S::F64::load(y.add(i)), sum);
                i += lanes;
            }
            if i < n {
                let last = S::F64::load_first(x.add(i), n - i);
                sum = last.mul_add(S::F64::load_first(y.add(i), n - i), sum);
            }
            sum.sum()
        }
    }

    #[inline(always)]
    fn subtract<S: Simd>(y: &mut [f64], a: f64, x: &[f64]) {
        let (n, lanes) = (x.len().min(y.len()), S::F64::LANES);
        let (x, y) = (x.as_ptr(), y.as_mut_ptr());
        // SAFETY: within a task; `n` elements can be read of X, and written of Y.
        unsafe {
            let (a, mut i) = (S::F64::splat(a), 0);
            while i + lanes <= n {
                a.neg_mul_add(S::F64::load(x.add(i)), S::F64::load(y.add(i))).store(y.add(i));
                i += lanes;
            }
            if i < n {
                let (x, old) = (S::F64::load_first(x.add(i), n - i), S::F64::load_first(y.add(i), n - i));
                a.neg_mul_add(x, old).store_first(y.add(i), n - i);
            }
        }
    }

    fn evd<'w>(a: &Matrix<'_, f64>, workspace: &'w Workspace) -> Result<Values<'w, f64>, Error> {
        crate::own::evd::real(a, workspace)
    }
}

/// The first row of the last block without negligible subdiagonal elements that ends before `end`; the element to its
/// left is set to zero.
#[inline(always)]
fn deflate(h: &mut Columns<'_, f64>, end: usize) -> usize {
    let small = f64::MIN_POSITIVE * (h.n as f64 / ULP);
    let mut k = end - 1;
    while k > 0 {
        let (below, before, here) = (h.at(k, k - 1).abs(), h.at(k - 1, k - 1), h.at(k, k));
        if below <= small {
            break;
        }
        let mut neighbours = before.abs() + here.abs();
        if neighbours == 0.0 {
            neighbours += if k >= 2 { h.at(k - 1, k - 2).abs() } else { 0.0 };
            neighbours += if k + 1 < h.n { h.at(k + 1, k).abs() } else { 0.0 };
        }
        if below <= ULP * neighbours {
            let above = h.at(k - 1, k).abs();
            let difference = (before - here).abs();
            let (ab, ba) = (below.max(above), below.min(above));
            let (aa, bb) = (here.abs().max(difference), here.abs().min(difference));
            let s = aa + ab;
            if ba * (ab / s) <= small.max(ULP * (bb * (aa / s))) {
                break;
            }
        }
        k -= 1;
    }
    if k > 0 {
        h.set(k, k - 1, 0.0);
    }
    k
}

/// Two shifts, both real or a conjugate pair.
#[inline(always)]
fn shifts(h: &Columns<'_, f64>, start: usize, end: usize, steps: usize) -> [Complex64; 2] {
    let last = end - 1;
    // Now and then others, should the usual ones lead in circles.
    let exceptional = |s: f64, here: f64| [0.75 * s + here, -0.4375 * s, s, 0.75 * s + here];
    let [mut a, mut b, mut c, mut d] = match steps {
        _ if steps % 20 == 0 => {
            exceptional(h.at(last, last - 1).abs() + h.at(last - 1, last - 2).abs(), h.at(last, last))
        }
        _ if steps % 10 == 0 => {
            exceptional(h.at(start + 1, start).abs() + h.at(start + 2, start + 1).abs(), h.at(start, start))
        }
        _ => [h.at(last - 1, last - 1), h.at(last - 1, last), h.at(last, last - 1), h.at(last, last)],
    };
    let s = a.abs() + b.abs() + c.abs() + d.abs();
    if s == 0.0 {
        return [Complex64::ZERO; 2];
    }
    (a, b, c, d) = (a / s, b / s, c / s, d / s);
    let mean = (a + d) / 2.0;
    let determinant = (a - mean) * (d - mean) - b * c;
    let root = determinant.abs().sqrt();
    if determinant >= 0.0 {
        return [Complex64::new(mean * s, root * s), Complex64::new(mean * s, -root * s)];
    }
    // Of two real ones, the one that is nearer to the last element, twice.
    let (more, less) = (mean + root, mean - root);
    [Complex64::from(s * if (more - d).abs() <= (less - d).abs() { more } else { less }); 2]
}

/// One bulge from the top of a block to its end.
#[inline(always)]
fn sweep<S: Simd>(
    h: &mut Columns<'_, f64>,
    z: Option<&mut Columns<'_, f64>>,
    start: usize,
    end: usize,
    [first, second]: [Complex64; 2],
) {
    let (n, last, full, mut z) = (h.n, end - 1, z.is_some(), z);
    // The bulge may begin below the top where two small subdiagonal elements follow each other.
    let mut m = end - 3;
    let mut v = loop {
        let (a, b, below) = (h.at(m, m), h.at(m + 1, m + 1), h.at(m + 1, m));
        let s = (a - second.re).abs() + second.im.abs() + below.abs();
        // Products of tiny numbers would lose their digits.
        let scale = if s < 1e-100 { 1.0 / s } else { 1.0 };
        let (c, d) = (below * scale, a - second.re);
        let v0 = c * h.at(m, m + 1) + (a - first.re) * (d * scale) - first.im * (second.im * scale);
        let v = [v0, c * (a + b - first.re - second.re), c * h.at(m + 2, m + 1)];
        if m == start {
            break v;
        }
        let neighbours = h.at(m - 1, m - 1).abs() + a.abs() + b.abs();
        if h.at(m, m - 1).abs() * (v[1].abs() + v[2].abs()) <= ULP * v[0].abs() * neighbours {
            break v;
        }
        m -= 1;
    };
    let s = v[0].abs() + v[1].abs() + v[2].abs();
    v = [v[0] / s, v[1] / s, v[2] / s];
    let (top, right) = if full { (0, n) } else { (start, end) };
    for k in m..last {
        let three = k + 2 <= last;
        if k > m {
            v = [h.at(k, k - 1), h.at(k + 1, k - 1), if three { h.at(k + 2, k - 1) } else { 0.0 }];
        }
        let (beta, tau, v1, v2) = reflector(v);
        if k > m {
            h.set(k, k - 1, beta);
            h.set(k + 1, k - 1, 0.0);
            if three {
                h.set(k + 2, k - 1, 0.0);
            }
        } else if m > start {
            // Not the sign of v₀, lest the other elements have underflown.
            h.set(k, k - 1, h.at(k, k - 1) * (1.0 - tau));
        }
        let below = (k + 4).min(end);
        let columns = h.data[k * n..right * n].chunks_exact_mut(n);
        if three {
            for column in columns {
                let x = &mut column[k..k + 3];
                let sum = tau * (x[0] + v1 * x[1] + v2 * x[2]);
                x[0] -= sum;
                x[1] -= sum * v1;
                x[2] -= sum * v2;
            }
            let [x, y, u] = h.triple(k);
            reflect3::<S>(&mut x[top..below], &mut y[top..below], &mut u[top..below], tau, v1, v2);
            if let Some(z) = z.as_deref_mut() {
                let [x, y, u] = z.triple(k);
                reflect3::<S>(x, y, u, tau, v1, v2);
            }
        } else {
            for column in columns {
                let x = &mut column[k..k + 2];
                let sum = tau * (x[0] + v1 * x[1]);
                x[0] -= sum;
                x[1] -= sum * v1;
            }
            let (x, y) = h.pair(k, k + 1);
            reflect2(&mut x[top..below], &mut y[top..below], tau, v1);
            if let Some(z) = z.as_deref_mut() {
                let (x, y) = z.pair(k, k + 1);
                reflect2(x, y, tau, v1);
            }
        }
    }
}

/// β, τ, v₁ and v₂, so that (1 − τ·v·vᵀ)·x = β·e₀ for v = (1, v₁, v₂).
#[inline(always)]
fn reflector(x: [f64; 3]) -> (f64, f64, f64, f64) {
    let tail = x[1] * x[1] + x[2] * x[2];
    if tail < NEGLIGIBLE {
        return (x[0], 0.0, 0.0, 0.0);
    }
    let beta = -(x[0] * x[0] + tail).sqrt().copysign(x[0]);
    let scale = 1.0 / (x[0] - beta);
    (beta, (beta - x[0]) / beta, x[1] * scale, x[2] * scale)
}

/// Three columns of equal length times 1 − τ·v·vᵀ.
#[inline(always)]
fn reflect3<S: Simd>(x: &mut [f64], y: &mut [f64], z: &mut [f64], tau: f64, v1: f64, v2: f64) {
    let (n, lanes) = (x.len().min(y.len()).min(z.len()), S::F64::LANES);
    // What the rows were just written with, one by one, a register cannot read before it has reached the cache.
    if n <= SHORT {
        for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
            let sum = tau * (*x + v1 * *y + v2 * *z);
            *x -= sum;
            *y -= sum * v1;
            *z -= sum * v2;
        }
        return;
    }
    let (x, y, z) = (x.as_mut_ptr(), y.as_mut_ptr(), z.as_mut_ptr());
    // SAFETY: within a task; `n` elements of each can be read and written.
    unsafe {
        let (tau, v1, v2) = (S::F64::splat(tau), S::F64::splat(v1), S::F64::splat(v2));
        let mut i = 0;
        while i + lanes <= n {
            let (a, b, c) = (S::F64::load(x.add(i)), S::F64::load(y.add(i)), S::F64::load(z.add(i)));
            let sum = tau.mul(v2.mul_add(c, v1.mul_add(b, a)));
            a.sub(sum).store(x.add(i));
            sum.neg_mul_add(v1, b).store(y.add(i));
            sum.neg_mul_add(v2, c).store(z.add(i));
            i += lanes;
        }
        if i < n {
            let (x, y, z, rest) = (x.add(i), y.add(i), z.add(i), n - i);
            let (a, b, c) = (S::F64::load_first(x, rest), S::F64::load_first(y, rest), S::F64::load_first(z, rest));
            let sum = tau.mul(v2.mul_add(c, v1.mul_add(b, a)));
            a.sub(sum).store_first(x, rest);
            sum.neg_mul_add(v1, b).store_first(y, rest);
            sum.neg_mul_add(v2, c).store_first(z, rest);
        }
    }
}

#[inline(always)]
fn reflect2(x: &mut [f64], y: &mut [f64], tau: f64, v1: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        let sum = tau * (*x + v1 * *y);
        *x -= sum;
        *y -= sum * v1;
    }
}

/// Brings the block in rows and columns k and k+1 to standard form, and applies the rotation to the rest.
#[inline(always)]
fn split(h: &mut Columns<'_, f64>, z: Option<&mut Columns<'_, f64>>, k: usize, w: &mut [Complex64]) {
    let block = [h.at(k, k), h.at(k, k + 1), h.at(k + 1, k), h.at(k + 1, k + 1)];
    let ([a, b, c, d], (cos, sin)) = standardise(block);
    h.set(k, k, a);
    h.set(k, k + 1, b);
    h.set(k + 1, k, c);
    h.set(k + 1, k + 1, d);
    let im = if c == 0.0 { 0.0 } else { b.abs().sqrt() * c.abs().sqrt() };
    (w[k], w[k + 1]) = (Complex64::new(a, im), Complex64::new(d, if c == 0.0 { 0.0 } else { -im }));
    let Some(z) = z else { return };
    for j in k + 2..h.n {
        let x = &mut h.column_mut(j)[k..k + 2];
        (x[0], x[1]) = (cos * x[0] + sin * x[1], cos * x[1] - sin * x[0]);
    }
    let (x, y) = h.pair(k, k + 1);
    rotate(&mut x[..k], &mut y[..k], cos, sin);
    let (x, y) = z.pair(k, k + 1);
    rotate(x, y, cos, sin);
}

#[inline(always)]
fn rotate(x: &mut [f64], y: &mut [f64], cos: f64, sin: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (cos * *x + sin * *y, cos * *y - sin * *x);
    }
}

/// The Schur form of a 2×2 matrix a, b, c, d (row by row), and the cosine and sine of its rotation: either c = 0, or
/// a = d and b·c < 0. The steps are those of LAPACK's lanv2.
#[inline(always)]
fn standardise([a, b, c, d]: [f64; 4]) -> ([f64; 4], (f64, f64)) {
    if c == 0.0 {
        return ([a, b, c, d], (1.0, 0.0));
    }
    if b == 0.0 {
        return ([d, -c, 0.0, a], (0.0, 1.0));
    }
    let difference = a - d;
    if difference == 0.0 && b.is_sign_negative() != c.is_sign_negative() {
        return ([a, b, c, d], (1.0, 0.0));
    }
    let p = 0.5 * difference;
    let (larger, smaller) = (b.abs().max(c.abs()), b.abs().min(c.abs()) * b.signum() * c.signum());
    let scale = p.abs().max(larger);
    let discriminant = p / scale * p + larger / scale * smaller;
    if discriminant >= 4.0 * ULP {
        // Real eigenvalues.
        let z = p + (scale.sqrt() * discriminant.sqrt()).copysign(p);
        let tau = c.hypot(z);
        return ([d + z, b - c, 0.0, d - larger / z * smaller], (z / tau, c / tau));
    }
    // A conjugate pair, or nearly equal real ones: first the diagonal is made equal.
    let sigma = b + c;
    let tau = sigma.hypot(difference);
    let cos = (0.5 * (1.0 + sigma.abs() / tau)).sqrt();
    let sin = -(p / (tau * cos)) * 1f64.copysign(sigma);
    let (aa, bb, cc, dd) = (a * cos + b * sin, b * cos - a * sin, c * cos + d * sin, d * cos - c * sin);
    let (b, c) = (bb * cos + dd * sin, cc * cos - aa * sin);
    let mean = 0.5 * (aa * cos + cc * sin + (dd * cos - bb * sin));
    if c == 0.0 {
        return ([mean, b, c, mean], (cos, sin));
    }
    if b == 0.0 {
        return ([mean, -c, 0.0, mean], (-sin, cos));
    }
    if b.is_sign_negative() != c.is_sign_negative() {
        return ([mean, b, c, mean], (cos, sin));
    }
    let (root_b, root_c) = (b.abs().sqrt(), c.abs().sqrt());
    let p = (root_b * root_c).copysign(c);
    let tau = 1.0 / (b + c).abs().sqrt();
    let (cos1, sin1) = (root_b * tau, root_c * tau);
    ([mean + p, b - c, 0.0, mean - p], (cos * cos1 - sin * sin1, cos * sin1 + sin * cos1))
}
