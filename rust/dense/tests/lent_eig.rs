//! The lent geev and gees are those that compute, get valid arguments, and are not trusted with what is no result.
//! One test in a process of its own, since what was lent stays lent.
#![allow(unsafe_code)] // foreign functions, and those who stand in for them

use std::ffi::c_void;
use std::slice::from_raw_parts_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tensoroxide_dense::{
    eig, eig_values, lend_lapack, schur, schur_values, Element, Error, MatRef, Provider, Resources, Workspace,
};
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Scalar};

/// Calls of geev and gees, without questions for the workspace.
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// What the routines do: 0 what they should, for a diagonal matrix and with vectors of −1; 1 fail to converge; 2
/// refuse an argument; 3 return NaN; 4 return vectors that are none.
static MODE: AtomicUsize = AtomicUsize::new(0);

fn calls() -> [usize; 2] {
    [0, 1].map(|i| CALLS[i].swap(0, Relaxed))
}

fn real<T: Scalar>(x: f64) -> T {
    T::from_c64(x.into())
}

/// The common part of both: values, vectors, info. `a` is not what it was, as LAPACK does.
#[allow(clippy::too_many_arguments)] // most of LAPACK's own
unsafe fn answer<T: Element>(
    which: usize,
    job: u8,
    n: i64,
    a: *mut T,
    w: *mut T,
    v: *mut T,
    work: *mut T,
    lwork: i64,
) -> i64 {
    assert!(job == b'V' || job == b'N');
    // SAFETY: the arguments are those of LAPACK.
    unsafe {
        let n = n as usize;
        *work = real(11.0);
        if lwork == -1 {
            return 0;
        }
        assert!(lwork == 11 || lwork == 12); // rounded up
        from_raw_parts_mut(work, lwork as usize).fill(T::ONE);
        CALLS[which].fetch_add(1, Relaxed);
        let (a, w) = (from_raw_parts_mut(a, n * n), from_raw_parts_mut(w, n));
        (0..n).for_each(|j| w[j] = a[j + j * n]);
        let mode = MODE.load(Relaxed);
        if job == b'V' {
            let v = from_raw_parts_mut(v, n * n);
            (0..n).for_each(|j| v[j + j * n] = real(-1.0));
            if mode == 4 {
                v[1] = T::ONE;
            }
        }
        if mode == 3 {
            w[n - 1] = real(f64::NAN);
        }
        [0, n as i64, -3, 0, 0][mode]
    }
}

macro_rules! stand_ins {
    ($geev:ident, $gees:ident, $t:ty, $real:ty, [$($im:ident)?], [$($rwork:ident)?]) => {
        unsafe extern "C" fn $geev(
            jobvl: *const u8, jobvr: *const u8, n: *const i64, a: *mut $t, lda: *const i64, w: *mut $t,
            $($im: *mut $t,)? _vl: *mut $t, ldvl: *const i64, vr: *mut $t, ldvr: *const i64, work: *mut $t,
            lwork: *const i64, $($rwork: *mut $real,)? info: *mut i64, left: usize, right: usize,
        ) {
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                assert_eq!((*jobvl, left, right), (b'N', 1, 1));
                assert!(*n > 0 && *lda == *n && *ldvl >= 1 && *ldvr >= *n);
                $(from_raw_parts_mut($im, *n as usize).fill(0.0);)?
                $(from_raw_parts_mut($rwork, 2 * *n as usize).fill(1.0);)?
                *info = answer(0, *jobvr, *n, a, w, vr, work, *lwork);
                if *lwork != -1 {
                    from_raw_parts_mut(a, (*n * *n) as usize).fill(real(f64::NAN));
                }
            }
        }

        unsafe extern "C" fn $gees(
            jobvs: *const u8, sort: *const u8, select: Option<extern "C" fn() -> i64>, n: *const i64, a: *mut $t,
            lda: *const i64, sdim: *mut i64, w: *mut $t, $($im: *mut $t,)? vs: *mut $t, ldvs: *const i64, work: *mut $t,
            lwork: *const i64, $($rwork: *mut $real,)? bwork: *mut i64, info: *mut i64, left: usize, right: usize,
        ) {
            // SAFETY: the arguments are those of LAPACK.
            unsafe {
                assert_eq!((*sort, left, right), (b'N', 1, 1));
                assert!(select.is_none() && *n > 0 && *lda == *n && *ldvs >= *n);
                *sdim = 0;
                from_raw_parts_mut(bwork, *n as usize).fill(0);
                $(from_raw_parts_mut($im, *n as usize).fill(0.0);)?
                $(from_raw_parts_mut($rwork, *n as usize).fill(1.0);)?
                *info = answer(1, *jobvs, *n, a, w, vs, work, *lwork);
            }
        }
    };
}

