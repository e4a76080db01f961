//! Functions of matrices: of Hermitian ones through their eigenvalues, and the exponential of any.
//!
//! The exponential is that of Al-Mohy and Higham (SIAM J. Matrix Anal. Appl. 31, 970 (2009)): a diagonal Padé
//! approximant of A/2^s, squared s times, with the least s for which the backward error, bounded through norms of
//! powers of A instead of powers of its norm, is below rounding. Norms of powers that the paper estimates are bounded
//! here by products of those at hand.

use tensoroxide_dense::{eigh, gemm, lu, Eigh, Element, Matrix, Resources};
use tensoroxide_tensor::{DType, Real, Scalar, Threads, View, ViewMut};

use crate::polar::write_hermitian;
use crate::stack::{each, Run, Stack, StackMut};
use crate::Error;

/// A function of a real number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The exponential.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root. Of an eigenvalue that is negative by no more than rounding, n·eps times the largest, it is 0.
    Sqrt,
    /// 1/x.
    Inverse,
    /// 1/√x.
    InverseSqrt,
}

impl Function {
    /// The value at `x`, where numbers from −`rounding` to 0 count as 0 for the square root.
    fn at(self, x: f64, rounding: f64) -> f64 {
        match self {
            Function::Exp => x.exp(),
            Function::Log => x.ln(),
            Function::Sqrt if -rounding <= x && x < 0.0 => 0.0,
            Function::Sqrt => x.sqrt(),
            Function::Inverse => 1.0 / x,
            Function::InverseSqrt => 1.0 / x.sqrt(),
        }
    }
}

/// f(A) = V·Diagonal(f(w))·Vᴴ for Hermitian A = V·Diagonal(w)·Vᴴ, where `conj_a` has the elements of A conjugated
/// first. A is read as by [`crate::eigh_full`]; f(A) is Hermitian to the last bit.
///
/// # Errors
/// As [`crate::eigh_full`], and [`Error::Function`].
///
/// ```
/// use tensoroxide_linalg::{hermitian_function, Function, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([5.0, 4.0, 4.0, 5.0], [0.0f64; 4]);
/// hermitian_function(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     Function::Sqrt,
///     ViewMut::new(&mut x, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!(x.iter().zip([2.0, 1.0, 1.0, 2.0]).all(|(x, y)| (x - y).abs() < 1e-14));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn hermitian_function<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    f: Function,
    x: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let x = StackMut::new(x, "f(A)", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 11.0 * (n * n * n) as f64, run, x, |i, x, with| {
        let mut eigh = eigh(a.at(i), conj_a, with)?;
        apply(&mut eigh, f)?;
        write_hermitian(&eigh.v, &eigh.w, x, with)
    })
}

/// Replaces the eigenvalues by the values of the function.
fn apply<T: Element>(eigh: &mut Eigh<'_, T>, f: Function) -> Result<(), Error> {
    let largest = eigh.w.iter().fold(0.0f64, |largest, w| largest.max(w.to_f64().abs()));
    let rounding = eigh.w.len() as f64 * T::Real::EPSILON.to_f64() * largest;
    for w in &mut eigh.w[..] {
        let (at, value) = (w.to_f64(), T::Real::from_f64(f.at(w.to_f64(), rounding)));
        if !value.is_finite() {
            return Err(Error::Function { at });
        }
        *w = value;
    }
    Ok(())
}

/// exp(A) for a square A, where `conj_a` has the elements of A conjugated first. Of a Hermitian A, by its eigenvalues,
/// Hermitian to the last bit.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`] (also if an element of exp(A) is too large for the type),
/// [`Error::Exhausted`], [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_linalg::{expm, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([0.0, 1.0, -1.0, 0.0], [0.0f64; 4]); // turns by one radian
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// expm(View::new(&a, &[2, 2], &[1, 2], 0)?, false, ViewMut::new(&mut x, &[2, 2], &[1, 2], 0)?, run)?;
/// let (cos, sin) = (1f64.cos(), 1f64.sin());
/// assert!(x.iter().zip([cos, sin, -sin, cos]).all(|(x, y)| (x - y).abs() < 1e-15));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn expm<T: Element>(a: View<'_, T>, conj_a: bool, x: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let x = StackMut::new(x, "exp(A)", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 30.0 * (n * n * n) as f64, run, x, |i, x, with| {
        let a = with.copy_of(a.at(i), conj_a)?;
        if !a.elements().iter().all(|x| x.is_finite()) {
            return Err(Error::NotFinite);
        }
        if (0..n).all(|j| (0..=j).all(|i| a.col(j)[i] == a.col(i)[j].conj())) {
            let mut eigh = eigh(a.as_ref(), false, with)?;
            return match apply(&mut eigh, Function::Exp) {
                Err(Error::Function { .. }) => Err(Error::NotFinite),
                result => result.and_then(|()| write_hermitian(&eigh.v, &eigh.w, x, with)),
            };
        }
        Ok(x.copy_from(exponential(a, with)?.as_ref())?)
    })
}

