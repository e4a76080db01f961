//! The four element types, joined to the functions that are compiled for each.

use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use crate::{blas, own, MatMut, MatRef};

/// An element type that this crate computes with: `f32`, `f64`, `Complex32`, `Complex64`.
pub trait Element: Kernels {}

impl<T: Kernels> Element for T {}

/// What each type has a compiled function for. Not nameable outside, so that [`Element`] is sealed.
pub trait Kernels: Scalar {
    /// The product by the lent BLAS; gives C back if it cannot.
    fn lent_gemm<'c>(
        alpha: Self,
        a: MatRef<Self>,
        conj_a: bool,
        b: MatRef<Self>,
        conj_b: bool,
        beta: Self,
        c: MatMut<'c, Self>,
    ) -> Result<(), MatMut<'c, Self>>;

    /// C = alpha·op(A)·op(B), added to C or in place of it, by faer on this thread. All extents are at least 1.
    fn own_gemm(alpha: Self, a: MatRef<Self>, conj_a: bool, b: MatRef<Self>, conj_b: bool, add: bool, c: MatMut<Self>);
}

macro_rules! kernels {
    ($t:ty, $gemm:ident) => {
        impl Kernels for $t {
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
        }
    };
}

kernels!(f32, sgemm);
kernels!(f64, dgemm);
kernels!(Complex32, cgemm);
kernels!(Complex64, zgemm);
