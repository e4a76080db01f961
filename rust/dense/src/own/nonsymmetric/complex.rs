//! The complex Schur form by QR iteration with implicit single shifts, by rotations.
//!
//! Golub and Van Loan, section 7.5. What counts as zero is the criterion of Ahues and Tisseur (LAPACK Working Note
//! 122); shifts and exceptional shifts are those of LAPACK's zlahqr.

use tensoroxide_tensor::simd::{Simd, Vector, MAX_LANES};
use tensoroxide_tensor::Complex64;

use super::substitution::divide;
use super::{size, Columns, Double, Values};
use crate::{Error, Matrix, Workspace};

/// Columns of so few elements are not worth a register.
const SHORT: usize = 16;
/// What rounding makes of 1.
const ULP: f64 = f64::EPSILON;

impl Double for Complex64 {
    #[inline(always)]
    fn iterate<S: Simd>(
        h: &mut Columns<'_, Complex64>,
        z: Option<&mut Columns<'_, Complex64>>,
        w: &mut [Complex64],
    ) -> Result<(), Error> {
        let (n, mut z) = (h.n, z);
        // Rows and columns from `end` on are done.
        let (mut end, mut steps) = (n, 0);
        while end > 0 {
            let start = deflate(h, end);
            if end - start == 1 {
                w[start] = h.at(start, start);
                (end, steps) = (start, 0);
                continue;
            }
            if steps >= 30 * n.max(10) {
                return Err(Error::NoConvergence);
            }
            steps += 1;
            let shift = shift(h, start, end, steps);
            sweep::<S>(h, z.as_deref_mut(), start, end, shift);
        }
        Ok(())
    }

    #[inline(always)]
    fn substitute<S: Simd>(t: &Columns<'_, Complex64>, w: &[Complex64], z: &mut Columns<'_, Complex64>, x: &mut [f64]) {
        super::substitution::complex::<S>(t, w, z, x);
    }

    #[inline(always)]
    fn dot<S: Simd>(x: &[Complex64], y: &[Complex64]) -> Complex64 {
        let (n, lanes) = (2 * x.len().min(y.len()), S::F64::LANES);
        let (x, y) = (x.as_ptr().cast::<f64>(), y.as_ptr().cast::<f64>());
        // SAFETY: within a task; `n` numbers can be read of either.
        unsafe {
            // The sum of (xr·yr, xi·yi) is the real part; that of (xr·yi, −xi·yr) the imaginary one.
            let (mut re, mut im, mut i) = (S::F64::zero(), S::F64::zero(), 0);
            while i < n {
                let (a, b) = match n - i {
                    rest if rest < lanes => (S::F64::load_first(x.add(i), rest), S::F64::load_first(y.add(i), rest)),
                    _ => (S::F64::load(x.add(i)), S::F64::load(y.add(i))),
                };
                re = a.mul_add(b, re);
                im = a.mul_add(b.swap_pairs(), im);
                i += lanes;
            }
            Complex64::new(re.sum(), im.mul(alternating::<S>(1.0)).sum())
        }
    }

    #[inline(always)]
    fn subtract<S: Simd>(y: &mut [Complex64], a: Complex64, x: &[Complex64]) {
        let (n, lanes) = (2 * x.len().min(y.len()), S::F64::LANES);
        let (x, y) = (x.as_ptr().cast::<f64>(), y.as_mut_ptr().cast::<f64>());
        // SAFETY: within a task; `n` numbers can be read of X, and written of Y.
        unsafe {
            let (re, im) = (S::F64::splat(a.re), alternating::<S>(a.im));
            let mut i = 0;
            while i + lanes <= n {
                let (u, v) = (S::F64::load(x.add(i)), S::F64::load(y.add(i)));
                im.mul_add(u.swap_pairs(), re.neg_mul_add(u, v)).store(y.add(i));
                i += lanes;
            }
            if i < n {
                let (u, v) = (S::F64::load_first(x.add(i), n - i), S::F64::load_first(y.add(i), n - i));
                im.mul_add(u.swap_pairs(), re.neg_mul_add(u, v)).store_first(y.add(i), n - i);
            }
        }
    }

