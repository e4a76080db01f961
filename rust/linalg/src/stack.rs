//! Stacks of matrices: tensors whose first two axes are rows and columns, and whose other axes are a batch.
//!
//! What an operation does to one matrix, [`each`] does to every matrix of a stack, on as many threads as are worth it.
//! The work is cut into as many parts as there are threads, and each part has a workspace of its own.
#![allow(unsafe_code)] // threads write matrices of one output side by side

use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use tensoroxide_dense::{provider, Element, MatMut, MatRef, Matrix, Provider, Resources, Workspace};
use tensoroxide_tensor::{Pool, Threads, View, ViewMut};

use crate::Error;

/// Idle workspaces, for any number of threads.
pub type Workspaces = Pool<Workspace>;

/// Floating-point operations that are worth a thread of their own: some 20 µs.
const WORK_OF_A_THREAD: f64 = 5e4;

/// How an operation runs: its memory, its threads, and who computes.
#[derive(Clone, Copy, Debug)]
pub struct Run<'w> {
    /// Where workspaces come from, and go to again. Their memory is kept: an operation that runs again takes none.
    pub workspaces: &'w Workspaces,
    /// The most threads that share a batch.
    pub threads: Threads,
    /// Who computes.
    pub provider: Provider,
}

impl<'w> Run<'w> {
    /// On the calling thread, with the provider of the process.
    ///
    /// ```
    /// use tensoroxide_linalg::{Run, Workspaces};
    /// let workspaces = Workspaces::default();
    /// assert_eq!(Run::on(&workspaces).threads.get(), 1);
    /// ```
    pub fn on(workspaces: &'w Workspaces) -> Run<'w> {
        Run { workspaces, threads: Threads::ONE, provider: provider() }
    }
}

/// A stack to read.
#[derive(Clone, Copy)]
pub struct Stack<'a, T> {
    view: View<'a, T>,
    /// How many of the first axes belong to a matrix (two) or a vector (one).
    rank: usize,
}

/// A stack to write.
pub struct StackMut<'a, T> {
    start: *mut T,
    shape: &'a [usize],
    strides: &'a [isize],
    /// How many of the first axes belong to a matrix (two), a vector (one) or a number (none).
    rank: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: a stack gives out each of its matrices once at a time (see `Outputs::at`), and they share no element.
unsafe impl<T: Send> Sync for StackMut<'_, T> {}

/// The offset of the `i`-th matrix, the first axis of the batch fastest.
fn offset(mut i: usize, batch: &[usize], strides: &[isize]) -> isize {
    let mut offset = 0;
    for (&extent, &stride) in batch.iter().zip(strides) {
        offset += (i % extent) as isize * stride;
        i /= extent;
    }
    offset
}

/// The `i`-th matrix of a stack whose first `rank` axes, at most two, are those of a matrix, a vector or a number.
///
/// # Panics
/// If the view has fewer axes.
pub fn matrix_of<'a, T: Copy>(view: View<'a, T>, rank: usize, i: usize) -> MatRef<'a, T> {
    let ((own, batch), (strides, steps)) = (view.shape().split_at(rank), view.strides().split_at(rank));
    let start = view.as_ptr().wrapping_offset(offset(i, batch, steps));
    let (m, n) = (own.first().copied().unwrap_or(1), own.get(1).copied().unwrap_or(1));
    let (down, right) = (strides.first().copied().unwrap_or(1), strides.get(1).copied().unwrap_or(m as isize));
    // SAFETY: the view covers all matrices.
    unsafe { MatRef::from_raw_parts(start, m, n, down, right) }
}

impl<'a, T: Element> Stack<'a, T> {
    /// [`Error::Rank`] for a tensor with fewer than two axes.
    pub fn new(view: View<'a, T>, operand: &'static str) -> Result<Stack<'a, T>, Error> {
        match view.shape().len() {
            0 | 1 => Err(Error::Rank { operand, found: view.shape().to_vec() }),
            _ => Ok(Stack { view, rank: 2 }),
        }
    }

    /// The right-hand sides of systems with so many rows: matrices, or, with an axis less, vectors.
    pub fn right_hand_sides(
        view: View<'a, T>,
        operand: &'static str,
        rows: usize,
        batch: &[usize],
    ) -> Result<Stack<'a, T>, Error> {
        let shape = view.shape();
        let rank = if shape.len() == batch.len() + 1 { 1 } else { 2 };
        if shape.len() == batch.len() + rank && shape[0] == rows && shape[rank..] == *batch {
            return Ok(Stack { view, rank });
        }
        let columns = shape.get(1).copied().unwrap_or(1);
        let expected = [rows, columns].iter().chain(batch).map(|&extent| (extent, extent)).collect();
        Err(Error::Shape { operand, expected, found: shape.to_vec() })
    }

    /// Rows and columns of each matrix; one column for vectors.
    pub fn extents(&self) -> (usize, usize) {
        (self.view.shape()[0], if self.rank > 1 { self.view.shape()[1] } else { 1 })
    }

    /// An output of so many rows and as many columns as here; without columns for vectors. As [`StackMut::new`].
    pub fn like(
        &self,
        view: ViewMut<'a, T>,
        operand: &'static str,
        rows: usize,
        batch: &[usize],
    ) -> Result<StackMut<'a, T>, Error> {
        let (_, n) = self.extents();
        StackMut::new(view, operand, &[(rows, rows), (n, n)][..self.rank], batch)
    }

    /// Rows of each matrix, which must be square.
    pub fn square(&self, operand: &'static str) -> Result<usize, Error> {
        let (m, n) = self.extents();
        match m == n {
            true => Ok(n),
            false => Err(Error::Shape { operand, expected: vec![(m, m), (m, m)], found: vec![m, n] }),
        }
    }

    /// The extents of the batch.
    pub fn batch(&self) -> &'a [usize] {
        &self.view.shape()[self.rank..]
    }

    /// The `i`-th matrix.
    pub fn at(&self, i: usize) -> MatRef<'a, T> {
        matrix_of(self.view, self.rank, i)
    }
}

