//! The microkernel: a tile of C, kept in registers while a panel of A and a panel of B are multiplied.
//!
//! A tile has `M` registers of rows and `N` columns. For each summed position the rows of A are loaded once and
//! multiplied by each column's element of B. Real operands that are not packed are read where the tensors lie: there,
//! tables say where each summed position is. Two packed ones need none, which is 15 % faster where they are large.
//! Every element of C is summed by one chain of fused multiplications and additions in the order of the summed
//! positions, whatever the tile that it belongs to: how C is cut into tiles changes no bit of it.

use tensoroxide_tensor::simd::{Simd, Task, Vector};
use tensoroxide_tensor::Real;

use super::pack::parts;

/// What is done with a product: C ← α·product + β·C, or without β·C, which is then not read.
#[derive(Clone, Copy)]
pub(super) struct Update<R> {
    /// Real and imaginary part.
    pub(super) alpha: [R; 2],
    pub(super) beta: Option<[R; 2]>,
}

/// Where a tile finds its rows of A and its columns of B, packed or not.
#[derive(Clone, Copy)]
pub(super) struct Source<R> {
    pub(super) a: *const R,
    pub(super) b: *const R,
    /// How far the summed positions are from `a` and from `b`, and the columns from `b`. Not looked at where both are
    /// packed, as complex numbers always are.
    pub(super) sums: [*const isize; 2],
    pub(super) places: *const isize,
    /// Whether A may be read up to whole registers, beyond the tile's rows: what is packed may.
    pub(super) whole: bool,
    /// Whether both are packed.
    pub(super) packed: bool,
}

/// A tile to be computed from panels of `WM` registers of rows and `WN` columns, of which it uses `M` and `N`.
pub(super) struct Tile<R, const COMPLEX: bool, const M: usize, const N: usize, const WM: usize, const WN: usize> {
    pub(super) depth: usize,
    pub(super) source: Source<R>,
    /// The first element, and how many elements its columns are away; rows lie one after another.
    pub(super) c: *mut R,
    pub(super) columns: *const isize,
    /// At most `M` registers of rows, and more than `M - 1`.
    pub(super) rows: usize,
    pub(super) update: Update<R>,
}

impl<R: Real, const COMPLEX: bool, const M: usize, const N: usize, const WM: usize, const WN: usize> Task
    for Tile<R, COMPLEX, M, N, WM, WN>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: within a task; who makes a tile vouches for the pointers.
        unsafe {
            for j in 0..N {
                let column = self.column(j);
                for i in 0..M {
                    S::prefetch(column.wrapping_add(i * R::Register::<S>::LANES * parts::<COMPLEX>()));
                }
            }
            match COMPLEX {
                true => self.complex::<R::Register<S>>(),
                false => self.real::<R::Register<S>>(),
            }
        }
    }
}

