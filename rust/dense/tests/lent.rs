//! Lent routines are really the ones that compute, get valid arguments, and are left alone when the provider says so.
//!
//! One test in a process of its own, since what was lent stays lent: routines of this file, which count their calls and
//! check what they are given, take the place of BLAS and LAPACK.
#![allow(unsafe_code)] // foreign functions, and those who stand in for them

mod common;

use std::ffi::c_void;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::{eps, op, pairs, with, Owned, Rng, LAYOUTS, OUTPUT_LAYOUTS};
use tensoroxide_dense::{
    eigh, eigh_values, gemm, is_lent, lend_blas, lend_lapack, provider, qr, qr_full, set_provider, svd, svd_values,
    Element, Error, MatRef, Provider, Svd,
};
use tensoroxide_tensor::testing::poison;
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Scalar, Threads};

/// Calls of each routine.
static GEMM: AtomicUsize = AtomicUsize::new(0);
static GESDD: AtomicUsize = AtomicUsize::new(0);
static GESVD: AtomicUsize = AtomicUsize::new(0);
static GEQRF: AtomicUsize = AtomicUsize::new(0);
static ORGQR: AtomicUsize = AtomicUsize::new(0);
static SYEVD: AtomicUsize = AtomicUsize::new(0);
/// The `info` that the drivers return.
static GESDD_INFO: AtomicUsize = AtomicUsize::new(0);
static GESVD_INFO: AtomicUsize = AtomicUsize::new(0);

/// Workspace that the routines ask for: a number that they do not get by chance.
const WORK: i64 = 37;

/// gemm by its definition, over column-major matrices. Panics, which end the process, on arguments that BLAS refuses.
unsafe extern "C" fn mock_gemm<T: Element>(
    transa: *const u8,
    transb: *const u8,
    m: *const i64,
    n: *const i64,
    k: *const i64,
    alpha: *const T,
    a: *const T,
    lda: *const i64,
    b: *const T,
    ldb: *const i64,
    beta: *const T,
    c: *mut T,
    ldc: *const i64,
) {
    GEMM.fetch_add(1, Relaxed);
    // SAFETY: the arguments are those of BLAS.
    unsafe {
        let (m, n, k, lda, ldb, ldc) = (*m, *n, *k, *lda, *ldb, *ldc);
        assert!(m > 0 && n > 0 && k > 0);
        assert!(lda >= if *transa == b'N' { m } else { k });
        assert!(ldb >= if *transb == b'N' { k } else { n });
        assert!(ldc >= m);
        let element = |trans: u8, x: *const T, ld: i64, i: i64, j: i64| match trans {
            b'N' => *x.offset((i + j * ld) as isize),
            b'T' => *x.offset((j + i * ld) as isize),
            b'C' => (*x.offset((j + i * ld) as isize)).conj(),
            other => panic!("transposition {other}"),
        };
        for (i, j) in pairs(m as usize, n as usize) {
            let (i, j) = (i as i64, j as i64);
            let sum: T = (0..k).map(|l| element(*transa, a, lda, i, l) * element(*transb, b, ldb, l, j)).sum();
            let c = &mut *c.offset((i + j * ldc) as isize);
            *c = if *beta == T::ZERO { *alpha * sum } else { *alpha * sum + *beta * *c };
        }
    }
}

/// What the stand-ins write into an m×n matrix, so that each element shows where it came from.
fn pattern<T: Element>(i: usize, j: usize, which: usize) -> T {
    T::from_c64(Complex64::new((100 * which + 10 * i + j) as f64, -(which as f64)))
}

unsafe fn fill<T: Element>(a: *mut T, rows: i64, cols: i64, ld: i64, which: usize) {
    assert!(ld >= rows.max(1));
    for (i, j) in pairs(rows as usize, cols as usize) {
        // SAFETY: the matrix has these extents.
        unsafe { *a.add(i + j * ld as usize) = pattern(i, j, which) };
    }
}