impl<'a, T: Copy> StackMut<'a, T> {
    /// A stack whose first `rank` axes are those of a matrix, a vector or a number.
    ///
    /// # Panics
    /// If the view has fewer axes.
    pub fn of(mut view: ViewMut<'a, T>, rank: usize) -> StackMut<'a, T> {
        assert!(rank <= 2 && rank <= view.shape().len());
        StackMut { start: view.as_mut_ptr(), shape: view.shape(), strides: view.strides(), rank, memory: PhantomData }
    }

    /// A stack of matrices of at least and at most these extents, or, for one extent, of vectors; an [`Error::Shape`]
    /// if the tensor is none, or has another batch.
    pub fn new(
        mut view: ViewMut<'a, T>,
        operand: &'static str,
        extents: &[(usize, usize)],
        batch: &[usize],
    ) -> Result<StackMut<'a, T>, Error> {
        let shape = view.shape();
        let expected = || extents.iter().copied().chain(batch.iter().map(|&extent| (extent, extent)));
        let fits = shape.len() == extents.len() + batch.len()
            && expected().zip(shape).all(|((least, most), x)| (least..=most).contains(x));
        if !fits {
            return Err(Error::Shape { operand, expected: expected().collect(), found: shape.to_vec() });
        }
        let (start, strides) = (view.as_mut_ptr(), view.strides());
        Ok(StackMut { start, shape, strides, rank: extents.len(), memory: PhantomData })
    }
}

/// A stack to write whose elements are of the type that an operation is asked for, or the real or complex ones of the
/// same precision.
pub enum AnyStackMut<'a, T: Element> {
    /// Of the type itself.
    Element(StackMut<'a, T>),
    /// Real.
    Real(StackMut<'a, T::Real>),
    /// Complex.
    Complex(StackMut<'a, T::Complex>),
}

/// A matrix of an [`AnyStackMut`].
pub enum AnyMatMut<'a, T: Element> {
    /// Of the type itself.
    Element(MatMut<'a, T>),
    /// Real.
    Real(MatMut<'a, T::Real>),
    /// Complex.
    Complex(MatMut<'a, T::Complex>),
}

/// The stacks that an operation writes, as a tuple.
pub trait Outputs: Sync {
    /// One matrix of each stack; vectors are matrices of one column.
    type Matrices;

    /// The `i`-th matrix of each stack.
    ///
    /// # Safety
    /// Nobody else has one of them, now or later.
    unsafe fn at(&self, i: usize) -> Self::Matrices;
}

impl<'a, T: Copy + Send> Outputs for StackMut<'a, T> {
    type Matrices = MatMut<'a, T>;

    unsafe fn at(&self, i: usize) -> MatMut<'a, T> {
        let start = self.start.wrapping_offset(offset(i, &self.shape[self.rank..], &self.strides[self.rank..]));
        let (rows, row_stride) = if self.rank > 0 { (self.shape[0], self.strides[0]) } else { (1, 1) };
        let (cols, col_stride) = if self.rank > 1 { (self.shape[1], self.strides[1]) } else { (1, rows as isize) };
        // SAFETY: the view, which is ours, covers all matrices and is injective, so that two of them share no element.
        unsafe { MatMut::from_raw_parts(start, rows, cols, row_stride, col_stride) }
    }
}

impl<'a, T: Element> Outputs for AnyStackMut<'a, T> {
    type Matrices = AnyMatMut<'a, T>;

    unsafe fn at(&self, i: usize) -> AnyMatMut<'a, T> {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                AnyStackMut::Element(stack) => AnyMatMut::Element(stack.at(i)),
                AnyStackMut::Real(stack) => AnyMatMut::Real(stack.at(i)),
                AnyStackMut::Complex(stack) => AnyMatMut::Complex(stack.at(i)),
            }
        }
    }
}

