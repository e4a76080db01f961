//! Whether two layouts, or two indices of one, share an element: a bounded linear Diophantine equation.
//!
//! Two views over one array meet if Σ sᵢxᵢ − Σ tⱼyⱼ = d has a solution with 0 ≤ xᵢ < nᵢ and 0 ≤ yⱼ < mⱼ, where d is the
//! distance of their first elements. Mirroring the axes with negative coefficients turns it into Σ cₖzₖ = D with cₖ >
//! 0, 0 ≤ zₖ ≤ uₖ, which is searched depth first from the largest coefficient down. What the smaller ones can still
//! reach, and their greatest common divisor, leave one or two branches for the layouts that programs make. The problem
//! is NP-complete in general, so the search gives up after a fixed number of branches and then says that they overlap.

/// Branches after which the search gives up; layouts met in practice need a few dozen.
const BUDGET: usize = 20_000;

/// `coefficient · z` with `0 ≤ z ≤ limit`.
#[derive(Clone, Copy)]
struct Term {
    coefficient: i128,
    limit: i128,
}

/// Adds `coefficient · z`, `low ≤ z ≤ high`, to the left side, as a term from 0 up with a positive coefficient.
fn push(terms: &mut Vec<Term>, target: &mut i128, coefficient: i128, low: i128, high: i128) {
    if coefficient != 0 && high > low {
        terms.push(Term { coefficient: coefficient.abs(), limit: high - low });
    }
    *target -= coefficient * if coefficient < 0 { high } else { low };
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

/// Whether Σ cₖzₖ = target has a solution; `true` also when the budget ran out.
fn solvable(mut terms: Vec<Term>, target: i128) -> bool {
    terms.sort_unstable_by_key(|term| std::cmp::Reverse(term.coefficient));
    // For each position: the most that the terms from there on can reach, and their common divisor.
    let mut tail = vec![(0i128, 0i128); terms.len() + 1];
    for (k, term) in terms.iter().enumerate().rev() {
        let (most, divisor) = tail[k + 1];
        tail[k] = (most + term.coefficient * term.limit, gcd(term.coefficient, divisor));
    }
    search(&terms, &tail, target, &mut BUDGET.clone())
}

fn search(terms: &[Term], tail: &[(i128, i128)], target: i128, budget: &mut usize) -> bool {
    let (most, divisor) = tail[0];
    if target < 0 || target > most {
        return false;
    }
    let Some(term) = terms.first() else { return true };
    if target % divisor != 0 {
        return false;
    }
    let rest = tail[1].0;
    let first = (target - rest + term.coefficient - 1).div_euclid(term.coefficient).max(0);
    let last = (target / term.coefficient).min(term.limit);
    for z in first..=last {
        if *budget == 0 {
            return true;
        }
        *budget -= 1;
        if search(&terms[1..], &tail[1..], target - z * term.coefficient, budget) {
            return true;
        }
    }
    false
}

/// Whether two different indices lead to the same element.
pub(crate) fn overlaps_itself(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return false;
    }
    let axes: Vec<(i128, i128)> =
        shape.iter().zip(strides).filter(|(&n, _)| n > 1).map(|(&n, &s)| (s as i128, n as i128 - 1)).collect();
    // The difference of the two indices has a first axis in which it is not 0, and there may be taken as positive.
    (0..axes.len()).any(|first| {
        let (mut terms, mut target) = (Vec::with_capacity(axes.len()), 0);
        push(&mut terms, &mut target, axes[first].0, 1, axes[first].1);
        for &(stride, last) in &axes[first + 1..] {
            push(&mut terms, &mut target, stride, -last, last);
        }
        solvable(terms, target)
    })
}

/// A region of memory as an address, a layout (conditions 1 to 3 of [`crate::layout`]), and the size of an element.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// Address of the element at index (0, …, 0).
    pub address: usize,
    /// Extents.
    pub shape: &'a [usize],
    /// Strides in elements.
    pub strides: &'a [isize],
    /// Bytes of an element.
    pub element: usize,
}

