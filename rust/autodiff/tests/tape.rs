//! The tape: its derivatives against differences and against each other, and its checkpoints.

use tensoroxide_autodiff::tape::{Elementwise, Tape, Value};
use tensoroxide_autodiff::{Error, OnGauge, Operation, Options, Settings};
use tensoroxide_dense::Element;
use tensoroxide_linalg::Truncation;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Real, Scalar, Tensor, View};

/// Pseudo-random numbers within ±1/2.
fn random<T: Scalar>(shape: &[usize], seed: u64) -> Tensor<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    Tensor::from_fn(shape, |_| T::from_c64(Complex64::new(next(), next()))).unwrap()
}

/// x + h·y.
fn moved<T: Scalar>(x: &Tensor<T>, h: f64, y: &Tensor<T>) -> Tensor<T> {
    let step = |i: &[usize]| x.view().get(i).unwrap().to_c64() + h * y.view().get(i).unwrap().to_c64();
    Tensor::from_fn(x.layout().shape(), |i| T::from_c64(step(i))).unwrap()
}

/// Re⟨x, y⟩.
fn inner<T: Scalar>(x: &Tensor<T>, y: &Tensor<T>) -> f64 {
    x.data().iter().zip(y.data()).map(|(x, y)| (x.to_c64().conj() * y.to_c64()).re).sum()
}

fn norm<T: Scalar>(x: &Tensor<T>) -> f64 {
    inner(x, x).sqrt()
}

/// A loss that takes every kind of step: of a 3×3 matrix, a 3×2×2 tensor and a vector.
fn loss<T: Element>(tape: &mut Tape<T>, x: &[Value]) -> Result<Value, Error> {
    let [a, b, v] = *x else { panic!("three inputs") };
    let one = |tape: &mut Tape<T>| {
        tape.constant(
            Tensor::from_fn(&[3, 3], |i| T::from_real(T::Real::from_f64(4.0 * f64::from(u8::from(i[0] == i[1])))))
                .unwrap()
                .view(),
        )
    };
    // Regular: four times the identity and a matrix of norm less than 2.
    let identity = one(tape)?;
    let regular = tape.add(identity, a)?;
    let inverse = tape.linalg(Operation::Inv, &[regular], Settings::default())?[0];
    let chain = tape.einsum_conj("ij,jkl,mj->imk", &[inverse, b, a], &[false, true, false])?;
    let flat = tape.reshape(chain, &[3, 6])?;
    let turned = tape.permute(flat, &[1, 0])?;
    let solved = tape.linalg(Operation::Solve, &[regular, flat], Settings::default())?[0];
    let product = tape.einsum("ij,jk->ik", &[turned, solved])?;
    let wave = tape.map(Elementwise::Sin, product)?;
    let decay = tape.map(Elementwise::Exp, v)?;
    let conj = tape.conj(decay)?;
    let mixed = tape.einsum("ij,i,j->ij", &[wave, conj, v])?;
    let sum = tape.combine(&[
        (T::from_c64(Complex64::new(0.5, 1.0)), mixed),
        (T::from_c64(Complex64::new(2.0, -1.0)), product),
    ])?;
    let real = tape.real(sum)?;
    let shifted = tape.add(real, sum)?;
    let square = tape.norm_squared(shifted)?;
    let shape = tape.scale(T::from_c64(Complex64::new(0.5, 0.0)), square)?;
    let root = tape.map(Elementwise::Sqrt, shape)?;
    let overlap = tape.inner(mixed, product)?;
    tape.add(root, overlap)
}

fn inputs<T: Scalar>(seed: u64) -> Vec<Tensor<T>> {
    [&[3, 3][..], &[3, 2, 2], &[6]].iter().zip(seed..).map(|(shape, seed)| random(shape, seed)).collect()
}

fn recorded<T: Element>(x: &[Tensor<T>]) -> (Tape<T>, Vec<Value>, Value) {
    let mut tape = Tape::new();
    let x: Vec<Value> = x.iter().map(|x| tape.variable(x.view()).unwrap()).collect();
    let loss = loss(&mut tape, &x).unwrap();
    (tape, x, loss)
}

fn value<T: Element>(x: &[Tensor<T>]) -> f64 {
    let (tape, _, loss) = recorded(x);
    tape.value(loss).unwrap().data()[0].to_c64().re
}

