//! Matrices over memory of someone else, with any two strides.
//!
//! Invariants, which every constructor checks or demands and every kernel relies on:
//! 1. for `i < rows`, `j < cols` the address `ptr + i·row_stride + j·col_stride` (in elements) holds an initialised
//!    element and stays valid for `'a`; of an empty matrix no address is used;
//! 2. a [`MatMut`] has the sole right to its elements for `'a`, and no two index pairs share one.

use std::marker::PhantomData;

use tensoroxide_tensor::layout::is_injective;
use tensoroxide_tensor::{Scalar, View, ViewMut};

use crate::Error;

/// A matrix to read: rows × columns, strides in elements, of any sign and also zero.
///
/// ```
/// use tensoroxide_dense::MatRef;
/// let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let a = MatRef::from_slice(&a, 2, 3, 1, 2)?; // column-major
/// assert_eq!((a.get(1, 0), a.get(0, 2)), (Some(2.0), Some(5.0)));
/// assert_eq!(a.t().get(2, 0), Some(5.0));
/// assert_eq!(a.get(2, 0), None);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub struct MatRef<'a, T> {
    ptr: *const T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    memory: PhantomData<&'a [T]>,
}

impl<T> Clone for MatRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatRef<'_, T> {}

// SAFETY: a `MatRef` only reads its elements, like `&[T]`.
unsafe impl<T: Sync> Send for MatRef<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for MatRef<'_, T> {}

/// A matrix to write: rows × columns, strides in elements, no element twice.
///
/// ```
/// use tensoroxide_dense::{Error, MatMut};
/// let mut a = [0.0; 6];
/// assert!(MatMut::from_slice(&mut a, 2, 3, 1, 2).is_ok());
/// assert_eq!(MatMut::from_slice(&mut a, 2, 3, 1, 3).err(), Some(Error::OutOfBounds));
/// assert_eq!(MatMut::from_slice(&mut a, 2, 3, 1, 1).err(), Some(Error::Overlap));
/// ```
pub struct MatMut<'a, T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: a `MatMut` owns the right to its elements, like `&mut [T]`.
unsafe impl<T: Send> Send for MatMut<'_, T> {}
// SAFETY: a shared `MatMut` gives out addresses only; who uses one vouches for it.
unsafe impl<T: Sync> Sync for MatMut<'_, T> {}

impl<'a, T> MatRef<'a, T> {
    /// A matrix whose element (0, 0) is the first of `data`; negative strides come by [`MatRef::reverse_rows`] and
    /// [`MatRef::reverse_cols`]. An error if an element would lie outside of `data`.
    pub fn from_slice(
        data: &'a [T],
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self, Error> {
        check_bounds(data.len(), rows, cols, row_stride, col_stride)?;
        // SAFETY: every offset is below `data.len()`, as was just checked, and `data` is borrowed for `'a`.
        Ok(unsafe { Self::from_raw_parts(data.as_ptr(), rows, cols, row_stride, col_stride) })
    }

    /// A matrix whose element (0, 0) is at `ptr`.
    ///
    /// # Safety
    /// Invariant 1 of this module: each of the `rows · cols` elements is valid to read for `'a`.
    pub const unsafe fn from_raw_parts(
        ptr: *const T,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Self {
        Self { ptr, rows, cols, row_stride, col_stride, memory: PhantomData }
    }

    /// The transposed matrix, of the same memory.
    pub const fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ptr: self.ptr,
            memory: PhantomData,
        }
    }

    /// The same rows, the last one first.
    pub fn reverse_rows(self) -> Self {
        let last = (self.rows.saturating_sub(1) as isize).wrapping_mul(self.row_stride);
        Self { ptr: self.ptr.wrapping_offset(last), row_stride: self.row_stride.wrapping_neg(), ..self }
    }

    /// The same columns, the last one first.
    pub fn reverse_cols(self) -> Self {
        self.t().reverse_rows().t()
    }

