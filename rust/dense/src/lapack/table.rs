//! Which LAPACK routines were lent: one slot for each, set once in the life of the process.

use std::ffi::c_void;
use std::ptr::{null_mut, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::Error;

/// The address of one routine.
pub(super) struct Slot {
    name: &'static str,
    function: AtomicPtr<c_void>,
}

impl Slot {
    const fn new(name: &'static str) -> Self {
        Self { name, function: AtomicPtr::new(null_mut()) }
    }

    /// The routine, if it was lent.
    pub(super) fn get(&self) -> Option<NonNull<c_void>> {
        NonNull::new(self.function.load(Ordering::Acquire))
    }
}

/// The routines for one element type, by their names without the type's letter. The complex types call `orgqr` ungqr,
/// `syevd` heevd, and `syevr` heevr.
pub(super) struct Routines {
    pub(super) gesdd: Slot,
    pub(super) gesvd: Slot,
    pub(super) geqrf: Slot,
    pub(super) orgqr: Slot,
    pub(super) syevd: Slot,
    pub(super) syevr: Slot,
    pub(super) getrf: Slot,
    pub(super) getri: Slot,
    pub(super) potrf: Slot,
    pub(super) trtrs: Slot,
    pub(super) geev: Slot,
    pub(super) gees: Slot,
}

macro_rules! routines {
    ($($table:ident: $gesdd:literal $gesvd:literal $geqrf:literal $orgqr:literal $syevd:literal $syevr:literal
      $getrf:literal $getri:literal $potrf:literal $trtrs:literal $geev:literal $gees:literal;)*) => {
        $(pub(super) static $table: Routines = Routines {
            gesdd: Slot::new($gesdd),
            gesvd: Slot::new($gesvd),
            geqrf: Slot::new($geqrf),
            orgqr: Slot::new($orgqr),
            syevd: Slot::new($syevd),
            syevr: Slot::new($syevr),
            getrf: Slot::new($getrf),
            getri: Slot::new($getri),
            potrf: Slot::new($potrf),
            trtrs: Slot::new($trtrs),
            geev: Slot::new($geev),
            gees: Slot::new($gees),
        };)*

        fn find(name: &str) -> Option<&'static Slot> {
            let slots = [$(
                &$table.gesdd, &$table.gesvd, &$table.geqrf, &$table.orgqr, &$table.syevd, &$table.syevr, &$table.getrf,
                &$table.getri, &$table.potrf, &$table.trtrs, &$table.geev, &$table.gees
            ),*];
            slots.into_iter().find(|slot| slot.name == name)
        }
    };
}

routines! {
    S: "sgesdd" "sgesvd" "sgeqrf" "sorgqr" "ssyevd" "ssyevr" "sgetrf" "sgetri" "spotrf" "strtrs" "sgeev" "sgees";
    D: "dgesdd" "dgesvd" "dgeqrf" "dorgqr" "dsyevd" "dsyevr" "dgetrf" "dgetri" "dpotrf" "dtrtrs" "dgeev" "dgees";
    C: "cgesdd" "cgesvd" "cgeqrf" "cungqr" "cheevd" "cheevr" "cgetrf" "cgetri" "cpotrf" "ctrtrs" "cgeev" "cgees";
    Z: "zgesdd" "zgesvd" "zgeqrf" "zungqr" "zheevd" "zheevr" "zgetrf" "zgetri" "zpotrf" "ztrtrs" "zgeev" "zgees";
}

/// # Safety
/// As for [`crate::lend_lapack`].
pub(crate) unsafe fn lend(name: &str, function: *const c_void) -> Result<(), Error> {
    let slot = find(name).ok_or(Error::UnknownRoutine)?;
    if function.is_null() {
        return Err(Error::NullPointer);
    }
    // The first one stays: whoever took its address before must not see another.
    let _ = slot.function.compare_exchange(null_mut(), function.cast_mut(), Ordering::AcqRel, Ordering::Acquire);
    Ok(())
}

pub(crate) fn is_lent(name: &str) -> bool {
    find(name).is_some_and(|slot| slot.get().is_some())
}
