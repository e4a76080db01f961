//! Contractions shared out among ranks that are threads: the same bits for any number of them, and an error on every
//! rank when one fails.

use std::time::{Duration, Instant};

use tensoroxide_dense::Element;
use tensoroxide_distributed::{Error, Group, Loopback, Progress, ShareOptions, SharedEinsum, Target};
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::{Complex32, Complex64, DType, Real, Tensor, Threads, View};

/// What each of `size` ranks comes to.
fn ranks<R: Send>(size: usize, timeout: f64, rank: impl Fn(usize, &mut Group) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let begin = |(r, transport)| {
            let rank = &rank;
            scope.spawn(move || rank(r, &mut Group::new(Box::new(transport), Duration::from_secs_f64(timeout))))
        };
        let threads: Vec<_> = Loopback::ranks(size).into_iter().enumerate().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn operands<T: Element>(shapes: &[&[usize]]) -> Vec<Tensor<T>> {
    let mut state = 3u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    shapes
        .iter()
        .map(|shape| Tensor::from_fn(shape, |_| T::from_c64(Complex64::new(next(), next()))).unwrap())
        .collect()
}

fn views<T: Element>(operands: &[Tensor<T>]) -> Vec<View<'_, T>> {
    operands.iter().map(Tensor::view).collect()
}

const EXPRESSION: &str = "abx,bcx,cdy,day->xy";
const SHAPES: [&[usize]; 4] = [&[6, 5, 3], &[5, 7, 3], &[7, 4, 2], &[4, 6, 2]];

fn options(slices: usize, threads: usize) -> ShareOptions {
    ShareOptions { slices, threads: Threads::new(threads), ..ShareOptions::default() }
}

/// The output on every rank, or none.
fn outputs<T: Element>(
    expression: &str,
    shapes: &[&[usize]],
    size: usize,
    options: &ShareOptions,
    target: Target,
) -> Vec<Vec<T>> {
    let tensors = operands::<T>(shapes);
    ranks(size, 20.0, |rank, group| {
        let einsum = SharedEinsum::<T>::new(group, expression, shapes, options.clone()).unwrap();
        let shape = einsum.plan_of_slices().output_shape();
        let mut output = Tensor::from_fn(&shape, |_| T::ONE).unwrap();
        let (alpha, beta) = (T::from_c64(Complex64::new(0.5, 1.0)), T::from_c64(Complex64::new(2.0, -1.0)));
        let conj: Vec<bool> = (0..shapes.len()).map(|i| i == 1).collect();
        let into = (target == Target::All || rank == 0).then(|| output.view_mut().unwrap());
        einsum.run(group, alpha, &views(&tensors), &conj, beta, into, target, &mut |_| true).unwrap();
        output.data().to_vec()
    })
}

fn same_bits<T: Element>() {
    let shapes = SHAPES;
    let tensors = operands::<T>(&shapes);
    let mut expected = Tensor::from_fn(&[3, 2], |_| T::ONE).unwrap();
    let plan = Plan::new(EXPRESSION, &shapes, T::DTYPE, Options::default()).unwrap();
    let (alpha, beta) = (T::from_c64(Complex64::new(0.5, 1.0)), T::from_c64(Complex64::new(2.0, -1.0)));
    let conj = [false, true, false, false];
    Einsum::new(plan).run(alpha, &views(&tensors), &conj, beta, expected.view_mut().unwrap(), Threads::ONE).unwrap();
    let one = outputs::<T>(EXPRESSION, &shapes, 1, &options(100, 1), Target::All);
    for (x, y) in one[0].iter().zip(expected.data()) {
        // Sums of 840 products of numbers below 1.
        assert!((x.to_c64() - y.to_c64()).norm() < 900.0 * T::Real::EPSILON.to_f64(), "{x:?} is not {y:?}");
    }
    for (size, threads) in [(1, 3), (2, 1), (3, 1), (4, 2), (7, 1)] {
        for output in outputs::<T>(EXPRESSION, &shapes, size, &options(100, threads), Target::All) {
            assert_eq!(output, one[0], "{size} ranks of {threads} threads");
        }
        let outputs = outputs::<T>(EXPRESSION, &shapes, size, &options(100, threads), Target::Leader);
        assert_eq!(outputs[0], one[0]);
        assert!(outputs[1..].iter().all(|output| output.iter().all(|x| *x == T::ONE)));
    }
}

#[test]
fn the_number_of_ranks_changes_no_bit() {
    same_bits::<f32>();
    same_bits::<f64>();
    same_bits::<Complex32>();
    same_bits::<Complex64>();
}

#[test]
fn batches_numbers_and_empty_tensors() {
    let cases: [(&str, &[&[usize]]); 4] = [
        ("bij,bjk->bik", &[&[9, 4, 3], &[9, 3, 5]]),
        ("ab,bc,ca->", &[&[8, 9], &[9, 7], &[7, 8]]),
        ("ij,jk->ik", &[&[0, 3], &[3, 2]]),
        ("i->i", &[&[1]]),
    ];
    for (expression, shapes) in cases {
        let one = outputs::<f64>(expression, shapes, 1, &options(12, 1), Target::All);
        for size in [2, 3] {
            for output in outputs::<f64>(expression, shapes, size, &options(12, 1), Target::All) {
                assert_eq!(output, one[0], "{expression}");
            }
            // As many slices as the number of ranks asks for.
            let free = outputs::<f64>(expression, shapes, size, &options(0, 1), Target::All);
            for (x, y) in free.iter().flatten().zip(one[0].iter().cycle()) {
                assert!((x - y).abs() < 504.0 * f64::EPSILON, "{expression}: {x} is not {y}");
            }
        }
    }
}