impl Region<'_> {
    /// First byte and one past the last; `None` without elements.
    fn bytes(&self) -> Option<(i128, i128)> {
        if self.shape.contains(&0) {
            return None;
        }
        // Conditions 2 and 3 of layouts: no product and no sum leaves an isize.
        let (mut low, mut high) = (0isize, 0isize);
        for (&extent, &stride) in self.shape.iter().zip(self.strides) {
            let end = (extent as isize - 1).wrapping_mul(stride);
            let bound = if end < 0 { &mut low } else { &mut high };
            *bound = bound.wrapping_add(end);
        }
        let (address, element) = (self.address as i128, self.element as i128);
        Some((address + low as i128 * element, address + (high as i128 + 1) * element))
    }
}

/// Whether two regions share a byte. Exact where both have elements of one size at a common alignment, up to a search
/// budget; otherwise, and beyond it, regions whose ranges of addresses meet count as overlapping.
///
/// ```
/// use tensoroxide_tensor::{overlap, Region};
/// // The odd and the even entries of one vector of doubles.
/// let odd = Region { address: 0, shape: &[4], strides: &[2], element: 8 };
/// let even = Region { address: 8, ..odd };
/// assert!(!overlap(odd, even));
/// assert!(overlap(odd, Region { address: 16, ..odd }));
/// ```
pub fn overlap(a: Region<'_>, b: Region<'_>) -> bool {
    let (Some(x), Some(y)) = (a.bytes(), b.bytes()) else { return false };
    if x.1 <= y.0 || y.1 <= x.0 {
        return false;
    }
    let distance = b.address as i128 - a.address as i128;
    if a.element != b.element || distance % a.element as i128 != 0 {
        return true;
    }
    let (mut terms, mut target) = (Vec::with_capacity(a.shape.len() + b.shape.len()), distance / a.element as i128);
    for (&extent, &stride) in a.shape.iter().zip(a.strides) {
        push(&mut terms, &mut target, stride as i128, 0, extent as i128 - 1);
    }
    for (&extent, &stride) in b.shape.iter().zip(b.strides) {
        push(&mut terms, &mut target, -(stride as i128), 0, extent as i128 - 1);
    }
    solvable(terms, target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn elements(address: usize, axes: &[(usize, isize)]) -> HashSet<isize> {
        axes.iter().fold(HashSet::from([address as isize]), |all, &(extent, stride)| {
            all.iter().flat_map(|&o| (0..extent as isize).map(move |i| o + i * stride)).collect()
        })
    }

    #[test]
    fn blocks_of_one_matrix_are_told_apart() {
        let block = |address, rows, columns| (address, [rows, columns], [1isize, 100]);
        let (a, b) = (block(0, 50, 100), block(50 * 8, 50, 100));
        let region = |(address, shape, strides): &(usize, [usize; 2], [isize; 2])| {
            let (shape, strides): (&'static [usize], &'static [isize]) =
                (shape.to_vec().leak(), strides.to_vec().leak());
            Region { address: *address, shape, strides, element: 8 }
        };
        assert!(!overlap(region(&a), region(&b)));
        assert!(overlap(region(&a), region(&block(49 * 8, 50, 100))));
    }

    #[test]
    fn elements_of_two_sizes_are_judged_by_their_ranges() {
        let wide = Region { address: 64, shape: &[4], strides: &[2], element: 16 };
        let slim = Region { address: 80, shape: &[1], strides: &[1], element: 8 };
        assert!(overlap(wide, slim));
        assert!(!overlap(wide, Region { address: 64 + 7 * 16, ..slim }));
        assert!(!overlap(wide, Region { shape: &[0], ..slim }));
        assert!(overlap(Region { element: 8, ..wide }, Region { address: 68, ..slim }));
    }

    proptest! {
        #[test]
        fn agrees_with_enumeration(
            a in proptest::collection::vec((0usize..5, -9isize..10), 0..4),
            b in proptest::collection::vec((0usize..5, -9isize..10), 0..4),
            at in (200usize..230, 200usize..230),
        ) {
            let expected = !elements(at.0, &a).is_disjoint(&elements(at.1, &b));
            let (sa, ta): (Vec<_>, Vec<_>) = a.into_iter().unzip();
            let (sb, tb): (Vec<_>, Vec<_>) = b.into_iter().unzip();
            let region = |at: usize, shape, strides| Region { address: 8 * at, shape, strides, element: 8 };
            prop_assert_eq!(overlap(region(at.0, &sa, &ta), region(at.1, &sb, &tb)), expected);
        }
    }
}