    /// Rows `row..row + rows` and columns `col..col + cols`; an error if the matrix has fewer.
    pub fn block(self, row: usize, col: usize, rows: usize, cols: usize) -> Result<Self, Error> {
        check_block((self.rows, self.cols), row, col, rows, cols)?;
        // SAFETY: as was just checked.
        Ok(unsafe { self.block_unchecked(row, col, rows, cols) })
    }

    /// # Safety
    /// The block lies within the matrix.
    pub(crate) unsafe fn block_unchecked(self, row: usize, col: usize, rows: usize, cols: usize) -> Self {
        Self { ptr: self.ptr.wrapping_offset(offset(row, self.row_stride, col, self.col_stride)), rows, cols, ..self }
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Elements between vertical neighbours.
    pub const fn row_stride(&self) -> isize {
        self.row_stride
    }

    /// Elements between horizontal neighbours.
    pub const fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// Address of element (0, 0); of an empty matrix not to be read.
    pub const fn as_ptr(&self) -> *const T {
        self.ptr
    }

    /// Element (i, j), if there is one.
    pub fn get(&self, i: usize, j: usize) -> Option<T>
    where
        T: Copy,
    {
        (i < self.rows && j < self.cols).then(|| {
            // SAFETY: as was just checked.
            unsafe { self.get_unchecked(i, j) }
        })
    }

    /// Column `j`, which has to be there, if its elements are neighbours.
    fn column(&self, j: usize) -> Option<&'a [T]> {
        (self.row_stride == 1).then(|| {
            // SAFETY: invariant 1.
            unsafe { std::slice::from_raw_parts(self.ptr.offset(offset(0, 1, j, self.col_stride)), self.rows) }
        })
    }

    /// # Safety
    /// Both indices are in bounds.
    pub(crate) unsafe fn get_unchecked(&self, i: usize, j: usize) -> T
    where
        T: Copy,
    {
        // SAFETY: invariant 1.
        unsafe { *self.ptr.offset(offset(i, self.row_stride, j, self.col_stride)) }
    }
}

impl<'a, T> MatMut<'a, T> {
    /// A matrix whose element (0, 0) is the first of `data`. An error if an element would lie outside of `data`, or
    /// if two would be the same.
    pub fn from_slice(
        data: &'a mut [T],
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self, Error> {
        check_bounds(data.len(), rows, cols, row_stride, col_stride)?;
        if !is_injective(&[rows, cols], &[row_stride, col_stride]) {
            return Err(Error::Overlap);
        }
        // SAFETY: every offset is below `data.len()` and no two agree, as was just checked; `data` is ours for `'a`.
        Ok(unsafe { Self::from_raw_parts(data.as_mut_ptr(), rows, cols, row_stride, col_stride) })
    }

    /// A matrix whose element (0, 0) is at `ptr`.
    ///
    /// # Safety
    /// Both invariants of this module: each of the `rows · cols` elements is valid to read and write for `'a`, through
    /// this matrix only, and no two are the same memory.
    pub const unsafe fn from_raw_parts(
        ptr: *mut T,
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Self {
        Self { ptr, rows, cols, row_stride, col_stride, memory: PhantomData }
    }

    /// The transposed matrix, of the same memory.
    pub const fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ptr: self.ptr,
            memory: PhantomData,
        }
    }

    /// The same rows, the last one first.
    pub fn reverse_rows(self) -> Self {
        let last = (self.rows.saturating_sub(1) as isize).wrapping_mul(self.row_stride);
        Self { ptr: self.ptr.wrapping_offset(last), row_stride: self.row_stride.wrapping_neg(), ..self }
    }

    /// The same columns, the last one first.
    pub fn reverse_cols(self) -> Self {
        self.t().reverse_rows().t()
    }

    /// Rows `row..row + rows` and columns `col..col + cols`; an error if the matrix has fewer.
    pub fn block(self, row: usize, col: usize, rows: usize, cols: usize) -> Result<Self, Error> {
        check_block((self.rows, self.cols), row, col, rows, cols)?;
        // SAFETY: as was just checked; the right to the elements passes from `self` to the block.
        Ok(unsafe { self.alias_block(row, col, rows, cols) })
    }

