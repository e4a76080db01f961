//! The lent syevd and syevr (heevd, heevr) take over from each other, get valid arguments, and are not trusted with
//! what is no result. One test in a process of its own, since what was lent stays lent.
#![allow(unsafe_code)] // foreign functions, and those who stand in for them

use std::ffi::c_void;
use std::slice::from_raw_parts_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tensoroxide_dense::{
    eigh, eigh_part, eigh_values, lend_lapack, Eigh, Element, Error, MatRef, Provider, Resources, Workspace,
};
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Real, Scalar};

/// Calls of syevd and syevr, without questions for the workspace.
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// What each does: 0 what it should, for a multiple of the identity; 1 fail to converge. syevr moreover: 2 find too
/// few; 3 return NaN; 4 return vectors that are not orthogonal; 5 vectors and values that do not belong together.
static MODES: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

fn calls() -> [usize; 2] {
    [0, 1].map(|i| CALLS[i].swap(0, Relaxed))
}

fn set_modes(modes: [usize; 2]) {
    MODES.iter().zip(modes).for_each(|(mode, value)| mode.store(value, Relaxed));
}

fn real<T: Scalar>(x: f64) -> T {
    T::from_c64(x.into())
}

/// A question for the workspace, or a call with what was asked for?
unsafe fn is_query<T: Scalar>(work: *mut T, lwork: i64) -> bool {
    // SAFETY: a workspace has at least one element, and `lwork` of them if that is not −1.
    unsafe {
        *work = real(13.0);
        if lwork != -1 {
            assert!(lwork == 13 || lwork == 14); // rounded up
            from_raw_parts_mut(work, lwork as usize).fill(T::ONE);
        }
    }
    lwork == -1
}

macro_rules! stand_ins {
    ($syevd:ident, $syevr:ident, $t:ty, $real:ty $(, $rwork:ident $lrwork:ident)?) => {
        unsafe extern "C" fn $syevd(
            jobz: *const u8, uplo: *const u8, n: *const i64, a: *mut $t, lda: *const i64, w: *mut $real, work: *mut $t,
            lwork: *const i64, $($rwork: *mut $real, $lrwork: *const i64,)? iwork: *mut i64, liwork: *const i64,
            info: *mut i64, length: usize, length_uplo: usize,
        ) {
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                assert!(*jobz == b'V' || *jobz == b'N');
                assert_eq!((*uplo, *lda, length, length_uplo), (b'L', *n, 1, 1));
                *info = 0;
                $(assert_eq!(is_query($rwork, *$lrwork), *lwork == -1);)?
                if is_query(work, *lwork) {
                    assert_eq!(*liwork, -1);
                    *iwork = 17;
                    return;
                }
                assert_eq!(*liwork, 17);
                CALLS[0].fetch_add(1, Relaxed);
                *info = MODES[0].load(Relaxed) as i64;
                let n = *n as usize;
                from_raw_parts_mut(w, n).fill(1.0);
                let a = from_raw_parts_mut(a, n * n);
                a.fill(<$t>::ZERO);
                (0..n).for_each(|j| a[j + j * n] = <$t>::ONE);
            }
        }

        unsafe extern "C" fn $syevr(
            jobz: *const u8, range: *const u8, uplo: *const u8, n: *const i64, a: *mut $t, lda: *const i64,
            _vl: *const $real, _vu: *const $real, il: *const i64, iu: *const i64, abstol: *const $real, m: *mut i64,
            w: *mut $real, z: *mut $t, ldz: *const i64, isuppz: *mut i64, work: *mut $t, lwork: *const i64,
            $($rwork: *mut $real, $lrwork: *const i64,)? iwork: *mut i64, liwork: *const i64, info: *mut i64,
            length: usize, length_range: usize, length_uplo: usize,
        ) {
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                assert!(*jobz == b'V' || *jobz == b'N');
                assert_eq!((*uplo, *lda, *ldz, *abstol), (b'L', *n, *n, 0.0));
                assert_eq!([length, length_range, length_uplo], [1; 3]);
                let count = (*iu - *il + 1) as usize;
                match *range {
                    b'A' => assert_eq!((*il, *iu), (1, *n)),
                    other => assert!(other == b'I' && 1 <= *il && *il <= *iu && *iu <= *n),
                }
                *info = 0;
                $(assert_eq!(is_query($rwork, *$lrwork), *lwork == -1);)?
                if is_query(work, *lwork) {
                    assert_eq!(*liwork, -1);
                    *iwork = 19;
                    return;
                }
                assert_eq!(*liwork, 19);
                CALLS[1].fetch_add(1, Relaxed);
                let n = *n as usize;
                from_raw_parts_mut(isuppz, 2 * count).fill(1);
                from_raw_parts_mut(a, n * n).fill(real(f64::NAN));
                let w = from_raw_parts_mut(w, n);
                w.fill(<$real>::NAN);
                w[..count].fill(1.0);
                *m = count as i64;
                if *jobz == b'V' {
                    let z = from_raw_parts_mut(z, n * count);
                    z.fill(<$t>::ZERO);
                    (0..count).for_each(|l| z[n - 1 - l + l * n] = -<$t>::ONE);
                    match MODES[1].load(Relaxed) {
                        4 => z[n - 1] = real(1.01),
                        3 => z[0] = real(f64::NAN),
                        _ => {}
                    }
                }
                match MODES[1].load(Relaxed) {
                    1 => *info = 1,
                    2 => *m -= 1,
                    5 => w[0] = 1.01,
                    _ => {}
                }
            }
        }
    };
}

