//! Whole expressions against one loop over all values of all labels.
//!
//! The values are multiples of 1/16 and the sums short, so that every result is exact in every type that holds it: sums
//! are compared with a tolerance only where a product of many factors needs more bits than Float32 has.

use std::collections::HashMap;

use proptest::prelude::*;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Error, Options, Plan};
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Real, Scalar, Tensor, Threads, View};

/// Labels in three ways of writing them, each in the order of an implicit output.
const NAMES: [[&str; 7]; 3] = [
    ["a", "b", "c", "d", "e", "f", "g"],
    ["0", "7", "Z", "z", "×", "΢", "β"],
    ["{-12}", "{-1}", "{0}", "{5}", "{7}", "{40}", "{1000000}"],
];
/// Labels 7 and 8 are those of the ellipsis, which is written as `None`.
const NAMED: usize = 7;
const DEPTH: usize = 2;

/// An operand, or the output.
#[derive(Clone, Debug)]
struct Term {
    subscripts: Vec<Option<usize>>,
    /// Axes of the ellipsis, the last of the `DEPTH`.
    depth: usize,
    /// Labels that have extent 1 here.
    ones: usize,
    arrangement: Arrangement,
    /// Axes with stride 0, of an operand.
    zeros: usize,
    conj: bool,
}

#[derive(Clone, Debug)]
struct Case {
    terms: Vec<Term>,
    /// `None`: left out.
    output: Option<Term>,
    beside: Arrangement,
    extents: Vec<usize>,
    style: usize,
    parentheses: u64,
    factors: (usize, usize),
    seed: u64,
    memory_limit: Option<usize>,
}

impl Term {
    /// The label of each axis.
    fn labels(&self) -> Vec<usize> {
        let axes = |s: &Option<usize>| s.map_or((NAMED + DEPTH - self.depth..NAMED + DEPTH).collect(), |l| vec![l]);
        self.subscripts.iter().flat_map(axes).collect()
    }

    fn shape(&self, extents: &[usize]) -> Vec<usize> {
        let one = |label: usize| self.ones >> label & 1 == 1;
        self.labels().into_iter().map(|l| if one(l) { 1 } else { extents[l] }).collect()
    }

    fn layout(&self, shape: &[usize]) -> Layout {
        let layout = self.arrangement.layout(shape);
        let kept = |(axis, &stride): (usize, &isize)| if self.zeros >> axis & 1 == 1 { 0 } else { stride };
        Layout::new(shape, &layout.strides().iter().enumerate().map(kept).collect::<Vec<_>>()).unwrap()
    }

    fn text(&self, style: usize) -> String {
        self.subscripts.iter().map(|s| s.map_or("...", |label| NAMES[style][label])).collect()
    }
}

impl Case {
    /// The label of each axis of the output.
    fn output(&self) -> Vec<usize> {
        let given: Vec<usize> = self.terms.iter().flat_map(Term::labels).collect();
        let deepest = self.terms.iter().map(|t| t.depth).max().unwrap_or(0);
        match &self.output {
            Some(output) => Term { depth: deepest, ..output.clone() }.labels(),
            None => {
                let once = (0..NAMED).filter(|l| given.iter().filter(|g| *g == l).count() == 1);
                (NAMED + DEPTH - deepest..NAMED + DEPTH).chain(once).collect()
            }
        }
    }

    /// What each label runs over: 1 unless some operand has more or less.
    fn extent(&self, label: usize) -> usize {
        let of = |term: &Term| {
            let at = term.labels().iter().position(|&l| l == label)?;
            Some(term.shape(&self.extents)[at]).filter(|&extent| extent != 1)
        };
        self.terms.iter().find_map(of).unwrap_or(1)
    }

    fn expression(&self) -> String {
        let mut items: Vec<String> = self.terms.iter().map(|term| term.text(self.style)).collect();
        let mut choice = self.parentheses;
        while items.len() > 1 && choice % 3 == 0 {
            let start = choice as usize / 3 % items.len();
            let end = start + 1 + choice as usize / 15 % (items.len() - start);
            let inside: Vec<String> = items.drain(start..end).collect();
            items.insert(start, format!("({})", inside.join(if choice % 2 == 0 { "," } else { " , " })));
            choice /= 75;
        }
        let output = self.output.as_ref().map_or(String::new(), |output| "->".to_owned() + &output.text(self.style));
        items.join(",") + &output
    }
}