/// A question for the workspace, or a call with what was asked for?
unsafe fn is_query<T: Element>(work: *mut T, lwork: i64) -> bool {
    // SAFETY: a workspace has at least one element, and `lwork` of them if that is not −1.
    unsafe {
        *work = T::from_c64((WORK as f64).into());
        if lwork != -1 {
            assert!((WORK..WORK + 2).contains(&lwork));
            from_raw_parts_mut(work, lwork as usize).fill(T::ONE);
        }
    }
    lwork == -1
}

/// Whether a job asks for vectors, by this letter, or for none.
fn wants(job: u8, letter: u8) -> bool {
    assert!(job == letter || job == b'N');
    job == letter
}

/// The common end of gesdd and gesvd: factors that tell who wrote them.
#[allow(clippy::too_many_arguments)] // LAPACK's own
unsafe fn write_svd<T: Element>(
    which: usize,
    vectors: bool,
    m: i64,
    n: i64,
    a: *mut T,
    lda: i64,
    s: *mut T::Real,
    u: *mut T,
    ldu: i64,
    vt: *mut T,
    ldvt: i64,
) {
    let k = m.min(n);
    // SAFETY: as LAPACK's arguments.
    unsafe {
        fill(a, m, n, lda, 9);
        if vectors {
            fill(u, m, k, ldu, which);
            fill(vt, k, n, ldvt, which + 1);
        }
        for (j, s) in from_raw_parts_mut(s, k as usize).iter_mut().enumerate() {
            *s = pattern::<T>(0, k as usize - j, 0).re();
        }
    }
}

macro_rules! stand_ins {
    ($gesdd:ident $gesvd:ident $syevd:ident, $t:ty, $real:ty $(, $rwork:ident $lrwork:ident)?) => {
        unsafe extern "C" fn $gesdd(
            jobz: *const u8, m: *const i64, n: *const i64, a: *mut $t, lda: *const i64, s: *mut $real, u: *mut $t,
            ldu: *const i64, vt: *mut $t, ldvt: *const i64, work: *mut $t, lwork: *const i64,
            $($rwork: *mut $real,)? iwork: *mut i64, info: *mut i64, length: usize,
        ) {
            GESDD.fetch_add(1, Relaxed);
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                let vectors = wants(*jobz, b'S');
                assert_eq!(length, 1);
                *info = GESDD_INFO.load(Relaxed) as i64;
                if is_query(work, *lwork) {
                    *info = 0;
                } else if *info == 0 {
                    let (mn, mx) = ((*m).min(*n) as usize, (*m).max(*n) as usize);
                    from_raw_parts_mut(iwork, 8 * mn).fill(1);
                    let real = if vectors { mn * (5 * mn + 5).max(2 * mx + 2 * mn + 1) } else { 7 * mn };
                    $(from_raw_parts_mut($rwork, real).fill(1.0);)?
                    let _ = real;
                    write_svd(1, vectors, *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
                }
            }
        }

        unsafe extern "C" fn $gesvd(
            jobu: *const u8, jobvt: *const u8, m: *const i64, n: *const i64, a: *mut $t, lda: *const i64,
            s: *mut $real, u: *mut $t, ldu: *const i64, vt: *mut $t, ldvt: *const i64, work: *mut $t,
            lwork: *const i64, $($rwork: *mut $real,)? info: *mut i64, length: usize, length_vt: usize,
        ) {
            GESVD.fetch_add(1, Relaxed);
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                let vectors = wants(*jobu, b'S');
                assert_eq!((*jobvt, length, length_vt), (*jobu, 1, 1));
                *info = GESVD_INFO.load(Relaxed) as i64;
                if is_query(work, *lwork) {
                    *info = 0;
                } else if *info == 0 {
                    $(from_raw_parts_mut($rwork, 5 * (*m).min(*n) as usize).fill(1.0);)?
                    write_svd(3, vectors, *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
                }
            }
        }

        unsafe extern "C" fn $syevd(
            jobz: *const u8, uplo: *const u8, n: *const i64, a: *mut $t, lda: *const i64, w: *mut $real,
            work: *mut $t, lwork: *const i64, $($rwork: *mut $real, $lrwork: *const i64,)? iwork: *mut i64,
            liwork: *const i64, info: *mut i64, length: usize, length_uplo: usize,
        ) {
            SYEVD.fetch_add(1, Relaxed);
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                wants(*jobz, b'V');
                assert_eq!((*uplo, length, length_uplo), (b'L', 1, 1));
                *info = 0;
                $(assert_eq!(is_query($rwork, *$lrwork), *lwork == -1);)?
                if is_query(work, *lwork) {
                    assert_eq!(*liwork, -1);
                    *iwork = WORK;
                } else {
                    assert_eq!(*liwork, WORK);
                    from_raw_parts_mut(iwork, WORK as usize).fill(1);
                    fill(a, *n, *n, *lda, 7);
                    for (j, w) in from_raw_parts_mut(w, *n as usize).iter_mut().enumerate() {
                        *w = pattern::<$t>(0, j, 0).re();
                    }
                }
            }
        }
    };
}

