//! Dual matrices: a matrix, and its tangent along one direction. What the rules are written in.
//!
//! A rule that is written once in duals is evaluated thrice: for matrices without a tangent it is the derivative
//! itself, for matrices with one it also gives the derivative of the derivative along that direction (forward over
//! reverse; Griewank and Walther, *Evaluating Derivatives*, 2nd ed., ch. 5). What has no tangent is constant, and costs
//! nothing.
//!
//! All matrices of a rule have the one element type in which it computes: real vectors are columns whose imaginary
//! parts are 0.

use std::cell::Cell;

use tensoroxide_dense::{gemm, lu, solve_triangular, Element, MatRef, Matrix, Resources};
use tensoroxide_tensor::{Real, Threads};

use crate::{Error, OnGauge, Options};

/// A matrix and its tangent, the derivative along the direction that is followed; `None` for a constant.
#[derive(Debug)]
pub(crate) struct Dual<'w, T: Element> {
    pub(crate) value: Matrix<'w, T>,
    pub(crate) tangent: Option<Matrix<'w, T>>,
}

/// A dual matrix as an operand, or a block of it: as it is, transposed, conjugated, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a, 'w, T: Element> {
    dual: &'a Dual<'w, T>,
    /// Where the block begins.
    at: (usize, usize),
    /// Its rows and columns.
    extents: (usize, usize),
    transposed: bool,
    conj: bool,
}

impl<'w, T: Element> Dual<'w, T> {
    pub(crate) const fn constant(value: Matrix<'w, T>) -> Self {
        Dual { value, tangent: None }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.value.rows()
    }

    pub(crate) const fn cols(&self) -> usize {
        self.value.cols()
    }

    /// X
    pub(crate) const fn n(&self) -> Op<'_, 'w, T> {
        Op { dual: self, at: (0, 0), extents: (self.rows(), self.cols()), transposed: false, conj: false }
    }

    /// Xᴴ
    pub(crate) const fn h(&self) -> Op<'_, 'w, T> {
        self.n().h()
    }

    /// Xᵀ
    pub(crate) const fn t(&self) -> Op<'_, 'w, T> {
        self.n().t()
    }

    /// The value, and the tangent if there is one: what a linear function is applied to.
    fn parts(&mut self) -> impl Iterator<Item = &mut Matrix<'w, T>> {
        [Some(&mut self.value), self.tangent.as_mut()].into_iter().flatten()
    }

    /// Every element times a real number.
    pub(crate) fn scale(&mut self, alpha: f64) {
        let alpha = real::<T>(alpha);
        self.parts().for_each(|x| x.elements_mut().iter_mut().for_each(|x| *x = x.scale(alpha)));
    }

    /// Every element times a real number that depends on its place.
    pub(crate) fn weigh(&mut self, weight: impl Fn(usize, usize) -> f64) {
        self.linear(|i, j, x| x.scale(real::<T>(weight(i, j))));
    }

    /// Every element replaced by a function of its place and itself, linear in itself over the real numbers.
    pub(crate) fn linear(&mut self, f: impl Fn(usize, usize, T) -> T) {
        for x in self.parts() {
            for j in 0..x.cols() {
                x.col_mut(j).iter_mut().enumerate().for_each(|(i, x)| *x = f(i, j, *x));
            }
        }
    }

    /// Re X
    pub(crate) fn real(&mut self) {
        self.linear(|_, _, x| T::from_real(x.re()));
    }

    /// Everything replaced by a function of itself that is linear over the real numbers.
    pub(crate) fn transform(&mut self, f: impl Fn(&mut Matrix<'w, T>)) {
        self.parts().for_each(f);
    }

    /// X + sign·Xᴴ for a square X.
    pub(crate) fn fold(&mut self, sign: f64) {
        let sign = real::<T>(sign);
        let n = self.rows();
        for x in self.parts() {
            let x = x.elements_mut();
            for j in 0..n {
                for i in 0..=j {
                    let (upper, lower) = (x[i + n * j], x[j + n * i]);
                    x[i + n * j] = upper + lower.conj().scale(sign);
                    x[j + n * i] = lower + upper.conj().scale(sign);
                }
            }
        }
    }

    /// Every element replaced by a differentiable function of itself, given as its value and its derivative.
    pub(crate) fn map(&mut self, f: impl Fn(T) -> [T; 2]) {
        let (value, mut tangent) = (self.value.elements_mut(), self.tangent.as_mut().map(Matrix::elements_mut));
        for k in 0..value.len() {
            let [y, slope] = f(value[k]);
            value[k] = y;
            if let Some(tangent) = &mut tangent {
                tangent[k] *= slope;
            }
        }
    }
}

