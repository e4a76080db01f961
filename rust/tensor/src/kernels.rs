//! What moves strided memory: copy, permutation, scaling, addition, sums over axes.
//!
//! All of it is one operation, C ← α·op(A) + β·C over a [loop nest](crate::nest): a permutation has two unit strides in
//! different loops, a sum has loops that do not move C, a broadcast has loops that do not move A. β = 0 never reads C.

use crate::nest::{order, volume, Loop};
use crate::{Error, Scalar, Threads, View, ViewMut};

/// Elements that a thread must have to itself before another one is woken.
const GRAIN: usize = 1 << 16;
/// Side of the square that a transposition holds at once: one cache line of doubles in both directions.
const TILE: usize = 8;
/// Side of the square of tiles that is finished before the next, for the sake of the address translation.
const BLOCK: usize = 64;

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
    let loops = order(axes.map(|(&extent, (&c, &a))| Loop { extent, strides: [c, a] }).collect());
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
    let loops = order((0..a.shape().len()).map(axis).collect());
    scale(beta, c.reborrow(), threads);
    // SAFETY: the loops are A's axes, and move C by the strides of its own axes of the same extents.
    unsafe { accumulate_ordered(&loops, alpha, a.as_ptr(), conj, T::ONE, c.as_mut_ptr(), threads) };
    Ok(())
}

/// C ← α·op(A) + β·C over loops as [`order`] gives them, C being tensor 0 and A tensor 1. With a loop that does not move
/// C, β must be 1: every term is added.
///
/// # Safety
/// From `a` and `c`, every element that the loops reach is valid (to read; to write), C's are reached by nothing else, and
/// the loops that move C do so injectively.
pub unsafe fn accumulate_ordered<T: Scalar>(
    loops: &[Loop<2>],
    alpha: T,
    a: *const T,
    conj: bool,
    beta: T,
    c: *mut T,
    threads: Threads,
) {
    debug_assert!(beta == T::ONE || loops.iter().all(|l| l.strides[0] != 0 || l.extent < 2));
    let conj = conj && T::DTYPE.is_complex();
    // SAFETY: the caller's promise, in every branch.
    unsafe {
        match (alpha == T::ONE, beta == T::ZERO, beta == T::ONE, conj) {
            (true, true, _, false) => split::<T, false>(loops, a, c, threads, |x, _| x),
            (true, true, _, true) => split::<T, false>(loops, a, c, threads, |x, _| x.conj()),
            (true, _, true, false) => split::<T, true>(loops, a, c, threads, |x, y| y + x),
            (_, true, _, false) => split::<T, false>(loops, a, c, threads, |x, _| alpha * x),
            (_, true, _, true) => split::<T, false>(loops, a, c, threads, |x, _| alpha * x.conj()),
            (_, _, true, false) => split::<T, true>(loops, a, c, threads, |x, y| y + alpha * x),
            (_, _, true, true) => split::<T, true>(loops, a, c, threads, |x, y| y + alpha * x.conj()),
            (_, _, _, false) => split::<T, true>(loops, a, c, threads, |x, y| alpha * x + beta * y),
            (_, _, _, true) => split::<T, true>(loops, a, c, threads, |x, y| alpha * x.conj() + beta * y),
        }
    }
}

/// C ← β·C over loops as [`order`] gives them, C being tensor 0; tensor 1 must stand still (strides of 0).
///
/// # Safety
/// As [`accumulate_ordered`], without A; every loop moves C.
pub unsafe fn scale_ordered<T: Scalar>(loops: &[Loop<2>], beta: T, c: *mut T, threads: Threads) {
    debug_assert!(loops.iter().all(|l| l.strides[1] == 0));
    let zero = T::ZERO;
    // SAFETY: A is a single element that no loop moves.
    unsafe {
        if beta == T::ZERO {
            split::<T, false>(loops, &zero, c, threads, |_, _| T::ZERO);
        } else if beta != T::ONE {
            split::<T, true>(loops, &zero, c, threads, |_, y| beta * y);
        }
    }
}

/// A pointer that may be sent to another thread.
#[derive(Clone, Copy)]
struct Shared<P>(P);
// SAFETY: the threads of `split` reach different elements of C, and only read A.
unsafe impl<P> Send for Shared<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Shared<P> {}

impl<P: Copy> Shared<P> {
    /// Through a method, so that a closure captures the whole and not the field.
    fn get(&self) -> P {
        self.0
    }
}

/// Deals the outermost loop that moves C out to the threads.
///
/// # Safety
/// As [`accumulate_ordered`].
unsafe fn split<T: Scalar, const READ: bool>(
    loops: &[Loop<2>],
    a: *const T,
    c: *mut T,
    threads: Threads,
    f: impl Fn(T, T) -> T + Copy + Sync,
) {
    let threads = threads.for_work(volume(loops), GRAIN);
    let outer = loops.iter().rposition(|l| l.strides[0] != 0 && l.extent >= threads.get());
    let (Some(outer), true) = (outer, threads > Threads::ONE) else {
        // SAFETY: the caller's promise.
        return unsafe { run::<T, READ>(loops, a, c, f) };
    };
    let (extent, strides) = (loops[outer].extent, loops[outer].strides);
    let (a, c) = (Shared(a), Shared(c));
    threads.run(threads.get(), |part| {
        let start = part * extent / threads.get();
        let mut mine = loops.to_vec();
        mine[outer].extent = (part + 1) * extent / threads.get() - start;
        let at = |t: usize| start as isize * strides[t];
        // SAFETY: a share of the steps of one loop; C is moved by it, so the shares meet in no element of C.
        unsafe { run::<T, READ>(&mine, a.get().offset(at(1)), c.get().offset(at(0)), f) }
    });
}