stand_ins!(mock_sgesdd mock_sgesvd mock_ssyevd, f32, f32);
stand_ins!(mock_dgesdd mock_dgesvd mock_dsyevd, f64, f64);
stand_ins!(mock_cgesdd mock_cgesvd mock_cheevd, Complex32, f32, rwork lrwork);
stand_ins!(mock_zgesdd mock_zgesvd mock_zheevd, Complex64, f64, rwork lrwork);

unsafe extern "C" fn mock_geqrf<T: Element>(
    m: *const i64,
    n: *const i64,
    a: *mut T,
    lda: *const i64,
    tau: *mut T,
    work: *mut T,
    lwork: *const i64,
    info: *mut i64,
) {
    GEQRF.fetch_add(1, Relaxed);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        *info = 0;
        if !is_query(work, *lwork) {
            fill(a, *m, *n, *lda, 5);
            from_raw_parts_mut(tau, (*m).min(*n) as usize).fill(pattern(1, 2, 3));
        }
    }
}

unsafe extern "C" fn mock_orgqr<T: Element>(
    m: *const i64,
    n: *const i64,
    k: *const i64,
    a: *mut T,
    lda: *const i64,
    tau: *const T,
    work: *mut T,
    lwork: *const i64,
    info: *mut i64,
) {
    ORGQR.fetch_add(1, Relaxed);
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        *info = 0;
        assert!(*m >= *n && *n >= *k);
        assert!(from_raw_parts(tau, *k as usize).iter().all(|&t| t == pattern(1, 2, 3)));
        if !is_query(work, *lwork) {
            assert!(pairs(*m as usize, *k as usize).all(|(i, j)| *a.add(i + j * *lda as usize) == pattern(i, j, 5)));
            fill(a, *m, *n, *lda, 6);
        }
    }
}