fn check<T: Element>() {
    let (x, direction) = (inputs::<T>(3), inputs::<T>(30));
    let (mut tape, values, loss) = recorded(&x);
    let along: Vec<(Value, View<'_, T>)> = values.iter().zip(&direction).map(|(&v, d)| (v, d.view())).collect();
    let gradient = tape.gradient(loss, &values).unwrap();
    let tangent = tape.jvp(&along, &[loss]).unwrap()[0].data()[0].to_c64().re;
    let (again, product) = tape.hvp(loss, &values, &along).unwrap();

    let eps = T::Real::EPSILON.to_f64();
    // Forwards and backwards are the same sums in another order, of some hundred terms of about this size.
    let size: f64 = gradient.iter().zip(&direction).map(|(x, y)| norm(x) * norm(y)).sum();
    let slope: f64 = gradient.iter().zip(&direction).map(|(x, y)| inner(x, y)).sum();
    assert!((slope - tangent).abs() <= 100.0 * eps * size, "{}: {slope} is not {tangent}", T::DTYPE);
    for (first, second) in gradient.iter().zip(&again) {
        assert!(norm(&moved(first, -1.0, second)) <= 100.0 * eps * norm(first), "both ways to a gradient");
    }

    // Central differences, in double precision; their error is h² and eps/h of what is differentiated, times numbers
    // that are below 10 for these steps.
    if T::Real::EPSILON.to_f64() > f64::EPSILON {
        return;
    }
    let h = 1e-5;
    let at = |h: f64| -> Vec<Tensor<T>> { x.iter().zip(&direction).map(|(x, d)| moved(x, h, d)).collect() };
    let difference = (value(&at(h)) - value(&at(-h))) / (2.0 * h);
    assert!((difference - tangent).abs() <= 1e-8 * size, "{}: {difference} is not {tangent}", T::DTYPE);
    let gradient_at = |h: f64| {
        let (mut tape, values, loss) = recorded(&at(h));
        tape.gradient(loss, &values).unwrap()
    };
    for ((up, down), product) in gradient_at(h).iter().zip(&gradient_at(-h)).zip(&product) {
        let difference = moved(up, -1.0, down);
        let difference = moved(&difference, 1.0 / (2.0 * h) - 1.0, &difference);
        let error = norm(&moved(&difference, -1.0, product));
        assert!(norm(product) > 1e-3, "a test of zeros is none");
        assert!(error <= 1e-8 * (norm(product) + size), "{}: second order, {error} of {}", T::DTYPE, norm(product));
    }
}

#[test]
fn every_kind_of_step_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// A loss of decompositions whose results are real, cut off, or positions: of a 5×4 matrix.
fn decomposed<T: Element>(x: &Tensor<T>) -> (Tape<T>, Value, Value) {
    let mut tape = Tape::new();
    let a = tape.variable(x.view()).unwrap();
    let truncation = Truncation { maxrank: Some(3), ..Truncation::default() };
    let svd = tape.linalg(Operation::SvdTrunc, &[a], Settings { truncation, ..Settings::default() }).unwrap();
    let root = tape.map(Elementwise::Sqrt, svd[1]).unwrap();
    let like = tape.einsum("ij,j,jk->ik", &[svd[0], root, svd[2]]).unwrap();
    let lu = tape.linalg(Operation::Lu, &[a], Settings::default()).unwrap();
    let places: Vec<f64> = tape.value(lu[2]).unwrap().data().iter().map(|x| x.to_c64().re).collect();
    assert!((0..5).all(|place| places.contains(&f64::from(place))), "{places:?}");
    tape.checkpoint(&[like, lu[1], svd[3]]).unwrap();
    let gram = tape.einsum_conj("ij,kj->ik", &[like, like], &[false, true]).unwrap();
    let values = tape.linalg(Operation::EighVals, &[gram], Settings::default()).unwrap()[0];
    let squares = tape.einsum("i,i->", &[values, values]).unwrap();
    let upper = tape.norm_squared(lu[1]).unwrap();
    let loss = tape.combine(&[(T::ONE, squares), (T::ONE, upper), (T::ONE, svd[3])]).unwrap();
    (tape, a, loss)
}

#[test]
fn a_loss_that_depends_on_a_gauge_is_refused_or_reported() {
    // Any rotation of the vectors of the identity would do as well.
    let mut tape = Tape::<f64>::new();
    let a = tape.variable(Tensor::from_fn(&[2, 2], |i| f64::from(u8::from(i[0] == i[1]))).unwrap().view()).unwrap();
    let weights = tape.constant(random::<f64>(&[2, 2], 5).view()).unwrap();
    let eigh = tape.linalg(Operation::EighFull, &[a], Settings::default()).unwrap();
    let loss = tape.einsum("ij,ij->", &[eigh[1], weights]).unwrap();
    let trace = tape.einsum("i->", &[eigh[0]]).unwrap();
    assert!(matches!(tape.gradient(loss, &[a]), Err(Error::GaugeDependent { .. })));
    assert_eq!(tape.gradient(trace, &[a]).unwrap()[0].data(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(tape.gauge(), 0.0);
    tape.set_options(Options { on_gauge: OnGauge::Report, ..Options::default() });
    assert!(tape.gradient(loss, &[a]).unwrap()[0].data().iter().all(|x| x.is_finite()));
    assert!(tape.gauge() > 0.01);
}

#[test]
fn a_truncation_cuts_its_results() {
    let mut tape = Tape::<Complex64>::new();
    let a = tape.variable(random::<Complex64>(&[5, 4], 7).view()).unwrap();
    let truncation = Truncation { maxrank: Some(2), ..Truncation::default() };
    let settings = Settings { truncation, ..Settings::default() };
    let svd = tape.linalg(Operation::SvdTrunc, &[a], settings).unwrap();
    let shapes: Vec<&[usize]> = svd.iter().map(|&value| tape.shape(value).unwrap()).collect();
    assert_eq!(shapes, [&[5, 2][..], &[2], &[2, 4], &[]]);
    let all = tape.linalg(Operation::SvdVals, &[a], Settings::default()).unwrap()[0];
    let (kept, all) = (tape.value(svd[1]).unwrap().data(), tape.value(all).unwrap().data());
    assert!((kept[1] - all[1]).norm() < 1e-14 && kept[0].im == 0.0);
    let hermitian = tape.einsum_conj("ij,kj->ik", &[a, a], &[false, true]).unwrap();
    let eigh = tape.linalg(Operation::EighTrunc, &[hermitian], settings).unwrap();
    let shapes: Vec<&[usize]> = eigh.iter().map(|&value| tape.shape(value).unwrap()).collect();
    assert_eq!(shapes, [&[2][..], &[5, 2], &[]]);
}

fn check_decomposed<T: Element>() {
    let (x, direction) = (random::<T>(&[5, 4], 7), random::<T>(&[5, 4], 8));
    let (mut tape, a, loss) = decomposed(&x);
    let at = |h: f64| {
        let (tape, _, loss) = decomposed(&moved(&x, h, &direction));
        tape.value(loss).unwrap().data()[0].to_c64().re
    };
    let gradient = tape.gradient(loss, &[a]).unwrap();
    let slope = inner(&gradient[0], &direction);
    let tangent = tape.jvp(&[(a, direction.view())], &[loss]).unwrap()[0].data()[0].to_c64().re;
    let size = norm(&gradient[0]) * norm(&direction);
    let eps = T::Real::EPSILON.to_f64();
    // Both ways divide by gaps of singular values, some of which are about 1/10 of the largest.
    assert!((slope - tangent).abs() <= 1e3 * eps * size, "{}: {slope} is not {tangent}", T::DTYPE);
    if eps == f64::EPSILON {
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((difference - slope).abs() <= 1e-7 * size, "{}: {difference} is not {slope}", T::DTYPE);
    }
}

#[test]
fn decompositions_in_every_type() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check_decomposed::<T>());
    }
}

