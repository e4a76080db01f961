//! Derivatives of Einstein sums against the definition: one loop over all values of all labels, in double precision and
//! in dual numbers, so that tangents come from arithmetic and not from a rule.
//!
//! The values are multiples of 1/16 and the sums short: what Float64 holds is exact.

use std::collections::HashMap;
use std::ops::{Add, Mul};

use proptest::prelude::*;
use tensoroxide_autodiff::einsum::EinsumRule;
use tensoroxide_autodiff::Error;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Options, Plan};
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Real, Scalar, Tensor, Threads, View, ViewMut};

/// v + d·ε with ε² = 0, and the sum of absolute values that went into both.
#[derive(Clone, Copy, Debug, Default)]
struct Dual {
    v: Complex64,
    d: Complex64,
    size: f64,
}

impl Dual {
    fn new(v: Complex64, d: Complex64) -> Dual {
        Dual { v, d, size: v.norm().max(d.norm()) }
    }

    fn conj(self) -> Dual {
        Dual { v: self.v.conj(), d: self.d.conj(), ..self }
    }

    fn conj_if(self, conj: bool) -> Dual {
        if conj {
            self.conj()
        } else {
            self
        }
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, other: Dual) -> Dual {
        let d = self.v * other.d + self.d * other.v;
        Dual { v: self.v * other.v, d, size: 2.0 * self.size * other.size }
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, other: Dual) -> Dual {
        Dual { v: self.v + other.v, d: self.d + other.d, size: self.size + other.size }
    }
}

/// A tensor with a tangent, for the reference.
type Duals = HashMap<Vec<usize>, Dual>;

const LABELS: usize = 6;

#[derive(Clone, Debug)]
struct Term {
    labels: Vec<usize>,
    /// Labels that have extent 1 here.
    ones: usize,
    conj: bool,
    /// Whether the cotangent is wanted, and whether there is a tangent.
    wanted: bool,
    moves: bool,
    layouts: [(Arrangement, usize); 4],
}

#[derive(Clone, Debug)]
struct Case {
    terms: Vec<Term>,
    output: Term,
    extents: Vec<usize>,
    factors: (usize, usize),
    seed: u64,
}

impl Term {
    fn shape(&self, extents: &[usize]) -> Vec<usize> {
        self.labels.iter().map(|&l| if self.ones >> l & 1 == 1 { 1 } else { extents[l] }).collect()
    }

    /// The layout of the term's tensor (0), cotangent, tangent or the cotangent's tangent; what is only read may repeat
    /// elements.
    fn layout(&self, which: usize, shape: &[usize], read: bool) -> Layout {
        let (arrangement, zeros) = &self.layouts[which];
        let layout = arrangement.layout(shape);
        let kept = |(d, &stride): (usize, &isize)| if read && zeros >> d & 1 == 1 { 0 } else { stride };
        Layout::new(shape, &layout.strides().iter().enumerate().map(kept).collect::<Vec<_>>()).unwrap()
    }
}

fn term(most: usize) -> impl Strategy<Value = Term> {
    let rarely = |most: usize| prop_oneof![4 => Just(0usize), 1 => 0..most];
    let layout = || (arrangement(), rarely(16));
    (
        proptest::collection::vec(0..LABELS, 0..=most),
        rarely(1 << LABELS),
        any::<bool>(),
        proptest::bool::weighted(0.75),
        proptest::bool::weighted(0.75),
        [layout(), layout(), layout(), layout()],
    )
        .prop_map(|(labels, ones, conj, wanted, moves, layouts)| Term {
            labels,
            ones,
            conj,
            wanted,
            moves,
            layouts,
        })
}

fn case() -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 3 => Just(1usize), 20 => 2usize..4];
    (
        proptest::collection::vec(term(3), 1..5),
        term(3),
        proptest::collection::vec(extent, LABELS),
        (0..3usize, 0..3usize),
        any::<u64>(),
    )
        .prop_map(|(terms, mut output, extents, factors, seed)| {
            output.labels.retain(|l| terms.iter().any(|t| t.labels.contains(l)));
            output.ones = 0;
            Case { terms, output, extents, factors, seed }
        })
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5)][which])
}

impl Case {
    fn text(&self) -> String {
        let name = |labels: &[usize]| labels.iter().map(|&l| (b'a' + l as u8) as char).collect::<String>();
        let terms: Vec<String> = self.terms.iter().map(|t| name(&t.labels)).collect();
        format!("{}->{}", terms.join(","), name(&self.output.labels))
    }

