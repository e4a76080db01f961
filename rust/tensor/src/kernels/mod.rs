//! What moves strided memory: copy, permutation, scaling, addition, sums over axes.
//!
//! All of it is one operation, C ← α·op(A) + β·C over a [loop nest](crate::nest): a permutation has two unit strides in
//! different loops, a sum has loops that do not move C, a broadcast has loops that do not move A. β = 0 never reads C.

mod rows;
mod run;
#[cfg(test)]
mod tests;
mod tiling;
mod transpose;

use std::sync::OnceLock;

use run::Job;
use tiling::{Tiling, STREAM};

use crate::nest::{order, Loop};
use crate::simd::Isa;
use crate::{Error, Scalar, Threads, View, ViewMut};

/// C ← α·op(A) + β·C, with op the conjugation if `conj`, or nothing. Permutations are those of the views.
///
/// ```
/// use tensoroxide_tensor::{kernels::axpby, Threads, View, ViewMut};
/// let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let mut c = [f64::NAN; 6];
/// let transposed = View::new(&a, &[3, 2], &[2, 1], 0)?;
/// axpby(10.0, transposed, false, 0.0, ViewMut::new(&mut c, &[3, 2], &[1, 3], 0)?, Threads::ONE)?;
/// assert_eq!(c, [10.0, 30.0, 50.0, 20.0, 40.0, 60.0]);
/// # Ok::<(), tensoroxide_tensor::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`].
pub fn axpby<T: Scalar>(
    alpha: T,
    a: View<'_, T>,
    conj: bool,
    beta: T,
    mut c: ViewMut<'_, T>,
    threads: Threads,
) -> Result<(), Error> {
    if a.shape() != c.shape() {
        return Err(Error::ShapeMismatch { found: a.shape().to_vec(), expected: c.shape().to_vec() });
    }
    let axes = a.shape().iter().zip(c.strides().iter().zip(a.strides()));
    let loops: Vec<Loop<2>> = axes.map(|(&extent, (&c, &a))| Loop { extent, strides: [c, a] }).collect();
    // SAFETY: the loops are the axes of both views, whose shapes are equal; no loop is a sum, as C is injective.
    unsafe { accumulate_ordered(&loops, alpha, a.as_ptr(), conj, beta, c.as_mut_ptr(), threads) };
    Ok(())
}

/// C ← β·C; writes zeros for β = 0, whatever C held.
pub fn scale<T: Scalar>(beta: T, mut c: ViewMut<'_, T>, threads: Threads) {
    let axes = c.shape().iter().zip(c.strides());
    let loops = order(axes.map(|(&extent, &stride)| Loop { extent, strides: [stride, 0] }).collect());
    // SAFETY: the loops are the axes of C.
    unsafe { scale_ordered(&loops, beta, c.as_mut_ptr(), threads) };
}

/// C ← α·Σ op(A) + β·C, summed over the axes of A that `axes` does not name: axis `d` of C is axis `axes[d]` of A.
///
/// ```
/// use tensoroxide_tensor::{kernels::reduce, Threads, View, ViewMut};
/// let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let mut c = [0.0; 3];
/// let (a, out) = (View::new(&a, &[2, 3], &[1, 2], 0)?, ViewMut::new(&mut c, &[3], &[1], 0)?);
/// reduce(1.0, a, false, &[1], 0.0, out, Threads::ONE)?;
/// assert_eq!(c, [3.0, 7.0, 11.0]);
/// # Ok::<(), tensoroxide_tensor::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] also if `axes` names an axis twice or one that A has not.
pub fn reduce<T: Scalar>(
    alpha: T,
    a: View<'_, T>,
    conj: bool,
    axes: &[usize],
    beta: T,
    mut c: ViewMut<'_, T>,
    threads: Threads,
) -> Result<(), Error> {
    let kept: Vec<usize> = axes.iter().filter_map(|&axis| a.shape().get(axis).copied()).collect();
    let repeated = (1..axes.len()).any(|d| axes[..d].contains(&axes[d]));
    if kept != c.shape() || kept.len() != axes.len() || repeated {
        return Err(Error::ShapeMismatch { found: c.shape().to_vec(), expected: kept });
    }
    let c_stride = |axis| axes.iter().position(|&x| x == axis).map_or(0, |d| c.strides()[d]);
    let axis = |axis: usize| Loop { extent: a.shape()[axis], strides: [c_stride(axis), a.strides()[axis]] };
    let loops: Vec<Loop<2>> = (0..a.shape().len()).map(axis).collect();
    scale(beta, c.reborrow(), threads);
    // SAFETY: the loops are A's axes, and move C by the strides of its own axes of the same extents.
    unsafe { accumulate_ordered(&loops, alpha, a.as_ptr(), conj, T::ONE, c.as_mut_ptr(), threads) };
    Ok(())
}

/// A nest of loops over C and A prepared to be run: cut into tiles, its kernels chosen, for each size of elements at
/// the first run with it. Later runs allocate nothing.
///
/// Any number of threads may run one at once.
#[derive(Clone, Debug)]
pub struct Move {
    loops: Box<[Loop<2>]>,
    /// For elements of 4, 8 and 16 bytes.
    tilings: [OnceLock<Tiling>; 3],
}