fn term(most: usize) -> impl Strategy<Value = Term> {
    let rarely = |most: usize| prop_oneof![3 => Just(0usize), 1 => 0..most];
    let labels = proptest::collection::vec(0..NAMED, 0..=most);
    let ellipsis = proptest::option::weighted(0.25, (0..=most, 0..=DEPTH));
    (labels, ellipsis, rarely(1 << (NAMED + DEPTH)), arrangement(), rarely(1 << (most + DEPTH)), any::<bool>())
        .prop_map(|(labels, ellipsis, ones, arrangement, zeros, conj)| {
            let mut subscripts: Vec<Option<usize>> = labels.into_iter().map(Some).collect();
            let depth = ellipsis.map_or(0, |(at, depth)| {
                subscripts.insert(at.min(subscripts.len()), None);
                depth
            });
            Term { subscripts, depth, ones, arrangement, zeros, conj }
        })
}

fn case() -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 3 => Just(1usize), 16 => 2usize..4];
    (
        proptest::collection::vec(term(4), 1..6),
        proptest::option::weighted(0.8, term(4)),
        arrangement(),
        proptest::collection::vec(extent, NAMED + DEPTH),
        0..NAMES.len(),
        prop_oneof![1 => Just(1u64), 1 => any::<u64>().prop_map(|x| x / 3 * 3)],
        (0..3usize, 0..3usize),
        any::<u64>(),
        proptest::option::weighted(0.3, 0usize..600),
    )
        .prop_map(|(terms, output, beside, extents, style, parentheses, factors, seed, memory_limit)| {
            let given: Vec<Option<usize>> = terms.iter().flat_map(|t| t.subscripts.clone()).collect();
            let output = output.map(|mut term| {
                term.subscripts.retain(|s| given.contains(s));
                term
            });
            Case { terms, output, beside, extents, style, parentheses, factors, seed, memory_limit }
        })
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5)][which])
}

/// The sum by definition, in double precision, and the sum of absolute values for the tolerance.
fn reference<T: Scalar>(case: &Case, operands: &[Tensor<T>]) -> HashMap<Vec<usize>, (Complex64, f64)> {
    let output = case.output();
    let mut labels: Vec<usize> = case.terms.iter().flat_map(Term::labels).collect();
    labels.sort_unstable();
    labels.dedup();
    let mut sums: HashMap<Vec<usize>, (Complex64, f64)> = HashMap::new();
    for values in indices(&labels.iter().map(|&l| case.extent(l)).collect::<Vec<_>>()) {
        let value = |label: &usize| values[labels.iter().position(|l| l == label).unwrap()];
        let product = case.terms.iter().zip(operands).fold(Complex64::ONE, |product, (term, t)| {
            // What has extent 1 is the same for every value of its label.
            let index =
                term.labels()
                    .into_iter()
                    .map(|l| value(&l))
                    .zip(t.layout().shape())
                    .map(|(i, &n)| if n == 1 { 0 } else { i });
            let x = t.view().get(&index.collect::<Vec<_>>()).unwrap().to_c64();
            product * if term.conj { x.conj() } else { x }
        });
        let sum = sums.entry(output.iter().map(value).collect()).or_default();
        *sum = (sum.0 + product, sum.1 + product.norm());
    }
    sums
}