impl<R: Real, const COMPLEX: bool, const M: usize, const N: usize, const WM: usize, const WN: usize>
    Tile<R, COMPLEX, M, N, WM, WN>
{
    #[inline(always)]
    unsafe fn column(&self, j: usize) -> *mut R {
        // SAFETY: `columns` leads to N offsets.
        self.c.wrapping_offset(unsafe { *self.columns.add(j) } * parts::<COMPLEX>() as isize)
    }

    #[inline(always)]
    unsafe fn real<V: Vector<Lane = R>>(&self) {
        // SAFETY: the caller's promise: the source holds `depth` summed positions.
        unsafe {
            let last = self.rows - (M - 1) * V::LANES;
            let sums = match self.source.packed {
                true => self.packed_products::<V>(),
                false if self.source.whole || last == V::LANES => self.products::<V, true>(last),
                false => self.products::<V, false>(last),
            };
            let alpha = V::splat(self.update.alpha[0]);
            for (j, sums) in sums.iter().enumerate() {
                for (i, sum) in sums.iter().enumerate() {
                    let c = self.column(j).add(i * V::LANES);
                    let product = sum.mul(alpha);
                    if i + 1 < M || last == V::LANES {
                        match self.update.beta {
                            Some([beta, _]) => V::load(c).mul_add(V::splat(beta), product).store(c),
                            None => product.store(c),
                        }
                    } else {
                        match self.update.beta {
                            Some([beta, _]) => {
                                V::load_first(c, last).mul_add(V::splat(beta), product).store_first(c, last)
                            }
                            None => product.store_first(c, last),
                        }
                    }
                }
            }
        }
    }

    /// The sums, of panels.
    #[inline(always)]
    unsafe fn packed_products<V: Vector<Lane = R>>(&self) -> [[V; M]; N] {
        // SAFETY: the caller's promise: the panels hold `depth` summed positions.
        unsafe {
            let Source { mut a, mut b, .. } = self.source;
            let mut sums = [[V::zero(); M]; N];
            for _ in 0..self.depth / 4 {
                for _ in 0..4 {
                    multiply(&mut sums, a, b);
                    (a, b) = (a.add(WM * V::LANES), b.add(WN));
                }
            }
            for _ in 0..self.depth % 4 {
                multiply(&mut sums, a, b);
                (a, b) = (a.add(WM * V::LANES), b.add(WN));
            }
            sums
        }
    }

    /// The sums, of what tables lead to. Of the last register of rows, `last` are read unless it is `WHOLE`.
    #[inline(always)]
    unsafe fn products<V: Vector<Lane = R>, const WHOLE: bool>(&self, last: usize) -> [[V; M]; N] {
        // SAFETY: the caller's promise: the source holds `depth` summed positions of the rows and columns.
        unsafe {
            let Source { a, b, sums: [of_a, of_b], places, .. } = self.source;
            let mut sums = [[V::zero(); M]; N];
            let mut columns = [b; N];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = b.wrapping_offset(*places.add(j));
            }
            for p in 0..self.depth {
                let a = a.wrapping_offset(*of_a.add(p));
                let to = *of_b.add(p);
                let mut x = [V::zero(); M];
                for (i, x) in x.iter_mut().enumerate() {
                    let from = a.wrapping_add(i * V::LANES);
                    *x = if WHOLE || i + 1 < M { V::load(from) } else { V::load_first(from, last) };
                }
                for (column, sums) in columns.iter().zip(&mut sums) {
                    let y = V::splat(*column.wrapping_offset(to));
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = x.mul_add(y, *sum);
                    }
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn complex<V: Vector<Lane = R>>(&self) {
        // SAFETY: the caller's promise: the panels hold `depth` summed positions.
        unsafe {
            let (mut a, mut b) = (self.source.a, self.source.b);
            let (mut re, mut im) = ([[V::zero(); M]; N], [[V::zero(); M]; N]);
            for _ in 0..self.depth {
                let mut x = [[V::zero(); 2]; M];
                for (i, x) in x.iter_mut().enumerate() {
                    *x = [V::load(a.add(i * V::LANES)), V::load(a.add((WM + i) * V::LANES))];
                }
                for j in 0..N {
                    let y = V::splat(*b.add(j));
                    for i in 0..M {
                        re[j][i] = x[i][0].mul_add(y, re[j][i]);
                        im[j][i] = x[i][1].mul_add(y, im[j][i]);
                    }
                    let y = V::splat(*b.add(WN + j));
                    for i in 0..M {
                        re[j][i] = x[i][1].neg_mul_add(y, re[j][i]);
                        im[j][i] = x[i][0].mul_add(y, im[j][i]);
                    }
                }
                (a, b) = (a.add(2 * WM * V::LANES), b.add(2 * WN));
            }
            let last = self.rows - (M - 1) * V::LANES;
            for j in 0..N {
                for i in 0..M {
                    let c = self.column(j).add(2 * i * V::LANES);
                    let count = if i + 1 < M { V::LANES } else { last };
                    write_complex([re[j][i], im[j][i]], c, count, &self.update);
                }
            }
        }
    }
}

/// Adds one summed position's products.
///
/// # Safety
/// Within a task; the elements can be read.
#[inline(always)]
unsafe fn multiply<V: Vector, const M: usize, const N: usize>(
    sums: &mut [[V; M]; N],
    a: *const V::Lane,
    b: *const V::Lane,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [V::zero(); M];
        for (i, x) in x.iter_mut().enumerate() {
            *x = V::load(a.add(i * V::LANES));
        }
        for (j, sums) in sums.iter_mut().enumerate() {
            let y = V::splat(*b.add(j));
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = x.mul_add(y, *sum);
            }
        }
    }
}

/// Complex numbers multiplied by one.
///
/// # Safety
/// Within a task.
#[inline(always)]
unsafe fn scaled<V: Vector>(re: V, im: V, by: [V::Lane; 2]) -> (V, V) {
    // SAFETY: the caller's promise.
    unsafe {
        let (x, y) = (V::splat(by[0]), V::splat(by[1]));
        (im.neg_mul_add(y, re.mul(x)), re.mul_add(y, im.mul(x)))
    }
}

/// Updates `count` elements that lie one after another.
///
/// # Safety
/// Within a task; the elements are valid.
#[inline(always)]
unsafe fn write_complex<V: Vector>([re, im]: [V; 2], c: *mut V::Lane, count: usize, update: &Update<V::Lane>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut re, mut im) = scaled(re, im, update.alpha);
        let first = (2 * count).min(V::LANES);
        let rest = 2 * count - first;
        let second = c.wrapping_add(first);
        if let Some(beta) = update.beta {
            let (x, y) = match count == V::LANES {
                true => V::load(c).deinterleave(V::load(second)),
                false => V::load_first(c, first).deinterleave(V::load_first(second, rest)),
            };
            let (x, y) = scaled(x, y, beta);
            (re, im) = (re.add(x), im.add(y));
        }
        let (x, y) = re.interleave(im);
        if count == V::LANES {
            x.store(c);
            y.store(second);
        } else {
            x.store_first(c, first);
            y.store_first(second, rest);
        }
    }
}

/// Updates `count` elements of C by products that lie one after another.
///
/// # Safety
/// Within a task; both are valid.
#[inline(always)]
pub(super) unsafe fn update<V: Vector, const COMPLEX: bool>(
    products: *const V::Lane,
    c: *mut V::Lane,
    count: usize,
    update: &Update<V::Lane>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if COMPLEX {
            let first = (2 * count).min(V::LANES);
            let rest = V::load_first(products.wrapping_add(first), 2 * count - first);
            let (re, im) = V::load_first(products, first).deinterleave(rest);
            return write_complex([re, im], c, count, update);
        }
        let product = V::load_first(products, count).mul(V::splat(update.alpha[0]));
        match update.beta {
            Some([beta, _]) => V::load_first(c, count).mul_add(V::splat(beta), product).store_first(c, count),
            None => product.store_first(c, count),
        }
    }
}