impl<'a, 'w, T: Element> Op<'a, 'w, T> {
    pub(crate) const fn rows(&self) -> usize {
        if self.transposed {
            self.extents.1
        } else {
            self.extents.0
        }
    }

    pub(crate) const fn cols(&self) -> usize {
        if self.transposed {
            self.extents.0
        } else {
            self.extents.1
        }
    }

    /// The adjoint of this operand.
    pub(crate) const fn h(self) -> Self {
        Op { conj: !self.conj, ..self.t() }
    }

    /// The transpose of this operand.
    pub(crate) const fn t(self) -> Self {
        Op { transposed: !self.transposed, ..self }
    }

    /// The m×n block of this operand whose first element is at row i and column j.
    pub(crate) const fn block(self, (i, j): (usize, usize), (m, n): (usize, usize)) -> Self {
        let ((i, j), extents) = if self.transposed { ((j, i), (n, m)) } else { ((i, j), (m, n)) };
        Op { at: (self.at.0 + i, self.at.1 + j), extents, ..self }
    }

    /// Its first n columns.
    pub(crate) const fn left(self, n: usize) -> Self {
        self.block((0, 0), (self.rows(), n))
    }

    /// Its columns from number j on.
    pub(crate) const fn right(self, j: usize) -> Self {
        self.block((0, j), (self.rows(), self.cols() - j))
    }

    fn oriented(&self, x: &'a Matrix<'w, T>) -> Result<MatRef<'a, T>, Error> {
        let block = x.as_ref().block(self.at.0, self.at.1, self.extents.0, self.extents.1)?;
        Ok(if self.transposed { block.t() } else { block })
    }

    pub(crate) fn value(&self) -> Result<MatRef<'a, T>, Error> {
        self.oriented(&self.dual.value)
    }

    fn tangent(&self) -> Result<Option<MatRef<'a, T>>, Error> {
        self.dual.tangent.as_ref().map(|x| self.oriented(x)).transpose()
    }
}

impl<'a, 'w, T: Element> From<&'a Dual<'w, T>> for Op<'a, 'w, T> {
    fn from(x: &'a Dual<'w, T>) -> Self {
        x.n()
    }
}

/// Where a rule computes: its memory and its threads; and what it makes of a gauge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'w> {
    pub(crate) with: Resources<'w>,
    /// For products.
    pub(crate) threads: Threads,
    pub(crate) options: &'w Options,
    /// The largest part of a cotangent that depends on the gauge, as far as it was seen.
    pub(crate) gauge: &'w Cell<f64>,
}

impl<'w> Scope<'w> {
    /// Takes note of the norm of that part of a cotangent which depends on the gauge, and of the norm of the whole.
    ///
    /// # Errors
    /// [`Error::GaugeDependent`], if that is what [`Options::on_gauge`] says.
    pub(crate) fn gauge_dependent<T: Element>(self, part: f64, whole: f64) -> Result<(), Error> {
        let part = if part == 0.0 { 0.0 } else { part / whole };
        let tolerance = self.options.gauge_tolerance::<T>();
        if part > tolerance {
            if self.options.on_gauge == OnGauge::Error {
                return Err(Error::GaugeDependent { part, tolerance });
            }
            self.gauge.set(self.gauge.get().max(part));
        }
        Ok(())
    }

