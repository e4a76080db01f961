//! Derivatives of eigenpairs that a Krylov method found, against those of whole decompositions.

mod common;

use common::{Array, Case, Slopes};
use tensoroxide_autodiff::krylov::{jvp, vjp, Eigenpair};
use tensoroxide_autodiff::{Error, Operation, Phases};
use tensoroxide_dense::Element;
use tensoroxide_krylov::{Eigsolve, Lanczos, Linsolve, PlannedMap};
use tensoroxide_tensor::{Complex64, Scalar, Tensor, Threads};

const N: usize = 6;

fn elements<T: Scalar>(x: &[Complex64]) -> Vec<T> {
    x.iter().map(|x| T::from_c64(*x)).collect()
}

/// y ← A·x, or Aᴴ·x.
fn apply<T: Element>(a: &Array, adjoint: bool) -> impl Fn(&[T], &mut [T]) -> Result<(), Error> + '_ {
    move |x, y| {
        for (i, y) in y.iter_mut().enumerate() {
            let row = |j: usize| if adjoint { a.at(j, i).conj() } else { a.at(i, j) };
            *y = x.iter().enumerate().map(|(j, x)| T::from_c64(row(j)) * *x).sum();
        }
        Ok(())
    }
}

/// Holds the derivatives of each pair of A against those of the operation, whose outputs are w and V.
fn against<T: Element>(operation: Operation, a: &Array, da: &Array) {
    let case = Case::new(operation);
    let x = std::slice::from_ref(a);
    let (w, v) = {
        let mut y = case.evaluate::<T>(x).unwrap();
        let v = y.pop().unwrap();
        (y.pop().unwrap(), v)
    };
    let y = [w.clone(), v.clone()];
    let yb: Slopes = case.cotangents::<T>(&y, 2);
    let forward = case.jvp::<T>(x, &y, &[Some(da.clone())]).unwrap().0;
    let options = Linsolve::default();
    for k in 0..N {
        let column = |x: &Array| elements::<T>(&x.data[k * N..][..N]);
        let (vector, value) = (column(&v), T::from_c64(w.data[k]));
        let pair = Eigenpair { value, vector: &vector };
        let only =
            |x: &Array, len: usize| Array::new(&x.shape, |i| if i / len == k { x.data[i] } else { Complex64::ZERO });
        let (wb, vb) = (yb[0].as_ref().unwrap(), yb[1].as_ref().unwrap());
        let expected = case.vjp::<T>(x, &y, &[Some(only(wb, 1)), Some(only(vb, N))]).unwrap().0[0].clone().unwrap();
        let (valueb, vectorb) = (T::from_c64(wb.data[k]), column(vb));
        let slope = vjp(pair, valueb, Some(&vectorb), apply::<T>(a, true), Phases::Fixed, options).unwrap();
        let mut found = Array::new(&[N, N], |i| slope[i % N].to_c64() * vector[i / N].to_c64().conj());
        if operation == Operation::EighFull {
            found = found.hermitian(); // as the operation's is
        }
        assert!(found.plus(-1.0, &expected).norm() < 1e-10 * expected.norm(), "{k}: {found:?} {expected:?}");
        let alone = vjp(pair, valueb, None, apply::<T>(a, true), Phases::Fixed, options).unwrap();
        let along: T = vector.iter().zip(&alone).map(|(v, x)| v.conj() * *x).sum();
        assert!((along.to_c64() - valueb.to_c64()).norm() < 1e-11);

        let mut moved = vec![T::ZERO; N];
        apply::<T>(da, false)(&vector, &mut moved).unwrap();
        let (dw, dv) = jvp(pair, &moved, apply::<T>(a, false), Phases::Fixed, options).unwrap();
        let (expected_w, expected_v) = (forward[0].as_ref().unwrap().data[k], column(forward[1].as_ref().unwrap()));
        assert!((dw.to_c64() - expected_w).norm() < 1e-10);
        let size: f64 = expected_v.iter().map(|x| x.to_c64().norm_sqr()).sum::<f64>().sqrt();
        let error = dv.iter().zip(&expected_v).map(|(x, y)| (x.to_c64() - y.to_c64()).norm()).fold(0.0, f64::max);
        assert!(error < 1e-10 * size, "{k}: {dv:?} {expected_v:?}");
    }
}