    /// What each label runs over: 1 unless some operand has more or less.
    fn extent(&self, label: usize) -> usize {
        let of = |t: &Term| {
            let at = t.labels.iter().position(|&l| l == label)?;
            Some(t.shape(&self.extents)[at]).filter(|&extent| extent != 1)
        };
        self.terms.iter().find_map(of).unwrap_or(1)
    }

    /// The sum without α, and from conj(C̄) the cotangents of all operands: for L = Re Σ conj(C̄)·α·Π op(A), the factor
    /// g of an element x of A has dL = Re(g·op(dx)), so that x̄ is conj(g), or g if x enters conjugated.
    fn reference(&self, alpha: Complex64, operands: &[Duals], cotangent: &Duals) -> (Duals, Vec<Duals>) {
        let mut labels: Vec<usize> = self.terms.iter().flat_map(|t| t.labels.clone()).collect();
        labels.sort_unstable();
        labels.dedup();
        let (mut sum, mut bars) = (Duals::new(), vec![Duals::new(); operands.len()]);
        let alpha = Dual::new(alpha, Complex64::ZERO);
        for values in indices(&labels.iter().map(|&l| self.extent(l)).collect::<Vec<_>>()) {
            let value = |l: &usize| values[labels.iter().position(|x| x == l).unwrap()];
            let index = |t: &Term| -> Vec<usize> {
                // What has extent 1 is the same for every value of its label.
                t.labels.iter().zip(t.shape(&self.extents)).map(|(l, n)| if n == 1 { 0 } else { value(l) }).collect()
            };
            let factors: Vec<Dual> =
                self.terms.iter().zip(operands).map(|(t, x)| x[&index(t)].conj_if(t.conj)).collect();
            let out: Vec<usize> = self.output.labels.iter().map(value).collect();
            let product = |skip: usize| {
                let others = factors.iter().enumerate().filter(|(k, _)| *k != skip);
                others.fold(Dual::new(Complex64::ONE, Complex64::ZERO), |p, (_, &x)| p * x)
            };
            let entry = sum.entry(out.clone()).or_default();
            *entry = *entry + alpha * product(usize::MAX);
            for (k, t) in self.terms.iter().enumerate() {
                let g = cotangent[&out].conj() * alpha * product(k);
                let entry = bars[k].entry(index(t)).or_default();
                *entry = *entry + g.conj_if(!t.conj);
            }
        }
        (sum, bars)
    }
}

fn duals<T: Scalar>(v: &Tensor<T>, d: Option<&Tensor<T>>) -> Duals {
    let at = |t: &Tensor<T>, i: &[usize]| t.view().get(i).unwrap().to_c64();
    let entry = |i: Vec<usize>| {
        let dual = Dual::new(at(v, &i), d.map_or(Complex64::ZERO, |d| at(d, &i)));
        (i, dual)
    };
    indices(v.layout().shape()).into_iter().map(entry).collect()
}

/// That a tensor has these values, up to a few rounding errors of every term. What no term reaches is 0.
fn compare<T: Scalar>(what: &str, found: &Tensor<T>, expected: impl Fn(&[usize]) -> (Complex64, f64)) {
    for i in indices(found.layout().shape()) {
        let (found, (expected, size)) = (found.view().get(&i).unwrap().to_c64(), expected(&i));
        // A real type has no imaginary part, and neither have its references: α and the values are real then.
        let tolerance = 32.0 * T::Real::EPSILON.to_f64() * size;
        assert!((found - expected).norm() <= tolerance, "{what} at {i:?}: {found} is not {expected}");
    }
}

fn poisoned<T: Scalar>(layout: Layout) -> Tensor<T> {
    let mut tensor = Tensor::zeros(layout).unwrap();
    tensor.fill(|_| poison());
    tensor
}

fn views<'a, T: Scalar>(tensors: &'a [Option<Tensor<T>>]) -> Vec<Option<View<'a, T>>> {
    tensors.iter().map(|t| t.as_ref().map(Tensor::view)).collect()
}

fn views_mut<'a, T: Scalar>(tensors: &'a mut [Option<Tensor<T>>]) -> Vec<Option<ViewMut<'a, T>>> {
    tensors.iter_mut().map(|t| t.as_mut().map(|t| t.view_mut().unwrap())).collect()
}

