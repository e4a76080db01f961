//! Eigenpairs of a linear map that is known by what it does to vectors: their derivatives through the equation A·v =
//! λ·v, whatever the iterations that found them.
//!
//! The map depends on parameters p, and what it makes of a constant v has the derivative Ȧ·v along a change of theirs.
//! With the left vector l, lᴴA = λ·lᴴ: λ̇ = lᴴȦv/(lᴴv) and (λ − A)·v̇ = Ȧv − λ̇·v. Neither l nor a projection is
//! needed: for any σ ≠ 0
//!
//! ```text
//! (λ − A + σ·v·vᴴ)·x = Ȧv + (σ − 1)·μ·v,   μ = vᴴȦv,
//! ```
//!
//! is regular for a simple λ, λ̇ = μ + σ·(vᴴx − μ) (multiply by lᴴ), and v̇ is x but for its part along v, which norm
//! and phase fix. Reversed,
//! with v̄′ the part of v̄ orthogonal to v, phase included (`rules/phases.rs`),
//!
//! ```text
//! (λ − A + σ·v·vᴴ)ᴴ·x = v̄′ + σ·λ̄·v
//! ```
//!
//! has the solution with vᴴx = λ̄ (multiply by vᴴ), and the loss changes by Re⟨x, Ȧv⟩: the cotangents of the parameters
//! are those that the map, applied to v, has for the cotangent x of its result. For a matrix, Ā = x·vᴴ.

use tensoroxide_dense::Element;
use tensoroxide_krylov::{solve, Gmres, Linsolve};
use tensoroxide_linalg::leading;
use tensoroxide_tensor::{Complex64, Real};

use crate::dual::norm;
use crate::{Error, Phases};

/// An eigenvalue and its vector, of norm 1 and with a real leading entry, as [`tensoroxide_krylov::Lanczos`] and
/// [`tensoroxide_krylov::Arnoldi`] return them.
#[derive(Clone, Copy, Debug)]
pub struct Eigenpair<'a, T: Element> {
    /// λ
    pub value: T,
    /// v
    pub vector: &'a [T],
}

/// The cotangent x of A·v, for constant v, from those of the eigenvalue and, unless it is zero, of the vector;
/// `adjoint` writes Aᴴ·x to y. The cotangents of the map's parameters follow from x and v: of a matrix, it is x·vᴴ.
/// Where the map is Hermitian, `adjoint` is the map itself, and the cotangent of the value real.
///
/// # Errors
/// [`Error::NotConverged`], also if the value is not simple and the loss depends on the choice of its vector;
/// [`Error::GaugeDependent`] for [`Phases::Free`] and a loss that knows the phase; [`Error::Operand`]; those of the
/// solver and the map.
///
/// ```
/// use tensoroxide_autodiff::{krylov, Error, Phases};
/// use tensoroxide_krylov::Linsolve;
/// // The map of the matrix (p, 1; 1, p) has the eigenvalue p + 1 with the vector (1, 1)/√2.
/// let (p, root) = (0.7, 0.5f64.sqrt());
/// let map = |x: &[f64], y: &mut [f64]| {
///     (y[0], y[1]) = (p * x[0] + x[1], x[0] + p * x[1]);
///     Ok::<(), Error>(())
/// };
/// let pair = krylov::Eigenpair { value: p + 1.0, vector: &[root, root] };
/// let x = krylov::vjp(pair, 1.0, Some(&[0.3, -0.4]), map, Phases::Fixed, Linsolve::default())?;
/// // The map's result has the derivative v with regard to p: so that of the value is 1, that of the vector 0.
/// assert!((x[0] * root + x[1] * root - 1.0).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub fn vjp<T: Element, E: From<tensoroxide_krylov::Error> + From<Error>>(
    pair: Eigenpair<'_, T>,
    valueb: T,
    vectorb: Option<&[T]>,
    adjoint: impl FnMut(&[T], &mut [T]) -> Result<(), E>,
    phases: Phases,
    options: Linsolve,
) -> Result<Vec<T>, E> {
    let v = pair.vector;
    let mut right = match vectorb {
        Some(vb) => same_length(v, vb)?.to_vec(),
        None => vec![T::ZERO; v.len()],
    };
    let along = dot(v, &right);
    if T::DTYPE.is_complex() && phases == Phases::Free {
        let (part, whole) = (along.im().to_f64().abs(), norm(&right));
        let tolerance = T::Real::EPSILON.to_f64().sqrt();
        if part > tolerance * whole {
            return Err(Error::GaugeDependent { part: part / whole, tolerance }.into());
        }
        add(&mut right, -along, v);
    } else {
        add(&mut right, -T::from_real(along.re()), v);
        if let Some(lead) = leading(v).filter(|_| T::DTYPE.is_complex()) {
            right[lead] += T::from_c64(Complex64::new(0.0, -along.im().to_f64() / v[lead].re().to_f64()));
        }
    }
    Ok(bordered(pair.value.conj(), v, &right, valueb, adjoint, options)?.0)
}