    /// # Safety
    /// The block lies within the matrix, and as long as it is used, nobody else uses its elements.
    pub(crate) unsafe fn alias_block(&self, row: usize, col: usize, rows: usize, cols: usize) -> Self {
        Self { ptr: self.ptr.wrapping_offset(offset(row, self.row_stride, col, self.col_stride)), rows, cols, ..*self }
    }

    /// The same matrix for a shorter time.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { memory: PhantomData, ..*self }
    }

    /// The matrix to read.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        // SAFETY: what may be written may be read, and `self` is borrowed meanwhile.
        unsafe { MatRef::from_raw_parts(self.ptr, self.rows, self.cols, self.row_stride, self.col_stride) }
    }

    /// Takes over the elements of a matrix of the same extents; [`Error::Shape`] if they differ.
    ///
    /// ```
    /// use tensoroxide_dense::{MatMut, MatRef};
    /// let (a, mut b) = ([1.0, 2.0], [0.0; 2]);
    /// MatMut::from_slice(&mut b, 1, 2, 2, 1)?.reverse_cols().copy_from(MatRef::from_slice(&a, 1, 2, 1, 1)?)?;
    /// assert_eq!(b, [2.0, 1.0]);
    /// # Ok::<(), tensoroxide_dense::Error>(())
    /// ```
    pub fn copy_from(self, a: MatRef<T>) -> Result<(), Error>
    where
        T: Copy,
    {
        let (expected, found) = ((self.rows, self.cols), (a.rows, a.cols));
        if expected != found {
            return Err(Error::Shape { operand: "to be copied", expected, found });
        }
        if self.rows == 0 || self.cols == 0 {
            return Ok(()); // of an empty matrix no address is used
        }
        let (mut to, mut from) = (self, a);
        if to.row_stride != 1 && to.col_stride == 1 {
            (to, from) = (to.t(), from.t());
        }
        if to.row_stride == 1 && from.row_stride == 1 {
            for j in 0..to.cols {
                if let (Some(to), Some(from)) = (to.column(j), from.column(j)) {
                    to.copy_from_slice(from);
                }
            }
            return Ok(());
        }
        // Tile by tile: where one of the two runs along the other axis, its cache lines are used whole.
        for (j0, i0) in (0..to.cols).step_by(TILE).flat_map(|j| (0..to.rows).step_by(TILE).map(move |i| (j, i))) {
            for j in j0..to.cols.min(j0 + TILE) {
                for i in i0..to.rows.min(i0 + TILE) {
                    // SAFETY: the indices are in the bounds of both, and `to` is ours.
                    unsafe { *to.ptr.offset(offset(i, to.row_stride, j, to.col_stride)) = from.get_unchecked(i, j) };
                }
            }
        }
        Ok(())
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Elements between vertical neighbours.
    pub const fn row_stride(&self) -> isize {
        self.row_stride
    }

    /// Elements between horizontal neighbours.
    pub const fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// Address of element (0, 0); of an empty matrix not to be used.
    pub const fn as_mut_ptr(&self) -> *mut T {
        self.ptr
    }

    /// Column `j`, which has to be there, if its elements are neighbours.
    fn column(&mut self, j: usize) -> Option<&mut [T]> {
        (self.row_stride == 1).then(|| {
            // SAFETY: both invariants; `self` is borrowed meanwhile.
            unsafe { std::slice::from_raw_parts_mut(self.ptr.offset(offset(0, 1, j, self.col_stride)), self.rows) }
        })
    }

    /// Replaces each element by a function of its indices and of itself, which are visited along the smaller stride.
    pub(crate) fn update(self, mut f: impl FnMut(usize, usize, &mut T)) {
        let flip = self.row_stride.unsigned_abs() > self.col_stride.unsigned_abs();
        let m = if flip { self.t() } else { self };
        for j in 0..m.cols {
            for i in 0..m.rows {
                // SAFETY: both invariants, since the indices are in bounds and `m` is ours.
                let x = unsafe { &mut *m.ptr.offset(offset(i, m.row_stride, j, m.col_stride)) };
                if flip {
                    f(j, i, x);
                } else {
                    f(i, j, x);
                }
            }
        }
    }
}