fn check<T: Element>(case: &Case) {
    let text = case.text();
    let shapes: Vec<Vec<usize>> = case.terms.iter().map(|t| t.shape(&case.extents)).collect();
    let slices: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let plan = Plan::new(&text, &slices, T::DTYPE, Options::default()).unwrap();
    let conj: Vec<bool> = case.terms.iter().map(|t| t.conj).collect();
    let rule = EinsumRule::<T>::new(&plan, &conj).unwrap();
    let one = Threads::ONE;

    let seeded = |layout: Layout, i: usize| tensor::<T>(layout, case.seed ^ i as u64);
    let terms = || case.terms.iter().zip(&shapes).enumerate();
    let operands: Vec<Tensor<T>> = terms().map(|(k, (t, n))| seeded(t.layout(0, n, true), k)).collect();
    let tangents: Vec<Option<Tensor<T>>> =
        terms().map(|(k, (t, n))| t.moves.then(|| seeded(t.layout(2, n, true), 10 + k))).collect();
    let wanted = |which: usize| -> Vec<Option<Tensor<T>>> {
        terms().map(|(_, (t, n))| t.wanted.then(|| poisoned(t.layout(which, n, false)))).collect()
    };
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let out = plan.output_shape();
    let given = |which: usize, seed: usize| {
        let layout = case.output.layout(which, &out, false);
        if beta == T::ZERO {
            poisoned(layout)
        } else {
            seeded(layout, seed)
        }
    };
    let cotangent = seeded(case.output.layout(1, &out, true), 20);
    let moving = case.output.moves.then(|| seeded(case.output.layout(3, &out, true), 21));

    let reference: Vec<Duals> = operands.iter().zip(&tangents).map(|(v, d)| duals(v, d.as_ref())).collect();
    let (sum, bars) = case.reference(alpha.to_c64(), &reference, &duals(&cotangent, moving.as_ref()));
    let operands: Vec<View<'_, T>> = operands.iter().map(Tensor::view).collect();
    let value = |of: &Duals, i: &[usize]| of.get(i).map_or((Complex64::ZERO, 0.0), |x| (x.v, x.size));
    let tangent = |of: &Duals, i: &[usize]| of.get(i).map_or((Complex64::ZERO, 0.0), |x| (x.d, x.size));
    // With β times what was there.
    let with = |(x, size): (Complex64, f64), old: &Tensor<T>, i: &[usize]| match beta == T::ZERO {
        true => (x, size),
        false => {
            let old = beta.to_c64() * old.view().get(i).unwrap().to_c64();
            (x + old, size + old.norm())
        }
    };

    let mut output = given(0, 30);
    let old = given(0, 30);
    let mut record = rule.forward(alpha, &operands, beta, Some(output.view_mut().unwrap()), one).unwrap();
    compare(&format!("{text} value"), &output, |i| with(value(&sum, i), &old, i));
    for _ in 0..2 {
        let mut cotangents = wanted(1);
        record.pullback(&operands, cotangent.view(), &mut views_mut(&mut cotangents), one).unwrap();
        for (k, found) in cotangents.iter().enumerate() {
            let Some(found) = found else { continue };
            compare(&format!("{text} cotangent {k}"), found, |i| value(&bars[k], i));
        }
    }
    drop(record);
    // Without the value, and in a workspace that was used.
    let mut cotangents = wanted(1);
    let mut record = rule.forward(alpha, &operands, beta, None, one).unwrap();
    record.pullback(&operands, cotangent.view(), &mut views_mut(&mut cotangents), one).unwrap();
    for (k, found) in cotangents.iter().enumerate() {
        let Some(found) = found else { continue };
        compare(&format!("{text} cotangent {k}, no value"), found, |i| value(&bars[k], i));
    }

    let (mut output, mut moved, old_moved) = (given(0, 30), given(2, 31), given(2, 31));
    let results = (output.view_mut().unwrap(), moved.view_mut().unwrap());
    rule.jvp(alpha, &operands, &views(&tangents), beta, Some(results.0), Some(results.1), one).unwrap();
    compare(&format!("{text} value beside"), &output, |i| with(value(&sum, i), &old, i));
    compare(&format!("{text} tangent"), &moved, |i| with(tangent(&sum, i), &old_moved, i));

    let (mut cotangents, mut seconds) = (wanted(1), wanted(3));
    let results = (&mut *views_mut(&mut cotangents), &mut *views_mut(&mut seconds));
    let directions = (&*views(&tangents), moving.as_ref().map(Tensor::view));
    rule.pullback_jvp(alpha, &operands, directions.0, cotangent.view(), directions.1, results.0, results.1, one)
        .unwrap();
    for (k, (found, second)) in cotangents.iter().zip(&seconds).enumerate() {
        let (Some(found), Some(second)) = (found, second) else { continue };
        compare(&format!("{text} cotangent {k} beside"), found, |i| value(&bars[k], i));
        compare(&format!("{text} cotangent's tangent {k}"), second, |i| tangent(&bars[k], i));
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn derivatives_are_those_of_the_sum_over_all_labels(case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check::<T>(&case));
        }
    }
}

