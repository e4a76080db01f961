//! Whole expressions against one loop over all values of all labels.
//!
//! The values are multiples of 1/16 and the sums short, so that every result is exact in every type that holds it: sums are
//! compared with a tolerance only where a product of many factors needs more bits than Float32 has.

use std::collections::HashMap;

use proptest::prelude::*;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Error, Options, Plan};
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real, Scalar, Tensor, Threads, View};

#[derive(Clone, Debug)]
struct Case {
    terms: Vec<String>,
    output: String,
    extents: HashMap<char, usize>,
    arrangements: Vec<Arrangement>,
    conj: Vec<bool>,
    factors: (usize, usize),
    seed: u64,
    memory_limit: Option<usize>,
}

fn shape(labels: &str, extents: &HashMap<char, usize>) -> Vec<usize> {
    labels.chars().map(|c| extents[&c]).collect()
}

fn case() -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 3 => Just(1usize), 16 => 2usize..4];
    (
        proptest::collection::vec("[a-g]{0,4}", 1..6),
        "[a-g]{0,4}",
        proptest::collection::vec(extent, 7),
        proptest::collection::vec(arrangement(), 7),
        proptest::collection::vec(any::<bool>(), 6),
        (0..3usize, 0..3usize),
        any::<u64>(),
        proptest::option::weighted(0.3, 0usize..600),
    )
        .prop_map(|(terms, output, extents, arrangements, conj, factors, seed, memory_limit)| {
            let output = output.chars().filter(|c| terms.concat().contains(*c)).collect();
            let extents = ('a'..='g').zip(extents).collect();
            Case { terms, output, extents, arrangements, conj, factors, seed, memory_limit }
        })
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5)][which])
}

/// The sum by definition, in double precision, and the sum of absolute values for the tolerance.
fn reference<T: Scalar>(case: &Case, operands: &[Tensor<T>]) -> HashMap<Vec<usize>, (Complex64, f64)> {
    let labels: Vec<char> = ('a'..='g').filter(|c| case.terms.concat().contains(*c)).collect();
    let mut sums: HashMap<Vec<usize>, (Complex64, f64)> = HashMap::new();
    for values in indices(&labels.iter().map(|c| case.extents[c]).collect::<Vec<_>>()) {
        let at = |term: &str| -> Vec<usize> {
            term.chars().map(|c| values[labels.iter().position(|&l| l == c).unwrap()]).collect()
        };
        let product =
            case.terms.iter().zip(operands).zip(&case.conj).fold(Complex64::ONE, |product, ((term, t), &conj)| {
                let x = t.view().get(&at(term)).unwrap().to_c64();
                product * if conj { x.conj() } else { x }
            });
        let sum = sums.entry(at(&case.output)).or_default();
        *sum = (sum.0 + product, sum.1 + product.norm());
    }
    sums
}

fn check<T: Element>(case: &Case) {
    let expression = format!("{}->{}", case.terms.join(","), case.output);
    let shapes: Vec<Vec<usize>> = case.terms.iter().map(|term| shape(term, &case.extents)).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let plan = match Plan::new(
        &expression,
        &shapes,
        T::DTYPE,
        Options { memory_limit: case.memory_limit, ..Options::default() },
    ) {
        Err(Error::MemoryLimit { limit, needed }) => {
            assert!(needed > limit);
            return;
        }
        plan => plan.unwrap(),
    };
    if let Some(limit) = case.memory_limit {
        assert!(plan.peak_bytes() <= limit, "{plan}");
    }
    let operands: Vec<Tensor<T>> =
        shapes.iter().zip(&case.arrangements).zip(0..).map(|((s, a), i)| tensor(a.layout(s), case.seed ^ i)).collect();
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let output = shape(&case.output, &case.extents);
    let mut out = tensor::<T>(case.arrangements[6].layout(&output), case.seed ^ 99);
    if beta == T::ZERO {
        out.fill(|_| poison());
    }
    let before: HashMap<Vec<usize>, T> =
        indices(&output).into_iter().map(|i| (i.clone(), out.view().get(&i).unwrap())).collect();
    let einsum = Einsum::<T>::new(plan);
    let views: Vec<View<'_, T>> = operands.iter().map(Tensor::view).collect();
    let conj = &case.conj[..views.len()];
    einsum.run(alpha, &views, conj, beta, out.view_mut().unwrap(), Threads::ONE).unwrap();
    let sums = reference(case, &operands);
    for (index, old) in before {
        let (sum, size) = sums.get(&index).copied().unwrap_or_default();
        let old = if beta == T::ZERO { Complex64::ZERO } else { beta.to_c64() * old.to_c64() };
        let expected = alpha.to_c64() * sum + old;
        let found = out.view().get(&index).unwrap().to_c64();
        // At most 3⁷ terms of 7 factors: each loses a few ulps of the absolute sum.
        let tolerance = 32.0 * T::Real::EPSILON.to_f64() * (alpha.to_c64().norm() * size + old.norm());
        assert!((found - expected).norm() <= tolerance, "{expression} at {index:?}: {found} is not {expected}");
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn expressions_are_the_sum_over_all_labels(case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check::<T>(&case));
        }
    }
}

