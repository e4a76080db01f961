//! The operations of linear algebra that have derivatives: their operands, and what is supported.

use smallvec::SmallVec;
use tensoroxide_linalg::{Function, Norm, Triangle};
use tensoroxide_tensor::DType;

/// An operation of `tensoroxide-linalg`, with what its derivative has to know of its options.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)] // each is the function of the same name
pub enum Operation {
    SvdCompact,
    SvdFull,
    SvdVals,
    SvdTrunc,
    QrCompact,
    QrFull,
    QrNull,
    QrPivoted,
    LqCompact,
    LqFull,
    LqNull,
    LeftPolar,
    RightPolar,
    Lu,
    LuComplete,
    Cholesky,
    EighFull,
    EighVals,
    /// Of [`tensoroxide_linalg::eigh_trunc`] and [`tensoroxide_linalg::eigh_range`] both.
    EighTrunc,
    EigFull,
    EigVals,
    SchurFull,
    SchurVals,
    Solve,
    SolveTriangular(Triangle),
    Lstsq,
    Inv,
    Pinv,
    Det,
    LogAbsDet,
    Expm,
    HermitianFunction(Function),
    Norm(Norm),
}

/// Which derivatives of an operation there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// [`crate::jvp`].
    pub jvp: bool,
    /// [`crate::vjp`].
    pub vjp: bool,
    /// [`crate::hvp`].
    pub second: bool,
}

/// What the elements of an operand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Those of the operation's type.
    Element,
    /// Real ones of the same precision.
    Real,
    /// Complex ones of the same precision.
    Complex,
    /// Positions, counted from 0. They have no derivative.
    Index,
}

/// What an operand holds for one problem of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A matrix.
    Matrix,
    /// A vector.
    Vector,
    /// A number.
    Number,
    /// Right-hand sides: a matrix, or a vector, as the other operand of this kind.
    Columns,
}

/// An operand of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: &'static str,
    /// What its elements are.
    pub class: Class,
    /// What it holds.
    pub extent: Extent,
}

const fn matrix(name: &'static str) -> Slot {
    Slot { name, class: Class::Element, extent: Extent::Matrix }
}

const fn columns(name: &'static str) -> Slot {
    Slot { name, class: Class::Element, extent: Extent::Columns }
}

const fn reals(name: &'static str) -> Slot {
    Slot { name, class: Class::Real, extent: Extent::Vector }
}

const fn number(name: &'static str, class: Class) -> Slot {
    Slot { name, class, extent: Extent::Number }
}

const fn places(name: &'static str) -> Slot {
    Slot { name, class: Class::Index, extent: Extent::Vector }
}

const A: Slot = matrix("A");
const B: Slot = columns("B");
const U: Slot = matrix("U");
const S: Slot = reals("S");
const VH: Slot = matrix("Vᴴ");
const EPSILON: Slot = number("ϵ", Class::Real);
const Q: Slot = matrix("Q");
const R: Slot = matrix("R");
const N: Slot = matrix("N");
const P_INDEX: Slot = places("p");
const L: Slot = matrix("L");
const W: Slot = matrix("W");
const P: Slot = matrix("P");
const WH: Slot = matrix("Wᴴ");
const Q_INDEX: Slot = places("q");
const REAL_VALUES: Slot = reals("w");
const V: Slot = matrix("V");
const T: Slot = matrix("T");
const Z: Slot = matrix("Z");
const SOLUTION: Slot = columns("X");
const X: Slot = matrix("X");
const DET: Slot = number("det", Class::Element);
const LOG: Slot = number("log|det|", Class::Real);
const PHASE: Slot = number("phase", Class::Element);
const NORM: Slot = number("norm", Class::Real);
const COMPLEX_VALUES: Slot = Slot { name: "w", class: Class::Complex, extent: Extent::Vector };
const COMPLEX_V: Slot = Slot { name: "V", class: Class::Complex, extent: Extent::Matrix };