fn random(shape: &[usize], seed: u64) -> Tensor<Complex64> {
    tensor(Layout::column_major(shape).unwrap(), seed)
}

/// Re⟨x, y⟩.
fn inner(x: &Tensor<Complex64>, y: &Tensor<Complex64>) -> f64 {
    x.data().iter().zip(y.data()).map(|(x, y)| (x.conj() * y).re).sum()
}

/// A matrix product state and itself, large enough for the kernels of matrix products.
fn norm(sites: usize) -> (String, Vec<Vec<usize>>, Vec<bool>) {
    let label = |l: usize| format!("{{{l}}}");
    let (ket, bra, site) = (|i: usize| label(3 * i), |i: usize| label(3 * i + 1), |i: usize| label(3 * i + 2));
    let mut terms = Vec::new();
    for i in 0..sites {
        terms.push([ket(i), site(i), ket(i + 1)].concat());
        terms.push([bra(i), site(i), bra(i + 1)].concat());
    }
    // The first and the last bonds are traced over, so that nothing is a vector.
    let output = format!("{}{}{}{}", ket(0), bra(0), ket(sites), bra(sites));
    let conj = (0..2 * sites).map(|k| k % 2 == 1).collect();
    (format!("{}->{output}", terms.join(",")), vec![vec![12, 3, 12]; 2 * sites], conj)
}