stand_ins!(ssyevd, ssyevr, f32, f32);
stand_ins!(dsyevd, dsyevr, f64, f64);
stand_ins!(cheevd, cheevr, Complex32, f32, rwork lrwork);
stand_ins!(zheevd, zheevr, Complex64, f64, rwork lrwork);

/// Whether all values are 2 and the columns of V unit vectors, those of `start`, `start` + 1, … or, if they are
/// syevr's, minus those from the last one on back.
fn is_right<T: Element>(eigh: &Eigh<'_, T>, by_syevr: bool, start: usize) -> bool {
    let n = eigh.v.rows();
    let (one, at): (T, &dyn Fn(usize) -> usize) = match by_syevr {
        true => (-T::ONE, &|l| n - 1 - l),
        false => (T::ONE, &|l| start + l),
    };
    let expected = |i, l| if i == at(l) { one } else { T::ZERO };
    eigh.w.iter().all(|w| w.to_f64() == 2.0)
        && eigh.w.len() == eigh.v.cols()
        && (0..eigh.v.cols()).all(|l| (0..n).all(|i| eigh.v.col(l)[i] == expected(i, l)))
}

fn check<T: Element>(workspace: &Workspace) {
    let n = 40;
    // Divided by 2 before anyone computes. Above the diagonal, anything.
    let mut a = vec![real::<T>(f64::NAN); n * n];
    (0..n).for_each(|j| a[j * n + j..(j + 1) * n].fill(T::ZERO));
    (0..n).for_each(|j| a[j + j * n] = real(2.0));
    let a = MatRef::from_slice(&a, n, n, 1, n as isize).unwrap();
    let by = |provider| Resources { workspace, provider };
    let lent = by(Provider::Lent);
    let part = |count: usize, with| eigh_part(a, false, 3..3 + count, with).unwrap();

    // A part that is small enough to pay.
    set_modes([0, 0]);
    for with in [lent, by(Provider::Auto)] {
        for count in [1, 5] {
            assert!(is_right(&part(count, with), true, 3));
            assert_eq!(calls(), [0, 1]);
        }
    }
    assert!(is_right(&part(6, lent), false, 3) && is_right(&part(0, lent), false, 3));
    assert_eq!(calls(), [2, 0]);
    assert!(is_right(&part(5, by(Provider::Own)), false, 3));
    assert_eq!(calls(), [0, 0]);
    for mode in 1..=5 {
        set_modes([0, mode]);
        assert!(is_right(&part(5, lent), false, 3), "{mode}");
        assert_eq!(calls(), [1, 1]);
    }
    assert_eq!(eigh_part(a, false, 39..41, lent).err(), Some(Error::OutOfBounds));

    // All, with and without vectors.
    set_modes([0, 0]);
    assert!(is_right(&eigh(a, true, lent).unwrap(), false, 0));
    assert_eq!(calls(), [1, 0]);
    set_modes([1, 0]);
    assert!(is_right(&eigh(a, true, lent).unwrap(), true, 0));
    assert!(eigh_values(a, true, lent).unwrap().iter().all(|w| w.to_f64() == 2.0));
    assert_eq!(calls(), [2, 2]);
    for mode in 1..=3 {
        set_modes([1, mode]);
        assert!(is_right(&eigh(a, true, lent).unwrap(), false, 0), "{mode}");
        assert_eq!(calls(), [1, 1]);
    }
}

#[test]
fn lent_drivers_take_over_from_each_other() {
    let lend = |name: &str, function: *const c_void| {
        // SAFETY: the stand-ins have the signatures of the routines of these names.
        assert_eq!(unsafe { lend_lapack(name, function) }, Ok(()));
    };
    // SAFETY: a name that nobody knows is refused.
    assert_eq!(unsafe { lend_lapack("dheevr", dsyevr as *const c_void) }, Err(Error::UnknownRoutine));
    lend("ssyevd", ssyevd as *const c_void);
    lend("dsyevd", dsyevd as *const c_void);
    lend("cheevd", cheevd as *const c_void);
    lend("zheevd", zheevd as *const c_void);
    lend("ssyevr", ssyevr as *const c_void);
    lend("dsyevr", dsyevr as *const c_void);
    lend("cheevr", cheevr as *const c_void);
    lend("zheevr", zheevr as *const c_void);
    let workspace = Workspace::default();
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>(&workspace));
    }
}