    pub(crate) fn zeros<T: Element>(self, m: usize, n: usize) -> Result<Dual<'w, T>, Error> {
        Ok(Dual::constant(self.with.matrix(m, n)?))
    }

    pub(crate) fn identity<T: Element>(self, n: usize) -> Result<Dual<'w, T>, Error> {
        let mut x = self.zeros(n, n)?;
        (0..n).for_each(|i| x.value.col_mut(i)[i] = T::ONE);
        Ok(x)
    }

    /// op(X)
    pub(crate) fn copy<T: Element>(self, x: Op<'_, '_, T>) -> Result<Dual<'w, T>, Error> {
        let tangent = x.tangent()?.map(|tangent| self.with.copy_of(tangent, x.conj)).transpose()?;
        Ok(Dual { value: self.with.copy_of(x.value()?, x.conj)?, tangent })
    }

    /// The tangent of X, made of zeros if there is none and one is needed.
    fn tangent<'c, T: Element>(
        self,
        x: &'c mut Dual<'w, T>,
        needed: bool,
    ) -> Result<Option<&'c mut Matrix<'w, T>>, Error> {
        if needed && x.tangent.is_none() {
            x.tangent = Some(self.with.matrix(x.rows(), x.cols())?);
        }
        Ok(x.tangent.as_mut())
    }

    /// X without its tangent.
    pub(crate) fn value<T: Element>(self, x: &Dual<'_, T>) -> Result<Dual<'w, T>, Error> {
        Ok(Dual::constant(self.with.copy_of(x.value.as_ref(), false)?))
    }

    /// The tangent of X, as a constant.
    pub(crate) fn slope<T: Element>(self, x: &Dual<'_, T>) -> Result<Option<Dual<'w, T>>, Error> {
        let copy = |x: &Matrix<'_, T>| Ok(Dual::constant(self.with.copy_of(x.as_ref(), false)?));
        x.tangent.as_ref().map(copy).transpose()
    }

    /// Adds alpha·D to the tangent of X.
    pub(crate) fn add_slope<T: Element>(self, x: &mut Dual<'w, T>, alpha: f64, d: &Dual<'_, T>) -> Result<(), Error> {
        let alpha = real::<T>(alpha);
        if let Some(tangent) = self.tangent(x, true)? {
            tangent.elements_mut().iter_mut().zip(d.value.elements()).for_each(|(x, d)| *x += d.scale(alpha));
        }
        Ok(())
    }

    /// C = C + alpha·op(A)·op(B)
    pub(crate) fn add_product<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        alpha: f64,
        a: Op<'_, '_, T>,
        b: Op<'_, '_, T>,
    ) -> Result<(), Error> {
        self.add_product_at(c, (0, 0), alpha, a, b)
    }

    /// C = C + alpha·op(A)·op(B), with the first element of the product at row i and column j of C.
    pub(crate) fn add_product_at<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        (i, j): (usize, usize),
        alpha: f64,
        a: Op<'_, '_, T>,
        b: Op<'_, '_, T>,
    ) -> Result<(), Error> {
        let alpha = T::from_real(real::<T>(alpha));
        let add = |x: MatRef<T>, y: MatRef<T>, c: &mut Matrix<'_, T>| {
            let c = c.as_mut().block(i, j, x.rows(), y.cols())?;
            gemm(alpha, x, a.conj, y, b.conj, T::ONE, c, self.threads)
        };
        add(a.value()?, b.value()?, &mut c.value)?;
        if let Some(tangent) = self.tangent(c, a.dual.tangent.is_some() || b.dual.tangent.is_some())? {
            if let Some(x) = a.tangent()? {
                add(x, b.value()?, tangent)?;
            }
            if let Some(y) = b.tangent()? {
                add(a.value()?, y, tangent)?;
            }
        }
        Ok(())
    }

    /// C = C + alpha·op(A)·op(B) on and below the diagonal of a square C, in panels: what is above it is undefined. Of
    /// an upper triangle op(A), the elements below the diagonal are not multiplied.
    pub(crate) fn add_lower_product<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        alpha: f64,
        a: Op<'_, '_, T>,
        upper_a: bool,
        b: Op<'_, '_, T>,
    ) -> Result<(), Error> {
        const PANEL: usize = 48;
        let (n, inner) = (c.rows(), a.cols());
        for j in (0..n).step_by(PANEL) {
            let (width, from) = (PANEL.min(n - j), if upper_a { j } else { 0 });
            let (a, b) = (a.block((j, from), (n - j, inner - from)), b.block((from, j), (inner - from, width)));
            self.add_product_at(c, (j, j), alpha, a, b)?;
        }
        Ok(())
    }

    /// op(A)·op(B)
    pub(crate) fn product<T: Element>(self, a: Op<'_, '_, T>, b: Op<'_, '_, T>) -> Result<Dual<'w, T>, Error> {
        let mut c = self.zeros(a.rows(), b.cols())?;
        self.add_product(&mut c, 1.0, a, b)?;
        Ok(c)
    }

    /// C = C + alpha·op(A), with the first element of A at row i and column j of C.
    pub(crate) fn add_at<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        (i, j): (usize, usize),
        alpha: f64,
        a: Op<'_, '_, T>,
    ) -> Result<(), Error> {
        let alpha = real::<T>(alpha);
        let add = |c: &mut Matrix<'_, T>, x: MatRef<T>| {
            // What lies along the other axis is copied, tile by tile, to lie along this one.
            let x = self.with.copy_of(x, a.conj)?;
            for l in 0..x.cols() {
                let to = &mut c.col_mut(j + l)[i..i + x.rows()];
                to.iter_mut().zip(x.col(l)).for_each(|(c, x)| *c += x.scale(alpha));
            }
            Ok::<_, Error>(())
        };
        add(&mut c.value, a.value()?)?;
        if let (Some(c), Some(a)) = (self.tangent(c, a.dual.tangent.is_some())?, a.tangent()?) {
            add(c, a)?;
        }
        Ok(())
    }

    /// C = C + alpha·op(A)
    pub(crate) fn add<T: Element>(self, c: &mut Dual<'w, T>, alpha: f64, a: Op<'_, '_, T>) -> Result<(), Error> {
        self.add_at(c, (0, 0), alpha, a)
    }

    /// op(A) + beta·op(B)
    pub(crate) fn sum<T: Element>(self, a: Op<'_, '_, T>, beta: f64, b: Op<'_, '_, T>) -> Result<Dual<'w, T>, Error> {
        let mut c = self.copy(a)?;
        self.add(&mut c, beta, b)?;
        Ok(c)
    }

    /// The m×n block of X whose first element is at row i and column j.
    pub(crate) fn block<T: Element>(
        self,
        x: &Dual<'_, T>,
        (i, j): (usize, usize),
        (m, n): (usize, usize),
    ) -> Result<Dual<'w, T>, Error> {
        let copy = |x: &Matrix<'_, T>| Ok::<_, Error>(self.with.copy_of(x.as_ref().block(i, j, m, n)?, false)?);
        Ok(Dual { value: copy(&x.value)?, tangent: x.tangent.as_ref().map(copy).transpose()? })
    }

    /// The matrix whose row i is row `rows(i)` of op(X), and likewise for its columns; places beyond X give zeros.
    pub(crate) fn rearranged<T: Element>(
        self,
        x: Op<'_, '_, T>,
        rows: impl Fn(usize) -> usize,
        cols: impl Fn(usize) -> usize,
    ) -> Result<Dual<'w, T>, Error> {
        let rearranged = |x: MatRef<T>, conj: bool| {
            let mut c = self.with.matrix(x.rows(), x.cols())?;
            for j in 0..x.cols() {
                let from = |i| x.get(rows(i), cols(j)).unwrap_or(T::ZERO);
                let to = c.col_mut(j).iter_mut().enumerate();
                to.for_each(|(i, c)| *c = if conj { from(i).conj() } else { from(i) });
            }
            Ok::<_, Error>(c)
        };
        let tangent = x.tangent()?.map(|tangent| rearranged(tangent, x.conj)).transpose()?;
        Ok(Dual { value: rearranged(x.value()?, x.conj)?, tangent })
    }

    /// C = C∘D, element by element.
    pub(crate) fn hadamard<T: Element>(self, c: &mut Dual<'w, T>, d: &Dual<'_, T>) -> Result<(), Error> {
        let (m, n) = (c.rows(), c.cols());
        self.spread(c, d, |i, j| i + j * m, m * n)
    }

    /// C = Diagonal(d)·C for a column d.
    pub(crate) fn scale_rows<T: Element>(self, c: &mut Dual<'w, T>, d: &Dual<'_, T>) -> Result<(), Error> {
        let m = c.rows();
        self.spread(c, d, |i, _| i, m)
    }

    /// C = C·Diagonal(d) for a column d.
    pub(crate) fn scale_cols<T: Element>(self, c: &mut Dual<'w, T>, d: &Dual<'_, T>) -> Result<(), Error> {
        let n = c.cols();
        self.spread(c, d, |_, j| j, n)
    }

    /// C = d·C for a 1×1 matrix d.
    pub(crate) fn scale_by<T: Element>(self, c: &mut Dual<'w, T>, d: &Dual<'_, T>) -> Result<(), Error> {
        self.spread(c, d, |_, _| 0, 1)
    }

    /// Element (i, j) of C times that one of the `len` elements of D which `at` names.
    fn spread<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        d: &Dual<'_, T>,
        at: impl Fn(usize, usize) -> usize,
        len: usize,
    ) -> Result<(), Error> {
        debug_assert_eq!(d.value.elements().len(), len);
        let (m, n) = (c.rows(), c.cols());
        self.tangent(c, d.tangent.is_some())?;
        for j in 0..n {
            for i in 0..m {
                let (k, value) = (at(i, j), &mut c.value.col_mut(j)[i]);
                if let Some(tangent) = &mut c.tangent {
                    let tangent = &mut tangent.col_mut(j)[i];
                    *tangent *= d.value.elements()[k];
                    if let Some(slope) = &d.tangent {
                        *tangent += *value * slope.elements()[k];
                    }
                }
                *value *= d.value.elements()[k];
            }
        }
        Ok(())
    }

    /// The diagonal of X, as a column.
    pub(crate) fn diagonal<T: Element>(self, x: &Dual<'_, T>) -> Result<Dual<'w, T>, Error> {
        self.gather(x, x.rows().min(x.cols()), |k| (k, k))
    }

    /// The elements of X at `len` places, as a column.
    pub(crate) fn gather<T: Element>(
        self,
        x: &Dual<'_, T>,
        len: usize,
        at: impl Fn(usize) -> (usize, usize),
    ) -> Result<Dual<'w, T>, Error> {
        self.pick(x, (len, 1), |k, _| at(k))
    }

    /// The m×n matrix whose element (i, j) is that of X at the place that is given for (i, j).
    pub(crate) fn pick<T: Element>(
        self,
        x: &Dual<'_, T>,
        (m, n): (usize, usize),
        at: impl Fn(usize, usize) -> (usize, usize),
    ) -> Result<Dual<'w, T>, Error> {
        let pick = |x: &Matrix<'_, T>| {
            let mut to = self.with.matrix(m, n)?;
            for j in 0..n {
                to.col_mut(j).iter_mut().enumerate().for_each(|(i, to)| *to = x.col(at(i, j).1)[at(i, j).0]);
            }
            Ok::<_, Error>(to)
        };
        Ok(Dual { value: pick(&x.value)?, tangent: x.tangent.as_ref().map(pick).transpose()? })
    }

    /// Adds the elements of a column to those of C at the places that are given for them.
    pub(crate) fn scatter<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        d: &Dual<'_, T>,
        at: impl Fn(usize) -> (usize, usize),
    ) -> Result<(), Error> {
        let add = |c: &mut Matrix<'_, T>, d: &Matrix<'_, T>| {
            d.elements().iter().enumerate().for_each(|(k, d)| c.col_mut(at(k).1)[at(k).0] += *d);
        };
        add(&mut c.value, &d.value);
        if let (Some(c), Some(d)) = (self.tangent(c, d.tangent.is_some())?, &d.tangent) {
            add(c, d);
        }
        Ok(())
    }

    /// C = C + alpha·Diagonal(d) for a column d.
    pub(crate) fn add_diagonal<T: Element>(
        self,
        c: &mut Dual<'w, T>,
        alpha: f64,
        d: &Dual<'_, T>,
    ) -> Result<(), Error> {
        let alpha = real::<T>(alpha);
        let add = |c: &mut Matrix<'_, T>, d: &Matrix<'_, T>| {
            d.elements().iter().enumerate().for_each(|(i, d)| c.col_mut(i)[i] += d.scale(alpha));
        };
        add(&mut c.value, &d.value);
        if let (Some(c), Some(d)) = (self.tangent(c, d.tangent.is_some())?, &d.tangent) {
            add(c, d);
        }
        Ok(())
    }

    /// The sum of all elements, 1×1.
    pub(crate) fn total<T: Element>(self, x: &Dual<'_, T>) -> Result<Dual<'w, T>, Error> {
        let total = |x: &Matrix<'_, T>| {
            let mut sum = self.with.matrix(1, 1)?;
            sum.elements_mut()[0] = x.elements().iter().fold(T::ZERO, |sum, x| sum + *x);
            Ok::<_, Error>(sum)
        };
        Ok(Dual { value: total(&x.value)?, tangent: x.tangent.as_ref().map(total).transpose()? })
    }

    /// The X with op(A)·X = op(B) for op(A) a triangle, the upper one or the lower; nothing else of A is read.
    pub(crate) fn solve_triangular<'b, T: Element>(
        self,
        a: Op<'_, '_, T>,
        upper: bool,
        unit_diagonal: bool,
        b: impl Into<Op<'b, 'w, T>>,
    ) -> Result<Dual<'w, T>, Error>
    where
        'w: 'b,
    {
        let (b, triangle) = (b.into(), a.value()?);
        let solve =
            |b: MatRef<T>, conj: bool| solve_triangular(triangle, a.conj, upper, unit_diagonal, b, conj, self.with);
        let mut x = Dual::constant(solve(b.value()?, b.conj)?);
        // A·X = B has the tangent A·Ẋ = Ḃ − Ȧ·X, where of Ȧ the triangle counts.
        let mut slope = b.tangent()?.map(|slope| self.with.copy_of(slope, b.conj)).transpose()?;
        if let Some(tangent) = a.tangent()? {
            let mut triangle = self.with.copy_of(tangent, a.conj)?;
            keep_triangle(&mut triangle, upper, unit_diagonal);
            let mut sum = slope.map_or_else(|| self.with.matrix(b.rows(), b.cols()), Ok)?;
            subtract_product(triangle.as_ref(), false, &x.value, &mut sum, self.threads)?;
            slope = Some(sum);
        }
        x.tangent = slope.map(|slope| solve(slope.as_ref(), false)).transpose()?;
        Ok(x)
    }

    /// The X with op(A)·X = op(B), by elimination with partial pivoting.
    pub(crate) fn solve<'b, T: Element>(
        self,
        a: Op<'_, '_, T>,
        b: impl Into<Op<'b, 'w, T>>,
    ) -> Result<Dual<'w, T>, Error>
    where
        'w: 'b,
    {
        let b = b.into();
        // Factors of Aᴴ would need a transposed copy of A.
        let factors = match a.transposed {
            true => lu(a.value()?.t(), !a.conj, self.with)?,
            false => lu(a.value()?, a.conj, self.with)?,
        };
        let solve = |b: MatRef<T>, conj: bool| match a.transposed {
            true => factors.solve_adjoint(b, conj, self.with),
            false => factors.solve(b, conj, self.with),
        };
        let mut x = Dual::constant(solve(b.value()?, b.conj)?);
        let mut slope = b.tangent()?.map(|slope| self.with.copy_of(slope, b.conj)).transpose()?;
        if let Some(tangent) = a.tangent()? {
            let mut sum = slope.map_or_else(|| self.with.matrix(b.rows(), b.cols()), Ok)?;
            subtract_product(tangent, a.conj, &x.value, &mut sum, self.threads)?;
            slope = Some(sum);
        }
        x.tangent = slope.map(|slope| solve(slope.as_ref(), false)).transpose()?;
        Ok(x)
    }
}