#[test]
fn tangents_and_cotangents_are_adjoint() {
    let (text, shapes, conj) = norm(4);
    let slices: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let plan = Plan::new(&text, &slices, DType::C64, Options::default()).unwrap();
    let rule = EinsumRule::<Complex64>::new(&plan, &conj).unwrap();
    let tensors =
        |seed: u64| -> Vec<Tensor<Complex64>> { (0..8).map(|k| random(&shapes[k], seed + k as u64)).collect() };
    let (operands, tangents) = (tensors(1), tensors(50));
    let operands: Vec<View<'_, Complex64>> = operands.iter().map(Tensor::view).collect();
    let directions: Vec<Option<View<'_, Complex64>>> = tangents.iter().map(|t| Some(t.view())).collect();
    let (alpha, out) = (Complex64::new(0.5, -1.0), plan.output_shape());
    let (cotangent, mut moved) = (random(&out, 99), random(&out, 0));
    let moved_view = Some(moved.view_mut().unwrap());
    rule.jvp(alpha, &operands, &directions, Complex64::ZERO, None, moved_view, Threads::ONE).unwrap();
    let mut cotangents = tensors(0);
    let mut wanted: Vec<_> = cotangents.iter_mut().map(|t| Some(t.view_mut().unwrap())).collect();
    let mut record = rule.forward(alpha, &operands, Complex64::ZERO, None, Threads::ONE).unwrap();
    record.pullback(&operands, cotangent.view(), &mut wanted, Threads::ONE).unwrap();
    drop(wanted);
    let left = inner(&cotangent, &moved);
    let right: f64 = cotangents.iter().zip(&tangents).map(|(x, y)| inner(x, y)).sum();
    let size = cotangents.iter().zip(&tangents).map(|(x, y)| (inner(x, x) * inner(y, y)).sqrt()).sum::<f64>();
    // Each side is a sum of products whose sizes add up to less than `size`.
    assert!((left - right).abs() <= 1e-14 * size, "{left} is not {right} (size {size})");
    assert!(left.abs() > 1e-6 * size, "a test of zeros is none");
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let shapes: [&[usize]; 2] = [&[2, 3], &[3, 4]];
    let plan = Plan::new("ij,jk->ik", &shapes, DType::F64, Options::default()).unwrap();
    let rule = EinsumRule::<f64>::new(&plan, &[false; 2]).unwrap();
    let zeros = |shape: &[usize]| Tensor::<f64>::from_fn(shape, |_| 0.0).unwrap();
    let (a, b, c) = (zeros(&[2, 3]), zeros(&[3, 4]), zeros(&[2, 4]));
    let operands = [a.view(), b.view()];
    let text = |result: Result<(), Error>| result.unwrap_err().to_string();

    let refused = EinsumRule::<f32>::new(&plan, &[false; 2]).map(drop);
    assert!(matches!(refused, Err(Error::Einsum(_))), "another element type");
    assert!(matches!(EinsumRule::<f64>::new(&plan, &[false]).map(drop), Err(Error::Einsum(_))));
    assert_eq!(
        text(rule.forward(1.0, &operands[..1], 0.0, None, Threads::ONE).map(drop)),
        "the expression has 2 operand(s), but 1 were given"
    );
    let mut record = rule.forward(1.0, &operands, 0.0, None, Threads::ONE).unwrap();
    assert_eq!(
        text(record.pullback(&operands, a.view(), &mut [None, None], Threads::ONE)),
        "the cotangent of the output: expected size [2, 4], not [2, 3]"
    );
    let mut wrong = zeros(&[2, 2]);
    let mut wanted = [Some(wrong.view_mut().unwrap()), None];
    assert_eq!(
        text(record.pullback(&operands, c.view(), &mut wanted, Threads::ONE)),
        "the cotangent of operand 1: expected size [2, 3], not [2, 2]"
    );
    // Two cotangents over one memory: columns of one lie between those of the other, or they share elements.
    let mut memory = vec![0.0; 128];
    let pointer = memory.as_mut_ptr();
    for (offset, apart) in [(8, true), (15, false), (16, false)] {
        #[allow(unsafe_code)]
        // SAFETY: inside of the memory; that they overlap is what is tested, and nothing is then written.
        let (x, y) = unsafe {
            let x = ViewMut::from_raw_parts(pointer, &[2, 3], &[1, 16]);
            (x.unwrap(), ViewMut::from_raw_parts(pointer.add(offset), &[3, 4], &[1, 16]).unwrap())
        };
        let done = record.pullback(&operands, c.view(), &mut [Some(x), Some(y)], Threads::ONE);
        assert_eq!(done.is_ok(), apart, "{done:?}");
        let named = "the cotangent of operand 1 shares memory with the cotangent of operand 2; give one of them";
        assert!(apart || text(done).starts_with(named));
    }
    let mut both = zeros(&[2, 3]);
    #[allow(unsafe_code)]
    // SAFETY: as above.
    let x = unsafe { ViewMut::from_raw_parts(both.view_mut().unwrap().as_mut_ptr(), &[2, 3], &[1, 2]) }.unwrap();
    let done = record.pullback(&[both.view(), b.view()], c.view(), &mut [Some(x), None], Threads::ONE);
    assert!(text(done).starts_with("the cotangent of operand 1 shares memory with operand 1; "));
}

#[test]
fn a_memory_limit_is_kept_or_refused() {
    // Without slices the intermediate alone takes 8·40² bytes.
    let shapes: [&[usize]; 3] = [&[40, 4], &[4, 40], &[40, 40]];
    let plan = |limit| {
        let options = Options { memory_limit: Some(limit), ..Options::default() };
        Plan::new("(ab,bc),cd->ad", &shapes, DType::F64, options).unwrap()
    };
    let operands: Vec<Tensor<f64>> = shapes.iter().map(|n| Tensor::from_fn(n, |_| 1.0).unwrap()).collect();
    let operands: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
    let run = |limit: usize| {
        let rule = EinsumRule::<f64>::new(&plan(limit), &[false; 3]).unwrap();
        rule.forward(1.0, &operands, 0.0, None, Threads::ONE).map(drop)
    };
    assert!(plan(8 * 1000).slices() > 1);
    assert_eq!(run(1 << 24), Ok(()));
    let refused = run(8 * 1000);
    let limit = |error: &tensoroxide_einsum::Error| {
        matches!(error, tensoroxide_einsum::Error::MemoryLimit { limit: 8000, needed: 25600.. })
    };
    assert!(matches!(&refused, Err(Error::Einsum(error)) if limit(error)), "{refused:?}");
}