impl<'a, T: Scalar> MatRef<'a, T> {
    /// A tensor of rank 2 as a matrix; [`Error::Rank`] for any other.
    pub fn from_view(view: View<'a, T>) -> Result<Self, Error> {
        match (view.shape(), view.strides()) {
            // SAFETY: a view's elements are valid to read for `'a`.
            (&[m, n], &[rs, cs]) => Ok(unsafe { Self::from_raw_parts(view.as_ptr(), m, n, rs, cs) }),
            (shape, _) => Err(Error::Rank { found: shape.len() }),
        }
    }
}

impl<'a, T: Scalar> MatMut<'a, T> {
    /// A tensor of rank 2 as a matrix; [`Error::Rank`] for any other.
    pub fn from_view(mut view: ViewMut<'a, T>) -> Result<Self, Error> {
        match (view.shape(), view.strides()) {
            // SAFETY: a view to write has the sole right to its elements for `'a`, is injective, and is consumed here.
            (&[m, n], &[rs, cs]) => Ok(unsafe { Self::from_raw_parts(view.as_mut_ptr(), m, n, rs, cs) }),
            (shape, _) => Err(Error::Rank { found: shape.len() }),
        }
    }
}

/// Rows and columns of a tile of a copy that transposes: two cache lines of double precision.
const TILE: usize = 16;

/// Elements from (0, 0) to (i, j). Wraps only where no element is: outside of a matrix, or in an empty one.
const fn offset(i: usize, row_stride: isize, j: usize, col_stride: isize) -> isize {
    (i as isize).wrapping_mul(row_stride).wrapping_add((j as isize).wrapping_mul(col_stride))
}

/// Whether every offset of a matrix whose element (0, 0) is at 0 lies in `0..len`.
fn check_bounds(len: usize, rows: usize, cols: usize, row_stride: isize, col_stride: isize) -> Result<(), Error> {
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    // Exact: the product of two 64-bit integers and the sum of two such products fit into 128 bits.
    let reach = |extent: usize, stride: isize| (extent as i128 - 1) * stride as i128;
    let (down, right) = (reach(rows, row_stride), reach(cols, col_stride));
    let (first, last) = (down.min(0) + right.min(0), down.max(0) + right.max(0));
    if first < 0 || last >= len as i128 {
        return Err(Error::OutOfBounds);
    }
    Ok(())
}

