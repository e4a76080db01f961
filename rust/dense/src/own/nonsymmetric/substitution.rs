//! Eigenvectors of a matrix from its Schur form: A = Z·T·Zᴴ, and T·x = λ·x by back substitution.
//!
//! As LAPACK's trevc: where two eigenvalues are equal, a divisor of zero becomes as small as rounding would have left
//! it, and the vectors, which for a defective matrix do not exist, come out as parallel as they are.

use tensoroxide_tensor::simd::Simd;
use tensoroxide_tensor::Complex64;

use super::{size, Columns, Double};

/// A vector is made shorter before its entries become larger than this: their squares still have room.
const LARGE: f64 = 1e100;

/// The smallest divisor for an eigenvalue.
#[inline(always)]
fn least(value: Complex64, n: usize) -> f64 {
    (f64::EPSILON * size(value)).max(f64::MIN_POSITIVE * (n as f64 / f64::EPSILON))
}

/// a/b without undue overflow, for |b| above the smallest normal number (Smith, Commun. ACM 5, 435 (1962)).
#[inline(always)]
pub(super) fn divide(a: Complex64, b: Complex64) -> Complex64 {
    if b.im == 0.0 {
        return Complex64::new(a.re / b.re, a.im / b.re);
    }
    if b.re.abs() >= b.im.abs() {
        let ratio = b.im / b.re;
        let divisor = b.re + b.im * ratio;
        Complex64::new((a.re + a.im * ratio) / divisor, (a.im - a.re * ratio) / divisor)
    } else {
        let ratio = b.re / b.im;
        let divisor = b.re * ratio + b.im;
        Complex64::new((a.re * ratio + a.im) / divisor, (a.im * ratio - a.re) / divisor)
    }
}

/// A divisor that is not too small.
#[inline(always)]
fn bounded(divisor: Complex64, least: f64) -> Complex64 {
    if size(divisor) < least {
        Complex64::from(least)
    } else {
        divisor
    }
}

/// Column k of a product Z·x, in its place, for an x that ends with element k.
#[inline(always)]
fn combine<S: Simd, T: Double>(z: &mut Columns<'_, T>, k: usize, x: &[T]) {
    let (before, from) = z.data.split_at_mut(k * z.n);
    let column = &mut from[..z.n];
    for y in column.iter_mut() {
        *y *= x[k];
    }
    for (z, &x) in before.chunks_exact(z.n).zip(x) {
        T::subtract::<S>(column, -x, z);
    }
}

/// For upper triangular T.
#[inline(always)]
pub(super) fn complex<S: Simd>(
    t: &Columns<'_, Complex64>,
    w: &[Complex64],
    z: &mut Columns<'_, Complex64>,
    x: &mut [f64],
) {
    let n = t.n;
    let (re, im) = x.split_at_mut(n);
    for k in (0..n).rev() {
        let least = least(w[k], n);
        for (i, t) in t.column(k)[..k].iter().enumerate() {
            (re[i], im[i]) = (-t.re, -t.im);
        }
        (re[k], im[k]) = (1.0, 0.0);
        for j in (0..k).rev() {
            let mut y = divide(Complex64::new(re[j], im[j]), bounded(t.at(j, j) - w[k], least));
            let large = size(y);
            if large > LARGE {
                shrink(&mut re[..=k], 1.0 / large);
                shrink(&mut im[..=k], 1.0 / large);
                y /= large;
            }
            (re[j], im[j]) = (y.re, y.im);
            for ((re, im), t) in re[..j].iter_mut().zip(&mut im[..j]).zip(t.column(j)) {
                *re -= y.re * t.re - y.im * t.im;
                *im -= y.re * t.im + y.im * t.re;
            }
        }
        let (before, from) = z.data.split_at_mut(k * n);
        let column = &mut from[..n];
        let last = Complex64::new(re[k], im[k]);
        for y in column.iter_mut() {
            *y *= last;
        }
        for ((z, &re), &im) in before.chunks_exact(n).zip(&*re).zip(&*im) {
            Complex64::subtract::<S>(column, -Complex64::new(re, im), z);
        }
    }
}

#[inline(always)]
fn shrink(x: &mut [f64], factor: f64) {
    for x in x {
        *x *= factor;
    }
}

