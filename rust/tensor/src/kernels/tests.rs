//! Tilings against a walk over all indices: every instruction set, written through the caches and past them, odd sizes.

use proptest::prelude::*;

use super::{job, Tiling};
use crate::layout::reach;
use crate::nest::Loop;
use crate::simd::Isa;
use crate::testing::{arrangement, config, poison, Arrangement};
use crate::{with_scalar, Complex64, DType, Scalar, Threads};

/// 0, 1 and two numbers between, exact in every type; so are all sums below.
const FACTORS: [(f64, f64); 4] = [(0.0, 0.0), (1.0, 0.0), (-2.0, 0.5), (0.5, 0.0)];

#[derive(Clone, Debug)]
struct Case {
    extents: Vec<usize>,
    /// Which loops do not move C.
    sums: u32,
    /// Which do not move A.
    repeats: u32,
    c: Arrangement,
    a: Arrangement,
    /// Elements before the start of each tensor, so that no alignment can be relied on.
    before: (usize, usize),
    factors: (usize, usize),
    conj: bool,
    threads: usize,
}

/// Extents around the sizes of tiles; many small ones or a few large ones, at most about 20000 elements.
fn extents() -> impl Strategy<Value = Vec<usize>> {
    let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 130, 300];
    let any = (0..sizes.len() * 4).prop_map(move |i| if i < 2 { i } else { sizes[i % sizes.len()].max(2) });
    proptest::collection::vec(any, 0..9).prop_map(|mut extents| {
        let mut volume = 1;
        for extent in &mut extents {
            if volume * *extent > 20000 {
                *extent = 2 - usize::from(volume > 10000);
            }
            volume *= (*extent).max(1);
        }
        extents
    })
}

fn case() -> impl Strategy<Value = Case> {
    let masks = prop_oneof![3 => Just((0, 0)), 2 => (any::<u32>(), Just(0)), 1 => (Just(0), any::<u32>()), 1 => any::<(u32, u32)>()];
    let which = (0..4usize, 0..4usize);
    (extents(), masks, arrangement(), arrangement(), (0..4usize, 0..4usize), which, any::<bool>(), 1..4usize).prop_map(
        |(extents, (sums, repeats), c, a, before, factors, conj, threads)| Case {
            extents,
            sums,
            repeats,
            c,
            a,
            before,
            factors,
            conj,
            threads,
        },
    )
}

impl Case {
    /// The strides of a tensor that the masked loops do not move, and how many elements lie below and above its start.
    fn strides(&self, arrangement: &Arrangement, still: u32) -> (Vec<isize>, (isize, isize)) {
        let moves = |d: usize| still >> d & 1 == 0;
        let shape: Vec<usize> = self.extents.iter().enumerate().map(|(d, &n)| if moves(d) { n } else { 1 }).collect();
        let layout = arrangement.layout(&shape);
        let strides = layout.strides().iter().enumerate().map(|(d, &s)| if moves(d) { s } else { 0 }).collect();
        (strides, reach(&shape, layout.strides()).unwrap())
    }