fn check_block(found: (usize, usize), row: usize, col: usize, rows: usize, cols: usize) -> Result<(), Error> {
    let expected = (row.saturating_add(rows), col.saturating_add(cols));
    if expected.0 > found.0 || expected.1 > found.1 {
        return Err(Error::Shape { operand: "of the block", expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_where_the_strides_say() {
        let data: Vec<f64> = (0..24).map(f64::from).collect();
        let a = MatRef::from_slice(&data, 4, 6, 6, 1).unwrap();
        assert_eq!(a.get(3, 5), Some(23.0));
        assert_eq!(a.t().get(5, 3), Some(23.0));
        assert_eq!(a.reverse_rows().get(0, 1), Some(19.0));
        assert_eq!(a.reverse_cols().get(1, 0), Some(11.0));
        assert_eq!(a.reverse_cols().reverse_cols().get(1, 0), Some(6.0));
        let b = a.block(1, 2, 3, 4).unwrap();
        assert_eq!((b.get(0, 0), b.get(2, 3), b.get(3, 0)), (Some(8.0), Some(23.0), None));
        assert_eq!(
            a.block(2, 0, 3, 1).err(),
            Some(Error::Shape { operand: "of the block", expected: (5, 1), found: (4, 6) })
        );
        assert!(a.block(1, 0, usize::MAX, 1).is_err());
        let same = MatRef::from_slice(&data[7..], 5, 5, 0, 0).unwrap();
        assert_eq!(same.get(4, 4), Some(7.0));
    }

    #[test]
    fn writing_visits_every_element_once() {
        for (rs, cs) in [(1, 3), (4, 1), (5, 20)] {
            let mut data = vec![0usize; 100];
            let mut a = MatMut::from_slice(&mut data, 3, 4, rs, cs).unwrap();
            a.reborrow().update(|i, j, x| *x += 1 + i + 10 * j);
            a.reborrow().block(2, 3, 1, 1).unwrap().update(|_, _, x| *x += 100);
            for (i, j) in (0..3).flat_map(|i| (0..4).map(move |j| (i, j))) {
                let extra = if (i, j) == (2, 3) { 100 } else { 0 };
                assert_eq!(a.as_ref().get(i, j), Some(1 + i + 10 * j + extra));
            }
            assert_eq!(data.iter().filter(|x| **x != 0).count(), 12);
        }
    }

    #[test]
    fn other_threads_may_hold_them() {
        let (x, mut y) = ([1.0, 2.0], [0.0; 2]);
        let a = MatRef::from_slice(&x, 2, 1, 1, 2).unwrap();
        let b = MatMut::from_slice(&mut y, 2, 1, 1, 2).unwrap();
        std::thread::scope(|s| {
            s.spawn(|| assert_eq!(a.get(1, 0), Some(2.0)));
            s.spawn(move || b.update(|i, _, y| *y = i as f64));
        });
        assert_eq!(y, [0.0, 1.0]);
    }

    #[test]
    fn views_of_rank_2_are_matrices() {
        let mut data = [1.0, 2.0, 3.0, 4.0];
        let view = View::new(&data, &[2, 2], &[-1, -2], 3).unwrap();
        assert_eq!(MatRef::from_view(view).unwrap().get(1, 0), Some(3.0));
        let vector = View::new(&data, &[4], &[1], 0).unwrap();
        assert_eq!(MatRef::from_view(vector).err(), Some(Error::Rank { found: 1 }));
        let view = ViewMut::new(&mut data, &[2, 2], &[2, 1], 0).unwrap();
        MatMut::from_view(view).unwrap().update(|i, j, x| *x = (i + 10 * j) as f64);
        assert_eq!(data, [0.0, 10.0, 1.0, 11.0]);
        let vector = ViewMut::new(&mut data, &[2, 2, 1], &[2, 1, 1], 0).unwrap();
        assert_eq!(MatMut::from_view(vector).err(), Some(Error::Rank { found: 3 }));
    }

    #[test]
    fn extreme_extents_are_refused() {
        let data = [0.0; 4];
        for (m, n, rs, cs) in [(usize::MAX, 2, 1, 1), (2, 2, isize::MAX, isize::MAX), (2, 1, -1, 0), (5, 1, 1, 1)] {
            assert_eq!(MatRef::from_slice(&data, m, n, rs, cs).err(), Some(Error::OutOfBounds));
        }
        assert!(MatRef::from_slice(&data, 0, usize::MAX, isize::MAX, isize::MIN).is_ok());
        assert!(MatRef::from_slice(&data, usize::MAX, 1, 0, 0).is_ok());
    }

    proptest! {
        #[test]
        fn overlap_is_found_exactly(m in 0usize..6, n in 0usize..6, rs in -9isize..9, cs in -9isize..9) {
            let mut offsets: Vec<_> =
                (0..m as isize).flat_map(|i| (0..n as isize).map(move |j| i * rs + j * cs)).collect();
            offsets.sort_unstable();
            let twice = offsets.windows(2).any(|w| w[0] == w[1]);
            prop_assert_eq!(!is_injective(&[m, n], &[rs, cs]), twice);
        }
    }
}