/// ⟨ψ|ψ⟩ of a matrix product state of so many sites, with checkpoints or without; its gradient, and the product of its
/// Hessian with the state itself.
fn norm_of_chain(sites: usize, checkpoints: bool) -> (f64, Vec<Tensor<Complex64>>, Vec<Tensor<Complex64>>) {
    let mut tape = Tape::<Complex64>::new();
    let mut given = Vec::new();
    let edge = tape.constant(random(&[3, 3], 1).view()).unwrap();
    let mut site = |tape: &mut Tape<Complex64>, k: usize, [env]: [Value; 1]| {
        let a = tape.variable(random(&[3, 2, 3], 10 + k as u64).view())?;
        given.push(a);
        let half = tape.einsum("ab,aic->bic", &[env, a])?;
        Ok([tape.einsum_conj("bic,bid->cd", &[half, a], &[false, true])?])
    };
    let [last] = if checkpoints {
        tape.chain(sites, [edge], site).unwrap()
    } else {
        (0..sites).fold([edge], |state, k| site(&mut tape, k, state).unwrap())
    };
    let loss = tape.norm_squared(last).unwrap();
    let value = tape.value(loss).unwrap().data()[0].re;
    let tensors: Vec<Tensor<Complex64>> = (0..sites).map(|k| random(&[3, 2, 3], 10 + k as u64)).collect();
    let along: Vec<(Value, View<'_, Complex64>)> = given.iter().zip(&tensors).map(|(&v, t)| (v, t.view())).collect();
    let gradient = tape.gradient(loss, &given).unwrap();
    let (_, product) = tape.hvp(loss, &given, &along).unwrap();
    (value, gradient, product)
}

#[test]
fn checkpoints_change_nothing() {
    for sites in [0, 1, 2, 17, 30] {
        let (kept, again) = (norm_of_chain(sites, false), norm_of_chain(sites, true));
        assert_eq!(kept.0, again.0);
        for (x, y) in kept.1.iter().zip(&again.1).chain(kept.2.iter().zip(&again.2)) {
            assert_eq!(x.data(), y.data(), "the same steps give the same bits");
        }
        // The loss has degree 4 in each site and its conjugate together: along the state itself, the gradient grows by
        // 4·sites − 1 times itself, since each of its parts has that degree.
        for (gradient, product) in again.1.iter().zip(&again.2) {
            let error = norm(&moved(product, -(4.0 * sites as f64 - 1.0), gradient));
            assert!(error <= 1e-12 * norm(product), "{sites} sites: {error} of {}", norm(product));
        }
    }
}

#[test]
fn no_elements_and_one() {
    let mut tape = Tape::<f64>::new();
    let empty = tape.variable(random::<f64>(&[3, 0], 1).view()).unwrap();
    let square = tape.norm_squared(empty).unwrap();
    assert_eq!(tape.value(square).unwrap().data(), [0.0]);
    assert_eq!(tape.gradient(square, &[empty]).unwrap()[0].layout().shape(), [3, 0]);
    // What a loss does not depend on has a gradient of zeros, and a loss its own is one.
    let other = tape.variable(random::<f64>(&[1, 1], 2).view()).unwrap();
    let gradient = tape.gradient(other, &[other, empty, square]).unwrap();
    assert_eq!((gradient[0].data(), gradient[1].data(), gradient[2].data()), (&[1.0][..], &[][..], &[0.0][..]));
}

#[test]
fn any_layout_can_be_given() {
    let mirrored = Layout::new(&[2, 3], &[-3, 1]).unwrap();
    let mut x = Tensor::<f32>::zeros(mirrored).unwrap();
    x.fill(|i| (10 * i[0] + i[1]) as f32);
    let repeated = Tensor::<f32>::zeros(Layout::new(&[2, 3], &[0, 0]).unwrap()).unwrap();
    let mut tape = Tape::<f32>::new();
    let (x, zero) = (tape.variable(x.view()).unwrap(), tape.constant(repeated.view()).unwrap());
    let sum = tape.add(x, zero).unwrap();
    assert_eq!(tape.value(sum).unwrap().data(), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let mut tape = Tape::<f64>::new();
    let matrix = random::<f64>(&[2, 3], 1);
    let x = tape.variable(matrix.view()).unwrap();
    let text = |error: Error| error.to_string();
    assert_eq!(text(tape.gradient(x, &[x]).unwrap_err()), "the loss: expected one element, not size [2, 3]");
    assert_eq!(text(tape.permute(x, &[0, 0]).unwrap_err()), "the axes: expected each of 2 once, not [0, 0]");
    assert_eq!(text(tape.reshape(x, &[5]).unwrap_err()), "the shape: expected 6 elements, not [5]");
    assert_eq!(text(tape.combine(&[]).unwrap_err()), "the terms: expected one at least");
    assert!(matches!(tape.einsum("ij,jk->ik", &[x, x]), Err(Error::Einsum(_))));
    assert!(matches!(tape.linalg(Operation::Inv, &[x], Settings::default()), Err(Error::Operand { .. })));
    assert!(matches!(tape.linalg(Operation::EigVals, &[x], Settings::default()), Err(Error::Undefined(_))));
    let double = tape.scale(2.0, x).unwrap();
    let square = tape.norm_squared(double).unwrap();
    let view = matrix.view();
    let refused = tape.jvp(&[(double, view)], &[square]).unwrap_err();
    assert_eq!(text(refused), "a value that moves was not given to the tape");
    let mut other = Tape::<f64>::new();
    assert_eq!(text(other.value(square).unwrap_err()), "a value is not on this tape");
    assert!(other.gradient(square, &[]).is_err());
    assert!(other.variable(view).is_ok());
    tape.checkpoint(&[square]).unwrap();
    assert_eq!(text(tape.add(double, x).unwrap_err()), "a value was not kept by a checkpoint");
    assert_eq!(tape.gradient(square, &[double]).unwrap()[0].data(), tape_of_double(&matrix));
}

/// 2·2·x.
fn tape_of_double(x: &Tensor<f64>) -> Vec<f64> {
    x.data().iter().map(|x| 4.0 * x).collect()
}