fn check<T: Element>(case: &Case) {
    let expression = case.expression();
    let shapes: Vec<Vec<usize>> = case.terms.iter().map(|term| term.shape(&case.extents)).collect();
    let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let options = Options { memory_limit: case.memory_limit, ..Options::default() };
    let plan = match Plan::new(&expression, &views, T::DTYPE, options) {
        Err(Error::MemoryLimit { limit, needed }) => {
            assert!(needed > limit);
            return;
        }
        plan => plan.unwrap(),
    };
    if let Some(limit) = case.memory_limit {
        assert!(plan.peak_bytes() <= limit, "{plan}");
    }
    let operand = |(term, shape): (&Term, &Vec<usize>), i: u64| tensor(term.layout(shape), case.seed ^ i);
    let operands: Vec<Tensor<T>> = case.terms.iter().zip(&shapes).zip(0..).map(|(x, i)| operand(x, i)).collect();
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let output: Vec<usize> = case.output().into_iter().map(|label| case.extent(label)).collect();
    assert_eq!(plan.output_shape(), output, "{expression}");
    let mut out = tensor::<T>(case.beside.layout(&output), case.seed ^ 99);
    if beta == T::ZERO {
        out.fill(|_| poison());
    }
    let before: HashMap<Vec<usize>, T> =
        indices(&output).into_iter().map(|i| (i.clone(), out.view().get(&i).unwrap())).collect();
    let einsum = Einsum::<T>::new(plan);
    let views: Vec<View<'_, T>> = operands.iter().map(Tensor::view).collect();
    let conj: Vec<bool> = case.terms.iter().map(|term| term.conj).collect();
    match einsum.run(alpha, &views, &conj, beta, out.view_mut().unwrap(), Threads::ONE) {
        // The limit was kept for dense operands, and these need copies.
        Err(Error::Strides { limit, needed }) => {
            assert!(Some(limit) == case.memory_limit && needed > limit);
            let same = |(index, old): (&Vec<usize>, &T)| out.view().get(index).unwrap().to_c64() == old.to_c64();
            assert!(beta == T::ZERO || before.iter().all(same), "nothing was written");
            return;
        }
        done => done.unwrap(),
    }
    let sums = reference(case, &operands);
    for (index, old) in before {
        let (sum, size) = sums.get(&index).copied().unwrap_or_default();
        let old = if beta == T::ZERO { Complex64::ZERO } else { beta.to_c64() * old.to_c64() };
        let expected = alpha.to_c64() * sum + old;
        let found = out.view().get(&index).unwrap().to_c64();
        // At most 3⁹ terms of 7 factors: each loses a few ulps of the absolute sum.
        let tolerance = 32.0 * T::Real::EPSILON.to_f64() * (alpha.to_c64().norm() * size + old.norm());
        assert!((found - expected).norm() <= tolerance, "{expression} at {index:?}: {found} is not {expected}");
    }
}

proptest! {
    #![proptest_config(config(500))]

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
        // Half may be had by kernels with less scratch alone.
        assert!((share == 2 || sliced.slices() > 1) && sliced.peak_bytes() <= peak / share, "{sliced}");
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

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    let mut state = seed + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    Tensor::from_fn(shape, |_| next()).unwrap()
}

/// A ring of four with n-fold bonds, large enough for threads to share its slices.
fn ring(n: usize) -> (Vec<Vec<usize>>, Vec<Tensor<f64>>) {
    let shapes = vec![vec![n, n]; 4];
    let operands = (0..4).map(|i| random(&shapes[i], i as u64)).collect();
    (shapes, operands)
}

#[test]
fn threads_share_slices_and_always_give_the_same_bits() {
    let (shapes, operands) = ring(64);
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let operands: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
    let expression = "(ab,bc),(cd,da)->";
    let whole = plan(expression, &shapes, None).unwrap();
    let limit = whole.peak_bytes() / 3;
    let run = |plan: Plan, threads: usize| {
        let einsum = Einsum::new(plan);
        let mut results = Vec::new();
        for _ in 0..3 {
            let mut out = random(&[], 9);
            let threads = Threads::new(threads);
            einsum.run(-2.0, &operands, &[false; 4], 0.5, out.view_mut().unwrap(), threads).unwrap();
            results.push(out.data().to_vec());
        }
        assert!(results[0] == results[1] && results[0] == results[2], "the same bits each time");
        results.remove(0)
    };
    let expected = run(whole, 1);
    for threads in [1, 2, 3] {
        let options = Options { memory_limit: Some(limit), threads: Threads::new(threads), ..Options::default() };
        let planned = Plan::new(expression, &shapes, DType::F64, options.clone()).unwrap();
        assert!(planned.slices() > 1 && planned.peak_bytes() <= limit, "{planned}");
        assert!(threads == 1 || planned.threads() > 1, "{planned}");
        for fewer in 1..=threads {
            let found = run(planned.clone(), fewer);
            for (x, y) in found.iter().zip(&expected) {
                // The partial sums in another order: a few roundings, far below one part in 10⁹.
                assert!((x - y).abs() <= 1e-9 * expected.iter().fold(0.0, |most: f64, x| most.max(x.abs())), "{x} {y}");
            }
        }
    }
}

