//! The four element types, joined to the functions that are compiled for each.

use std::ops::Range;

use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use crate::own::{Ask, Double, Values};
use crate::scaling::Triangle;
use crate::workspace::Plain;
use crate::{blas, lapack, own, Eigh, Error, MatMut, MatRef, Matrix, Qr, Svd, Workspace};

/// An element type that this crate computes with: `f32`, `f64`, `Complex32`, `Complex64`.
pub trait Element: Kernels {}

impl<T: Kernels> Element for T {}

/// What a lent routine returns; `None` if it was not lent.
type Lent<T> = Option<Result<T, Error>>;

/// What each type has a compiled function for: those of the same or a similar name in [`blas`], [`lapack`] and [`own`].
/// Not nameable outside, so that [`Element`] is sealed.
#[allow(missing_docs)] // said above, for all of them
pub trait Kernels: Plain + Scalar<Real: Plain> {
    type Complex: Kernels<Real = Self::Real>;
    type Double: Kernels<Real = f64> + Double;
    fn lent_gemm<'c>(
        alpha: Self,
        a: MatRef<Self>,
        conj_a: bool,
        b: MatRef<Self>,
        conj_b: bool,
        beta: Self,
        c: MatMut<'c, Self>,
    ) -> Result<(), MatMut<'c, Self>>;
    fn own_gemm(alpha: Self, a: MatRef<Self>, conj_a: bool, b: MatRef<Self>, conj_b: bool, add: bool, c: MatMut<Self>);
    fn lent_gesdd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Svd<'w, Self>>;
    fn lent_gesvd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Svd<'w, Self>>;
    fn lent_qr<'w>(a: &Matrix<'_, Self>, columns: usize, workspace: &'w Workspace) -> Lent<Qr<'w, Self>>;
    fn lent_heevd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Eigh<'w, Self>>;
    fn lent_heevr<'w>(
        a: &Matrix<'_, Self>,
        vectors: bool,
        part: Range<usize>,
        workspace: &'w Workspace,
    ) -> Lent<Eigh<'w, Self>>;
    fn own_svd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Result<Svd<'w, Self>, Error>;
    fn own_qr<'w>(a: &Matrix<'_, Self>, columns: usize, workspace: &'w Workspace) -> Result<Qr<'w, Self>, Error>;
    fn own_eigh<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Result<Eigh<'w, Self>, Error>;
    fn lent_lu(a: &mut Matrix<'_, Self>, swaps: &mut [i64]) -> Option<()>;
    fn lent_inverse(a: &mut Matrix<'_, Self>, swaps: &[i64], workspace: &Workspace) -> Option<Result<(), Error>>;
    fn lent_cholesky(a: &mut Matrix<'_, Self>) -> Option<Result<(), usize>>;
    fn lent_triangular(a: &Matrix<'_, Self>, triangle: Triangle, b: &mut Matrix<'_, Self>) -> Option<()>;
    fn own_lu(a: &mut Matrix<'_, Self>, swaps: &mut [i64]);
    fn own_lu_complete(a: &mut Matrix<'_, Self>, row_swaps: &mut [i64], column_swaps: &mut [i64]);
    fn own_cholesky(a: &mut Matrix<'_, Self>) -> Result<(), usize>;
    fn own_triangular(a: &Matrix<'_, Self>, triangle: Triangle, b: &mut Matrix<'_, Self>);
    fn lent_geev<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Values<'w, Self::Double>>;
    fn lent_gees<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Values<'w, Self>>;
    fn own_nonsymmetric<'w>(
        a: Matrix<'w, Self::Double>,
        ask: Ask,
        balance: bool,
        workspace: &'w Workspace,
    ) -> Result<Values<'w, Self::Double>, Error>;
}

macro_rules! kernels {
    ($t:ty, $gemm:ident, $gesdd:ident, $gesvd:ident, $geqrf:ident, $syevd:ident, $syevr:ident, $getrf:ident, $getri:ident,
     $potrf:ident, $trtrs:ident, $geev:ident, $gees:ident, $complex:ty, $double:ty) => {
        impl Kernels for $t {
            type Complex = $complex;
            type Double = $double;
            fn lent_gemm<'c>(
                alpha: Self,
                a: MatRef<Self>,
                conj_a: bool,
                b: MatRef<Self>,
                conj_b: bool,
                beta: Self,
                c: MatMut<'c, Self>,
            ) -> Result<(), MatMut<'c, Self>> {
                blas::$gemm(alpha, a, conj_a, b, conj_b, beta, c)
            }
            fn own_gemm(
                alpha: Self,
                a: MatRef<Self>,
                conj_a: bool,
                b: MatRef<Self>,
                conj_b: bool,
                add: bool,
                c: MatMut<Self>,
            ) {
                own::gemm(alpha, a, conj_a, b, conj_b, add, c)
            }
            fn lent_gesdd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Svd<'w, Self>> {
                lapack::$gesdd(a, vectors, workspace)
            }
            fn lent_gesvd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Svd<'w, Self>> {
                lapack::$gesvd(a, vectors, workspace)
            }
            fn lent_qr<'w>(a: &Matrix<'_, Self>, columns: usize, workspace: &'w Workspace) -> Lent<Qr<'w, Self>> {
                lapack::$geqrf(a, columns, workspace)
            }
            fn lent_heevd<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Eigh<'w, Self>> {
                lapack::$syevd(a, vectors, workspace)
            }
            fn lent_heevr<'w>(
                a: &Matrix<'_, Self>,
                vectors: bool,
                part: Range<usize>,
                workspace: &'w Workspace,
            ) -> Lent<Eigh<'w, Self>> {
                lapack::$syevr(a, vectors, part, workspace)
            }
            fn lent_lu(a: &mut Matrix<'_, Self>, swaps: &mut [i64]) -> Option<()> {
                lapack::$getrf(a, swaps)
            }
            fn lent_inverse(
                a: &mut Matrix<'_, Self>,
                swaps: &[i64],
                workspace: &Workspace,
            ) -> Option<Result<(), Error>> {
                lapack::$getri(a, swaps, workspace)
            }
            fn lent_cholesky(a: &mut Matrix<'_, Self>) -> Option<Result<(), usize>> {
                lapack::$potrf(a)
            }
            fn lent_triangular(a: &Matrix<'_, Self>, triangle: Triangle, b: &mut Matrix<'_, Self>) -> Option<()> {
                lapack::$trtrs(a, triangle, b)
            }
            fn own_lu(a: &mut Matrix<'_, Self>, swaps: &mut [i64]) {
                own::lu(a, swaps)
            }
            fn own_lu_complete(a: &mut Matrix<'_, Self>, row_swaps: &mut [i64], column_swaps: &mut [i64]) {
                own::lu_complete(a, row_swaps, column_swaps)
            }
            fn own_cholesky(a: &mut Matrix<'_, Self>) -> Result<(), usize> {
                own::cholesky(a)
            }
            fn own_triangular(a: &Matrix<'_, Self>, triangle: Triangle, b: &mut Matrix<'_, Self>) {
                own::solve(a, triangle, b)
            }
            fn own_svd<'w>(
                a: &Matrix<'_, Self>,
                vectors: bool,
                workspace: &'w Workspace,
            ) -> Result<Svd<'w, Self>, Error> {
                own::svd(a.as_ref(), vectors, workspace)
            }
            fn own_qr<'w>(
                a: &Matrix<'_, Self>,
                columns: usize,
                workspace: &'w Workspace,
            ) -> Result<Qr<'w, Self>, Error> {
                own::qr(a.as_ref(), columns, workspace)
            }
            fn own_eigh<'w>(
                a: &Matrix<'_, Self>,
                vectors: bool,
                workspace: &'w Workspace,
            ) -> Result<Eigh<'w, Self>, Error> {
                own::eigh(a.as_ref(), vectors, workspace)
            }
            fn lent_geev<'w>(
                a: &Matrix<'_, Self>,
                vectors: bool,
                workspace: &'w Workspace,
            ) -> Lent<Values<'w, $double>> {
                lapack::$geev(a, vectors, workspace)
            }
            fn lent_gees<'w>(a: &Matrix<'_, Self>, vectors: bool, workspace: &'w Workspace) -> Lent<Values<'w, Self>> {
                lapack::$gees(a, vectors, workspace)
            }
            fn own_nonsymmetric<'w>(
                a: Matrix<'w, $double>,
                ask: Ask,
                balance: bool,
                workspace: &'w Workspace,
            ) -> Result<Values<'w, $double>, Error> {
                own::nonsymmetric(a, ask, balance, workspace)
            }
        }
    };
}

kernels!(
    f32, sgemm, sgesdd, sgesvd, sgeqrf, ssyevd, ssyevr, sgetrf, sgetri, spotrf, strtrs, sgeev, sgees, Complex32, f64
);
kernels!(
    f64, dgemm, dgesdd, dgesvd, dgeqrf, dsyevd, dsyevr, dgetrf, dgetri, dpotrf, dtrtrs, dgeev, dgees, Complex64, f64
);
kernels!(
    Complex32, cgemm, cgesdd, cgesvd, cgeqrf, cheevd, cheevr, cgetrf, cgetri, cpotrf, ctrtrs, cgeev, cgees, Complex32,
    Complex64
);
kernels!(
    Complex64, zgemm, zgesdd, zgesvd, zgeqrf, zheevd, zheevr, zgetrf, zgetri, zpotrf, ztrtrs, zgeev, zgees, Complex64,
    Complex64
);
