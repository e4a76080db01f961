//! Matrices that own their memory: column-major, without gaps. What a factorization returns.

use tensoroxide_tensor::{Buffer, Scalar};

use crate::{Error, MatMut, MatRef};

/// A column-major matrix that owns its memory.
///
/// ```
/// use tensoroxide_dense::Matrix;
/// let mut a = Matrix::<f64>::zeros(2, 3)?;
/// a.col_mut(1)[0] = 5.0;
/// assert_eq!((a.as_ref().get(0, 1), a.col(1)), (Some(5.0), &[5.0, 0.0][..]));
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
#[derive(Debug)]
pub struct Matrix<T: Scalar> {
    data: Buffer<T>,
    rows: usize,
    cols: usize,
}

impl<T: Scalar> Matrix<T> {
    /// A matrix of zeros, or [`Error::OutOfMemory`].
    pub fn zeros(rows: usize, cols: usize) -> Result<Self, Error> {
        Ok(Self { data: zeros(rows.checked_mul(cols).ok_or(Error::OutOfMemory)?)?, rows, cols })
    }

    /// A copy, conjugated if asked for, or [`Error::OutOfMemory`].
    pub fn copy_of(a: MatRef<T>, conj: bool) -> Result<Self, Error> {
        let mut copy = Self::zeros(a.rows(), a.cols())?;
        copy.as_mut().update(|i, j, x| {
            // SAFETY: the copy has the extents of `a`.
            let y = unsafe { a.get_unchecked(i, j) };
            *x = if conj { y.conj() } else { y };
        });
        Ok(copy)
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Column `j`, which must be below the number of columns.
    pub fn col(&self, j: usize) -> &[T] {
        &self.data[j * self.rows..][..self.rows]
    }

    /// Column `j`, which must be below the number of columns.
    pub fn col_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.data[j * self.rows..][..self.rows]
    }

    /// All elements, column after column.
    pub fn elements(&self) -> &[T] {
        &self.data
    }

    /// The matrix to read.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        // SAFETY: the buffer holds rows · cols elements, column after column.
        unsafe { MatRef::from_raw_parts(self.data.as_ptr(), self.rows, self.cols, 1, self.rows as isize) }
    }

    /// The matrix to write.
    pub fn as_mut(&mut self) -> MatMut<'_, T> {
        // SAFETY: the buffer holds rows · cols elements, column after column, and is borrowed exclusively.
        unsafe { MatMut::from_raw_parts(self.data.as_mut_ptr(), self.rows, self.cols, 1, self.rows as isize) }
    }
}

/// A vector of zeros, or [`Error::OutOfMemory`].
pub(crate) fn zeros<T: Scalar>(len: usize) -> Result<Buffer<T>, Error> {
    Buffer::zeroed(len).map_err(|_| Error::OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn copies_follow_the_strides() {
        let data: Vec<_> = (0..6).map(|x| Complex64::new(f64::from(x), 1.0)).collect();
        let a = MatRef::from_slice(&data, 2, 3, 3, 1).unwrap().reverse_rows();
        let copy = Matrix::copy_of(a, true).unwrap();
        assert_eq!(copy.col(2), &[Complex64::new(5.0, -1.0), Complex64::new(2.0, -1.0)]);
        assert_eq!(copy.elements().len(), 6);
        assert_eq!(Matrix::copy_of(copy.as_ref().t(), false).unwrap().col(0)[2], copy.col(2)[0]);
    }

    #[test]
    fn what_no_memory_can_hold_is_an_error() {
        assert_eq!(Matrix::<f32>::zeros(usize::MAX, 2).err(), Some(Error::OutOfMemory));
        assert_eq!(Matrix::<f32>::zeros(1 << 40, 1 << 20).err(), Some(Error::OutOfMemory));
        assert_eq!(Matrix::<f32>::zeros(usize::MAX, 0).unwrap().elements().len(), 0);
    }
}