/// For quasi-triangular T in standard form. The second of two columns of a pair is the imaginary part.
#[inline(always)]
pub(super) fn real<S: Simd>(t: &Columns<'_, f64>, w: &[Complex64], z: &mut Columns<'_, f64>, x: &mut [f64]) {
    let n = t.n;
    let (re, im) = x.split_at_mut(n);
    let mut end = n;
    while end > 0 {
        let k = end - 1;
        if w[k].im == 0.0 {
            for (x, t) in re.iter_mut().zip(&t.column(k)[..k]) {
                *x = -t;
            }
            re[k] = 1.0;
            solve::<S, false>(t, k, w[k], re, im);
            combine::<S, f64>(z, k, re);
            end -= 1;
            continue;
        }
        // The pair k−1, k: (T − λ) x = 0 in its own two rows fixes the last two elements up to a factor.
        let value = Complex64::new(w[k].re, w[k].im.abs());
        let (above, below) = (t.at(k - 1, k), t.at(k, k - 1));
        let (a, b) = match above.abs() >= below.abs() {
            true => (1.0, value.im / above),
            false => (-value.im / below, 1.0),
        };
        for i in 0..k - 1 {
            (re[i], im[i]) = (-a * t.at(i, k - 1), -b * t.at(i, k));
        }
        (re[k - 1], im[k - 1], re[k], im[k]) = (a, 0.0, 0.0, b);
        solve::<S, true>(t, k - 1, value, re, im);
        // Both columns at once, since each one needs both old ones.
        let (before, from) = z.data.split_at_mut((k - 1) * n);
        let (p, q) = from[..2 * n].split_at_mut(n);
        let (a, b) = (re[k - 1], im[k]);
        for (p, q) in p.iter_mut().zip(&mut *q) {
            (*p, *q) = (a * *p, b * *q);
        }
        for ((z, &re), &im) in before.chunks_exact(n).zip(&*re).zip(&*im) {
            f64::subtract::<S>(p, -re, z);
            f64::subtract::<S>(q, -im, z);
        }
        end -= 2;
    }
}

/// Elements below `k` of x, whose right-hand side stands in their place. Without `COMPLEX`, the imaginary part is zero
/// and not looked at.
#[inline(always)]
fn solve<S: Simd, const COMPLEX: bool>(
    t: &Columns<'_, f64>,
    k: usize,
    value: Complex64,
    re: &mut [f64],
    im: &mut [f64],
) {
    let least = least(value, t.n);
    // All that may be in use: a pair's own two elements included.
    let used = (k + 2).min(t.n);
    let mut end = k;
    while end > 0 {
        let j = end - 1;
        let get = |re: &[f64], im: &[f64], i: usize| Complex64::new(re[i], if COMPLEX { im[i] } else { 0.0 });
        let first = if j > 0 && t.at(j, j - 1) != 0.0 { j - 1 } else { j };
        let mut y = [Complex64::ZERO; 2];
        if first == j {
            y[0] = divide(get(re, im, j), bounded(t.at(j, j) - value, least));
        } else {
            let (p, b, c, q) = (t.at(j - 1, j - 1) - value, t.at(j - 1, j), t.at(j, j - 1), t.at(j, j) - value);
            let (r, s) = (get(re, im, j - 1), get(re, im, j));
            // Elimination with the larger pivot.
            if size(p) >= c.abs() {
                let m = divide(c.into(), p);
                y[1] = divide(s - m * r, bounded(q - m * b, least));
                y[0] = divide(r - y[1] * b, p);
            } else {
                let m = p / c;
                y[1] = divide(r - m * s, bounded(b - m * q, least));
                y[0] = (s - q * y[1]) / c;
            }
        }
        let large = size(y[0]).max(size(y[1]));
        if large > LARGE {
            shrink(&mut re[..used], 1.0 / large);
            if COMPLEX {
                shrink(&mut im[..used], 1.0 / large);
            }
            y = [y[0] / large, y[1] / large];
        }
        for (i, y) in (first..end).zip(y) {
            re[i] = y.re;
            f64::subtract::<S>(&mut re[..first], y.re, &t.column(i)[..first]);
            if COMPLEX {
                im[i] = y.im;
                f64::subtract::<S>(&mut im[..first], y.im, &t.column(i)[..first]);
            }
        }
        end = first;
    }
}