/// The degrees of the approximants, and how large a matrix may be for each: the largest θ for which the backward error
/// is at most the rounding unit (Table 2.3 and Section 2 of Higham, SIAM J. Matrix Anal. Appl. 26, 1179 (2005); for
/// degree 13 in double precision the smaller value of Algorithm 5.1 of Al-Mohy and Higham, for which the system is well
/// conditioned).
const DOUBLE: [(usize, f64); 5] = [
    (3, 1.495_585_217_958_292e-2),
    (5, 2.539_398_330_063_23e-1),
    (7, 9.504_178_996_162_932e-1),
    (9, 2.097_847_961_257_068),
    (13, 4.25),
];
const SINGLE: [(usize, f64); 3] =
    [(3, 4.258_730_016_922_831e-1), (5, 1.880_152_677_804_762), (7, 3.925_724_783_138_66)];

/// Scaling and squaring for a matrix that is finite.
fn exponential<'w, T: Element>(mut a: Matrix<'w, T>, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
    let single = matches!(T::DTYPE, DType::F32 | DType::C32);
    let orders: &[(usize, f64)] = if single { &SINGLE } else { &DOUBLE };
    let a2 = product(&a, &a, with)?;
    let d2 = one_norm(&a2).powf(1.0 / 2.0);
    let mut powers = vec![a2];
    for &(m, theta) in &orders[..orders.len() - 1] {
        // η: an upper bound of the larger of the roots of ‖A^2k‖ that the theorem asks for, for this degree.
        let eta = match m {
            3 => d2,
            _ => {
                while powers.len() < 3.min((m - 1) / 2) {
                    powers.push(product(&powers[0], &powers[powers.len() - 1], with)?);
                }
                even_roots(&powers).0
            }
        };
        if eta <= theta && extra(&a, m) == 0 {
            if m == 9 {
                powers.push(product(&powers[1], &powers[1], with)?);
            }
            return approximant(&a, &powers, m, with);
        }
    }
    let (m, theta) = orders[orders.len() - 1];
    while powers.len() < 3 {
        powers.push(product(&powers[0], &powers[powers.len() - 1], with)?);
    }
    let (eta, other) = even_roots(&powers);
    let eta = if m == 13 { eta.min(other) } else { eta };
    if !eta.is_finite() {
        return Err(Error::NotFinite);
    }
    let scale = |a: &mut Matrix<'_, T>, s: i32| {
        let factor = T::Real::exp2i(-s);
        a.elements_mut().iter_mut().for_each(|x| *x = x.scale(factor));
    };
    let mut squarings = ((eta / theta).log2().ceil().max(0.0)) as i32;
    scale(&mut a, squarings);
    let more = extra(&a, m);
    scale(&mut a, more);
    squarings += more;
    powers.iter_mut().zip([2, 4, 6]).for_each(|(power, exponent)| scale(power, exponent * squarings));
    let mut x = approximant(&a, &powers, m, with)?;
    for _ in 0..squarings {
        x = product(&x, &x, with)?;
    }
    match x.elements().iter().all(|x| x.is_finite()) {
        true => Ok(x),
        false => Err(Error::NotFinite),
    }
}

