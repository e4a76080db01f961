//! Columns of real and imaginary parts, and what is done to one or two of them.

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

    pub(super) fn height(&self) -> usize {
        self.height
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

    pub(super) fn column_mut(&mut self, j: usize) -> &mut [f64] {
        let width = self.width();
        &mut self.data[j * width..][..width]
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

fn sum(lanes: [f64; LANES]) -> f64 {
    let mut lanes = lanes;
    let mut half = LANES / 2;
    while half > 0 {
        (0..half).for_each(|i| lanes[i] += lanes[i + half]);
        half /= 2;
    }
    lanes[0]
}

/// Σ x·y over whole lanes.
#[inline(always)]
fn real_dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (x, y) in x.chunks_exact(LANES).zip(y.chunks_exact(LANES)) {
        for i in 0..LANES {
            lanes[i] += x[i] * y[i];
        }
    }
    sum(lanes)
}

/// xᴴ·y over the first `rows` numbers (whole lanes) of two columns.
#[inline(always)]
pub(super) fn dot<const COMPLEX: bool>(x: &[f64], y: &[f64], rows: usize) -> Complex64 {
    let height = x.len() / if COMPLEX { 2 } else { 1 };
    let re = real_dot(&x[..rows], &y[..rows]);
    if !COMPLEX {
        return Complex64::new(re, 0.0);
    }
    let (x_im, y_im) = (&x[height..][..rows], &y[height..][..rows]);
    let im = real_dot(&x[..rows], y_im) - real_dot(x_im, &y[..rows]);
    Complex64::new(re + real_dot(x_im, y_im), im)
}

/// The square of the norm of the first `rows` numbers of a column.
#[inline(always)]
pub(super) fn norm_sqr<const COMPLEX: bool>(x: &[f64], rows: usize) -> f64 {
    let height = x.len() / if COMPLEX { 2 } else { 1 };
    let re = real_dot(&x[..rows], &x[..rows]);
    match COMPLEX {
        true => re + real_dot(&x[height..][..rows], &x[height..][..rows]),
        false => re,
    }
}

/// (x, y) ← (c·x − s·ē·y, s·x + c·ē·y) with |e| = 1, over whole columns.
#[inline(always)]
pub(super) fn rotate<const COMPLEX: bool>(x: &mut [f64], y: &mut [f64], c: f64, s: f64, e: Complex64) {
    if !COMPLEX {
        // e is 1 or −1.
        for (x, y) in x.chunks_exact_mut(LANES).zip(y.chunks_exact_mut(LANES)) {
            for i in 0..LANES {
                let turned = e.re * y[i];
                (x[i], y[i]) = (c * x[i] - s * turned, s * x[i] + c * turned);
            }
        }
        return;
    }
    let height = x.len() / 2;
    let ((x, x_im), (y, y_im)) = (x.split_at_mut(height), y.split_at_mut(height));
    let columns = x.chunks_exact_mut(LANES).zip(x_im.chunks_exact_mut(LANES));
    let others = y.chunks_exact_mut(LANES).zip(y_im.chunks_exact_mut(LANES));
    for ((x, x_im), (y, y_im)) in columns.zip(others) {
        for i in 0..LANES {
            let (re, im) = (e.re * y[i] + e.im * y_im[i], e.re * y_im[i] - e.im * y[i]);
            (x[i], y[i]) = (c * x[i] - s * re, s * x[i] + c * re);
            (x_im[i], y_im[i]) = (c * x_im[i] - s * im, s * x_im[i] + c * im);
        }
    }
}

/// y ← y − a·x over whole columns.
#[inline(always)]
pub(super) fn subtract<const COMPLEX: bool>(y: &mut [f64], a: Complex64, x: &[f64]) {
    let height = x.len() / if COMPLEX { 2 } else { 1 };
    if !COMPLEX {
        return y.iter_mut().zip(x).for_each(|(y, x)| *y -= a.re * x);
    }
    let ((y, y_im), (x, x_im)) = (y.split_at_mut(height), x.split_at(height));
    for (((y, y_im), x), x_im) in y.iter_mut().zip(y_im).zip(x).zip(x_im) {
        *y -= a.re * x - a.im * x_im;
        *y_im -= a.re * x_im + a.im * x;
    }
}