/// The tangents of the eigenvalue and of its vector from Ȧ·v, what a change of the map makes of v; `map` writes A·x to
/// y.
///
/// # Errors
/// As [`vjp`].
///
/// ```
/// use tensoroxide_autodiff::{krylov, Error, Phases};
/// use tensoroxide_krylov::Linsolve;
/// let map = |x: &[f64], y: &mut [f64]| {
///     (y[0], y[1]) = (2.0 * x[0], 3.0 * x[1]);
///     Ok::<(), Error>(())
/// };
/// let pair = krylov::Eigenpair { value: 3.0, vector: &[0.0, 1.0] };
/// let (value, vector) = krylov::jvp(pair, &[0.5, 0.25], map, Phases::Fixed, Linsolve::default())?;
/// assert!((value - 0.25).abs() < 1e-14 && (vector[0] - 0.5).abs() < 1e-14);
/// # Ok::<(), Error>(())
/// ```
pub fn jvp<T: Element, E: From<tensoroxide_krylov::Error> + From<Error>>(
    pair: Eigenpair<'_, T>,
    slope: &[T],
    map: impl FnMut(&[T], &mut [T]) -> Result<(), E>,
    phases: Phases,
    options: Linsolve,
) -> Result<(T, Vec<T>), E> {
    let v = pair.vector;
    // For Hermitian A the part along v is λ̇ already.
    let along = dot(v, same_length(v, slope)?);
    let mut rest = slope.to_vec();
    add(&mut rest, -along, v);
    let (mut x, sigma) = bordered(pair.value, v, &rest, along, map, options)?;
    let found = dot(v, &x);
    add(&mut x, -found, v);
    if let (Phases::Fixed, true, Some(lead)) = (phases, T::DTYPE.is_complex(), leading(v)) {
        let turn = -x[lead].im().to_f64() / v[lead].re().to_f64();
        add(&mut x, T::from_c64(Complex64::new(0.0, turn)), v);
    }
    Ok((along + (found - along) * sigma, x))
}

/// The x with (λ − A + σ·v·vᴴ)·x = b + σ·μ·v, and σ, which is of the size of the map. For b = 0 and Hermitian A the
/// guess μ·v is the solution already.
fn bordered<T: Element, E: From<tensoroxide_krylov::Error> + From<Error>>(
    lambda: T,
    v: &[T],
    b: &[T],
    mu: T,
    mut map: impl FnMut(&[T], &mut [T]) -> Result<(), E>,
    options: Linsolve,
) -> Result<(Vec<T>, T), E> {
    let size = norm(b);
    let probe = if size > 0.0 { b } else { v };
    let mut y = vec![T::ZERO; v.len()];
    map(probe, &mut y)?;
    let measured = norm(&y) / norm(probe);
    let sigma = measured.max(lambda.to_c64().norm());
    let sigma = if sigma > 0.0 && sigma.is_finite() { sigma } else { 1.0 };
    let sigma = T::from_real(T::Real::from_f64(sigma));
    let mut gmres = Gmres::default();
    let (x, right) = gmres.start(v.len(), options)?;
    x.iter_mut().zip(v).for_each(|(x, v)| *x = *v * mu);
    right.iter_mut().zip(b.iter().zip(v)).for_each(|(to, (b, v))| *to = *b + *v * mu * sigma);
    solve(&mut gmres, |x: &[T], y: &mut [T]| {
        map(x, y)?;
        let along = dot(v, x) * sigma;
        y.iter_mut().zip(x.iter().zip(v)).for_each(|(y, (x, v))| *y = lambda * *x - *y + *v * along);
        Ok::<(), E>(())
    })?;
    match gmres.info().converged {
        0 => Err(Error::NotConverged { residual: gmres.normres().to_f64() }.into()),
        _ => Ok((gmres.solution().to_vec(), sigma)),
    }
}

fn same_length<'a, T: Element>(v: &[T], x: &'a [T]) -> Result<&'a [T], Error> {
    match x.len() == v.len() && !v.is_empty() {
        true => Ok(x),
        false => Err(Error::Operand { name: "a slope of v".into(), expected: format!("{} elements, not 0", v.len()) }),
    }
}

/// xᴴ·y
fn dot<T: Element>(x: &[T], y: &[T]) -> T {
    x.iter().zip(y).map(|(x, y)| x.conj() * *y).sum()
}

/// x ← x + a·y
fn add<T: Element>(x: &mut [T], a: T, y: &[T]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += a * *y);
}