#[test]
fn as_of_whole_decompositions() {
    let spread = Array::diagonal(&[0.0, 1.0, 2.0, 3.5, 4.0, 6.0]);
    for seed in 0..2 {
        let (a, da) = (Array::random::<f64>(&[N, N], seed), Array::random::<f64>(&[N, N], seed + 9));
        against::<f64>(Operation::EighFull, &a.hermitian().plus(1.0, &spread), &da.hermitian());
        let (a, da) = (Array::random::<Complex64>(&[N, N], seed), Array::random::<Complex64>(&[N, N], seed + 9));
        against::<Complex64>(Operation::EighFull, &a.hermitian().plus(1.0, &spread), &da.hermitian());
        against::<Complex64>(Operation::EigFull, &a.plus(3.0, &spread), &da);
    }
}

/// The ground state of a map that is a contraction, as a tensor network's: the gradient of its energy and of an entry
/// of its vector.
#[test]
fn of_a_planned_map() {
    use tensoroxide_einsum::{Einsum, Options, Plan};
    use tensoroxide_tensor::DType;
    let a = Array::random::<f64>(&[N, N], 3).hermitian().plus(1.0, &Array::diagonal(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    let energy_and_entry = |a: &Array| -> (f64, Vec<f64>) {
        let matrix = Tensor::from_fn(&[N, N], |i| a.at(i[0], i[1]).re).unwrap();
        let einsum = Einsum::new(Plan::new("ij,j->i", &[&[N, N], &[N]], DType::F64, Options::default()).unwrap());
        let others = [matrix.view()];
        let map = PlannedMap::new(&einsum, &others, &[false, false], 1, Threads::ONE).unwrap();
        let mut lanczos = Lanczos::<f64>::default();
        lanczos.start(N, Eigsolve { tol: 1e-14, ..Eigsolve::default() }).unwrap().fill(1.0);
        tensoroxide_krylov::solve(&mut lanczos, |x: &[f64], y: &mut [f64]| map.apply(x, y)).unwrap();
        (lanczos.values()[0], lanczos.vector(0).to_vec())
    };
    let loss = |a: &Array| {
        let (value, vector) = energy_and_entry(a);
        value + 2.0 * vector[1]
    };
    let (value, vector) = energy_and_entry(&a);
    let mut vectorb = vec![0.0; N];
    vectorb[1] = 2.0;
    let pair = Eigenpair { value, vector: &vector };
    let x = vjp(pair, 1.0, Some(&vectorb), apply::<f64>(&a, true), Phases::Fixed, Linsolve::default()).unwrap();
    let da = Array::random::<f64>(&[N, N], 4).hermitian();
    let found: f64 = (0..N * N).map(|i| x[i % N] * vector[i / N] * da.data[i].re).sum();
    let h = 1e-3;
    let at = |t: f64| loss(&a.plus(t, &da));
    let expected = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
    assert!((found - expected).abs() < 1e-8 * expected.abs(), "{found} {expected}");
}

#[test]
fn what_is_refused() {
    // An eigenvalue that is not simple, and a loss that knows which vector was chosen.
    let a = Array::diagonal(&[1.0, 1.0, 2.0]);
    let pair = Eigenpair { value: 1.0, vector: &[1.0, 0.0, 0.0] };
    let found = vjp(pair, 0.0, Some(&[0.0, 1.0, 0.0]), apply::<f64>(&a, true), Phases::Fixed, Linsolve::default());
    assert!(matches!(found, Err(Error::NotConverged { residual }) if residual > 0.1), "{found:?}");
    let found = vjp(pair, 0.0, Some(&[0.0, 0.0, 1.0]), apply::<f64>(&a, true), Phases::Fixed, Linsolve::default());
    assert!((found.unwrap()[2] + 1.0).abs() < 1e-12);
    let short = vjp(pair, 0.0, Some(&[0.0, 1.0]), apply::<f64>(&a, true), Phases::Fixed, Linsolve::default());
    assert!(matches!(short, Err(Error::Operand { .. })));
    let i = Complex64::I;
    let (one, zero) = (Complex64::ONE, Complex64::ZERO);
    let pair = Eigenpair { value: one, vector: &[one, zero] };
    let map = |x: &[Complex64], y: &mut [Complex64]| {
        (y[0], y[1]) = (x[0], 2.0 * x[1]);
        Ok::<(), Error>(())
    };
    let found = vjp(pair, zero, Some(&[i, zero]), map, Phases::Free, Linsolve::default());
    assert!(matches!(found, Err(Error::GaugeDependent { .. })));
}
