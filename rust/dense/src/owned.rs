//! Matrices in a workspace's memory: column-major, without gaps. What a factorization returns.

use tensoroxide_tensor::Scalar;

use crate::workspace::{Memory, Plain, Workspace};
use crate::{Error, MatMut, MatRef};

/// A column-major matrix in the memory of a workspace.
///
/// ```
/// use tensoroxide_dense::{Matrix, Workspace};
/// let workspace = Workspace::default();
/// let mut a = Matrix::<f64>::zeros(2, 3, &workspace)?;
/// a.col_mut(1)[0] = 5.0;
/// assert_eq!((a.as_ref().get(0, 1), a.col(1)), (Some(5.0), &[5.0, 0.0][..]));
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
#[derive(Debug)]
pub struct Matrix<'w, T: Plain> {
    data: Memory<'w, T>,
    rows: usize,
    cols: usize,
}

impl<'w, T: Plain> Matrix<'w, T> {
    /// A matrix of zeros, or [`Error::OutOfMemory`].
    pub fn zeros(rows: usize, cols: usize, workspace: &'w Workspace) -> Result<Self, Error> {
        Ok(Self { data: workspace.zeros(rows.checked_mul(cols).ok_or(Error::OutOfMemory)?)?, rows, cols })
    }

    /// A copy, conjugated if asked for, or [`Error::OutOfMemory`].
    pub fn copy_of(a: MatRef<T>, conj: bool, workspace: &'w Workspace) -> Result<Self, Error>
    where
        T: Scalar,
    {
        let mut copy = Self::zeros(a.rows(), a.cols(), workspace)?;
        copy.as_mut().copy_from(a)?;
        if conj && T::DTYPE.is_complex() {
            copy.elements_mut().iter_mut().for_each(|x| *x = x.conj());
        }
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

    /// All elements, column after column.
    pub fn elements_mut(&mut self) -> &mut [T] {
        &mut self.data
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

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn copies_follow_the_strides() {
        let data: Vec<_> = (0..6).map(|x| Complex64::new(f64::from(x), 1.0)).collect();
        let a = MatRef::from_slice(&data, 2, 3, 3, 1).unwrap().reverse_rows();
        let workspace = Workspace::default();
        let copy = Matrix::copy_of(a, true, &workspace).unwrap();
        assert_eq!(copy.col(2), &[Complex64::new(5.0, -1.0), Complex64::new(2.0, -1.0)]);
        assert_eq!(copy.elements().len(), 6);
        assert_eq!(Matrix::copy_of(copy.as_ref().t(), false, &workspace).unwrap().col(0)[2], copy.col(2)[0]);
    }

    #[test]
    fn copies_over_many_tiles() {
        let data: Vec<f64> = (0..40 * 37).map(f64::from).collect();
        let workspace = Workspace::default();
        for (m, n) in [(40, 37), (17, 33), (1, 37), (40, 1), (16, 16)] {
            let a = MatRef::from_slice(&data, m, n, 37, 1).unwrap().reverse_cols();
            let copy = Matrix::copy_of(a, false, &workspace).unwrap();
            let mut back = Matrix::<f64>::zeros(n, m, &workspace).unwrap();
            back.as_mut().t().copy_from(copy.as_ref()).unwrap();
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                assert_eq!((copy.col(j)[i], back.col(i)[j]), (data[37 * i + n - 1 - j], data[37 * i + n - 1 - j]));
            }
        }
    }

    #[test]
    fn what_no_memory_can_hold_is_an_error() {
        let workspace = Workspace::default();
        assert_eq!(Matrix::<f32>::zeros(usize::MAX, 2, &workspace).err(), Some(Error::OutOfMemory));
        assert_eq!(Matrix::<f32>::zeros(1 << 40, 1 << 20, &workspace).err(), Some(Error::OutOfMemory));
        assert_eq!(Matrix::<f32>::zeros(usize::MAX, 0, &workspace).unwrap().elements().len(), 0);
    }
}