/// Any number of stacks, some of which may not be asked for.
impl<O: Outputs> Outputs for Vec<Option<O>> {
    type Matrices = Vec<Option<O::Matrices>>;

    unsafe fn at(&self, i: usize) -> Self::Matrices {
        // SAFETY: the caller's promise.
        self.iter().map(|stack| stack.as_ref().map(|stack| unsafe { stack.at(i) })).collect()
    }
}

/// Slices of `len` elements, one for each matrix.
pub struct Chunks<'a, T> {
    start: *mut T,
    len: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: as for `StackMut`.
unsafe impl<T: Send> Sync for Chunks<'_, T> {}

impl<'a, T> Chunks<'a, T> {
    /// An [`Error::Shape`] if there are not `len` elements for each matrix of the batch.
    pub fn new(all: &'a mut [T], operand: &'static str, len: usize, batch: &[usize]) -> Result<Self, Error> {
        let expected = len * batch.iter().product::<usize>();
        match all.len() == expected {
            true => Ok(Chunks { start: all.as_mut_ptr(), len, memory: PhantomData }),
            false => Err(Error::Shape { operand, expected: vec![(expected, expected)], found: vec![all.len()] }),
        }
    }
}

impl<'a, T: Send> Outputs for Chunks<'a, T> {
    type Matrices = &'a mut [T];

    unsafe fn at(&self, i: usize) -> &'a mut [T] {
        // SAFETY: there are `len` elements for each matrix, and the caller promises to take them once.
        unsafe { std::slice::from_raw_parts_mut(self.start.wrapping_add(i * self.len), self.len) }
    }
}

macro_rules! outputs {
    ($($stack:ident)*) => {
        impl<$($stack: Outputs),*> Outputs for ($($stack,)*) {
            type Matrices = ($($stack::Matrices,)*);

            #[allow(non_snake_case)]
            unsafe fn at(&self, i: usize) -> Self::Matrices {
                let ($($stack,)*) = self;
                // SAFETY: the caller's promise.
                unsafe { ($($stack.at(i),)*) }
            }
        }
    };
}

outputs!(A B);
outputs!(A B C);
outputs!(A B C D);

/// A vector as a matrix of one column.
pub fn column<T>(x: &[T]) -> MatRef<'_, T> {
    // SAFETY: the elements of a slice lie one after another.
    unsafe { MatRef::from_raw_parts(x.as_ptr(), x.len(), 1, 1, x.len() as isize) }
}

/// Writes Xᴴ. Only the elements of X are conjugated for that; the strides of the output do the rest.
pub fn write_adjoint<T: Element>(to: MatMut<'_, T>, x: &mut Matrix<'_, T>) -> Result<(), Error> {
    if T::DTYPE.is_complex() {
        x.elements_mut().iter_mut().for_each(|x| *x = x.conj());
    }
    Ok(to.t().copy_from(x.as_ref())?)
}

/// An error that can say which matrix of a batch it is about.
pub trait InBatch: Send {
    /// This error, of the matrix at this position, counted from 0.
    fn in_batch(self, index: Vec<usize>) -> Self;
}

impl InBatch for Error {
    fn in_batch(self, index: Vec<usize>) -> Error {
        Error::InBatch { index, error: Box::new(self) }
    }
}

/// Does something to every matrix of a batch, which costs about `work` floating-point operations each: `task` gets its
/// position, its part of the outputs, and what it may use.
///
/// # Errors
/// The first one in the order of the batch; for a batch as [`InBatch`] says. What was done to other matrices stays done.
pub fn each<O: Outputs, E: InBatch>(
    batch: &[usize],
    work: f64,
    run: Run<'_>,
    outputs: O,
    task: impl Fn(usize, O::Matrices, Resources<'_>) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let count: usize = batch.iter().product();
    let threads = run.threads.for_work((work * count as f64).min(1e18) as usize, WORK_OF_A_THREAD as usize);
    let parts = threads.get().min(count);
    let first: Mutex<Option<(usize, E)>> = Mutex::new(None);
    threads.run(parts, |part| {
        let workspace = run.workspaces.take().unwrap_or_default();
        let with = Resources { workspace: &workspace, provider: run.provider };
        for i in count * part / parts..count * (part + 1) / parts {
            // SAFETY: each `i` is visited once, and the stacks are ours.
            let matrices = unsafe { outputs.at(i) };
            if let Err(error) = task(i, matrices, with) {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(before, _)| i < *before) {
                    *first = Some((i, error));
                }
                break;
            }
        }
        run.workspaces.give(workspace);
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some((_, error)) if batch.is_empty() => Err(error),
        Some((mut i, error)) => {
            let index = batch.iter().map(|&extent| (i % extent, i /= extent).0).collect();
            Err(error.in_batch(index))
        }
    }
}