/// Products of all layouts, of which BLAS can compute some.
fn check_gemm<T: Element>() {
    let (mut lent, mut own) = (0, 0);
    let rng = &mut Rng(77);
    for layouts in 0..LAYOUTS * LAYOUTS * OUTPUT_LAYOUTS {
        let layouts = (layouts % LAYOUTS, layouts / LAYOUTS % LAYOUTS, layouts / LAYOUTS / LAYOUTS);
        for conj in [(false, false), (true, false), (false, true), (true, true)] {
            let index = |x: f64| ((x + 1.0) * 2.5) as usize;
            let (m, n, k) = (index(rng.next()), index(rng.next()), index(rng.next()));
            let (a, b) = (Owned::<T>::random(m, k, layouts.0, rng), Owned::<T>::random(k, n, layouts.1, rng));
            let beta = if rng.next() < 0.0 { T::ZERO } else { T::from_c64(Complex64::new(0.5, 0.5)) };
            let before = match beta == T::ZERO {
                true => Owned::new(m, n, layouts.2, poison()),
                false => Owned::random(m, n, layouts.2, rng),
            };
            let (alpha, mut c) = (T::from_c64(Complex64::new(-1.0, 0.5)), before.clone());
            let calls = GEMM.load(Relaxed);
            gemm(alpha, a.view(), conj.0, b.view(), conj.1, beta, c.view_mut(), Threads::ONE).unwrap();
            match GEMM.load(Relaxed) - calls {
                0 => own += 1,
                calls => lent += calls,
            }
            for (i, j) in pairs(m, n) {
                let old = if beta == T::ZERO { Complex64::ZERO } else { beta.to_c64() * before.at(i, j).to_c64() };
                let sum: Complex64 = (0..k).map(|l| op(a.at(i, l), conj.0) * op(b.at(l, j), conj.1)).sum();
                let error = (c.at(i, j).to_c64() - old - alpha.to_c64() * sum).norm();
                // At most 4 products and one old element, none of which is larger than 3.
                assert!(error <= 60.0 * eps::<T>(), "{} {layouts:?} {conj:?}: {error}", T::DTYPE);
            }
            assert!(c.gaps_untouched());
        }
    }
    assert!(lent > 200 && own > 200, "{}: {lent} by BLAS, {own} not", T::DTYPE);
}

/// What BLAS can express goes there, and is called once.
fn check_gemm_goes_to_blas<T: Element>() {
    let goes = |layouts: [usize; 3], conj: (bool, bool)| {
        let rng = &mut Rng(5);
        let (a, b) = (Owned::<T>::random(5, 4, layouts[0], rng), Owned::<T>::random(4, 3, layouts[1], rng));
        let mut c = Owned::new(5, 3, layouts[2], T::ZERO);
        let calls = GEMM.load(Relaxed);
        gemm(T::ONE, a.view(), conj.0, b.view(), conj.1, T::ZERO, c.view_mut(), Threads::ONE).unwrap();
        GEMM.load(Relaxed) - calls == 1
    };
    let complex = T::DTYPE.is_complex();
    // Column-major, row-major, and both with gaps.
    for layouts in (0..64).map(|l| [l % 4, l / 4 % 4, l / 16]) {
        assert!(goes(layouts, (false, false)));
        // A conjugated operand must lie across C, as A does in C = Aᴴ·B.
        let across = |operand: usize| operand % 2 != layouts[2] % 2;
        assert_eq!(goes(layouts, (true, false)), !complex || across(layouts[0]));
        assert_eq!(goes(layouts, (false, true)), !complex || across(layouts[1]));
    }
    for strange in 4..LAYOUTS {
        assert!(!goes([strange, 0, 0], (false, false)) && !goes([0, strange, 1], (false, false)));
        assert!(strange >= OUTPUT_LAYOUTS || !goes([0, 0, strange], (false, false)));
    }
    set_provider(Provider::Own);
    assert!(!goes([0, 0, 0], (false, false)));
    set_provider(Provider::Lent);
    assert!(goes([0, 0, 0], (false, false)));
}

/// Calls of (gesdd, gesvd, geqrf, orgqr, syevd) since the last time.
fn calls() -> [usize; 5] {
    [&GESDD, &GESVD, &GEQRF, &ORGQR, &SYEVD].map(|counter| counter.swap(0, Relaxed))
}

