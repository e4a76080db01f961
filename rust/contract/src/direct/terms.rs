//! The smallest products: a table of C's elements and one of the terms of each.

use tensoroxide_tensor::Scalar;

use super::Arguments;

/// Up to so many multiplications, setting up registers takes longer than a plain loop.
pub(super) const FEW: usize = 36;

#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// Places, in elements, in C, A and B of each element of C.
    pub(super) outputs: Box<[[isize; 3]]>,
    /// What each term adds to the places in A and B.
    pub(super) summed: Box<[[isize; 2]]>,
}

impl Terms {
    /// # Safety
    /// From the pointers, all places are valid elements.
    #[inline]
    pub(super) unsafe fn run<T: Scalar>(&self, arguments: &Arguments<T>) {
        let Arguments { alpha, beta, conj: [conj_a, conj_b], a, b, c } = *arguments;
        let op = |x: T, conj: bool| if T::DTYPE.is_complex() && conj { x.conj() } else { x };
        let summed = if alpha == T::ZERO { &[] } else { &self.summed[..] };
        for &[to_c, to_a, to_b] in &self.outputs {
            // SAFETY: the caller's promise.
            unsafe {
                let (a, b, c) = (a.wrapping_offset(to_a), b.wrapping_offset(to_b), c.offset(to_c));
                let mut sum = T::ZERO;
                for &[in_a, in_b] in summed {
                    sum += op(*a.offset(in_a), conj_a) * op(*b.offset(in_b), conj_b);
                }
                let x = if alpha == T::ONE { sum } else { alpha * sum };
                *c = if beta == T::ZERO { x } else { beta * *c + x };
            }
        }
    }
}