    fn evd<'w>(a: &Matrix<'_, Complex64>, workspace: &'w Workspace) -> Result<Values<'w, Complex64>, Error> {
        crate::own::evd::complex(a, workspace)
    }
}

/// The first row of the last block without negligible subdiagonal elements that ends before `end`; the element to its
/// left is set to zero.
#[inline(always)]
fn deflate(h: &mut Columns<'_, Complex64>, end: usize) -> usize {
    let small = f64::MIN_POSITIVE * (h.n as f64 / ULP);
    let mut k = end - 1;
    while k > 0 {
        let (below, before, here) = (size(h.at(k, k - 1)), h.at(k - 1, k - 1), h.at(k, k));
        if below <= small {
            break;
        }
        let mut neighbours = size(before) + size(here);
        if neighbours == 0.0 {
            neighbours += if k >= 2 { size(h.at(k - 1, k - 2)) } else { 0.0 };
            neighbours += if k + 1 < h.n { size(h.at(k + 1, k)) } else { 0.0 };
        }
        if below <= ULP * neighbours {
            let (above, difference) = (size(h.at(k - 1, k)), size(before - here));
            let (ab, ba) = (below.max(above), below.min(above));
            let (aa, bb) = (size(here).max(difference), size(here).min(difference));
            let s = aa + ab;
            if ba * (ab / s) <= small.max(ULP * (bb * (aa / s))) {
                break;
            }
        }
        k -= 1;
    }
    if k > 0 {
        h.set(k, k - 1, Complex64::ZERO);
    }
    k
}

/// The root in the right half plane, of numbers that are neither huge nor tiny.
#[inline(always)]
fn root(z: Complex64) -> Complex64 {
    let modulus = z.re.hypot(z.im);
    if modulus == 0.0 {
        return Complex64::ZERO;
    }
    let larger = (0.5 * (modulus + z.re.abs())).sqrt();
    let smaller = 0.5 * z.im.abs() / larger;
    match z.re >= 0.0 {
        true => Complex64::new(larger, smaller.copysign(z.im)),
        false => Complex64::new(smaller, larger.copysign(z.im)),
    }
}

/// The eigenvalue of the last 2×2 block that is nearer to the last element.
#[inline(always)]
fn shift(h: &Columns<'_, Complex64>, start: usize, end: usize, steps: usize) -> Complex64 {
    let last = end - 1;
    let here = h.at(last, last);
    // Now and then another one, should the usual ones lead in circles.
    match steps {
        _ if steps % 20 == 0 => return here + 0.75 * size(h.at(last, last - 1)),
        _ if steps % 10 == 0 => return h.at(start, start) + 0.75 * size(h.at(start + 1, start)),
        _ => {}
    }
    let u = root(h.at(last - 1, last)) * root(h.at(last, last - 1));
    let s = size(u);
    if s == 0.0 {
        return here;
    }
    let x = 0.5 * (h.at(last - 1, last - 1) - here);
    let s = s.max(size(x));
    let (xs, us) = (x / s, u / s);
    let mut y = s * root(xs * xs + us * us);
    if xs.re * y.re + xs.im * y.im < 0.0 {
        y = -y;
    }
    here - u * divide(u, x + y)
}

/// A rotation (c, s; −s̄, c) with real c ≥ 0 that takes (f, g) to (r, 0): c, s and r.
#[inline(always)]
fn rotation(f: Complex64, g: Complex64) -> (f64, Complex64, Complex64) {
    if g == Complex64::ZERO {
        return (1.0, Complex64::ZERO, f);
    }
    let largest = f.re.abs().max(f.im.abs()).max(g.re.abs()).max(g.im.abs());
    // Squares of smaller numbers would lose digits.
    let scale = if largest < 1e-140 { 2f64.powi(500) } else { 1.0 };
    let (f, g) = (f * scale, g * scale);
    let (ff, gg) = (f.norm_sqr(), g.norm_sqr());
    if ff < 1e-290 {
        let modulus = gg.sqrt();
        return (0.0, g.conj() / modulus, Complex64::from(modulus / scale));
    }
    let (modulus, norm) = (ff.sqrt(), (ff + gg).sqrt());
    let phase = f / modulus;
    (modulus / norm, phase * g.conj() / norm, phase * (norm / scale))
}

