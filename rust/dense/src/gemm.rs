//! The matrix product, C = alpha·op(A)·op(B) + beta·C.
//!
//! On the own road a large product is cut into tiles of C. The tiles depend on the extents only, and each is computed
//! on one thread, so that the number of threads changes who computes a tile but never a bit of it.

#[cfg(target_arch = "x86_64")]
use tensoroxide_tensor::simd::Isa;
use tensoroxide_tensor::Threads;

use crate::element::Kernels;
use crate::{provider, Element, Error, MatMut, MatRef, Provider};

/// Products of fewer multiplications than this are one tile: 128³, about 20 µs of work in double precision.
const ONE_TILE: usize = 128 * 128 * 128;
/// Edge of a tile. Packing the operands again for each tile cost at most 8 % in Float64 products of 256³ to 1024³, but for 13 %
/// at 400³, whose last tiles are narrow; products with few columns are faster in tiles, by up to a half.
const TILE: usize = 256;

/// C = alpha·op(A)·op(B) + beta·C, where op conjugates the elements if the operand's flag says so and does nothing
/// otherwise. A is m×k, B k×n, C m×n, each of any strides; the transposed of an operand is [`MatRef::t`].
///
/// `beta == 0` is a strong zero: C is then never read and may hold NaN. Likewise, A and B are not read if
/// `alpha == 0`. No memory is allocated here (the library that computes may pack the operands into buffers of its own).
///
/// Computed by the lent BLAS where one was lent, [`Provider`] does not say otherwise, and A, B and C each have a unit stride in one direction and a positive
/// stride in the other; a complex operand's conjugate must come with its transposition relative to C, since BLAS has
/// no other. By faer otherwise, on at most `threads` threads; its result does not depend on their number.
///
/// # Errors
/// [`Error::Shape`] if the extents do not fit together; C is then untouched.
///
/// ```
/// use tensoroxide_dense::{gemm, MatMut, MatRef};
/// use tensoroxide_tensor::Threads;
/// let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0]);
/// let mut c = [f64::NAN; 2];
/// let a = MatRef::from_slice(&a, 2, 2, 1, 2)?;
/// let b = MatRef::from_slice(&b, 2, 1, 1, 2)?;
/// gemm(1.0, a, false, b, false, 0.0, MatMut::from_slice(&mut c, 2, 1, 1, 2)?, Threads::ONE)?;
/// assert_eq!(c, [4.0, 6.0]);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
#[allow(clippy::too_many_arguments)] // the arguments of BLAS's gemm, known by heart in the field
pub fn gemm<T: Element>(
    alpha: T,
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    beta: T,
    c: MatMut<T>,
    threads: Threads,
) -> Result<(), Error> {
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    check("A", (m, k), (a.rows(), a.cols()))?;
    check("B", (k, n), (b.rows(), b.cols()))?;
    if m == 0 || n == 0 {
        return Ok(());
    }
    if k == 0 || alpha == T::ZERO {
        scale(c, beta);
        return Ok(());
    }
    let lent = match provider() {
        Provider::Lent => true,
        Provider::Auto => !own_is_fast(),
        Provider::Own => false,
    };
    let c = match lent {
        true => match T::lent_gemm(alpha, a, conj_a, b, conj_b, beta, c) {
            Ok(()) => return Ok(()),
            Err(c) => c,
        },
        false => c,
    };
    own(alpha, a, conj_a, b, conj_b, beta, c, threads);
    Ok(())
}

/// Whether this processor has registers for which faer's product was measured to take no longer than OpenBLAS's: 0.4 to 0.5
/// of its time with its kernels for AVX2, 0.8 to 1.1 with those for AVX-512.
#[inline]
fn own_is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return Isa::best() >= Isa::Avx2;
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn check(operand: &'static str, expected: (usize, usize), found: (usize, usize)) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Shape { operand, expected, found })
    }
}

/// C = beta·C, with a strong zero.
fn scale<T: Element>(c: MatMut<T>, beta: T) {
    if beta == T::ZERO {
        c.update(|_, _, x| *x = T::ZERO);
    } else if beta != T::ONE {
        c.update(|_, _, x| *x = beta * *x);
    }
}

/// The product by faer, in tiles of C. No extent is 0.
#[allow(clippy::too_many_arguments)] // as for `gemm`
fn own<T: Kernels>(
    alpha: T,
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    beta: T,
    c: MatMut<T>,
    threads: Threads,
) {
    let add = beta != T::ZERO;
    let tile = |a: MatRef<T>, b: MatRef<T>, mut c: MatMut<T>| {
        if add {
            scale(c.reborrow(), beta);
        }
        T::own_gemm(alpha, a, conj_a, b, conj_b, add, c);
    };
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    if m.saturating_mul(n).saturating_mul(k) <= ONE_TILE {
        return tile(a, b, c);
    }
    let across = m.div_ceil(TILE);
    threads.run(across * n.div_ceil(TILE), |t| {
        let (i, j) = (t % across * TILE, t / across * TILE);
        let (rows, cols) = (TILE.min(m - i), TILE.min(n - j));
        // SAFETY: the tiles lie inside of their matrices, and the tiles of C, one for each `t`, share no element.
        let (a, b, c) = unsafe {
            (a.block_unchecked(i, 0, rows, k), b.block_unchecked(0, j, k, cols), c.alias_block(i, j, rows, cols))
        };
        tile(a, b, c);
    });
}