fn check_lapack<T: Element>() {
    // Between 2 and 4, so that results come back multiplied by 2.
    let two = <T::Real as Scalar>::ONE + <T::Real as Scalar>::ONE;
    for (m, n) in [(4, 2), (2, 4), (3, 3), (1, 1)] {
        let k = m.min(n);
        let a = Owned::<T>::new(m, n, 7, T::from_real(two));
        // What is written for U and for Vᴴ; a wide matrix is decomposed as its adjoint.
        let is_written = |svd: &Svd<'_, T>, which: usize| {
            let (u, vh) = (|i, j| svd.u.col(j)[i], |i, j| svd.vh.col(j)[i]);
            let (left, right) = (pattern::<T>, |i, j, which| pattern::<T>(j, i, which).conj());
            match m < n {
                true => {
                    pairs(m, k).all(|(i, j)| u(i, j) == right(i, j, which + 1))
                        && pairs(k, n).all(|(i, j)| vh(i, j) == right(i, j, which))
                }
                false => {
                    pairs(m, k).all(|(i, j)| u(i, j) == left(i, j, which))
                        && pairs(k, n).all(|(i, j)| vh(i, j) == left(i, j, which + 1))
                }
            }
        };
        calls();
        let written = svd(a.view(), false, with()).unwrap();
        assert_eq!(calls(), [2, 0, 0, 0, 0]);
        assert!(is_written(&written, 1));
        assert!((0..k).all(|j| written.s[j] == two * pattern::<T>(0, k - j, 0).re()));

        let values = |calls_made: [usize; 5]| {
            let s = svd_values(a.view(), false, with()).unwrap();
            assert_eq!(calls(), calls_made);
            assert!((0..k).all(|j| s[j] == two * pattern::<T>(0, k - j, 0).re()));
        };
        values([2, 0, 0, 0, 0]);
        GESDD_INFO.store(1, Relaxed);
        values([2, 2, 0, 0, 0]);
        let written = svd(a.view(), false, with()).unwrap();
        assert_eq!(calls(), [2, 2, 0, 0, 0]);
        assert!(is_written(&written, 3));

        GESVD_INFO.store(1, Relaxed);
        let own = svd(a.view(), false, with()).unwrap();
        assert_eq!(calls(), [2, 2, 0, 0, 0]);
        let exact = 2.0 * ((m * n) as f64).sqrt();
        assert!((own.s[0].to_c64().re - exact).abs() <= 8.0 * eps::<T>() * exact);
        GESDD_INFO.store(0, Relaxed);
        GESVD_INFO.store(0, Relaxed);

        let written = qr(a.view(), false, with()).unwrap();
        assert_eq!(calls(), [0, 0, 2, 2, 0]);
        assert!(pairs(m, k).all(|(i, j)| written.q.col(j)[i] == pattern(i, j, 6)));
        let upper = |i, j| if i <= j { pattern::<T>(i, j, 5).scale(two) } else { T::ZERO };
        assert!(pairs(k, n).all(|(i, j)| written.r.col(j)[i] == upper(i, j)));
    }
    // The whole of Q; the stand-in checks that it is given the reflections.
    let written = qr_full(Owned::<T>::new(4, 2, 7, T::from_real(two)).view(), false, with()).unwrap();
    assert_eq!((calls(), written.q.cols()), ([0, 0, 2, 2, 0], 4));
    assert!(pairs(4, 4).all(|(i, j)| written.q.col(j)[i] == pattern(i, j, 6)));
    let a = Owned::<T>::new(3, 3, 1, T::from_real(two));
    let alone = eigh_values(a.view(), true, with()).unwrap();
    assert_eq!(calls(), [0, 0, 0, 0, 2]);
    assert!((0..3).all(|j| alone[j] == two * pattern::<T>(0, j, 0).re()));
    let written = eigh(a.view(), true, with()).unwrap();
    assert_eq!(calls(), [0, 0, 0, 0, 2]);
    assert!(pairs(3, 3).all(|(i, j)| written.v.col(j)[i] == pattern(i, j, 7)));
    assert!((0..3).all(|j| written.w[j] == two * pattern::<T>(0, j, 0).re()));

    // Neither with the other provider, nor for an empty matrix.
    set_provider(Provider::Own);
    assert!(
        svd(a.view(), false, with()).is_ok()
            && qr(a.view(), false, with()).is_ok()
            && eigh(a.view(), false, with()).is_ok()
    );
    set_provider(Provider::Lent);
    let empty = MatRef::<T>::from_slice(&[], 0, 3, 1, 1).unwrap();
    assert!(svd(empty, false, with()).is_ok() && qr(empty, false, with()).is_ok());
    assert_eq!(calls(), [0; 5]);
}

