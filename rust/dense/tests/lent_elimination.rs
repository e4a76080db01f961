//! The lent routines of elimination are those that compute, get valid arguments, and are not trusted with a result
//! that is not finite. One test in a process of its own, since what was lent stays lent.
#![allow(unsafe_code)] // foreign functions, and those who stand in for them

use std::ffi::c_void;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tensoroxide_dense::{
    cholesky, lend_lapack, lu, solve_triangular, Element, Error, MatRef, Provider, Resources, Workspace,
};
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Scalar};

/// Calls of getrf, getri, potrf and trtrs.
static CALLS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
/// What the routines do: 0 what they should, 1 write infinity, 2 refuse an argument.
static MODE: AtomicUsize = AtomicUsize::new(0);

fn calls() -> [usize; 4] {
    [0, 1, 2, 3].map(|i| CALLS[i].swap(0, Relaxed))
}

/// Counts a call, and says what it is to do.
fn called(which: usize) -> usize {
    CALLS[which].fetch_add(1, Relaxed);
    MODE.load(Relaxed)
}

fn real<T: Scalar>(x: f64) -> T {
    T::from_c64(x.into())
}

/// The factors of a matrix whose first two rows are exchanged: that is all that these stand-ins can do.
unsafe extern "C" fn getrf<T: Element>(
    m: *const i64,
    n: *const i64,
    a: *mut T,
    lda: *const i64,
    ipiv: *mut i64,
    info: *mut i64,
) {
    let mode = called(0);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        let (m, n) = (*m as usize, *n as usize);
        assert!(m > 0 && n > 0 && *lda == m as i64);
        *info = if mode == 2 { -1 } else { 0 };
        if mode == 2 {
            return;
        }
        let (a, ipiv) = (from_raw_parts_mut(a, m * n), from_raw_parts_mut(ipiv, m.min(n)));
        (0..n).for_each(|j| a.swap(j * m, j * m + 1));
        ipiv.iter_mut().enumerate().for_each(|(i, p)| *p = i as i64 + 1);
        ipiv[0] = 2;
        if mode == 1 {
            a[0] = real(f64::INFINITY);
        }
    }
}

unsafe extern "C" fn getri<T: Element>(
    n: *const i64,
    a: *mut T,
    lda: *const i64,
    ipiv: *const i64,
    work: *mut T,
    lwork: *const i64,
    info: *mut i64,
) {
    let mode = called(1);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        let n = *n as usize;
        assert_eq!((*lda as usize, *from_raw_parts(ipiv, n).first().unwrap()), (n, 2));
        *info = 0;
        *work = real(5.0);
        if *lwork == -1 {
            return;
        }
        assert_eq!(*lwork, 6); // rounded up
        *a = real(if mode == 1 { f64::INFINITY } else { 7.0 });
    }
}

unsafe extern "C" fn potrf<T: Element>(
    uplo: *const u8,
    n: *const i64,
    a: *mut T,
    lda: *const i64,
    info: *mut i64,
    length: usize,
) {
    let mode = called(2);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        assert_eq!((*uplo, *lda, length), (b'L', *n, 1));
        *a = real(if mode == 1 { f64::INFINITY } else { 7.0 });
        *info = if mode == 2 { *n } else { 0 };
    }
}

unsafe extern "C" fn trtrs<T: Element>(
    uplo: *const u8,
    trans: *const u8,
    diag: *const u8,
    n: *const i64,
    nrhs: *const i64,
    a: *const T,
    lda: *const i64,
    b: *mut T,
    ldb: *const i64,
    info: *mut i64,
    length: usize,
    trans_length: usize,
    diag_length: usize,
) {
    let mode = called(3);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        assert!((*trans, *lda, *ldb) == (b'N', *n, *n) && *nrhs > 0);
        assert!(b"UL".contains(&*uplo) && b"UN".contains(&*diag) && (length, trans_length, diag_length) == (1, 1, 1));
        assert!(*diag == b'U' || *a != T::ZERO);
        *b = real(if *uplo == b'U' { 3.0 } else { 4.0 });
        *info = if mode == 2 { -1 } else { 0 };
    }
}