/// # Safety
/// As [`accumulate_ordered`].
unsafe fn run<T: Scalar, const READ: bool>(loops: &[Loop<2>], a: *const T, c: *mut T, f: impl Fn(T, T) -> T + Copy) {
    const UNIT: Loop<2> = Loop { extent: 1, strides: [0, 0] };
    // SAFETY: each step stays within the loops, which the caller vouches for.
    unsafe {
        match loops {
            [] => pair::<T, READ>(UNIT, UNIT, a, c, f),
            [inner] => pair::<T, READ>(*inner, UNIT, a, c, f),
            [inner, outer] => pair::<T, READ>(*inner, *outer, a, c, f),
            [rest @ .., outer] => {
                for i in 0..outer.extent as isize {
                    run::<T, READ>(rest, a.offset(i * outer.strides[1]), c.offset(i * outer.strides[0]), f);
                }
            }
        }
    }
}

/// The two innermost loops.
///
/// # Safety
/// As [`accumulate_ordered`].
unsafe fn pair<T: Scalar, const READ: bool>(
    inner: Loop<2>,
    outer: Loop<2>,
    a: *const T,
    c: *mut T,
    f: impl Fn(T, T) -> T + Copy,
) {
    let transposes = inner.strides[0] == 1 && outer.strides[1] == 1 && inner.strides[1] != 1;
    // SAFETY: blocks and rows are parts of the two loops.
    unsafe {
        if !(transposes && inner.extent >= TILE && outer.extent >= TILE) {
            for j in 0..outer.extent as isize {
                row::<T, READ>(inner, a.offset(j * outer.strides[1]), c.offset(j * outer.strides[0]), f);
            }
            return;
        }
        let (lead_a, lead_c) = (inner.strides[1], outer.strides[0]);
        for j in (0..outer.extent).step_by(BLOCK) {
            for i in (0..inner.extent).step_by(BLOCK) {
                let size = (BLOCK.min(inner.extent - i), BLOCK.min(outer.extent - j));
                let (i, j) = (i as isize, j as isize);
                transpose::<T, READ>(size, a.offset(i * lead_a + j), lead_a, c.offset(i + j * lead_c), lead_c, f);
            }
        }
    }
}

/// One block of a transposition: C[i, j] from A[j, i], both with unit stride in their first index, by tiles that read
/// and write whole cache lines.
///
/// # Safety
/// As [`accumulate_ordered`].
unsafe fn transpose<T: Scalar, const READ: bool>(
    (rows, columns): (usize, usize),
    a: *const T,
    lead_a: isize,
    c: *mut T,
    lead_c: isize,
    f: impl Fn(T, T) -> T + Copy,
) {
    let (whole_rows, whole_columns) = (rows - rows % TILE, columns - columns % TILE);
    // SAFETY: i < rows and j < columns throughout.
    unsafe {
        for j in (0..whole_columns).step_by(TILE) {
            for i in (0..whole_rows).step_by(TILE) {
                let (a, c) = (a.offset(i as isize * lead_a + j as isize), c.offset(i as isize + j as isize * lead_c));
                let mut tile = [[T::ZERO; TILE]; TILE];
                for (y, line) in tile.iter_mut().enumerate() {
                    let a = a.offset(y as isize * lead_a);
                    for (x, value) in line.iter_mut().enumerate() {
                        *value = *a.add(x);
                    }
                }
                for x in 0..TILE {
                    let c = c.offset(x as isize * lead_c);
                    for (y, line) in tile.iter().enumerate() {
                        let old = if READ { *c.add(y) } else { T::ZERO };
                        *c.add(y) = f(line[x], old);
                    }
                }
            }
        }
        let edges = [(whole_rows..rows, 0..columns), (0..whole_rows, whole_columns..columns)];
        for (rows, columns) in edges {
            for j in columns {
                for i in rows.clone() {
                    let (a, c) =
                        (a.offset(i as isize * lead_a + j as isize), c.offset(i as isize + j as isize * lead_c));
                    let old = if READ { *c } else { T::ZERO };
                    *c = f(*a, old);
                }
            }
        }
    }
}

/// The innermost loop.
///
/// # Safety
/// As [`accumulate_ordered`].
#[inline]
unsafe fn row<T: Scalar, const READ: bool>(l: Loop<2>, a: *const T, c: *mut T, f: impl Fn(T, T) -> T + Copy) {
    let n = l.extent;
    // SAFETY: i < extent throughout. A and C do not overlap, so slices of both may exist at once.
    unsafe {
        match l.strides {
            [1, 1] => {
                let (a, c) = (std::slice::from_raw_parts(a, n), std::slice::from_raw_parts_mut(c, n));
                for (c, &a) in c.iter_mut().zip(a) {
                    *c = f(a, if READ { *c } else { T::ZERO });
                }
            }
            [0, step] if READ && n > 1 => {
                // A sum: f adds to its second argument. Eight partial sums break the chain of dependent additions, and
                // lose less to rounding than one.
                let mut sums = [T::ZERO; 8];
                for i in 0..n {
                    let sum = &mut sums[i % 8];
                    *sum = f(*a.offset(i as isize * step), *sum);
                }
                *c += ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
            }
            [step_c, step_a] => {
                for i in 0..n as isize {
                    let c = c.offset(i * step_c);
                    *c = f(*a.offset(i * step_a), if READ { *c } else { T::ZERO });
                }
            }
        }
    }
}
