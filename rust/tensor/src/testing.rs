//! Random shapes, layouts and values for property tests, here and on the floors above (feature `testing`).

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::{Complex64, Layout, Scalar, Tensor};

/// So many cases; a failing one is kept in the crate's `tests/regressions.txt`, is committed, and is tried first from
/// then on.
pub fn config(cases: u32) -> ProptestConfig {
    let file = FileFailurePersistence::Direct("tests/regressions.txt");
    ProptestConfig { cases, failure_persistence: Some(Box::new(file)), ..ProptestConfig::default() }
}

/// Shapes of up to `rank` axes with extents from 0 to `extent`, small ones more often.
pub fn shape(rank: usize, extent: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1 => Just(0usize), 2 => Just(1usize), 12 => 1..=extent], 0..=rank)
}

/// How a tensor is laid out, whatever its shape turns out to be: axes in any order, with gaps, mirrored.
#[derive(Clone, Debug)]
pub struct Arrangement {
    order: u64,
    gaps: u64,
    mirrored: u64,
}

/// Any arrangement, the dense column-major one among them.
pub fn arrangement() -> impl Strategy<Value = Arrangement> {
    let any = (any::<u64>(), any::<u64>(), any::<u64>());
    let strided = any.prop_map(|(order, gaps, mirrored)| Arrangement { order, gaps, mirrored });
    prop_oneof![1 => Just(Arrangement { order: 0, gaps: 0, mirrored: 0 }), 3 => strided]
}

impl Arrangement {
    /// The injective layout that a shape gets.
    pub fn layout(&self, shape: &[usize]) -> Layout {
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        let mut order = self.order;
        for i in (1..axes.len()).rev() {
            axes.swap(i, i - (order % (i as u64 + 1)) as usize);
            order /= i as u64 + 1;
        }
        let (mut strides, mut step) = (vec![0; shape.len()], 1isize);
        for (i, &axis) in axes.iter().enumerate() {
            let gap = isize::from(self.gaps >> (3 * i) & 7 == 1);
            strides[axis] = step * (1 + gap) * if self.mirrored >> (2 * i) & 3 == 1 { -1 } else { 1 };
            step *= (1 + gap) * shape[axis].max(1) as isize;
        }
        Layout::new(shape, &strides).expect("small shapes have layouts")
    }
}

/// A tensor of small pseudo-random numbers (exact in every type: multiples of 1/16 within ±2), by seed.
pub fn tensor<T: Scalar>(layout: Layout, seed: u64) -> Tensor<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 33) % 65) as f64 / 16.0 - 2.0
    };
    let mut tensor = Tensor::zeros(layout).expect("small tensors fit");
    tensor.fill(|_| T::from_c64(Complex64::new(next(), next())));
    tensor
}

/// NaN in every part.
pub fn poison<T: Scalar>() -> T {
    T::from_c64(Complex64::new(f64::NAN, f64::NAN))
}

/// All indices of a shape, the first axis fastest.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    // A tensor's own enumeration serves, so that there is one.
    Tensor::<f32>::from_fn(shape, |index| {
        all.push(index.to_vec());
        0.0
    })
    .expect("small shapes fit");
    all
}