fn lend(routine: &str, function: *const c_void) {
    let lend = if routine.ends_with("gemm") { lend_blas } else { lend_lapack };
    assert!(!is_lent(routine));
    // SAFETY: a null pointer is refused.
    unsafe { assert_eq!(lend(routine, std::ptr::null()), Err(Error::NullPointer)) };
    assert!(!is_lent(routine));
    // SAFETY: the function has the signature of the routine.
    unsafe { assert_eq!(lend(routine, function), Ok(())) };
    assert!(is_lent(routine));
    // The first one stays, so that this address, which is no function, is never called.
    // SAFETY: see above.
    unsafe { assert_eq!(lend(routine, [0u64; 1].as_ptr().cast()), Ok(())) };
}

#[test]
fn lent_routines_compute() {
    assert_eq!(provider(), Provider::Auto);
    check_not_lent();
    set_provider(Provider::Lent);
    macro_rules! lend_all {
        ($($routine:literal $function:expr;)*) => { $(lend($routine, $function as *const c_void);)* };
    }
    lend_all! {
        "sgemm" mock_gemm::<f32>; "dgemm" mock_gemm::<f64>;
        "cgemm" mock_gemm::<Complex32>; "zgemm" mock_gemm::<Complex64>;
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check_gemm_goes_to_blas::<T>());
        with_scalar!(dtype, T => check_gemm::<T>());
    }
    lend_all! {
        "sgesdd" mock_sgesdd; "dgesdd" mock_dgesdd; "cgesdd" mock_cgesdd; "zgesdd" mock_zgesdd;
        "sgesvd" mock_sgesvd; "dgesvd" mock_dgesvd; "cgesvd" mock_cgesvd; "zgesvd" mock_zgesvd;
        "ssyevd" mock_ssyevd; "dsyevd" mock_dsyevd; "cheevd" mock_cheevd; "zheevd" mock_zheevd;
        "sgeqrf" mock_geqrf::<f32>; "dgeqrf" mock_geqrf::<f64>;
        "cgeqrf" mock_geqrf::<Complex32>; "zgeqrf" mock_geqrf::<Complex64>;
    }
    // One half of a QR is no QR.
    let a = Owned::<f64>::random(3, 2, 0, &mut Rng(1));
    qr(a.view(), false, with()).unwrap();
    assert_eq!(calls(), [0; 5]);
    lend_all! {
        "sorgqr" mock_orgqr::<f32>; "dorgqr" mock_orgqr::<f64>;
        "cungqr" mock_orgqr::<Complex32>; "zungqr" mock_orgqr::<Complex64>;
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check_lapack::<T>());
    }
}

/// Without anything lent, everything works, and names that are none are refused.
fn check_not_lent() {
    let a = Owned::<f64>::random(3, 3, 0, &mut Rng(1));
    let mut c = Owned::new(3, 3, 0, 0.0);
    gemm(1.0, a.view(), false, a.view(), false, 0.0, c.view_mut(), Threads::ONE).unwrap();
    assert!(
        svd(c.view(), false, with()).is_ok()
            && qr(c.view(), false, with()).is_ok()
            && eigh(c.view(), false, with()).is_ok()
    );
    for name in ["", "gemm", "DGEMM", "dgemm_64_", "dgesdd", "zorgqr"] {
        assert!(!is_lent(name));
        // SAFETY: nothing calls what is refused.
        unsafe { assert_eq!(lend_blas(name, [0u64; 1].as_ptr().cast()), Err(Error::UnknownRoutine)) };
    }
    for name in ["", "gesdd", "dgemm", "dungqr", "dheevd", "zorgqr", "dgesdd "] {
        // SAFETY: as above.
        unsafe { assert_eq!(lend_lapack(name, [0u64; 1].as_ptr().cast()), Err(Error::UnknownRoutine)) };
    }
}