#[test]
fn threads_share_slices_of_the_output() {
    // Only the labels of the output are large: they are sliced, and each thread fills its own part.
    let shapes: [&[usize]; 3] = [&[96, 16], &[16, 16], &[16, 96]];
    let operands: Vec<Tensor<f64>> = shapes.iter().zip(0..).map(|(s, i)| dense(s, i)).collect();
    let operands: Vec<&Tensor<f64>> = operands.iter().collect();
    let expression = "(ab,bc),cd->dad";
    assert!(plan(expression, &shapes, None).is_ok(), "an output with a diagonal");
    let expression = "(ab,bc),cd->da";
    let expected = evaluate(plan(expression, &shapes, None).unwrap(), &operands, Threads::ONE);
    for threads in [1, 2, 3] {
        let options = Options { memory_limit: Some(4000), threads: Threads::new(threads), ..Options::default() };
        let planned = Plan::new(expression, &shapes, DType::F64, options).unwrap();
        assert!(planned.slices() > 1 && planned.peak_bytes() <= 4000, "{planned}");
        assert_eq!(evaluate(planned, &operands, Threads::new(threads)).data(), expected.data());
    }
}

#[test]
fn what_no_slice_changes_is_made_once() {
    // Two large tensors of sliced labels, and a product of small ones without any.
    let shapes: [&[usize]; 4] = [&[40, 40], &[40, 40], &[6, 40], &[40, 40]];
    let operands: Vec<Tensor<f64>> = shapes.iter().zip(0..).map(|(s, i)| dense(s, i)).collect();
    let operands: Vec<&Tensor<f64>> = operands.iter().collect();
    let expression = "(ab,bc),(xd,dc)->ax";
    let whole = plan(expression, &shapes, None).unwrap();
    let limit = whole.peak_bytes() / 2;
    let sliced = plan(expression, &shapes, Some(limit)).unwrap();
    let text = sliced.to_string();
    assert!(sliced.slices() > 1 && sliced.peak_bytes() <= limit && text.contains(", once"), "{text}");
    assert!(sliced.slicing_overhead() < 1.5 && sliced.slicing_overhead() >= 1.0, "{text}");
    let expected = evaluate(whole, &operands, Threads::ONE);
    assert_eq!(evaluate(sliced, &operands, Threads::ONE).data(), expected.data(), "exact in any order");
}

#[test]
fn copies_that_a_limit_has_no_room_for_are_refused() {
    let shapes: [&[usize]; 2] = [&[12, 10, 11], &[10, 11, 13]];
    let einsum = Einsum::<f64>::new(plan("abc,bcd->ad", &shapes, Some(0)).unwrap());
    let (a, b) = (dense(shapes[0], 1), dense(shapes[1], 2));
    // As views of larger arrays, with gaps between all elements.
    let strided = |shape: &[usize], seed| {
        let strides = [4, 4 * 2 * shape[0] as isize, 4 * 5 * (shape[0] * shape[1]) as isize];
        tensor::<f64>(tensoroxide_tensor::Layout::new(shape, &strides).unwrap(), seed)
    };
    let expected = evaluate(plan("abc,bcd->ad", &shapes, None).unwrap(), &[&a, &b], Threads::ONE);
    let (odd_a, odd_b) = (strided(shapes[0], 1), strided(shapes[1], 2));
    let mut c = Tensor::from_fn(&[12, 13], |_| 7.0).unwrap();
    let mut run = |a: &Tensor<f64>, b: &Tensor<f64>| {
        let done = einsum.run(1.0, &[a.view(), b.view()], &[false; 2], 0.0, c.view_mut().unwrap(), Threads::ONE);
        (done, c.data().to_vec())
    };
    match run(&odd_a, &odd_b) {
        (Err(Error::Strides { limit: 0, needed: 1.. }), untouched) => assert!(untouched.iter().all(|&x| x == 7.0)),
        (done, found) => {
            done.unwrap();
            assert_eq!(found, expected.data());
        }
    }
    assert_eq!(run(&a, &b), (Ok(()), expected.data().to_vec()), "the plan goes on");
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
#[test]
fn an_empty_intermediate_beside_others() {
    // An empty intermediate lives at the start of the workspace while later ones are placed.
    for expression in ["ba,,c->a", "(ba,),c->a", "ba,(,c)->a", "((ba,)),c->a", "((ba),),c->a"] {
        let plan = plan(expression, &[&[2, 0], &[], &[2]], None).unwrap();
        let operands = [dense(&[2, 0], 1), dense(&[], 2), dense(&[2], 3)];
        let views: Vec<&Tensor<f64>> = operands.iter().collect();
        assert!(evaluate(plan, &views, Threads::ONE).data().is_empty());
    }
}