impl Move {
    /// Prepares loops over C, tensor 0, and A, tensor 1, in any order. A loop that does not move C is a sum.
    pub fn new(loops: &[Loop<2>]) -> Move {
        Move { loops: loops.into(), tilings: [const { OnceLock::new() }; 3] }
    }

    /// Elements that the loops visit; `usize::MAX` if there are more.
    pub fn volume(&self) -> usize {
        crate::nest::volume(&self.loops)
    }

    /// C ← α·op(A) + β·C, with op the conjugation if `conj`, or nothing. β = 0 never reads C. With a loop that does not
    /// move C, β must be 1: every term is added.
    ///
    /// # Safety
    /// From `a` and `c`, every element that the loops reach is valid (to read; to write), C's are reached by nothing
    /// else, and the loops that move C do so injectively.
    pub unsafe fn run<T: Scalar>(&self, alpha: T, a: *const T, conj: bool, beta: T, c: *mut T, threads: Threads) {
        let slot = match size_of::<T>() {
            4 => &self.tilings[0],
            8 => &self.tilings[1],
            _ => &self.tilings[2],
        };
        let tiling = slot.get_or_init(|| Tiling::new(&self.loops, size_of::<T>(), Isa::best(), STREAM));
        // SAFETY: the caller's promise; the tiling is that of the loops, for elements of this size.
        unsafe { tiling.run(job(alpha, conj, beta), a, c, threads) };
    }
}

/// What α, β and the conjugation ask for.
fn job<T: Scalar>(alpha: T, conj: bool, beta: T) -> Job<T> {
    let conj = conj && T::DTYPE.is_complex();
    match (beta == T::ZERO, alpha == T::ONE && !conj) {
        (true, true) => Job::Move,
        (true, false) => Job::Write { alpha, conj },
        (false, _) => Job::Update { alpha, conj, beta },
    }
}

/// [`Move::new`] and [`Move::run`] at once.
///
/// # Safety
/// As [`Move::run`].
pub unsafe fn accumulate_ordered<T: Scalar>(
    loops: &[Loop<2>],
    alpha: T,
    a: *const T,
    conj: bool,
    beta: T,
    c: *mut T,
    threads: Threads,
) {
    let tiling = Tiling::new(loops, size_of::<T>(), Isa::best(), STREAM);
    // SAFETY: the caller's promise.
    unsafe { tiling.run(job(alpha, conj, beta), a, c, threads) };
}

/// C ← β·C over loops as [`order`] gives them, C being tensor 0; tensor 1 must stand still (strides of 0).
///
/// # Safety
/// As [`Move::run`], without A; every loop moves C.
pub unsafe fn scale_ordered<T: Scalar>(loops: &[Loop<2>], beta: T, c: *mut T, threads: Threads) {
    debug_assert!(loops.iter().all(|l| l.strides[1] == 0));
    // SAFETY: the caller's promise.
    unsafe {
        if beta == T::ZERO {
            shared(loops, c, |c| *c = T::ZERO, threads);
        } else if beta != T::ONE {
            shared(loops, c, |c| *c = beta * *c, threads);
        }
    }
}

/// Elements that are worth a thread of their own: some 50 µs of writing.
const SCALED: usize = 1 << 17;

/// [`each`], the outermost loop cut among the threads.
///
/// # Safety
/// As [`scale_ordered`].
unsafe fn shared<T: Scalar>(loops: &[Loop<2>], c: *mut T, f: impl Fn(&mut T) + Copy + Sync, threads: Threads) {
    struct Start<T>(*mut T);
    // SAFETY: the pieces of the outermost loop have no element in common.
    unsafe impl<T: Send> Sync for Start<T> {}
    let threads = threads.for_work(crate::nest::volume(loops), SCALED);
    let Some((outer, rest)) = loops.split_last().filter(|_| threads > Threads::ONE) else {
        // SAFETY: the caller's promise.
        return unsafe { each(loops, c, f) };
    };
    let (start, steps) = (&Start(c), outer.extent.div_ceil(threads.get()));
    threads.run(outer.extent.div_ceil(steps), |piece| {
        let first = piece * steps;
        for i in first..outer.extent.min(first + steps) {
            // SAFETY: the caller's promise; `i` is below the loop's extent.
            unsafe { each(rest, start.0.offset(i as isize * outer.strides[0]), f) };
        }
    });
}

/// Visits every element of C.
///
/// # Safety
/// As [`scale_ordered`].
unsafe fn each<T: Scalar>(loops: &[Loop<2>], c: *mut T, f: impl Fn(&mut T) + Copy) {
    // SAFETY: each step stays within the loops, which the caller vouches for.
    unsafe {
        match loops {
            [] => f(&mut *c),
            [Loop { extent, strides: [1, _] }] => std::slice::from_raw_parts_mut(c, *extent).iter_mut().for_each(f),
            [rest @ .., outer] => {
                for i in 0..outer.extent as isize {
                    each(rest, c.offset(i * outer.strides[0]), f);
                }
            }
        }
    }
}