stand_ins!(sgeev, sgees, f32, f32, [im], []);
stand_ins!(dgeev, dgees, f64, f64, [im], []);
stand_ins!(cgeev, cgees, Complex32, f32, [], [rwork]);
stand_ins!(zgeev, zgees, Complex64, f64, [], [rwork]);

fn check<T: Element>(workspace: &Workspace) {
    let n = 3;
    let mut a = [T::ZERO; 9];
    (0..n).for_each(|j| a[j + j * n] = real([4.0, -1.0, 2.0][j]));
    let a = MatRef::from_slice(&a, n, n, 1, n as isize).unwrap();
    let by = |provider| Resources { workspace, provider };
    // −1 on the diagonal says that the stand-ins have computed.
    let signs = |with| {
        let (eig, schur) = (eig(a, false, with).unwrap(), schur(a, false, with).unwrap());
        for (w, of_schur) in eig_values(a, false, with).unwrap().iter().zip(&schur_values(a, false, with).unwrap()[..])
        {
            assert!(eig.w.contains(w) && schur.w.contains(of_schur));
        }
        assert_eq!(schur.t.elements().iter().filter(|&&x| x != T::ZERO).count(), n);
        (eig.v.col(1).iter().map(|x| x.to_c64().re).sum::<f64>(), schur.z.col(1)[1].to_c64().re)
    };
    MODE.store(0, Relaxed);
    assert_eq!((signs(by(Provider::Lent)), calls()), ((-1.0, -1.0), [2, 2]));
    assert_eq!((signs(by(Provider::Own)), calls()), ((1.0, 1.0), [0, 0]));
    assert_eq!((signs(by(Provider::Auto)), calls()), ((1.0, 1.0), [0, 0]));
    for mode in [1, 2, 3] {
        MODE.store(mode, Relaxed);
        assert_eq!((signs(by(Provider::Lent)), calls()), ((1.0, 1.0), [2, 2]));
    }
    // Wrong vectors are found out; wrong Schur vectors are not looked for.
    MODE.store(4, Relaxed);
    assert_eq!(eig(a, false, by(Provider::Lent)).unwrap().v.col(1)[1].to_c64(), Complex64::ONE);
    assert_eq!(calls(), [1, 0]);
}

#[test]
fn lent_routines_compute_and_are_checked() {
    let lend = |name: &str, function: *const c_void| {
        // SAFETY: the stand-ins have the signatures of the routines of these names.
        assert_eq!(unsafe { lend_lapack(name, function) }, Ok(()));
    };
    // SAFETY: a name that nobody knows is refused.
    assert_eq!(unsafe { lend_lapack("dgeevx", sgeev as *const c_void) }, Err(Error::UnknownRoutine));
    lend("sgeev", sgeev as *const c_void);
    lend("dgeev", dgeev as *const c_void);
    lend("cgeev", cgeev as *const c_void);
    lend("zgeev", zgeev as *const c_void);
    lend("sgees", sgees as *const c_void);
    lend("dgees", dgees as *const c_void);
    lend("cgees", cgees as *const c_void);
    lend("zgees", zgees as *const c_void);
    let workspace = Workspace::default();
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>(&workspace));
    }
}