fn plan(expression: &str, shapes: &[&[usize]], memory_limit: Option<usize>) -> Result<Plan, Error> {
    Plan::new(expression, shapes, DType::F64, Options { memory_limit, ..Options::default() })
}

fn evaluate(plan: Plan, operands: &[&Tensor<f64>], threads: Threads) -> Tensor<f64> {
    let mut out = Tensor::from_fn(&plan.output_shape(), |_| f64::NAN).unwrap();
    let views: Vec<View<'_, f64>> = operands.iter().map(|t| t.view()).collect();
    let conj = vec![false; views.len()];
    Einsum::new(plan).run(1.0, &views, &conj, 0.0, out.view_mut().unwrap(), threads).unwrap();
    out
}

fn dense(shape: &[usize], seed: u64) -> Tensor<f64> {
    tensor(tensoroxide_tensor::Layout::column_major(shape).unwrap(), seed)
}

#[test]
fn ellipsis_and_broadcasting() {
    let (a, b) = (dense(&[3, 1, 2, 4], 1), dense(&[5, 4, 2], 2));
    let plan = plan("...ij,...jk->ik...", &[&[3, 1, 2, 4], &[5, 4, 2]], None).unwrap();
    let c = evaluate(plan, &[&a, &b], Threads::ONE);
    assert_eq!(c.layout().shape(), [2, 2, 3, 5]);
    let expected: f64 = (0..4).map(|j| a.view().get(&[2, 0, 1, j]).unwrap() * b.view().get(&[4, j, 0]).unwrap()).sum();
    assert_eq!(c.view().get(&[1, 0, 2, 4]), Some(expected));
}

#[test]
fn slicing_keeps_the_promise_and_the_result() {
    // A ring of four, whose intermediates are large beside the operands.
    let n = 12;
    let shapes: [&[usize]; 4] = [&[n, n, 4], &[n, n, 4], &[n, n, 4], &[n, n, 4]];
    let operands: Vec<Tensor<f64>> = (0..4).map(|i| dense(shapes[0], i)).collect();
    let operands: Vec<&Tensor<f64>> = operands.iter().collect();
    let expression = "abw,bcx,cdy,day->wx";
    let whole = plan(expression, &shapes, None).unwrap();
    let peak = whole.peak_bytes();
    assert_eq!(whole.slices(), 1);
    let expected = evaluate(whole, &operands, Threads::ONE);
    for share in [2, 5, 20] {
        let sliced = plan(expression, &shapes, Some(peak / share)).unwrap();
        assert!(sliced.slices() > 1 && sliced.peak_bytes() <= peak / share, "{sliced}");
        let found = evaluate(sliced, &operands, Threads::ONE);
        assert_eq!(found.data(), expected.data(), "sums of multiples of 2⁻¹⁶ below 2²¹ are exact in any order");
    }
    let impossible = plan("ab,bc->ac", &[&[n, n], &[n, n]], Some(0)).unwrap();
    assert_eq!(impossible.peak_bytes(), 0, "a product in place needs no workspace");
    let copied = plan("ab,cd,ef->bdface", &[&[2, 2], &[2, 2], &[2, 2]], Some(0));
    assert!(matches!(copied, Err(Error::MemoryLimit { limit: 0, needed: 1.. })), "{copied:?}");
}

#[test]
fn a_sliced_label_of_an_output_with_a_diagonal() {
    // The last step embeds; the sliced label w of the output is then in no intermediate.
    let (a, b) = (dense(&[6, 40, 5], 1), dense(&[40, 6], 2));
    let shapes: [&[usize]; 2] = [&[6, 40, 5], &[40, 6]];
    let expected = evaluate(plan("ikw,kj->iwij", &shapes, None).unwrap(), &[&a, &b], Threads::ONE);
    let whole = plan("ikw,kj->iwij", &shapes, None).unwrap().peak_bytes();
    let sliced = plan("ikw,kj->iwij", &shapes, Some(whole / 3)).unwrap();
    assert!(sliced.slices() > 1, "{sliced}");
    assert_eq!(evaluate(sliced, &[&a, &b], Threads::ONE).data(), expected.data());
    let at = expected.view().get(&[3, 4, 3, 2]);
    assert_eq!(at, Some((0..40).map(|k| a.view().get(&[3, k, 4]).unwrap() * b.view().get(&[k, 2]).unwrap()).sum()));
    assert_eq!(expected.view().get(&[3, 4, 2, 2]), Some(0.0));
}