#[test]
fn the_memory_of_a_rank_is_bounded() {
    let shapes: [&[usize]; 4] = [&[32, 32, 3], &[32, 32, 3], &[32, 32, 2], &[32, 32, 2]];
    let plan = Plan::new(EXPRESSION, &shapes, DType::F64, Options::default()).unwrap();
    let limit = plan.peak_bytes() / 2;
    ranks(2, 20.0, |_, group| {
        let options = ShareOptions { memory_limit: Some(limit), ..ShareOptions::default() };
        let einsum = SharedEinsum::<f64>::new(group, EXPRESSION, &shapes, options).unwrap();
        assert!(einsum.peak_bytes() <= limit && einsum.plan_of_slices().slices() > 1);
        let options = ShareOptions { memory_limit: Some(100), ..ShareOptions::default() };
        let error = SharedEinsum::<f64>::new(group, EXPRESSION, &shapes, options).unwrap_err();
        assert!(matches!(error, Error::Einsum(tensoroxide_einsum::Error::MemoryLimit { .. })), "{error}");
    });
}

#[test]
fn who_disagrees_is_named_and_the_group_goes_on() {
    let tensors = operands::<f64>(&SHAPES);
    ranks(3, 20.0, |rank, group| {
        let expression = if rank == 2 { "abx,bcx,cdy,day->yx" } else { EXPRESSION };
        let error = SharedEinsum::<f64>::new(group, expression, &SHAPES, options(8, 1)).unwrap_err();
        assert_eq!(error, Error::Disagreement { rank: 2 });
        let error = SharedEinsum::<f64>::new(group, if rank == 1 { "a->b" } else { "a->a" }, &[&[3]], options(8, 1))
            .unwrap_err();
        match rank {
            1 => assert!(matches!(error, Error::Einsum(_)), "{error}"),
            _ => assert!(matches!(error, Error::Remote { rank: 1, .. }), "{error}"),
        }
        let einsum = SharedEinsum::<f64>::new(group, EXPRESSION, &SHAPES, options(8, 1)).unwrap();
        let mut output = Tensor::from_fn(&[3, 2], |_| 0.0).unwrap();
        let alpha = if rank == 0 { 1.0 } else { 2.0 };
        let (conj, mut tell) = ([false; 4], |_: Progress| true);
        let into = Some(output.view_mut().unwrap());
        let error = einsum.run(group, alpha, &views(&tensors), &conj, 0.0, into, Target::All, &mut tell).unwrap_err();
        assert_eq!(error, Error::Disagreement { rank: 1 });
        let few = if rank == 1 { 3 } else { 4 };
        let into = Some(output.view_mut().unwrap());
        let error =
            einsum.run(group, 1.0, &views(&tensors)[..few], &conj, 0.0, into, Target::All, &mut tell).unwrap_err();
        assert!(matches!(error, Error::Remote { rank: 1, .. }) || rank == 1, "{error}");
        let into = Some(output.view_mut().unwrap());
        einsum.run(group, 1.0, &views(&tensors), &conj, 0.0, into, Target::All, &mut tell).unwrap();
    });
}

#[test]
fn a_rank_that_dies_ends_the_call_everywhere() {
    // Which of three ranks never makes the call: the one that watches, or one that is watched.
    for dead in [0, 2] {
        let since = Instant::now();
        let errors = ranks(3, 0.5, |rank, group| {
            let plan = || SharedEinsum::<f64>::new(group, EXPRESSION, &SHAPES, options(8, 1)).map(|_| ());
            (rank != dead).then(plan)
        });
        // Within the timeout, and the time it takes to tell.
        assert!(since.elapsed() < Duration::from_secs(3));
        let errors: Vec<Error> = errors.into_iter().flatten().map(Result::unwrap_err).collect();
        let silent = |error: &Error| matches!(error, Error::Silent { rank, .. } if *rank == dead);
        let told = |error: &Error| matches!(error, Error::Remote { .. });
        assert!(errors.len() == 2 && errors.iter().all(|error| silent(error) || told(error)), "{errors:?}");
        assert!(errors.iter().any(silent));
    }
}

#[test]
fn a_failure_while_all_work_ends_the_call_and_the_group() {
    let shapes: [&[usize]; 2] = [&[64, 64, 64], &[64, 64, 64]];
    let tensors = operands::<f64>(&shapes);
    ranks(3, 20.0, |rank, group| {
        let einsum = SharedEinsum::<f64>::new(group, "bij,bjk->bik", &shapes, options(64, 1)).unwrap();
        let mut output = Tensor::from_fn(&[64, 64, 64], |_| 0.0).unwrap();
        let mut run = |group: &mut Group, tell: &mut dyn FnMut(Progress) -> bool| {
            let into = Some(output.view_mut().unwrap());
            einsum.run(group, 1.0, &views(&tensors), &[false; 2], 0.0, into, Target::All, tell)
        };
        let mut last = None;
        run(group, &mut |progress| last.replace(progress).is_none()).unwrap();
        let last = last.filter(|_| rank == 0);
        assert!(rank > 0 || last.is_some_and(|last| last.done == 64 && last.slices == 64 && last.remaining() == 0.0));
        // Another rank is told why.
        let failed = group.call(Ok(1), |group| match group.rank() {
            1 => Err(Error::from(tensoroxide_tensor::Error::OutOfMemory { bytes: 1 << 60 })),
            _ => group.wait(99).map(|_| ()),
        });
        match failed.unwrap_err() {
            Error::Remote { rank: 1, text } => assert!(rank != 1 && text.contains("1152921504606846976"), "{text}"),
            error => assert!(rank == 1, "{error}"),
        }
        assert!(matches!(run(group, &mut |_| true), Err(Error::Broken(_))));
    });
}