/// One bulge from the top of a block to its end.
#[inline(always)]
fn sweep<S: Simd>(
    h: &mut Columns<'_, Complex64>,
    z: Option<&mut Columns<'_, Complex64>>,
    start: usize,
    end: usize,
    shift: Complex64,
) {
    let (n, last, full, mut z) = (h.n, end - 1, z.is_some(), z);
    // The bulge may begin below the top where two small subdiagonal elements follow each other.
    let mut m = end - 2;
    let mut v = loop {
        let (a, b, below) = (h.at(m, m), h.at(m + 1, m + 1), h.at(m + 1, m));
        let v = (a - shift, below);
        if m == start {
            break v;
        }
        let s = size(v.0) + size(below);
        if size(h.at(m, m - 1)) * (size(below) / s) <= ULP * (size(v.0) / s * (size(a) + size(b))) {
            break v;
        }
        m -= 1;
    };
    let (top, right) = if full { (0, h.n) } else { (start, end) };
    for k in m..last {
        if k > m {
            v = (h.at(k, k - 1), h.at(k + 1, k - 1));
        }
        let (c, s, r) = rotation(v.0, v.1);
        if k > m {
            h.set(k, k - 1, r);
            h.set(k + 1, k - 1, Complex64::ZERO);
        } else if m > start {
            h.set(k, k - 1, h.at(k, k - 1) * c);
        }
        for column in h.data[k * n..right * n].chunks_exact_mut(n) {
            let x = &mut column[k..k + 2];
            (x[0], x[1]) = (x[0] * c + s * x[1], x[1] * c - s.conj() * x[0]);
        }
        let below = (k + 3).min(end);
        let (x, y) = h.pair(k, k + 1);
        rotate::<S>(&mut x[top..below], &mut y[top..below], c, s);
        if let Some(z) = z.as_deref_mut() {
            let (x, y) = z.pair(k, k + 1);
            rotate::<S>(x, y, c, s);
        }
    }
}

/// (x, −x, x, −x, …).
///
/// # Safety
/// Within a task.
#[inline(always)]
unsafe fn alternating<S: Simd>(x: f64) -> S::F64 {
    let mut lanes = [x; MAX_LANES];
    for lane in lanes.iter_mut().skip(1).step_by(2) {
        *lane = -x;
    }
    // SAFETY: the caller's promise; no register has more lanes.
    unsafe { S::F64::load(lanes.as_ptr()) }
}

/// (x, y) times the adjoint of the rotation: c·x + s̄·y and c·y − s·x.
#[inline(always)]
fn rotate<S: Simd>(x: &mut [Complex64], y: &mut [Complex64], c: f64, s: Complex64) {
    let (n, lanes) = (2 * x.len().min(y.len()), S::F64::LANES);
    // What the rows were just written with, one by one, a register cannot read before it has reached the cache.
    if x.len() <= SHORT {
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = (x.scale(c) + s.conj() * *y, y.scale(c) - s * *x);
        }
        return;
    }
    let (x, y) = (x.as_mut_ptr().cast::<f64>(), y.as_mut_ptr().cast::<f64>());
    // SAFETY: within a task; `n` numbers of each can be read and written.
    unsafe {
        let (c, re, im) = (S::F64::splat(c), S::F64::splat(s.re), alternating::<S>(s.im));
        let mut i = 0;
        while i + lanes <= n {
            let (a, b) = (S::F64::load(x.add(i)), S::F64::load(y.add(i)));
            im.mul_add(b.swap_pairs(), re.mul_add(b, c.mul(a))).store(x.add(i));
            im.mul_add(a.swap_pairs(), re.neg_mul_add(a, c.mul(b))).store(y.add(i));
            i += lanes;
        }
        if i < n {
            let (x, y, rest) = (x.add(i), y.add(i), n - i);
            let (a, b) = (S::F64::load_first(x, rest), S::F64::load_first(y, rest));
            im.mul_add(b.swap_pairs(), re.mul_add(b, c.mul(a))).store_first(x, rest);
            im.mul_add(a.swap_pairs(), re.neg_mul_add(a, c.mul(b))).store_first(y, rest);
        }
    }
}
