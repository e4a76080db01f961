//! Columns of real and imaginary parts, and what is done to one or two of them.

use tensoroxide_tensor::simd::Vector;
use tensoroxide_tensor::{Complex64, Scalar};

use super::LANES;
use crate::workspace::{Memory, Plain};
use crate::{Error, Matrix, Workspace};

/// Columns of `height` real parts and, where numbers are complex, as many imaginary parts behind them.
pub(super) struct Columns<'w> {
    data: Memory<'w, f64>,
    height: usize,
    complex: bool,
}

impl<'w> Columns<'w> {
    /// Columns of zeros; `height` is rounded up to whole lanes.
    pub(super) fn zeros(height: usize, count: usize, complex: bool, workspace: &'w Workspace) -> Result<Self, Error> {
        let height = padded(height);
        Ok(Columns { data: workspace.zeros((1 + usize::from(complex)) * height * count)?, height, complex })
    }

    /// The columns of a matrix, with room for `more` numbers below each.
    pub(super) fn of<T: Plain + Scalar>(
        a: &Matrix<'_, T>,
        more: usize,
        workspace: &'w Workspace,
    ) -> Result<Self, Error> {
        let height = padded(a.rows()) + padded(more);
        let mut columns = Columns::zeros(height, a.cols(), T::DTYPE.is_complex(), workspace)?;
        for j in 0..a.cols() {
            a.col(j).iter().enumerate().for_each(|(i, &x)| columns.set(i, j, x.to_c64()));
        }
        Ok(columns)
    }

    fn width(&self) -> usize {
        (1 + usize::from(self.complex)) * self.height
    }

    /// Element (i, j).
    pub(super) fn get(&self, i: usize, j: usize) -> Complex64 {
        let column = self.column(j);
        Complex64::new(column[i], if self.complex { column[self.height + i] } else { 0.0 })
    }

    pub(super) fn set(&mut self, i: usize, j: usize, x: Complex64) {
        let at = j * self.width() + i;
        self.data[at] = x.re;
        if self.complex {
            self.data[at + self.height] = x.im;
        }
    }

    pub(super) fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.width()..][..self.width()]
    }

    /// Columns p < q.
    #[inline(always)]
    pub(super) fn pair(&mut self, p: usize, q: usize) -> (&mut [f64], &mut [f64]) {
        let width = self.width();
        let (before, from) = self.data.split_at_mut(q * width);
        (&mut before[p * width..][..width], &mut from[..width])
    }
}

/// The next multiple of the lanes.
pub(super) fn padded(height: usize) -> usize {
    height.next_multiple_of(LANES)
}

/// The sum of a register's lanes.
#[inline(always)]
fn sum<V: Vector<Lane = f64>>(x: V) -> f64 {
    let mut lanes = [0.0; LANES];
    // SAFETY: within a task (see `dot`); a register has at most as many lanes.
    unsafe { x.store(lanes.as_mut_ptr()) };
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The `i`-th register of a column.
#[inline(always)]
fn load<V: Vector<Lane = f64>>(x: &[f64], i: usize) -> V {
    debug_assert!((i + 1) * V::LANES <= x.len());
    // SAFETY: within a task, and columns are whole registers: every caller counts up to the registers of `x`.
    unsafe { V::load(x.as_ptr().add(i * V::LANES)) }
}

#[inline(always)]
fn store<V: Vector<Lane = f64>>(value: V, x: &mut [f64], i: usize) {
    debug_assert!((i + 1) * V::LANES <= x.len());
    // SAFETY: as for `load`.
    unsafe { value.store(x.as_mut_ptr().add(i * V::LANES)) }
}

/// A column's real and imaginary parts; the latter empty where there are none.
#[inline(always)]
fn parts<const COMPLEX: bool>(x: &[f64]) -> (&[f64], &[f64]) {
    x.split_at(x.len() / if COMPLEX { 2 } else { 1 })
}

#[inline(always)]
fn parts_mut<const COMPLEX: bool>(x: &mut [f64]) -> (&mut [f64], &mut [f64]) {
    x.split_at_mut(x.len() / if COMPLEX { 2 } else { 1 })
}

/// xᴴ·y over the first `rows` numbers (whole lanes) of two columns.
///
/// # Safety
/// As all that follows: within a [`Task`](tensoroxide_tensor::simd::Task), with one of its registers.
#[inline(always)]
pub(super) unsafe fn dot<V: Vector<Lane = f64>, const COMPLEX: bool>(x: &[f64], y: &[f64], rows: usize) -> Complex64 {
    let ((x, x_im), (y, y_im)) = (parts::<COMPLEX>(x), parts::<COMPLEX>(y));
    // SAFETY: the caller's promise.
    unsafe {
        let (mut re, mut im) = (V::zero(), V::zero());
        for i in 0..rows.min(x.len()) / V::LANES {
            let (a, b) = (load::<V>(x, i), load::<V>(y, i));
            re = a.mul_add(b, re);
            if COMPLEX {
                let (c, d) = (load::<V>(x_im, i), load::<V>(y_im, i));
                re = c.mul_add(d, re);
                im = c.neg_mul_add(b, a.mul_add(d, im));
            }
        }
        Complex64::new(sum(re), if COMPLEX { sum(im) } else { 0.0 })
    }
}

/// The square of the norm of the first `rows` numbers of a column.
///
/// # Safety
/// As [`dot`].
#[inline(always)]
pub(super) unsafe fn norm_sqr<V: Vector<Lane = f64>, const COMPLEX: bool>(x: &[f64], rows: usize) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { dot::<V, COMPLEX>(x, x, rows).re }
}

/// (x, y) ← (c·x − s·ē·y, s·x + c·ē·y) with |e| = 1, over whole columns.
///
/// # Safety
/// As [`dot`].
#[inline(always)]
pub(super) unsafe fn rotate<V: Vector<Lane = f64>, const COMPLEX: bool>(
    x: &mut [f64],
    y: &mut [f64],
    c: f64,
    s: f64,
    e: Complex64,
) {
    let ((x, x_im), (y, y_im)) = (parts_mut::<COMPLEX>(x), parts_mut::<COMPLEX>(y));
    // SAFETY: the caller's promise.
    unsafe {
        let (c, s, e, e_im) = (V::splat(c), V::splat(s), V::splat(e.re), V::splat(e.im));
        for i in 0..x.len() / V::LANES {
            let (mut re, mut im) = (load::<V>(y, i).mul(e), V::zero());
            if COMPLEX {
                let y_im = load::<V>(y_im, i);
                im = load::<V>(y, i).neg_mul_add(e_im, y_im.mul(e));
                re = y_im.mul_add(e_im, re);
            }
            let (a, b) = turn(load(x, i), re, c, s);
            store(a, x, i);
            store(b, y, i);
            if COMPLEX {
                let (a, b) = turn(load(x_im, i), im, c, s);
                store(a, x_im, i);
                store(b, y_im, i);
            }
        }
    }
}

/// (c·x − s·y, s·x + c·y). No closure: that would be compiled without the instruction set.
///
/// # Safety
/// As [`dot`].
#[inline(always)]
unsafe fn turn<V: Vector<Lane = f64>>(x: V, y: V, c: V, s: V) -> (V, V) {
    // SAFETY: the caller's promise.
    unsafe { (s.neg_mul_add(y, c.mul(x)), c.mul_add(y, s.mul(x))) }
}