    fn check<T: Scalar>(&self, isa: Isa, stream: usize) {
        let factor = |which: usize| T::from_c64(Complex64::new(FACTORS[which].0, FACTORS[which].1));
        let sums = self.extents.iter().enumerate().any(|(d, &n)| self.sums >> d & 1 == 1 && n != 1);
        let (alpha, beta) = (factor(self.factors.0), if sums { T::ONE } else { factor(self.factors.1) });
        let (to, (low_c, high_c)) = self.strides(&self.c, self.sums);
        let (from, (low_a, high_a)) = self.strides(&self.a, self.repeats);
        let start_c = self.before.0 + low_c.unsigned_abs();
        let start_a = self.before.1 + low_a.unsigned_abs();
        let number = |i: usize| T::from_c64(Complex64::new((i * 7 % 33) as f64 / 16.0 - 1.0, (i % 5) as f64 / 4.0));
        // As long as needed, so that a memory checker sees an access beyond.
        let a: Vec<T> = (0..start_a + high_a.unsigned_abs() + 1).map(number).collect();
        let old: Vec<T> = (0..start_c + high_c.unsigned_abs() + 1).map(|i| number(3 * i + 1)).collect();
        let loops: Vec<Loop<2>> =
            (0..self.extents.len()).map(|d| Loop { extent: self.extents[d], strides: [to[d], from[d]] }).collect();
        let mut pairs = vec![(start_c as isize, start_a as isize)];
        for l in &loops {
            let step = |(c, a): (isize, isize), i: isize| (c + i * l.strides[0], a + i * l.strides[1]);
            pairs = pairs.into_iter().flat_map(|at| (0..l.extent as isize).map(move |i| step(at, i))).collect();
        }
        let mut expected = old.clone();
        let mut c = old;
        if beta == T::ZERO {
            pairs.iter().for_each(|&(to, _)| c[to as usize] = poison());
        }
        for &(to, from) in &pairs {
            let x = a[from as usize];
            let term = alpha * if self.conj { x.conj() } else { x };
            let y = &mut expected[to as usize];
            *y = if beta == T::ZERO { term } else { term + beta * *y };
        }
        let tiling = Tiling::new(&loops, size_of::<T>(), isa, stream);
        let (a, to) = (a.as_ptr().wrapping_add(start_a), c.as_mut_ptr().wrapping_add(start_c));
        // SAFETY: the buffers are as long as the layouts reach; C's loops are injective, and β is 1 with sums.
        unsafe { tiling.run(job(alpha, self.conj, beta), a, to, Threads::new(self.threads)) };
        assert!(c == expected, "{isa:?}, {}, from {stream} bytes: {c:?} is not {expected:?}", T::DTYPE);
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_tiling_visits_every_pair_of_elements(case in case()) {
        for &isa in Isa::available() {
            for stream in [0, usize::MAX] {
                for dtype in DType::ALL {
                    with_scalar!(dtype, T => case.check::<T>(isa, stream));
                }
            }
        }
    }
}

#[test]
fn short_axes_are_gathered_into_tiles() {
    // 4⁶ reversed: no axis fills a line, three of them do.
    let loops: Vec<Loop<2>> = (0..6).map(|d| Loop { extent: 4, strides: [1 << (2 * d), 1 << (10 - 2 * d)] }).collect();
    let tiling = Tiling::new(&loops, 8, Isa::Portable, usize::MAX);
    let super::tiling::Form::Tiles([Some(tile), None, None, None]) = &tiling.form else { panic!("{tiling:?}") };
    assert_eq!((tile.a_down.len(), tile.a_across.len(), tile.inner.len()), (64, 64, 1));
}

#[test]
fn one_thread_does_not_see_the_cuts_of_several() {
    // A short outermost loop is no obstacle: tiles of all loops are dealt out. Rows, tiles and sums; odd sizes.
    let (m, n) = (301, 511);
    let a: Vec<f64> = (0..m * n).map(|i| i as f64).collect();
    let nests = [[[1, 1], [m as isize, m as isize]], [[1, m as isize], [n as isize, 1]], [[0, 1], [1, m as isize]]];
    for (which, strides) in nests.into_iter().enumerate() {
        let extents = if which == 1 { [n, m] } else { [m, n] };
        let loops = [0, 1].map(|d| Loop { extent: extents[d], strides: strides[d] });
        let run = |threads| {
            let mut c = vec![0.0; m * n];
            let tiling = Tiling::new(&loops, 8, Isa::best(), usize::MAX);
            // SAFETY: both have m·n elements, which the loops stay within.
            unsafe { tiling.run(job(1.0, false, 1.0), a.as_ptr(), c.as_mut_ptr(), Threads::new(threads)) };
            c
        };
        let one = run(1);
        assert!(one.iter().any(|&x| x != 0.0));
        for threads in [2, 3] {
            assert!(run(threads) == one, "nest {which} with {threads} threads");
        }
    }
}

#[test]
fn a_sum_to_one_element_is_shared_among_the_threads() {
    // A stretch, rows, rows that start anywhere, single elements. The numbers are not exact: a change of the order
    // shows.
    let (m, n) = (1021, 517);
    let a: Vec<f64> = (0..m * n).map(|i| ((i * 7919) % 1000) as f64 / 7.0).collect();
    for extents in [[m * n, 1, 1], [m - 1, n, 1], [300, n, 3], [m / 2, n, 2]] {
        let [width, height, step] = extents;
        let loops = [[width, step], [height, m]].map(|[extent, by]| Loop { extent, strides: [0, by as isize] });
        let expected: f64 = (0..width * height).map(|k| a[k % width * step + k / width * m]).sum();
        let tiling = Tiling::new(&loops, 8, Isa::best(), usize::MAX);
        let run = |threads| {
            let mut c = 0.0;
            // SAFETY: the loops stay within A, and C is one element.
            unsafe { tiling.run(job(1.0, false, 1.0), a.as_ptr(), &mut c, Threads::new(threads)) };
            c
        };
        let sums: Vec<f64> = (1..=4).map(run).collect();
        for (k, &sum) in sums.iter().enumerate() {
            // n numbers that are added in some order err by less than n·ε, relatively: all are positive.
            assert!((sum - expected).abs() < 1e-10 * expected, "{extents:?}, {} threads: {sum}, not {expected}", k + 1);
            assert!((0..5).all(|_| run(k + 1) == sum), "{extents:?}, {} threads: not reproducible", k + 1);
        }
        assert!(sums.iter().any(|&sum| sum != sums[0]), "{extents:?}: the threads share no sum");
    }
}
