//! The shares of a plan's slices add up to what the plan makes as a whole.

use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::{Complex32, Complex64, Real, Scalar, Tensor, Threads, View};

fn operands<T: Element>(shapes: &[&[usize]]) -> Vec<Tensor<T>> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    shapes
        .iter()
        .map(|shape| Tensor::from_fn(shape, |_| T::from_c64(Complex64::new(next(), next()))).unwrap())
        .collect()
}

/// The output put together from ranges of `length` slices, and by a plan without slices.
fn both<T: Element>(expression: &str, shapes: &[&[usize]], options: Options, length: usize) -> (Plan, [Tensor<T>; 2]) {
    let operands = operands::<T>(shapes);
    let views: Vec<View<'_, T>> = operands.iter().map(Tensor::view).collect();
    let conj: Vec<bool> = (0..views.len()).map(|i| i == 1).collect();
    let (alpha, beta) = (T::from_c64(Complex64::new(0.5, 0.25)), T::from_c64(Complex64::new(-1.0, 2.0)));
    let plan = Plan::new(expression, shapes, T::DTYPE, options).unwrap();
    let start =
        || Tensor::<T>::from_fn(&plan.output_shape(), |i| T::from_c64(Complex64::new(i.len() as f64, 1.0))).unwrap();
    let (mut shared, mut whole) = (start(), start());
    let einsum = Einsum::<T>::new(plan.clone());
    let shares = plan.shares().unwrap();
    let (mut sum, mut part) = (vec![T::ZERO; shares.elements], vec![T::ONE; shares.elements]);
    // One run whose ranges follow one another, from block to block.
    let mut on = einsum.share(alpha, &views, &conj, Threads::ONE).unwrap();
    let mut parts = std::collections::HashMap::new();
    for block in 0..shares.blocks {
        for at in (0..shares.slices).step_by(length) {
            let first = block * shares.slices;
            on.run(first + at..first + (at + length).min(shares.slices), &mut part, Threads::ONE).unwrap();
            parts.insert(first + at, part.clone());
        }
    }
    for block in 0..shares.blocks {
        sum.fill(T::ZERO);
        // A run of its own for every other block: another order must not matter.
        let mut run = einsum.share(alpha, &views, &conj, Threads::ONE).unwrap();
        let first = block * shares.slices;
        for at in (0..shares.slices).step_by(length).rev() {
            let range = first + at..first + (at + length).min(shares.slices);
            run.run(range.clone(), &mut part, Threads::ONE).unwrap();
            assert_eq!(part, parts[&range.start], "slices {range:?} after those before them, and by themselves");
            sum.iter_mut().zip(&part).for_each(|(s, &p)| *s += p);
        }
        plan.write_block(block, &sum, beta, shared.view_mut().unwrap(), Threads::ONE).unwrap();
    }
    let einsum = Einsum::new(Plan::new(expression, shapes, T::DTYPE, Options::default()).unwrap());
    einsum.run(alpha, &views, &conj, beta, whole.view_mut().unwrap(), Threads::ONE).unwrap();
    (plan, [shared, whole])
}

fn check<T: Element>(expression: &str, shapes: &[&[usize]], least: usize, blocks: Option<bool>) {
    for (shares, length) in [(1, 1), (2, 1), (least, 1), (least, 3), (least, usize::MAX / 2)] {
        let (plan, [shared, whole]) = both::<T>(expression, shapes, Options { shares, ..Options::default() }, length);
        assert!(plan.slices() >= shares, "{expression}: {} slices", plan.slices());
        let found = plan.shares().unwrap().blocks > 1;
        assert!(shares == 1 || blocks.is_none_or(|blocks| blocks == found), "{expression}");
        // Sums of some hundred products of numbers below 1.
        let tolerance = T::Real::EPSILON.to_f64() * 200.0;
        for (x, y) in shared.data().iter().zip(whole.data()) {
            assert!((x.to_c64() - y.to_c64()).norm() <= tolerance, "{expression}, {shares} slices: {x:?} is not {y:?}");
        }
    }
}

#[test]
fn shares_add_up() {
    for check in [check::<f32>, check::<f64>, check::<Complex32>, check::<Complex64>] {
        // Batched: blocks of the output. 7 values in 4 ranges: the last is shorter.
        check("bij,bjk->bik", &[&[7, 3, 4], &[7, 4, 5]], 4, Some(true));
        check("ij,jk,kl->il", &[&[4, 9], &[9, 11], &[11, 4]], 36, None);
        check("ab,bc,cd,da->", &[&[6, 5], &[5, 4], &[4, 7], &[7, 6]], 16, Some(false));
    }
}

#[test]
fn a_limit_of_memory_holds_for_shares() {
    let shapes: [&[usize]; 4] = [&[16, 16, 4], &[16, 16, 4], &[16, 16, 4], &[16, 16, 4]];
    let expression = "abx,bcx,cdy,day->xy";
    let whole = Plan::new(expression, &shapes, f64::DTYPE, Options::default()).unwrap();
    let limit = whole.peak_bytes() / 3;
    let options = Options { memory_limit: Some(limit), shares: 8, ..Options::default() };
    let (plan, [shared, whole]) = both::<f64>(expression, &shapes, options, 2);
    assert!(plan.peak_bytes() <= limit && plan.slices() >= 8);
    for (x, y) in shared.data().iter().zip(whole.data()) {
        assert!((x - y).abs() <= 1e-13 * 256.0, "{x} is not {y}");
    }
}

#[test]
fn a_number_has_one_share() {
    let (plan, [shared, whole]) = both::<f64>("i,i->", &[&[1], &[1]], Options { shares: 8, ..Options::default() }, 1);
    assert_eq!((plan.slices(), shared.data()), (1, whole.data()));
    let empty: [&[usize]; 2] = [&[0, 3], &[3, 4]];
    let (_, [shared, whole]) = both::<f64>("ij,jk->ik", &empty, Options { shares: 2, ..Options::default() }, 1);
    assert_eq!(shared.data(), whole.data());
}