/// Upper bounds of max(‖A⁶‖^(1/6), ‖A⁸‖^(1/8)) and max(‖A⁸‖^(1/8), ‖A¹⁰‖^(1/10)), from A², A⁴ and, if it is there, A⁶.
fn even_roots<T: Element>(powers: &[Matrix<'_, T>]) -> (f64, f64) {
    let (n2, n4) = (one_norm(&powers[0]), one_norm(&powers[1]));
    let n6 = powers.get(2).map_or(n2 * n4, |a6| one_norm(a6).min(n2 * n4));
    let (d4, d6, d8) = (n4.powf(0.25), n6.powf(1.0 / 6.0), (n4 * n4).min(n2 * n6).powf(0.125));
    match powers.len() {
        2 => (d4.max(d6), d4.max(d6)),
        _ => (d6.max(d8), d8.max((n4 * n6).powf(0.1))),
    }
}

/// How many more halvings keep the rounding errors of an approximant of degree m as small as its truncation (Algorithm
/// 5.1: the function ℓ_m). ‖ |A|^(2m+1) ‖ is exact: the largest entry of a row of ones times that power.
fn extra<T: Element>(a: &Matrix<'_, T>, m: usize) -> i32 {
    let norm = one_norm(a);
    if norm == 0.0 {
        return 0;
    }
    let unit = T::Real::EPSILON.to_f64() / 2.0;
    // log2 of ‖ |A|^(2m+1) ‖, of a vector that is kept near 1.
    let (mut row, mut log) = (vec![1.0f64; a.rows()], 0.0);
    for _ in 0..2 * m + 1 {
        row = (0..a.cols()).map(|j| a.col(j).iter().zip(&row).map(|(x, y)| x.to_c64().norm() * y).sum()).collect();
        let largest = row.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return 0;
        }
        log += largest.log2();
        row.iter_mut().for_each(|x| *x /= largest);
    }
    // The first coefficient of the backward error is 1/(binomial(2m, m)·(2m + 1)!).
    let binomial: f64 = (1..=m).map(|i| ((m + i) as f64 / i as f64).log2()).sum();
    let factorial: f64 = (1..=2 * m + 1).map(|i| (i as f64).log2()).sum();
    let alpha = log - norm.log2() - binomial - factorial;
    (((alpha - unit.log2()) / (2 * m) as f64).ceil()).max(0.0) as i32
}

/// The Padé approximant of degree m, from A and its even powers.
fn approximant<'w, T: Element>(
    a: &Matrix<'w, T>,
    powers: &[Matrix<'w, T>],
    m: usize,
    with: Resources<'w>,
) -> Result<Matrix<'w, T>, Error> {
    let mut b = vec![1.0; m + 1];
    (0..m).for_each(|j| b[j + 1] = b[j] * (m - j) as f64 / ((2 * m - j) * (j + 1)) as f64);
    // Sum of c_i·A^(2i), with c_0 for the identity.
    let sum = |c: &[f64]| -> Result<Matrix<'w, T>, Error> {
        let mut sum = with.matrix::<T>(a.rows(), a.cols())?;
        for (c, power) in c[1..].iter().zip(powers) {
            let c = T::Real::from_f64(*c);
            sum.elements_mut().iter_mut().zip(power.elements()).for_each(|(x, &y)| *x += y.scale(c));
        }
        (0..a.rows()).for_each(|j| sum.col_mut(j)[j] += T::from_real(T::Real::from_f64(c[0])));
        Ok(sum)
    };
    let (odd, even): (Vec<f64>, Vec<f64>) = b.chunks(2).map(|pair| (pair[1], pair[0])).unzip();
    let polynomial = |c: &[f64]| -> Result<Matrix<'w, T>, Error> {
        if c.len() <= powers.len() + 1 {
            return sum(c);
        }
        // Degree 13: A⁶ times the upper half, and the lower half.
        let mut low = sum(&c[..4])?;
        let high = sum(&[&[0.0], &c[4..]].concat())?;
        add_product(&powers[2], &high, &mut low)?;
        Ok(low)
    };
    let u = product(a, &polynomial(&odd)?, with)?;
    let v = polynomial(&even)?;
    let (mut left, mut right) = (with.copy_of(v.as_ref(), false)?, v);
    left.elements_mut().iter_mut().zip(u.elements()).for_each(|(x, &y)| *x -= y);
    right.elements_mut().iter_mut().zip(u.elements()).for_each(|(x, &y)| *x += y);
    Ok(lu(left.as_ref(), false, with)?.solve(right.as_ref(), false, with)?)
}

fn product<'w, T: Element>(a: &Matrix<'w, T>, b: &Matrix<'w, T>, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
    let mut c = with.matrix(a.rows(), b.cols())?;
    add_product(a, b, &mut c)?;
    Ok(c)
}

/// C += A·B.
fn add_product<T: Element>(a: &Matrix<'_, T>, b: &Matrix<'_, T>, c: &mut Matrix<'_, T>) -> Result<(), Error> {
    Ok(gemm(T::ONE, a.as_ref(), false, b.as_ref(), false, T::ONE, c.as_mut(), Threads::ONE)?)
}

fn one_norm<T: Element>(a: &Matrix<'_, T>) -> f64 {
    (0..a.cols()).map(|j| a.col(j).iter().map(|x| x.to_c64().norm()).sum()).fold(0.0, f64::max)
}