/// Zeros outside of a triangle, the upper one or the lower, and on its diagonal, if that is asked for.
pub(crate) fn keep_triangle<T: Element>(x: &mut Matrix<'_, T>, upper: bool, strict: bool) {
    let gap = usize::from(strict);
    for j in 0..x.cols() {
        let rows = x.rows();
        let outside = if upper { (j + 1 - gap).min(rows)..rows } else { 0..(j + gap).min(rows) };
        x.col_mut(j)[outside].fill(T::ZERO);
    }
}

/// The Frobenius norm, relative to the largest element on the way, so that no square over- or underflows.
pub(crate) fn norm<'m, T: Element>(elements: impl IntoIterator<Item = &'m T> + Clone) -> f64 {
    let modulus = |x: &T| x.re().to_f64().abs().max(x.im().to_f64().abs());
    let largest = elements.clone().into_iter().map(modulus).fold(0.0, f64::max);
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let square = |x: &T| (x.re().to_f64() / largest).powi(2) + (x.im().to_f64() / largest).powi(2);
    largest * elements.into_iter().map(square).sum::<f64>().sqrt()
}

/// C = C − A·X
fn subtract_product<T: Element>(
    a: MatRef<T>,
    conj_a: bool,
    x: &Matrix<'_, T>,
    c: &mut Matrix<'_, T>,
    threads: Threads,
) -> Result<(), Error> {
    Ok(gemm(-T::ONE, a, conj_a, x.as_ref(), false, T::ONE, c.as_mut(), threads)?)
}

/// A real number of the type in which a rule computes.
pub(crate) fn real<T: Element>(x: f64) -> T::Real {
    <T::Real as Real>::from_f64(x)
}