impl Operation {
    /// All operations; of those with a parameter, one.
    pub const ALL: [Operation; 33] = [
        Operation::SvdCompact,
        Operation::SvdFull,
        Operation::SvdVals,
        Operation::SvdTrunc,
        Operation::QrCompact,
        Operation::QrFull,
        Operation::QrNull,
        Operation::QrPivoted,
        Operation::LqCompact,
        Operation::LqFull,
        Operation::LqNull,
        Operation::LeftPolar,
        Operation::RightPolar,
        Operation::Lu,
        Operation::LuComplete,
        Operation::Cholesky,
        Operation::EighFull,
        Operation::EighVals,
        Operation::EighTrunc,
        Operation::EigFull,
        Operation::EigVals,
        Operation::SchurFull,
        Operation::SchurVals,
        Operation::Solve,
        Operation::SolveTriangular(Triangle { upper: false, unit_diagonal: false }),
        Operation::Lstsq,
        Operation::Inv,
        Operation::Pinv,
        Operation::Det,
        Operation::LogAbsDet,
        Operation::Expm,
        Operation::HermitianFunction(Function::Exp),
        Operation::Norm(Norm::Frobenius),
    ];

    /// The name of its function in `tensoroxide-linalg`.
    ///
    /// ```
    /// assert_eq!(tensoroxide_autodiff::Operation::QrNull.name(), "qr_null");
    /// ```
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::SvdCompact => "svd_compact",
            Operation::SvdFull => "svd_full",
            Operation::SvdVals => "svd_vals",
            Operation::SvdTrunc => "svd_trunc",
            Operation::QrCompact => "qr_compact",
            Operation::QrFull => "qr_full",
            Operation::QrNull => "qr_null",
            Operation::QrPivoted => "qr_pivoted",
            Operation::LqCompact => "lq_compact",
            Operation::LqFull => "lq_full",
            Operation::LqNull => "lq_null",
            Operation::LeftPolar => "left_polar",
            Operation::RightPolar => "right_polar",
            Operation::Lu => "lu",
            Operation::LuComplete => "lu_complete",
            Operation::Cholesky => "cholesky",
            Operation::EighFull => "eigh_full",
            Operation::EighVals => "eigh_vals",
            Operation::EighTrunc => "eigh_trunc",
            Operation::EigFull => "eig_full",
            Operation::EigVals => "eig_vals",
            Operation::SchurFull => "schur_full",
            Operation::SchurVals => "schur_vals",
            Operation::Solve => "solve",
            Operation::SolveTriangular(_) => "solve_triangular",
            Operation::Lstsq => "lstsq",
            Operation::Inv => "inv",
            Operation::Pinv => "pinv",
            Operation::Det => "det",
            Operation::LogAbsDet => "logabsdet",
            Operation::Expm => "expm",
            Operation::HermitianFunction(_) => "hermitian_function",
            Operation::Norm(_) => "norm",
        }
    }

    /// Which of its derivatives there are for matrices of a type.
    ///
    /// ```
    /// use tensoroxide_autodiff::Operation;
    /// use tensoroxide_tensor::DType;
    /// let support = Operation::QrCompact.support(DType::C64);
    /// assert!(support.jvp && support.vjp && support.second);
    /// ```
    pub const fn support(&self, _: DType) -> Support {
        Support { jvp: true, vjp: true, second: true }
    }

    /// The operands that it reads.
    pub const fn inputs(&self) -> &'static [Slot] {
        match self {
            Operation::Solve | Operation::SolveTriangular(_) | Operation::Lstsq => &[A, B],
            _ => &[A],
        }
    }

    /// The operands that it makes, in the order of its arguments. The ranks of a [`tensoroxide_linalg::qr_pivoted`] and
    /// a [`tensoroxide_linalg::lstsq`] are not among them.
    pub const fn outputs(&self) -> &'static [Slot] {
        match self {
            Operation::SvdCompact | Operation::SvdFull => &[U, S, VH],
            Operation::SvdTrunc => &[U, S, VH, EPSILON],
            Operation::SvdVals => &[S],
            Operation::QrCompact | Operation::QrFull => &[Q, R],
            Operation::QrNull | Operation::LqNull => &[N],
            Operation::QrPivoted => &[Q, R, P_INDEX],
            Operation::LqCompact | Operation::LqFull => &[L, Q],
            Operation::LeftPolar => &[W, P],
            Operation::RightPolar => &[P, WH],
            Operation::Lu => &[L, U, P_INDEX],
            Operation::LuComplete => &[L, U, P_INDEX, Q_INDEX],
            Operation::Cholesky => &[L],
            Operation::EighFull => &[REAL_VALUES, V],
            Operation::EighTrunc => &[REAL_VALUES, V, EPSILON],
            Operation::EighVals => &[REAL_VALUES],
            Operation::EigFull => &[COMPLEX_VALUES, COMPLEX_V],
            Operation::EigVals | Operation::SchurVals => &[COMPLEX_VALUES],
            Operation::SchurFull => &[T, Z, COMPLEX_VALUES],
            Operation::Solve | Operation::SolveTriangular(_) | Operation::Lstsq => &[SOLUTION],
            Operation::Inv | Operation::Pinv | Operation::Expm | Operation::HermitianFunction(_) => &[X],
            Operation::Det => &[DET],
            Operation::LogAbsDet => &[LOG, PHASE],
            Operation::Norm(_) => &[NORM],
        }
    }

    /// Whether its rule reads that input: results often say all about it.
    pub(crate) const fn reads(&self, input: usize) -> bool {
        match self {
            Operation::QrCompact
            | Operation::QrFull
            | Operation::QrPivoted
            | Operation::LqCompact
            | Operation::LqFull
            | Operation::Lu
            | Operation::LuComplete
            | Operation::Cholesky
            | Operation::SvdCompact
            | Operation::SvdFull
            | Operation::EighFull
            | Operation::Inv => false,
            Operation::Solve | Operation::SolveTriangular(_) => input == 0,
            _ => true,
        }
    }

    /// Whether its rule computes with complex numbers for real input, too.
    pub(crate) const fn is_complex(&self) -> bool {
        matches!(self, Operation::EigFull | Operation::EigVals | Operation::SchurVals)
    }

    /// Rows and columns of each output, those of the inputs being given; vectors have one column, numbers one row, too.
    /// Of what truncates, `rank` values are kept. `None` if such inputs do not belong to it.
    pub(crate) fn extents(&self, x: &[(usize, usize)], rank: usize) -> Option<SmallVec<[(usize, usize); 4]>> {
        let (m, n) = x[0];
        let k = m.min(n);
        let square = m == n;
        let (fits, y): (bool, &[(usize, usize)]) = match *self {
            Operation::SvdCompact => (true, &[(m, k), (k, 1), (k, n)]),
            Operation::SvdFull => (true, &[(m, m), (k, 1), (n, n)]),
            Operation::SvdTrunc => (rank <= k, &[(m, rank), (rank, 1), (rank, n), (1, 1)]),
            Operation::SvdVals => (true, &[(k, 1)]),
            Operation::QrCompact => (true, &[(m, k), (k, n)]),
            Operation::QrFull => (true, &[(m, m), (m, n)]),
            Operation::QrNull => (true, &[(m, m - k)]),
            Operation::QrPivoted => (true, &[(m, k), (k, n), (n, 1)]),
            Operation::LqCompact => (true, &[(m, k), (k, n)]),
            Operation::LqFull => (true, &[(m, n), (n, n)]),
            Operation::LqNull => (true, &[(n - k, n)]),
            Operation::LeftPolar => (m >= n, &[(m, n), (n, n)]),
            Operation::RightPolar => (m <= n, &[(m, m), (m, n)]),
            Operation::Lu => (true, &[(m, k), (k, n), (m, 1)]),
            Operation::LuComplete => (true, &[(m, k), (k, n), (m, 1), (n, 1)]),
            Operation::Cholesky | Operation::Inv | Operation::Expm | Operation::HermitianFunction(_) => {
                (square, &[(m, m)])
            }
            Operation::EighFull | Operation::EigFull => (square, &[(m, 1), (m, m)]),
            Operation::EighTrunc => (square && rank <= m, &[(rank, 1), (m, rank), (1, 1)]),
            Operation::EighVals | Operation::EigVals | Operation::SchurVals => (square, &[(m, 1)]),
            Operation::SchurFull => (square, &[(m, m), (m, m), (m, 1)]),
            Operation::Solve | Operation::SolveTriangular(_) => (square && x[1].0 == m, &[x[1]]),
            Operation::Lstsq => (x[1].0 == m, &[(n, x[1].1)]),
            Operation::Pinv => (true, &[(n, m)]),
            Operation::Det => (square, &[(1, 1)]),
            Operation::LogAbsDet => (square, &[(1, 1), (1, 1)]),
            Operation::Norm(_) => (true, &[(1, 1)]),
        };
        fits.then(|| SmallVec::from_slice(y))
    }

    /// Do operands of these extents belong to it?
    pub(crate) fn fits(&self, x: &[(usize, usize)], y: &[(usize, usize)]) -> bool {
        let rank = match self {
            Operation::SvdTrunc => y[1].0,
            Operation::EighTrunc => y[0].0,
            _ => 0,
        };
        self.extents(x, rank).is_some_and(|expected| expected[..] == *y)
    }
}