#[test]
fn chains_need_no_copies() {
    let (l, w, r) = (30, 5, 30);
    let effective_hamiltonian: [&[usize]; 5] = [&[l, w, l], &[l, 2, 2, r], &[w, w, 2, 2], &[w, w, 2, 2], &[r, w, r]];
    let plan = plan("apb,bste,pqSs,qrTt,fre->aSTf", &effective_hamiltonian, None).unwrap();
    let text = plan.to_string();
    assert!(text.contains("4 steps"), "{text}");
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let (a, b) = (dense(&[130, 140, 7], 3), dense(&[7, 140, 150], 4));
    let shapes: [&[usize]; 2] = [&[130, 140, 7], &[7, 140, 150]];
    let one = evaluate(plan("abc,cbd->da", &shapes, None).unwrap(), &[&a, &b], Threads::ONE);
    for threads in [2, 3] {
        let many = evaluate(plan("abc,cbd->da", &shapes, None).unwrap(), &[&a, &b], Threads::new(threads));
        assert_eq!(one.data(), many.data());
    }
}

#[test]
fn one_plan_runs_on_many_threads_at_once_and_for_any_strides() {
    let shapes: [&[usize]; 3] = [&[6, 7], &[7, 8], &[8, 9]];
    let einsum = Einsum::<f64>::new(plan("ab,bc,cd->da", &shapes, None).unwrap());
    std::thread::scope(|scope| {
        for seed in 0..4u64 {
            let einsum = &einsum;
            scope.spawn(move || {
                for round in 0..50 {
                    let operands: Vec<Tensor<f64>> = shapes
                        .iter()
                        .map(|s| {
                            let strides = [s[1] as isize, 1];
                            let layout = tensoroxide_tensor::Layout::new(s, &strides).unwrap();
                            if round % 2 == 0 {
                                dense(s, seed)
                            } else {
                                tensor(layout, seed)
                            }
                        })
                        .collect();
                    let views: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
                    let mut out = Tensor::from_fn(&[9, 6], |_| f64::NAN).unwrap();
                    einsum.run(1.0, &views, &[false; 3], 0.0, out.view_mut().unwrap(), Threads::ONE).unwrap();
                    let at = |t: usize, i: usize, j: usize| operands[t].view().get(&[i, j]).unwrap();
                    let mut expected = 0.0;
                    for b in 0..7 {
                        for c in 0..8 {
                            expected += at(0, 5, b) * at(1, b, c) * at(2, c, 8);
                        }
                    }
                    assert_eq!(out.view().get(&[8, 5]), Some(expected));
                }
            });
        }
    });
}

#[test]
fn what_does_not_fit_the_plan_is_refused_and_nothing_is_written() {
    let einsum = Einsum::<f64>::new(plan("ij,jk->ik", &[&[2, 3], &[3, 2]], None).unwrap());
    let (a, b) = (dense(&[2, 3], 1), dense(&[3, 2], 2));
    let mut c = Tensor::from_fn(&[2, 2], |_| 7.0).unwrap();
    let mut run = |operands: &[View<'_, f64>]| {
        einsum.run(1.0, operands, &vec![false; operands.len()], 0.0, c.view_mut().unwrap(), Threads::ONE).unwrap_err()
    };
    assert_eq!(run(&[a.view()]), Error::OperandCount { expected: 2, found: 1 });
    let wrong = Error::Shape { operand: Some(1), found: vec![2, 3], expected: vec![3, 2] };
    assert_eq!(run(&[a.view(), a.view()]), wrong);
    assert!(c.data().iter().all(|&x| x == 7.0));
    let mut d = Tensor::from_fn(&[2, 3], |_| 7.0).unwrap();
    let error =
        einsum.run(1.0, &[a.view(), b.view()], &[false; 2], 0.0, d.view_mut().unwrap(), Threads::ONE).unwrap_err();
    assert_eq!(error.to_string(), "the output has size [2, 3], but the expression needs [2, 2]");
    assert!(d.data().iter().all(|&x| x == 7.0));
}