fn check<T: Element>() {
    let workspace = Workspace::default();
    let with = Resources { workspace: &workspace, provider: Provider::Lent };
    // Rows 0 and 1 of a diagonal matrix, exchanged.
    let a: Vec<T> = [0.0, 2.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 8.0].map(real).to_vec();
    let a = MatRef::from_slice(&a, 3, 3, 1, 3).unwrap();
    calls();
    for mode in 0..3 {
        MODE.store(mode, Relaxed);
        let lu = lu(a, false, with).unwrap();
        assert_eq!(calls(), [1, 0, 0, 0]);
        assert_eq!(lu.factors.elements(), [2.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 8.0].map(real));
        assert_eq!(lu.row_swaps[..], [1, 1, 2]);
        let inverse = lu.inverse(with).unwrap();
        let found = calls();
        assert_eq!(found[1], 2); // one of them asks for the workspace
        if mode == 1 {
            assert_eq!(found[3], 2); // by both triangles, since an infinite inverse is none
        } else {
            assert_eq!((inverse.col(0)[0], found[3]), (real(7.0), 0));
        }

        let d: Vec<T> = [4.0, 0.0, 0.0, 9.0].map(real).to_vec();
        let d = MatRef::from_slice(&d, 2, 2, 1, 2).unwrap();
        let l = cholesky(d, false, with);
        assert_eq!(calls(), [0, 0, 1, 0]);
        match mode {
            0 => assert_eq!(l.unwrap().col(0)[0], real(7.0)),
            1 => assert_eq!(l.unwrap().elements(), [2.0, 0.0, 0.0, 3.0].map(real)),
            _ => assert_eq!(l.err(), Some(Error::NotPositiveDefinite { index: 1 })),
        }

        let b: Vec<T> = [8.0, 9.0].map(real).to_vec();
        let b = MatRef::from_slice(&b, 2, 1, 1, 2).unwrap();
        for (upper, unit) in [(false, false), (true, false), (false, true), (true, true)] {
            let x = solve_triangular(d, false, upper, unit, b, false, with);
            assert_eq!(calls(), [0, 0, 0, 1]);
            if mode < 2 {
                assert_eq!(x.unwrap().col(0)[0], real(if upper { 3.0 } else { 4.0 }));
            }
        }
    }
    // Not for small matrices by default, nor with the other provider, nor for an empty matrix.
    let empty = MatRef::<T>::from_slice(&[], 0, 0, 1, 1).unwrap();
    for (a, provider) in [(a, Provider::Auto), (a, Provider::Own), (empty, Provider::Lent)] {
        let with = Resources { provider, ..with };
        lu(a, false, with).unwrap().inverse(with).unwrap();
    }
    assert_eq!(calls(), [0; 4]);
}

#[test]
fn lent_routines_compute() {
    macro_rules! lend_all {
        ($($routine:literal $function:expr;)*) => {
            // SAFETY: the functions have the signatures of the routines.
            $(assert_eq!(unsafe { lend_lapack($routine, $function as *const c_void) }, Ok(()));)*
        };
    }
    lend_all! {
        "sgetrf" getrf::<f32>; "dgetrf" getrf::<f64>; "cgetrf" getrf::<Complex32>; "zgetrf" getrf::<Complex64>;
        "sgetri" getri::<f32>; "dgetri" getri::<f64>; "cgetri" getri::<Complex32>; "zgetri" getri::<Complex64>;
        "spotrf" potrf::<f32>; "dpotrf" potrf::<f64>; "cpotrf" potrf::<Complex32>; "zpotrf" potrf::<Complex64>;
        "strtrs" trtrs::<f32>; "dtrtrs" trtrs::<f64>; "ctrtrs" trtrs::<Complex32>; "ztrtrs" trtrs::<Complex64>;
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}
