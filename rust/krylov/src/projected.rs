//! A Hermitian map projected onto a Krylov space: a small matrix, its eigenvalues and eigenvectors.

use tensoroxide_dense::{eigh, Element, MatRef, Resources, Workspace};
use tensoroxide_tensor::Real;

use crate::Error;

/// The matrix H = Vᴴ·A·V, column by column as the space grows.
///
/// What the map gave is above the diagonal; below it stands what it should have given there, were it Hermitian.
#[derive(Debug)]
pub(crate) struct Projected<T: Element> {
    elements: Vec<T>,
    rows: usize,
    values: Vec<T::Real>,
    vectors: Vec<T>,
    workspace: Workspace,
}

impl<T: Element> Default for Projected<T> {
    fn default() -> Projected<T> {
        Projected {
            elements: Vec::new(),
            rows: 0,
            values: Vec::new(),
            vectors: Vec::new(),
            workspace: Workspace::default(),
        }
    }
}

impl<T: Element> Projected<T> {
    /// Zero, for spaces of at most `dimension` vectors and one to come.
    pub(crate) fn clear(&mut self, dimension: usize) {
        self.rows = dimension + 1;
        self.elements.clear();
        self.elements.resize(self.rows * self.rows, T::ZERO);
    }

    pub(crate) fn column_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.elements[j * self.rows..][..self.rows]
    }

    /// Says what the overlap of basis vector i with A times basis vector j < i has to be.
    pub(crate) fn expect(&mut self, i: usize, j: usize, value: T) {
        self.elements[i + j * self.rows] = value;
    }

    /// Compares column j with what was expected; `norm` is one that the map has at least. What rounding does to a
    /// Hermitian map stays far below the bound, √eps of the norm.
    pub(crate) fn check(&self, j: usize, norm: T::Real) -> Result<(), Error> {
        let at = |i: usize, j: usize| self.elements[i + j * self.rows];
        let deviation = (0..=j).map(|i| (at(i, j) - at(j, i).conj()).abs().to_f64()).fold(0.0, f64::max);
        let norm = norm.to_f64();
        match deviation <= T::Real::EPSILON.to_f64().sqrt() * norm {
            true => Ok(()),
            false => Err(Error::NotHermitian { deviation, norm }),
        }
    }

    /// Eigenvalues and eigenvectors of the first k rows and columns.
    pub(crate) fn eigh(&mut self, k: usize) -> Result<(), Error> {
        let upper = MatRef::from_slice(&self.elements, k, k, 1, self.rows as isize)?;
        // Element (j, i) of the transposed is the conjugate of H's there: the lower triangle, which is the one that
        // is read.
        let eigh = eigh(upper.t(), true, Resources::of(&self.workspace))?;
        self.values.clear();
        self.values.extend_from_slice(&eigh.w);
        self.vectors.clear();
        self.vectors.extend_from_slice(eigh.v.elements());
        Ok(())
    }

    /// The eigenvalues, ascending.
    pub(crate) fn values(&self) -> &[T::Real] {
        &self.values
    }

    /// The `i`-th eigenvector.
    pub(crate) fn vector(&self, i: usize) -> &[T] {
        let k = self.values.len();
        &self.vectors[i * k..][..k]
    }
}
